"""EVSEs: descriptions that make sense, status that ages."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from clearinghouse import codes
from clearinghouse.domain.evses import (
    TIME_TO_LIVE_FREE_SECONDS,
    TIME_TO_LIVE_MAX_SECONDS,
    TIME_TO_LIVE_SECONDS,
    Address,
    Availability,
    Connector,
    Evse,
    EvseStatus,
    Occupancy,
    as_of,
    check_evse,
    check_status,
    newest,
    supersedes,
    time_to_live_seconds,
    valid_until,
    zone_or_none,
)
from clearinghouse.identifiers import evse_id
from clearinghouse.identifiers.zones import ZONES
from tests.domain.builders import NOW, seconds


def make_evse() -> Evse:
    return Evse(
        evse_id=evse_id.parse("CH*VIS*E1*1"),
        received="CH*VIS*E1*1",
        country="CH",
        time_zone="Europe/Zurich",
        latitude_u=46_000_000,
        longitude_u=8_900_000,
        connectors=(
            Connector(kind="Type2Outlet", power_w=22_000),
            Connector(kind="CCS2", power_w=50_000),
        ),
    )


def make_status(
    occurred_seconds: int = 0, *, occupancy: Occupancy = Occupancy.FREE
) -> EvseStatus:
    occurred_at = NOW + seconds(occurred_seconds)
    return EvseStatus(
        evse_key="CHVISE11",
        availability=Availability.OPERATIVE,
        occupancy=occupancy,
        occurred_at=occurred_at,
        valid_until=valid_until(occurred_at, occupancy, None),
    )


@pytest.mark.clause("3.3")
def test_good_description_has_nothing_wrong() -> None:
    assert check_evse(make_evse(), index=0) == ()
    assert make_evse().power_w == 50_000
    assert replace(make_evse(), connectors=()).power_w == 0


@pytest.mark.parametrize(
    ("evse", "path"),
    [
        (replace(make_evse(), latitude_u=90_000_001), "latitude"),
        (replace(make_evse(), longitude_u=-180_000_001), "longitude"),
        (replace(make_evse(), longitude_u=None), "latitude"),
        (replace(make_evse(), address=Address(street="Gate\u202e4")), "street"),
        (
            replace(make_evse(), address=Address(house_number="3\U000e0100")),
            "houseNumber",
        ),
        (replace(make_evse(), address=Address(city="\U000f0000")), "city"),
        (replace(make_evse(), time_zone="Europe/Bern"), "timeZone"),
        (replace(make_evse(), meter_public_key="04AB"), "meterPublicKey"),
        (replace(make_evse(), time_zone="../etc"), "timeZone"),
        (
            replace(make_evse(), connectors=(Connector(kind="CCS2", power_w=0),)),
            "connector[1]/powerW",
        ),
    ],
)
def test_says_which_field_is_wrong(evse: Evse, path: str) -> None:
    (item,) = check_evse(evse, index=7)

    assert (item.index, item.path, item.code) == (7, path, codes.EVSE_FIELD)


@pytest.mark.parametrize("name", ["", "Mars/Base", "Europe", "/Europe/Zurich", "A\x00"])
def test_what_is_no_zone_is_none(name: str) -> None:
    assert zone_or_none(name) is None


@pytest.mark.parametrize(
    "name",
    ["localtime", "posixrules", "Factory", "right/Europe/Berlin", "posix/UTC"],
)
def test_a_zone_that_only_the_host_knows_is_none(name: str) -> None:
    assert zone_or_none(name) is None


@pytest.mark.parametrize("name", ["Europe/Zurich", "UTC", "Asia/Calcutta", "US/Alaska"])
def test_zones_of_the_database_and_their_old_names_are_known(name: str) -> None:
    assert str(zone_or_none(name)) == name


def test_every_name_means_a_zone() -> None:
    assert len(ZONES) > 500
    assert [name for name in ZONES if str(zone_or_none(name)) != name] == []


@pytest.mark.parametrize(
    ("occupancy", "stated", "life"),
    [
        (Occupancy.FREE, None, TIME_TO_LIVE_FREE_SECONDS),
        (Occupancy.OCCUPIED, None, TIME_TO_LIVE_SECONDS),
        (Occupancy.FREE, 60, 60),
        (Occupancy.FREE, 0, 1),
        (Occupancy.FREE, 10**9, TIME_TO_LIVE_MAX_SECONDS),
    ],
)
def test_status_lives_as_long_as_stated_within_bounds(
    occupancy: Occupancy, stated: int | None, life: int
) -> None:
    assert time_to_live_seconds(occupancy, stated) == life


@pytest.mark.clause("4.3-I3")
def test_older_status_never_overwrites_a_newer_one() -> None:
    stored = make_status(0)

    assert not supersedes(make_status(-1), stored)
    assert supersedes(make_status(0), stored)
    assert supersedes(make_status(1), stored)
    assert supersedes(make_status(-1), None)


def test_stale_status_is_unknown() -> None:
    status = make_status()
    last = NOW + seconds(TIME_TO_LIVE_FREE_SECONDS - 1)

    assert as_of(status, last) == status
    stale = as_of(status, last + seconds(1))
    assert stale.stale
    assert stale.availability is Availability.UNKNOWN
    assert stale.occupancy is Occupancy.UNKNOWN
    assert as_of(stale, last) == stale


def test_status_in_the_future_is_refused() -> None:
    item = check_status(make_status(121), now=NOW, index=2)

    assert check_status(make_status(120), now=NOW, index=2) is None
    assert item is not None
    assert (item.index, item.code) == (2, codes.STATUS_FUTURE)


def test_status_of_another_year_is_refused() -> None:
    days = 60 * 86_400
    item = check_status(make_status(-days - 1), now=NOW, index=2)

    assert check_status(make_status(-days), now=NOW, index=2) is None
    assert item is not None
    assert (item.code, item.path) == (codes.STATUS_PAST, "occurredAt")


@given(st.lists(st.integers(-1000, 1000), min_size=1, max_size=20))
def test_newest_status_wins_in_any_order(offsets: list[int]) -> None:
    (found,) = newest(make_status(offset) for offset in offsets).values()

    assert found.occurred_at == NOW + timedelta(seconds=max(offsets))


def test_of_two_statuses_of_one_instant_the_later_counts() -> None:
    first = make_status(0)
    second = replace(first, occupancy=Occupancy.OCCUPIED)
    other = replace(first, evse_key="CHVISE12")

    assert newest([first, other, second]) == {
        first.evse_key: second,
        other.evse_key: other,
    }
