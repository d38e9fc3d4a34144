"""Credential lists: full, in parts or as a delta; held when too much would go; pulled.

A list holds personal data: values go to the vault, the business tables and everything
else here see pseudonyms only (clauses 4.3-I3 and 8-separate).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from datetime import datetime
from uuid import UUID, uuid4

from sqlalchemy import Connection

from clearinghouse import codes
from clearinghouse.codes import Code
from clearinghouse.domain.agreements import Module
from clearinghouse.domain.credentials import CredentialStatus, ListState, is_held
from clearinghouse.domain.errors import Item
from clearinghouse.domain.exchange import Exchange, Sender
from clearinghouse.domain.privacy import SubjectKind
from clearinghouse.identifiers.credential import CredentialKind
from clearinghouse.services import agreed
from clearinghouse.services.environment import Environment
from clearinghouse.services.outcomes import Refusal, partly
from clearinghouse.storage import credentials, lists, messages, participants
from clearinghouse.storage.credentials import CredentialEntry
from clearinghouse.storage.feeds import Page, parse_cursor
from clearinghouse.storage.lists import ListPart, StagedList
from clearinghouse.telemetry import logging

_log = logging.logger(__name__)

#: Kinds that no CSO needs: a user name proves nothing without its password, which only
#: the home CSP can check (clause 8-min).
NOT_FOR_CSOS = frozenset({CredentialKind.USERNAME, CredentialKind.DYNAMIC_QR})


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """One line of a list as its CSP sends it, in canonical form; personal.

    ``index`` is its place in the message and ``path`` what leads to it there, empty or
    ending in ``/``; ``provider`` the provider id in the contract id.
    """

    index: int
    kind: CredentialKind
    value: str = field(repr=False)
    contract_key: str = field(repr=False)
    provider: str
    status: CredentialStatus
    valid_until: datetime | None = None
    path: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Named:
    """A credential without anything said about it, in canonical form; personal."""

    kind: CredentialKind
    value: str = field(repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class Unread:
    """What could not be read of a list, entry by entry.

    ``named`` are credentials whose entries are wrong in another place: such an entry
    leaves the credential as it is.
    """

    items: tuple[Item, ...] = ()
    named: tuple[Named, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class PutCredentials:
    """One part of a full list."""

    list_id: UUID
    expected_count: int
    part: int
    parts: int
    entries: tuple[Entry, ...]
    unread: Unread = Unread()


@dataclass(frozen=True, slots=True, kw_only=True)
class UpdateCredentials:
    """Single changes."""

    upserts: tuple[Entry, ...]
    removals: tuple[Named, ...]
    unread: Unread = Unread()


@dataclass(frozen=True, slots=True, kw_only=True)
class ListOutcome:
    """Where a list stands after a message, and what was not taken of it."""

    code: Code
    items: tuple[Item, ...] = ()
    version: int | None = None
    state: ListState | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Listed:
    """A credential as a CSO may see it: no contract; ``removed`` is a tombstone."""

    csp_party: str
    kind: CredentialKind
    value: str = field(repr=False)
    status: CredentialStatus
    valid_until: datetime | None

    @property
    def removed(self) -> bool:
        """Whether the credential was removed from its CSP's list."""
        return self.status is CredentialStatus.REMOVED


@dataclass(frozen=True, slots=True, kw_only=True)
class _Judged:
    """What a list is worth: entries by pseudonym, and what was not taken.

    ``kept`` are the pseudonyms of entries that were refused for what they say.
    """

    entries: tuple[CredentialEntry, ...]
    items: tuple[Item, ...]
    kept: tuple[int, ...]


Render = Callable[[ListOutcome | Refusal], bytes]


def put_credentials(
    env: Environment, exchange: Exchange, command: PutCredentials, render: Render
) -> bytes:
    """Take one part of a CSP's full list; the last part puts the list in force.

    A list that would remove more than half of what is in force is held for the
    operator; a refused entry removes nothing. A part that came before changes nothing.
    A list whose parts do not add up is set aside and refused. Raises
    :class:`ClearingHouseError` (``CREDENTIAL_LIST_PARTS``) for a part that does not fit
    the others, or that came before with another content.
    """
    judged = _judge(env, exchange.sender, command.entries, command.unread)
    with env.database.begin("bulk") as tx:
        stored = messages.claim(tx, exchange)
        if isinstance(stored, bytes):
            return stored
        now = env.clock.now()
        part = ListPart(
            owner_id=exchange.sender.participant_id,
            list_id=command.list_id,
            expected_count=command.expected_count,
            part=command.part,
            parts=command.parts,
            digest=exchange.digest,
            received_at=now,
        )
        lists.lock_owner(tx, credentials.STAGING, part.owner_id)
        if lists.has_part(tx, credentials.STAGING, part):
            outcome: ListOutcome | Refusal = _repeated(tx, part, judged.items)
        else:
            staged = credentials.stage_part(
                tx,
                part,
                judged.entries,
                kept=judged.kept,
                refused=len({item.index for item in judged.items}),
            )
            outcome = _settled(tx, staged, judged.items, now=now)
        answer = render(outcome)
        messages.remember(tx, exchange, answer, at=now)
    return answer


