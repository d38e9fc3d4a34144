"""The rule catalogue as partners meet it: code, path, expected, found, and borders."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta, timezone
from decimal import Decimal
from typing import TYPE_CHECKING

import pytest
from sqlalchemy import select

from clearinghouse.domain.agreements import Terms
from clearinghouse.domain.credentials import CredentialStatus
from clearinghouse.domain.privacy import SubjectKind
from clearinghouse.domain.sdrs import RULE_VERSION
from clearinghouse.identifiers.credential import CredentialKind
from clearinghouse.storage import credentials, tariffs
from clearinghouse.storage.tables.sdrs import sdr as sdr_rows
from clearinghouse.storage.tariffs import Publication
from tests.builders import NOW, make_agreement, make_entry, make_list_part
from tests.flows.sdr_messages import batch
from tests.services.sdr_world import (
    SINCE,
    STARTED_AT,
    World,
    make_sdr,
    make_world,
    price,
    spanning,
)

if TYPE_CHECKING:
    from datetime import datetime

    from clearinghouse.domain.participants import Participant
    from clearinghouse.domain.sdrs import ServiceDetailRecord
    from clearinghouse.services.environment import Environment
    from tests.fixtures.engine import Speaker

LAX = Terms(match_required=False)
SESSION = "serviceSession"
CARD = "04A2B3C4D5E6F7"


@pytest.fixture
def world(env: Environment) -> World:
    return make_world(env, terms=LAX)


@pytest.fixture
def cso(world: World, speaker: Callable[[Participant], Speaker]) -> Speaker:
    return speaker(world.cso)


def told(
    cso: Speaker, *records: ServiceDetailRecord, sequence: int = 1
) -> list[dict[str, str]]:
    """Submit records; return what is told of each hit."""
    answer = cso.call("sdr", "SubmitSdrs", batch(sequence, records))
    assert answer.code < 200, answer.raw
    return [
        {name: value for name, value in item.items() if name != "text"}
        for item in answer.items
    ]


def standings(cso: Speaker, *sdr_ids: str) -> list[dict[str, str]]:
    """Ask where SDRs stand."""
    asked = "".join(f"<sdrId>{one}</sdrId>" for one in sdr_ids)
    answer = cso.call("sdr", "GetSdrStatus", asked)
    return [answer.children(one) for one in answer.all("status") if len(one)]


def sdr_from(started_at: datetime, **override: object) -> ServiceDetailRecord:
    """Return an SDR of forty minutes."""
    spanned = spanning(make_sdr(), started_at, minutes=40)
    return replace(spanned, **override)  # type: ignore[arg-type]  # by the tests


def metered(start_wh: int, stop_wh: int) -> ServiceDetailRecord:
    record = make_sdr()
    transaction = record.charging_sessions[0].transactions[0]
    transaction.meter_start_wh, transaction.meter_stop_wh = start_wh, stop_wh
    return record


def charged(energy_wh: int, *, minutes: int, claimed: str) -> ServiceDetailRecord:
    record = make_sdr(claimed_net=Decimal(claimed))
    return spanning(record, STARTED_AT, minutes=minutes, energy_wh=energy_wh)


def dear(energy_wh: int, claimed: str) -> ServiceDetailRecord:
    record = make_sdr(claimed_net=Decimal(claimed))
    started_at = NOW - timedelta(hours=10)
    return spanning(record, started_at, minutes=400, energy_wh=energy_wh)


def ended(seconds: int) -> ServiceDetailRecord:
    """Return an SDR that ended so many seconds from now; it began before."""
    end = NOW + timedelta(seconds=seconds)
    return sdr_from(end - timedelta(minutes=40))


def local(hours: int) -> ServiceDetailRecord:
    return sdr_from(STARTED_AT.astimezone(timezone(timedelta(hours=hours))))


_TX = f"{SESSION}/chargingSession[1]/chargingTransaction[1]"
_BEFORE = SINCE - timedelta(seconds=1)
_NOW = NOW.isoformat(timespec="seconds")

#: Code, rule, path, expected, found; a record that hits, and one at the border.
CASES: list[tuple[tuple[str, ...], ServiceDetailRecord, ServiceDetailRecord]] = [
    (
        (
            "612",
            "S-102",
            f"{SESSION}/cspId",
            f"a CSP with an agreement in force at {_BEFORE.isoformat()}",
            "DEABC",
        ),
        sdr_from(_BEFORE),
        sdr_from(SINCE),
    ),
    (
        (
            "613",
            "S-103",
            f"{SESSION}/evseId",
            "an EVSE that this CSO has registered",
            "CH*REP*E0404*1",
        ),
        make_sdr(evse_id="CH*REP*E0404*1"),
        make_sdr(),
    ),
    (
        (
            "616",
            "S-106",
            f"{SESSION}/endedAt",
            f"after {STARTED_AT.isoformat()}",
            STARTED_AT.isoformat(),
        ),
        replace(make_sdr(), ended_at=STARTED_AT),
        spanning(make_sdr(claimed_net=Decimal(0)), STARTED_AT, minutes=1, energy_wh=0),
    ),
    (
        (
            "616",
            "S-106",
            f"{SESSION}/endedAt",
            f"before {_NOW}",
            (NOW + timedelta(seconds=301)).isoformat(),
        ),
        ended(301),
        ended(300),
    ),
    (
        ("617", "S-107", f"{SESSION}/endedAt", "at most 30 days ago", "30 days"),
        ended(-30 * 86_400 - 1),
        ended(-30 * 86_400),
    ),
    (
        ("620", "S-110", f"{_TX}/energyWh", "at most 23455", "23456"),
        metered(0, 23_454),
        metered(0, 23_455),
    ),
    (
        ("620", "S-110", f"{_TX}/meterStopWh", "10 or more", "9"),
        metered(10, 9),
        metered(0, 23_456),
    ),
    (
        (
            "632",
            "S-202",
            f"{SESSION}/chargingSession",
            "at most 105 % of 50000 W",
            "52506 W over 600 s",
        ),
        charged(8_751, minutes=10, claimed="4.29"),
        charged(8_750, minutes=10, claimed="4.29"),
    ),
    (
        (
            "633",
            "S-203",
            f"{SESSION}/chargingSession",
            "at most 200000 Wh",
            "200001 Wh",
        ),
        charged(200_001, minutes=150, claimed="98.00"),
        charged(200_000, minutes=150, claimed="98.00"),
    ),
    (
        (
            "634",
            "S-204",
            f"{SESSION}/idleSeconds",
            "charging and idle time of at most 2400 s",
            "2461 s",
        ),
        make_sdr(idle_seconds=61),
        make_sdr(idle_seconds=60),
    ),
    (
        ("638", "S-208", "claimedNet", "11.49 EUR", "11.55 EUR"),
        make_sdr(claimed_net=Decimal("11.55")),
        make_sdr(claimed_net=Decimal("11.54")),
    ),
    (
        ("639", "S-209", "claimedNet", "at most 150.00 EUR", "150.01 EUR"),
        dear(306_133, "150.01"),
        dear(306_123, "150.00"),
    ),
    (
        ("163", "S-302", f"{SESSION}/chargingSession", "100 Wh or more", "99 Wh"),
        charged(99, minutes=10, claimed="0.05"),
        charged(100, minutes=10, claimed="0.05"),
    ),
    (
        (
            "164",
            "S-303",
            f"{SESSION}/endedAt",
            f"before {_NOW}",
            (NOW + timedelta(seconds=1)).isoformat(),
        ),
        ended(1),
        ended(0),
    ),
    (
        (
            "164",
            "S-303",
            f"{SESSION}/startedAt",
            f"{STARTED_AT.astimezone(timezone(timedelta(hours=1))).isoformat()} or UTC",
            STARTED_AT.astimezone(timezone(timedelta(hours=2))).isoformat(),
        ),
        local(2),
        local(1),
    ),
    (
        (
            "165",
            "S-304",
            f"{SESSION}/endedAt",
            "within 24 hours",
            "after 24 hours",
        ),
        ended(-86_401),
        ended(-86_400),
    ),
    (
        (
            "165",
            "S-307",
            f"{SESSION}/endedAt",
            "within 7 days",
            "after 168 hours",
        ),
        ended(-7 * 86_400 - 1),
        ended(-7 * 86_400),
    ),
    (
        ("180", "S-305", f"{SESSION}/evseId", "CH*823*E1*1", "+41*823*1*1"),
        make_sdr(evse_id="+41*823*1*1"),
        make_sdr(evse_id="CH8230001"),
    ),
]


@pytest.mark.clause("4.3-I3")
@pytest.mark.usefixtures("world")
@pytest.mark.parametrize(
    ("hit", "record", "border"),
    CASES,
    ids=[f"{one[0][1]}-{one[0][2]}" for one in CASES],
)
def test_a_rule_is_told_in_full_and_its_border_is_not_met(
    cso: Speaker,
    hit: tuple[str, ...],
    record: ServiceDetailRecord,
    border: ServiceDetailRecord,
) -> None:
    names = ("code", "rule", "path", "expected", "found")

    first = [one for one in told(cso, record) if one.get("rule") == hit[1]]
    second = told(cso, border, sequence=2)

    expected = dict(zip(names, hit, strict=True)) | {
        "index": "0",
        "ruleVersion": str(RULE_VERSION),
    }
    assert expected in first
    assert (hit[1], hit[2]) not in [(one.get("rule"), one["path"]) for one in second]


def enrol(
    world: World, *, at: datetime, status: CredentialStatus = CredentialStatus.VALID
) -> None:
    """Put the card on its CSP's list as it is from an instant on."""
    owner_id = world.csp.participant_id
    enrolled = world.env.vault.enrol(owner_id, SubjectKind.RFID, [CARD], at=SINCE)
    subject = enrolled.subjects[CARD]
    with world.env.database.begin() as tx:
        credentials.apply_delta(
            tx,
            make_list_part(world.csp, received_at=at),
            upserts=[make_entry(subject, status=status)],
            removals=[],
        )


