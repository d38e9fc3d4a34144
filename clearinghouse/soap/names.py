"""Names in generated code: attributes, classes, prefixes."""

from __future__ import annotations

import keyword
import re

from clearinghouse.contract.model import ComplexType, local, namespace

_HUMP = re.compile(r"(?<=[a-z0-9])(?=[A-Z])")
_NAMESPACE = re.compile(r"urn:clearinghouse:[a-z0-9]+:([a-z][a-z0-9-]*):[0-9]+")


def attribute_name(element_name: str) -> str:
    """Return the attribute of an element: ``energyWh`` becomes ``energy_wh``."""
    name = _HUMP.sub("_", local(element_name)).lower()
    return f"{name}_" if keyword.iskeyword(name) else name


def prefix(name: str) -> str:
    """Return the prefix of a name's namespace: the name of the service.

    Raises :class:`ValueError` for a namespace that is not one of ours.
    """
    match = _NAMESPACE.fullmatch(namespace(name))
    if match is None:
        raise ValueError(f"{name}: a namespace that is not ours")
    return match[1]


def tag(name: str) -> str:
    """Return the prefixed name, as it stands in a message that we write."""
    return f"{prefix(name)}:{local(name)}"


def class_key(complex_type: ComplexType) -> str:
    """Return the key of a record class, as in ``sdr:SubmitSdrsResponse``."""
    return f"{prefix(complex_type.name)}:{complex_type.class_name}"


def symbol(complex_type: ComplexType) -> str:
    """Return the Python name of a record class; unique over all services."""
    return f"{prefix(complex_type.name).replace('-', '_')}_{complex_type.class_name}"