def update_credentials(
    env: Environment, exchange: Exchange, command: UpdateCredentials, render: Render
) -> bytes:
    """Add, change, block and remove single credentials at once.

    Removing what is not listed, or what another CSP listed, changes nothing.
    """
    judged = _judge(env, exchange.sender, command.upserts, command.unread)
    removals = _known_subjects(env, exchange.sender, command.removals)
    items = judged.items
    with env.database.begin("bulk") as tx:
        stored = messages.claim(tx, exchange)
        if isinstance(stored, bytes):
            return stored
        now = env.clock.now()
        version = None
        if judged.entries or removals:
            part = ListPart(
                owner_id=exchange.sender.participant_id,
                list_id=uuid4(),
                expected_count=len(judged.entries) + len(removals),
                part=1,
                parts=1,
                digest=exchange.digest,
                received_at=now,
            )
            delta = credentials.apply_delta(
                tx, part, upserts=judged.entries, removals=removals
            )
            version = delta.version
        answer = render(ListOutcome(code=partly(items), items=items, version=version))
        messages.remember(tx, exchange, answer, at=now)
    return answer


def get_credentials(
    env: Environment,
    sender: Sender,
    *,
    csp_party: str | None,
    cursor: str | None,
    limit: int,
) -> Page[Listed]:
    """Return the credentials of agreed CSPs that changed after the cursor.

    Contract ids are not given to CSOs (clause 8-min). The list of a CSP with which an
    agreement began later is pulled by naming it. Raises :class:`ClearingHouseError`:
    ``CH.CURSOR``, or ``NO_AGREEMENT`` for a CSP that is not agreed or not there.
    """
    place = parse_cursor(cursor)
    with env.database.begin_read_only() as tx:
        homes = agreed.homes_of(
            tx, sender.participant_id, Module.CREDENTIAL, at=env.clock.now()
        )
        homes = agreed.chosen(homes, csp_party)
        page = credentials.credentials_changed(tx, homes, cursor=place, limit=limit)
    shown = [
        (change, place)
        for change, place in zip(page.items, page.places, strict=True)
        if change.kind not in NOT_FOR_CSOS
    ]
    subjects = env.vault.reveal(change.subject_id for change, _ in shown)
    # An erased subject has no value any more, so there is nothing to tell.
    told = [one for one in shown if one[0].subject_id in subjects]
    listed = tuple(
        Listed(
            csp_party=homes[change.csp_id].party_id,
            kind=change.kind,
            value=subjects[change.subject_id].value,
            status=change.status,
            valid_until=change.valid_until,
        )
        for change, _ in told
    )
    places = tuple(place for _, place in told)
    return Page(listed, page.cursor, page.more, places)


def _judge(
    env: Environment, sender: Sender, entries: Iterable[Entry], unread: Unread
) -> _Judged:
    """Give each entry that is the sender's own its pseudonyms, say why of the others.

    Enrolment commits before the list does: a pseudonym that no list names is nothing.
    """
    mine, items = _own_contracts(env, sender, tuple(entries))
    mine, doubled = _without_doubles(mine)
    now = env.clock.now()
    owner_id = sender.participant_id
    contracts = env.vault.enrol(
        owner_id, SubjectKind.CONTRACT, (one.contract_key for one in mine), at=now
    )
    taken: list[CredentialEntry] = []
    for kind in sorted({entry.kind for entry in mine}):
        of_kind = [entry for entry in mine if entry.kind is kind]
        enrolled = env.vault.enrol(
            owner_id, SubjectKind(kind), (one.value for one in of_kind), at=now
        )
        for entry in of_kind:
            if entry.value in enrolled.claimed:
                items.append(_item(codes.CREDENTIAL_CLAIMED, entry, "credential"))
            elif entry.contract_key in contracts.claimed:
                items.append(_item(codes.CONTRACT_NOT_YOURS, entry, "contractId"))
            else:
                subject_id = enrolled.subjects[entry.value]
                contract_id = contracts.subjects[entry.contract_key]
                taken.append(_stored(entry, subject_id, contract_id))
    wrong = {item.index for item in items}
    refused = [_named(entry) for entry in entries if entry.index in wrong]
    return _Judged(
        entries=tuple(taken),
        items=_in_order((*unread.items, *items, *doubled)),
        kept=tuple(_known_subjects(env, sender, (*unread.named, *refused))),
    )


