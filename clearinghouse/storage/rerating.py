"""Rating stored SDRs once more, in the database, by the auditor's statement.

The statement of :mod:`clearinghouse.verify.rating` reads plain tables; here they are
given with the query, so that a read-only transaction is enough. Nothing is stored.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any

from sqlalchemy import Connection, text

from clearinghouse.verify.rating import (
    TABLES,
    Row,
    statement,
)

#: SDRs that one statement rates. It bounds what is in memory at once.
RATED_AT_ONCE_MAX = 500

_STORED = text("""
    SELECT s.sdr_no, p.party_id, s.sdr_uid, s.kind, s.vat_rate_bp, s.tariff_version_id,
           s.started_at, s.ended_at, abs(s.idle_seconds) AS idle_seconds,
           abs(s.parking_seconds) AS parking_seconds, s.net_minor, s.currency,
           coalesce(s.detail ->> 'zone', e.time_zone, 'UTC') AS zone, s.detail
    FROM clearing.sdr AS s
    JOIN clearing.participant AS p ON p.participant_id = s.submitter_id
    LEFT JOIN clearing.evse AS e ON e.evse_key = s.evse_key
    WHERE s.window_id = :window_id AND s.sdr_no > :after
    ORDER BY s.sdr_no LIMIT :limit
""")

_GIVEN = """
    WITH rating_sdr AS (
        SELECT r.* FROM jsonb_to_recordset(CAST(:rating_sdr AS jsonb)) AS r (
            sdr_no bigint, tariff_no bigint, sign smallint, vat_rate_bp numeric,
            duration_seconds bigint, parking_seconds bigint, idle_seconds bigint,
            start_minute smallint, start_weekday smallint, start_date date,
            idle_minute smallint, idle_weekday smallint, idle_date date)
    ),
    rating_interval AS (
        SELECT r.* FROM jsonb_to_recordset(CAST(:rating_interval AS jsonb)) AS r (
            sdr_no bigint, interval_no integer, transaction_no integer,
            energy_wh bigint, seconds bigint,
            local_minute smallint, local_weekday smallint, local_date date)
    ),
    rating_connector AS (
        SELECT r.* FROM jsonb_to_recordset(CAST(:rating_connector AS jsonb)) AS r (
            sdr_no bigint, kind text)
    ),
    rating_tariff AS (
        SELECT r.* FROM jsonb_to_recordset(CAST(:rating_tariff AS jsonb)) AS r (
            tariff_no bigint, decimals smallint, minimum_u numeric, maximum_u numeric,
            discount_ppm numeric, vat_included boolean, priced_by text)
    ),
    rating_component AS (
        SELECT r.* FROM jsonb_to_recordset(CAST(:rating_component AS jsonb)) AS r (
            tariff_no bigint, component_no smallint, type text, price_u numeric,
            price_per text, step bigint, tier_from bigint, tier_up_to bigint,
            grace_seconds bigint, local_from smallint, local_until smallint,
            weekdays text, date_from date, date_until date, power_from_w bigint,
            power_up_to_w bigint, duration_from_seconds bigint,
            duration_up_to_seconds bigint, connector text, priority smallint)
    ),
"""

# Both parts are texts of this package; the values go in as parameters.
_RATED = text(_GIVEN + statement().partition("WITH\n")[2])


@dataclass(frozen=True, slots=True, kw_only=True)
class RatedSdr:
    """A stored SDR with what its amount follows from.

    Parking and idling as they were written, which for a credit are those of what it
    takes back; ``detail`` holds the charging transactions.
    """

    sdr_no: int
    submitter_party: str
    sdr_uid: str
    kind: str
    vat_rate_bp: int
    tariff_version_id: int
    started_at: datetime
    ended_at: datetime
    idle_seconds: int
    parking_seconds: int
    net_minor: int
    currency: str
    zone: str
    detail: Mapping[str, Any]


def sdrs_to_rate(tx: Connection, window_id: int, *, after: int) -> list[RatedSdr]:
    """Return the next SDRs of a window behind a number, in order of their numbers."""
    asked = {"window_id": window_id, "after": after, "limit": RATED_AT_ONCE_MAX}
    return [
        RatedSdr(
            sdr_no=row.sdr_no,
            submitter_party=row.party_id,
            sdr_uid=row.sdr_uid,
            kind=row.kind,
            vat_rate_bp=row.vat_rate_bp,
            tariff_version_id=row.tariff_version_id,
            started_at=row.started_at,
            ended_at=row.ended_at,
            idle_seconds=row.idle_seconds,
            parking_seconds=row.parking_seconds,
            net_minor=row.net_minor,
            currency=row.currency,
            zone=row.zone,
            detail=row.detail,
        )
        for row in tx.execute(_STORED, asked)
    ]


def rated_again(tx: Connection, rows: Iterable[Row]) -> dict[int, int]:
    """Return the net minor units of each SDR of the rows, by its number."""
    given: dict[str, list[dict[str, object]]] = {name: [] for name in TABLES.values()}
    for row in rows:
        given[TABLES[type(row)]].append(row._asdict())
    values = {name: json.dumps(some, default=_text) for name, some in given.items()}
    return {row.sdr_no: int(row.net_minor) for row in tx.execute(_RATED, values)}


def _text(value: object) -> str:
    if isinstance(value, date):
        return value.isoformat()
    raise TypeError(f"no field of a row: {value!r}")
