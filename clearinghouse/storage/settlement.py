"""Settlement windows, their claim and proof, and what a closing books (clause 4.3-I3).

A window changes hands by a lock and not by a time: whoever adds to a window holds the
lock shared until its commit, whoever ends the window takes it alone. So every SDR is in
the window that its transaction saw, and none falls between two.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Row, insert, select, text, update

from clearinghouse.codes import UNAVAILABLE, WINDOW_STATE
from clearinghouse.domain.errors import ClearingHouseError
from clearinghouse.domain.numbering import DocumentKind
from clearinghouse.domain.settlement import (
    Pair,
    PairTotal,
    Settlement,
    WindowState,
    may_follow,
)
from clearinghouse.domain.vat import VatCategory
from clearinghouse.storage.database import Database
from clearinghouse.storage.tables.sdrs import settlement_window
from clearinghouse.storage.tables.settlement import (
    settlement,
    settlement_pair,
    settlement_position,
)

#: Key of the lock between those who add to the open window and who ends it.
WINDOW_LOCK = 7_311_901_010

#: Key of the lock that lets one closing run at a time, wherever it was started.
CLOSING_LOCK = 7_311_901_011

_SHARED = text("SELECT pg_advisory_xact_lock_shared(:key)")
_ALONE = text("SELECT pg_advisory_xact_lock(:key)")
_OPEN = text("SELECT clearing.open_window(:label, :opened_at)")

_CLAIM = text("""
    SELECT csp_id, submitter_id, currency, sum(sdr_count)::bigint,
           sum(energy_wh)::bigint, sum(net_minor)::bigint, kind, vat_category,
           vat_rate_bp, vat_rule_id, place_country
    FROM clearing.batch_total WHERE window_id = :window_id
    GROUP BY csp_id, submitter_id, currency, kind, vat_category, vat_rate_bp,
             vat_rule_id, place_country
    -- Where all was excluded again nothing is left to prove.
    HAVING sum(sdr_count) <> 0 OR sum(energy_wh) <> 0 OR sum(net_minor) <> 0
    ORDER BY currency, csp_id, submitter_id
""")

_PROOF = text("""
    SELECT csp_id, submitter_id, currency, count(*)::bigint,
           sum(energy_wh)::bigint, sum(net_minor)::bigint,
           -- What is given back of an earlier window stands on a credit note.
           CASE WHEN kind = 'CREDIT' AND ref_window_id <> window_id
                THEN '381' ELSE '380' END AS document,
           vat_category, vat_rate_bp, vat_rule_id, place_country
    FROM clearing.sdr AS s
    WHERE window_id = :window_id AND status = 'ACCEPTED' AND NOT EXISTS (
        SELECT FROM clearing.sdr_exclusion AS e
        WHERE e.window_id = s.window_id AND e.sdr_no = s.sdr_no)
    GROUP BY csp_id, submitter_id, currency, 7, vat_category, vat_rate_bp,
             vat_rule_id, place_country
    ORDER BY currency, csp_id, submitter_id
""")

_SHARE_OF_CLAIM = text("""
    SELECT csp_id, submitter_id, currency, sum(sdr_count)::bigint,
           sum(energy_wh)::bigint, sum(net_minor)::bigint, kind, vat_category,
           vat_rate_bp, vat_rule_id, place_country
    FROM clearing.batch_total
    WHERE window_id = :window_id
      AND (csp_id = :participant_id OR submitter_id = :participant_id)
    GROUP BY csp_id, submitter_id, currency, kind, vat_category, vat_rate_bp,
             vat_rule_id, place_country
    HAVING sum(sdr_count) <> 0
    ORDER BY currency, csp_id, submitter_id
""")

_SHARE_OF_SETTLEMENT = text("""
    SELECT p.debtor_id, p.creditor_id, s.currency, p.sdr_count, p.energy_wh,
           p.net_minor, p.vat_minor
    FROM clearing.settlement AS s JOIN clearing.settlement_pair AS p
        USING (settlement_id)
    WHERE s.window_id = :window_id
      AND (p.debtor_id = :participant_id OR p.creditor_id = :participant_id)
    ORDER BY s.currency, p.debtor_id, p.creditor_id
