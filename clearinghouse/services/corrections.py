"""Credits and replacements of SDRs: the rows, whoever asks for them (settlement 2.7).

A credit is its reference with the signs turned: the same tariff, the same taxes, the
same everything. It falls into the window that is open now; what is closed stays closed.
"""

from __future__ import annotations

from datetime import datetime
from typing import NamedTuple
from uuid import UUID

from sqlalchemy import Connection

from clearinghouse.domain.numbering import DocumentKind
from clearinghouse.domain.sdr_facts import Version
from clearinghouse.domain.sdr_rows import leaf_of_row, row_of
from clearinghouse.domain.sdrs import SdrKind, SdrStatus
from clearinghouse.storage import corrections
from clearinghouse.storage.corrections import StoredRow
from clearinghouse.storage.sdr_intake import NewSdr
from clearinghouse.storage.sdrs import Place, StoredSdr


class Identity(NamedTuple):
    """What is a correction's own: its id, its place and where it came from."""

    place: Place
    sdr_uid: str
    batch_id: UUID | str
    record_no: int
    content_digest: bytes
    received_at: datetime


def version_of(stored: StoredSdr) -> Version:
    """Return a stored SDR as the rules on corrections see it."""
    sign = -1 if stored.kind is SdrKind.CREDIT else 1
    return Version(
        kind=stored.kind,
        status=stored.status,
        csp_party=stored.csp_party,
        csp_id=stored.csp_id,
        cso_id=stored.cso_id,
        evse_key=stored.evse_key,
        session_id=stored.session_id,
        started_at=stored.started_at,
        ended_at=stored.ended_at,
        energy_wh=sign * stored.energy_wh,
        charge_seconds=sign * stored.charge_seconds,
        parking_seconds=sign * stored.parking_seconds,
        idle_seconds=sign * stored.idle_seconds,
        tariff_id=stored.tariff_id,
        currency=stored.currency,
        claimed_minor=sign * stored.claimed_minor,
        net_minor=sign * stored.net_minor,
    )


def mirror_of(tx: Connection, ref: Place, credit: Identity) -> NewSdr:
    """Return the credit of a stored SDR.

    All figures, and everything that says how they came about, are those of the stored
    row.
    """
    stored = corrections.row_at(tx, ref)
    figures = stored.row
    row = renamed(figures, credit)._replace(
        kind=SdrKind.CREDIT.value,
        ref_window_id=ref.window_id,
        ref_sdr_no=ref.sdr_no,
        rule_codes="",
        energy_wh=-figures.energy_wh,
        charge_seconds=-figures.charge_seconds,
        idle_seconds=-figures.idle_seconds,
        parking_seconds=-figures.parking_seconds,
        net_minor=-figures.net_minor,
        claimed_minor=-figures.claimed_minor,
    )
    return with_leaf(StoredRow(row, stored.around))


def renamed(row: NewSdr, identity: Identity) -> NewSdr:
    """Return an accepted row with the figures of another one."""
    return row._replace(
        window_id=identity.place.window_id,
        sdr_no=identity.place.sdr_no,
        sdr_uid=identity.sdr_uid,
        batch_id=identity.batch_id,
        record_no=identity.record_no,
        content_digest=identity.content_digest,
        received_at=identity.received_at,
        change_id=identity.place.sdr_no,
        status=SdrStatus.ACCEPTED.value,
    )


def document_of(row: NewSdr) -> str:
    """Return the kind of the document on which an SDR stands.

    A credit of an SDR of an earlier window is on a credit note: its charge is on an
    invoice that was issued. One of the same window makes the invoice smaller.
    """
    is_late = row.ref_window_id is not None and row.ref_window_id != row.window_id
    if is_late and row.kind == SdrKind.CREDIT.value:
        return DocumentKind.CREDIT_NOTE.value
    return DocumentKind.INVOICE.value


def with_leaf(stored: StoredRow) -> NewSdr:
    """Return a row with the Merkle leaf of what it says now."""
    return stored.row._replace(leaf=leaf_of_row(row_of(stored.row, stored.around)))
