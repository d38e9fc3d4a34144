"""The reference of services and operations, made from the published files."""

from __future__ import annotations

from typing import TYPE_CHECKING

from clearinghouse.contract.catalogue import Contract
from clearinghouse.contract.components import (
    XSD,
    Choice,
    ComplexType,
    Element,
    Facets,
    SimpleType,
)
from clearinghouse.domain.permissions import PERMISSIONS
from clearinghouse.texts import UNSEEN, is_readable
from docs.pages import rst

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from clearinghouse.contract.catalogue import OperationContract, ServiceContract

INDEX = """
One WSDL for each service, document/literal, with a SOAP 1.1 port and a SOAP 1.2 port.
A running clearing house serves them at ``/wsdl/<service>.wsdl`` and at
``/services/<service>?wsdl``. What follows is made from these files.
"""

DOCUMENTS = {
    "common": "Common types, header and fault",
    "statement": "Statement document",
}
COLUMNS = ("Element", "Type", "How often", "Meaning")
WIDTHS = (22, 22, 12, 44)


def _split(name: str) -> tuple[str, str]:
    """Return the file and the local name of a Clark name of ours."""
    space, _, local = name.removeprefix("{").rpartition("}")
    return space.split(":")[-2] if space.startswith("urn:") else "", local


def _label(name: str) -> str:
    return "type-{}-{}".format(*_split(name)).lower()


def _type_link(name: str) -> str:
    file, local = _split(name)
    if name.startswith(f"{{{XSD}}}"):
        return rst.literal(local)
    return rst.reference(local, _label(name)) if file else rst.literal(local)


def _occurrence(element: Element) -> str:
    if element.max_occurs == 1:
        return "once" if element.min_occurs else "at most once"
    return f"{element.min_occurs} to {element.max_occurs}"


def _row(element: Element, occurrence: str) -> tuple[str, ...]:
    return (
        rst.literal(element.local_name),
        _type_link(element.type_name),
        occurrence,
        rst.escaped(element.documentation),
    )


def _rows(content: Iterable[Element | Choice]) -> Iterator[tuple[str, ...]]:
    for particle in content:
        if isinstance(particle, Choice):
            others = " or ".join(element.local_name for element in particle.elements)
            for element in particle.elements:
                yield _row(element, f"one of {others}")
        else:
            yield _row(particle, _occurrence(particle))


def _bounds(facets: Facets) -> Iterator[str]:
    if facets.max_length is not None:
        yield f"{facets.min_length or 0} to {facets.max_length} characters"
    if facets.min_inclusive is not None or facets.max_inclusive is not None:
        yield f"from {facets.min_inclusive} to {facets.max_inclusive}"
    if facets.total_digits is not None:
        yield f"{facets.total_digits} digits"
    if facets.fraction_digits is not None:
        yield f"{facets.fraction_digits} after the point"
    for pattern in facets.patterns:
        # A pattern that refuses what nobody sees holds it; the XSD is there to look at.
        yield f"pattern {rst.literal(pattern)}" if is_readable(pattern) else UNSEEN


def _simple(found: SimpleType) -> str:
    bounds = ", ".join([rst.literal(found.base), *_bounds(found.facets)])
    parts = [rst.escaped(found.documentation), "", f"Form: {bounds}.", ""]
    if found.facets.enumeration:
        rows = [
            (rst.literal(value.value), rst.escaped(value.documentation))
            for value in found.facets.enumeration
        ]
        parts.append(rst.table(("Value", "Meaning"), rows, (30, 70)))
    return "\n".join(parts)


def _complex(found: ComplexType) -> str:
    parts = [rst.escaped(found.documentation), ""]
    if found.content:
        parts.append(rst.table(COLUMNS, _rows(found.content), WIDTHS))
    else:
        parts.append("It holds nothing.\n")
    return "\n".join(parts)


def _type(found: ComplexType | SimpleType) -> str:
    body = _simple(found) if isinstance(found, SimpleType) else _complex(found)
    title = rst.heading(_split(found.name)[1], "^")
    return "\n".join([rst.label(_label(found.name)), title, body])


def _types(contract: Contract, file: str) -> list[str]:
    found = [
        _type(entry)
        for name, entry in contract.model.types.items()
        if _split(name)[0] == file
    ]
    return [rst.heading("Types", "-"), *found] if found else []


def _callers(operation: OperationContract, service: ServiceContract) -> str:
    if service.offered_by_partners:
        return "the clearing house, and partners among themselves"
    return " and ".join(sorted(PERMISSIONS[operation.name].roles))


def _body(element: Element) -> str:
    return f"{rst.literal(element.local_name)}, {_type_link(element.type_name)}"


def _example(operation: OperationContract, ending: str) -> str:
    """Show a message of the tests, which keep it valid."""
    path = f"tests/examples/{operation.service}/valid/{operation.name}.{ending}"
    return f".. literalinclude:: /../{path}\n   :language: xml\n   :caption: {path}\n"


def _operation(
    contract: Contract, service: ServiceContract, operation: OperationContract
) -> str:
    elements = contract.model.elements
    request, response = elements[operation.request], elements[operation.response]
    return "\n".join(
        [
            rst.heading(operation.name, "^"),
            rst.escaped(operation.documentation),
            "",
            f":Callers: {_callers(operation, service)}",
            f":SOAPAction: {rst.literal(operation.soap_action)}",
            f":Request: {_body(request)}",
            f":Response: {_body(response)}",
            "",
            _example(operation, "xml"),
            _example(operation, "response.xml"),
        ]
    )


def _service(contract: Contract, service: ServiceContract) -> str:
    return "\n".join(
        [
            rst.heading(service.name, "="),
            rst.escaped(service.documentation),
            "",
            f":Namespace: {rst.literal(service.namespace)}",
            f":Path: {rst.literal(service.path)}",
            "",
            rst.heading("Operations", "-"),
            *(_operation(contract, service, found) for found in service.operations),
            *_types(contract, service.name),
        ]
    )


def _document(contract: Contract, name: str, title: str) -> str:
    roots = [
        element
        for element in contract.model.elements.values()
        if _split(element.name)[0] == name
    ]
    rows = [_row(element, "root") for element in roots]
    return "\n".join(
        [
            rst.heading(title, "="),
            rst.table(COLUMNS, rows, WIDTHS) if rows else "",
            *_types(contract, name),
        ]
    )


def pages() -> Iterator[tuple[str, str]]:
    """Yield the index, one page for each service and one for each other schema."""
    contract = Contract.load()
    ours = [name for name, s in contract.services.items() if not s.offered_by_partners]
    theirs = [name for name, s in contract.services.items() if s.offered_by_partners]
    parts = [rst.heading("Services and operations", "="), INDEX]
    for title, names in (
        ("Services that partners call", ours),
        ("Services that partners offer", theirs),
        ("Documents and common types", list(DOCUMENTS)),
    ):
        parts += [rst.heading(title, "-"), rst.contents(names)]
    yield "operations/index.rst", "\n".join(parts)
    for service in contract.services.values():
        yield f"operations/{service.name}.rst", _service(contract, service)
    for name, title in DOCUMENTS.items():
        yield f"operations/{name}.rst", _document(contract, name, title)
