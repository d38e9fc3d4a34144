"""Service tariff: publishing and pulling prices (4.3-I3).

A bound of the day that is left out is midnight, as the contract has it: the domain
wants both or none.
"""

from __future__ import annotations

from datetime import date
from decimal import Decimal

from clearinghouse.domain.money import micro_to_decimal, to_micro
from clearinghouse.domain.tariffs import Component, PricedBy, PricePer, Tariff
from clearinghouse.facades.iec63119 import pages, results
from clearinghouse.facades.iec63119.operations import (
    Desk,
    OperationSpec,
    exchange_of,
    sender_of,
)
from clearinghouse.facades.iec63119.vocabulary import (
    COMPONENT_TYPE,
    PRICE_PER,
    PRICED_BY,
)
from clearinghouse.services import tariffs
from clearinghouse.services.outcomes import Refusal
from clearinghouse.services.tariffs import ListedTariff, OfferedTariff, Published
from clearinghouse.soap.binding import Record
from clearinghouse.soap.operations import Call

#: Tariffs of one page when the request names no limit; the schema allows no more.
PAGE_LIMIT_DEFAULT = 200

_WEEKDAYS = ("MON", "TUE", "WED", "THU", "FRI", "SAT", "SUN")
_MINUTES_PER_HOUR = 60


def _put_tariffs(desk: Desk, call: Call) -> bytes:
    offered = tuple(
        OfferedTariff(tariff=_tariff(record), receiver_party=record.receiver_id)
        for record in call.body.tariff
    )

    def render(outcome: Published | Refusal) -> bytes:
        if isinstance(outcome, Refusal):
            return results.answer(desk.bindings, call, outcome)
        return results.answer(
            desk.bindings,
            call,
            outcome,
            tariff_version=[_version(desk, one) for one in outcome.tariffs],
        )

    return tariffs.put_tariffs(desk.env, exchange_of(call), offered, render)


def _get_tariffs(desk: Desk, call: Call) -> bytes:
    page = tariffs.get_tariffs(
        desk.env,
        sender_of(call),
        cso_party=call.body.cso_id,
        cursor=call.body.cursor,
        limit=call.body.limit or PAGE_LIMIT_DEFAULT,
    )
    return pages.answer(desk, call, page, name="tariff", listed=_listed)


def _tariff(record: Record) -> Tariff:
    return Tariff(
        tariff_id=record.tariff_id,
        currency=record.currency,
        valid_from=record.valid_from,
        valid_until=record.valid_until,
        minimum_u=None if record.minimum is None else to_micro(record.minimum),
        maximum_u=None if record.maximum is None else to_micro(record.maximum),
        components=tuple(_component(one) for one in record.component),
        discount_ppm=record.discount_ppm or 0,
        vat_included=bool(record.vat_included),
        priced_by=PRICED_BY.read(record.priced_by or PricedBy.INTERVAL),
    )


def _component(record: Record) -> Component:
    start, end = _minute(record.local_from), _minute(record.local_until)
    if (start is None) != (end is None):
        start, end = start or 0, end or 0
    return Component(
        type=COMPONENT_TYPE.read(record.type),
        price_u=to_micro(record.price),
        step=record.step,
        tier_from=record.from_ or 0,
        tier_up_to=record.up_to,
        grace_seconds=record.grace_seconds or 0,
        local_from=start,
        local_until=end,
        weekdays=frozenset(_WEEKDAYS.index(day) for day in record.weekday),
        price_per=PRICE_PER.read(record.price_per or PricePer.UNIT),
        date_from=_date(record.date_from),
        date_until=_date(record.date_until),
        power_from_w=record.power_from_w or None,
        power_up_to_w=record.power_up_to_w,
        duration_from_seconds=record.duration_from_seconds or None,
        duration_up_to_seconds=record.duration_up_to_seconds,
        connector=record.connector_kind,
        priority=record.priority,
    )


def _version(desk: Desk, one: ListedTariff) -> Record:
    return desk.bindings.new(
        "tariff:TariffVersion",
        tariff_id=one.tariff.tariff_id,
        version=one.version,
        receiver_id=one.receiver_party,
    )


def _listed(desk: Desk, one: ListedTariff) -> Record:
    tariff = one.tariff
    return desk.bindings.new(
        "tariff:ListedTariff",
        cso_id=one.publisher_party,
        version=one.version,
        tariff=desk.bindings.new(
            "tariff:Tariff",
            tariff_id=tariff.tariff_id,
            receiver_id=one.receiver_party,
            currency=tariff.currency,
            valid_from=tariff.valid_from,
            valid_until=tariff.valid_until,
            minimum=_price(tariff.minimum_u),
            maximum=_price(tariff.maximum_u),
            component=[_component_record(desk, one) for one in tariff.components],
            discount_ppm=tariff.discount_ppm or None,
            vat_included=tariff.vat_included or None,
            priced_by=(
                None
                if tariff.priced_by is PricedBy.INTERVAL
                else PRICED_BY.write(tariff.priced_by)
            ),
        ),
    )


def _component_record(desk: Desk, component: Component) -> Record:
    return desk.bindings.new(
        "tariff:TariffComponent",
        type=COMPONENT_TYPE.write(component.type),
        price=_price(component.price_u),
        step=component.step,
        from_=component.tier_from or None,
        up_to=component.tier_up_to,
        grace_seconds=component.grace_seconds or None,
        local_from=_time(component.local_from),
        local_until=_time(component.local_until),
        weekday=[_WEEKDAYS[day] for day in sorted(component.weekdays)],
        price_per=(
            None
            if component.price_per is PricePer.UNIT
            else PRICE_PER.write(component.price_per)
        ),
        date_from=_date_text(component.date_from),
        date_until=_date_text(component.date_until),
        power_from_w=component.power_from_w,
        power_up_to_w=component.power_up_to_w,
        duration_from_seconds=component.duration_from_seconds,
        duration_up_to_seconds=component.duration_up_to_seconds,
        connector_kind=component.connector,
        priority=component.priority,
    )


def _price(price_u: int | None) -> Decimal | None:
    return None if price_u is None else micro_to_decimal(price_u)


def _date(text: str | None) -> date | None:
    return None if text is None else date.fromisoformat(text)


def _date_text(day: date | None) -> str | None:
    return None if day is None else day.isoformat()


def _minute(text: str | None) -> int | None:
    """Return the minute of the day that ``HH:MM`` names."""
    if text is None:
        return None
    hours, minutes = text.split(":")
    return int(hours) * _MINUTES_PER_HOUR + int(minutes)


def _time(minute: int | None) -> str | None:
    if minute is None:
        return None
    hours, minutes = divmod(minute, _MINUTES_PER_HOUR)
    return f"{hours:02d}:{minutes:02d}"


OPERATIONS = (
    OperationSpec(
        service="tariff", name="PutTariffs", handle=_put_tariffs, changes=True
    ),
    OperationSpec(
        service="tariff", name="GetTariffs", handle=_get_tariffs, changes=False
    ),
)
