"""Rating once more, in SQL: what the clearing house's own rating is held against.

The statement in ``rating.sql`` runs on DuckDB and on PostgreSQL over the tables of
``rating_tables.sql``. It shares no code with the rating at intake: a mistake would have
to be made twice. Local times come as columns, taken here from the IANA time zone
database by the standard library.
"""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from enum import StrEnum
from importlib.resources import files
from typing import NamedTuple
from zoneinfo import ZoneInfo

_MINUTES_PER_HOUR = 60


class Engine(StrEnum):
    """A database that rates; its value is its name for a number of 38 digits."""

    DUCKDB = "HUGEINT"
    POSTGRESQL = "NUMERIC(38, 0)"


#: DuckDB has no function for a quotient of whole numbers, only an operator.
_DUCKDB_DIV = "CREATE OR REPLACE TEMPORARY MACRO div(above, below) AS above // below;"


class LocalTime(NamedTuple):
    """When something began by the clock of its zone; 0 is Monday."""

    minute: int
    weekday: int
    date: date


class SdrRow(NamedTuple):
    """A row of ``rating_sdr``; here as in all of these in the order of the columns."""

    sdr_no: int
    tariff_no: int
    sign: int
    vat_rate_bp: int
    duration_seconds: int
    parking_seconds: int
    idle_seconds: int
    start_minute: int
    start_weekday: int
    start_date: date
    idle_minute: int
    idle_weekday: int
    idle_date: date


class IntervalRow(NamedTuple):
    """A row of ``rating_interval``."""

    sdr_no: int
    interval_no: int
    transaction_no: int
    energy_wh: int
    seconds: int
    local_minute: int
    local_weekday: int
    local_date: date


class ConnectorRow(NamedTuple):
    """A row of ``rating_connector``."""

    sdr_no: int
    kind: str


class TariffRow(NamedTuple):
    """A row of ``rating_tariff``."""

    tariff_no: int
    decimals: int
    minimum_u: int | None
    maximum_u: int | None
    discount_ppm: int
    vat_included: bool
    priced_by: str


class ComponentRow(NamedTuple):
    """A row of ``rating_component``."""

    tariff_no: int
    component_no: int
    type: str
    price_u: int
    price_per: str = "UNIT"
    step: int | None = None
    tier_from: int = 0
    tier_up_to: int | None = None
    grace_seconds: int = 0
    local_from: int | None = None
    local_until: int | None = None
    weekdays: str = ""
    date_from: date | None = None
    date_until: date | None = None
    power_from_w: int = 0
    power_up_to_w: int | None = None
    duration_from_seconds: int = 0
    duration_up_to_seconds: int | None = None
    connector: str | None = None
    priority: int | None = None


Row = SdrRow | IntervalRow | ConnectorRow | TariffRow | ComponentRow

#: The table that rows of a type go to.
TABLES: dict[type[Row], str] = {
    SdrRow: "rating_sdr",
    IntervalRow: "rating_interval",
    ConnectorRow: "rating_connector",
    TariffRow: "rating_tariff",
    ComponentRow: "rating_component",
}


def local_time(at: datetime, zone: ZoneInfo) -> LocalTime:
    """Return minute of the day, weekday and date of an instant in a zone."""
    local = at.astimezone(zone)
    minute = local.hour * _MINUTES_PER_HOUR + local.minute
    return LocalTime(minute, local.weekday(), local.date())


def idle_begin(ended_at: datetime, idle_seconds: int) -> datetime:
    """Return when idling began: it lasts until the session ends."""
    return ended_at.astimezone(UTC) - timedelta(seconds=idle_seconds)


def tables(engine: Engine) -> str:
    """Return the statements that create the tables to be filled, for one session."""
    text = _text("rating_tables.sql").replace("WIDE", engine.value)
    return text + _DUCKDB_DIV if engine is Engine.DUCKDB else text


def statement() -> str:
    """Return the statement that gives ``sdr_no`` and ``net_minor`` of each SDR."""
    return _text("rating.sql")


def _text(name: str) -> str:
    return files("clearinghouse.verify").joinpath(name).read_text(encoding="utf-8")
