"""Credential lists of the CSPs, as pseudonyms: full lists, deltas, the CSOs' feed.

The vault knows the values; here is what its issuer says of each: valid, blocked,
removed, and until when (clause 4.3-I3, credential authentication).
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import (
    ColumnElement,
    Connection,
    Row,
    Select,
    and_,
    case,
    func,
    select,
    text,
    update,
)
from sqlalchemy.dialects.postgresql import insert

from clearinghouse.codes import CREDENTIAL_LIST_PARTS
from clearinghouse.domain.credentials import (
    CredentialStatus,
    ListedCredential,
    ListState,
)
from clearinghouse.identifiers.credential import CredentialKind
from clearinghouse.storage import lists
from clearinghouse.storage.feeds import Cursor, Page, page_of, paged
from clearinghouse.storage.tables.columns import among, touched
from clearinghouse.storage.tables.credentials import (
    credential,
    credential_list,
    credential_list_entry,
    credential_list_part,
)

STAGING = lists.Staging(
    lists=credential_list,
    parts=credential_list_part,
    entries=credential_list_entry,
    owner="csp_id",
    lock_space=7_311_902,
    misfit=CREDENTIAL_LIST_PARTS,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class CredentialEntry:
    """One line of an uploaded list; both subjects are pseudonyms of the vault."""

    subject_id: int
    kind: CredentialKind
    status: CredentialStatus
    valid_until: datetime | None = None
    contract_subject_id: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class CredentialChange:
    """One line of the feed; a status of REMOVED is a tombstone."""

    subject_id: int
    csp_id: int
    kind: CredentialKind
    status: CredentialStatus
    valid_until: datetime | None = None


@dataclass(frozen=True, slots=True)
class Delta:
    """What a delta did: the list's version after it, and how many entries it moved."""

    version: int
    changed: int


def stage_part(
    tx: Connection,
    part: lists.ListPart,
    entries: Sequence[CredentialEntry],
    *,
    kept: Iterable[int] = (),
    refused: int = 0,
) -> lists.StagedList:
    """Store one part of a full list; of an entry named twice the last counts.

    A part that came before is for the caller to recognise, by
    :func:`clearinghouse.storage.lists.has_part`. ``kept`` are subjects of refused
    entries: they stand in the list as they are in force now, if they are; ``refused``
    counts all entries that were not taken. Raises :class:`ClearingHouseError`
    (``CREDENTIAL_LIST_PARTS``) when the part does not fit the others.
    """
    lists.open_part(tx, STAGING, part)
    place = {"csp_id": part.owner_id, "list_id": part.list_id, "part": part.part}
    rows = {entry.subject_id: _values(entry) | place for entry in entries}
    if rows:
        new = insert(credential_list_entry)
        replaced = {
            name: new.excluded[name]
            for name in ("part", "status", "valid_until", "contract_subject_id")
        }
        keys = ["csp_id", "list_id", "subject_id"]
        upsert = new.on_conflict_do_update(index_elements=keys, set_=replaced)
        tx.execute(upsert, list(rows.values()))
    keeping = list(kept)
    if keeping:
        refused -= tx.execute(_KEEP, place | {"subject_ids": keeping}).rowcount
    return lists.close_part(tx, STAGING, part, refused=refused)


_KEEP = text("""
    INSERT INTO clearing.credential_list_entry (csp_id, list_id, part, subject_id, kind,
        status, valid_until, contract_subject_id)
    SELECT csp_id, :list_id, :part, subject_id, kind, status, valid_until,
        contract_subject_id
    FROM clearing.credential
    WHERE csp_id = :csp_id AND status <> 'REMOVED'
      AND subject_id = ANY (CAST(:subject_ids AS bigint[]))
    ON CONFLICT (csp_id, list_id, subject_id) DO NOTHING
""")

