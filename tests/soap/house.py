"""An engine that offers every operation and answers with the examples."""

from __future__ import annotations

import gc
import io
import re
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import cache

from lxml import etree

from clearinghouse.contract.catalogue import Contract
from clearinghouse.soap.binding import Bindings, Record
from clearinghouse.soap.bulk import RecordFault
from clearinghouse.soap.operations import Call, EngineSettings, Lane, Operation
from clearinghouse.soap.server import Engine
from tests.contract import authored
from tests.contract.authored import Example

SOAP_11 = "http://schemas.xmlsoap.org/soap/envelope/"
SOAP_12 = "http://www.w3.org/2003/05/soap-envelope"
COMMON = "urn:clearinghouse:iec63119:common:1"
AUTHORIZATION = "urn:clearinghouse:iec63119:authorization:1"
XML = "text/xml; charset=utf-8"
XML_12 = "application/soap+xml; charset=utf-8"
NOW = datetime(2026, 3, 14, 17, 2, 13, tzinfo=UTC)

Authenticate = Callable[[Record, str], object]


def example(service: str, operation: str, kind: str = "valid") -> Example:
    """Return an example of an operation."""
    return next(
        one
        for one in authored.examples(kind)
        if one.service == service and one.operation == operation
    )


def message(service: str, operation: str) -> bytes:
    """Return the valid example of a request."""
    return example(service, operation).path.read_bytes()


def authorize(**texts: str) -> bytes:
    """Return a good AuthorizeStart without white space, some texts replaced.

    The keys are the local names of elements.
    """
    values = {
        "messageId": "9247378e-5376-4af2-adee-b019389acf41",
        "senderId": "FRA23",
        "createdAt": "2026-03-14T18:02:12.050+01:00",
        "evseId": "FR*A23*E45B*78C",
        "kind": "RFID",
        "value": "04A2B3C4D5E680",
        **texts,
    }
    return (
        f'<s:Envelope xmlns:s="{SOAP_11}" xmlns:c="{COMMON}" xmlns:a="{AUTHORIZATION}">'
        "<s:Header><c:exchangeHeader>"
        f"<c:messageId>{values['messageId']}</c:messageId>"
        f"<c:senderId>{values['senderId']}</c:senderId>"
        f"<c:createdAt>{values['createdAt']}</c:createdAt>"
        "</c:exchangeHeader></s:Header><s:Body><a:authorizeStartRequest>"
        f"<a:evseId>{values['evseId']}</a:evseId><a:credential>"
        f"<c:kind>{values['kind']}</c:kind><c:value>{values['value']}</c:value>"
        "</a:credential></a:authorizeStartRequest></s:Body></s:Envelope>"
    ).encode()


def as_soap_12(data: bytes) -> bytes:
    """Return the message in a SOAP 1.2 envelope."""
    return data.replace(SOAP_11.encode(), SOAP_12.encode())


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """What came back."""

    status: int
    headers: dict[str, str]
    body: bytes
    seconds: float

    @property
    def tree(self) -> etree._Element:
        return authored.parse(self.body.decode().partition("?>")[2])

    def texts(self, name: str) -> list[str]:
        """Return the texts of all elements with a local name."""
        found = self.tree.iter(f"{{*}}{name}")
        return [element.text or "" for element in found]

    @property
    def code(self) -> str:
        """The code of the fault, or an empty text."""
        if not self.body.startswith(b"<?xml"):
            return ""
        faults = list(self.tree.iter(f"{{{COMMON}}}fault"))
        return faults[0].findtext(f"{{{COMMON}}}code") or "" if faults else ""

    @property
    def faultcode(self) -> str:
        """The local name of SOAP's own fault code."""
        texts = self.texts("faultcode") or self.texts("Value")
        return texts[0].rpartition(":")[2]


