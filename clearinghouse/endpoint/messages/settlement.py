"""Types of the settlement service."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Literal

from clearinghouse.endpoint.messages.common import CurrencyAmount, Result

WindowState = Literal["OPEN", "CUTOVER", "CLOSED"]
StatementFormat = Literal["XML", "CSV", "PDF", "HTML"]
DocumentKind = Literal["INVOICE", "CREDIT_NOTE"]
DocumentFormat = Literal["UBL", "CII", "PDF"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Position:
    """What we are owed by, and owe to, one partner in one currency."""

    currency: str
    counterparty_id: str
    receivable: Decimal
    payable: Decimal
    sdr_count: int
    energy_wh: int
    receivable_gross: Decimal | None = None
    payable_gross: Decimal | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class GetPositionsResponse:
    """Positions of one window, a page at a time; ``net`` and ``gross`` are of all."""

    result: Result
    window_id: int | None = None
    window_label: str | None = None
    window_state: WindowState | None = None
    position: tuple[Position, ...] = ()
    net: tuple[CurrencyAmount, ...] = ()
    gross: tuple[CurrencyAmount, ...] = ()
    next_cursor: str | None = None
    more: bool | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class StatementEntry:
    """One statement; ``digest`` is the SHA-256 of its XML form in hexadecimal."""

    statement_id: str
    window_id: int
    window_label: str | None = None
    currency: str
    closed_at: datetime
    net: Decimal
    digest: str
    lines: int
    gross: Decimal | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ListStatementsResponse:
    """One page of statements."""

    result: Result
    statement: tuple[StatementEntry, ...] = ()
    next_cursor: str | None = None
    more: bool | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class GetStatementResponse:
    """One part of one form of a statement."""

    result: Result
    statement_id: str | None = None
    format: StatementFormat | None = None
    part: int | None = None
    parts: int | None = None
    digest: str | None = None
    content: bytes | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class TreePlace:
    """Where a row stands in a Merkle tree, and the hashes beside its way up."""

    index: int
    size: int
    hash: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class GetProofResponse:
    """The way from an SDR's row to the signed block of its window."""

    result: Result
    window_id: int | None = None
    window_label: str | None = None
    row: bytes | None = None
    in_pair: TreePlace | None = None
    pair_row: bytes | None = None
    in_window: TreePlace | None = None
    block: bytes | None = None
    key_id: str | None = None
    signature: bytes | None = None
    public_key: bytes | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class SigningKey:
    """A public key of the house in DER; without ``valid_until`` it is in use."""

    key_id: str
    valid_from: datetime
    valid_until: datetime | None = None
    public_key: bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class GetSigningKeysResponse:
    """The keys that the house signs with, the one in use last."""

    result: Result
    key: tuple[SigningKey, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class DocumentDigest:
    """One form of a document and the SHA-256 of it in hexadecimal."""

    format: DocumentFormat
    digest: str


@dataclass(frozen=True, slots=True, kw_only=True)
class InvoiceEntry:
    """One invoice or credit note that we sold or bought by."""

    document_number: str
    kind: DocumentKind
    window_id: int
    seller_id: str
    buyer_id: str
    currency: str
    net: Decimal
    vat: Decimal
    gross: Decimal
    booked_at: datetime
    form: tuple[DocumentDigest, ...] = ()
    run_id: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ListInvoicesResponse:
    """One page of invoices and credit notes."""

    result: Result
    invoice: tuple[InvoiceEntry, ...] = ()
    next_cursor: str | None = None
    more: bool | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class GetInvoiceResponse:
    """One part of one form of an invoice or credit note."""

    result: Result
    document_number: str | None = None
    format: DocumentFormat | None = None
    part: int | None = None
    parts: int | None = None
    digest: str | None = None
    content: bytes | None = None
