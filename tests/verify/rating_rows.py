"""Cases of rating as rows of the tables that the SQL reads."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

from clearinghouse.domain.money import CURRENCIES
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

if TYPE_CHECKING:
    from collections.abc import Iterator

    from clearinghouse.domain.tariffs import Tariff
    from tests.domain.rating_cases import Case


def rows_of(number: int, case: Case) -> Iterator[Row]:
    """Give the rows of a case; its SDR and its tariff both have this number."""
    usage = case.usage
    duration = (usage.ended_at - usage.started_at) // timedelta(seconds=1)
    idle_at = idle_begin(usage.ended_at, usage.idle_seconds)
    yield SdrRow(
        number,
        number,
        case.sign,
        case.vat_rate_bp,
        duration,
        usage.parking_seconds,
        usage.idle_seconds,
        *local_time(usage.started_at, case.zone),
        *local_time(idle_at, case.zone),
    )
    for place, interval in enumerate(usage.intervals):
        yield IntervalRow(
            number,
            place,
            case.transactions[place],
            interval.energy_wh,
            interval.seconds,
            *local_time(interval.started_at, case.zone),
        )
    for kind in {kind.upper() for kind in case.connectors}:
        yield ConnectorRow(number, kind)
    yield from tariff_rows(number, case.tariff)


def tariff_rows(number: int, tariff: Tariff) -> Iterator[Row]:
    """Give the rows of a tariff."""
    yield TariffRow(
        number,
        CURRENCIES[tariff.currency].exponent,
        tariff.minimum_u,
        tariff.maximum_u,
        tariff.discount_ppm,
        tariff.vat_included,
        tariff.priced_by.value,
    )
    for place, one in enumerate(tariff.components):
        yield ComponentRow(
            number,
            place,
            one.type.value,
            one.price_u,
            one.price_per.value,
            one.step,
            one.tier_from,
            one.tier_up_to,
            one.grace_seconds,
            one.local_from,
            one.local_until,
            "".join(str(day) for day in sorted(one.weekdays)),
            one.date_from,
            one.date_until,
            one.power_from_w or 0,
            one.power_up_to_w,
            one.duration_from_seconds or 0,
            one.duration_up_to_seconds,
            one.connector,
            one.priority,
        )
