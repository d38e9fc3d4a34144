"""Invoices and credit notes: issued once after the close, listed, handed out (4.3-I3).

A closing books figures and numbers; the documents are rendered after it and kept as
issued. Where a billing profile is missing, or lacks what the law asks for, the document
waits, and it is said for what: nothing is issued by halves.
"""

from __future__ import annotations

import zlib
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from functools import partial
from hashlib import sha256
from pathlib import Path
from types import MappingProxyType

from sqlalchemy import Connection

from clearinghouse import codes
from clearinghouse.domain.documents import Document, Party
from clearinghouse.domain.errors import ClearingHouseError, no_such_part
from clearinghouse.domain.exchange import Sender
from clearinghouse.domain.invoices import DocumentFormat, fits_en16931, missing
from clearinghouse.reports import invoice_cii, invoice_pdf, invoice_ubl
from clearinghouse.reports.invoice_texts import UnfitDocumentError
from clearinghouse.services import settlement_notices
from clearinghouse.services.environment import Environment
from clearinghouse.services.statements import PART_BYTES
from clearinghouse.storage import (
    billing,
    documents,
    fee_documents,
    invoices,
    runs,
    settlement,
)
from clearinghouse.storage.feeds import Page, parse_cursor
from clearinghouse.storage.invoices import Issued, Listed, Rendered

#: Documents that one look for unissued ones finds; it is repeated until none is left.
UNISSUED_MAX = 1_000

#: Documents of a window or run that are read at a time.
PAGE_MAX = 1_000

