"""Settlement runs: closed windows of one currency are paid (4.2-central, 4.3-I3).

A run takes what closed windows left owing, nets it by its model, and follows each
payment until the money is there. Nothing here rounds or looks at a clock. Whoever takes
part is named by its party id, the clearing house by :data:`HUB`.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from enum import StrEnum
from hashlib import sha256
from typing import NamedTuple

#: The clearing house as a participant: it gets the fees. No party id is so short.
HUB = "HUB"

#: Longest end-to-end id that a payment carries (ISO 20022, Max35Text).
END_TO_END_MAX = 35


class Model(StrEnum):
    """How debts become payments."""

    BILATERAL = "BILATERAL"  #: one payment for what is left between two
    MULTILATERAL = "MULTILATERAL"  #: one payment for each position, through the hub


class FeeMode(StrEnum):
    """What becomes of the house's fees."""

    NETTED = "NETTED"  #: they lower the positions (multilateral only)
    APART = "APART"  #: each is a payment of its own
    NONE = "NONE"  #: this run charges none


class RunState(StrEnum):
    """Where a run stands, and each participant's account in it."""

    PENDING_SETTLEMENT = "PENDING_SETTLEMENT"  #: netted; nothing is posted
    RECORDED = "RECORDED"  #: fees, FX and payments are booked
    RESERVED = "RESERVED"  #: each payment is set aside, none is ordered
    COMMITTED = "COMMITTED"  #: payments may be ordered
    SETTLING = "SETTLING"  #: some money moved
    SETTLED = "SETTLED"  #: all money moved; positions are zero
    ABORTED = "ABORTED"  #: given up, with a reason; what it took is free again


_S = RunState
_NEXT_STATES = {
    _S.PENDING_SETTLEMENT: (_S.RECORDED, _S.ABORTED),
    _S.RECORDED: (_S.RESERVED, _S.ABORTED),
    _S.RESERVED: (_S.COMMITTED, _S.ABORTED),
    _S.COMMITTED: (_S.SETTLING, _S.ABORTED),
    _S.SETTLING: (_S.SETTLED, _S.ABORTED),
    # An account whose payment came back while its run still waits for others.
    _S.SETTLED: (_S.SETTLING,),
    _S.ABORTED: (),
}

#: A run in one of these has nothing posted: two people may give it up.
ABORTABLE = frozenset({RunState.PENDING_SETTLEMENT})

#: From here on only a reversal with mirror postings undoes a run.
REVERSIBLE = frozenset(
    {
        RunState.RECORDED,
        RunState.RESERVED,
        RunState.COMMITTED,
        RunState.SETTLING,
        RunState.SETTLED,
    }
)

#: Payments of a run in one of these are expected, and confirmations are posted.
PAYABLE = frozenset({RunState.COMMITTED, RunState.SETTLING})


class DebtKind(StrEnum):
    """Where a debt of a run comes from."""

    PAIRS = "PAIRS"  #: pair totals of closed windows
    CONVERTED = "CONVERTED"  #: the same in another currency, converted
    FEE = "FEE"  #: the house's fee with its VAT
    REVERSED = "REVERSED"  #: what an earlier run moved, on its way back


class TransferKind(StrEnum):
    """Which way money goes."""

    COLLECT = "COLLECT"  #: from a participant to the hub; all of these come first
    PAY_OUT = "PAY_OUT"  #: from the hub to a participant
    DIRECT = "DIRECT"  #: from one participant to another


class Outcome(StrEnum):
    """What a confirmation of the bank was, against what was open."""

    EXACT = "EXACT"
    PARTIAL = "PARTIAL"
    OVER = "OVER"  #: more than was open; the rest is posted nowhere and given back
    RETURNED = "RETURNED"  #: a payment came back
    AFTERWARDS = "AFTERWARDS"  #: the run expects no money any more; a fact, no posting


class Debt(NamedTuple):
    """The debtor owes the creditor ``amount_minor`` > 0."""

    debtor: str
    creditor: str
    kind: DebtKind
    amount_minor: int


