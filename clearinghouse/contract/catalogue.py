"""The catalogue of the contract: services, operations, published files.

``Contract.load`` reads everything once, while the server starts, and fails there
if a file is missing or says what the house cannot do. What is published are the
authored bytes; only the address of a service is set in a WSDL (style rules of the
contract).
"""

from __future__ import annotations

import re
import threading
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from importlib.resources.abc import Traversable
from types import MappingProxyType
from typing import Any, Concatenate, ParamSpec, TypeVar, cast
from xml.sax.saxutils import quoteattr

from lxml import etree

from clearinghouse.contract.errors import ContractError
from clearinghouse.contract.loader import FOLDERS, AuthoredFiles
from clearinghouse.contract.model import SchemaModel

WSDL = "http://schemas.xmlsoap.org/wsdl/"
SOAP11 = "http://schemas.xmlsoap.org/wsdl/soap/"
SOAP12 = "http://schemas.xmlsoap.org/wsdl/soap12/"
COMMON = "urn:clearinghouse:iec63119:common:1"

# The header of each request and the detail of each fault, as Clark names.
EXCHANGE_HEADER = f"{{{COMMON}}}exchangeHeader"
FAULT = f"{{{COMMON}}}fault"

# Services that partners offer and the clearing house calls (clause 4.3-I3, I4).
PARTNER_SERVICES = frozenset({"csp-endpoint", "cso-endpoint"})

_Words = ParamSpec("_Words")
_Made = TypeVar("_Made")

_NAMES = MappingProxyType({"w": WSDL, "s": SOAP11, "s12": SOAP12})
_ADDRESS = re.compile(rb'(<soap(?:12)?:address location=)"[^"]*"')
_PUBLIC_URL = re.compile(r"https?://[!-~]{1,500}")


@dataclass(frozen=True, slots=True, kw_only=True)
class OperationContract:
    """One operation as the WSDL declares it; QNames are Clark names."""

    name: str
    service: str
    namespace: str
    request: str
    response: str
    soap_action: str
    documentation: str
    port: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ServiceContract:
    """One service: its WSDL as authored and its operations in that order."""

    name: str
    namespace: str
    documentation: str
    operations: tuple[OperationContract, ...]
    wsdl: bytes = field(repr=False)

    @property
    def offered_by_partners(self) -> bool:
        """Tell whether the clearing house calls the service, not offers it."""
        return self.name in PARTNER_SERVICES

    @property
    def path(self) -> str:
        """Return the path at which the service is called."""
        return f"/services/{self.name}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Contract:
    """Everything that is published, and the schemas compiled from it."""

    files: AuthoredFiles = field(repr=False)
    model: SchemaModel = field(repr=False)
    services: Mapping[str, ServiceContract]
    operations: Mapping[str, OperationContract]
    _compiled: threading.local = field(
        default_factory=threading.local, repr=False, compare=False
    )
    _made: dict[object, Any] = field(default_factory=dict, repr=False, compare=False)
    _making: threading.RLock = field(
        default_factory=threading.RLock, repr=False, compare=False
    )

    @classmethod
    def load(cls, root: Traversable | None = None) -> Contract:
        """Read the files of the package, or those below another ``root``.

        Raises :class:`ContractError`, naming the file and the construct, when
        anything in them is missing, unknown or does not fit together.
        """
        files = AuthoredFiles.load(root)
        model = SchemaModel.read(files)
        services = {name: _read_service(files, name) for name in files.names("wsdl")}
        for name in files.names("xsd"):
            files.compile(name)
        operations: dict[str, OperationContract] = {}
        for service in services.values():
            for operation in service.operations:
                _check_elements(operation, model)
                operations[operation.request] = operation
        return cls(
            files=files,
            model=model,
            services=MappingProxyType(services),
            operations=MappingProxyType(operations),
        )

    def operation(self, service: str, name: str) -> OperationContract:
        """Return an operation by the names that the WSDL gives.

        Raises :class:`KeyError` when the service or its operation is unknown.
        """
        for operation in self.services[service].operations:
            if operation.name == name:
                return operation
        raise KeyError(name)

    def schema(self, name: str) -> etree.XMLSchema:
        """Return the compiled schema of a service or of a document.

        It accepts the elements of that file and of the files it imports as root:
        header and fault, requests and responses. lxml keeps the errors of the last
        validation in the validator, so that each thread has its own.
        Raises :class:`ContractError` for a name that is not in ``xsd/``.
        """
        schemas: dict[str, etree.XMLSchema] = self._compiled.__dict__
        if name not in schemas:
            schemas[name] = self.files.compile(name)
        return schemas[name]

    def once(
        self,
        make: Callable[Concatenate[Contract, _Words], _Made],
        *words: _Words.args,
        **named: _Words.kwargs,
    ) -> _Made:
        """Return ``make(self, *words)``, made by whoever asks first: it is for all.

        For what is compiled from the contract, which never changes, and may be used by
        many threads at once. ``make`` is a function of a module.
        """
        key = (make, words, tuple(named.items()))
        with self._making:
            if key not in self._made:
                self._made[key] = make(self, *words, **named)
            return cast("_Made", self._made[key])

    def wsdl_bytes(self, service: str, public_url: str | None = None) -> bytes:
        """Return the WSDL of a service with the address where it is offered.

        ``public_url`` is the address of the server; ``/services/<service>`` is put
        behind it. All other bytes are as authored, without it all are.
        Raises :class:`KeyError` for an unknown service and :class:`ValueError` for
        an address that is none.
        """
        found = self.services[service]
        if public_url is None:
            return found.wsdl
        if _PUBLIC_URL.fullmatch(public_url) is None:
            raise ValueError("the public address is not an absolute http(s) URL")
        address = quoteattr(public_url.rstrip("/") + found.path, {'"': "&quot;"})
        return _ADDRESS.sub(lambda match: match[1] + address.encode(), found.wsdl)

    def published(self, path: str, public_url: str | None = None) -> bytes | None:
        """Return what is served at ``/wsdl/<name>.wsdl`` or ``/xsd/<name>.xsd``.

        ``path`` is only compared with the list of authored files and never opens
        one; ``None`` when it is not in the list.
        """
        if path not in self.paths():
            return None
        if path.startswith("/wsdl/"):
            name = path.removeprefix("/wsdl/").removesuffix(FOLDERS["wsdl"])
            partner = self.services[name].offered_by_partners
            return self.wsdl_bytes(name, None if partner else public_url)
        return self.files.content[path.removeprefix("/")]

    def paths(self) -> frozenset[str]:
        """Return the paths of all published files."""
        return frozenset(f"/{path}" for path in self.files.content)