""")

# What the database itself can say about a closed window: claim, matrix, positions and
# postings are four computations of one thing. No row comes back when all agree.
_DISAGREEMENTS = text("""
    WITH leg AS (
        SELECT currency, split_part(account, ':', 2) AS party_id,
               sum(amount)::bigint AS net
        FROM (
            SELECT currency, debit_account AS account, -amount_minor AS amount
            FROM clearing.posting WHERE window_id = :window_id
            UNION ALL
            SELECT currency, credit_account, amount_minor
            FROM clearing.posting WHERE window_id = :window_id
        ) AS both_sides
        WHERE account LIKE 'P:%\\:POS' GROUP BY 1, 2
    ), matrix AS (
        SELECT s.currency, side.participant_id, sum(side.amount)::bigint AS net
        FROM clearing.settlement AS s
        JOIN clearing.settlement_pair AS p USING (settlement_id)
        CROSS JOIN LATERAL (
            VALUES (p.debtor_id, -p.gross_minor), (p.creditor_id, p.gross_minor)
        ) AS side (participant_id, amount)
        WHERE s.window_id = :window_id GROUP BY 1, 2
    ), position AS (
        SELECT s.currency, q.participant_id, q.net_minor AS net
        FROM clearing.settlement AS s JOIN clearing.settlement_position AS q
            USING (settlement_id)
        WHERE s.window_id = :window_id
    )
    SELECT coalesce(position.currency, matrix.currency, leg.currency) AS currency,
           coalesce(p.party_id, leg.party_id) AS party_id,
           position.net AS position, matrix.net AS matrix, leg.net AS ledger
    FROM position
    FULL JOIN matrix USING (currency, participant_id)
    LEFT JOIN clearing.participant AS p USING (participant_id)
    FULL JOIN leg ON leg.currency = position.currency AND leg.party_id = p.party_id
    WHERE coalesce(position.net, 0) <> coalesce(matrix.net, 0)
       OR coalesce(position.net, 0) <> coalesce(leg.net, 0)
    ORDER BY 1, 2