class Account(NamedTuple):
    """A participant's account in a run; ``net_minor`` > 0: it gets money.

    ``fee_minor`` is the gross fee that it pays; for the hub, less than zero: it gets
    the fees. Net is receivable less payable less fee.
    """

    owner: str
    receivable_minor: int
    payable_minor: int
    fee_minor: int
    net_minor: int


class Transfer(NamedTuple):
    """One payment; its end-to-end id is the key of the reconciliation."""

    end_to_end_id: str
    kind: TransferKind
    payer: str
    payee: str
    amount_minor: int

    @property
    def comes_in(self) -> bool | None:
        """Whether it brings money to the hub's account; ``None``: it is not there."""
        if self.kind is TransferKind.DIRECT:
            return None
        return self.kind is TransferKind.COLLECT


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """What a run comes to: directed debts, accounts and payments, in fixed order.

    In a ``reversal`` the hub's account is what it holds of money that only came in.
    """

    debts: tuple[Debt, ...]
    accounts: tuple[Account, ...]
    transfers: tuple[Transfer, ...]
    reversal: bool = False

    @property
    def moved_minor(self) -> int:
        """The value that moves: what all payees together get."""
        return sum(
            transfer.amount_minor
            for transfer in self.transfers
            if transfer.kind is not TransferKind.COLLECT
        )


_Move = tuple[TransferKind, str, str, int]


class Applied(NamedTuple):
    """What a confirmation does: how it is called, and what of it is posted.

    ``posted_minor`` < 0 takes money back.
    """

    outcome: Outcome
    posted_minor: int


def may_follow(current: RunState, target: RunState) -> bool:
    """Say whether a run, or an account in it, may go from one state to another."""
    return target in _NEXT_STATES[current]


def next_state(current: RunState) -> RunState | None:
    """Return what comes after a state unless the run is given up; else ``None``."""
    after = [state for state in _NEXT_STATES[current] if state is not _S.ABORTED]
    return after[0] if after else None


def plan(
    run_id: int, debts: Iterable[Debt], *, model: Model, fees: FeeMode = FeeMode.NONE
) -> Plan:
    """Net debts into accounts and payments.

    The order of the debts does not matter; the same debts give the same ids. Fees that
    the model does not net are payments of their own to the hub.
    """
    merged = merge(debts)
    netted = [debt for debt in merged if _is_netted(debt, fees)]
    apart = [debt for debt in merged if not _is_netted(debt, fees)]
    if model is Model.BILATERAL:
        moves = [*_bilateral(netted), *_bilateral(apart)]
    else:
        moves = [*_through_the_hub(netted), *_bilateral(apart)]
    return Plan(
        debts=merged,
        accounts=_accounts(merged),
        transfers=tuple(
            Transfer(_end_to_end_id(run_id, move, number), *move)
            for number, move in enumerate(moves, 1)
        ),
    )


def plan_reversal(run_id: int, paid: Iterable[tuple[Transfer, int]]) -> Plan:
    """Send back what was paid in a run: each payment mirrored, as far as made."""
    moves = sorted(_mirror(transfer, paid_minor) for transfer, paid_minor in paid)
    moves = [move for move in moves if move[3]]
    debts = merge(
        Debt(payer, payee, DebtKind.REVERSED, amount_minor)
        for _, payer, payee, amount_minor in moves
        if payer != payee
    )
    return Plan(
        debts=debts,
        accounts=_accounts(debts),
        transfers=tuple(
            Transfer(_end_to_end_id(run_id, move, number), *move)
            for number, move in enumerate(moves, 1)
        ),
        reversal=True,
    )


_MIRRORED = {
    TransferKind.COLLECT: TransferKind.PAY_OUT,
    TransferKind.PAY_OUT: TransferKind.COLLECT,
    TransferKind.DIRECT: TransferKind.DIRECT,
}


