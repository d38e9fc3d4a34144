"""Intermediate SDRs: reported, told to the home CSP, compared with the SDR."""

from __future__ import annotations

from datetime import timedelta
from functools import partial
from typing import TYPE_CHECKING
from uuid import UUID, uuid4

import pytest
from sqlalchemy import func, select

from clearinghouse import codes
from clearinghouse.domain.intermediate_sdrs import IntermediateSdr
from clearinghouse.domain.outbox import DeliveryKind
from clearinghouse.domain.sessions import SessionState
from clearinghouse.services import sessions as use_cases
from clearinghouse.storage import billing, intermediate_sdrs, outbox, sessions, tariffs
from clearinghouse.storage.outbox import Claim
from clearinghouse.storage.tables.sdrs import batch_total, sdr
from clearinghouse.storage.tables.settlement import posting
from clearinghouse.storage.tariffs import Publication
from tests.builders import NOW, make_profile, make_session, seconds
from tests.flows.asking import report, seen
from tests.flows.sdr_messages import batch
from tests.services.sdr_world import (
    EVSE_ID,
    World,
    make_sdr,
    make_world,
    price,
    put_evse,
    spanning,
)

if TYPE_CHECKING:
    from collections.abc import Callable

    from clearinghouse.domain.participants import Participant
    from clearinghouse.domain.sdrs import ServiceDetailRecord
    from clearinghouse.services.environment import Environment
    from clearinghouse.services.ports import SessionNotice
    from tests.fixtures.engine import Answer, Speaker

MINUTE = 60


@pytest.fixture
def world(env: Environment) -> World:
    return make_world(env)


@pytest.fixture
def cso(world: World, speaker: Callable[[Participant], Speaker]) -> Speaker:
    return speaker(world.cso)


@pytest.fixture
def csp(world: World, speaker: Callable[[Participant], Speaker]) -> Speaker:
    return speaker(world.csp)


@pytest.fixture
def session_id(world: World) -> str:
    """Store a session that has been running for an hour."""
    started_at = NOW - timedelta(hours=1)
    running = make_session(
        world.cso,
        world.csp,
        state=SessionState.ACTIVE,
        evse_key="CHREPE00011",
        created_at=started_at,
        authorized_at=started_at,
        started_at=started_at,
    )
    with world.env.database.begin() as tx:
        sessions.insert_session(tx, running)
    return str(running.session_id)


def so_far(
    number: int,
    *,
    meter_wh: int | None = None,
    claimed: str | None = None,
    tariff: str | None = "T-1",
) -> str:
    meter = "" if meter_wh is None else f"<c:meterWh>{meter_wh}</c:meterWh>"
    claim = (
        ""
        if claimed is None
        else "<c:claimedNet><c:currency>EUR</c:currency>"
        f"<c:amount>{claimed}</c:amount></c:claimedNet>"
    )
    by = "" if tariff is None else f"<c:tariffId>{tariff}</c:tariffId>"
    return (
        f"<intermediateSdr><c:sequenceNo>{number}</c:sequenceNo>"
        f"{meter}{claim}{by}</intermediateSdr>"
    )


def minutes(number: int) -> int:
    """Return the second of a minute after the start of the session."""
    return (number - 60) * MINUTE


def progress(
    cso: Speaker,
    session_id: str,
    number: int,
    *,
    minute: int,
    energy_wh: int | None,
    event: str = "PROGRESS",
    event_id: UUID | None = None,
    message_id: UUID | None = None,
    **figures: object,
) -> Answer:
    return report(
        cso,
        session_id,
        event,
        at=minutes(minute),
        energy_wh=energy_wh,
        event_id=event_id,
        message_id=message_id,
        more=so_far(number, **figures),  # type: ignore[arg-type]  # by the tests
    )


def told(answer: Answer) -> list[tuple[str, str, str]]:
    return [(item["code"], item["path"], item["found"]) for item in answer.items]


