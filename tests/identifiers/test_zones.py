"""Time zones: the data are those of the package, whatever the host has."""

from __future__ import annotations

import zoneinfo
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from importlib import metadata
from importlib.resources import files
from pathlib import Path
from zoneinfo import ZoneInfoNotFoundError

import pytest
import tzdata

from clearinghouse.identifiers.zones import RELEASE, ZONES, zone_named
from tests.conventions.test_packaging import pins

PACKAGE = files(tzdata)
SUMMER = datetime(2026, 7, 1, tzinfo=UTC)


@pytest.fixture
def wrong_host(tmp_path: Path) -> Iterator[Path]:
    """Give a host whose folder of zones takes Berlin for Tokyo."""
    folder = tmp_path / "Europe"
    folder.mkdir()
    tokyo = PACKAGE.joinpath("zoneinfo", "Asia", "Tokyo").read_bytes()
    (folder / "Berlin").write_bytes(tokyo)
    zoneinfo.reset_tzpath([tmp_path])
    zoneinfo.ZoneInfo.clear_cache()
    zone_named.cache_clear()
    yield tmp_path
    zoneinfo.reset_tzpath()
    zoneinfo.ZoneInfo.clear_cache()


@pytest.mark.usefixtures("wrong_host")
def test_what_the_host_says_of_a_zone_counts_for_nothing() -> None:
    hosts = zoneinfo.ZoneInfo("Europe/Berlin")

    ours = zone_named("Europe/Berlin")

    assert SUMMER.astimezone(hosts).utcoffset() == timedelta(hours=9)
    assert SUMMER.astimezone(ours).utcoffset() == timedelta(hours=2)


def test_names_are_those_of_the_package() -> None:
    names = PACKAGE.joinpath("zones").read_text(encoding="utf-8").split()

    # Factory means a clock that nobody has set.
    assert {*names} - {"Factory"} == ZONES


def test_release_is_the_pinned_one() -> None:
    year, number = pins()["tzdata"].split(".")

    assert metadata.version("tzdata") == f"{year}.{number}"
    assert f"{year}{'abcdefghijklmnopqrstuvwxyz'[int(number) - 1]}" == RELEASE


def test_zone_is_the_same_object_each_time() -> None:
    assert zone_named("Europe/Zurich") is zone_named("Europe/Zurich")
    assert zone_named("Europe/Zurich").key == "Europe/Zurich"


@pytest.mark.parametrize("name", ["", "Europe", "../zones", "Factory", "A\x00"])
def test_what_is_no_zone_is_not_found(name: str) -> None:
    with pytest.raises(ZoneInfoNotFoundError):
        zone_named(name)