def _mirror(transfer: Transfer, paid_minor: int) -> _Move:
    return _MIRRORED[transfer.kind], transfer.payee, transfer.payer, paid_minor


def merge(debts: Iterable[Debt]) -> tuple[Debt, ...]:
    """Return one debt per direction and kind, in fixed order.

    A sum below zero turns round; none is left of zero.
    """
    sums: dict[tuple[str, str, DebtKind], int] = defaultdict(int)
    for debt in debts:
        if debt.amount_minor < 0:
            sums[debt.creditor, debt.debtor, debt.kind] -= debt.amount_minor
        else:
            sums[debt.debtor, debt.creditor, debt.kind] += debt.amount_minor
    return tuple(
        Debt(*key, amount_minor)
        for key, amount_minor in sorted(sums.items())
        if amount_minor
    )


def owed_between(debts: Iterable[Debt]) -> tuple[Debt, ...]:
    """Return what is left between each two after set-off, whatever its kind."""
    sums: dict[tuple[str, str], int] = defaultdict(int)
    for debt in debts:
        first, second = sorted((debt.debtor, debt.creditor))
        sign = 1 if debt.debtor == first else -1
        sums[first, second] += sign * debt.amount_minor
    left = [
        Debt(first, second, DebtKind.PAIRS, amount_minor)
        if amount_minor > 0
        else Debt(second, first, DebtKind.PAIRS, -amount_minor)
        for (first, second), amount_minor in sums.items()
        if amount_minor
    ]
    return tuple(sorted(left))


def _is_netted(debt: Debt, fees: FeeMode) -> bool:
    return debt.kind is not DebtKind.FEE or fees is FeeMode.NETTED


def _bilateral(debts: Iterable[Debt]) -> list[_Move]:
    return [
        (TransferKind.DIRECT, debt.debtor, debt.creditor, debt.amount_minor)
        for debt in owed_between(debts)
    ]


def _through_the_hub(debts: Iterable[Debt]) -> list[_Move]:
    nets: dict[str, int] = defaultdict(int)
    for debt in debts:
        nets[debt.debtor] -= debt.amount_minor
        nets[debt.creditor] += debt.amount_minor
    ordered = sorted(nets.items())
    collected = [
        (TransferKind.COLLECT, owner, HUB, -net) for owner, net in ordered if net < 0
    ]
    paid = [
        (TransferKind.PAY_OUT, HUB, owner, net) for owner, net in ordered if net > 0
    ]
    return [*collected, *paid]


def _end_to_end_id(run_id: int, move: _Move, number: int) -> str:
    kind, payer, payee, _ = move
    owner = payee if kind is TransferKind.PAY_OUT else payer
    return f"R{run_id}-{owner}-{number}"


def _accounts(debts: Iterable[Debt]) -> tuple[Account, ...]:
    receivable: dict[str, int] = defaultdict(int)
    payable: dict[str, int] = defaultdict(int)
    fee: dict[str, int] = defaultdict(int)
    for debt in debts:
        if debt.kind is DebtKind.FEE:
            fee[debt.debtor] += debt.amount_minor
            fee[debt.creditor] -= debt.amount_minor
        else:
            receivable[debt.creditor] += debt.amount_minor
            payable[debt.debtor] += debt.amount_minor
    return tuple(
        Account(
            owner,
            receivable[owner],
            payable[owner],
            fee[owner],
            receivable[owner] - payable[owner] - fee[owner],
        )
        for owner in sorted(receivable.keys() | payable.keys() | fee.keys())
    )


def owners_of(transfer: Transfer) -> tuple[str, ...]:
    """Return whose accounts a payment settles: the hub only passes money on."""
    match transfer.kind:
        case TransferKind.COLLECT:
            return (transfer.payer,)
        case TransferKind.PAY_OUT:
            return (transfer.payee,)
        case TransferKind.DIRECT:
            return (transfer.payer, transfer.payee)


def is_due(transfer: Transfer, open_collections: int) -> bool:
    """Say whether a payment may be ordered: pay-outs wait for all collections."""
    return transfer.kind is not TransferKind.PAY_OUT or open_collections == 0


