"""Turn the contract's dataclasses into XML and into zeep's values, and back.

A field's name is its element's name in snake_case, its type says how the text is
read, its order is the schema's. Reading trusts that the schema was checked before.
"""

from __future__ import annotations

import base64
import dataclasses
import types
import typing
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Literal, TypeVar, cast
from uuid import UUID

from lxml import etree

T = TypeVar("T")

_NAMESPACE = "urn:clearinghouse:iec63119:{}:1"

Scalar = str | int | bool | Decimal | datetime | UUID | bytes


def _read_bool(text: str) -> bool:
    return text.strip() in {"true", "1"}


def _read_instant(text: str) -> datetime:
    return datetime.fromisoformat(text.strip())


_READERS: dict[object, Callable[[str], Scalar]] = {
    str: str,
    int: int,
    bool: _read_bool,
    Decimal: Decimal,
    datetime: _read_instant,
    UUID: UUID,
    bytes: base64.b64decode,
}


def text_of(value: Scalar) -> str:
    """Return the XSD text of a value; decimals without an exponent."""
    match value:
        case bool():
            return "true" if value else "false"
        case Decimal():
            return format(value, "f")
        case datetime():
            return value.isoformat()
        case bytes():
            return base64.b64encode(value).decode("ascii")
        case _:
            return str(value)


@dataclass(frozen=True, slots=True, kw_only=True)
class FieldPlan:
    """How one field stands on the wire."""

    attribute: str
    element: str
    repeated: bool
    required: bool
    record: type | None
    read: Callable[[str], Scalar]


# One entry for each dataclass of the contract: their number bounds it.
_PLANS: dict[type, tuple[FieldPlan, ...]] = {}


def element_name(attribute: str) -> str:
    """Return the element that a field is named after: ``evse_id`` is ``evseId``."""
    first, *others = attribute.rstrip("_").split("_")
    return first + "".join(other.capitalize() for other in others)


def _split(hint: object) -> tuple[object, bool]:
    """Return the type behind a hint and whether it repeats."""
    arguments = typing.get_args(hint)
    if typing.get_origin(hint) in {types.UnionType, typing.Union}:
        hint = next(each for each in arguments if each is not types.NoneType)
        arguments = typing.get_args(hint)
    if typing.get_origin(hint) is tuple:
        inner, _ = _split(arguments[0])
        return inner, True
    if typing.get_origin(hint) is Literal:
        return str, False
    return hint, False


def plan_of(record: type) -> tuple[FieldPlan, ...]:
    """Return how the fields of a dataclass stand on the wire."""
    found = _PLANS.get(record)
    if found is None:
        found = _PLANS[record] = _plan(record)
    return found


def _plan(record: type) -> tuple[FieldPlan, ...]:
    hints = typing.get_type_hints(record)
    plans = []
    for field in dataclasses.fields(record):
        kind, repeated = _split(hints[field.name])
        nested = cast("type", kind) if dataclasses.is_dataclass(kind) else None
        plans.append(
            FieldPlan(
                attribute=field.name,
                element=element_name(field.name),
                repeated=repeated,
                required=field.default is dataclasses.MISSING,
                record=nested,
                read=_READERS.get(kind, str),
            )
        )
    return tuple(plans)


def namespace(service: str) -> str:
    """Return the namespace of a service."""
    return _NAMESPACE.format(service)


def namespace_of(record: type) -> str:
    """Return the namespace of a dataclass: its module is named after the service."""
    return namespace(record.__module__.rpartition(".")[2].replace("_", "-"))


def read_element(record: type[T], element: etree._Element) -> T:
    """Read a validated element into the dataclass.

    Raises :class:`ValueError` for a moment that the schema's pattern lets pass but
    no calendar has, such as the 30th of February.
    """
    children: dict[str, list[etree._Element]] = {}
    for child in element:
        children.setdefault(str(child.tag).rpartition("}")[2], []).append(child)
    values: dict[str, object] = {}
    for plan in plan_of(record):
        found = children.get(plan.element, ())
        read = [_read_one(plan, child) for child in found]
        if plan.repeated:
            values[plan.attribute] = tuple(read)
        elif read:
            values[plan.attribute] = read[0]
    return record(**values)


def _read_one(plan: FieldPlan, element: etree._Element) -> object:
    if plan.record is not None:
        return read_element(plan.record, element)
    return plan.read(element.text or "")


def write_element(value: object, name: str) -> etree._Element:
    """Write a dataclass as an element; ``name`` is its qualified name."""
    element = etree.Element(name, nsmap={None: etree.QName(name).namespace or ""})
    _write_fields(element, value)
    return element


def _write_fields(element: etree._Element, value: object) -> None:
    space = namespace_of(type(value))
    for plan in plan_of(type(value)):
        held = getattr(value, plan.attribute)
        for each in held if plan.repeated else (held,):
            if each is None:
                continue
            child: etree._Element = etree.SubElement(
                element, f"{{{space}}}{plan.element}", nsmap={None: space}
            )
            if plan.record is not None:
                _write_fields(child, each)
            else:
                child.text = text_of(each)


def to_mapping(value: object) -> dict[str, object]:
    """Return a dataclass as the nested dictionaries that zeep takes."""
    mapping: dict[str, object] = {}
    for plan in plan_of(type(value)):
        held = getattr(value, plan.attribute)
        if held is None or (plan.repeated and not held):
            continue
        if plan.repeated:
            mapping[plan.element] = [wire_value(each) for each in held]
        else:
            mapping[plan.element] = wire_value(held)
    return mapping


def wire_value(value: object) -> object:
    """Return one value as zeep takes it."""
    if dataclasses.is_dataclass(value):
        return to_mapping(value)
    if isinstance(value, list | tuple):
        return [wire_value(each) for each in value]
    return str(value) if isinstance(value, UUID) else value


def from_mapping(record: type[T], mapping: Mapping[str, object]) -> T:
    """Read what zeep parsed (as nested dictionaries) into the dataclass."""
    values: dict[str, object] = {}
    for plan in plan_of(record):
        found = mapping.get(plan.element)
        if plan.repeated:
            listed = cast("list[object]", found or [])
            values[plan.attribute] = tuple(_from_value(plan, each) for each in listed)
        elif found is not None:
            values[plan.attribute] = _from_value(plan, found)
    return record(**values)


def _from_value(plan: FieldPlan, value: object) -> object:
    if plan.record is not None:
        return from_mapping(plan.record, cast("Mapping[str, object]", value))
    return plan.read(value) if isinstance(value, str) else value
