"""The zeep client against our engine: every operation, tokens, repeats, errors."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from datetime import UTC, date, datetime
from decimal import Decimal
from uuid import UUID, uuid4
from wsgiref.types import StartResponse, WSGIEnvironment

import pytest
import requests

from clearinghouse import codes
from clearinghouse.endpoint import calls
from clearinghouse.endpoint.client import ClearingHouse, pages
from clearinghouse.endpoint.connection import Patience
from clearinghouse.endpoint.errors import (
    CallError,
    FaultError,
    RefusedError,
    UnreachableError,
)
from clearinghouse.endpoint.messages import (
    credential,
    directory,
    dispute,
    evse,
    sdr,
    session,
    tariff,
)
from clearinghouse.endpoint.messages.common import Credential
from clearinghouse.endpoint.serving import Address, Serving
from clearinghouse.soap.binding import Bindings, Record
from clearinghouse.soap.faults import FaultItem, SoapFault
from clearinghouse.soap.operations import Call
from tests.endpoint.conftest import ACCOUNT
from tests.endpoint.partner import EXAMPLES, parse
from tests.endpoint.scripted_house import ScriptedHouse, result

AT = datetime(2026, 3, 14, 18, 2, 11, tzinfo=UTC)
CARD = Credential(kind="RFID", value="04A2B3C4D5E680")
SESSION_ID = UUID("7c9e6679-7425-40de-944b-e07fc1f90ae7")
COMPLAINT = dispute.Complaint(
    submitter_id="FRA23",
    sdr_id="A23-2026-000417",
    reason="ENERGY",
    accepted_net=Decimal("6.30"),
    evidence=(
        dispute.Evidence(
            reference="https://files.example/1.pdf", digest="0f" * 32, format="PDF"
        ),
    ),
)
REPLY = dispute.Reply(
    dispute_id=SESSION_ID, answer="OFFER", amount=Decimal("8.40"), text="a part"
)
EVSE = evse.Evse(
    evse_id="FR*A23*E45B*78C",
    latitude=Decimal("48.856600"),
    country="FR",
    time_zone="Europe/Paris",
    connector=(evse.Connector(kind="CCS2", power_w=150_000),),
    open24_hours=True,
)
ENTRY = credential.CredentialEntry(
    credential=CARD, contract_id="NLTNMC00000001", status="VALID"
)
TARIFF = tariff.Tariff(
    tariff_id="DAY-2026",
    currency="EUR",
    valid_from=AT,
    component=(
        tariff.TariffComponent(type="ENERGY", price=Decimal("0.000001"), from_=0),
    ),
)


def make_record(sdr_id: str = "A23-1", net: str = "12.60") -> sdr.ServiceDetailRecord:
    """Make an SDR of 31,420 Wh."""
    transaction = sdr.ChargingTransaction(
        charging_transaction_id="1", started_at=AT, ended_at=AT, energy_wh=31_420
    )
    charging = sdr.ChargingSession(
        charging_session_id="1",
        started_at=AT,
        ended_at=AT,
        charging_transaction=(transaction,),
    )
    return sdr.ServiceDetailRecord(
        sdr_id=sdr_id,
        service_session=sdr.ServiceSession(
            csp_id="NLTNM",
            evse_id=EVSE.evse_id,
            credential=CARD,
            started_at=AT,
            ended_at=AT,
            charging_session=(charging,),
        ),
        tariff_id="DAY-2026",
        currency="EUR",
        claimed_net=Decimal(net),
    )


REPORT = session.ReportSessionRequest(
    session_id=SESSION_ID, event="STARTED", event_id=uuid4(), occurred_at=AT
)
DECISION = sdr.SdrDecision(submitter_id="FRA23", sdr_id="A23-1", verdict="CONFIRMED")
STATUS = evse.EvseStatus(
    evse_id=EVSE.evse_id, availability="OPERATIVE", occupancy="FREE", occurred_at=AT
)
ENDPOINT = directory.Endpoint(
    service="csp-endpoint", url="https://csp.example/services/csp-endpoint"
)

EVERY_CALL: dict[str, Callable[[ClearingHouse], object]] = {
    "Heartbeat": lambda house: house.heartbeat(),
    "GetParticipants": lambda house: house.get_participants(cursor="", limit=10),
    "PutEndpoints": lambda house: house.put_endpoints([ENDPOINT]),
    "PutCredentials": lambda house: house.put_credentials([ENTRY]),
    "UpdateCredentials": lambda house: house.update_credentials(
        upsert=[ENTRY], remove=[CARD]
    ),
    "GetCredentials": lambda house: house.get_credentials(csp_id="NLTNM"),
    "AuthorizeStart": lambda house: house.authorize_start(EVSE.evse_id, CARD),
    "AuthorizeStop": lambda house: house.authorize_stop(SESSION_ID, CARD),
    "StartSession": lambda house: house.start_session(EVSE.evse_id, "NLTNMC00000001"),
    "StopSession": lambda house: house.stop_session(SESSION_ID),
    "ReportSession": lambda house: house.report_session(REPORT),
    "GetSession": lambda house: house.get_session("A23-S-88214"),
    "PutEvses": lambda house: house.put_evses([EVSE]),
    "UpdateEvses": lambda house: house.update_evses(
        upsert=[EVSE], remove=["FR*A23*E1"]
    ),
    "GetEvses": lambda house: house.get_evses(cso_id="FRA23"),
    "PutStatus": lambda house: house.put_status([STATUS]),
    "GetStatus": lambda house: house.get_status(),
    "PutTariffs": lambda house: house.put_tariffs([TARIFF]),
    "GetTariffs": lambda house: house.get_tariffs(limit=200),
    "SubmitSdrs": lambda house: house.submit_sdrs(1, [make_record()]),
    "GetSdrs": lambda house: house.get_sdrs(role="HOME_CSP"),
    "ConfirmSdrs": lambda house: house.confirm_sdrs([DECISION]),
    "GetSdrStatus": lambda house: house.get_sdr_status(["A23-1", "A23-2"]),
    "GetDigest": lambda house: house.get_digest(date(2026, 3, 1), date(2026, 3, 14)),
    "DisputeSdr": lambda house: house.dispute_sdr(COMPLAINT),
    "AnswerDispute": lambda house: house.answer_dispute(REPLY),
    "GetDisputes": lambda house: house.get_disputes(),
    "GetPositions": lambda house: house.get_positions(),
    "ListStatements": lambda house: house.list_statements(),
    "GetStatement": lambda house: house.get_statement("ST-2026-000001"),
    "GetProof": lambda house: house.get_proof("FRA23-2026-000017", "FRA23"),
    "GetSigningKeys": lambda house: house.get_signing_keys(),
    "ListInvoices": lambda house: house.list_invoices(),
    "GetInvoice": lambda house: house.get_invoice("IN-FRA23-2026-000001"),
    "Logout": lambda house: house.logout(),
}


@pytest.mark.clause("4.3-I3", "6-L6")
@pytest.mark.parametrize("operation", EVERY_CALL)
def test_calls_each_operation_of_the_contract(
    house: ScriptedHouse, client: ClearingHouse, operation: str
) -> None:
    EVERY_CALL[operation](client)

    [call] = house.named(operation)
    assert call.sender == "NLTNM"


def test_knows_every_operation_that_the_house_offers(house: ScriptedHouse) -> None:
    offered = {
        (operation.service, operation.name)
        for operation in house.contract.operations.values()
        if not operation.service.endswith("-endpoint")
    }
    known = {(operation.service, operation.name) for operation in calls.OPERATIONS}

    assert known == offered
    assert set(EVERY_CALL) | {"Login", "RenewToken"} == {name for _, name in offered}


def test_other_choices_are_sent_as_they_are_named(
    house: ScriptedHouse, client: ClearingHouse
) -> None:
    client.start_session(EVSE.evse_id, CARD)
    client.get_session(SESSION_ID)
    client.get_batch_status(7, cursor="1.2")

    assert house.named("StartSession")[0].body.credential.value == CARD.value
    assert house.named("GetSession")[0].body.session_id == str(SESSION_ID)
    assert house.named("GetSdrStatus")[0].body.batch_sequence == 7


def _example(house: ScriptedHouse, service: str, operation: str) -> Record:
    """Return the answer example of an operation as our engine reads it."""
    path = EXAMPLES / service / "valid" / f"{operation}.response.xml"
    assert house.bindings is not None
    return house.bindings.read(parse(path.read_bytes())[-1][0])


@pytest.mark.parametrize(
    "operation", sorted(set(EVERY_CALL) - {"GetStatement", "GetInvoice"})
)
def test_reads_each_answer_example(
    house: ScriptedHouse, client: ClearingHouse, operation: str
) -> None:
    [service] = [known.service for known in calls.OPERATIONS if known.name == operation]
    answer = _example(house, service, operation)
    house.script[operation] = lambda _call, _bindings: answer

    if answer.result.code >= 200:
        with pytest.raises(RefusedError) as caught:
            EVERY_CALL[operation](client)
        assert caught.value.code.number == answer.result.code
        return
    read = EVERY_CALL[operation](client)
    for name in type(answer).__slots__:
        given, found = getattr(answer, name), getattr(read, name)
        assert bool(given) == bool(found), name
        if not isinstance(given, Record | list | str):
            assert found == given, name


def test_reads_nested_values_as_they_were_sent(
    house: ScriptedHouse, client: ClearingHouse
) -> None:
    answer = _example(house, "sdr", "GetSdrs")
    house.script["GetSdrs"] = lambda _call, _bindings: answer

    found = client.get_sdrs().sdr[0]

    given = answer.sdr[0]
    assert found.rated_net == given.rated_net
    assert found.received_at == given.received_at
    session_found = found.service_detail_record.service_session
    session_given = given.service_detail_record.service_session
    assert str(session_found.session_id) == session_given.session_id
    assert session_found.started_at.utcoffset() == session_given.started_at.utcoffset()
    energies = [
        transaction.energy_wh
        for charging in session_found.charging_session
        for transaction in charging.charging_transaction
    ]
    assert energies == [
        transaction.energy_wh
        for charging in session_given.charging_session
        for transaction in charging.charging_transaction
    ]


@pytest.mark.clause("7.2-login", "7.2-token")
def test_logs_in_once_and_sends_the_token(
    house: ScriptedHouse, client: ClearingHouse
) -> None:
    client.heartbeat()
    client.get_evses()

    [login] = house.named("Login")
    assert login.header.session_token is None
    assert login.body.username == "tnm-backend"
    tokens = {call.header.session_token for call in house.calls if call is not login}
    assert tokens == house.tokens


@pytest.mark.clause("7.2-expiry")
def test_renews_a_token_that_is_about_to_end(
    house: ScriptedHouse, client: ClearingHouse
) -> None:
    house.token_seconds = 30
    client.heartbeat()
    house.token_seconds = 1_200
    client.heartbeat()

    assert len(house.named("Login")) == 1
    assert len(house.named("RenewToken")) == 1


@pytest.mark.clause("7.2-expiry")
def test_logs_in_again_when_the_token_was_revoked(
    house: ScriptedHouse, client: ClearingHouse
) -> None:
    client.heartbeat()
    house.tokens.clear()

    client.heartbeat()

    assert len(house.named("Login")) == 2
    assert len(house.named("Heartbeat")) == 2


def test_keeps_the_message_id_over_repeats(
    house: ScriptedHouse, client: ClearingHouse
) -> None:
    answers = iter([codes.IN_PROGRESS, codes.UNAVAILABLE, codes.OK])
    house.script["ConfirmSdrs"] = lambda call, bindings: bindings.new(
        "sdr:ConfirmSdrsResponse", result=result(bindings, call, next(answers))
    )
    message_id = uuid4()

    client.confirm_sdrs([DECISION], message_id=message_id)

    sent = house.named("ConfirmSdrs")
    assert [call.header.message_id for call in sent] == [str(message_id)] * 3
    assert len({call.digest for call in sent}) == 1


def test_repeats_a_retryable_fault_with_the_same_message(
    house: ScriptedHouse, client: ClearingHouse
) -> None:
    outcomes = iter([SoapFault(codes.OVERLOAD), None])

    def overloaded_once(call: Call, bindings: Bindings) -> Record:
        fault = next(outcomes)
        if fault is not None:
            raise fault
        return bindings.new("evse:PutStatusResponse", result=result(bindings, call))

    house.script["PutStatus"] = overloaded_once

    client.put_status([STATUS])

    first, second = house.named("PutStatus")
    assert first.header.message_id == second.header.message_id


def test_raises_a_refusal_with_our_code_and_its_items(
    house: ScriptedHouse, client: ClearingHouse
) -> None:
    def refuse(call: Call, bindings: Bindings) -> Record:
        refused = result(bindings, call, codes.EVSE_UNKNOWN)
        refused.item = [
            bindings.new("common:ResultItem", index=3, code=500, text="No such EVSE.")
        ]
        return bindings.new("evse:PutStatusResponse", result=refused)

    house.script["PutStatus"] = refuse

    with pytest.raises(RefusedError) as caught:
        client.put_status([STATUS])

    assert caught.value.code is codes.EVSE_UNKNOWN
    assert caught.value.result.item[0].index == 3
    assert len(house.named("PutStatus")) == 1


def test_raises_a_fault_with_our_code_and_the_path(
    house: ScriptedHouse, client: ClearingHouse
) -> None:
    item = FaultItem(text="Impossible.", path="decision/sdrId")

    def fault(_call: Call, _bindings: Bindings) -> Record:
        raise SoapFault(codes.SEMANTIC, items=[item])

    house.script["ConfirmSdrs"] = fault

    with pytest.raises(FaultError, match="decision/sdrId") as caught:
        client.confirm_sdrs([DECISION])

    assert caught.value.code is codes.SEMANTIC
    assert caught.value.fault.number == codes.SEMANTIC.number


def test_refuses_a_body_that_zeep_cannot_complete(client: ClearingHouse) -> None:
    with pytest.raises(CallError) as caught:
        client.call(calls.AUTHORIZE_START, {"evseId": "FR*A23*E1"})

    assert caught.value.code is codes.SCHEMA


def test_says_when_nobody_answers(house: ScriptedHouse, client: ClearingHouse) -> None:
    client.heartbeat()
    house.stop()

    with pytest.raises(UnreachableError) as caught:
        client.heartbeat()

    assert caught.value.retryable


def test_follows_no_redirect() -> None:
    def elsewhere(
        _environ: WSGIEnvironment, start_response: StartResponse
    ) -> list[bytes]:
        start_response(
            "307 Temporary Redirect",
            [("Location", "http://127.0.0.1:9/"), ("Content-Length", "0")],
        )
        return [b""]

    serving = Serving(elsewhere, Address())
    with requests.Session() as session:
        patience = Patience(attempts_max=1)
        house = ClearingHouse(serving.url, ACCOUNT, patience=patience, session=session)
        with pytest.raises(UnreachableError, match="TooManyRedirects"):
            house.login()
    serving.stop()


def test_puts_a_long_list_in_parts_of_one_list(
    house: ScriptedHouse, client: ClearingHouse
) -> None:
    client.put_credentials([ENTRY] * 1_001)

    first, second = (call.body for call in house.named("PutCredentials"))
    assert (len(first.entry), len(second.entry)) == (1_000, 1)
    assert (first.part, second.part, first.parts, second.parts) == (1, 2, 2, 2)
    assert first.expected_count == second.expected_count == 1_001
    assert first.list_id == second.list_id


def test_walks_over_all_pages_of_a_list(
    house: ScriptedHouse, client: ClearingHouse
) -> None:
    def page(call: Call, bindings: Bindings) -> Record:
        number = int(call.body.cursor or 0) + 1
        return bindings.new(
            "evse:GetStatusResponse",
            result=result(bindings, call),
            next_cursor=str(number),
            more=number < 3,
        )

    house.script["GetStatus"] = page

    walked = list(pages(lambda cursor: client.get_status(cursor=cursor)))

    assert [page.next_cursor for page in walked] == ["1", "2", "3"]


def test_sends_the_control_totals_of_a_batch(
    house: ScriptedHouse, client: ClearingHouse
) -> None:
    records = [make_record("A23-1", "12.60"), make_record("A23-2", "-0.10")]

    client.submit_sdrs(7, records)

    [call] = house.named("SubmitSdrs")
    control = call.body.control
    assert (control.count, control.energy_wh) == (2, 62_840)
    assert [(net.currency, net.amount) for net in control.net] == [
        ("EUR", Decimal("12.50"))
    ]
    assert control.last_ended_at == AT


@pytest.mark.parametrize("damaged", [False, True])
@pytest.mark.parametrize("operation", ["GetStatement", "GetInvoice"])
def test_joins_the_parts_of_a_document_and_checks_the_digest(
    house: ScriptedHouse, client: ClearingHouse, operation: str, *, damaged: bool
) -> None:
    parts = [b"<statement>", b"</statement>"]
    digest = hashlib.sha256(b"" if damaged else b"".join(parts)).hexdigest()
    house.script[operation] = lambda call, bindings: bindings.new(
        f"settlement:{operation}Response",
        result=result(bindings, call),
        part=call.body.part,
        parts=2,
        digest=digest,
        content=parts[call.body.part - 1],
    )

    if damaged:
        with pytest.raises(ValueError, match="damaged"):
            EVERY_CALL[operation](client)
    else:
        assert EVERY_CALL[operation](client) == b"".join(parts)


def test_shows_no_password_in_its_description() -> None:
    assert "correct horse" not in repr(ACCOUNT)
