"""Statements: numbers without gap, the facts of one, and the documents as issued."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Row, Select, insert, select, text

from clearinghouse.domain import numbering
from clearinghouse.domain.statements import (
    LAYOUT,
    CounterpartyTotal,
    DayTotal,
    Direction,
    Statement,
    StatementFormat,
    months_of,
)
from clearinghouse.storage import feeds
from clearinghouse.storage.database import Database
from clearinghouse.storage.statement_vat import taxed_shares
from clearinghouse.storage.tables.participants import participant
from clearinghouse.storage.tables.sdrs import settlement_window
from clearinghouse.storage.tables.settlement import (
    statement,
    statement_part,
    statement_rendering,
)

#: First half of the key of the lock under which a statement is rendered.
ISSUE_LOCK = 73_119_015

_LOCK = text("SELECT pg_advisory_xact_lock(:space, hashtext(:statement_id))")

_DRAW = text("""
    INSERT INTO clearing.document_series (series, last) VALUES (:series, :count)
    ON CONFLICT (series) DO UPDATE SET last = document_series.last + excluded.last
    RETURNING last
""")

# From the claim and not from the matrix, where a pair of credits stands the other way
# round.
_COUNTERPARTIES = text("""
    SELECT other.party_id, other.name, t.submitter_id = :participant_id AS receives,
           sum(t.sdr_count)::bigint AS sdr_count, sum(t.energy_wh)::bigint AS energy_wh,
           sum(t.net_minor)::bigint AS net_minor
    FROM clearing.batch_total AS t
    JOIN clearing.participant AS other ON other.participant_id =
        CASE WHEN t.submitter_id = :participant_id THEN t.csp_id
             ELSE t.submitter_id END
    WHERE t.window_id = :window_id AND t.currency = :currency
      AND (t.csp_id = :participant_id OR t.submitter_id = :participant_id)
    GROUP BY 1, 2, 3 HAVING sum(t.sdr_count) <> 0
    ORDER BY other.party_id COLLATE "C", receives DESC
""")

_DAYS = text("""
    SELECT to_char((ended_at AT TIME ZONE 'UTC')::date, 'YYYY-MM-DD') AS day, count(*),
           sum(energy_wh)::bigint,
           coalesce(sum(net_minor) FILTER (WHERE submitter_id = :participant_id), 0)
               ::bigint,
           coalesce(sum(net_minor) FILTER (WHERE submitter_id <> :participant_id), 0)
               ::bigint
    FROM clearing.sdr AS s
    WHERE window_id = :window_id AND status = 'ACCEPTED' AND currency = :currency
      AND (submitter_id = :participant_id OR csp_id = :participant_id)
      AND NOT EXISTS (SELECT FROM clearing.sdr_exclusion AS e
                      WHERE e.window_id = s.window_id AND e.sdr_no = s.sdr_no)
    GROUP BY (ended_at AT TIME ZONE 'UTC')::date ORDER BY 1
""")

_UNISSUED = text("""
    SELECT statement_id, line_count FROM clearing.statement AS s
    WHERE NOT EXISTS (
        SELECT FROM clearing.statement_rendering AS r
        WHERE r.statement_id = s.statement_id AND r.format = 'XML')
    ORDER BY statement_id COLLATE "C" LIMIT :limit
