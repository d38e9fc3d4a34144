"""SDRs that home CSPs said nothing of: after a time they count as confirmed."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import Connection, text

from clearinghouse.domain.agreements import Terms

# Closed windows are left alone: what is settled is past being confirmed.
_DUE = text("""
    SELECT DISTINCT s.csp_id
    FROM clearing.sdr_event AS d
    JOIN clearing.settlement_window AS w ON w.window_id = d.window_id
        AND w.state = 'OPEN'
    JOIN clearing.sdr AS s ON s.window_id = d.window_id AND s.sdr_no = d.sdr_no
    LEFT JOIN clearing.agreement AS a ON a.agreement_id = s.agreement_id
    WHERE d.status = 'DELIVERED'
      AND d.at <= :now - make_interval(days => coalesce(a.confirm_days, :usual_days))
      AND NOT EXISTS (
        SELECT FROM clearing.sdr_event AS e
        WHERE e.window_id = s.window_id AND e.sdr_no = s.sdr_no
          AND e.status IN ('CONFIRMED', 'REJECTED', 'AUTO_CONFIRMED'))
      AND NOT EXISTS (
        SELECT FROM clearing.sdr_exclusion AS x
        WHERE x.window_id = s.window_id AND x.sdr_no = s.sdr_no)
    ORDER BY s.csp_id
""")

_CONFIRM = text("""
    INSERT INTO clearing.sdr_event (window_id, sdr_no, status, at)
    SELECT s.window_id, s.sdr_no, 'AUTO_CONFIRMED', :now
    FROM clearing.sdr_event AS d
    JOIN clearing.settlement_window AS w ON w.window_id = d.window_id
        AND w.state = 'OPEN'
    JOIN clearing.sdr AS s ON s.window_id = d.window_id AND s.sdr_no = d.sdr_no
        AND s.csp_id = :csp_id
    LEFT JOIN clearing.agreement AS a ON a.agreement_id = s.agreement_id
    WHERE d.status = 'DELIVERED'
      AND d.at <= :now - make_interval(days => coalesce(a.confirm_days, :usual_days))
      AND NOT EXISTS (
        SELECT FROM clearing.sdr_event AS e
        WHERE e.window_id = s.window_id AND e.sdr_no = s.sdr_no
          AND e.status IN ('CONFIRMED', 'REJECTED', 'AUTO_CONFIRMED'))
      AND NOT EXISTS (
        SELECT FROM clearing.sdr_exclusion AS x
        WHERE x.window_id = s.window_id AND x.sdr_no = s.sdr_no)
    ORDER BY d.event_row
    LIMIT :limit
""")


def silent_csps(tx: Connection, *, now: datetime) -> list[int]:
    """Return the home CSPs whose time to say something is over for an SDR."""
    place = {"now": now, "usual_days": Terms().confirm_days}
    return list(tx.execute(_DUE, place).scalars())


def confirm_silent(tx: Connection, csp_id: int, *, now: datetime, limit: int) -> int:
    """Let SDRs of a home CSP count as confirmed; return how many.

    The caller holds the lock of the CSP's decisions, and the windows.
    """
    place = {
        "csp_id": csp_id,
        "now": now,
        "usual_days": Terms().confirm_days,
        "limit": limit,
    }
    return tx.execute(_CONFIRM, place).rowcount
