"""Invoices and credit notes as issued: kept, listed, handed out."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Row, Select, insert, select, text

from clearinghouse.domain.invoices import DocumentFormat
from clearinghouse.domain.numbering import DocumentKind
from clearinghouse.storage import feeds
from clearinghouse.storage.tables.documents import document
from clearinghouse.storage.tables.invoices import document_issue, document_rendering

#: First half of the key of the lock under which a document is issued.
INVOICE_LOCK = 73_119_033

_LOCK = text("SELECT pg_advisory_xact_lock(:space, hashtext(:number))")

_UNISSUED = text("""
    SELECT number FROM clearing.document AS d
    WHERE number COLLATE "C" > :after AND NOT EXISTS (
        SELECT FROM clearing.document_issue AS i WHERE i.number = d.number)
    ORDER BY number COLLATE "C" LIMIT :limit
""")


@dataclass(frozen=True, slots=True, kw_only=True)
class Rendered:
    """One form of an issued document, compressed as it is kept."""

    digest: bytes
    length: int
    content: bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class Listed:
    """A booked document as it is listed; amounts in minor units."""

    number: str
    kind: DocumentKind
    window_id: int
    seller: str
    buyer: str
    currency: str
    net_minor: int
    vat_minor: int
    gross_minor: int
    booked_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Issued:
    """An issued document with its forms and the digest of each."""

    document: Listed
    digests: tuple[tuple[DocumentFormat, bytes], ...]


def lock_issue(tx: Connection, number: str) -> None:
    """Wait until nobody else issues this document."""
    tx.execute(_LOCK, {"space": INVOICE_LOCK, "number": number})


def unissued(tx: Connection, *, after: str, limit: int) -> list[str]:
    """Return numbers of documents that wait to be issued, behind a number."""
    return list(tx.execute(_UNISSUED, {"after": after, "limit": limit}).scalars())


def is_issued(tx: Connection, number: str) -> bool:
    """Say whether a document was issued."""
    query = select(document_issue.c.number).where(document_issue.c.number == number)
    return tx.execute(query.limit(1)).first() is not None


def insert_rendering(
    tx: Connection, number: str, fmt: DocumentFormat, rendered: Rendered
) -> None:
    """Keep one form of a document."""
    tx.execute(
        insert(document_rendering).values(
            number=number,
            format=fmt,
            digest=rendered.digest,
            bytes=rendered.length,
            content=rendered.content,
        )
    )


def insert_issue(
    tx: Connection, number: str, participant_ids: Iterable[int], *, at: datetime
) -> None:
    """Issue a document to its seller and its buyer."""
    rows = [
        {"number": number, "participant_id": one, "issued_at": at}
        for one in participant_ids
    ]
    tx.execute(insert(document_issue), rows)


def rendering_of(tx: Connection, number: str, fmt: DocumentFormat) -> Rendered | None:
    """Return one form of an issued document, ``None`` when there is none."""
    table = document_rendering
    query = select(table.c.digest, table.c.bytes, table.c.content).where(
        table.c.number == number, table.c.format == fmt
    )
    row = tx.execute(query).one_or_none()
    if row is None:
        return None
    return Rendered(digest=row.digest, length=row.bytes, content=row.content)


def issued_to(
    tx: Connection, participant_id: int, *, cursor: feeds.Cursor, limit: int
) -> feeds.Page[Issued]:
    """Return the documents that a participant sold or bought by, since the cursor."""
    query = (
        _listed()
        .add_columns(document_issue.c.changed_xid, document_issue.c.change_id)
        .join(document_issue, document_issue.c.number == document.c.number)
        .where(document_issue.c.participant_id == participant_id)
    )
    rows = tx.execute(feeds.paged(query, document_issue, cursor, limit)).all()
    digests = _digests(tx, [row.number for row in rows])
    found = [
        Issued(document=_entry(row), digests=tuple(digests.get(row.number, ())))
        for row in rows
    ]
    return feeds.page_of(rows, found, cursor=cursor, limit=limit)


def documents_of(tx: Connection, window_id: int) -> list[Listed]:
    """Return the booked documents of a window in order of their numbers."""
    query = _listed().where(document.c.window_id == window_id)
    return [
        _entry(row)
        for row in tx.execute(query.order_by(document.c.number.collate("C")))
    ]


def _digests(
    tx: Connection, numbers: list[str]
) -> dict[str, list[tuple[DocumentFormat, bytes]]]:
    table = document_rendering
    query = (
        select(table.c.number, table.c.format, table.c.digest)
        .where(table.c.number.in_(numbers))
        .order_by(table.c.number, table.c.format.collate("C"))
    )
    found: dict[str, list[tuple[DocumentFormat, bytes]]] = {}
    for number, fmt, digest in tx.execute(query):
        found.setdefault(number, []).append((DocumentFormat(fmt), digest))
    return found


def _listed() -> Select[Any]:
    columns = document.c
    return select(
        columns.number,
        columns.kind,
        columns.window_id,
        columns.seller_party,
        columns.buyer_party,
        columns.currency,
        columns.net_minor,
        columns.vat_minor,
        columns.gross_minor,
        columns.issued_at,
    )


def _entry(row: Row[Any]) -> Listed:
    return Listed(
        number=row.number,
        kind=DocumentKind(row.kind),
        window_id=row.window_id,
        seller=row.seller_party,
        buyer=row.buyer_party,
        currency=row.currency,
        net_minor=row.net_minor,
        vat_minor=row.vat_minor,
        gross_minor=row.gross_minor,
        booked_at=row.issued_at,
    )
