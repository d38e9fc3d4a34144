"""The borders of the rule catalogue: for each rule what is just beyond, and just not.

A rule that needs more than records and a little of the world has its border in a test
with the mark ``border``. A convention test asks that no rule is without.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import timedelta, timezone
from decimal import Decimal
from typing import NamedTuple

from clearinghouse.domain.agreements import Terms
from clearinghouse.domain.credentials import CredentialStatus
from clearinghouse.domain.debit_caps import DebitCap
from clearinghouse.domain.privacy import SubjectKind
from clearinghouse.domain.sdrs import SdrKind, ServiceDetailRecord
from clearinghouse.domain.sessions import SessionState
from clearinghouse.domain.travel import distance_m
from clearinghouse.services import debit_caps
from clearinghouse.storage import billing, sessions, tariffs
from clearinghouse.storage.tariffs import Publication
from tests.builders import NOW, make_profile, make_session
from tests.flows.catalogue import (
    CARD,
    LAX,
    SESSION,
    charged,
    dear,
    ended,
    enrol,
    local,
    metered,
    sdr_from,
    with_card,
)
from tests.services.sdr_world import (
    SINCE,
    STARTED_AT,
    World,
    make_sdr,
    price,
    put_evse,
    spanning,
)


def _nothing(world: World) -> None:
    """Leave the world as it is."""


class Border(NamedTuple):
    """A hit in full, a record that is just beyond the border, and one just within.

    ``before``: what the same submitter sent before; ``world``: what makes the world as
    the rule needs it, ``within_world`` where that is what differs.
    """

    hit: tuple[str, str, str, str, str]
    beyond: ServiceDetailRecord
    within: ServiceDetailRecord
    before: Sequence[ServiceDetailRecord] = ()
    world: Callable[[World], None] = _nothing
    within_world: Callable[[World], None] | None = None
    terms: Terms = LAX

    @property
    def rule(self) -> str:
        """The rule whose border it is."""
        return self.hit[1]


_TX = f"{SESSION}/chargingSession[1]/chargingTransaction[1]"
_BEFORE = SINCE - timedelta(seconds=1)
_NOW = NOW.isoformat(timespec="seconds")

_ENDED_AT = STARTED_AT + timedelta(minutes=40)
_ORIGINAL = make_sdr()
_TWICE = make_sdr()
_SHORT = charged(100, minutes=1, claimed="0.05")
_CREDIT = replace(
    _ORIGINAL, sdr_id="CREDIT", kind=SdrKind.CREDIT, ref_sdr_id=_ORIGINAL.sdr_id
)
_FAR = {"latitude_u": 47_948_100}
_METRES = distance_m((46_948_100, 7_447_400), (47_948_100, 7_447_400))
#: Seconds that 200 km/h take there, rounded down.
_JOURNEY = _METRES * 3600 // 200_000


def _shifted(record: ServiceDetailRecord, seconds: int) -> ServiceDetailRecord:
    minutes = (record.ended_at - record.started_at) // timedelta(minutes=1)
    begin = record.started_at + timedelta(seconds=seconds)
    energy_wh = record.energy_wh
    shifted = spanning(record, begin, minutes=minutes, energy_wh=energy_wh)
    return replace(shifted, sdr_id=f"{record.sdr_id}-{seconds}")


def _far(seconds: int) -> ServiceDetailRecord:
    """Return a session far away, so many seconds after the end of the usual one."""
    begin = _ENDED_AT + timedelta(seconds=seconds)
    return with_card(sdr_from(begin, evse_id="CH*REP*E0009*1"))


def _with_user(world: World) -> None:
    enrol(world, at=SINCE)
    put_evse(world, "CH*REP*E0009*1", **_FAR)


def _with_session(world: World) -> None:
    """Let a user's session have begun as the usual SDR does."""
    enrol(world, at=SINCE)
    found = world.env.vault.find_subjects(SubjectKind.RFID, {CARD: []}, budget="bulk")
    session = make_session(
        world.cso,
        world.csp,
        state=SessionState.ENDED,
        created_at=STARTED_AT,
        subject_id=found[CARD].subject_id,
    )
    with world.env.database.begin() as tx:
        sessions.insert_session(tx, session)


