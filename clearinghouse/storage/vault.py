"""Personal data: pseudonyms by value, and values by pseudonym (clause 8).

The vault has its own connections under its own role; the business role cannot read its
schema, and this role cannot read business. What it gives out is a number.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from threading import Lock
from typing import Any, TypeVar
from uuid import UUID

from sqlalchemy import Connection, Row, func, select, text, update
from sqlalchemy.dialects.postgresql import insert as insert_or

from clearinghouse.codes import UNAVAILABLE
from clearinghouse.domain.errors import ClearingHouseError
from clearinghouse.domain.privacy import SubjectKind
from clearinghouse.storage import sealed_texts
from clearinghouse.storage.database import BudgetName, Database
from clearinghouse.storage.roles import PRIVACY_ROLE
from clearinghouse.storage.sealed_texts import ClearText, SealedText, subject_place
from clearinghouse.storage.sealing import KeyRing, make_key, read_key
from clearinghouse.storage.tables.columns import among
from clearinghouse.storage.tables.credentials import sealing_key, subject

#: Values or pseudonyms of one call. It stops one list from becoming one statement of
#: unbounded size; callers with more go part by part.
VALUES_MAX = 50_000

_Value = TypeVar("_Value", str, int)

_DRAW = text(
    "SELECT nextval('privacy.subject_subject_id_seq') FROM generate_series(1, :count)"
)


@dataclass(frozen=True, slots=True)
class Subject:
    """One data subject's value in clear; ``owner_id`` is the CSP that enrolled it."""

    subject_id: int
    owner_id: int
    kind: SubjectKind
    value: str = field(repr=False)


@dataclass(frozen=True, slots=True)
class Found:
    """The pseudonym of a value and the CSP that enrolled it."""

    subject_id: int
    owner_id: int


@dataclass(frozen=True, slots=True)
class Enrolment:
    """Pseudonyms by value; ``claimed`` are values that another CSP holds."""

    subjects: Mapping[str, int]
    claimed: frozenset[str]


class Vault:
    """The personal data of all data subjects, sealed one by one."""

    def __init__(self, url: str, *, key_path: Path, pool_size: int = 6) -> None:
        self._database = Database(url, pool_size=pool_size, role=PRIVACY_ROLE)
        self._key_path = key_path
        self._ring: KeyRing | None = None
        self._opening = Lock()

    def find_subjects(
        self,
        kind: SubjectKind,
        values: Iterable[str],
        *,
        budget: BudgetName = "realtime",
    ) -> dict[str, Found]:
        """Return what is enrolled of these values; unknown ones are left out."""
        ring = self._open_ring()
        with self._database.look_up(budget) as tx:
            return _find(tx, ring, kind, _distinct(values))

    def enrol(
        self, owner_id: int, kind: SubjectKind, values: Iterable[str], *, at: datetime
    ) -> Enrolment:
        """Give each value of a CSP its pseudonym, new or known; nothing twice.

        A value that another CSP holds is not taken over: it is named in the result.
        Safe against a twin that enrols the same values at the same time.
        """
        wanted = _distinct(values)
        with self._begin("bulk") as (tx, ring):
            found = _find(tx, ring, kind, wanted)
            missing = [value for value in wanted if value not in found]
            if missing:
                rows = _sealed_rows(tx, ring, kind, missing)
                for row in rows:
                    row |= {"owner_id": owner_id, "created_at": at}
                tx.execute(insert_or(subject).on_conflict_do_nothing(), rows)
                # A twin's rows count as well, so all are read back.
                found |= _find(tx, ring, kind, missing)
        mine = {
            value: entry.subject_id
            for value, entry in found.items()
            if entry.owner_id == owner_id
        }
        return Enrolment(mine, frozenset(wanted) - mine.keys())

    def reveal(self, subject_ids: Iterable[int]) -> dict[int, Subject]:
        """Return the values behind pseudonyms; erased and unknown ones are left out.

        Raises :class:`ClearingHouseError` (``CH.UNAVAILABLE``) when a row was tampered
        with, and so does not open.
        """
        wanted = _distinct(subject_ids)
        query = select(
            subject.c.subject_id,
            subject.c.owner_id,
            subject.c.kind,
            subject.c.key_sealed,
            subject.c.value_sealed,
        ).where(among(subject.c.subject_id, wanted), subject.c.erased_at.is_(None))
        with self._begin("ordinary") as (tx, ring):
            return {row.subject_id: _revealed(ring, row) for row in tx.execute(query)}

    def erase(self, subject_ids: Iterable[int], *, at: datetime) -> int:
        """Forget data subjects: destroy key, value, look-up and texts; return how many.

        The row stays as a tombstone, so that a restored backup can be erased again;
        amounts and counts of business stay without a person (8-forget).
        """
        forgotten = _distinct(subject_ids)
        change = (
            update(subject)
            .where(
                among(subject.c.subject_id, forgotten),
                subject.c.erased_at.is_(None),
            )
            .values(lookup=None, key_sealed=None, value_sealed=None, erased_at=at)
        )
        with self._begin("ordinary") as (tx, _):
            sealed_texts.forget(tx, forgotten)
            return tx.execute(change).rowcount

    def seal_texts(self, wanted: Sequence[ClearText]) -> list[SealedText]:
        """Seal texts that may name persons; those of erased ones are left out.

        :func:`clearinghouse.storage.sealed_texts.keep` puts them here, in the
        transaction of the business that they belong to.
        """
        with self._begin("bulk") as (tx, ring):
            return sealed_texts.seal(tx, ring, wanted)

    def reveal_texts(self, text_ids: Collection[UUID]) -> dict[UUID, str]:
        """Return sealed texts in clear; forgotten and unknown ones are left out.

        Raises as :meth:`reveal` does.
        """
        with self._begin("ordinary") as (tx, ring):
            return sealed_texts.reveal(tx, ring, text_ids)

    def seal(self, secret: str, *, purpose: str) -> bytes:
        """Seal a small secret, as a partner's access token, for business storage.

        ``purpose`` says where it will lie; it opens nowhere else.
        """
        return self._open_ring().seal_secret(secret, purpose)

    def unseal(self, sealed: bytes, *, purpose: str) -> str:
        """Return a sealed secret.

        Raises :class:`ClearingHouseError` (``CH.UNAVAILABLE``) for another purpose.
        """
        return self._open_ring().open_secret(sealed, purpose)

    def close(self) -> None:
        """Close the idle connections."""
        self._database.close()

    @contextmanager
    def _begin(self, budget: BudgetName) -> Iterator[tuple[Connection, KeyRing]]:
        ring = self._open_ring()
        with self._database.begin(budget) as tx:
            yield tx, ring

    def _open_ring(self) -> KeyRing:
        """Read the key file, or make it on first use, and check it is this database's.

        A wrong key would not fail: it would find nobody, and enrol everybody twice.
        """
        with self._opening:
            if self._ring is None:
                with self._database.begin() as tx:
                    self._ring = _checked_ring(tx, self._key_path)
            return self._ring