def _read_service(files: AuthoredFiles, name: str) -> ServiceContract:
    path = f"wsdl/{name}.wsdl"
    root = files.parse(path)
    port_type = _only(path, root, "w:portType")
    operations = tuple(
        _read_operation(path, name, operation)
        for operation in _find(port_type, "w:operation")
    )
    addresses = [*_find(root, "w:service/w:port/*[@location]")]
    if len(_ADDRESS.findall(files.content[path])) != len(addresses):
        raise ContractError(path, "an address that is not written as soap:address")
    return ServiceContract(
        name=name,
        namespace=root.get("targetNamespace", ""),
        documentation=_text(root),
        operations=operations,
        wsdl=files.content[path],
    )


def _read_operation(
    path: str, service: str, operation: etree._Element
) -> OperationContract:
    root = operation.getroottree().getroot()
    name = operation.get("name", "")
    port = _only(path, root, "w:service/w:port[s:address]")
    return OperationContract(
        name=name,
        service=service,
        namespace=root.get("targetNamespace", ""),
        request=_body(path, root, _only(path, operation, "w:input")),
        response=_body(path, root, _only(path, operation, "w:output")),
        soap_action=_soap_action(path, root, name),
        documentation=_text(operation),
        port=port.get("name", ""),
    )


def _soap_action(path: str, root: etree._Element, name: str) -> str:
    """Return the soapAction that both bindings of the operation agree on."""
    places = (
        f"w:binding[s:binding]/w:operation[@name='{name}']/s:operation",
        f"w:binding[s12:binding]/w:operation[@name='{name}']/s12:operation",
    )
    first, second = (_only(path, root, place).get("soapAction", "") for place in places)
    if first != second:
        raise ContractError(path, f"{name}: two soapActions")
    return first


def _body(path: str, root: etree._Element, use: etree._Element) -> str:
    """Follow a message of an operation to the element of its one part."""
    message = use.get("message", "").rpartition(":")[2]
    part = _only(path, root, f"w:message[@name='{message}']/w:part")
    prefix, _, name = part.get("element", "").rpartition(":")
    return f"{{{part.nsmap.get(prefix or None, '')}}}{name}"


def _check_elements(operation: OperationContract, model: SchemaModel) -> None:
    for name in (operation.request, operation.response):
        if name not in model.elements:
            raise ContractError(f"wsdl/{operation.service}.wsdl", f"no element {name}")


def _find(node: etree._Element, expression: str) -> Iterator[etree._Element]:
    found = node.xpath(expression, namespaces=dict(_NAMES))
    if not isinstance(found, list):
        return
    for item in found:
        if isinstance(item, etree._Element):  # noqa: SLF001 - lxml's public element
            yield item


def _only(path: str, node: etree._Element, expression: str) -> etree._Element:
    found = list(_find(node, expression))
    if len(found) != 1:
        raise ContractError(path, f"{expression}: {len(found)} instead of one")
    return found[0]


def _text(node: etree._Element) -> str:
    texts = (found.text or "" for found in _find(node, "w:documentation"))
    return " ".join(" ".join(texts).split())