def apply(
    state: RunState,
    open_minor: int,
    paid_minor: int,
    amount_minor: int,
    *,
    unposted_minor: int = 0,
) -> Applied:
    """Judge what the bank says of a payment.

    ``open_minor`` of it was not paid yet, ``paid_minor`` was; ``amount_minor`` came in,
    or went back when it is below zero. Money that a run does not expect is kept as a
    fact and posted nowhere; ``unposted_minor`` of it came before, and goes back first.
    """
    if state not in PAYABLE:
        return Applied(Outcome.AFTERWARDS, 0)
    if amount_minor < 0:
        back_minor = max(0, -amount_minor - max(0, unposted_minor))
        return Applied(Outcome.RETURNED, -min(back_minor, paid_minor))
    if amount_minor < open_minor:
        return Applied(Outcome.PARTIAL, amount_minor)
    if amount_minor > open_minor:
        return Applied(Outcome.OVER, open_minor)
    return Applied(Outcome.EXACT, amount_minor)


def violations(made: Plan) -> tuple[str, ...]:
    """Return which rules a plan breaks; empty proves it.

    Computed from the debts and the payments, not by what made them: accounts sum to
    zero; each is what its debts say; when all payments are made each is zero; no id
    stands twice or is longer than a bank takes.
    """
    broken: list[str] = []
    if sum(account.net_minor for account in made.accounts) != 0:
        broken.append("the accounts do not sum to zero")
    if any(debt.amount_minor <= 0 for debt in made.debts):
        broken.append("a debt has no positive amount")
    by_debt: dict[str, int] = defaultdict(int)
    for debt in made.debts:
        by_debt[debt.creditor] += debt.amount_minor
        by_debt[debt.debtor] -= debt.amount_minor
    left = {account.owner: account.net_minor for account in made.accounts}
    broken.extend(
        f"the account of {owner} holds {left.get(owner, 0)}, its debts say {owed}"
        for owner, owed in sorted(by_debt.items())
        if left.get(owner, 0) != owed
    )
    broken.extend(_payment_violations(made, left))
    broken.extend(_id_violations(made.transfers))
    return tuple(broken)


def _payment_violations(made: Plan, nets: dict[str, int]) -> list[str]:
    left, through = dict(nets), 0
    for transfer in made.transfers:
        if transfer.kind is TransferKind.COLLECT:
            through += transfer.amount_minor
        else:
            left[transfer.payee] = left.get(transfer.payee, 0) - transfer.amount_minor
        if transfer.kind is TransferKind.PAY_OUT:
            through -= transfer.amount_minor
        else:
            left[transfer.payer] = left.get(transfer.payer, 0) + transfer.amount_minor
    if made.reversal:
        # What came in and did not go out lies with the hub, and goes back from there.
        through -= left.pop(HUB, 0)
    broken = [
        f"payments leave {rest} on the account of {owner}"
        for owner, rest in sorted(left.items())
        if rest
    ]
    if through:
        broken.append(f"collections and pay-outs differ by {through}")
    return broken


def _id_violations(transfers: Sequence[Transfer]) -> list[str]:
    broken = []
    ids = [transfer.end_to_end_id for transfer in transfers]
    if len(set(ids)) != len(ids):
        broken.append("an end-to-end id stands twice")
    if any(len(one) > END_TO_END_MAX for one in ids):
        broken.append("an end-to-end id is too long")
    if any(transfer.amount_minor <= 0 for transfer in transfers):
        broken.append("a payment has no positive amount")
    return broken


def digest(made: Plan) -> bytes:
    """Return the SHA-256 of a plan's debts and payments in fixed order."""
    lines = [f"{d.kind};{d.debtor};{d.creditor};{d.amount_minor}" for d in made.debts]
    lines += [f"{t.kind};{t.payer};{t.payee};{t.amount_minor}" for t in made.transfers]
    return sha256("\n".join(lines).encode()).digest()
