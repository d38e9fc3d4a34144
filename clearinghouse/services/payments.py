"""Payments of settlement runs: files order them, the bank's statements confirm them.

Files come from booked facts and are the same each time they are written; nothing of a
run changes by writing them. What the bank says is kept first, then each entry confirms
its payment: broken off, the same statement is taken in again and goes on.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from hashlib import sha256
from pathlib import Path

from sqlalchemy import Connection

from clearinghouse import codes
from clearinghouse.domain.approvals import Approval, Operator, Payload, Wanted
from clearinghouse.domain.errors import ClearingHouseError, Item
from clearinghouse.domain.payments import (
    BankAccount,
    Mandate,
    PaymentInstruction,
    by_file,
    mandate_problems,
    obstacles,
)
from clearinghouse.domain.reconciliation import BankEntry, BankStatement
from clearinghouse.domain.runs import HUB, RunState, TransferKind
from clearinghouse.identifiers import party_id as party_ids
from clearinghouse.reports.payment_file import (
    PaymentFile,
    UnpayableError,
    render_collections,
    render_transfers,
)
from clearinghouse.services import approvals, run_payments, settlement_runs
from clearinghouse.services.environment import Environment
from clearinghouse.services.participants import note
from clearinghouse.storage import bank_files, billing, participants, runs
from clearinghouse.storage import run_payments as store
from clearinghouse.storage.run_payments import Payment

#: What two operators do for a mandate to collect.
SET_MANDATE = "set mandate"

#: What became of an entry that no payment of ours has.
UNKNOWN = "UNKNOWN"


@dataclass(frozen=True, slots=True, kw_only=True)
class Taken:
    """What became of a bank statement: how many entries had which outcome."""

    statement_id: str
    taken_before: bool
    outcomes: Mapping[str, int]


def export_files(
    env: Environment, run_id: int, folder: Path, *, execute_on: date | None = None
) -> list[Path]:
    """Write the files that order the payments of a run which are due; their paths.

    One file for each account that pays, and one for the house's collections where it
    has mandates; named ``run-1-DEABC-pain.001.xml``. Without a day it is today. Raises
    :class:`ClearingHouseError`: ``RUN_UNKNOWN``; ``RUN_STATE`` when the run is not
    committed; ``UNPAYABLE`` with everything that is missing, and no file is written.
    Raises :class:`OSError` when the folder cannot be written to.
    """
    shown = settlement_runs.show(env, run_id)
    committed_at = _committed_at(shown)
    if committed_at is None:
        detail = (
            f"run {run_id} is {shown.run.state}: files are made once it is COMMITTED"
        )
        raise ClearingHouseError(codes.RUN_STATE, detail)
    on = execute_on or env.clock.now().date()
    due = run_payments.due_payments(env, run_id)
    payments = _instructions(env, due, shown.run.currency)
    missing = obstacles(payments)
    if missing:
        raise ClearingHouseError(codes.UNPAYABLE, "; ".join(missing))
    files = {
        folder.joinpath(_name(run_id, *key)): _render(
            run_id, key, found, (committed_at, on)
        )
        for key, found in by_file(payments).items()
    }
    if files:
        folder.mkdir(parents=True, exist_ok=True)
    for path, document in files.items():
        path.write_bytes(document)
    return list(files)


def request_mandate(
    env: Environment, by: Operator, party_id: str, mandate: Mandate
) -> Approval:
    """Ask to keep a participant's mandate to collect; another operator approves it.

    The request names what it replaces. Raises :class:`ClearingHouseError`:
    ``UNKNOWN_PARTICIPANT``; ``CH.SEMANTIC`` with all that a bank would refuse.
    """
    with env.database.begin() as tx:
        party = _party(tx, party_id)
        if wrong := mandate_problems(mandate):
            raise ClearingHouseError(codes.SEMANTIC, items=wrong)
        payload = {
            "mandate_id": mandate.mandate_id,
            "signed_on": mandate.signed_on.isoformat(),
            "creditor_id": mandate.creditor_id,
            **_replaced(bank_files.newest_mandate(tx, party)),
        }
        wanted = Wanted(action=SET_MANDATE, object=party, payload=payload)
        return approvals.request(tx, env, by, wanted)


def mandate_approved(tx: Connection, env: Environment, approval: Approval) -> str:
    """Keep a mandate as two operators want it: what the second word does.

    Raises :class:`ClearingHouseError` (``MANDATE_CHANGED``) when another one was kept,
    or one was taken back, since it was asked for.
    """
    payload = approval.wanted.payload
    party = _party(tx, approval.wanted.object)
    bank_files.lock_mandates(tx, party)
    there = _replaced(bank_files.newest_mandate(tx, party))
    if any(payload.get(name) != value for name, value in there.items()):
        item = Item(
            code=codes.MANDATE_CHANGED,
            path="mandateId",
            expected=_named(payload),
            found=_named(there),
        )
        raise ClearingHouseError(codes.MANDATE_CHANGED, party, (item,))
    mandate = Mandate(
        mandate_id=str(payload["mandate_id"]),
        signed_on=date.fromisoformat(str(payload["signed_on"])),
        creditor_id=str(payload["creditor_id"]),
    )
    bank_files.add_mandate(tx, party, mandate, at=env.clock.now())
    return f"{party} is collected from by {mandate.mandate_id}"


def take_mandate_back(env: Environment, party_id: str) -> None:
    """Collect from a participant no more; one operator may: no money moves by it.

    Raises :class:`ClearingHouseError` (``UNKNOWN_PARTICIPANT``).
    """
    with env.database.begin() as tx:
        party = _party(tx, party_id)
        now = env.clock.now()
        none = Mandate(mandate_id="", signed_on=now.date(), creditor_id="")
        bank_files.add_mandate(tx, party, none, at=now)
        note(tx, env, "take mandate back", party)


def _party(tx: Connection, party_id: str) -> str:
    """Return the one form of a participant's id, however it is written."""
    party = party_ids.compact(party_id)
    if participants.participant_by_party_id(tx, party) is None:
        raise ClearingHouseError(codes.UNKNOWN_PARTICIPANT, party_id)
    return party


