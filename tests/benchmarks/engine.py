"""The SOAP engine in process: one AuthorizeStart against spyne and against lxml.

Three ways answer the same messages, in turns, in one process, measured in CPU time. The
turns are short and the rounds are many: a processor that gets slower meanwhile does so
for all, and the figure is the median of what the rounds say, each for itself.

- the engine as WSGI callable: header and body validated and bound, handler called,
  response written;
- spyne 2.14 as it comes (``Soap11`` with its lxml validator), the same types declared
  in its own way; it validates the body alone;
- bare lxml: parse with the same options, validate the envelope, serialise a response
  tree that is ready; nothing is bound, checked or dispatched. No engine on lxml can
  be faster than this.
"""

from __future__ import annotations

import gc
import io
import json as json_text
import statistics
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from importlib import util
from itertools import cycle
from time import process_time
from typing import Any
from uuid import UUID

from lxml import etree

from clearinghouse.contract.catalogue import Contract
from clearinghouse.soap.binding import Bindings, Record
from clearinghouse.soap.envelope import close_envelope
from clearinghouse.soap.operations import Call, EngineSettings, Lane, Operation
from clearinghouse.soap.parser import parse_own
from clearinghouse.soap.server import Engine
from clearinghouse.soap.validation import envelope_validators
from clearinghouse.soap.versions import SOAP_11

NAME = "engine"
DESCRIPTION = "SOAP engine in process: CPU per AuthorizeStart against spyne and lxml"

ROUNDS = 80
MESSAGES_PER_TURN = 200
# spyne takes more than ten times as long; fewer messages keep the turns alike.
SPYNE_MESSAGES_PER_TURN = 20
# First messages of a turn, not measured: they find the caches full of another way.
WARM_UP = 5
# Messages that differ in id and time, as in life; more than any way remembers.
MESSAGES = 512

COMMON = "urn:clearinghouse:iec63119:common:1"
AUTHORIZATION = "urn:clearinghouse:iec63119:authorization:1"
ID = "9d8b2a44-1c7e-4c63-8a57-5b0e2f3f8f11"
NOW = datetime(2026, 11, 22, 20, 0, tzinfo=UTC)


def requests(bindings: Bindings) -> list[bytes]:
    """Return the messages that all three answer: every optional field but the PIN."""
    return [_request(bindings, number) for number in range(MESSAGES)]


def _request(bindings: Bindings, number: int) -> bytes:
    header = bindings.new(
        "common:ExchangeHeader",
        message_id=UUID(int=UUID(ID).int + number),
        sender_id="DEABC",
        receiver_id="CHCLR",
        created_at=NOW + timedelta(seconds=number),
        session_token="ch1_" + "A" * 43,
    )
    body = bindings.new(
        "authorization:AuthorizeStartRequest",
        evse_id="DE*ABC*E12345*1",
        credential=bindings.new(
            "common:Credential", kind="RFID", value="04A1B2C3D4E5F6"
        ),
        partner_session_id="CPO-2026-000123",
        requested_service="CHARGING",
    )
    return close_envelope(bindings.write(body), header=bindings.write(header))


def answer(bindings: Bindings, correlation_id: object) -> Record:
    """Return the response that all three give."""
    response = bindings.classes["authorization:AuthorizeStartResponse"]
    result = bindings.classes["common:Result"]
    return response(
        result=result(
            code=0,
            text="Done.",
            retryable=False,
            correlation_id=correlation_id,
        ),
        decision="AUTHORIZED",
        session_id=ID,
        csp_id="NLTNM",
        decision_source="LIST",
        list_version=12,
        valid_until=NOW,
        max_energy_wh=50_000,
        max_duration_seconds=28_800,
    )


def environ(message: bytes) -> dict[str, Any]:
    """Return what a WSGI server hands over, all but the input."""
    return {
        "REQUEST_METHOD": "POST",
        "SCRIPT_NAME": "",
        "PATH_INFO": "/services/authorization",
        "QUERY_STRING": "",
        "CONTENT_TYPE": "text/xml; charset=utf-8",
        "CONTENT_LENGTH": str(len(message)),
        "HTTP_SOAPACTION": f'"{AUTHORIZATION}/AuthorizeStart"',
        "REMOTE_ADDR": "127.0.0.1",
        "SERVER_NAME": "localhost",
        "SERVER_PORT": "8063",
        "SERVER_PROTOCOL": "HTTP/1.1",
        "wsgi.url_scheme": "http",
    }