_DIFFERENCE = text("""
    SELECT count(*) AS present,
           count(*) FILTER (WHERE entry.subject_id IS NULL) AS removed
    FROM clearing.credential AS known
    LEFT JOIN clearing.credential_list_entry AS entry
        ON entry.csp_id = known.csp_id AND entry.list_id = :list_id
        AND entry.subject_id = known.subject_id
    WHERE known.csp_id = :csp_id AND known.status <> 'REMOVED'
""")


def difference(tx: Connection, csp_id: int, list_id: UUID) -> lists.Difference:
    """Return what applying a staged list would remove."""
    with lists.set_wise(tx):
        row = tx.execute(_DIFFERENCE, {"csp_id": csp_id, "list_id": list_id}).one()
    return lists.Difference(present=row.present, removed=row.removed)


# Only what differs is written: partners pull changes, not confirmations.
_APPLY = text("""
    INSERT INTO clearing.credential AS known (subject_id, csp_id, kind, status,
        valid_until, contract_subject_id, list_version)
    SELECT subject_id, csp_id, kind, status, valid_until, contract_subject_id, :version
    FROM clearing.credential_list_entry
    WHERE csp_id = :csp_id AND list_id = :list_id
    ORDER BY subject_id
    ON CONFLICT (subject_id) DO UPDATE SET
        status = excluded.status, valid_until = excluded.valid_until,
        contract_subject_id = excluded.contract_subject_id,
        list_version = excluded.list_version,
        changed_xid = pg_current_xact_id(),
        change_id = nextval('clearing.change_seq')
    WHERE known.csp_id = excluded.csp_id
      AND (known.status, known.valid_until, known.contract_subject_id)
          IS DISTINCT FROM
          (excluded.status, excluded.valid_until, excluded.contract_subject_id)
""")
_REMOVE_OTHERS = text("""
    UPDATE clearing.credential AS known
    SET status = 'REMOVED', list_version = :version,
        changed_xid = pg_current_xact_id(),
        change_id = nextval('clearing.change_seq')
    WHERE known.csp_id = :csp_id AND known.status <> 'REMOVED'
      AND NOT EXISTS (
        SELECT FROM clearing.credential_list_entry AS entry
        WHERE entry.csp_id = known.csp_id AND entry.list_id = :list_id
          AND entry.subject_id = known.subject_id)
""")


def apply_list(tx: Connection, csp_id: int, list_id: UUID, *, at: datetime) -> int:
    """Put a complete list in force in place of all before; return its version."""
    lists.lock_owner(tx, STAGING, csp_id)
    version = _next_version(tx, csp_id)
    values = {"csp_id": csp_id, "list_id": list_id, "version": version}
    with lists.set_wise(tx):
        tx.execute(_APPLY, values)
        tx.execute(_REMOVE_OTHERS, values)
    lists.drop_entries(tx, STAGING, csp_id, list_id)
    tx.execute(
        update(credential_list)
        .where(credential_list.c.csp_id == csp_id, credential_list.c.list_id == list_id)
        .values(state=ListState.APPLIED, version=version, applied_at=at)
    )
    return version


def apply_delta(
    tx: Connection,
    part: lists.ListPart,
    *,
    upserts: Sequence[CredentialEntry],
    removals: Iterable[int],
) -> Delta:
    """Change single entries at once; ``part`` is part 1 of 1 under the message's id.

    Removing what is not listed is no error. A subject of another CSP is left alone.
    """
    lists.lock_owner(tx, STAGING, part.owner_id)
    version = _next_version(tx, part.owner_id)
    changed = 0
    own = credential.c.csp_id == part.owner_id
    rows = {entry.subject_id: _values(entry) for entry in upserts}
    if rows:
        new = insert(credential)
        said = ("status", "valid_until", "contract_subject_id")
        replaced: dict[str, ColumnElement[Any]] = {
            name: new.excluded[name] for name in said
        }
        # Since when an entry is what it is: named again unchanged, it stays so old.
        same = and_(
            *(credential.c[name].is_not_distinct_from(replaced[name]) for name in said)
        )
        replaced["list_version"] = case(
            (same, credential.c.list_version), else_=new.excluded.list_version
        )
        upsert = new.on_conflict_do_update(
            index_elements=["subject_id"], set_=replaced | touched(), where=own
        )
        fixed = {"csp_id": part.owner_id, "list_version": version}
        tx.execute(upsert, [row | fixed for row in rows.values()])
        changed += len(rows)
    gone = (
        update(credential)
        .where(
            own,
            credential.c.status != CredentialStatus.REMOVED,
            among(credential.c.subject_id, removals),
        )
        .values(status=CredentialStatus.REMOVED, list_version=version, **touched())
    )
    changed += tx.execute(gone).rowcount
    _record_delta(tx, part, version, entries=changed)
    return Delta(version=version, changed=changed)