def with_card(record: ServiceDetailRecord) -> ServiceDetailRecord:
    return replace(record, credential_kind=CredentialKind.RFID, credential_value=CARD)


@pytest.mark.parametrize("batches", [1, 2])
def test_s207_holds_what_is_nearly_the_same(
    cso: Speaker, world: World, batches: int
) -> None:
    enrol(world, at=SINCE)
    short = with_card(charged(100, minutes=1, claimed="0.05"))
    again = replace(
        spanning(short, STARTED_AT + timedelta(seconds=60), minutes=1, energy_wh=101),
        sdr_id="AGAIN",
    )
    later = replace(
        spanning(short, STARTED_AT + timedelta(seconds=121), minutes=1, energy_wh=101),
        sdr_id="LATER",
    )

    if batches == 1:
        items = told(cso, short, again, later)
    else:
        told(cso, short)
        items = told(cso, again, later, sequence=2)

    (item,) = [one for one in items if one["rule"] == "S-207"]
    assert item["code"] == "637"
    assert item["path"] == f"{SESSION}/startedAt"
    assert item["found"] == f"nearly the same as {short.sdr_id}"
    found = [one["status"] for one in standings(cso, "AGAIN", "LATER")]
    assert found == ["HELD", "ACCEPTED"]


def test_s210_holds_what_was_charged_with_a_card_that_was_blocked(
    cso: Speaker, world: World
) -> None:
    enrol(world, at=SINCE)
    enrol(world, at=STARTED_AT, status=CredentialStatus.BLOCKED)
    before = with_card(sdr_from(STARTED_AT - timedelta(hours=1)))

    items = told(cso, with_card(make_sdr()), before)

    (item,) = [one for one in items if one.get("rule") == "S-210"]
    assert (item["index"], item["code"]) == ("0", "640")
    assert item["path"] == f"{SESSION}/credential"
    assert item["expected"].endswith(STARTED_AT.isoformat())
    assert item["found"] == "blocked"


