"""Chains of SDRs: what a correction refers to, and who stands behind whom.

Whoever corrects holds the locks of the submitter and of the home CSP's decisions, so
that nothing happens to a version while it is looked at; the key of the chain is the
second guard.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable
from datetime import datetime
from typing import NamedTuple

from sqlalchemy import Connection, Text, cast, select, text

from clearinghouse.domain.sdr_rows import Around
from clearinghouse.storage.database import Database
from clearinghouse.storage.sdr_intake import NewSdr
from clearinghouse.storage.sdrs import Place, StoredSdr, sdrs_by_hash
from clearinghouse.storage.tables.participants import participant
from clearinghouse.storage.tables.sdrs import sdr, sdr_chain

_TURNS = text("""
    SELECT count(*) FROM clearing.sdr_chain
    WHERE ref_window_id = :window_id AND ref_sdr_no = :sdr_no
""")


class Link(NamedTuple):
    """One step of a chain: ``place`` stands behind ``ref``; by a dispute or not."""

    ref: Place
    place: Place
    dispute_id: str | None


class StoredRow(NamedTuple):
    """An SDR's row as it was written, and what its canonical line needs beside it."""

    row: NewSdr
    around: Around


def versions_of(
    tx: Connection, submitter_id: int, hashes: Collection[bytes]
) -> dict[bytes, StoredSdr]:
    """Return a submitter's SDRs by the hashes of their ids."""
    keys = {(submitter_id, one) for one in hashes}
    return {key: found for (_, key), found in sdrs_by_hash(tx, keys).items()}


def row_at(tx: Connection, place: Place) -> StoredRow:
    """Return an SDR's row, to be mirrored or replaced.

    Raises :class:`sqlalchemy.exc.NoResultFound` when there is none.
    """
    submitter, csp, cso = (
        participant.alias(name) for name in ("submitter", "csp", "cso")
    )
    names = [name for name in NewSdr._fields if name != "detail"]
    query = (
        select(
            *(sdr.c[name] for name in names),
            cast(sdr.c.detail, Text).label("detail"),
            sdr.c.detail["sessions"].astext.label("intervals"),
            sdr.c.detail["zone"].astext.label("zone"),
            submitter.c.party_id.label("submitter"),
            csp.c.party_id.label("csp"),
            cso.c.party_id.label("cso"),
        )
        .join(submitter, submitter.c.participant_id == sdr.c.submitter_id)
        .join(csp, csp.c.participant_id == sdr.c.csp_id)
        .join(cso, cso.c.participant_id == sdr.c.cso_id)
        .where(sdr.c.window_id == place.window_id, sdr.c.sdr_no == place.sdr_no)
    )
    found = tx.execute(query).mappings().one()
    around = Around(
        submitter=found["submitter"],
        csp=found["csp"],
        cso=found["cso"],
        zone=found["zone"] or "",
        intervals=found["intervals"],
    )
    row = NewSdr(**{name: found[name] for name in NewSdr._fields})
    return StoredRow(row, around)


def copy_chain(tx: Connection, links: Iterable[Link], *, at: datetime) -> None:
    """Put versions behind those that they refer to.

    Raises :class:`sqlalchemy.exc.IntegrityError` when somebody stands there already.
    """
    rows = [
        (*one.ref, _turn(tx, one.ref), *one.place, one.dispute_id, at) for one in links
    ]
    columns = (
        "ref_window_id",
        "ref_sdr_no",
        "turn",
        "window_id",
        "sdr_no",
        "dispute_id",
        "at",
    )
    Database.copy(tx, sdr_chain, columns, rows)


def _turn(tx: Connection, ref: Place) -> int:
    """Return how many stood behind a version before and count no more."""
    return int(tx.execute(_TURNS, ref._asdict()).scalar_one())


def is_of_dispute(tx: Connection, place: Place) -> bool:
    """Say whether an SDR is the outcome of a dispute: that is final."""
    query = select(sdr_chain.c.dispute_id).where(
        sdr_chain.c.window_id == place.window_id, sdr_chain.c.sdr_no == place.sdr_no
    )
    return tx.execute(query).scalar_one_or_none() is not None
