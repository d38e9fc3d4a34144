"""What a dispute comes to, booked: a credit, a replacement, both or nothing (2.7).

The house writes them as SDRs of the submitter, in the window that is open now. They go
to the home CSP like all others, and are final.
"""

from __future__ import annotations

from datetime import datetime
from hashlib import sha256
from uuid import uuid4

from sqlalchemy import Connection

from clearinghouse.domain import sdr_catalogue as catalogue
from clearinghouse.domain.money import currency_of, minor_text
from clearinghouse.domain.sdrs import SdrKind, uid_hash
from clearinghouse.services import sdr_delivery
from clearinghouse.services.corrections import (
    Identity,
    document_of,
    mirror_of,
    renamed,
    with_leaf,
)
from clearinghouse.services.sdr_delivery import Piece
from clearinghouse.storage import (
    corrections,
    sdr_decisions,
    sdr_intake,
    settlement,
)
from clearinghouse.storage.corrections import Link, StoredRow
from clearinghouse.storage.disputes import NewDispute
from clearinghouse.storage.sdr_decisions import Exclusion
from clearinghouse.storage.sdr_intake import NewHit, NewKey, NewSdr, NewTotal
from clearinghouse.storage.sdrs import Place, StoredSdr

#: Why a disputed SDR left its window.
CARRIED = "DISPUTED"


def carry_away(tx: Connection, stored: StoredSdr, *, at: datetime) -> None:
    """Take a disputed SDR out of the open window; its session waits for no other."""
    sdr_decisions.exclude(tx, [Exclusion(stored.place, None, CARRIED)], at=at)
    sdr_intake.copy_totals(tx, sdr_decisions.claims_of([stored], times=-1))


def book(
    tx: Connection, dispute: NewDispute, agreed_minor: int, *, at: datetime
) -> None:
    """Book what is to be paid in the end, against what counts now.

    The caller holds the lock of the CSP's decisions. Raises
    :class:`ClearingHouseError` (``CH.UNAVAILABLE``) when no window is open.
    """
    counts_minor = 0 if dispute.carried else dispute.net_minor
    if agreed_minor == counts_minor:
        return
    window_id = settlement.join_open_window(tx).window_id
    stored = corrections.row_at(tx, dispute.place)
    rows: list[NewSdr] = []
    ref = dispute.place
    if not dispute.carried:
        identity = _identity(tx, stored, window_id, at=at)
        rows.append(mirror_of(tx, ref, identity))
        ref = identity.place
    if agreed_minor:
        identity = _identity(tx, stored, window_id, at=at)
        rows.append(_replacement(stored, ref, identity, agreed_minor))
    _write(tx, dispute, rows, at=at)


def _identity(
    tx: Connection, stored: StoredRow, window_id: int, *, at: datetime
) -> Identity:
    """Return an id that nobody can have taken: it was not known before."""
    (number,) = sdr_intake.draw_numbers(tx, 1)
    name = f"CH-{uuid4()}"
    return Identity(
        place=Place(window_id, number),
        sdr_uid=name,
        batch_id=stored.row.batch_id,
        record_no=stored.row.record_no,
        content_digest=sha256(name.encode()).digest(),
        received_at=at,
    )


def _replacement(
    stored: StoredRow, ref: Place, identity: Identity, agreed_minor: int
) -> NewSdr:
    """Return the version that counts what was agreed; all else is as it was.

    S-308 says that the amount is nobody's rating. The whole net needs no such word.
    """
    rated = agreed_minor == stored.row.net_minor
    rules = stored.row.rule_codes.split()
    if not rated:
        rules.append(catalogue.S308.rule)
    row = renamed(stored.row, identity)._replace(
        kind=SdrKind.REPLACEMENT.value,
        ref_window_id=ref.window_id,
        ref_sdr_no=ref.sdr_no,
        net_minor=agreed_minor,
        rule_codes=" ".join(dict.fromkeys(rules)),
    )
    return with_leaf(StoredRow(row, stored.around))


def _write(
    tx: Connection, dispute: NewDispute, rows: list[NewSdr], *, at: datetime
) -> None:
    sdr_intake.copy_sdrs(tx, rows)
    sdr_intake.copy_keys(tx, [_key(row) for row in rows])
    sdr_intake.copy_hits(tx, [_hit(row, dispute) for row in rows if _is_agreed(row)])
    corrections.copy_chain(tx, [_link(row, dispute) for row in rows], at=at)
    sdr_intake.copy_totals(tx, [_claim(row) for row in rows])
    first, last = rows[0], rows[-1]
    piece = Piece(first.csp_id, first.sdr_no, last.sdr_no, count=len(rows))
    sdr_delivery.queue_pieces(tx, [piece], first.batch_id, first.window_id, at=at)


def _key(row: NewSdr) -> NewKey:
    return NewKey(
        row.submitter_id,
        uid_hash(row.sdr_uid),
        row.content_digest,
        row.window_id,
        row.sdr_no,
    )


def _is_agreed(row: NewSdr) -> bool:
    return catalogue.S308.rule in row.rule_codes.split()


def _hit(row: NewSdr, dispute: NewDispute) -> NewHit:
    currency = currency_of(row.currency)
    rule = catalogue.S308
    return NewHit(
        row.window_id,
        row.sdr_no,
        rule.rule,
        rule.code.number,
        rule.severity.value,
        "claimedNet",
        f"{minor_text(dispute.net_minor, currency)} {row.currency}",
        f"{minor_text(row.net_minor, currency)} {row.currency}",
    )


def _link(row: NewSdr, dispute: NewDispute) -> Link:
    ref = Place(row.ref_window_id or 0, row.ref_sdr_no or 0)
    return Link(ref, Place(row.window_id, row.sdr_no), str(dispute.dispute_id))


def _claim(row: NewSdr) -> NewTotal:
    return NewTotal(
        window_id=row.window_id,
        batch_id=row.batch_id,
        csp_id=row.csp_id,
        submitter_id=row.submitter_id,
        currency=row.currency,
        sdr_count=1,
        energy_wh=row.energy_wh,
        net_minor=row.net_minor,
        kind=document_of(row),
        vat_category=row.vat_category,
        vat_rate_bp=row.vat_rate_bp,
        vat_rule_id=row.vat_rule_id,
        place_country=row.place_country,
    )
