"""A served reference partner, and raw SOAP messages to throw at it."""

from __future__ import annotations

import contextlib
import http.client
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from types import MappingProxyType
from urllib.parse import urlsplit

from lxml import etree

from clearinghouse.contract.loader import AuthoredFiles
from clearinghouse.endpoint.cso import ReferenceCso
from clearinghouse.endpoint.csp import ReferenceCsp
from clearinghouse.endpoint.serving import Serving

EXAMPLES = Path(__file__).parents[1] / "examples"
SERVICES = ("csp-endpoint", "cso-endpoint")
ACCESS_TOKEN = "k9Jw2nVb7XqLs4Tz8RfP"
"""The token that the examples carry."""

_ENVELOPES = (
    "http://schemas.xmlsoap.org/soap/envelope/",
    "http://www.w3.org/2003/05/soap-envelope",
)
_COMMON = "urn:clearinghouse:iec63119:common:1"


@dataclass(frozen=True, slots=True, kw_only=True)
class Partner:
    """What a test needs of a running partner."""

    serving: Serving
    csp: ReferenceCsp
    cso: ReferenceCso
    folder: Path

    def get(self, path: str) -> tuple[int, bytes]:
        """Return status and content of a path."""
        return ask(self.serving.url, "GET", path)

    def post(
        self, service: str, message: bytes, content_type: str = "text/xml"
    ) -> Answer:
        """Send a message and return the answer."""
        return post(self.serving.url, service, message, content_type)


@dataclass(frozen=True, slots=True)
class Answer:
    """A status and an envelope, taken apart."""

    status: int
    content: bytes
    service: str

    @property
    def body(self) -> etree._Element:
        """The child of the Body."""
        envelope = parse(self.content)
        assert etree.QName(envelope).namespace in _ENVELOPES
        return envelope[-1][0]

    @property
    def fault_code(self) -> str | None:
        """The ``CH.`` code of a fault; ``None`` for an answer."""
        return self.body.findtext(f".//{{{_COMMON}}}fault/{{{_COMMON}}}code")

    def text(self, name: str) -> str | None:
        """Return the text of the first element of this local name."""
        found = self.body.find(f".//{{*}}{name}")
        return None if found is None else found.text

    def assert_valid(self) -> None:
        """Check the answer, or the detail of the fault, against the schema."""
        fault = self.body.find(f".//{{{_COMMON}}}fault")
        schema(self.service).assertValid(self.body if fault is None else fault)


def post(
    url: str, service: str, message: bytes, content_type: str = "text/xml"
) -> Answer:
    """Send a message to a partner's service and return the answer."""
    headers = {"Content-Type": f"{content_type}; charset=utf-8"}
    status, content = ask(url, "POST", f"/services/{service}", message, headers)
    return Answer(status, content, service)


def ask(
    url: str,
    method: str,
    path: str,
    body: bytes | None = None,
    headers: Mapping[str, str] = MappingProxyType({}),
) -> tuple[int, bytes]:
    """Return status and content of one request on a connection of its own."""
    connection = http.client.HTTPConnection(urlsplit(url).netloc)
    with contextlib.closing(connection):
        connection.request(method, path, body, dict(headers))
        answer = connection.getresponse()
        return answer.status, answer.read()


@cache
def schema(service: str) -> etree.XMLSchema:
    """Return the authored schema of a service."""
    return AuthoredFiles.load().compile(service)


def parse(content: bytes) -> etree._Element:
    """Parse an answer of our own server."""
    parser = etree.XMLParser(resolve_entities=False, no_network=True)
    return etree.fromstring(content, parser)


def examples(kind: str) -> list[Path]:
    """Return the request examples of both partner services."""
    return [
        path
        for service in SERVICES
        for path in sorted((EXAMPLES / service / kind).glob("*.xml"))
        if not path.name.endswith(".response.xml")
    ]


def example(service: str, operation: str) -> bytes:
    """Return the valid request example of an operation."""
    return (EXAMPLES / service / "valid" / f"{operation}.xml").read_bytes()
