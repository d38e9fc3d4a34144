"""Outgoing calls: what we ask a partner, and every way in which it can end.

The same engine the other way round: our writers, a pool of kept-alive connections,
the hardened parser, the schema, our readers. An outcome is a value; nothing of what
a partner sends can raise. There are no retries and no redirects here.
"""

from __future__ import annotations

import re
import ssl
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Self
from urllib.parse import urlsplit

import httpcore
from lxml import etree

from clearinghouse.contract.catalogue import FAULT, Contract, OperationContract
from clearinghouse.settings import Settings
from clearinghouse.soap.binding import Bindings, Record
from clearinghouse.soap.deadlines import Deadline
from clearinghouse.soap.envelope import (
    check_text,
    check_understood,
    close_envelope,
    open_envelope,
)
from clearinghouse.soap.faults import SoapFault
from clearinghouse.soap.http import Refusal, media_type
from clearinghouse.soap.limits import ORDINARY_BYTES_MAX
from clearinghouse.soap.parser import parse
from clearinghouse.soap.transport import AddressRefused, CallState, DeadlineBackend
from clearinghouse.soap.validation import element_validator, envelope_validators
from clearinghouse.soap.versions import SOAP_11, Version

# Seconds an unused connection is kept; shorter than most servers keep theirs.
IDLE_SECONDS = 15.0

# Longest wait that a partner can ask for; a slip of theirs must not stop the traffic.
RETRY_AFTER_SECONDS_MAX = 3_600

_SECONDS = re.compile(rb"[0-9]{1,9}")
_CODE = re.compile(r"[A-Za-z][A-Za-z0-9_.\-]{0,63}")
_OK = 200
_NETWORK_ERRORS = (
    httpcore.TimeoutException,
    httpcore.NetworkError,
    httpcore.ProtocolError,
    httpcore.UnsupportedProtocol,
    AddressRefused,
    OSError,
)


class Reason(StrEnum):
    """Why there is no answer."""

    ADDRESS = "ADDRESS"
    CONNECT = "CONNECT"
    TLS = "TLS"
    CLOSED = "CLOSED"
    STATUS = "STATUS"
    LARGE = "LARGE"
    MALFORMED = "MALFORMED"


@dataclass(frozen=True, slots=True)
class Answered:
    """The partner answered as the contract says."""

    record: Record


@dataclass(frozen=True, slots=True)
class Refused:
    """The partner answered with a fault.

    ``code`` is that of our own fault element where there is one, else the local name
    of the fault code; ``retryable`` is the partner's word, or true for a fault of
    its own making. ``retry_after_seconds`` is how long the partner asks us to wait.
    """

    code: str
    retryable: bool
    status: int
    retry_after_seconds: int | None = None


@dataclass(frozen=True, slots=True)
class TimedOut:
    """The time was over. When ``sent``, the partner may have acted."""

    sent: bool


@dataclass(frozen=True, slots=True)
class Unreachable:
    """There is no usable answer. When ``sent``, the partner may have acted."""

    reason: Reason
    sent: bool
    status: int | None = None
    retry_after_seconds: int | None = None


Outcome = Answered | Refused | TimedOut | Unreachable


