"""The engine as a whole: what reaches a handler, and what its answer becomes."""

from __future__ import annotations

import pickle
import re
import threading
from collections.abc import Callable
from uuid import UUID

import pytest
import structlog
from hypothesis import given, settings
from hypothesis import strategies as st

from clearinghouse import codes
from clearinghouse.codes import Code
from clearinghouse.contract.catalogue import Contract
from clearinghouse.soap.binding import Record
from clearinghouse.soap.faults import FaultItem, SoapFault
from clearinghouse.soap.operations import Call, EngineSettings, Lane, Operation
from clearinghouse.soap.server import PREFIXES, Engine
from clearinghouse.soap.versions import SOAP_12
from tests.soap.house import (
    NOW,
    XML_12,
    Answer,
    House,
    as_soap_12,
    authorize,
    build,
    check_hostile,
    example,
    message,
)
from tests.soap.house import (
    SOAP_12 as SOAP_12_NAMESPACE,
)
from tests.waiting import PATIENCE_SECONDS

GOOD = authorize()
SETTINGS = EngineSettings(validate_responses=True)


def test_call_tells_all_about_the_message(house: House) -> None:
    answer = house.post("authorization", GOOD)

    call = house.calls[-1]
    assert call.operation.name == "AuthorizeStart"
    assert call.header.sender_id == "FRA23"
    assert call.body.evse_id == "FR*A23*E45B*78C"
    assert call.body.partner_session_id is None
    assert call.stream is None
    assert call.sender == "FRA23"
    assert str(call.correlation_id) == answer.headers["X-Correlation-Id"]
    assert isinstance(call.correlation_id, UUID)
    assert call.correlation_id == UUID(str(call.correlation_id))
    assert call.received_at == NOW
    assert call.remote_address == "192.0.2.7"
    assert "04A2B3C4D5E680" not in repr(call)


def test_correlation_ids_are_random_uuids(house: House) -> None:
    for _ in range(200):
        house.post("authorization", GOOD)

    ids = [call.correlation_id for call in house.calls[-200:]]

    assert len(set(ids)) == 200
    assert {found.version for found in ids} == {4}
    assert {found.variant for found in ids} == {"specified in RFC 4122"}
    assert [UUID(str(found)) for found in ids] == ids
    assert pickle.loads(pickle.dumps(ids)) == ids  # noqa: S301  # our own bytes


def test_digest_covers_body_and_not_header(house: House) -> None:
    """A repeat after a new login carries another token and is the same message."""
    messages = (
        GOOD,
        authorize(createdAt="2026-03-14T18:02:13Z"),
        authorize(evseId="FR*A23*E45B*78D"),
    )
    for data in messages:
        house.post("authorization", data)

    first, second, third = (call.digest for call in house.calls[-3:])
    assert first == second
    assert first != third
    assert len(first) == 32


@pytest.mark.parametrize("version", ["1.1", "1.2"])
def test_stored_answer_is_sent_as_it_is(contract: Contract, version: str) -> None:
    (element,) = example("authorization", "AuthorizeStart", "response").parts()
    stored: list[bytes] = []

    def handle(_call: Call) -> bytes:
        stored.append(own.engine.bindings.write(own.engine.bindings.read(element)))
        return stored[-1]

    own = build(contract, handler=handle)
    data = as_soap_12(GOOD) if version == "1.2" else GOOD

    answer = own.post(
        "authorization", data, CONTENT_TYPE=XML_12 if version == "1.2" else "text/xml"
    )

    assert answer.status == 200
    assert stored[0] in answer.body
    assert (SOAP_12_NAMESPACE.encode() in answer.body) is (version == "1.2")


class HandlerError(Exception):
    """Whatever a handler may raise by mistake."""


def raising(error: Exception) -> Callable[[Call], Record]:
    def handle(_call: Call) -> Record:
        raise error

    return handle