_RENDERS: Mapping[DocumentFormat, Callable[[Document], bytes]] = MappingProxyType(
    {
        DocumentFormat.UBL: invoice_ubl.render,
        DocumentFormat.CII: invoice_cii.render,
        DocumentFormat.PDF: invoice_pdf.render,
    }
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Part:
    """One part of a document, with the digest of the whole."""

    number: str
    format: DocumentFormat
    part: int
    parts: int
    digest: bytes
    content: bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class Waiting:
    """A document that cannot be issued yet, and for what it waits."""

    number: str
    reasons: tuple[str, ...]


def list_invoices(
    env: Environment, sender: Sender, *, cursor: str | None, limit: int
) -> Page[Issued]:
    """Return the documents issued to the sender, as seller or buyer, since the cursor.

    Raises :class:`ClearingHouseError` (``CH.CURSOR``) for a cursor that is not ours.
    """
    place = parse_cursor(cursor)
    with env.database.begin_read_only() as tx:
        return invoices.issued_to(tx, sender.participant_id, cursor=place, limit=limit)


def get_invoice(
    env: Environment, sender: Sender, number: str, *, fmt: DocumentFormat, part: int
) -> Part:
    """Return one part of a document that the sender sold or bought by.

    The invoices of the house are among them. Raises :class:`ClearingHouseError`:
    ``DOCUMENT_UNKNOWN`` when the sender has no such document, it is not issued yet, or
    not in this form; ``DOCUMENT_PART``.
    """
    with env.database.begin_read_only() as tx:
        if sender.participant_id not in _readers(tx, number):
            raise ClearingHouseError(codes.DOCUMENT_UNKNOWN, number)
        rendered = invoices.rendering_of(tx, number, fmt)
    if rendered is None:
        raise ClearingHouseError(codes.DOCUMENT_UNKNOWN, "not issued in this form")
    parts = -(-rendered.length // PART_BYTES)
    if not 1 <= part <= parts:
        raise no_such_part(codes.DOCUMENT_PART, part, parts)
    begin = (part - 1) * PART_BYTES
    content = zlib.decompress(rendered.content)
    return Part(
        number=number,
        format=fmt,
        part=part,
        parts=parts,
        digest=rendered.digest,
        content=content[begin : begin + PART_BYTES],
    )


def issue_pending(env: Environment) -> int:
    """Issue every document that can be issued; return how many were."""
    issued, after = 0, ""
    while numbers := _issuable(env, after):
        issued += sum(issue(env, number) is None for number in numbers)
        after = numbers[-1]
    return issued


def waiting(env: Environment) -> list[Waiting]:
    """Return the documents that wait, the first :data:`UNISSUED_MAX`, and for what."""
    found = []
    with env.database.begin_read_only() as tx:
        numbers = invoices.unissued(tx, after="", limit=UNISSUED_MAX)
    for number in numbers:
        with env.database.begin_read_only() as tx:
            reasons = missing(_document(env, tx, number))
        found.append(Waiting(number=number, reasons=reasons or ("the next issue",)))
    return found


def issue(env: Environment, number: str) -> Waiting | None:
    """Render a document in all its forms and keep them; say for what it waits, if so.

    Done before by another process is done. A currency that EN 16931 cannot hold gives a
    PDF only. Raises :class:`ClearingHouseError`: ``DOCUMENT_UNKNOWN``;
    ``PROOF_FAILED`` when its amounts do not add up.
    """
    with env.database.begin() as tx:
        invoices.lock_issue(tx, number)
        if invoices.is_issued(tx, number):
            return None
        document = _document(env, tx, number)
        reasons = missing(document)
        if reasons:
            return Waiting(number=number, reasons=reasons)
        for fmt in _formats(document):
            invoices.insert_rendering(tx, number, fmt, _rendered(document, fmt))
        readers, now = _readers(tx, number), env.clock.now()
        invoices.insert_issue(tx, number, readers, at=now)
        settlement_notices.queue_invoice(tx, number, readers, at=now)
    return None


def documents_of(env: Environment, window_id: int) -> Iterator[Listed]:
    """Give the booked documents of a window, issued or not, page by page.

    Raises :class:`ClearingHouseError` (``WINDOW_UNKNOWN``).
    """
    with env.database.begin_read_only() as tx:
        if settlement.window_by_id(tx, window_id) is None:
            raise ClearingHouseError(codes.WINDOW_UNKNOWN, str(window_id))
    return _paged(env, partial(invoices.documents_of, window_id=window_id))


def documents_of_run(env: Environment, run_id: int) -> Iterator[Listed]:
    """Give the house's invoices and credit notes of a run, issued or not, by pages.

    Raises :class:`ClearingHouseError` (``RUN_UNKNOWN``).
    """
    with env.database.begin_read_only() as tx:
        if runs.run_by_id(tx, run_id) is None:
            raise ClearingHouseError(codes.RUN_UNKNOWN, str(run_id))
    return _paged(env, partial(invoices.documents_of_run, run_id=run_id))


def _paged(env: Environment, read: Callable[..., list[Listed]]) -> Iterator[Listed]:
    after = ""
    while True:
        with env.database.begin_read_only() as tx:
            page = read(tx, after=after, limit=PAGE_MAX)
        yield from page
        if len(page) < PAGE_MAX:
            return
        after = page[-1].number


def export(env: Environment, window_id: int, folder: Path) -> list[Path]:
    """Write the issued documents of a window to files; return their paths.

    Named as ``IN-DEABC-2026-000001-ubl.xml``. Raises :class:`ClearingHouseError`
    (``WINDOW_UNKNOWN``), :class:`OSError` when the folder cannot be written to.
    """
    return _export(env, documents_of(env, window_id), folder)


def export_run(env: Environment, run_id: int, folder: Path) -> list[Path]:
    """Write the house's issued documents of a settlement run to files, as others are.

    Raises :class:`ClearingHouseError` (``RUN_UNKNOWN``), :class:`OSError`.
    """
    return _export(env, documents_of_run(env, run_id), folder)


def _export(env: Environment, found: Iterable[Listed], folder: Path) -> list[Path]:
    written = []
    for listed in found:
        for fmt in DocumentFormat:
            with env.database.begin_read_only() as tx:
                rendered = invoices.rendering_of(tx, listed.number, fmt)
            if rendered is None:
                continue
            folder.mkdir(parents=True, exist_ok=True)
            suffix = "pdf" if fmt is DocumentFormat.PDF else "xml"
            name = f"{listed.number}-{fmt.value.lower()}.{suffix}"
            path = folder.joinpath(name)
            path.write_bytes(zlib.decompress(rendered.content))
            written.append(path)
    return written


def _issuable(env: Environment, after: str) -> list[str]:
    with env.database.begin_read_only() as tx:
        return invoices.issuable(tx, after=after, limit=UNISSUED_MAX)


def _formats(document: Document) -> tuple[DocumentFormat, ...]:
    if fits_en16931(document.currency):
        return tuple(DocumentFormat)
    return (DocumentFormat.PDF,)


def _rendered(document: Document, fmt: DocumentFormat) -> Rendered:
    try:
        content = _RENDERS[fmt](document)
    except UnfitDocumentError as error:
        raise ClearingHouseError(codes.PROOF_FAILED, "; ".join(error.args)) from error
    return Rendered(
        digest=sha256(content).digest(),
        length=len(content),
        content=zlib.compress(content),
    )


def _document(env: Environment, tx: Connection, number: str) -> Document:
    """Return a booked document, with what was missing of its parties at its booking.

    A profile that was in force when it was booked stands, unless the document cannot be
    issued with it: then the one of today takes its place.
    """
    document = documents.document_facts(tx, number) or fee_documents.fee_document_facts(
        tx, number
    )
    if document is None:
        raise ClearingHouseError(codes.DOCUMENT_UNKNOWN, number)
    if not missing(document):
        return document
    return replace(
        document,
        seller=_of_today(env, tx, document.seller),
        buyer=_of_today(env, tx, document.buyer),
    )


def _readers(tx: Connection, number: str) -> tuple[int, ...]:
    """Return who may read a document: seller and buyer, or whom the house charges."""
    sides = documents.sides_of(tx, number)
    if sides is not None:
        return sides
    buyer = fee_documents.buyer_of(tx, number)
    return () if buyer is None else (buyer,)


def _of_today(env: Environment, tx: Connection, party: Party) -> Party:
    profile = billing.profile_on(tx, party.party_id, env.clock.now().date())
    return party if profile is None else replace(party, profile=profile)
