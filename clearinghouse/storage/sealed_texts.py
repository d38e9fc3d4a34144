"""Longer texts of data subjects, sealed: signed meter values as they were sent.

A text lies under the key of the person whom it may name: with that key it is gone
(8-forget). Of a person whom nobody enrolled there is no such key; then the text has its
own, and the keyed digest of what was sent says whose it is. Business writes through a
slot, the function ``clearing.keep_sealed_texts``, in its own transaction, and can
read nothing here.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import NamedTuple
from uuid import UUID

from sqlalchemy import Connection, delete, or_, select, text

from clearinghouse.domain.privacy import SubjectKind
from clearinghouse.storage.sealing import KeyRing, new_key, open_text, seal_text
from clearinghouse.storage.tables.columns import among
from clearinghouse.storage.tables.credentials import sealed_text, subject

_KEEP = text("""
    SELECT clearing.keep_sealed_texts(
        CAST(:ids AS uuid[]), CAST(:subjects AS bigint[]), CAST(:lookups AS bytea[]),
        CAST(:keys AS bytea[]), CAST(:texts AS bytea[]), :at)
""")


@dataclass(frozen=True, slots=True, kw_only=True)
class ClearText:
    """A text to be sealed. ``subject_id``: whom it may name, where that is known.

    ``sent``: kind and value of what was sent of a person that nobody enrolled.
    """

    text_id: UUID
    subject_id: int | None
    sent: tuple[SubjectKind, str] | None = field(repr=False)
    text: str = field(repr=False)


class SealedText(NamedTuple):
    """A sealed text; ``key`` is the wrapped key that is its own, if it has one."""

    text_id: UUID
    subject_id: int | None
    lookup: bytes | None
    key: bytes | None
    text: bytes


def seal(
    tx: Connection, ring: KeyRing, wanted: Sequence[ClearText]
) -> list[SealedText]:
    """Return texts sealed; those of subjects that are erased are left out.

    ``tx`` is the vault's: subjects' keys are read in it.
    """
    keys = _subject_keys(tx, ring, [one.subject_id for one in wanted])
    sealed: list[SealedText] = []
    for one in wanted:
        place = _place(one.text_id)
        if one.subject_id is None:
            key, wrapped = new_key(ring, place)
            lookup = None if one.sent is None else ring.lookup(*one.sent)
            value = seal_text(key, one.text, place)
            sealed.append(SealedText(one.text_id, None, lookup, wrapped, value))
        elif one.subject_id in keys:
            value = seal_text(keys[one.subject_id], one.text, place)
            sealed.append(SealedText(one.text_id, one.subject_id, None, None, value))
    return sealed


def keep(tx: Connection, sealed: Iterable[SealedText], *, at: datetime) -> None:
    """Put sealed texts into the vault, in the caller's transaction of business."""
    rows = list(sealed)
    if not rows:
        return
    place = {
        "ids": [one.text_id for one in rows],
        "subjects": [one.subject_id for one in rows],
        "lookups": [one.lookup for one in rows],
        "keys": [one.key for one in rows],
        "texts": [one.text for one in rows],
        "at": at,
    }
    tx.execute(_KEEP, place)


def reveal(tx: Connection, ring: KeyRing, ids: Collection[UUID]) -> dict[UUID, str]:
    """Return texts in clear; forgotten and unknown ones are left out.

    ``tx`` is the vault's. Raises
    :class:`~clearinghouse.domain.errors.ClearingHouseError` (``CH.UNAVAILABLE``) for
    one that was tampered with.
    """
    query = select(sealed_text).where(among(sealed_text.c.text_id, list(ids)))
    rows = tx.execute(query).all()
    keys = _subject_keys(tx, ring, [row.subject_id for row in rows])
    found: dict[UUID, str] = {}
    for row in rows:
        place = _place(row.text_id)
        if row.subject_id is None:
            key = ring.unwrap(row.key_sealed, place)
        elif row.subject_id in keys:
            key = keys[row.subject_id]
        else:
            continue
        found[row.text_id] = open_text(key, row.text_sealed, place)
    return found


def forget(tx: Connection, subject_ids: Collection[int]) -> None:
    """Remove the texts of subjects that are about to be erased.

    Also those that came before the person was enrolled, found by what was sent.
    """
    lookups = select(subject.c.lookup).where(
        among(subject.c.subject_id, list(subject_ids)), subject.c.lookup.is_not(None)
    )
    tx.execute(
        delete(sealed_text).where(
            or_(
                among(sealed_text.c.subject_id, list(subject_ids)),
                sealed_text.c.lookup.in_(lookups),
            )
        )
    )


def subject_place(subject_id: int, kind: str) -> bytes:
    """Return what is authenticated with a subject's key and value."""
    return f"privacy.subject|{kind}|{subject_id}".encode()


def _subject_keys(
    tx: Connection, ring: KeyRing, ids: Iterable[int | None]
) -> Mapping[int, bytes]:
    """Return the keys of subjects in clear; those of erased ones are gone."""
    wanted = {one for one in ids if one is not None}
    if not wanted:
        return {}
    query = select(subject.c.subject_id, subject.c.kind, subject.c.key_sealed).where(
        among(subject.c.subject_id, list(wanted)), subject.c.key_sealed.is_not(None)
    )
    return {
        row.subject_id: ring.unwrap(
            row.key_sealed, subject_place(row.subject_id, SubjectKind(row.kind))
        )
        for row in tx.execute(query)
    }


def _place(text_id: UUID) -> bytes:
    return f"privacy.sealed_text|{text_id}".encode()