@pytest.mark.parametrize(
    "error",
    [
        HandlerError("MARKER"),
        KeyError("MARKER"),
        RecursionError(),
        TimeoutError(),
        OSError(5),
    ],
    ids=lambda error: type(error).__name__,
)
def test_error_of_a_handler_is_ours_and_stays_inside(
    contract: Contract, error: Exception
) -> None:
    own = build(contract, handler=raising(error))
    with structlog.testing.capture_logs() as logs:
        answer = own.post("authorization", GOOD)

    assert (answer.status, answer.code) == (500, "CH.INTERNAL")
    assert answer.faultcode == "Server"
    assert answer.texts("retryable") == ["true"]
    assert b"MARKER" not in answer.body
    (event,) = (log for log in logs if log["event"] == "message_failed")
    assert event["correlation_id"] == answer.headers["X-Correlation-Id"]
    assert event["operation"] == "AuthorizeStart"


# Status in SOAP 1.1, in SOAP 1.2, and the local name of the fault code in 1.1.
STATUSES = {
    codes.TOKEN: (500, 400, "InvalidSecurityToken"),
    codes.LOGIN_FAILED: (500, 400, "FailedAuthentication"),
    codes.NOT_AUTHORISED: (500, 400, "Client"),
    codes.DUPLICATE_CONFLICT: (500, 400, "Client"),
    codes.UNAVAILABLE: (500, 500, "Server"),
    codes.RATE: (429, 429, "Client"),
    codes.OVERLOAD: (503, 503, "Server"),
}


@pytest.mark.parametrize("code", STATUSES, ids=lambda code: code.name)
@pytest.mark.parametrize("place", ["authenticate", "handler"])
def test_fault_gets_status_and_code(contract: Contract, code: Code, place: str) -> None:
    old, new, name = STATUSES[code]
    fault = SoapFault(code, detail="MARKER", retry_after_seconds=7)

    def refuse(_header: Record, _operation: str) -> object:
        raise fault

    if place == "handler":
        own = build(contract, handler=raising(fault))
    else:
        own = build(contract, authenticate=refuse)

    answer = own.post("authorization", GOOD)
    answer_12 = own.post("authorization", as_soap_12(GOOD), CONTENT_TYPE=XML_12)

    assert (answer.status, answer_12.status) == (old, new)
    assert answer.code == answer_12.code == code.name
    assert answer.faultcode == name
    assert answer.headers["Retry-After"] == "7"
    assert b"MARKER" not in answer.body + answer_12.body
    assert own.calls == []


def test_authenticates_after_validation_and_before_the_handler(
    contract: Contract,
) -> None:
    seen: list[str] = []

    def authenticate(header: Record, operation: str) -> object:
        seen.append(f"{operation} of {header.sender_id}")
        return "sender"

    own = build(contract, authenticate=authenticate)
    own.post("authorization", authorize(kind="CARD"))
    assert seen == []

    own.post("authorization", GOOD)

    assert seen == ["AuthorizeStart of FRA23"]
    assert own.calls[0].sender == "sender"


def test_own_answer_against_the_schema_does_not_leave_the_house(
    contract: Contract,
) -> None:
    """In tests and staging every answer is checked."""

    def handle(_call: Call) -> Record:
        bindings = own.engine.bindings
        result = bindings.new(
            "common:Result",
            code=12_345,
            text="MARKER",
            retryable=False,
            correlation_id="no id",
        )
        return bindings.new("authorization:AuthorizeStartResponse", result=result)

    own = build(contract, handler=handle)
    checked = own.post("authorization", GOOD)
    own = build(contract, handler=handle, settings=EngineSettings())
    unchecked = own.post("authorization", GOOD)

    assert checked.code == "CH.INTERNAL"
    assert b"MARKER" not in checked.body
    assert unchecked.status == 200


def test_answer_of_another_operation_does_not_leave_the_house(
    contract: Contract,
) -> None:
    (element,) = example("authorization", "AuthorizeStop", "response").parts()
    own = build(
        contract,
        handler=lambda _call: own.engine.bindings.write(
            own.engine.bindings.read(element)
        ),
    )

    assert own.post("authorization", GOOD).code == "CH.INTERNAL"


