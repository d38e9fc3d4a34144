"""Invoices and credit notes as issued: kept, listed, handed out."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import (
    ColumnElement,
    Connection,
    Integer,
    Row,
    Select,
    Subquery,
    func,
    insert,
    null,
    select,
    text,
    union_all,
)

from clearinghouse.domain.invoices import DocumentFormat
from clearinghouse.domain.numbering import DocumentKind
from clearinghouse.storage import feeds
from clearinghouse.storage.tables.documents import document
from clearinghouse.storage.tables.invoices import document_issue, document_rendering
from clearinghouse.storage.tables.run_terms import fee_document
from clearinghouse.storage.tables.runs import run_window

#: First half of the key of the lock under which a document is issued.
INVOICE_LOCK = 73_119_033

_LOCK = text("SELECT pg_advisory_xact_lock(:space, hashtext(:number))")

_UNISSUED = text("""
    SELECT number FROM (
        SELECT number FROM clearing.document
        UNION ALL SELECT number FROM clearing.fee_document
    ) AS d
    WHERE number COLLATE "C" > :after AND NOT EXISTS (
        SELECT FROM clearing.document_issue AS i WHERE i.number = d.number)
    ORDER BY number COLLATE "C" LIMIT :limit
""")

# A party without any profile keeps all its documents waiting: looking into each of
# them, at every close, would cost more than all else.
_ISSUABLE = text("""
    SELECT number FROM (
        SELECT number, seller_party, buyer_party FROM clearing.document
        UNION ALL SELECT number, split_part(number, '-', 2), party_id
        FROM clearing.fee_document
    ) AS d
    WHERE number COLLATE "C" > :after AND NOT EXISTS (
        SELECT FROM clearing.document_issue AS i WHERE i.number = d.number)
    AND seller_party IN (SELECT party_id FROM clearing.billing_profile)
    AND buyer_party IN (SELECT party_id FROM clearing.billing_profile)
    ORDER BY number COLLATE "C" LIMIT :limit
""")


def _booked() -> Subquery:
    """Return the documents between partners and those of the house as one."""
    own, fee = document.c, fee_document.c
    between = select(
        own.number,
        own.kind,
        own.window_id,
        null().cast(Integer).label("run_id"),
        own.seller_party,
        own.buyer_party,
        own.currency,
        own.net_minor,
        own.vat_minor,
        own.gross_minor,
        own.issued_at,
    )
    last = select(func.max(run_window.c.window_id)).where(
        run_window.c.run_id == fee.run_id
    )
    of_the_house = select(
        fee.number,
        fee.kind,
        last.scalar_subquery().label("window_id"),
        fee.run_id,
        func.split_part(fee.number, "-", 2).label("seller_party"),
        fee.party_id.label("buyer_party"),
        fee.currency,
        fee.net_minor,
        fee.vat_minor,
        (fee.net_minor + fee.vat_minor).label("gross_minor"),
        fee.issued_at,
    )
    return union_all(between, of_the_house).subquery("booked")


_BOOKED = _booked()


@dataclass(frozen=True, slots=True, kw_only=True)
class Rendered:
    """One form of an issued document, compressed as it is kept."""

    digest: bytes
    length: int
    content: bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class Listed:
    """A booked document as it is listed; amounts in minor units.

    ``run_id`` is the settlement run of an invoice of the house, whose window is the
    last that the run took; ``None`` of documents between partners.
    """

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
    run_id: int | None = None


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


def issuable(tx: Connection, *, after: str, limit: int) -> list[str]:
    """Return numbers as :func:`unissued`, of parties that have billing profiles."""
    return list(tx.execute(_ISSUABLE, {"after": after, "limit": limit}).scalars())


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
        .join(document_issue, document_issue.c.number == _BOOKED.c.number)
        .where(document_issue.c.participant_id == participant_id)
    )
    rows = tx.execute(feeds.paged(query, document_issue, cursor, limit)).all()
    digests = _digests(tx, [row.number for row in rows])
    found = [
        Issued(document=_entry(row), digests=tuple(digests.get(row.number, ())))
        for row in rows
    ]
    return feeds.page_of(rows, found, cursor=cursor, limit=limit)


def documents_of(
    tx: Connection, window_id: int, *, after: str, limit: int
) -> list[Listed]:
    """Return the booked documents of a window behind a number, in their order."""
    of_window = (_BOOKED.c.run_id.is_(None), _BOOKED.c.window_id == window_id)
    return _entries(tx, *of_window, after=after, limit=limit)


def documents_of_run(
    tx: Connection, run_id: int, *, after: str, limit: int
) -> list[Listed]:
    """Return the house's documents of a settlement run behind a number, in order."""
    return _entries(tx, _BOOKED.c.run_id == run_id, after=after, limit=limit)


def _entries(
    tx: Connection, *conditions: ColumnElement[bool], after: str, limit: int
) -> list[Listed]:
    number = _BOOKED.c.number.collate("C")
    query = _listed().where(*conditions, number > after).order_by(number).limit(limit)
    return [_entry(row) for row in tx.execute(query)]


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
    return select(*_BOOKED.c)


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
        run_id=row.run_id,
    )