""")


@dataclass(frozen=True, slots=True, kw_only=True)
class Window:
    """One settlement window; at most one is OPEN."""

    window_id: int
    label: str
    state: WindowState
    opened_at: datetime
    cutover_at: datetime | None
    closed_at: datetime | None
    claim_digest: bytes | None
    proof_digest: bytes | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Settled:
    """The sums of a closed window in one currency.

    ``documents``: how many; ``None`` of a window from before there were any.
    """

    settlement_id: int
    window_id: int
    currency: str
    gross_minor: int
    bilateral_minor: int
    multilateral_minor: int
    sdr_count: int
    energy_wh: int
    vat_minor: int
    documents: int | None


def hold_windows(tx: Connection) -> None:
    """Let no window end until this transaction does."""
    tx.execute(_SHARED, {"key": WINDOW_LOCK})


def join_open_window(tx: Connection) -> Window:
    """Return the open window and keep it open until this transaction ends.

    Raises :class:`ClearingHouseError` (``CH.UNAVAILABLE``) when no window is open.
    """
    hold_windows(tx)
    window = open_window(tx)
    if window is None:
        raise ClearingHouseError(UNAVAILABLE, "no settlement window is open")
    return window


def lock_windows(tx: Connection) -> None:
    """Wait until nobody adds to the open window; the next to add sees our change."""
    tx.execute(_ALONE, {"key": WINDOW_LOCK})


def lock_closing(tx: Connection) -> None:
    """Wait until no other closing runs."""
    tx.execute(_ALONE, {"key": CLOSING_LOCK})


def open_window(tx: Connection) -> Window | None:
    """Return the open window, ``None`` when there is none."""
    return _one(tx, settlement_window.c.state == WindowState.OPEN)


def window_by_id(tx: Connection, window_id: int) -> Window | None:
    """Return a window."""
    return _one(tx, settlement_window.c.window_id == window_id)


def window_by_label(tx: Connection, label: str) -> Window | None:
    """Return a window by its label."""
    return _one(tx, settlement_window.c.label == label)


def window_before(tx: Connection, window_id: int) -> Window | None:
    """Return the window that was open before this one."""
    query = (
        select(settlement_window)
        .where(settlement_window.c.window_id < window_id)
        .order_by(settlement_window.c.window_id.desc())
        .limit(1)
    )
    row = tx.execute(query).one_or_none()
    return None if row is None else _window(row)


def window_to_close(tx: Connection) -> Window | None:
    """Return the oldest window that was cut over and is not closed yet."""
    states = (WindowState.CUTOVER, WindowState.FAILED)
    query = (
        select(settlement_window)
        .where(settlement_window.c.state.in_(states))
        .order_by(settlement_window.c.window_id)
        .limit(1)
    )
    row = tx.execute(query).one_or_none()
    return None if row is None else _window(row)


def windows(tx: Connection, *, limit: int = 200) -> list[Window]:
    """Return the newest windows, newest first."""
    query = (
        select(settlement_window)
        .order_by(settlement_window.c.window_id.desc())
        .limit(limit)
    )
    return [_window(row) for row in tx.execute(query)]


def start_window(tx: Connection, label: str, *, at: datetime) -> int:
    """Open a window with its partition of SDRs; return its number."""
    return int(tx.execute(_OPEN, {"label": label, "opened_at": at}).scalar_one())


def mark_cutover(tx: Connection, window_id: int, *, at: datetime) -> None:
    """End the open window: nothing is added to it any more."""
    _change(tx, window_id, state=WindowState.CUTOVER, cutover_at=at)


def mark_closed(tx: Connection, window_id: int, *, digest: bytes, at: datetime) -> None:
    """Close a window whose claim and proof have this one digest."""
    _change(
        tx,
        window_id,
        state=WindowState.CLOSED,
        closed_at=at,
        claim_digest=digest,
        proof_digest=digest,
    )


def mark_failed(tx: Connection, window_id: int, *, claim: bytes, proof: bytes) -> None:
    """Stop a window whose claim and proof differ; an operator looks at it."""
    _change(
        tx,
        window_id,
        state=WindowState.FAILED,
        claim_digest=claim,
        proof_digest=proof,
    )


def claim_of(tx: Connection, window_id: int) -> list[PairTotal]:
    """Return what a window claims: the sums that its batches left behind."""
    return _totals(tx.execute(_CLAIM, {"window_id": window_id}))


def proof_of(tx: Connection, window_id: int) -> list[PairTotal]:
    """Return the same sums computed anew from every SDR of the window."""
    return _totals(tx.execute(_PROOF, {"window_id": window_id}))


def share_of_claim(
    tx: Connection, window_id: int, participant_id: int
) -> list[PairTotal]:
    """Return the pairs of one participant in a window that is not closed yet."""
    place = {"window_id": window_id, "participant_id": participant_id}
    return _totals(tx.execute(_SHARE_OF_CLAIM, place))


def share_of_settlement(
    tx: Connection, window_id: int, participant_id: int
) -> list[Pair]:
    """Return the pairs of one participant in a closed window."""
    place = {"window_id": window_id, "participant_id": participant_id}
    return [Pair(*row) for row in tx.execute(_SHARE_OF_SETTLEMENT, place)]


def insert_settlement(
    tx: Connection, window_id: int, settled: Settlement, *, documents: int
) -> int:
    """Book one currency of a closing window: sums, directed pairs, positions.

    ``documents``: how many are booked in this currency.
    """
    statement = (
        insert(settlement)
        .values(
            window_id=window_id,
            currency=settled.currency,
            gross_minor=settled.gross_minor,
            bilateral_minor=settled.bilateral_minor,
            multilateral_minor=settled.multilateral_minor,
            sdr_count=settled.sdr_count,
            energy_wh=settled.energy_wh,
            vat_minor=settled.vat_minor,
            documents=documents,
        )
        .returning(settlement.c.settlement_id)
    )
    number = int(tx.execute(statement).scalar_one())
    Database.copy(
        tx,
        settlement_pair,
        (
            "settlement_id",
            "debtor_id",
            "creditor_id",
            "sdr_count",
            "energy_wh",
            "net_minor",
            "vat_minor",
        ),
        (
            (number, pair.debtor_id, pair.creditor_id, *pair[3:])
            for pair in settled.pairs
        ),
    )
    Database.copy(
        tx,
        settlement_position,
        (
            "settlement_id",
            "participant_id",
            "receivable_minor",
            "payable_minor",
            "net_minor",
        ),
        ((number, *position) for position in settled.positions),
    )
    return number


def settlements_of(tx: Connection, window_id: int) -> list[Settled]:
    """Return the settlements of a closed window in order of their currencies."""
    query = (
        select(settlement)
        .where(settlement.c.window_id == window_id)
        .order_by(settlement.c.currency)
    )
    return [Settled(**row._mapping) for row in tx.execute(query)]  # noqa: SLF001


def disagreements(tx: Connection, window_id: int) -> list[str]:
    """Return where matrix, positions and ledger of a window differ; empty proves it."""
    rows = tx.execute(_DISAGREEMENTS, {"window_id": window_id})
    return [
        f"{row.currency} {row.party_id}: position {row.position}, matrix {row.matrix}, "
        f"ledger {row.ledger}"
        for row in rows
    ]


def _totals(rows: Iterable[Any]) -> list[PairTotal]:
    return [
        PairTotal._make((*row[:6], DocumentKind(row[6]), VatCategory(row[7]), *row[8:]))
        for row in rows
    ]


def _change(
    tx: Connection, window_id: int, *, state: WindowState, **values: object
) -> None:
    """Move a window on.

    Raises :class:`ClearingHouseError` (``WINDOW_STATE``) when no window of this number
    may go there: a closed one stays closed.
    """
    before = [one for one in WindowState if may_follow(one, state)]
    moved = tx.execute(
        update(settlement_window)
        .where(
            settlement_window.c.window_id == window_id,
            settlement_window.c.state.in_(before),
        )
        .values(state=state, **values)
    )
    if moved.rowcount != 1:
        raise ClearingHouseError(WINDOW_STATE, f"window {window_id} to {state}")


def _one(tx: Connection, condition: Any) -> Window | None:  # noqa: ANN401
    row = tx.execute(select(settlement_window).where(condition)).one_or_none()
    return None if row is None else _window(row)


def _window(row: Row[Any]) -> Window:
    return Window(
        window_id=row.window_id,
        label=row.label,
        state=WindowState(row.state),
        opened_at=row.opened_at,
        cutover_at=row.cutover_at,
        closed_at=row.closed_at,
        claim_digest=row.claim_digest,
        proof_digest=row.proof_digest,
    )