def test_s306_remarks_a_tariff_that_changed_during_the_session(
    cso: Speaker, world: World
) -> None:
    changed_at = STARTED_AT + timedelta(minutes=40)
    newer = replace(price(500_000), valid_from=changed_at)
    with world.env.database.begin() as tx:
        published = Publication(publisher_id=world.cso.participant_id, tariff=newer)
        tariffs.publish(tx, published, at=SINCE)
    before = sdr_from(STARTED_AT - timedelta(seconds=1))

    items = told(cso, make_sdr(), replace(before, evse_id="CH*REP*E0002*1"))

    (item,) = items
    assert (item["index"], item["code"], item["rule"]) == ("0", "167", "S-306")
    assert item["found"] == f"changed or ended at {changed_at.isoformat()}"


@pytest.mark.parametrize(
    ("count", "shift", "told_of"), [(20, 0, 1), (19, 0, 0), (20, 1, 0)]
)
def test_s303_remarks_a_batch_whose_times_are_all_whole_minutes(
    cso: Speaker, count: int, shift: int, told_of: int
) -> None:
    records = [
        sdr_from(STARTED_AT - timedelta(minutes=41 * n, seconds=shift * (n == 7)))
        for n in range(count)
    ]

    items = [one for one in told(cso, *records) if one["rule"] == "S-303"]

    assert [one["found"] for one in items] == [
        f"whole minutes in all {count} records"
    ] * told_of
    assert all("index" not in one for one in items)


