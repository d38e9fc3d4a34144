"""The lines of a statement, read by a cursor: a window may have a million of them.

For the documents the database writes them too: texts are made where the rows are, in
processes that run at once, and a line costs us next to nothing.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from types import MappingProxyType
from typing import Any, NamedTuple, cast

from psycopg import sql
from sqlalchemy import Connection, text

from clearinghouse.domain.line_layouts import Layout, Piece, Writing
from clearinghouse.domain.money import currency_of
from clearinghouse.domain.statements import (
    Counted,
    Direction,
    Statement,
    StatementLine,
)
from clearinghouse.storage.database import Database
from clearinghouse.storage.statement_vat import numbers_of

#: Lines that are read and written at a time: the memory of a rendering.
LINES_PER_BATCH = 2_000

#: Texts that are joined at once to write a line: measured.
_JOINED = 4

#: What the database may use to sort the lines of one statement, in kB.
SORT_KB = 32_768

# Until the transaction ends. A window that has just closed may have no statistics yet,
# and a loop over all documents for each line would cost more than all the rest.
_PLANNED = text("""
    SELECT set_config('work_mem', :kilobytes, true),
           set_config('enable_nestloop', 'off', true)
""")

_FIELDS = sql.SQL("""
    SELECT s.sdr_uid AS sdr_id, submitter.party_id AS submitter_id,
           csp.party_id AS home_csp_id, coalesce(s.session_id::text, '') AS session_id,
           s.detail ->> 'evse' AS evse_id,
           replace(to_char(s.started_at AT TIME ZONE 'UTC',
                           'YYYY-MM-DD"T"HH24:MI:SS.US'), '.000000', '') || 'Z'
               AS started_at,
           replace(to_char(s.ended_at AT TIME ZONE 'UTC',
                           'YYYY-MM-DD"T"HH24:MI:SS.US'), '.000000', '') || 'Z'
               AS ended_at,
           s.energy_wh, s.charge_seconds, s.idle_seconds, s.parking_seconds,
           t.tariff_id, t.version AS tariff_version, s.engine_version,
           s.submitter_id = {participant_id} AS receives, s.claimed_minor, s.net_minor,
           s.rule_codes AS rules,
           coalesce(clearing.sdr_uid_at(s.ref_window_id, s.ref_sdr_no), '')
               AS reference,
           CASE WHEN {is_taxed} THEN s.vat_category ELSE '' END AS vat_category,
           CASE WHEN {is_taxed} THEN s.vat_rate_bp ELSE 0 END AS vat_rate_bp,
           coalesce(d.document, '') AS document,
           s.kind, coalesce(s.match_kind, '') AS match_kind,
           coalesce(s.ref_window_id::text, '') AS reference_window
""")

# Which SDRs, and on which document each stands.
_SDRS = sql.SQL("""
    FROM clearing.sdr AS s
    JOIN clearing.participant AS submitter ON submitter.participant_id = s.submitter_id
    JOIN clearing.participant AS csp ON csp.participant_id = s.csp_id
    JOIN clearing.tariff AS t USING (tariff_version_id)
    LEFT JOIN unnest({others}::text[], {receives}::boolean[], {categories}::text[],
                     {rates}::integer[], {notes}::boolean[], {documents}::text[])
        AS d (other, receives, category, rate_bp, is_note, document)
        ON d.other = CASE WHEN s.submitter_id = {participant_id} THEN csp.party_id
                          ELSE submitter.party_id END
       AND d.receives = (s.submitter_id = {participant_id})
       AND d.category = s.vat_category AND d.rate_bp = s.vat_rate_bp
       AND d.is_note = (s.kind = 'CREDIT' AND s.ref_window_id <> s.window_id)
    WHERE s.window_id = {window_id} AND s.status = 'ACCEPTED'
      AND s.currency = {currency}
      AND (s.submitter_id = {participant_id} OR s.csp_id = {participant_id})
      AND NOT EXISTS (SELECT FROM clearing.sdr_exclusion AS e
                      WHERE e.window_id = s.window_id AND e.sdr_no = s.sdr_no)