def _replaced(newest: tuple[int, str]) -> dict[str, str | int]:
    """Return how a request names the mandate that it replaces.

    By its version too: one that was taken back and kept again is another one, and who
    takes one back that he never had says no to those that are asked for.
    """
    version, mandate_id = newest
    return {"replaces_mandate": mandate_id, "replaces_version": version}


def _named(payload: Payload) -> str:
    version = payload.get("replaces_version")
    return f"version {version}: {payload.get('replaces_mandate') or 'none'}"


def take_in(env: Environment, statement: BankStatement) -> Taken:
    """Keep a bank statement and confirm the payments that its entries are of.

    The same one again changes nothing and gives the same answer. Raises
    :class:`ClearingHouseError`: ``BANK_STATEMENT_CHANGED`` when its number was taken in
    with other entries; otherwise as :func:`run_payments.confirm`.
    """
    digest = _digest(statement)
    with env.database.begin() as tx:
        known = bank_files.digest_of(tx, statement.account, statement.statement_id)
        if known is not None and known != digest:
            raise ClearingHouseError(
                codes.BANK_STATEMENT_CHANGED, statement.statement_id
            )
        if known is None:
            bank_files.insert_statement(tx, statement, digest, at=env.clock.now())
            note(tx, env, "take in bank statement", statement.statement_id)
    outcomes = Counter(
        _confirmed(env, statement.statement_id, entry) for entry in statement.entries
    )
    return Taken(
        statement_id=statement.statement_id,
        taken_before=known is not None,
        outcomes=dict(sorted(outcomes.items())),
    )