@pytest.mark.parametrize("allowed", [True, False])
def test_m4_the_list_stands_in_for_a_session_where_the_agreement_says_so(
    env: Environment, speaker: Callable[[Participant], Speaker], *, allowed: bool
) -> None:
    world = make_world(env, terms=Terms(offline_allowed=allowed))
    cso = speaker(world.cso)
    enrol(world, at=STARTED_AT)
    enrol(world, at=NOW)  # named again as it was
    record, early = (
        with_card(make_sdr()),
        with_card(sdr_from(STARTED_AT - timedelta(hours=2))),
    )

    items = told(cso, record, early)

    unmatched = [one["index"] for one in items if one["rule"] == "S-201"]
    assert unmatched == (["1"] if allowed else ["0", "1"])
    (standing,) = standings(cso, record.sdr_id)
    assert standing["matchKind"] == ("OFFLINE_LIST" if allowed else "NONE")
    assert standing["status"] == ("ACCEPTED" if allowed else "HELD")


def test_an_sdr_is_judged_by_the_version_of_the_agreement_at_its_start(
    cso: Speaker, world: World
) -> None:
    strict = replace(LAX, energy_wh_max=23_455)
    changed_at = STARTED_AT - timedelta(hours=1)
    with world.env.database.begin() as tx:
        make_agreement(tx, world.cso, world.csp, valid_from=changed_at, terms=strict)
    old = sdr_from(changed_at - timedelta(minutes=41))

    items = told(cso, old, make_sdr(sdr_id="NEW"))

    assert [(one["index"], one["rule"]) for one in items] == [("1", "S-203")]
    found = standings(cso, old.sdr_id, "NEW")
    assert [one["agreementVersion"] for one in found] == ["1", "2"]


def test_late_sdrs_fall_in_the_open_window_with_their_flags_on_the_line(
    cso: Speaker, world: World
) -> None:
    world.close("next")
    told(cso, ended(-25 * 3_600), ended(-8 * 86_400))
    closing = world.close("after next")

    window_id = closing.window.window_id
    with world.env.database.begin_read_only() as tx:
        query = select(sdr_rows.c.rule_codes).where(sdr_rows.c.window_id == window_id)
        flags = tx.execute(query.order_by(sdr_rows.c.record_no)).scalars().all()

    assert flags == ["S-304", "S-304 S-307"]
    (settled,) = closing.settlements
    assert settled.sdr_count == 2