def test_operation_that_does_not_fit_the_contract_stops_the_start(
    contract: Contract,
) -> None:
    def start(*operations: Operation) -> Engine:
        return Engine(
            contract,
            operations,
            authenticate=lambda _header, _name: None,
            now=lambda: NOW,
        )

    one = Operation(
        service="authorization", name="AuthorizeStart", handler=raising(HandlerError())
    )
    with pytest.raises(ValueError, match="twice"):
        start(one, one)
    with pytest.raises(KeyError):
        start(Operation(service="authorization", name="Nothing", handler=one.handler))
    with pytest.raises(ValueError, match="no list"):
        start(
            Operation(
                service="authorization",
                name="AuthorizeStart",
                handler=one.handler,
                lane=Lane.BULK,
            )
        )


def test_long_realtime_message_is_refused(house: House) -> None:
    """The bound of the lane, before and after it is known which operation it is."""
    padding = b" " * 70_000

    answer = house.post("authorization", GOOD + padding)

    assert answer.status == 413
    check_hostile(house, answer)


class Gate:
    """A handler that keeps its calls waiting."""

    def __init__(self, contract: Contract, *, places: int) -> None:
        self.open = threading.Event()
        self.inside = threading.Semaphore(0)
        (self._element,) = example(
            "authorization", "AuthorizeStart", "response"
        ).parts()
        self.house = build(
            contract,
            handler=self.handle,
            settings=EngineSettings(queue_seconds=0.05, realtime_calls_max=places),
        )

    def handle(self, _call: Call) -> Record:
        self.inside.release()
        assert self.open.wait(PATIENCE_SECONDS)
        return self.house.engine.bindings.read(self._element)

    def hold(self, count: int) -> list[threading.Thread]:
        """Occupy so many places and return when they are taken."""
        threads = [
            threading.Thread(target=self.house.post, args=("authorization", GOOD))
            for _ in range(count)
        ]
        for thread in threads:
            thread.start()
        for _ in threads:
            assert self.inside.acquire(timeout=PATIENCE_SECONDS)
        return threads


def test_full_lane_sheds_and_the_others_go_on(contract: Contract) -> None:
    """Overload: 503 with Retry-After before parsing."""
    gate = Gate(contract, places=2)
    threads = gate.hold(2)

    shed = gate.house.post("authorization", GOOD)
    other = gate.house.post("credential", message("credential", "PutCredentials"))

    gate.open.set()
    for thread in threads:
        thread.join()
    assert (shed.status, shed.code) == (503, "CH.OVERLOAD")
    assert int(shed.headers["Retry-After"]) >= 1
    assert other.status == 200
    assert gate.house.post("authorization", GOOD).status == 200


def test_waits_a_moment_for_a_free_place(contract: Contract) -> None:
    gate = Gate(contract, places=1)
    gate.house.engine._services["/services/authorization"].places._queue_seconds = 90  # noqa: SLF001  # a longer moment
    (thread,) = gate.hold(1)
    answers: list[Answer] = []
    second = threading.Thread(
        target=lambda: answers.append(gate.house.post("authorization", GOOD))
    )

    second.start()
    gate.open.set()
    thread.join()
    second.join()

    assert [answer.status for answer in answers] == [200]


def test_place_is_given_back_whatever_happens(contract: Contract) -> None:
    own = build(
        contract,
        handler=raising(HandlerError()),
        settings=EngineSettings(realtime_calls_max=1, queue_seconds=0.01),
    )

    found = {own.post("authorization", data).code for data in [GOOD, b"<", GOOD] * 3}

    assert found == {"CH.INTERNAL", "CH.XML.MALFORMED"}


def test_mounts_under_its_prefixes(contract: Contract) -> None:
    paths = [service.path for service in contract.services.values()]

    assert all(path.startswith(PREFIXES) for path in [*paths, *contract.paths()])


