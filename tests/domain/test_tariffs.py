"""Tariffs: validity, versions, storage form, and what may be wrong."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from clearinghouse import codes
from clearinghouse.domain.tariff_checks import (
    COMPONENTS_MAX,
    check_change,
    check_tariff,
)
from clearinghouse.domain.tariffs import (
    Component,
    ComponentType,
    PricePer,
    Tariff,
    TariffVersion,
    components_as_json,
    components_from_json,
    digest,
    version_in_force,
)
from tests.domain.builders import HOME_ID, NOW, OTHER_ID, component, make_tariff

ENERGY, IDLE, FLAT = ComponentType.ENERGY, ComponentType.IDLE, ComponentType.FLAT
DAY = timedelta(days=1)


def version(
    number: int,
    *,
    receiver_id: int | None = None,
    valid_from: datetime = NOW - DAY,
    valid_until: datetime | None = None,
) -> TariffVersion:
    tariff = replace(make_tariff(), valid_from=valid_from, valid_until=valid_until)
    return TariffVersion(
        tariff_version_id=number,
        publisher_id=2,
        version=number,
        tariff=tariff,
        receiver_id=receiver_id,
    )


def in_force(*versions: TariffVersion) -> int | None:
    found = version_in_force(versions, receiver_id=HOME_ID, at=NOW)
    return None if found is None else found.version


def test_newest_version_in_force_counts() -> None:
    assert in_force(version(1), version(2)) == 2
    assert in_force(version(1), version(2, valid_from=NOW + DAY)) == 1
    assert in_force(version(1), version(2, valid_until=NOW)) == 1
    assert in_force(version(1, valid_until=NOW)) is None


@pytest.mark.clause("8-min")
def test_tariff_for_the_receiver_goes_before_the_default() -> None:
    mine = version(1, receiver_id=HOME_ID)

    assert in_force(mine, version(9)) == 1
    assert in_force(version(1, receiver_id=OTHER_ID)) is None


def test_good_tariff_has_nothing_wrong() -> None:
    tariff = make_tariff(
        component(ENERGY, "0.40", tier_up_to=40_000, step=100),
        component(IDLE, "0.10", grace_seconds=900, local_from=480, local_until=0),
        component(FLAT, "0.35", weekdays=frozenset({5, 6})),
        component(
            ComponentType.PARKING,
            "0.50",
            price_per=PricePer.STEP,
            step=900,
            grace_seconds=60,
            date_until=NOW.date(),
            power_up_to_w=1,
            connector="CHADEMO",
            priority=1000,
        ),
        minimum="0.50",
        maximum="90",
    )

    assert check_tariff(tariff, index=0) == ()


@pytest.mark.parametrize(
    ("tariff", "path"),
    [
        (make_tariff(currency="EUX"), "currency"),
        (make_tariff(minimum="-1"), "minimum"),
        (make_tariff(minimum="2", maximum="1"), "minimum"),
        (make_tariff(maximum="1000001"), "maximum"),
        (replace(make_tariff(), components=()), "component"),
        (
            make_tariff(*[component(FLAT, "1")] * (COMPONENTS_MAX + 1)),
            "component",
        ),
        (make_tariff(component(ENERGY, "-0.01")), "component[1]/price"),
        (make_tariff(component(ENERGY, "1", step=0)), "component[1]/step"),
        (make_tariff(component(FLAT, "1", step=1)), "component[1]/step"),
        (make_tariff(component(ENERGY, "1", tier_from=-1)), "component[1]/from"),
        (
            make_tariff(component(ENERGY, "1", tier_from=5, tier_up_to=5)),
            "component[1]/upTo",
        ),
        (make_tariff(component(FLAT, "1", tier_up_to=5)), "component[1]/upTo"),
        (
            make_tariff(component(ENERGY, "1", grace_seconds=5)),
            "component[1]/graceSeconds",
        ),
        (make_tariff(component(FLAT, "1", local_from=5)), "component[1]/localFrom"),
        (
            make_tariff(component(FLAT, "1", local_from=0, local_until=1440)),
            "component[1]/localUntil",
        ),
        (
            make_tariff(component(FLAT, "1", weekdays=frozenset({7}))),
            "component[1]/weekday",
        ),
        (replace(make_tariff(), discount_ppm=1_000_001), "discountPpm"),
        (
            make_tariff(component(ENERGY, "1000.1", step=1, price_per=PricePer.STEP)),
            "component[1]/price",
        ),
        (
            make_tariff(component(ENERGY, "1", price_per=PricePer.STEP)),
            "component[1]/pricePer",
        ),
        (
            make_tariff(
                component(FLAT, "1", date_from=NOW.date(), date_until=NOW.date())
            ),
            "component[1]/dateUntil",
        ),
        (make_tariff(component(FLAT, "1", power_from_w=-1)), "component[1]/powerFromW"),
        (
            make_tariff(component(FLAT, "1", power_from_w=5, power_up_to_w=5)),
            "component[1]/powerUpToW",
        ),
        (
            make_tariff(component(FLAT, "1", duration_up_to_seconds=0)),
            "component[1]/durationUpToSeconds",
        ),
        (make_tariff(component(FLAT, "1", priority=0)), "component[1]/priority"),
    ],
)
def test_says_which_field_is_wrong(tariff: Tariff, path: str) -> None:
    items = check_tariff(tariff, index=3)

    assert [(item.index, item.path) for item in items] == [(3, path)]
    assert items[0].code is codes.TARIFF_FIELD
    assert items[0].expected


def test_period_must_not_be_empty() -> None:
    (item,) = check_tariff(
        replace(make_tariff(), valid_until=make_tariff().valid_from), index=0
    )

    assert item.code is codes.TARIFF_PERIOD


def test_change_must_not_reach_into_the_past() -> None:
    past = replace(make_tariff(), valid_from=NOW - timedelta(seconds=1))
    item = check_change(past, now=NOW, index=0)

    assert item is not None
    assert item.code is codes.TARIFF_PAST
    assert check_change(replace(past, valid_from=NOW), now=NOW, index=0) is None


def test_digest_tells_versions_apart_and_no_spelling_of_time() -> None:
    tariff = make_tariff()
    zone = timezone(timedelta(hours=2))
    respelled = replace(tariff, valid_from=tariff.valid_from.astimezone(zone))

    assert digest(respelled) == digest(tariff)
    assert digest(make_tariff(component(ENERGY, "0.50"))) != digest(tariff)
    assert digest(replace(tariff, valid_until=NOW)) != digest(tariff)


COMPONENTS = st.builds(
    Component,
    type=st.sampled_from(ComponentType),
    price_u=st.integers(0, 10**9),
    step=st.none() | st.integers(1, 1000),
    tier_from=st.integers(0, 1000),
    tier_up_to=st.none() | st.integers(1001, 2000),
    grace_seconds=st.integers(0, 1000),
    local_from=st.none() | st.integers(0, 1439),
    local_until=st.none() | st.integers(0, 1439),
    weekdays=st.frozensets(st.integers(0, 6)),
    price_per=st.sampled_from(PricePer),
    date_from=st.none() | st.dates(),
    date_until=st.none() | st.dates(),
    power_from_w=st.none() | st.integers(1, 1000),
    power_up_to_w=st.none() | st.integers(1001, 2000),
    duration_from_seconds=st.none() | st.integers(1, 1000),
    duration_up_to_seconds=st.none() | st.integers(1001, 2000),
    connector=st.none() | st.sampled_from(["CHADEMO", "IEC_62196_T2"]),
    priority=st.none() | st.integers(1, 1000),
)


@given(st.lists(COMPONENTS, max_size=5).map(tuple))
def test_components_survive_storage(components: tuple[Component, ...]) -> None:
    assert components_from_json(components_as_json(components)) == components


@pytest.mark.parametrize(
    "damaged",
    [
        {"type": "ENERGY", "price_u": "1"},
        {"type": "ENERGY", "price_u": 1, "weekdays": 5},
        {"type": "WATER", "price_u": 1},
    ],
)
def test_damaged_storage_is_not_read_as_a_price(damaged: dict[str, object]) -> None:
    with pytest.raises(ValueError, match=r"."):
        components_from_json([damaged])
