"""A partner that speaks raw SOAP 1.1 over one kept-alive HTTP connection.

It shares no code with the server's engine, so that both cannot be wrong together.
"""

from __future__ import annotations

import http.client
import uuid
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Self
from urllib.parse import urlsplit
from xml.sax.saxutils import escape

from lxml import etree

NAMESPACE = "urn:clearinghouse:iec63119:{}:1"
COMMON = NAMESPACE.format("common")
_SOAP = "http://schemas.xmlsoap.org/soap/envelope/"
TIMEOUT_SECONDS = 120.0
"""Longest wait for an answer; a bulk submit of 50,000 records takes a while."""


class SoapFaultError(Exception):
    """The clearing house answered with a fault; ``code`` is its ``CH.`` code."""

    def __init__(self, code: str, text: bytes) -> None:
        """Keep the code and the whole answer."""
        super().__init__(f"{code}: {text.decode('utf-8', 'replace')[:600]}")
        self.code = code


def parse(text: bytes) -> etree._Element:
    """Return the root of an answer of our own server."""
    parser = etree.XMLParser(resolve_entities=False, no_network=True)
    return etree.fromstring(text, parser)


def instant(at: datetime) -> str:
    """Return the instant as the contract writes it."""
    return at.isoformat()


@dataclass(slots=True)
class Answer:
    """The body child of an answer, with shortcuts to its elements."""

    body: etree._Element

    def text(self, *names: str) -> str | None:
        """Return the text of the first element on the path of local names."""
        found = self.all(*names)
        return found[0].text if found else None

    def all(self, *names: str) -> list[etree._Element]:
        """Return all elements on the path of local names."""
        path = "/".join(f"*[local-name()='{name}']" for name in names)
        found = self.body.xpath(path)
        assert isinstance(found, list)
        return [e for e in found if etree.iselement(e)]

    @property
    def code(self) -> int:
        """The result code; 0 is done."""
        return int(self.text("result", "code") or -1)


@dataclass(slots=True)
class Speaker:
    """One partner's connection: logs in by itself and keeps the token."""

    url: str
    party_id: str
    username: str
    password: str
    lead: timedelta = timedelta(0)
    token: str | None = None
    connection: http.client.HTTPConnection | None = field(default=None, repr=False)

    def login(self) -> Self:
        """Log in and keep the token."""
        self.token = None
        answer = self.call(
            "access",
            "login",
            f"<username>{escape(self.username)}</username>"
            f"<password>{escape(self.password)}</password>",
        )
        self.token = answer.text("sessionToken")
        return self

    def call(
        self, service: str, operation: str, inner: str, *, message_id: str | None = None
    ) -> Answer:
        """Send one request; ``inner`` is the content of the body child.

        Raises :class:`SoapFaultError` on a fault.
        """
        return self.send(service, self.envelope(service, operation, inner, message_id))

    def envelope(
        self, service: str, operation: str, inner: str, message_id: str | None = None
    ) -> bytes:
        """Return the whole message as bytes."""
        token = f"<c:sessionToken>{self.token}</c:sessionToken>" if self.token else ""
        name = f"{operation}Request"
        return (
            f'<e:Envelope xmlns:e="{_SOAP}" xmlns:c="{COMMON}"><e:Header>'
            f"<c:exchangeHeader><c:messageId>{message_id or uuid.uuid4()}</c:messageId>"
            f"<c:senderId>{self.party_id}</c:senderId>"
            f"<c:createdAt>{instant(datetime.now(UTC) + self.lead)}</c:createdAt>"
            f"{token}</c:exchangeHeader></e:Header><e:Body>"
            f'<{name} xmlns="{NAMESPACE.format(service)}">{inner}</{name}>'
            "</e:Body></e:Envelope>"
        ).encode()

    def send(self, service: str, message: bytes) -> Answer:
        """Send the bytes of one message to a service and return its answer."""
        text = self.post(service, message)
        body = parse(text).find(f"{{{_SOAP}}}Body")
        if body is None or len(body) == 0:
            raise SoapFaultError("no body", text)
        child = body[0]
        if etree.QName(child).localname == "Fault":
            code = child.findtext(f".//{{{COMMON}}}fault/{{{COMMON}}}code")
            raise SoapFaultError(code or "no code", text)
        return Answer(child)

    def post(self, service: str, message: bytes) -> bytes:
        """Return the bytes of the answer, over the kept connection.

        The server closes idle connections: the same message then goes out once more,
        which is safe because of its id.
        """
        if self.connection is not None:
            try:
                return self._exchange(self.connection, service, message)
            except (OSError, http.client.HTTPException):
                self.close()
        address = urlsplit(self.url).netloc
        fresh = http.client.HTTPConnection(address, timeout=TIMEOUT_SECONDS)
        try:
            text = self._exchange(fresh, service, message)
        except (OSError, http.client.HTTPException):
            fresh.close()
            raise
        self.connection = fresh
        return text

    @staticmethod
    def _exchange(
        connection: http.client.HTTPConnection, service: str, message: bytes
    ) -> bytes:
        path = f"/services/{service}"
        kind = {"Content-Type": "text/xml; charset=utf-8"}
        connection.request("POST", path, message, kind)
        return connection.getresponse().read()

    def close(self) -> None:
        """Drop the connection; the next call opens another."""
        if self.connection is not None:
            self.connection.close()
            self.connection = None
