"""Service credential: full lists in parts, deltas, and the pull of CSOs (4.3-I3).

An entry that cannot be read is answered by its index and does not refuse the others.
Nothing said about an entry repeats its value: values are personal.
"""

from __future__ import annotations

from collections.abc import Iterable

from clearinghouse import codes
from clearinghouse.domain.credentials import CredentialStatus
from clearinghouse.domain.errors import Item
from clearinghouse.facades.iec63119 import pages, results
from clearinghouse.facades.iec63119.operations import (
    Desk,
    OperationSpec,
    exchange_of,
    sender_of,
)
from clearinghouse.facades.iec63119.vocabulary import (
    CREDENTIAL_KIND,
    CREDENTIAL_STATUS,
    LIST_STATE,
)
from clearinghouse.identifiers import contract_id, credential, token_uid
from clearinghouse.identifiers.credential import CredentialKind
from clearinghouse.identifiers.errors import IdentifierError, InvalidCheckDigitError
from clearinghouse.services import credentials
from clearinghouse.services.credentials import (
    Entry,
    Listed,
    ListOutcome,
    Named,
    PutCredentials,
    Unread,
    UpdateCredentials,
)
from clearinghouse.services.outcomes import Refusal
from clearinghouse.soap.binding import Record
from clearinghouse.soap.operations import Call

#: Credentials of one page when the request names no limit.
PAGE_LIMIT_DEFAULT = 1_000


def _put_credentials(desk: Desk, call: Call) -> bytes:
    body = call.body
    entries, unread = _entries(body.entry, "")
    command = PutCredentials(
        list_id=results.uuid_of(body.list_id),
        expected_count=body.expected_count,
        part=body.part,
        parts=body.parts,
        entries=entries,
        unread=unread,
    )

    def render(outcome: ListOutcome | Refusal) -> bytes:
        if isinstance(outcome, Refusal):
            return results.answer(desk.bindings, call, outcome)
        state = outcome.state
        return results.answer(
            desk.bindings,
            call,
            outcome,
            list_version=outcome.version,
            state=None if state is None else LIST_STATE.write(state),
        )

    return credentials.put_credentials(desk.env, exchange_of(call), command, render)


def _update_credentials(desk: Desk, call: Call) -> bytes:
    upserts, unread = _entries(call.body.upsert, "upsert/")
    removals, unreadable = _removals(call.body.remove)
    command = UpdateCredentials(
        upserts=upserts,
        removals=removals,
        unread=Unread(items=unread.items + unreadable),
    )

    def render(outcome: ListOutcome | Refusal) -> bytes:
        if isinstance(outcome, Refusal):
            return results.answer(desk.bindings, call, outcome)
        return results.answer(
            desk.bindings, call, outcome, list_version=outcome.version
        )

    return credentials.update_credentials(desk.env, exchange_of(call), command, render)


def _get_credentials(desk: Desk, call: Call) -> bytes:
    page = credentials.get_credentials(
        desk.env,
        sender_of(call),
        csp_party=call.body.csp_id,
        cursor=call.body.cursor,
        limit=call.body.limit or PAGE_LIMIT_DEFAULT,
    )
    return pages.answer(desk, call, page, name="entry", listed=_listed)


def _listed(desk: Desk, entry: Listed) -> Record:
    # The schema wants a status even in a tombstone: who ignores ``removed`` is told
    # that the credential must not be used.
    status = CredentialStatus.BLOCKED if entry.removed else entry.status
    return desk.bindings.new(
        "credential:ListedCredential",
        csp_id=entry.csp_party,
        credential=desk.bindings.new(
            "common:Credential",
            kind=CREDENTIAL_KIND.write(entry.kind),
            value=entry.value,
        ),
        status=CREDENTIAL_STATUS.write(status),
        valid_until=entry.valid_until,
        removed=True if entry.removed else None,
    )


def _entries(records: Iterable[Record], path: str) -> tuple[tuple[Entry, ...], Unread]:
    entries: list[Entry] = []
    items: list[Item] = []
    named: list[Named] = []
    for index, record in enumerate(records):
        read = _named(record.credential, index, path)
        if isinstance(read, Item):
            items.append(read)
            continue
        entry = _entry(record, read, index, path)
        if isinstance(entry, Item):
            items.append(entry)
            named.append(read)
        else:
            entries.append(entry)
    return tuple(entries), Unread(items=tuple(items), named=tuple(named))


def _named(record: Record, index: int, path: str) -> Named | Item:
    """Read the credential of an entry, or say what is wrong with it."""
    kind = CREDENTIAL_KIND.read(record.kind)
    if record.secret is not None:
        return Item(
            code=codes.CREDENTIAL_MALFORMED,
            index=index,
            path=f"{path}credential/secret",
            expected="no secret in a list: you are asked when one is presented",
            found="a secret",
        )
    try:
        value = credential.validate_listable(kind, record.value)
    except IdentifierError as error:
        code = _code_of(kind, record.value)
        return _item(code, index, f"{path}credential/value", error)
    return Named(kind=kind, value=value)


def _entry(record: Record, named: Named, index: int, path: str) -> Entry | Item:
    """Read the rest of an entry, or say what is wrong with it."""
    try:
        contract = contract_id.parse(record.contract_id)
    except InvalidCheckDigitError as error:
        return _item(codes.CONTRACT_CHECK_DIGIT, index, f"{path}contractId", error)
    except IdentifierError as error:
        return _item(codes.CONTRACT_MALFORMED, index, f"{path}contractId", error)
    return Entry(
        index=index,
        path=path,
        kind=named.kind,
        value=named.value,
        contract_key=contract.key,
        provider=contract.provider,
        status=CREDENTIAL_STATUS.read(record.status),
        valid_until=record.valid_until,
    )


def _removals(
    records: Iterable[Record],
) -> tuple[tuple[Named, ...], tuple[Item, ...]]:
    removals: list[Named] = []
    unreadable: list[Item] = []
    for index, record in enumerate(records):
        kind = CREDENTIAL_KIND.read(record.kind)
        try:
            value = credential.validate(kind, record.value)
        except IdentifierError as error:
            item = _item(codes.CREDENTIAL_MALFORMED, index, "remove/value", error)
            unreadable.append(item)
        else:
            removals.append(Named(kind=kind, value=value))
    return tuple(removals), tuple(unreadable)


def _code_of(kind: CredentialKind, value: str) -> codes.Code:
    if kind is CredentialKind.RFID and token_uid.is_random(value):
        return codes.CREDENTIAL_RANDOM_UID
    return codes.CREDENTIAL_MALFORMED


def _item(code: codes.Code, index: int, path: str, error: IdentifierError) -> Item:
    return Item(
        code=code,
        index=index,
        path=path,
        expected=error.reason,
        found=error.found,
    )


OPERATIONS = (
    OperationSpec(
        service="credential",
        name="PutCredentials",
        handle=_put_credentials,
        changes=True,
    ),
    OperationSpec(
        service="credential",
        name="UpdateCredentials",
        handle=_update_credentials,
        changes=True,
    ),
    OperationSpec(
        service="credential",
        name="GetCredentials",
        handle=_get_credentials,
        changes=False,
    ),
)