""")

# Collation "C": the order of a document must not hang on the server's language.
_ORDER = sql.SQL("""
    ORDER BY s.started_at, submitter.party_id COLLATE "C", s.sdr_uid COLLATE "C"
""")

# Each level is computed once for all layouts: a window function and OFFSET 0 keep the
# planner from writing an expression wherever it is used.
_WRITTEN = sql.SQL("""
    SELECT {layouts}, counterparty, receives, document, vat_category, vat_rate_bp,
           energy_wh, net_minor
    FROM (
        SELECT line.*,
               CASE WHEN receives THEN 'RECEIVABLE' ELSE 'PAYABLE' END AS role,
               CASE WHEN receives THEN home_csp_id ELSE submitter_id END
                   AS counterparty,
               {claimed} AS claimed, {net} AS net,
               vat_rate_bp / 100 || '.' || lpad((vat_rate_bp % 100)::text, 2, '0')
                   AS vat_rate
        FROM ({fields}, row_number() OVER ({order}) AS number {sdrs} {order}) AS line
        OFFSET 0
    ) AS line
""")

_AMOUNT = sql.SQL("""
    CASE WHEN {field} < 0 THEN '-' ELSE '' END || abs({field}) / {per_unit} || '.'
        || lpad((abs({field}) % {per_unit})::text, {digits}, '0')
