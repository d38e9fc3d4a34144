"""The style rules for WSDL files, each as a function from a file to its breaches.

The style was chosen by what generators of clients were measured to understand:
document/literal bare, SOAP 1.1 first, the header in its own message, one fault.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from lxml import etree

from tests.contract.authored import NAMES, namespace, select
from tests.contract.style import Rule

HTTP = "http://schemas.xmlsoap.org/soap/http"


def imports_only(name: str, root: etree._Element) -> Iterator[str]:
    """Take the types from the schemas, imported by relative location."""
    if root.get("targetNamespace") != namespace(name):
        yield f"namespace {root.get('targetNamespace')}"
    inside = select(root, "wsdl:types/xs:schema/*")
    if select(root, "//wsdl:import") or len(inside) != len(
        select(root, "wsdl:types/xs:schema/xs:import")
    ):
        yield "types hold more than imports"
    wanted = {f"../xsd/{schema}.xsd": namespace(schema) for schema in ("common", name)}
    found = {
        node.get("schemaLocation", ""): node.get("namespace", "") for node in inside
    }
    if found != wanted:
        yield f"imports {found}"


def one_body_part(name: str, root: etree._Element) -> Iterator[str]:
    """Bare: each message has one part ``body``, an element named as the operation."""
    for operation in select(root, "wsdl:portType/wsdl:operation"):
        for tag, ending in (("input", "Request"), ("output", "Response")):
            parts = _parts(root, operation, tag)
            title = operation.get("name", "")
            wanted = f"{name}:{title[:1].lower()}{title[1:]}{ending}"
            if [_part(part) for part in parts] != [("body", wanted, None)]:
                yield f"{tag} of {title}"


def header_apart(_name: str, root: etree._Element) -> Iterator[str]:
    """Give the header its own message and let every request have it."""
    message = select(root, "wsdl:message[@name='HeaderMessage']/wsdl:part")
    if [_part(part) for part in message] != [("header", "common:exchangeHeader", None)]:
        yield "message of the header"
    for tag in ("soap", "soap12"):
        for node in select(root, f"wsdl:binding[{tag}:binding]/wsdl:operation"):
            headers = select(node, f"wsdl:input/{tag}:header")
            if [header.get("part") for header in headers] != ["header"]:
                yield f"{tag} header of {node.get('name')}"


def one_fault(_name: str, root: etree._Element) -> Iterator[str]:
    """One fault message with one element, declared by every operation."""
    message = select(root, "wsdl:message[@name='FaultMessage']/wsdl:part")
    if [_part(part) for part in message] != [("fault", "common:fault", None)]:
        yield "message of the fault"
    for node in select(root, "//wsdl:operation"):
        faults = [fault.get("name") for fault in select(node, "wsdl:fault")]
        if faults != ["ClearingHouseFault"]:
            yield f"faults of {node.get('name')}: {faults}"


def document_literal(_name: str, root: etree._Element) -> Iterator[str]:
    """Style document, use literal, over HTTP, in both bindings."""
    for tag in ("soap", "soap12"):
        for node in select(root, f"//{tag}:binding"):
            if (node.get("style"), node.get("transport")) != ("document", HTTP):
                yield f"{tag}:binding"
        for node in select(root, f"//{tag}:operation"):
            if node.get("style") != "document":
                yield f"{tag}:operation"
        for node in select(root, f"//{tag}:body | //{tag}:header | //{tag}:fault"):
            if node.get("use") != "literal" or node.get("parts"):
                yield f"{tag} use, line {node.sourceline}"


def two_ports(name: str, root: etree._Element) -> Iterator[str]:
    """One service, SOAP 1.1 first and SOAP 1.2 beside it, at one address."""
    if len(select(root, "wsdl:service")) != 1:
        yield "not one service"
    addresses = select(root, "wsdl:service/wsdl:port/*[@location]")
    spaces = [etree.QName(address).namespace for address in addresses]
    if spaces != [NAMES["soap"], NAMES["soap12"]]:
        yield f"ports {spaces}"
    locations = {address.get("location", "") for address in addresses}
    if len(locations) != 1 or not locations.pop().endswith(f"/services/{name}"):
        yield "addresses"


def bound_operations(name: str, root: etree._Element) -> Iterator[str]:
    """Both bindings hold all operations, each with its own soapAction."""
    declared = [
        node.get("name", "") for node in select(root, "wsdl:portType/wsdl:operation")
    ]
    if len({operation.lower() for operation in declared}) != len(declared):
        yield "operations of one name"
    for tag in ("soap", "soap12"):
        bound = select(root, f"wsdl:binding[{tag}:binding]/wsdl:operation")
        if [node.get("name") for node in bound] != declared:
            yield f"operations of {tag}"
        for node in bound:
            actions = [a.get("soapAction") for a in select(node, f"{tag}:operation")]
            if actions != [f"{namespace(name)}/{node.get('name')}"]:
                yield f"{tag} action of {node.get('name')}"


def documented(_name: str, root: etree._Element) -> Iterator[str]:
    """Each operation says what it does, its clause, and whether to repeat it."""
    if not select(root, "wsdl:documentation"):
        yield "the service"
    for node in select(root, "wsdl:portType/wsdl:operation"):
        found = select(node, "wsdl:documentation")
        words = " ".join((found[0].text or "").split()) if len(found) == 1 else ""
        if not re.search(r"clauses? \d", words):
            yield f"clause of {node.get('name')}"
        if not re.search(r"Changes state:|Reads only:|Not stored for replay", words):
            yield f"repetition of {node.get('name')}"


def _parts(
    root: etree._Element, operation: etree._Element, tag: str
) -> list[etree._Element]:
    uses = select(operation, f"wsdl:{tag}")
    message = uses[0].get("message", "").rpartition(":")[2] if uses else ""
    return select(root, f"wsdl:message[@name='{message}']/wsdl:part")


def _part(node: etree._Element) -> tuple[str | None, str | None, str | None]:
    return node.get("name"), node.get("element"), node.get("type")


WSDL_RULES: tuple[Rule, ...] = (
    imports_only,
    one_body_part,
    header_apart,
    one_fault,
    document_literal,
    two_ports,
    bound_operations,
    documented,
)