def listed_credential(tx: Connection, subject_id: int) -> ListedCredential | None:
    """Return what its issuer says of a credential, removed ones included.

    Version and age are those of the issuer's list now: what a newer list or delta left
    alone it confirmed.
    """
    row = tx.execute(_listed().where(credential.c.subject_id == subject_id))
    found = row.one_or_none()
    return None if found is None else _credential(found)


def list_version(tx: Connection, csp_id: int) -> int:
    """Return the version of a CSP's list in force, 0 when it never sent one."""
    return _next_version(tx, csp_id) - 1


def credentials_changed(
    tx: Connection, csp_ids: Iterable[int], *, cursor: Cursor, limit: int
) -> Page[CredentialChange]:
    """Return the credentials of some CSPs that changed after the cursor.

    The caller names the CSPs it may see. A CSP that joins later has older changes: its
    list is pulled by itself from the start.
    """
    query = select(credential).where(among(credential.c.csp_id, csp_ids))
    rows = tx.execute(paged(query, credential, cursor, limit)).all()
    changes = [
        CredentialChange(
            subject_id=row.subject_id,
            csp_id=row.csp_id,
            kind=CredentialKind(row.kind),
            status=CredentialStatus(row.status),
            valid_until=row.valid_until,
        )
        for row in rows
    ]
    return page_of(rows, changes, cursor=cursor, limit=limit)


def _values(entry: CredentialEntry) -> dict[str, object]:
    return {
        "subject_id": entry.subject_id,
        "kind": entry.kind,
        "status": entry.status,
        "valid_until": entry.valid_until,
        "contract_subject_id": entry.contract_subject_id,
    }


def _next_version(tx: Connection, csp_id: int) -> int:
    query = select(func.max(credential_list.c.version)).where(
        credential_list.c.csp_id == csp_id
    )
    return (tx.execute(query).scalar_one() or 0) + 1


def _record_delta(
    tx: Connection, part: lists.ListPart, version: int, *, entries: int
) -> None:
    tx.execute(
        insert(credential_list).values(
            csp_id=part.owner_id,
            list_id=part.list_id,
            scope="DELTA",
            version=version,
            state=ListState.APPLIED,
            expected_count=part.expected_count,
            parts=1,
            parts_received=[1],
            entries=entries,
            received_at=part.received_at,
            applied_at=part.received_at,
        )
    )


def _listed() -> Select[Any]:
    newest = (
        select(credential_list.c.version, credential_list.c.applied_at)
        .where(
            credential_list.c.csp_id == credential.c.csp_id,
            credential_list.c.version.is_not(None),
        )
        .order_by(credential_list.c.version.desc())
        .limit(1)
        .lateral("newest")
    )
    return select(
        credential, newest.c.version.label("newest"), newest.c.applied_at
    ).join(newest, text("true"))


def _credential(row: Row[*tuple[Any, ...]]) -> ListedCredential:
    return ListedCredential(
        subject_id=row.subject_id,
        csp_id=row.csp_id,
        status=CredentialStatus(row.status),
        list_version=row.newest,
        confirmed_at=row.applied_at,
        valid_until=row.valid_until,
    )
