"""Rating a window once more: each stored amount must follow from what is stored.

The amounts are computed by the auditor's statement, in the database, which shares
nothing with the rating at intake (2.5). Nothing changes: what differs is told.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Connection

from clearinghouse.domain.clock import seconds_between
from clearinghouse.domain.meters import MeterReading, split
from clearinghouse.domain.money import currency_of
from clearinghouse.domain.sdrs import SdrKind
from clearinghouse.domain.tariffs import Component, TariffVersion
from clearinghouse.domain.usage import Interval
from clearinghouse.identifiers.zones import zone_named
from clearinghouse.services.environment import Environment
from clearinghouse.storage import rerating, tariffs
from clearinghouse.storage.rerating import RatedSdr
from clearinghouse.verify.rating import (
    ComponentRow,
    ConnectorRow,
    IntervalRow,
    Row,
    SdrRow,
    TariffRow,
    idle_begin,
    local_time,
)

#: SDRs that are named because their amounts differ; all of them are counted.
DIFFERENCES_MAX = 100


@dataclass(frozen=True, slots=True, kw_only=True)
class Difference:
    """A stored amount that does not follow; both in minor units of the currency."""

    submitter_party: str
    sdr_uid: str
    currency: str
    stored_minor: int
    rated_minor: int


@dataclass(slots=True, kw_only=True)
class Rerated:
    """What came of rating a window once more."""

    sdrs: int = 0
    different: int = 0
    differences: list[Difference]


def rerate(env: Environment, window_id: int) -> Rerated:
    """Rate all SDRs of a window again, held ones too, and tell whose amount differs.

    In one read-only transaction; a replica will do.
    """
    found = Rerated(differences=[])
    after = 0
    with env.database.begin_read_only() as tx:
        while some := rerating.sdrs_to_rate(tx, window_id, after=after):
            again = rerating.rated_again(tx, _rows(tx, some))
            for one in some:
                _compare(found, one, again[one.sdr_no])
            after = some[-1].sdr_no
    return found


def _compare(found: Rerated, one: RatedSdr, rated_minor: int) -> None:
    found.sdrs += 1
    if one.net_minor == rated_minor:
        return
    found.different += 1
    if len(found.differences) < DIFFERENCES_MAX:
        found.differences.append(
            Difference(
                submitter_party=one.submitter_party,
                sdr_uid=one.sdr_uid,
                currency=one.currency,
                stored_minor=one.net_minor,
                rated_minor=rated_minor,
            )
        )


def _rows(tx: Connection, some: Iterable[RatedSdr]) -> Iterator[Row]:
    """Give the rows that the statement reads, for SDRs and for their tariffs."""
    named = set()
    for one in some:
        named.add(one.tariff_version_id)
        yield from _sdr_rows(one)
    for version in tariffs.versions_by_id(tx, named):
        yield from _tariff_rows(version)


def _sdr_rows(one: RatedSdr) -> Iterator[Row]:
    zone = zone_named(one.zone)
    yield SdrRow(
        one.sdr_no,
        one.tariff_version_id,
        -1 if one.kind == SdrKind.CREDIT else 1,
        one.vat_rate_bp,
        seconds_between(one.started_at, one.ended_at),
        one.parking_seconds,
        one.idle_seconds,
        *local_time(one.started_at, zone),
        *local_time(idle_begin(one.ended_at, one.idle_seconds), zone),
    )
    for place, (transaction_no, stretch) in enumerate(_stretches(one.detail)):
        yield IntervalRow(
            one.sdr_no,
            place,
            transaction_no,
            stretch.energy_wh,
            stretch.seconds,
            *local_time(stretch.started_at, zone),
        )
    for kind in sorted({kind.upper() for kind in one.detail.get("connectors", ())}):
        yield ConnectorRow(one.sdr_no, kind)


def _stretches(detail: Mapping[str, Any]) -> Iterator[tuple[int, Interval]]:
    """Give the stretches of charging, each with the number of its transaction."""
    entries = [entry for session in detail["sessions"] for entry in session[3]]
    for number, entry in enumerate(entries):
        _, begin, end, energy_wh, _, _, *readings = entry
        started_at, ended_at = (datetime.fromisoformat(at) for at in (begin, end))
        whole = Interval(started_at, energy_wh, seconds_between(started_at, ended_at))
        marks = [
            MeterReading(datetime.fromisoformat(at), register_wh)
            for part in readings
            for at, register_wh in part
        ]
        for stretch in split(whole, ended_at, marks):
            yield number, stretch


def _tariff_rows(version: TariffVersion) -> Iterator[Row]:
    tariff, number = version.tariff, version.tariff_version_id
    yield TariffRow(
        number,
        currency_of(tariff.currency).exponent,
        tariff.minimum_u,
        tariff.maximum_u,
        tariff.discount_ppm,
        tariff.vat_included,
        tariff.priced_by.value,
    )
    for place, component in enumerate(tariff.components):
        yield _component_row(number, place, component)


def _component_row(number: int, place: int, component: Component) -> ComponentRow:
    return ComponentRow(
        tariff_no=number,
        component_no=place,
        type=component.type.value,
        price_u=component.price_u,
        price_per=component.price_per.value,
        step=component.step,
        tier_from=component.tier_from,
        tier_up_to=component.tier_up_to,
        grace_seconds=component.grace_seconds,
        local_from=component.local_from,
        local_until=component.local_until,
        weekdays="".join(str(day) for day in sorted(component.weekdays)),
        date_from=component.date_from,
        date_until=component.date_until,
        power_from_w=component.power_from_w or 0,
        power_up_to_w=component.power_up_to_w,
        duration_from_seconds=component.duration_from_seconds or 0,
        duration_up_to_seconds=component.duration_up_to_seconds,
        connector=component.connector,
        priority=component.priority,
    )