""")

# As in clearinghouse.reports.text. A look at the text first: most need nothing.
_WRITINGS = MappingProxyType(
    {
        Writing.AS_IS: sql.SQL("{field}"),
        Writing.MARKUP: sql.SQL("""
            CASE WHEN {field} !~ {special} THEN {field} ELSE regexp_replace(
                replace(replace(replace(replace({field}, '&', '&amp;'), '<', '&lt;'),
                        '>', '&gt;'), E'\\r', '&#xD;'),
                {impossible}, {replacement}, 'g') END
        """),
        Writing.CELL: sql.SQL("""
            CASE WHEN {field} !~ {unusual} THEN {field}
                 WHEN {field} !~ {quoted} THEN '''' || {field}
                 ELSE '"' || CASE WHEN {field} ~ {formula} THEN '''' ELSE '' END
                     || replace({field}, '"', '""') || '"' END
        """),
    }
)
_IMPOSSIBLE = "\x01-\x08\x0b\x0c\x0e-\x1f\ufffe\uffff"
_PATTERNS = MappingProxyType(
    {
        "special": sql.Literal(f"[&<>\r{_IMPOSSIBLE}]"),
        "impossible": sql.Literal(f"[{_IMPOSSIBLE}]"),
        "replacement": sql.Literal("\ufffd"),
        "unusual": sql.Literal('^[=+@\t-]|[",\r\n]'),
        "formula": sql.Literal("^[=+@\t\r\n-]"),
        "quoted": sql.Literal('[",\r\n]'),
    }
)


class Written(NamedTuple):
    """Lines that the database wrote: a text for each layout, and what is counted."""

    texts: tuple[str, ...]
    counted: list[Counted]


def lines_of(
    tx: Connection, facts: Statement, *, limit: int | None = None
) -> Iterator[list[StatementLine]]:
    """Give the lines of a statement in its order, in batches; memory stays flat.

    ``limit``: only so many, the first ones.
    """
    values = _values(facts)
    query = sql.SQL("{fields} {sdrs} {order} LIMIT {limit}").format(
        fields=_FIELDS.format(**values),
        sdrs=_SDRS.format(**values),
        order=_ORDER,
        limit=sql.Literal(limit),
    )
    tx.execute(_PLANNED, {"kilobytes": str(SORT_KB)})
    for rows in Database.fetched(tx, query, batch=LINES_PER_BATCH):
        yield [_line(row) for row in rows]


def written_lines(
    tx: Connection, facts: Statement, layouts: Sequence[Layout]
) -> Iterator[Written]:
    """Give all lines of a statement as :func:`lines_of` does, written by layouts.

    Raises :class:`ValueError` for a layout that no line can be written by.
    """
    values = _values(facts)
    digits, size = currency_of(facts.currency).exponent, len(layouts)
    query = _WRITTEN.format(
        layouts=sql.SQL(", ").join(_texts(layout) for layout in layouts),
        claimed=_amount("claimed_minor", digits),
        net=_amount("net_minor", digits),
        fields=_FIELDS.format(**values),
        sdrs=_SDRS.format(**values),
        order=_ORDER,
    )
    tx.execute(_PLANNED, {"kilobytes": str(SORT_KB)})
    for rows in Database.fetched(tx, query, batch=LINES_PER_BATCH):
        columns = list(zip(*rows, strict=True))
        texts = tuple("".join(cast("tuple[str, ...]", one)) for one in columns[:size])
        yield Written(
            texts, cast("list[Counted]", list(zip(*columns[size:], strict=True)))
        )


def _line(row: Sequence[Any]) -> StatementLine:
    direction = Direction.RECEIVABLE if row[14] else Direction.PAYABLE
    return StatementLine._make((*row[:14], direction, *row[15:]))


def _values(facts: Statement) -> dict[str, sql.Composable]:
    """Return what the queries ask for, with the documents that lines may stand on."""
    found = numbers_of(facts)
    treated = [(*key, document) for key, document in (found or {}).items()]
    names = ("others", "receives", "categories", "rates", "notes", "documents")
    return {
        "participant_id": sql.Literal(facts.participant_id),
        "window_id": sql.Literal(facts.window_id),
        "currency": sql.Literal(facts.currency),
        "is_taxed": sql.Literal(found is not None),
        **{
            name: sql.Literal([row[place] for row in treated])
            for place, name in enumerate(names)
        },
    }


def _amount(field: str, digits: int) -> sql.Composable:
    """Return what writes an amount with exactly so many decimals."""
    if not digits:
        return sql.SQL("{field}::text").format(field=sql.Identifier(field))
    return _AMOUNT.format(
        field=sql.Identifier(field),
        per_unit=sql.Literal(10**digits),
        digits=sql.Literal(digits),
    )


def _texts(layout: Layout) -> sql.Composable:
    """Return what writes one line after a layout."""
    words: list[sql.Composable] = []
    fixed = ""
    for piece in layout:
        if piece.only_with:
            words += [sql.Literal(fixed), _sometimes(piece)]
            fixed = ""
        elif piece.field:
            words += [sql.Literal(fixed + piece.before), _value(piece)]
            fixed = piece.after
        else:
            fixed += piece.before + piece.after
    words.append(sql.Literal(fixed))
    return _joined([word for word in words if word != sql.Literal("")])


def _joined(words: Sequence[sql.Composable]) -> sql.Composable:
    """Join texts a few at a time: neither a function's calls nor ever longer copies."""
    while len(words) > 1:
        words = [
            sql.SQL("({})").format(sql.SQL(" || ").join(words[place : place + _JOINED]))
            for place in range(0, len(words), _JOINED)
        ]
    return words[0]


def _sometimes(piece: Piece) -> sql.Composable:
    return sql.SQL(
        "CASE WHEN {present} <> '' THEN {before} || {value} || {after} ELSE '' END"
    ).format(
        present=sql.Identifier(piece.only_with),
        before=sql.Literal(piece.before),
        value=_value(piece),
        after=sql.Literal(piece.after),
    )


def _value(piece: Piece) -> sql.Composable:
    field = sql.Identifier(piece.field)
    if piece.between != " ":
        if piece.writing is not Writing.AS_IS:
            raise ValueError(f"{piece.field} would stand in the document unescaped")
        return sql.SQL("replace({field}, ' ', {between})").format(
            field=field, between=sql.Literal(piece.between)
        )
    return _WRITINGS[piece.writing].format(field=field, **_PATTERNS)