def test_counts_messages_by_operation_and_code(house: House) -> None:
    """Labels come from the contract and the catalogue, never from a message."""
    counters = house.engine._observers  # noqa: SLF001  # the labels are the case
    house.post("authorization", GOOD)
    house.post("authorization", GOOD.replace(b"authorizeStart", b"MARKER"))

    assert ("AuthorizeStart", "OK") in counters
    assert ("unknown", "CH.OPERATION") in counters
    assert not any("MARKER" in label for labels in counters for label in labels)


def test_every_fault_code_is_valid_in_both_versions(
    contract: Contract,
) -> None:
    """The detail follows the published schema, whatever the code."""
    item = FaultItem(
        text="x", path="/a/b[1]", expected="<&>" * 100, found="5 characters", index=3
    )
    schema = contract.schema("common")
    faults: list[SoapFault] = []

    def handle(_call: Call) -> bytes:
        raise faults.pop()

    own = build(contract, handler=handle)
    for code in codes.CATALOGUE.values():
        if code.number < 800:
            continue
        for data, content_type in ((GOOD, "text/xml"), (as_soap_12(GOOD), XML_12)):
            faults.append(SoapFault(code, items=[item] * 150))
            answer = own.post("authorization", data, CONTENT_TYPE=content_type)

            (detail,) = answer.tree.iter("{urn:clearinghouse:iec63119:common:1}fault")
            assert schema.validate(detail)
            assert len(answer.texts("item")) == 100
            assert len(answer.texts("expected")[0]) <= 200


def test_soap_12_fault_has_subcode_that_resolves(house: House) -> None:
    answer = house.post("authorization", as_soap_12(b"<x/>"), CONTENT_TYPE=XML_12)

    value = answer.tree.findall(f".//{{{SOAP_12.namespace}}}Value")[1]
    prefix, _, local = (value.text or "").partition(":")
    assert value.nsmap[prefix] == "urn:clearinghouse:iec63119:common:1"
    assert local == "CH.SOAP"


@settings(max_examples=300)
@given(data=st.data())
def test_no_accident_raises_or_counts_as_ours(
    house: House, data: st.DataObject
) -> None:
    """Bytes changed, cut, doubled and swapped: an answer all the same."""
    service, operation = data.draw(
        st.sampled_from(
            [
                ("authorization", "AuthorizeStart"),
                ("sdr", "SubmitSdrs"),
                ("evse", "PutEvses"),
            ]
        )
    )
    text = bytearray(message(service, operation))
    for _ in range(data.draw(st.integers(1, 4))):
        start = data.draw(st.integers(0, len(text)))
        end = data.draw(st.integers(start, min(start + 40, len(text))))
        text[start:end] = data.draw(
            st.one_of(
                st.binary(max_size=8),
                st.sampled_from(
                    [
                        b"<",
                        b">",
                        b"&",
                        b"&lt;",
                        b"</",
                        b"<!--",
                        b"<![CDATA[",
                        b"]]>",
                        b'"',
                        b"=",
                    ]
                ),
                st.just(bytes(text[start:end]) * 2),
            )
        )

    answer = house.post(service, bytes(text))

    assert answer.status in {200, 413, 500}
    assert answer.code != "CH.INTERNAL"


@pytest.mark.parametrize("path", ["/", "/services/", "/wsdl/"])
def test_every_wsdl_is_listed_where_one_looks_first(
    contract: Contract, path: str
) -> None:
    own = build(contract, settings=EngineSettings(public_url="https://ch.example"))

    answer = own.send(path, method="GET")
    links = re.findall('href="([^"]+)"', answer.body.decode())

    assert answer.status == 200
    assert answer.headers["Content-Type"] == "text/html; charset=utf-8"
    assert set(links) == {found for found in contract.paths() if "/wsdl/" in found}
    assert {own.send(link, method="GET").status for link in links} == {200}
    assert b"https://ch.example/services/access<" in answer.body
    assert b"/services/csp-endpoint" not in answer.body
    assert own.send(path, GOOD).status == 405