class StartResponse:
    """Keeps the last status, and does nothing else that would take time."""

    def __init__(self) -> None:
        self.status = ""

    def __call__(self, status: str, _headers: object, _error: object = None) -> None:
        self.status = status


def over_wsgi(
    application: Any,  # noqa: ANN401
    messages: list[bytes],
) -> Callable[[], bytes]:
    """Return a call that sends the next message."""
    common = environ(messages[0])
    start = StartResponse()
    endless = cycle(messages)

    def send() -> bytes:
        message = next(endless)
        answered = application({**common, "wsgi.input": io.BytesIO(message)}, start)
        return b"".join(answered)

    assert b"AUTHORIZED" in send(), start.status
    return send


def engine_way(contract: Contract) -> tuple[Engine, list[bytes]]:
    """Return the engine with one operation, and the messages."""
    engine: Engine

    def handle(call: Call) -> Record:
        return answer(engine.bindings, call.correlation_id)

    operation = Operation(
        service="authorization",
        name="AuthorizeStart",
        handler=handle,
        lane=Lane.REALTIME,
    )
    engine = Engine(
        contract,
        [operation],
        authenticate=lambda header, _name: header.sender_id,
        now=lambda: datetime.now(UTC),
        settings=EngineSettings(),
    )
    return engine, requests(engine.bindings)


def lxml_way(contract: Contract, bindings: Bindings) -> Callable[[], bytes]:
    """Return the least that any engine on lxml has to do."""
    endless = cycle(requests(bindings))
    validator = envelope_validators(contract)[SOAP_11]
    response = parse_own(close_envelope(bindings.write(answer(bindings, ID))))

    def answer_bare() -> bytes:
        assert validator.accepts(parse_own(next(endless)))
        return etree.tostring(response, encoding="UTF-8", xml_declaration=True)

    return answer_bare


def spyne_way() -> Any:  # noqa: ANN401  # spyne has no types
    """Return a spyne application of the same operation."""
    if util.find_spec("clearinghouse.endpoint.compat") is not None:
        from clearinghouse.endpoint import compat  # noqa: PLC0415  # before spyne

        compat.prepare()
    from tests.benchmarks._spyne import application  # noqa: PLC0415  # after the shim

    return application(answer_id=ID, now=NOW)


def cpu_microseconds(call: Callable[[], bytes], messages: int) -> float:
    """Return the CPU time of one message, as the mean of one turn."""
    for _ in range(WARM_UP):
        call()
    started = process_time()
    for _ in range(messages):
        call()
    return (process_time() - started) / messages * 1e6


def measure() -> list[dict[str, float]]:
    """Return the CPU time per message of each way in each round, in microseconds."""
    contract = Contract.load()
    engine, messages = engine_way(contract)
    ways = {
        "engine": (over_wsgi(engine, messages), MESSAGES_PER_TURN),
        "spyne": (over_wsgi(spyne_way(), messages), SPYNE_MESSAGES_PER_TURN),
        "lxml": (lxml_way(contract, engine.bindings), MESSAGES_PER_TURN),
    }
    for call, number in ways.values():
        assert b"AUTHORIZED" in call()
        cpu_microseconds(call, number)
    # spyne collects garbage by the clock; frozen, that costs the same on any machine.
    gc.collect()
    gc.freeze()
    rounds = []
    order = list(ways.items())
    for _ in range(ROUNDS):
        found = {}
        for name, (call, number) in order:
            gc.collect()  # what one way leaves behind is not the next one's work
            found[name] = cpu_microseconds(call, number)
        rounds.append(found)
        order.reverse()
    return rounds


def main(json: bool) -> None:  # noqa: FBT001  # the shape all benchmarks share
    """Measure and print; the last line is the figure."""
    rounds = measure()
    found = {name: statistics.median(one[name] for one in rounds) for name in rounds[0]}
    times = [one["spyne"] / one["engine"] for one in rounds]
    low, spyne, high = statistics.quantiles(times, n=4)
    ceiling = statistics.median(one["lxml"] / one["engine"] for one in rounds)
    for name, microseconds in found.items():
        print(f"{name:8} {microseconds:8.1f} us CPU per message")
    print(f"half of {ROUNDS} rounds: {low:.1f} to {high:.1f} times vanilla spyne")
    if json:
        figures = {
            "microseconds": found,
            "times_spyne": spyne,
            "of_lxml_ceiling": ceiling,
        }
        print(json_text.dumps(figures))
    print(f"engine: {spyne:.1f} times vanilla spyne, {ceiling:.2f} of the lxml ceiling")