""")


@dataclass(frozen=True, slots=True, kw_only=True)
class NewStatement:
    """A statement that a closing makes; names are frozen in it."""

    statement_id: str
    window_id: int
    participant_id: int
    participant_name: str
    participant_country: str
    issuer_party_id: str
    issuer_name: str
    currency: str
    net_minor: int
    gross_minor: int
    line_count: int
    layout: int = LAYOUT


@dataclass(frozen=True, slots=True, kw_only=True)
class Issued:
    """A statement as it is listed; ``digest`` is that of its XML form.

    ``gross_minor`` is ``None`` for a window that was closed before there was VAT.
    """

    statement_id: str
    window_id: int
    window_label: str
    party_id: str
    currency: str
    closed_at: datetime
    net_minor: int
    gross_minor: int | None
    line_count: int
    digest: bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class Rendering:
    """One form of an issued statement: its digest, size and number of parts."""

    statement_id: str
    format: StatementFormat
    digest: bytes
    bytes: int
    parts: int


def draw_numbers(
    tx: Connection, *, series: str, year: int, count: int
) -> list[numbering.DocumentNumber]:
    """Draw numbers without gap: a transaction that fails gives them back.

    The counter stays locked until the transaction ends, so draw last.
    """
    if count == 0:
        return []
    place = {"series": numbering.series_key(series, year), "count": count}
    last = int(tx.execute(_DRAW, place).scalar_one())
    return numbering.block(series, year, last=last, count=count)


def insert_statements(
    tx: Connection, statements: Iterable[NewStatement], *, at: datetime
) -> int:
    """Book the statements of a closing; return their number."""
    names = tuple(NewStatement.__dataclass_fields__)
    return Database.copy(
        tx,
        statement,
        (*names, "created_at"),
        ((*(getattr(entry, name) for name in names), at) for entry in statements),
    )


def statement_facts(tx: Connection, statement_id: str) -> Statement | None:
    """Return all of a statement but its lines, from what the closing booked."""
    query = (
        select(
            statement,
            participant.c.party_id,
            settlement_window.c.label,
            settlement_window.c.opened_at,
            settlement_window.c.closed_at,
        )
        .join(participant, participant.c.participant_id == statement.c.participant_id)
        .join(settlement_window, settlement_window.c.window_id == statement.c.window_id)
        .where(statement.c.statement_id == statement_id)
    )
    row = tx.execute(query).one_or_none()
    return None if row is None else _statement(tx, row)


def lock_issue(tx: Connection, statement_id: str) -> None:
    """Let one process at a time issue a statement, until this transaction ends."""
    tx.execute(_LOCK, {"space": ISSUE_LOCK, "statement_id": statement_id})


def unissued(tx: Connection, *, limit: int) -> dict[str, int]:
    """Return statements that are booked but not rendered yet, oldest first.

    With the number of lines of each.
    """
    rows = tx.execute(_UNISSUED, {"limit": limit})
    return {row.statement_id: row.line_count for row in rows}


def booked_in(tx: Connection, window_id: int) -> list[str]:
    """Return the numbers of a window's statements in order, rendered or not."""
    query = select(statement.c.statement_id).where(statement.c.window_id == window_id)
    return list(tx.scalars(query.order_by(statement.c.statement_id.collate("C"))))


def owner_of(tx: Connection, statement_id: str) -> int | None:
    """Return whose statement this is."""
    query = select(statement.c.participant_id).where(
        statement.c.statement_id == statement_id
    )
    return tx.execute(query).scalar_one_or_none()


def rendering_of(
    tx: Connection, statement_id: str, fmt: StatementFormat
) -> Rendering | None:
    """Return what was issued in a format, ``None`` when nothing was yet."""
    table = statement_rendering
    query = select(table.c.digest, table.c.bytes, table.c.parts).where(
        table.c.statement_id == statement_id, table.c.format == fmt
    )
    row = tx.execute(query).one_or_none()
    if row is None:
        return None
    return Rendering(
        statement_id=statement_id,
        format=fmt,
        digest=row.digest,
        bytes=row.bytes,
        parts=row.parts,
    )


def insert_part(
    tx: Connection,
    *,
    statement_id: str,
    fmt: StatementFormat,
    part: int,
    content: bytes,
) -> None:
    """Keep one part of a document, as compressed by the caller."""
    tx.execute(
        insert(statement_part).values(
            statement_id=statement_id, format=fmt, part=part, content=content
        )
    )


def insert_rendering(
    tx: Connection, rendering: Rendering, *, participant_id: int, at: datetime
) -> None:
    """Issue a document whose parts were kept in the same transaction."""
    tx.execute(
        insert(statement_rendering).values(
            statement_id=rendering.statement_id,
            format=rendering.format,
            digest=rendering.digest,
            bytes=rendering.bytes,
            parts=rendering.parts,
            rendered_at=at,
            participant_id=participant_id,
        )
    )


