"""Rating every SDR of a bundle again, from its tariff and what it says was used.

The rating itself is that of :mod:`clearinghouse.verify.rating`; here its tables are
filled. Local times are those of the IANA time zone database, package ``tzdata``: the
engine's own may be of another release.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from importlib.resources import files
from pathlib import Path
from zoneinfo import ZoneInfo

import duckdb

from clearinghouse.verify import rating
from clearinghouse.verify.report import Report

_HERE = Path(__file__).parent
_ZONE = re.compile(r"[A-Za-z0-9_+-]+(/[A-Za-z0-9_+-]+){0,2}")
_DAY = timedelta(days=1)
_SECOND = timedelta(seconds=1)
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)

#: Days around the SDRs for which offsets are looked up: a session and its idle time.
_MARGIN = timedelta(days=62)

#: No SDR is of another time; what says so finds no offset, and so no amount.
#: As microseconds since 1970: for an instant duckdb wants a package that is not ours.
_RANGE = """
    SELECT epoch_us(greatest(min(started_at), TIMESTAMPTZ '2000-01-01 00:00:00+00')),
           epoch_us(least(max(ended_at), TIMESTAMPTZ '2100-01-01 00:00:00+00'))
    FROM sdr
"""
_ZONES = "SELECT zone, min(line_no) FROM sdr GROUP BY zone ORDER BY zone"
_OFFSETS = (
    "CREATE TABLE zone_offset (zone VARCHAR, since TIMESTAMPTZ, offset_seconds BIGINT)"
)
_OFFSET = "INSERT INTO zone_offset VALUES (?, ?, ?)"


def rerate(db: duckdb.DuckDBPyConnection, report: Report) -> None:
    """Rate all accepted SDRs into the table ``rerated``; report zones that are none."""
    db.execute(_OFFSETS)
    first, last = db.execute(_RANGE).fetchone() or (None, None)
    for name, line in db.execute(_ZONES).fetchall():
        zone = _zone(name)
        if zone is None:
            report.add("sdrs.tsv", line, "zone", "one of the IANA database", name)
        elif first is not None and last is not None:
            begin, end = _instant(first), _instant(last)
            changes = _offsets(zone, begin - _MARGIN, end + _MARGIN)
            db.executemany(_OFFSET, [(name, since, ahead) for since, ahead in changes])
    db.execute(rating.tables(rating.Engine.DUCKDB))
    db.execute((_HERE / "rerating.sql").read_text(encoding="utf-8"))
    statement = rating.statement().rstrip().rstrip(";")
    db.sql(statement).create("rerated")


def _instant(microseconds: int) -> datetime:
    return _EPOCH + timedelta(microseconds=microseconds)


def _zone(name: str | None) -> ZoneInfo | None:
    """Return a zone of the package, none that a name from outside leads to."""
    if name is None or not _ZONE.fullmatch(name):
        return None
    place = files("tzdata").joinpath("zoneinfo", *name.split("/"))
    if not place.is_file():
        return None
    with place.open("rb") as file:
        try:
            return ZoneInfo.from_file(file, key=name)
        except ValueError:
            return None


def _offsets(
    zone: ZoneInfo, first: datetime, last: datetime
) -> Iterator[tuple[datetime, int]]:
    """Give since when the zone is so many seconds ahead, between two instants."""
    at = first.astimezone(UTC)
    ahead = _ahead(zone, at)
    yield at, ahead
    while at < last:
        after = at + _DAY
        if _ahead(zone, after) != ahead:
            at, after = _change(zone, at, after)
            ahead = _ahead(zone, after)
            yield after, ahead
        at = after


def _change(
    zone: ZoneInfo, before: datetime, after: datetime
) -> tuple[datetime, datetime]:
    """Return the last second before an offset changes, and the first one after."""
    old = _ahead(zone, before)
    while after - before > _SECOND:
        middle = before + (after - before) // _SECOND // 2 * _SECOND
        if _ahead(zone, middle) == old:
            before = middle
        else:
            after = middle
    return before, after


def _ahead(zone: ZoneInfo, at: datetime) -> int:
    offset = at.astimezone(zone).utcoffset()
    return 0 if offset is None else offset // _SECOND