def notices(env: Environment) -> list[SessionNotice]:
    """Return what waits in the outbox for home CSPs, as it will be sent."""
    with env.database.begin() as tx:
        due = outbox.claim_due(
            tx, Claim(now=env.clock.now(), per_participant=outbox.CLAIM_MAX)
        )
    assert all(one.kind is DeliveryKind.NOTIFY_SESSION for one in due)
    found = [use_cases.session_notice(env, one.payload) for one in due]
    return [one for one in found if one is not None]


def stored(world: World, session_id: str) -> list[IntermediateSdr]:
    with world.env.database.begin_read_only() as tx:
        return intermediate_sdrs.up_to(tx, UUID(session_id), 1_000_000)


def rows(world: World) -> list[int]:
    """Count SDRs, totals and postings: all that money hangs on."""
    with world.env.database.begin_read_only() as tx:
        return [
            tx.execute(select(func.count()).select_from(table)).scalar_one()
            for table in (sdr, batch_total, posting)
        ]


def of_session(session_id: str, *, minute: int, energy_wh: int) -> ServiceDetailRecord:
    """Return the SDR of the session, as long and as large as said."""
    record = make_sdr(session_id=UUID(session_id))
    began = NOW - timedelta(hours=1)
    return spanning(record, began, minutes=minute, energy_wh=energy_wh)


@pytest.mark.clause("3.10", "4.3-I3")
def test_home_csp_is_told_what_a_running_session_has_used_and_costs(
    world: World, cso: Speaker, csp: Speaker, session_id: str
) -> None:
    before = rows(world)

    first = progress(cso, session_id, 1, minute=10, energy_wh=1_000, tariff=None)
    second = progress(
        cso,
        session_id,
        3,
        minute=20,
        energy_wh=3_000,
        meter_wh=503_000,
        claimed="1.40",
    )

    assert (first.code, second.code) == (0, 0)
    mere, full = [one.intermediate for one in notices(world.env)]
    assert mere is not None
    assert full is not None
    assert (mere.sequence_no, mere.energy_wh, mere.estimated_minor) == (1, 1_000, None)
    assert (full.sequence_no, full.energy_wh, full.meter_wh) == (3, 3_000, 503_000)
    assert (full.claimed_minor, full.claimed_currency) == (140, "EUR")
    assert (full.estimated_minor, full.estimated_currency) == (147, "EUR")
    for partner in (cso, csp):
        (view,) = seen(partner, session_id).all("intermediateSdr")
        shown = [(str(one.tag).split("}")[1], one.text) for one in view.iter()]
        assert ("sequenceNo", "3") in shown
        assert ("energyWh", "3000") in shown
        assert ("meterWh", "503000") in shown
        assert [text for name, text in shown if name == "amount"] == ["1.40", "1.47"]
    assert rows(world) == before, "it counts nothing"


def test_one_that_comes_late_is_kept_and_the_newest_is_shown(
    world: World, cso: Speaker, csp: Speaker, session_id: str
) -> None:
    progress(cso, session_id, 2, minute=20, energy_wh=2_000)

    late = progress(cso, session_id, 1, minute=10, energy_wh=1_500)

    assert late.code == codes.EVENT_LATE.number
    assert [one.sequence_no for one in stored(world, session_id)] == [1, 2]
    (view,) = seen(csp, session_id).all("intermediateSdr")
    assert view[0].text == "2"