def part_of(
    tx: Connection, statement_id: str, fmt: StatementFormat, part: int
) -> bytes | None:
    """Return one part of an issued document, compressed as it was kept."""
    query = select(statement_part.c.content).where(
        statement_part.c.statement_id == statement_id,
        statement_part.c.format == fmt,
        statement_part.c.part == part,
    )
    return tx.execute(query).scalar_one_or_none()


def issued_to(
    tx: Connection, participant_id: int, *, cursor: feeds.Cursor, limit: int
) -> feeds.Page[Issued]:
    """Return the statements issued to a participant since the cursor."""
    query = _issued().where(statement_rendering.c.participant_id == participant_id)
    rows = tx.execute(feeds.paged(query, statement_rendering, cursor, limit)).all()
    return feeds.page_of(
        rows, [_entry(row) for row in rows], cursor=cursor, limit=limit
    )


def issued_in(tx: Connection, window_id: int) -> list[Issued]:
    """Return the statements of a window in order of their numbers."""
    query = _issued().where(statement.c.window_id == window_id)
    return [
        _entry(row)
        for row in tx.execute(query.order_by(statement.c.statement_id.collate("C")))
    ]


def _issued() -> Select[Any]:
    return (
        select(
            statement.c.statement_id,
            statement.c.window_id,
            settlement_window.c.label,
            participant.c.party_id,
            statement.c.currency,
            settlement_window.c.closed_at,
            statement.c.net_minor,
            statement.c.gross_minor,
            statement.c.line_count,
            statement_rendering.c.digest,
            statement_rendering.c.changed_xid,
            statement_rendering.c.change_id,
        )
        .join(
            statement_rendering,
            statement_rendering.c.statement_id == statement.c.statement_id,
        )
        .join(settlement_window, settlement_window.c.window_id == statement.c.window_id)
        .join(participant, participant.c.participant_id == statement.c.participant_id)
        .where(statement_rendering.c.format == StatementFormat.XML)
    )


def _entry(row: Row[Any]) -> Issued:
    return Issued(
        statement_id=row.statement_id,
        window_id=row.window_id,
        window_label=row.label,
        party_id=row.party_id,
        currency=row.currency,
        closed_at=row.closed_at,
        net_minor=row.net_minor,
        gross_minor=row.gross_minor,
        line_count=row.line_count,
        digest=row.digest,
    )


def _statement(tx: Connection, row: Row[Any]) -> Statement:
    place = {
        "window_id": row.window_id,
        "participant_id": row.participant_id,
        "currency": row.currency,
    }
    taxed = taxed_shares(tx, **place)
    counterparties = tuple(
        CounterpartyTotal(
            party_id=found.party_id,
            name=found.name,
            direction=_direction(receives=found.receives),
            sdr_count=found.sdr_count,
            energy_wh=found.energy_wh,
            net_minor=found.net_minor,
            taxed=taxed.get((found.party_id, found.receives), ()),
        )
        for found in tx.execute(_COUNTERPARTIES, place)
    )
    days = tuple(DayTotal(*found) for found in tx.execute(_DAYS, place))
    return Statement(
        statement_id=row.statement_id,
        window_id=row.window_id,
        window_label=row.label,
        currency=row.currency,
        participant_id=row.participant_id,
        party_id=row.party_id,
        participant_name=row.participant_name,
        participant_country=row.participant_country,
        issuer_party_id=row.issuer_party_id,
        issuer_name=row.issuer_name,
        opened_at=row.opened_at,
        closed_at=row.closed_at,
        counterparties=counterparties,
        months=months_of(days),
        days=days,
        receivable_minor=_sum(counterparties, Direction.RECEIVABLE),
        payable_minor=_sum(counterparties, Direction.PAYABLE),
        net_minor=row.net_minor,
        line_count=row.line_count,
        energy_wh=sum(total.energy_wh for total in counterparties),
        gross_minor=row.gross_minor,
        layout=row.layout,
    )


def _sum(totals: Iterable[CounterpartyTotal], direction: Direction) -> int:
    return sum(total.net_minor for total in totals if total.direction is direction)


def _direction(*, receives: bool) -> Direction:
    return Direction.RECEIVABLE if receives else Direction.PAYABLE