@dataclass(frozen=True, slots=True, kw_only=True)
class ClientSettings:
    """What the client may do.

    ``tls`` holds the trusted roots and our own certificate; without it, the roots
    of the system and none.
    """

    allow_private: bool = False
    allow_http: bool = False
    # Connections to all partners together; stops running out of file descriptors.
    connections_max: int = 64
    # The share of a call that may pass before a connection stands.
    connect_seconds: float = 1.0
    # An answer longer than this is no answer of the contract.
    answer_bytes_max: int = ORDINARY_BYTES_MAX
    tls: ssl.SSLContext | None = None

    @classmethod
    def of(cls, settings: Settings) -> Self:
        """Take over what the house's settings say."""
        return cls(
            allow_private=settings.allow_private_endpoints,
            allow_http=settings.allow_http_endpoints,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class _Received:
    """What HTTP brought."""

    status: int
    content_type: str
    retry_after_seconds: int | None
    body: bytes

    @classmethod
    def of(cls, response: httpcore.Response, body: bytes) -> Self:
        headers = {name.lower(): value for name, value in response.headers}
        wait = headers.get(b"retry-after", b"")
        return cls(
            status=response.status,
            content_type=headers.get(b"content-type", b"").decode("latin-1"),
            retry_after_seconds=(
                min(int(wait), RETRY_AFTER_SECONDS_MAX)
                if _SECONDS.fullmatch(wait)
                else None
            ),
            body=body,
        )


class Client:
    """Makes calls to partners; one for the process, for many threads."""

    def __init__(
        self, contract: Contract, bindings: Bindings, settings: ClientSettings
    ) -> None:
        self._contract = contract
        self._bindings = bindings
        self._settings = settings
        self._state = CallState()
        self._envelopes = envelope_validators(contract)
        self._faults = element_validator(contract, FAULT)
        self._pool = httpcore.ConnectionPool(
            ssl_context=settings.tls or _system_tls(),
            max_connections=settings.connections_max,
            max_keepalive_connections=settings.connections_max,
            keepalive_expiry=IDLE_SECONDS,
            network_backend=DeadlineBackend(
                self._state,
                allow_private=settings.allow_private,
                connect_seconds=settings.connect_seconds,
            ),
        )

    def close(self) -> None:
        """Close all connections."""
        self._pool.close()

    def call(
        self, request: Record, header: Record, *, url: str, seconds: float
    ) -> Outcome:
        """Send a request with its exchange header and return what became of it.

        ``seconds`` bounds the whole call, from the name look-up to the last byte.
        Raises :class:`KeyError` when the record is no request of the contract.
        """
        element = self._bindings.element_of(request)
        operation = self._contract.operations[element]
        message = close_envelope(
            self._bindings.write(request), header=self._bindings.write(header)
        )
        if not self._allows(url):
            return Unreachable(Reason.ADDRESS, sent=False)
        self._state.deadline = Deadline.after(seconds)
        self._state.sent = False
        try:
            return self._exchange(operation, url, message)
        except _NETWORK_ERRORS as error:
            return self._failed(error)

    def _failed(self, error: Exception) -> TimedOut | Unreachable:
        """Return the outcome of a call that an error of the network ended."""
        sent = self._state.sent
        match error:
            case httpcore.TimeoutException() | TimeoutError():
                return TimedOut(sent)
            case AddressRefused():
                return Unreachable(Reason.ADDRESS, sent)
            case ssl.SSLError():
                return Unreachable(Reason.TLS, sent)
            case httpcore.ConnectError() | httpcore.UnsupportedProtocol():
                return Unreachable(Reason.CONNECT, sent)
            case _:
                return Unreachable(Reason.CLOSED, sent)

    def _allows(self, url: str) -> bool:
        try:
            parts = urlsplit(url)
            port_is_valid = parts.port is None or parts.port > 0
        except ValueError:
            return False
        schemes = {"https", "http"} if self._settings.allow_http else {"https"}
        return (
            parts.scheme in schemes
            and bool(parts.hostname)
            and port_is_valid
            and parts.username is None
        )

    def _exchange(
        self, operation: OperationContract, url: str, message: bytes
    ) -> Outcome:
        headers: dict[bytes | str, bytes | str] = {
            "Content-Type": SOAP_11.content_type,
            "SOAPAction": f'"{operation.soap_action}"',
            "Accept": "text/xml",
            "User-Agent": "clearinghouse",
        }
        waiting = {"timeout": {"pool": self._state.deadline.remaining()}}
        with self._pool.stream(
            "POST", url, headers=headers, content=message, extensions=waiting
        ) as response:
            body = bytearray()
            for chunk in response.iter_stream():
                body += chunk
                if len(body) > self._settings.answer_bytes_max:
                    return Unreachable(Reason.LARGE, sent=True, status=response.status)
        return self._read(operation, _Received.of(response, bytes(body)))

    def _read(self, operation: OperationContract, received: _Received) -> Outcome:
        status, wait = received.status, received.retry_after_seconds
        try:
            media = media_type({"CONTENT_TYPE": received.content_type})
            envelope = open_envelope(root := parse(received.body), media.version)
            check_understood(envelope, lambda _tag: False)
            check_text(root)
        except (SoapFault, Refusal):
            reason = Reason.MALFORMED if status == _OK else Reason.STATUS
            return Unreachable(reason, True, status, wait)  # noqa: FBT003  # sent
        if envelope.body.tag == envelope.version.fault:
            refused = self._refused(envelope.body, envelope.version)
            return replace(refused, status=status, retry_after_seconds=wait)
        if (
            status != _OK
            or envelope.body.tag != operation.response
            or not self._envelopes[envelope.version].accepts(root)
        ):
            return Unreachable(Reason.MALFORMED, sent=True, status=status)
        try:
            return Answered(self._bindings.read(envelope.body))
        except (ValueError, ArithmeticError):
            # Valid for the schema, and still no value, as a moment beyond its years.
            return Unreachable(Reason.MALFORMED, sent=True, status=status)

    def _refused(self, fault: etree._Element, version: Version) -> Refused:
        space = f"{{{version.namespace}}}"
        if version is SOAP_11:
            code, detail = fault.findtext("faultcode"), fault.find(f"detail/{FAULT}")
        else:
            code = fault.findtext(f"{space}Code/{space}Value")
            detail = fault.find(f"{space}Detail/{FAULT}")
        name = (code or "").strip().rpartition(":")[2]
        if detail is not None and self._faults.accepts(detail):
            ours = self._bindings.read(detail)
            return Refused(ours.code, ours.retryable, 0)
        if _CODE.fullmatch(name) is None:
            name = "UNKNOWN"
        return Refused(name, name.split(".")[0] in {"Server", "Receiver"}, 0)


def _system_tls() -> ssl.SSLContext:
    """Return a context that verifies chain and host with the system's roots."""
    context = ssl.create_default_context()
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    return context