def _blocked(world: World) -> None:
    enrol(world, at=SINCE)
    enrol(world, at=STARTED_AT, status=CredentialStatus.BLOCKED)


def _changing_tariff(world: World) -> None:
    newer = replace(price(500_000), valid_from=_ENDED_AT)
    with world.env.database.begin() as tx:
        published = Publication(publisher_id=world.cso.participant_id, tariff=newer)
        tariffs.publish(tx, published, at=SINCE)


def _cap(limit_minor: int) -> Callable[[World], None]:
    def put(world: World) -> None:
        cap = DebitCap(
            party_id="DEABC", currency="EUR", limit_minor=limit_minor, valid_from=NOW
        )
        debit_caps.put_cap(world.env, cap)

    return put


def _taxed(world: World) -> None:
    """Give the submitter a German VAT id, and EVSEs in Germany and far away."""
    with world.env.database.begin() as tx:
        billing.add_profile(tx, make_profile("CHREP"), at=SINCE)
    put_evse(world, "CH*REP*E0DE*1", country="DE", time_zone="Europe/Berlin")
    put_evse(world, "CH*REP*E0US*1", country="US", time_zone="America/New_York")


_GERMAN = make_sdr(evse_id="CH*REP*E0DE*1")


BORDERS: tuple[Border, ...] = (
    Border(
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
    Border(
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
    Border(
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
    Border(
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
    Border(
        ("617", "S-107", f"{SESSION}/endedAt", "at most 30 days ago", "30 days"),
        ended(-30 * 86_400 - 1),
        ended(-30 * 86_400),
    ),
    Border(
        ("620", "S-110", f"{_TX}/energyWh", "at most 23455", "23456"),
        metered(0, 23_454),
        metered(0, 23_455),
    ),
    Border(
        ("620", "S-110", f"{_TX}/meterStopWh", "10 or more", "9"),
        metered(10, 9),
        metered(0, 23_456),
    ),
    Border(
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
    Border(
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
    Border(
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
    Border(
        ("638", "S-208", "claimedNet", "11.49 EUR", "11.55 EUR"),
        make_sdr(claimed_net=Decimal("11.55")),
        make_sdr(claimed_net=Decimal("11.54")),
    ),
    Border(
        ("639", "S-209", "claimedNet", "at most 150.00 EUR", "150.01 EUR"),
        dear(306_133, "150.01"),
        dear(306_123, "150.00"),
    ),
    Border(
        ("163", "S-302", f"{SESSION}/chargingSession", "100 Wh or more", "99 Wh"),
        charged(99, minutes=10, claimed="0.05"),
        charged(100, minutes=10, claimed="0.05"),
    ),
    Border(
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
    Border(
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
    Border(
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
    Border(
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
    Border(
        ("180", "S-305", f"{SESSION}/evseId", "CH*823*E1*1", "+41*823*1*1"),
        make_sdr(evse_id="+41*823*1*1"),
        make_sdr(evse_id="CH8230001"),
    ),
    Border(
        (
            "611",
            "S-101",
            "sdrId",
            "the content first sent, or a new id",
            "other content",
        ),
        replace(_TWICE, claimed_net=Decimal("11.50")),
        _TWICE,
        before=[_TWICE],
    ),
    Border(
        ("614", "S-104", "currency", "EUR", "CHF"),
        make_sdr(currency="CHF"),
        make_sdr(),
    ),
    Border(
        ("614", "S-104", "currency", "a currency code of ISO 4217", "XXQ"),
        make_sdr(currency="XXQ"),
        make_sdr(),
    ),
    Border(
        ("614", "S-104", "claimedNet", "at most 2 decimals in EUR", "1.005"),
        make_sdr(claimed_net=Decimal("1.005")),
        make_sdr(claimed_net=Decimal("1.00")),
    ),
    Border(
        (
            "615",
            "S-105",
            "tariffId",
            f"a tariff in force at {_BEFORE.isoformat()}",
            "T-1",
        ),
        sdr_from(_BEFORE),
        sdr_from(SINCE),
    ),
    Border(
        (
            "615",
            "S-105",
            "tariffId",
            f"a tariff in force at {STARTED_AT.isoformat()}",
            "T-2",
        ),
        make_sdr(tariff_id="T-2"),
        make_sdr(tariff_id="T-1"),
    ),
    Border(
        ("618", "S-108", "claimedNet", "0 or more", "-0.01"),
        make_sdr(claimed_net=Decimal("-0.01")),
        make_sdr(claimed_net=Decimal("0.00")),
    ),
    Border(
        ("619", "S-109", "claimedNet", "11.49", "11.48"),
        replace(_CREDIT, claimed_net=Decimal("11.48")),
        _CREDIT,
        before=[_ORIGINAL],
    ),
    Border(
        (
            "631",
            "S-201",
            f"{SESSION}/sessionId",
            "a session authorized here",
            "no session id, and none fits",
        ),
        with_card(sdr_from(STARTED_AT + timedelta(seconds=301))),
        with_card(sdr_from(STARTED_AT + timedelta(seconds=300))),
        world=_with_session,
        terms=Terms(),
    ),
    Border(
        (
            "635",
            "S-205",
            f"{SESSION}/startedAt",
            "at most 60 s shared on the EVSE",
            f"61 s shared with {_ORIGINAL.sdr_id}",
        ),
        sdr_from(_ENDED_AT - timedelta(seconds=61)),
        sdr_from(_ENDED_AT - timedelta(seconds=60)),
        before=[_ORIGINAL],
    ),
    Border(
        (
            "636",
            "S-206",
            f"{SESSION}/startedAt",
            "at most 200 km/h between two sessions",
            f"{_METRES // 1000} km in {_JOURNEY} s",
        ),
        _far(_JOURNEY),
        _far(_JOURNEY + 1),
        before=[with_card(_ORIGINAL)],
        world=_with_user,
    ),
    Border(
        (
            "637",
            "S-207",
            f"{SESSION}/startedAt",
            "another session",
            f"nearly the same as {_SHORT.sdr_id}",
        ),
        _shifted(_SHORT, 60),
        _shifted(_SHORT, 61),
        before=[_SHORT],
    ),
    Border(
        (
            "640",
            "S-210",
            f"{SESSION}/credential",
            f"a credential that was valid at {STARTED_AT.isoformat()}",
            "blocked",
        ),
        with_card(make_sdr()),
        with_card(sdr_from(STARTED_AT - timedelta(seconds=1))),
        world=_blocked,
    ),
    Border(
        (
            "641",
            "S-211",
            f"{SESSION}/cspId",
            "room under the net debit cap of the CSP",
            "11.49 EUR without VAT more",
        ),
        make_sdr(),
        make_sdr(),
        world=_cap(1148),
        within_world=_cap(1149),
    ),
    Border(
        (
            "642",
            "S-212",
            f"{SESSION}/evseId",
            "a rule of VAT for DE selling to DE in US",
            "none",
        ),
        make_sdr(evse_id="CH*REP*E0US*1"),
        _GERMAN,
        world=_taxed,
    ),
    Border(
        (
            "642",
            "S-212",
            f"{SESSION}/evseId",
            "an EVSE where a VAT id of DE may charge VAT",
            "an EVSE in CH",
        ),
        make_sdr(),
        _GERMAN,
        world=_taxed,
    ),
    Border(
        ("162", "S-301", "claimedNet", "11.49 EUR", "11.50 EUR"),
        make_sdr(claimed_net=Decimal("11.50")),
        make_sdr(),
    ),
    Border(
        ("162", "S-301", "claimedNet", "11.49 EUR", "11.54 EUR"),
        make_sdr(claimed_net=Decimal("11.54")),
        make_sdr(claimed_net=Decimal("11.55")),  # held instead, by S-208
    ),
    Border(
        (
            "167",
            "S-306",
            "tariffId",
            f"no change before {_ENDED_AT.isoformat()}",
            f"changed or ended at {_ENDED_AT.isoformat()}",
        ),
        make_sdr(),
        sdr_from(STARTED_AT - timedelta(seconds=1)),
        world=_changing_tariff,
    ),
)
"""By rule; those of a batch are in the tests."""