def _confirmed(env: Environment, statement_id: str, entry: BankEntry) -> str:
    """Confirm the payment of one entry and return the outcome."""
    with env.database.begin_read_only() as tx:
        known = _known(tx, entry)
    if known is None:
        return UNKNOWN
    seen = entry.seen_as(comes_in=known.transfer.comes_in)
    said = run_payments.confirm(
        env,
        entry.end_to_end_id,
        amount_minor=seen.signed_minor,
        booked_at=entry.booked_at,
        reference=f"{statement_id}:{entry.reference}",
    )
    return said.outcome.value


def _known(tx: Connection, entry: BankEntry) -> Payment | None:
    """Return the payment of an entry; another currency makes it none of ours."""
    payment = store.payment_named(tx, entry.end_to_end_id)
    run = None if payment is None else runs.run_by_id(tx, payment.run_id)
    return payment if run is not None and run.currency == entry.currency else None


def _digest(statement: BankStatement) -> bytes:
    lines = [
        ";".join(map(str, (*entry[:-1], entry.booked_at.isoformat())))
        for entry in statement.entries
    ]
    return sha256("\n".join(lines).encode()).digest()


def _committed_at(shown: settlement_runs.Shown) -> datetime | None:
    steps = [
        step.at
        for step in shown.history
        if not step.owner and step.to_state is RunState.COMMITTED
    ]
    return steps[-1] if steps else None


def _instructions(
    env: Environment, due: Iterable[Payment], currency: str
) -> list[PaymentInstruction]:
    """Return what banks are told of payments, with accounts as they are now."""
    due = list(due)
    owners = {side for one in due for side in (one.transfer.payer, one.transfer.payee)}
    with env.database.begin_read_only() as tx:
        accounts = {owner: _account(env, tx, owner) for owner in owners}
        mandates = bank_files.mandates(tx, owners)
    return [
        PaymentInstruction(
            end_to_end_id=one.transfer.end_to_end_id,
            payer=accounts[one.transfer.payer],
            payee=accounts[one.transfer.payee],
            currency=currency,
            amount_minor=one.open_minor,
            remittance=f"Settlement run {one.run_id} of {env.limits.name}, "
            f"{one.transfer.end_to_end_id}",
            mandate=mandates.get(one.transfer.payer)
            if one.transfer.kind is TransferKind.COLLECT
            else None,
        )
        for one in due
    ]


def _account(env: Environment, tx: Connection, owner: str) -> BankAccount:
    party_id = env.limits.party_id if owner == HUB else owner
    profile = billing.profile_on(tx, party_id, env.clock.now().date())
    if profile is None:
        return BankAccount(party_id=party_id, name=party_id)
    return BankAccount(
        party_id=party_id,
        name=profile.legal_name,
        iban=profile.iban or "",
        bic=profile.bic or "",
    )


def _name(run_id: int, owner: str, collects: bool) -> str:  # noqa: FBT001 - a key's part
    kind = "pain.008" if collects else "pain.001"
    return f"run-{run_id}-{owner}-{kind}.xml"


def _render(
    run_id: int,
    key: tuple[str, bool],
    payments: Sequence[PaymentInstruction],
    days: tuple[datetime, date],
) -> bytes:
    """Return one file; its message id tells another set of payments from this one."""
    (owner, collects), (created_at, execute_on) = key, days
    told = "\n".join(f"{one.end_to_end_id};{one.amount_minor}" for one in payments)
    mark = sha256(f"{execute_on}\n{told}".encode()).hexdigest()[:8]
    head = PaymentFile(
        message_id=f"R{run_id}-{owner}-{'DD' if collects else 'CT'}-{mark}",
        created_at=created_at,
        execute_on=execute_on,
    )
    render = render_collections if collects else render_transfers
    try:
        return render(head, payments)
    except UnpayableError as error:
        raise ClearingHouseError(codes.UNPAYABLE, "; ".join(error.args)) from error
