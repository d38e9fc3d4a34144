"""EVSEs: what a station operator tells of its equipment, and how fresh its status is.

Static data and status are apart; in the status, availability (does it work) and
occupancy (is it free) are apart. A status has a time to live: afterwards it is stale
and counts as unknown, which is a change that partners get.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from decimal import Decimal
from enum import StrEnum
from zoneinfo import ZoneInfo

from clearinghouse import codes
from clearinghouse.domain.clock import (
    REPORT_AGE_DAYS_MAX,
    is_too_far_ahead,
    is_too_long_ago,
)
from clearinghouse.domain.errors import Item
from clearinghouse.domain.meter_keys import KeyTextError, check_key
from clearinghouse.identifiers.evse_id import EvseId
from clearinghouse.identifiers.zones import ZONES, zone_named
from clearinghouse.texts import UNSEEN, is_readable, readable

#: Life of a status whose sender named none, by occupancy: a free EVSE is soon taken.
TIME_TO_LIVE_FREE_SECONDS = 300
TIME_TO_LIVE_SECONDS = 1800

#: The longest life of a status. It stops a partner from never having to report again.
TIME_TO_LIVE_MAX_SECONDS = 86_400

#: Power of the strongest connector that is believed: more is watts sent as milliwatts.
POWER_W_MAX = 5_000_000

_MICRODEGREES = 1_000_000
_MICRODEGREE_DIGITS = 6


class Availability(StrEnum):
    """Whether the EVSE works."""

    OPERATIVE = "OPERATIVE"
    INOPERATIVE = "INOPERATIVE"
    UNKNOWN = "UNKNOWN"


class Occupancy(StrEnum):
    """Whether the EVSE is free."""

    FREE = "FREE"
    OCCUPIED = "OCCUPIED"
    RESERVED = "RESERVED"
    UNKNOWN = "UNKNOWN"


@dataclass(frozen=True, slots=True, kw_only=True)
class Connector:
    """A socket or plug of an EVSE, with the power it gives."""

    kind: str
    power_w: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Address:
    """Where an EVSE stands."""

    street: str | None = None
    house_number: str | None = None
    postal_code: str | None = None
    city: str | None = None

    def unreadable(self) -> list[tuple[str, str]]:
        """Return the lines that hold what nobody can see, by their elements' names.

        The schema refuses most of it; its pattern cannot name the higher planes.
        """
        lines = {
            "street": self.street or "",
            "houseNumber": self.house_number or "",
            "city": self.city or "",
        }
        return [(name, line) for name, line in lines.items() if not is_readable(line)]


@dataclass(frozen=True, slots=True, kw_only=True)
class Evse:
    """One EVSE as its operator describes it; ``received`` is the id as it was written.

    Coordinates are microdegrees: integers that compare and print exactly.
    ``meter_public_key``: as it was written, where the meter signs.
    """

    evse_id: EvseId
    received: str
    country: str
    time_zone: str
    operator_id: str | None = None
    latitude_u: int | None = None
    longitude_u: int | None = None
    address: Address = Address()
    connectors: tuple[Connector, ...] = ()
    open_24_hours: bool | None = None
    meter_public_key: str | None = None

    @property
    def power_w(self) -> int:
        """Power of the strongest connector in watts, 0 when none is described."""
        return max((connector.power_w for connector in self.connectors), default=0)


@dataclass(frozen=True, slots=True, kw_only=True)
class EvseStatus:
    """What is known of an EVSE at an instant, and until when it is believed."""

    evse_key: str
    availability: Availability
    occupancy: Occupancy
    occurred_at: datetime
    valid_until: datetime
    stale: bool = False


def time_to_live_seconds(occupancy: Occupancy, stated_seconds: int | None) -> int:
    """Return how long a status lives: as stated, within the bound, or the default."""
    if stated_seconds is not None:
        return max(1, min(stated_seconds, TIME_TO_LIVE_MAX_SECONDS))
    if occupancy is Occupancy.FREE:
        return TIME_TO_LIVE_FREE_SECONDS
    return TIME_TO_LIVE_SECONDS


def valid_until(
    occurred_at: datetime, occupancy: Occupancy, stated_seconds: int | None
) -> datetime:
    """Return until when a reported status is believed."""
    life = timedelta(seconds=time_to_live_seconds(occupancy, stated_seconds))
    return occurred_at + life


def supersedes(incoming: EvseStatus, stored: EvseStatus | None) -> bool:
    """Say whether an incoming status replaces the stored one: older never does.

    Compared by event time, not by arrival; at the same instant the later arrival wins.
    """
    return stored is None or incoming.occurred_at >= stored.occurred_at


def newest(statuses: Iterable[EvseStatus]) -> dict[str, EvseStatus]:
    """Return the newest of several statuses for each EVSE, by its key."""
    found: dict[str, EvseStatus] = {}
    for status in statuses:
        if supersedes(status, found.get(status.evse_key)):
            found[status.evse_key] = status
    return found


def as_of(status: EvseStatus, now: datetime) -> EvseStatus:
    """Return the status as it counts now: unknown once its life is over."""
    if status.stale or now < status.valid_until:
        return status
    return replace(
        status,
        availability=Availability.UNKNOWN,
        occupancy=Occupancy.UNKNOWN,
        stale=True,
    )


def check_status(status: EvseStatus, *, now: datetime, index: int) -> Item | None:
    """Return what is wrong with a reported status, ``None`` when nothing is."""
    if is_too_far_ahead(status.occurred_at, now):
        code = codes.STATUS_FUTURE
        expected = f"not after {now.isoformat(timespec='seconds')}"
    elif is_too_long_ago(status.occurred_at, now):
        code = codes.STATUS_PAST
        expected = f"at most {REPORT_AGE_DAYS_MAX} days ago"
    else:
        return None
    return Item(
        code=code,
        index=index,
        path="occurredAt",
        expected=expected,
        found=status.occurred_at.isoformat(timespec="seconds"),
    )


def check_evse(evse: Evse, *, index: int) -> tuple[Item, ...]:
    """Return what is wrong with the description of an EVSE, field by field."""
    wrong: list[Item] = []

    def note(path: str, expected: str, found: object) -> None:
        wrong.append(
            Item(
                code=codes.EVSE_FIELD,
                index=index,
                path=path,
                expected=expected,
                found=str(found),
            )
        )

    for path, expected, found in (*_wrong_coordinates(evse), *_wrong_key(evse)):
        note(path, expected, found)
    for path, line in evse.address.unreadable():
        note(path, UNSEEN, readable(line))
    if zone_or_none(evse.time_zone) is None:
        note("timeZone", "a zone of the IANA database", evse.time_zone)
    for place, connector in enumerate(evse.connectors):
        if not 0 < connector.power_w <= POWER_W_MAX:
            path = f"connector[{place + 1}]/powerW"
            note(path, f"1 to {POWER_W_MAX} W", connector.power_w)
    return tuple(wrong)


def _wrong_coordinates(evse: Evse) -> Iterator[tuple[str, str, str]]:
    if evse.latitude_u is not None and abs(evse.latitude_u) > 90 * _MICRODEGREES:
        yield "latitude", "-90 to 90 degrees", _degrees(evse.latitude_u)
    if evse.longitude_u is not None and abs(evse.longitude_u) > 180 * _MICRODEGREES:
        yield "longitude", "-180 to 180 degrees", _degrees(evse.longitude_u)
    if (evse.latitude_u is None) != (evse.longitude_u is None):
        yield "latitude", "latitude and longitude together", "one of them"


def _wrong_key(evse: Evse) -> Iterator[tuple[str, str, str]]:
    if evse.meter_public_key is not None:
        try:
            check_key(evse.meter_public_key)
        except KeyTextError as error:
            yield "meterPublicKey", error.expected, "another text"


def _degrees(microdegrees: int) -> str:
    return f"{Decimal(microdegrees).scaleb(-_MICRODEGREE_DIGITS):f}"


def zone_or_none(name: str) -> ZoneInfo | None:
    """Return the IANA zone with this name, ``None`` when there is none.

    ``None`` also for names that only this host gives a meaning.
    """
    return zone_named(name) if name in ZONES else None