def _named(entry: Entry) -> Named:
    return Named(kind=entry.kind, value=entry.value)


def _stored(entry: Entry, subject_id: int, contract_id: int) -> CredentialEntry:
    return CredentialEntry(
        subject_id=subject_id,
        kind=entry.kind,
        status=entry.status,
        valid_until=entry.valid_until,
        contract_subject_id=contract_id,
    )


def _own_contracts(
    env: Environment, sender: Sender, entries: tuple[Entry, ...]
) -> tuple[list[Entry], list[Item]]:
    """Part entries by whether the provider id in their contract is the sender's."""
    with env.database.begin_read_only() as tx:
        owners = participants.owners_of_aliases(
            tx, {entry.provider for entry in entries}
        )
    mine, items = [], []
    for entry in entries:
        if owners.get(entry.provider) == sender.participant_id:
            mine.append(entry)
        else:
            items.append(
                _item(
                    codes.CONTRACT_NOT_YOURS,
                    entry,
                    "contractId",
                    expected="one of your provider ids",
                    found=entry.provider,
                )
            )
    return mine, items


def _without_doubles(entries: list[Entry]) -> tuple[list[Entry], list[Item]]:
    """Keep the last of entries that name one credential, and tell of the others."""
    last = {(entry.kind, entry.value): entry for entry in entries}
    kept = list(last.values())
    doubled = [
        _item(
            codes.CREDENTIAL_DUPLICATE,
            entry,
            "credential",
            expected="each credential once",
            found=f"again at index {last[entry.kind, entry.value].index}",
        )
        for entry in entries
        if last[entry.kind, entry.value] is not entry
    ]
    return kept, doubled


def _known_subjects(
    env: Environment, sender: Sender, removals: Iterable[Named]
) -> list[int]:
    """Return the pseudonyms of the sender's own among the credentials to remove."""
    values: dict[CredentialKind, list[str]] = {}
    for removal in removals:
        values.setdefault(removal.kind, []).append(removal.value)
    return [
        found.subject_id
        for kind, wanted in values.items()
        for found in env.vault.find_subjects(
            SubjectKind(kind), wanted, budget="ordinary"
        ).values()
        if found.owner_id == sender.participant_id
    ]


def _repeated(tx: Connection, part: ListPart, items: tuple[Item, ...]) -> ListOutcome:
    """Answer for a part that came before, under another message id."""
    staged = lists.required_list(tx, credentials.STAGING, part)
    return ListOutcome(
        code=codes.ALREADY_DONE,
        items=items,
        version=staged.version,
        state=staged.state,
    )


def _settled(
    tx: Connection, staged: StagedList, items: tuple[Item, ...], *, now: datetime
) -> ListOutcome | Refusal:
    """Decide what becomes of a list after a part: wait, hold, or put in force.

    That a list is held matters more than what is wrong with single entries.
    """
    owner_id, list_id = staged.owner_id, staged.list_id
    if not staged.is_complete:
        code = codes.PARTLY if items else codes.LIST_STAGED
        return ListOutcome(code=code, items=items, state=ListState.STAGED)
    if staged.entries + staged.refused != staged.expected_count:
        lists.discard(tx, credentials.STAGING, owner_id, list_id)
        return _sum_differs(staged)
    change = credentials.difference(tx, owner_id, list_id)
    if is_held(present=change.present, removed=change.removed):
        lists.hold(tx, credentials.STAGING, owner_id, list_id)
        _log.warning(
            "credential_list_held",
            csp_id=owner_id,
            list_id=str(list_id),
            present=change.present,
            removed=change.removed,
        )
        return ListOutcome(code=codes.LIST_HELD, items=items, state=ListState.HELD)
    version = credentials.apply_list(tx, owner_id, list_id, at=now)
    return ListOutcome(
        code=partly(items), items=items, version=version, state=ListState.APPLIED
    )


def _sum_differs(staged: StagedList) -> Refusal:
    found = staged.entries + staged.refused
    item = Item(
        code=codes.CREDENTIAL_LIST_PARTS,
        path="expectedCount",
        expected=f"{found}, as in the parts together; begin anew with a new listId",
        found=str(staged.expected_count),
    )
    return Refusal(code=codes.CREDENTIAL_LIST_PARTS, items=(item,))


def _in_order(items: Iterable[Item]) -> tuple[Item, ...]:
    return tuple(sorted(items, key=lambda item: (item.index or 0, item.path)))


def _item(
    code: Code, entry: Entry, path: str, *, expected: str = "", found: str = ""
) -> Item:
    return Item(
        code=code,
        index=entry.index,
        path=entry.path + path,
        expected=expected,
        found=found,
    )
