"""The reference CSP and CSO do their part of roaming, once, over the scripted house."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from decimal import Decimal
from pathlib import Path
from uuid import UUID, uuid4

import pytest

from clearinghouse import codes
from clearinghouse.endpoint.client import ClearingHouse
from clearinghouse.endpoint.cso import ReferenceCso
from clearinghouse.endpoint.csp import Contracts, Objection, ReferenceCsp, reject_above
from clearinghouse.endpoint.journal import Journal
from clearinghouse.endpoint.messages.common import Credential
from clearinghouse.endpoint.messages.cso_endpoint import (
    StartSessionRequest,
    StopSessionRequest,
)
from clearinghouse.endpoint.messages.csp_endpoint import (
    AuthorizeRequest,
    DeliverSdrsRequest,
)
from clearinghouse.endpoint.messages.sdr import DeliveredSdr
from clearinghouse.endpoint.station import Station
from clearinghouse.soap.binding import Bindings, Record
from clearinghouse.soap.faults import SoapFault
from clearinghouse.soap.operations import Call
from tests.endpoint.partner import Partner, example
from tests.endpoint.scripted_house import ScriptedHouse
from tests.endpoint.test_client import AT, CARD, make_record
from tests.waiting import eventually

SESSION_ID = UUID("7c9e6679-7425-40de-944b-e07fc1f90ae7")
EVSE_ID = "FR*A23*E45B*78C"


def make_station(charge_seconds: int) -> Station:
    """Make a station of one EVSE of 3.6 MW: 1 kWh a second."""
    return Station(
        party_id="FRA23",
        evse_ids=frozenset({EVSE_ID}),
        tariff_id="DAY-2026",
        currency="EUR",
        price_per_kwh=Decimal("0.495"),
        power_w=3_600_000,
        charge_seconds=charge_seconds,
    )


def make_delivery(*sdrs: tuple[str, str]) -> DeliverSdrsRequest:
    """Make a delivery of SDRs given by id and net amount."""
    return DeliverSdrsRequest(
        delivery_id=uuid4(),
        sdr=tuple(
            DeliveredSdr(
                submitter_id="FRA23",
                csp_id="NLTNM",
                received_at=AT,
                status="ACCEPTED",
                rated_net=Decimal(net),
                service_detail_record=make_record(sdr_id, net),
            )
            for sdr_id, net in sdrs
        ),
    )


def make_csp(
    folder: Path,
    house: ClearingHouse | None = None,
    objection: Objection = reject_above(None),  # noqa: B008 - it has no state
) -> ReferenceCsp:
    """Make a CSP with one contract."""
    contracts = Contracts(by_credential={("RFID", CARD.value): "NLTNMC00000001"})
    return ReferenceCsp(
        contracts, Journal(folder / "csp.jsonl"), house=house, objection=objection
    )


def _start(
    session_id: UUID = SESSION_ID, evse_id: str = EVSE_ID
) -> StartSessionRequest:
    return StartSessionRequest(session_id=session_id, evse_id=evse_id, csp_id="NLTNM")


@pytest.mark.clause("3.4", "4.3-I3")
@pytest.mark.parametrize(
    ("value", "decision", "reason"),
    [
        ("04A2B3C4D5E680", "AUTHORIZED", None),
        ("04FFFFFFFFFFFF", "REFUSED", codes.CREDENTIAL_BLOCKED.name),
        ("04000000000000", "REFUSED", codes.CREDENTIAL_UNKNOWN.name),
    ],
)
def test_csp_decides_by_its_contracts(
    partner: Partner, value: str, decision: str, reason: str | None
) -> None:
    request = AuthorizeRequest(
        session_id=uuid4(),
        evse_id=EVSE_ID,
        cso_id="FRA23",
        credential=Credential(kind="RFID", value=value),
    )

    made = partner.csp.authorize(request)

    assert (made.decision, made.reason) == (decision, reason)


@pytest.mark.clause("3.10")
def test_csp_confirms_what_it_takes_and_rejects_by_its_rule(
    tmp_path: Path, house: ScriptedHouse, client: ClearingHouse
) -> None:
    csp = make_csp(tmp_path, client, reject_above("50"))

    csp.deliver_sdrs(make_delivery(("A23-1", "12.60"), ("A23-2", "51.00")))
    csp.close()

    [call] = house.named("ConfirmSdrs")
    assert [
        (each.sdr_id, each.verdict, each.reason) for each in call.body.decision
    ] == [
        ("A23-1", "CONFIRMED", None),
        ("A23-2", "REJECTED", "TOO_EXPENSIVE"),
    ]


def test_csp_takes_a_repeated_delivery_and_a_repeated_sdr_once(
    tmp_path: Path, house: ScriptedHouse, client: ClearingHouse
) -> None:
    csp = make_csp(tmp_path, client)
    delivery = make_delivery(("A23-1", "1"), ("A23-2", "2"))

    csp.deliver_sdrs(delivery)
    csp.deliver_sdrs(delivery)
    csp.deliver_sdrs(make_delivery(("A23-2", "2"), ("A23-3", "3")))
    csp.close()

    confirmed = [
        decision.sdr_id
        for call in house.named("ConfirmSdrs")
        for decision in call.body.decision
    ]
    assert confirmed == ["A23-1", "A23-2", "A23-3"]


def test_csp_confirms_after_a_restart_what_it_had_only_taken(
    tmp_path: Path, house: ScriptedHouse, client: ClearingHouse
) -> None:
    without_house = make_csp(tmp_path)
    without_house.deliver_sdrs(make_delivery(("A23-1", "1")))
    without_house.close()

    restarted = make_csp(tmp_path, client)
    restarted.close()
    again = make_csp(tmp_path, client)
    again.close()

    assert len(house.named("ConfirmSdrs")) == 1


def test_csp_takes_the_example_delivery_over_soap(partner: Partner) -> None:
    message = example("csp-endpoint", "DeliverSdrs")
    renamed = re.sub(b"(<common:messageId>).{8}", b"\\g<1>00000000", message)

    partner.post("csp-endpoint", message)
    partner.post("csp-endpoint", renamed)

    lines = (partner.folder / "csp.jsonl").read_text().splitlines()
    assert len(lines) == 2, "one SDR and one delivery, though it came twice"


@pytest.mark.clause("3.5", "3.12", "3.13")
def test_cso_charges_reports_and_submits_the_sdr(
    tmp_path: Path, house: ScriptedHouse, client: ClearingHouse
) -> None:
    cso = ReferenceCso(make_station(1), Journal(tmp_path / "cso.jsonl"), house=client)

    made = cso.start_session(_start())
    eventually(lambda: bool(house.named("SubmitSdrs")))
    cso.close()

    assert made.outcome == "ACCEPTED"
    reports = [call.body for call in house.named("ReportSession")]
    assert [report.event for report in reports] == ["STARTED", "ENDED"]
    assert [report.energy_wh for report in reports] == [0, 1_000]
    [submitted] = house.named("SubmitSdrs")
    assert submitted.body.batch_sequence == 1
    [record] = submitted.body.service_detail_record
    assert record.service_session.session_id == str(SESSION_ID)
    assert record.claimed_net == Decimal("0.50"), "half a cent rounds away from zero"
    assert record.service_session.started_at == reports[0].occurred_at


@pytest.mark.clause("3.10")
def test_cso_makes_intermediate_sdrs_while_it_charges_each_once(
    tmp_path: Path, house: ScriptedHouse, client: ClearingHouse
) -> None:
    path = tmp_path / "cso.jsonl"
    station = replace(make_station(60), progress_seconds=1)
    before = ReferenceCso(station, Journal(path), house=client)
    before.start_session(_start())
    eventually(lambda: len(house.named("ReportSession")) >= 3)
    before.close()
    after = ReferenceCso(station, Journal(path), house=client)
    after.stop_session(StopSessionRequest(session_id=SESSION_ID))
    after.close()

    reports = [call.body for call in house.named("ReportSession")]
    told = [one for one in reports if one.event == "PROGRESS"]
    assert [reports[0].event, reports[-1].event] == ["STARTED", "ENDED"]
    assert len({one.event_id for one in reports}) == len(reports)
    for one in told:
        number = one.intermediate_sdr.sequence_no
        assert one.energy_wh == one.intermediate_sdr.meter_wh == 1_000 * number
        assert one.intermediate_sdr.tariff_id == "DAY-2026"
    numbers = [one.intermediate_sdr.sequence_no for one in told]
    assert numbers == sorted(set(numbers))
    assert told[0].intermediate_sdr.claimed_net.amount == Decimal("0.50")


def test_csp_notes_what_a_running_session_used_and_costs(
    partner: Partner,
) -> None:
    partner.post("csp-endpoint", example("csp-endpoint", "NotifySession"))

    (line,) = (partner.folder / "csp.jsonl").read_text().splitlines()
    noted = json.loads(line)
    assert (noted["sequence_no"], noted["energy_wh"]) == ("3", "14210")
    assert noted["cost"] == "6.39 EUR"


def test_cso_starts_a_session_once_and_an_evse_for_one_session(tmp_path: Path) -> None:
    cso = ReferenceCso(make_station(60), Journal(tmp_path / "cso.jsonl"))

    first = cso.start_session(_start())
    repeat = cso.start_session(_start())
    other = cso.start_session(_start(uuid4()))
    elsewhere = cso.start_session(_start(uuid4(), "FR*A23*E99"))
    cso.close()

    assert first == repeat
    assert (other.outcome, other.reason) == ("REFUSED", "EVSE_OCCUPIED")
    assert (elsewhere.outcome, elsewhere.reason) == ("REFUSED", codes.EVSE_UNKNOWN.name)


def test_cso_stops_a_session_early_and_only_its_own(
    tmp_path: Path, house: ScriptedHouse, client: ClearingHouse
) -> None:
    cso = ReferenceCso(make_station(60), Journal(tmp_path / "cso.jsonl"), house=client)
    cso.start_session(_start())

    outcome = cso.stop_session(StopSessionRequest(session_id=SESSION_ID))
    again = cso.stop_session(StopSessionRequest(session_id=SESSION_ID))
    unknown = cso.stop_session(StopSessionRequest(session_id=uuid4()))
    cso.close()

    assert (outcome, again, unknown) == ("ACCEPTED", "ACCEPTED", "REFUSED")
    assert len(house.named("SubmitSdrs")) == 1


def test_cso_submits_after_a_restart_with_the_same_message(
    tmp_path: Path, house: ScriptedHouse, client: ClearingHouse
) -> None:
    def refuse(_call: Call, _bindings: Bindings) -> Record:
        raise SoapFault(codes.INTERNAL)

    house.script["SubmitSdrs"] = refuse
    path = tmp_path / "cso.jsonl"
    before = ReferenceCso(make_station(60), Journal(path), house=client)
    before.start_session(_start())
    before.stop_session(StopSessionRequest(session_id=SESSION_ID))
    before.close()
    refused = house.named("SubmitSdrs")
    del house.script["SubmitSdrs"]

    after = ReferenceCso(make_station(60), Journal(path), house=client)
    after.close()
    once_more = ReferenceCso(make_station(60), Journal(path), house=client)
    once_more.close()

    [taken] = house.named("SubmitSdrs")[len(refused) :]
    assert {call.header.message_id for call in refused} == {taken.header.message_id}
    assert {call.digest for call in refused} == {taken.digest}


def test_cso_reports_after_a_restart_what_the_house_did_not_take(
    tmp_path: Path, house: ScriptedHouse, client: ClearingHouse
) -> None:
    def away(_call: Call, _bindings: Bindings) -> Record:
        raise SoapFault(codes.INTERNAL)

    house.script["ReportSession"] = away
    path = tmp_path / "cso.jsonl"
    before = ReferenceCso(make_station(60), Journal(path), house=client)
    before.start_session(_start())
    before.close()
    in_vain = {call.body.event_id for call in house.named("ReportSession")}
    del house.script["ReportSession"]
    house.calls.clear()

    for _restart in range(2):
        ReferenceCso(make_station(60), Journal(path), house=client).close()

    [taken] = [call.body for call in house.named("ReportSession")]
    assert (taken.event, {taken.event_id}) == ("STARTED", in_vain)


def test_cso_goes_on_charging_after_a_restart(
    tmp_path: Path, house: ScriptedHouse, client: ClearingHouse
) -> None:
    path = tmp_path / "cso.jsonl"
    before = ReferenceCso(make_station(60), Journal(path), house=client)
    before.start_session(_start())
    before.close()

    after = ReferenceCso(make_station(1), Journal(path), house=client)
    eventually(lambda: bool(house.named("SubmitSdrs")))
    after.close()

    events = [call.body.event for call in house.named("ReportSession")]
    assert events == ["STARTED", "ENDED"]


def test_csp_decides_of_a_held_sdr_when_it_comes_to_be_settled(
    tmp_path: Path, house: ScriptedHouse, client: ClearingHouse
) -> None:
    csp = make_csp(tmp_path, client)
    settled = make_delivery(("A23-1", "1"))
    held = replace(
        settled,
        delivery_id=uuid4(),
        sdr=tuple(replace(one, status="HELD") for one in settled.sdr),
    )

    csp.deliver_sdrs(held)
    assert not house.named("ConfirmSdrs")
    csp.deliver_sdrs(settled)
    csp.close()

    [call] = house.named("ConfirmSdrs")
    assert [one.sdr_id for one in call.body.decision] == ["A23-1"]