def test_one_that_contradicts_others_is_refused_whole_with_all_that_is_wrong(
    world: World, cso: Speaker, session_id: str
) -> None:
    progress(cso, session_id, 1, minute=10, energy_wh=1_000, meter_wh=7_000)
    known = stored(world, session_id)

    answer = progress(cso, session_id, 2, minute=9, energy_wh=999, meter_wh=6_999)
    close = report(
        cso,
        session_id,
        "PROGRESS",
        at=minutes(10) + 59,
        energy_wh=1_001,
        more=so_far(2),
    )
    used = progress(cso, session_id, 1, minute=15, energy_wh=2_000)

    assert answer.code == codes.INTERMEDIATE_ORDER.number
    assert told(answer) == [
        ("647", "energyWh", "999"),
        ("647", "intermediateSdr/meterWh", "6999"),
        ("647", "occurredAt", seconds(minutes(9)).isoformat()),
    ]
    assert close.code == codes.INTERMEDIATE_LIMIT.number
    assert told(used) == [("647", "intermediateSdr/sequenceNo", "1")]
    assert stored(world, session_id) == known
    assert len(notices(world.env)) == 1


def test_meter_rises_over_those_that_tell_none(
    world: World, cso: Speaker, session_id: str
) -> None:
    progress(cso, session_id, 1, minute=10, energy_wh=1_000, meter_wh=7_000)
    progress(cso, session_id, 2, minute=20, energy_wh=2_000)
    progress(cso, session_id, 5, minute=50, energy_wh=5_000)
    progress(cso, session_id, 6, minute=55, energy_wh=6_000, meter_wh=9_000)

    below = progress(cso, session_id, 3, minute=30, energy_wh=3_000, meter_wh=6_999)
    above = progress(cso, session_id, 4, minute=40, energy_wh=4_000, meter_wh=9_001)

    assert told(below) == [("647", "intermediateSdr/meterWh", "6999")]
    assert told(above) == [("647", "intermediateSdr/meterWh", "9001")]
    assert [one.sequence_no for one in stored(world, session_id)] == [1, 2, 5, 6]


def test_one_that_lies_before_the_start_of_the_session_is_refused_by_path(
    world: World, cso: Speaker, session_id: str
) -> None:
    early = progress(cso, session_id, 1, minute=-1, energy_wh=0)
    first = progress(cso, session_id, 1, minute=0, energy_wh=0)

    found = seconds(minutes(-1)).isoformat()
    assert told(early) == [("647", "occurredAt", found)]
    assert early.code == codes.INTERMEDIATE_ORDER.number
    assert first.code == 0
    assert [one.energy_wh for one in stored(world, session_id)] == [0]
    assert len(notices(world.env)) == 1


@pytest.mark.parametrize(
    ("figures", "path"),
    [
        ({"energy_wh": None}, "energyWh"),
        ({"energy_wh": 5, "event": "SUSPENDED"}, "event"),
        ({"energy_wh": 5, "meter_wh": -1}, "intermediateSdr/meterWh"),
        ({"energy_wh": 5, "claimed": "-0.01"}, "intermediateSdr/claimedNet"),
        ({"energy_wh": 5, "claimed": "0.001"}, "intermediateSdr/claimedNet"),
        ({"energy_wh": 5, "tariff": "T-9"}, "intermediateSdr/tariffId"),
    ],
)
def test_what_it_lacks_or_must_not_hold_is_named_by_its_path(
    world: World, cso: Speaker, session_id: str, figures: dict[str, str], path: str
) -> None:
    answer = progress(cso, session_id, 1, minute=5, **figures)  # type: ignore[arg-type]  # one at a time

    assert answer.code == codes.INTERMEDIATE_FIELD.number
    assert [item["path"] for item in answer.items] == [path]
    assert stored(world, session_id) == []
    assert notices(world.env) == []


def test_repeats_store_and_tell_one_and_another_content_is_a_conflict(
    world: World, cso: Speaker, session_id: str
) -> None:
    message_id, event_id = uuid4(), uuid4()
    send = partial(
        progress, cso, session_id, minute=10, energy_wh=1_000, event_id=event_id
    )

    first = send(1, message_id=message_id)
    again = send(1, message_id=message_id)
    repeated = send(1)
    other = send(2)
    bare = report(
        cso,
        session_id,
        "PROGRESS",
        at=minutes(10),
        energy_wh=1_000,
        event_id=event_id,
    )

    assert again.raw == first.raw
    assert repeated.code == codes.ALREADY_DONE.number
    assert (other.code, bare.code) == (codes.SESSION_EVENT_CONFLICT.number,) * 2
    assert len(stored(world, session_id)) == 1
    assert len(notices(world.env)) == 1


