"""Every operation is complete: documented, exemplified, handled, authorized."""

from __future__ import annotations

import importlib
import pkgutil
from collections import Counter
from functools import cache

import pytest
from lxml import etree

from clearinghouse import facades
from clearinghouse.codes import CATALOGUE, Kind
from clearinghouse.contract.catalogue import Contract, OperationContract
from clearinghouse.domain.permissions import PERMISSIONS
from clearinghouse.endpoint import calls
from clearinghouse.facades import iec63119
from tests.conventions.source import ROOT

INVALID_EXAMPLES_MIN = 2
XSD = "{http://www.w3.org/2001/XMLSchema}"
DOCUMENTED = ("element", "enumeration", "complexType", "simpleType")


@cache
def contract() -> Contract:
    """Return the contract, loaded once."""
    return Contract.load()


@cache
def handled() -> Counter[tuple[str, str]]:
    """Count the handlers of each operation in the façade of our own contract."""
    found: Counter[tuple[str, str]] = Counter()
    for module in pkgutil.iter_modules(iec63119.__path__, f"{iec63119.__name__}."):
        for spec in getattr(importlib.import_module(module.name), "OPERATIONS", ()):
            found[spec.service, spec.name] += 1
    return found


def operations(*, by_partners: bool) -> list[OperationContract]:
    """Return the operations that partners offer, or those that they call."""
    return [
        operation
        for service in contract().services.values()
        if service.offered_by_partners is by_partners
        for operation in service.operations
    ]


EVERY = pytest.mark.parametrize(
    "operation",
    operations(by_partners=False) + operations(by_partners=True),
    ids=lambda operation: f"{operation.service}.{operation.name}",
)
OURS = pytest.mark.parametrize(
    "operation",
    operations(by_partners=False),
    ids=lambda operation: f"{operation.service}.{operation.name}",
)


@EVERY
def test_every_operation_has_valid_and_invalid_examples(
    operation: OperationContract,
) -> None:
    folder = ROOT / "tests" / "examples" / operation.service

    assert (folder / "valid" / f"{operation.name}.xml").is_file()
    assert (folder / "valid" / f"{operation.name}.response.xml").is_file()
    invalid = list((folder / "invalid").glob(f"{operation.name}--*.xml"))
    assert len(invalid) >= INVALID_EXAMPLES_MIN


@OURS
def test_every_operation_has_one_handler(operation: OperationContract) -> None:
    assert handled()[operation.service, operation.name] == 1


@OURS
def test_every_operation_has_a_rule_who_may_call_it(
    operation: OperationContract,
) -> None:
    permission = PERMISSIONS[operation.name]

    assert permission.roles
    # only the login works without a token (clause 7.2-token)
    assert permission.needs_token is (operation.name != "Login")


def test_no_rule_and_no_handler_is_left_over() -> None:
    known = {(found.service, found.name) for found in operations(by_partners=False)}

    assert PERMISSIONS.keys() == {name for _, name in known}
    assert handled().keys() <= known


@EVERY
def test_every_operation_is_documented(operation: OperationContract) -> None:
    assert operation.documentation.endswith(".")


def _silent(path: str) -> list[str]:
    return [
        f"{path}:{node.sourceline} {node.get('name') or node.get('value')}"
        for node in contract()
        .files.parse(path)
        .iter(*(f"{XSD}{name}" for name in DOCUMENTED))
        if not "".join(_documentation(node)).strip()
    ]


def _documentation(node: etree._Element) -> list[str]:
    path = f"{XSD}annotation/{XSD}documentation"
    return [found.text or "" for found in node.findall(path)]


@pytest.mark.parametrize("name", contract().files.names("xsd"))
def test_every_element_type_and_value_is_documented(name: str) -> None:
    assert not _silent(f"xsd/{name}.xsd")


def protocols() -> list[str]:
    """Return the façades, one folder for each protocol."""
    return [module.name for module in pkgutil.iter_modules(facades.__path__)]


@pytest.mark.parametrize("protocol", protocols())
def test_every_protocol_has_its_own_tests(protocol: str) -> None:
    folder = ROOT / "tests" / "facades" / protocol

    assert list(folder.glob("test_*.py"))


@pytest.mark.parametrize("protocol", protocols())
def test_every_kind_of_error_has_its_form_in_every_protocol(protocol: str) -> None:
    faults = importlib.import_module(f"{facades.__name__}.{protocol}.faults")

    assert set(faults.WIRE_OF_KIND) == set(Kind)
    for code in CATALOGUE.values():
        assert faults.is_fault(code) in {True, False}


def test_reference_endpoint_calls_every_operation() -> None:
    wanted = {(found.service, found.name) for found in operations(by_partners=False)}

    assert {(found.service, found.name) for found in calls.OPERATIONS} == wanted