def _checked_ring(tx: Connection, path: Path) -> KeyRing:
    known = tx.execute(select(sealing_key.c.key_id)).scalar_one_or_none()
    key = read_key(path)
    if key is None:
        if known is not None:
            raise ClearingHouseError(
                UNAVAILABLE,
                f"the key file {path} is missing: restore it, for nothing that this "
                "database sealed opens without it",
            )
        key = make_key(path)
    ring = KeyRing(key)
    if known is None:
        tx.execute(
            insert_or(sealing_key)
            .values(key_id=ring.key_id, made_at=func.now())
            .on_conflict_do_nothing()
        )
        known = tx.execute(select(sealing_key.c.key_id)).scalar_one()
    if known != ring.key_id:
        raise ClearingHouseError(
            UNAVAILABLE, f"the key file {path} is not the key of this database"
        )
    return ring


def _find(
    tx: Connection, ring: KeyRing, kind: SubjectKind, values: Sequence[str]
) -> dict[str, Found]:
    lookups = {ring.lookup(kind, value): value for value in values}
    query = select(subject.c.subject_id, subject.c.owner_id, subject.c.lookup).where(
        subject.c.kind == kind, among(subject.c.lookup, list(lookups))
    )
    return {
        lookups[bytes(row.lookup)]: Found(row.subject_id, row.owner_id)
        for row in tx.execute(query)
    }


def _sealed_rows(
    tx: Connection, ring: KeyRing, kind: SubjectKind, values: Sequence[str]
) -> list[dict[str, object]]:
    rows: list[dict[str, object]] = []
    # In one order everywhere, so that two twins cannot wait for each other.
    values = sorted(values, key=lambda value: ring.lookup(kind, value))
    numbers = tx.execute(_DRAW, {"count": len(values)}).scalars()
    for subject_id, value in zip(numbers, values, strict=True):
        place = subject_place(subject_id, kind)
        key_sealed, value_sealed = ring.seal_value(value, place)
        rows.append(
            {
                "subject_id": subject_id,
                "kind": kind,
                "lookup": ring.lookup(kind, value),
                "key_sealed": key_sealed,
                "value_sealed": value_sealed,
            }
        )
    return rows


def _revealed(ring: KeyRing, row: Row[*tuple[Any, ...]]) -> Subject:
    kind = SubjectKind(row.kind)
    place = subject_place(row.subject_id, kind)
    value = ring.open_value(row.key_sealed, row.value_sealed, place)
    return Subject(row.subject_id, row.owner_id, kind, value)


def _distinct(values: Iterable[_Value]) -> list[_Value]:
    distinct = list(dict.fromkeys(values))
    if len(distinct) > VALUES_MAX:
        raise ValueError(f"{len(distinct)} values in one call; {VALUES_MAX} at most")
    return distinct