def test_after_the_end_of_the_session_there_is_none(
    world: World, cso: Speaker, session_id: str
) -> None:
    report(cso, session_id, "ENDED", at=minutes(30), energy_wh=3_000)

    after = progress(cso, session_id, 1, minute=31, energy_wh=3_000)
    late = progress(cso, session_id, 1, minute=20, energy_wh=2_000)
    cso.call(
        "sdr",
        "SubmitSdrs",
        batch(1, [of_session(session_id, minute=30, energy_wh=23_456)]),
    )
    too_late = progress(cso, session_id, 2, minute=25, energy_wh=2_500)

    assert after.code == codes.SESSION_IS_ENDED.number
    assert late.code == codes.EVENT_LATE.number, "it was read before the end"
    assert too_late.code == codes.SESSION_IS_SDR_RECEIVED.number
    assert [one.sequence_no for one in stored(world, session_id)] == [1]


def test_nobody_reports_of_the_session_of_another(
    world: World, csp: Speaker, session_id: str
) -> None:
    answer = progress(csp, session_id, 1, minute=5, energy_wh=5)

    assert answer.code >= 200
    assert stored(world, session_id) == []


@pytest.mark.border("S-213")
@pytest.mark.parametrize(
    ("minute", "energy_wh", "hits"),
    [
        (40, 23_456, []),
        (40, 23_455, []),
        (40, 23_454, [("649", "S-213", "serviceSession/chargingSession")]),
        (38, 23_456, [("649", "S-213", "serviceSession/endedAt")]),
    ],
)
def test_an_sdr_that_says_less_than_its_last_intermediate_one_is_held(
    cso: Speaker,
    session_id: str,
    minute: int,
    energy_wh: int,
    hits: list[tuple[str, str, str]],
) -> None:
    progress(cso, session_id, 4, minute=40, energy_wh=23_456)
    record = of_session(session_id, minute=minute, energy_wh=energy_wh)

    answer = cso.call("sdr", "SubmitSdrs", batch(1, [record]))

    found = [(item["code"], item["rule"], item["path"]) for item in answer.items]
    assert found == hits
    assert answer.required("held") == str(len(hits))


def test_the_estimate_is_of_all_energy_so_far_and_none_adds_nothing(
    world: World, cso: Speaker, session_id: str
) -> None:
    story = ((1, 10, 1_000), (2, 20, 1_000), (3, 30, 3_000))
    for number, minute, energy_wh in story:
        progress(cso, session_id, number, minute=minute, energy_wh=energy_wh)

    found = stored(world, session_id)

    assert [one.estimated_minor for one in found] == [49, 49, 147]


def test_the_estimate_of_prices_that_include_vat_is_without_it(
    world: World, cso: Speaker, session_id: str
) -> None:
    with_vat = price(595_000, tariff_id="T-VAT", vat_included=True)
    with world.env.database.begin() as tx:
        billing.add_profile(tx, make_profile("CHREP"), at=NOW)
        buyer = make_profile(vat_id="DE811569869", is_taxable_dealer=False)
        billing.add_profile(tx, buyer, at=NOW)
        publisher_id = world.cso.participant_id
        published = Publication(publisher_id=publisher_id, tariff=with_vat)
        tariffs.publish(tx, published, at=NOW)

    put_evse(world, EVSE_ID, country="DE", time_zone="Europe/Berlin")
    answer = progress(cso, session_id, 1, minute=10, energy_wh=1_000, tariff="T-VAT")

    (one,) = stored(world, session_id)
    assert (answer.code, one.estimated_minor) == (0, 50)
