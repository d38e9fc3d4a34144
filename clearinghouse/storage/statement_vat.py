"""What statements say of VAT: shares of documents, and on which one a line stands."""

from __future__ import annotations

from collections import defaultdict

from sqlalchemy import Connection, text

from clearinghouse.domain.statements import Direction, Statement, TaxedShare
from clearinghouse.domain.vat import VatCategory

#: What begins the number of a credit note.
_NOTE = "CN-"

_SHARES = text("""
    SELECT CASE WHEN d.seller_id = :participant_id THEN d.buyer_party
                ELSE d.seller_party END AS party_id,
           d.seller_id = :participant_id AS receives, d.number, v.category, v.rate_bp,
           CASE d.kind WHEN '380' THEN v.base_minor ELSE -v.base_minor END AS net_minor,
           CASE d.kind WHEN '380' THEN v.vat_minor ELSE -v.vat_minor END AS vat_minor
    FROM clearing.document AS d JOIN clearing.document_vat AS v USING (number)
    WHERE d.window_id = :window_id AND d.currency = :currency
      AND (d.seller_id = :participant_id OR d.buyer_id = :participant_id)
    ORDER BY d.number COLLATE "C", v.category COLLATE "C", v.rate_bp
""")

#: Counterparty, whether the line is received, category, rate, whether it is a credit
#: of an earlier window.
Treated = tuple[str, bool, str, int, bool]


def taxed_shares(
    tx: Connection, *, window_id: int, participant_id: int, currency: str
) -> dict[tuple[str, bool], tuple[TaxedShare, ...]]:
    """Return the shares of a participant's documents by counterparty and side.

    The side is true where the participant sells.
    """
    place = {
        "window_id": window_id,
        "participant_id": participant_id,
        "currency": currency,
    }
    found: dict[tuple[str, bool], list[TaxedShare]] = defaultdict(list)
    for row in tx.execute(_SHARES, place):
        found[row.party_id, row.receives].append(
            TaxedShare(
                row.number,
                VatCategory(row.category),
                row.rate_bp,
                row.net_minor,
                row.vat_minor,
            )
        )
    return {side: tuple(shares) for side, shares in found.items()}


def numbers_of(statement: Statement) -> dict[Treated, str] | None:
    """Return on which document a line stands, by how it is treated.

    ``None`` for a statement of a window that was closed before there were documents.
    Charges that came to less than nothing stand on the credit note, and so they are
    looked for on both.
    """
    if statement.gross_minor is None:
        return None
    found: dict[Treated, str] = {}
    for total in statement.counterparties:
        receives = total.direction is Direction.RECEIVABLE
        for share in total.taxed:
            side = (total.party_id, receives, share.category.value, share.rate_bp)
            is_note = share.document.startswith(_NOTE)
            found[*side, is_note] = share.document
            found.setdefault((*side, not is_note), share.document)
    return found