@dataclass(slots=True)
class House:
    """The engine, and the calls that got through to a handler."""

    engine: Engine
    calls: list[Call] = field(default_factory=list)

    def send(self, path: str, data: bytes = b"", **more: object) -> Answer:
        """Send a request; keywords are entries of the environment, or ``method``."""
        method = more.pop("method", "POST")
        environ = {
            "REQUEST_METHOD": method,
            "PATH_INFO": path,
            "QUERY_STRING": "",
            "CONTENT_TYPE": XML,
            "CONTENT_LENGTH": str(len(data)),
            "REMOTE_ADDR": "192.0.2.7",
            "wsgi.input": io.BytesIO(data),
            **more,
        }
        started: list[tuple[str, list[tuple[str, str]]]] = []
        gc.disable()  # what tests before left behind is not this message's cost
        before = time.thread_time()
        body = b"".join(
            self.engine(
                environ, lambda status, headers: started.append((status, headers))
            )
        )
        seconds = time.thread_time() - before
        gc.enable()
        gc.collect(0)
        ((status, headers),) = started
        return Answer(
            status=int(status[:3]), headers=dict(headers), body=body, seconds=seconds
        )

    def post(self, service: str, data: bytes, **more: object) -> Answer:
        """Send a message to a service."""
        return self.send(f"/services/{service}", data, **more)


def lane_of(service: str, operation: str) -> Lane:
    """Return the lane an operation runs in, as in production."""
    if operation == "SubmitSdrs":
        return Lane.BULK
    return Lane.REALTIME if service == "authorization" else Lane.ORDINARY


@cache
def _bindings() -> Bindings:
    return Bindings(Contract.load().model)


def build(
    contract: Contract,
    *,
    settings: EngineSettings | None = None,
    authenticate: Authenticate = lambda header, _operation: header.sender_id,
    handler: Callable[[Call], Record | bytes] | None = None,
) -> House:
    """Return a house; ``handler`` answers AuthorizeStart in place of the example."""
    calls: list[Call] = []
    bindings = _bindings()

    # Knows neither house nor engine: both end with their last user, not when the
    # collector comes round, and with them some megabytes of compiled schemas.
    def example_handler(service: str, name: str) -> Callable[[Call], Record | bytes]:
        (response,) = example(service, name, "response").parts()

        def handle(call: Call) -> Record | bytes:
            if call.stream is not None:
                for _ in call.stream.records():
                    pass
            calls.append(call)
            return bindings.read(response)

        return handle

    operations = []
    for service in contract.services.values():
        if service.offered_by_partners:
            continue
        for operation in service.operations:
            own = operation.name == "AuthorizeStart" and handler is not None
            operations.append(
                Operation(
                    service=service.name,
                    name=operation.name,
                    handler=handler
                    if own and handler
                    else example_handler(service.name, operation.name),
                    lane=lane_of(service.name, operation.name),
                )
            )
    engine = Engine(
        contract,
        operations,
        authenticate=authenticate,
        now=lambda: NOW,
        settings=settings or EngineSettings(validate_responses=True),
    )
    return House(engine, calls)


# What never stands in an answer: paths, traces, names of libraries and of our code.
_LEAKS = re.compile(
    rb"/work|/home|/usr|\.py\b|Traceback|libxml|lxml|xmlSchema|XMLSyntax|etree|"
    rb"line \d+|column \d+|structlog|granian|0x[0-9a-f]{6}|clearinghouse[./]soap",
    re.IGNORECASE,
)


def check_hostile(house: House, answer: Answer, *, seconds: float = 2.0) -> None:
    """Check what holds after every hostile message, whatever it was.

    The bound of time is generous, since machines are busy; the catalogue's bounds
    are far below. A good request right after has to succeed.
    """
    assert answer.seconds < seconds
    assert not _LEAKS.search(answer.body), answer.body[:2000]
    assert b"MARKER" not in answer.body
    assert len(answer.body) < 200_000
    done = len(house.calls)
    good = house.post("authorization", authorize())
    assert good.status == 200, good.body
    assert len(house.calls) == done + 1


def records_of(call: Call) -> list[Record | RecordFault]:
    """Return all records of a streamed call."""
    assert call.stream is not None
    return list(call.stream.records())
