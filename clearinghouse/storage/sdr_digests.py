"""Completeness of SDRs: counts, sums and a digest over ids, per partner and day."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date
from typing import NamedTuple

from sqlalchemy import Connection, text

from clearinghouse.domain.sdr_digests import Days

# An SDR that came on a day stands in a window that was not cut over before it: in the
# one of that day, or in a later one, when it was held and taken in.
_DIGESTS = text("""
    WITH seen AS (
        SELECT CASE WHEN CAST(:as_home AS boolean) THEN s.submitter_id
                    ELSE s.csp_id END AS partner_id,
               CAST(s.received_at AT TIME ZONE 'UTC' AS date) AS day,
               s.status, s.currency, s.energy_wh, s.net_minor, s.sdr_uid
        FROM clearing.sdr AS s
        WHERE s.window_id IN (
            SELECT window_id FROM clearing.settlement_window
            WHERE cutover_at IS NULL OR cutover_at >= :starts_at)
          AND s.received_at >= :starts_at AND s.received_at < :ends_at
          AND CASE WHEN CAST(:as_home AS boolean)
                   THEN s.csp_id = :participant_id AND s.status = 'ACCEPTED'
                   ELSE s.submitter_id = :participant_id END
          AND (s.status = 'ACCEPTED' OR NOT EXISTS (
            SELECT FROM clearing.sdr_exclusion AS x
            WHERE x.window_id = s.window_id AND x.sdr_no = s.sdr_no))
    ), summed AS (
        SELECT partner_id, day,
               count(*) FILTER (WHERE status = 'ACCEPTED') AS accepted,
               count(*) FILTER (WHERE status = 'HELD') AS held,
               coalesce(sum(energy_wh) FILTER (WHERE status = 'ACCEPTED'), 0) AS wh,
               sha256(convert_to(coalesce(string_agg(upper(sdr_uid) || chr(10), ''
                   ORDER BY upper(sdr_uid) COLLATE "C")
                   FILTER (WHERE status = 'ACCEPTED'), ''), 'UTF8')) AS digest
        FROM seen GROUP BY partner_id, day
    ), money AS (
        SELECT partner_id, day, jsonb_object_agg(currency, net) AS net FROM (
            SELECT partner_id, day, currency, sum(net_minor)::bigint AS net
            FROM seen WHERE status = 'ACCEPTED' GROUP BY partner_id, day, currency
        ) AS by_currency GROUP BY partner_id, day
    ), refused AS (
        SELECT p.participant_id AS partner_id,
               CAST(r.received_at AT TIME ZONE 'UTC' AS date) AS day,
               count(*) AS refused
        FROM clearing.refused_sdr AS r
        LEFT JOIN clearing.participant AS p ON p.party_id = r.csp_party
        WHERE NOT CAST(:as_home AS boolean) AND r.submitter_id = :participant_id
          AND r.received_at >= :starts_at AND r.received_at < :ends_at
        GROUP BY 1, 2
    )
    SELECT day, p.party_id, coalesce(accepted, 0) AS accepted,
           coalesce(held, 0) AS held, coalesce(refused, 0) AS refused,
           coalesce(wh, 0)::bigint AS energy_wh, net,
           coalesce(digest, sha256('')) AS digest
    FROM summed
    FULL JOIN refused USING (partner_id, day)
    LEFT JOIN money USING (partner_id, day)
    LEFT JOIN clearing.participant AS p ON p.participant_id = partner_id
    ORDER BY day, p.party_id COLLATE "C" NULLS LAST
    LIMIT :limit OFFSET :after
""")


class Viewer(NamedTuple):
    """Who asks: as home CSP for what it has to pay, otherwise for what it submitted."""

    participant_id: int
    as_home: bool


class DayDigest(NamedTuple):
    """What one day's exchange with one partner adds up to.

    ``party_id``: ``None`` for records that were refused because nobody could tell for
    which CSP they were. ``net_minor``: our rating by currency; ``digest``: over the ids
    of what was accepted.
    """

    day: date
    party_id: str | None
    accepted: int
    held: int
    refused: int
    energy_wh: int
    net_minor: dict[str, int]
    digest: bytes


def day_digests(
    tx: Connection, viewer: Viewer, days: Days, *, after: int, limit: int
) -> Sequence[DayDigest]:
    """Return the digests of days in UTC, by day of receipt and partner.

    The partner is the submitter for a home CSP, and the other way round. ``after``: how
    many were read before.
    """
    place = {
        **viewer._asdict(),
        "starts_at": days.starts_at,
        "ends_at": days.ends_at,
        "after": after,
        "limit": limit,
    }
    return [
        DayDigest(
            row.day,
            row.party_id,
            row.accepted,
            row.held,
            row.refused,
            row.energy_wh,
            row.net or {},
            row.digest,
        )
        for row in tx.execute(_DIGESTS, place)
    ]
