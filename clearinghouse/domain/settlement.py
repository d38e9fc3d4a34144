"""Settlement: claim against proof, gross matrix, bilateral and multilateral netting.

A window is closed from the totals written at intake (the *claim*) and proved by a scan
of the records (the *proof*); one cent of difference fails it. Nothing here rounds, and
currencies never meet.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum
from hashlib import sha256
from typing import NamedTuple


class WindowState(StrEnum):
    """Where a settlement window stands; CLOSED is final."""

    OPEN = "OPEN"
    CUTOVER = "CUTOVER"
    CLOSED = "CLOSED"
    FAILED = "FAILED"


_NEXT_STATES = {
    WindowState.OPEN: (WindowState.CUTOVER,),
    # A window whose close was interrupted stays in cutover and is closed again.
    WindowState.CUTOVER: (WindowState.CLOSED, WindowState.FAILED),
    WindowState.CLOSED: (),
    # A failed window is proved anew, never waved through, and may fail again.
    WindowState.FAILED: (WindowState.CUTOVER, WindowState.FAILED),
}


class PairTotal(NamedTuple):
    """Sum of one directed pair in one currency: the debtor owes the creditor.

    Debtor is the home CSP, creditor whoever submitted the SDRs.
    """

    debtor_id: int
    creditor_id: int
    currency: str
    sdr_count: int
    energy_wh: int
    net_minor: int


class Difference(NamedTuple):
    """A pair whose claim and proof differ; ``None`` where one side has no such pair."""

    claim: PairTotal | None
    proof: PairTotal | None


class Balance(NamedTuple):
    """What the debtor owes the creditor after the two directions are set off."""

    debtor_id: int
    creditor_id: int
    amount_minor: int


class Position(NamedTuple):
    """What a participant gets and owes in one currency; ``net_minor`` > 0: it gets."""

    participant_id: int
    receivable_minor: int
    payable_minor: int
    net_minor: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Settlement:
    """The settlement of one currency of one window.

    ``pairs`` are the directed totals, none negative, in order of debtor and creditor;
    ``gross_minor`` is their sum, ``bilateral_minor`` the sum of what is left after
    set-off, ``multilateral_minor`` what moves in the end.
    """

    currency: str
    pairs: tuple[PairTotal, ...]
    bilateral: tuple[Balance, ...]
    positions: tuple[Position, ...]
    gross_minor: int
    bilateral_minor: int
    multilateral_minor: int
    sdr_count: int
    energy_wh: int


def may_follow(current: WindowState, target: WindowState) -> bool:
    """Say whether a window may go from one state to another."""
    return target in _NEXT_STATES[current]


def compare(
    claim: Iterable[PairTotal], proof: Iterable[PairTotal]
) -> tuple[Difference, ...]:
    """Return where claim and proof differ, in fixed order; empty when they agree.

    Pairs without any record count as absent: an exclusion may leave a zero row behind.
    """
    claimed = {_key(total): total for total in merge(claim)}
    proved = {_key(total): total for total in merge(proof)}
    return tuple(
        Difference(claimed.get(key), proved.get(key))
        for key in sorted(claimed.keys() | proved.keys())
        if claimed.get(key) != proved.get(key)
    )


def merge(totals: Iterable[PairTotal]) -> tuple[PairTotal, ...]:
    """Return one total per pair and currency, in fixed order, without empty ones."""
    sums: dict[tuple[str, int, int], list[int]] = defaultdict(lambda: [0, 0, 0])
    for total in totals:
        entry = sums[_key(total)]
        entry[0] += total.sdr_count
        entry[1] += total.energy_wh
        entry[2] += total.net_minor
    return tuple(
        PairTotal(debtor_id, creditor_id, currency, count, energy_wh, net_minor)
        for (currency, debtor_id, creditor_id), (count, energy_wh, net_minor) in sorted(
            sums.items()
        )
        if count or energy_wh or net_minor
    )


def settle(totals: Iterable[PairTotal]) -> tuple[Settlement, ...]:
    """Net the totals of a window: one settlement per currency, in order of its code.

    No totals give no settlement: an empty window closes with nothing to pay.
    """
    by_currency: dict[str, list[PairTotal]] = defaultdict(list)
    for total in merge(totals):
        by_currency[total.currency].append(total)
    return tuple(
        _settle_currency(currency, pairs)
        for currency, pairs in sorted(by_currency.items())
    )


def _settle_currency(currency: str, totals: list[PairTotal]) -> Settlement:
    pairs = gross_pairs(totals)
    positions = _positions(pairs)
    bilateral = _bilateral(pairs)
    return Settlement(
        currency=currency,
        pairs=pairs,
        bilateral=bilateral,
        positions=positions,
        gross_minor=sum(pair.net_minor for pair in pairs),
        bilateral_minor=sum(balance.amount_minor for balance in bilateral),
        multilateral_minor=sum(max(0, position.net_minor) for position in positions),
        sdr_count=sum(pair.sdr_count for pair in pairs),
        energy_wh=sum(pair.energy_wh for pair in pairs),
    )


def gross_pairs(totals: Iterable[PairTotal]) -> tuple[PairTotal, ...]:
    """Return the gross matrix of one currency: a negative total flips its direction.

    More credits than charges in a window turn the debt round; the flipped total joins
    the one of the other direction.
    """
    return merge(
        total._replace(
            debtor_id=total.creditor_id,
            creditor_id=total.debtor_id,
            net_minor=-total.net_minor,
        )
        if total.net_minor < 0
        else total
        for total in totals
    )


def _bilateral(pairs: tuple[PairTotal, ...]) -> tuple[Balance, ...]:
    owed = {(pair.debtor_id, pair.creditor_id): pair.net_minor for pair in pairs}
    balances = []
    for (debtor_id, creditor_id), amount_minor in sorted(owed.items()):
        left_minor = amount_minor - owed.get((creditor_id, debtor_id), 0)
        if left_minor > 0:
            balances.append(Balance(debtor_id, creditor_id, left_minor))
    return tuple(balances)


def _positions(pairs: tuple[PairTotal, ...]) -> tuple[Position, ...]:
    receivable: dict[int, int] = defaultdict(int)
    payable: dict[int, int] = defaultdict(int)
    for pair in pairs:
        receivable[pair.creditor_id] += pair.net_minor
        payable[pair.debtor_id] += pair.net_minor
    return tuple(
        Position(
            participant_id,
            receivable[participant_id],
            payable[participant_id],
            receivable[participant_id] - payable[participant_id],
        )
        for participant_id in sorted(receivable.keys() | payable.keys())
    )


def violations(settlement: Settlement) -> tuple[str, ...]:
    """Return which rules of netting a settlement breaks; empty proves it.

    Checked from the pairs up, without the functions that made the settlement: all
    positions sum to zero; who gets and who owes are equal sums; each position is the
    sum of its bilateral balances; totals are what they say.
    """
    positions = settlement.positions
    broken: list[str] = []
    if sum(position.net_minor for position in positions) != 0:
        broken.append("positions do not sum to zero")
    gets = sum(p.net_minor for p in positions if p.net_minor > 0)
    owes = -sum(p.net_minor for p in positions if p.net_minor < 0)
    if not gets == owes == settlement.multilateral_minor:
        broken.append("what is received is not what is paid")
    if any(pair.net_minor < 0 for pair in settlement.pairs):
        broken.append("a pair total is negative")
    if sum(pair.net_minor for pair in settlement.pairs) != settlement.gross_minor:
        broken.append("the gross sum is not the sum of its pairs")
    by_balance: dict[int, int] = defaultdict(int)
    for balance in settlement.bilateral:
        by_balance[balance.creditor_id] += balance.amount_minor
        by_balance[balance.debtor_id] -= balance.amount_minor
    broken.extend(
        f"position of {position.participant_id} is not the sum of its balances"
        for position in positions
        if by_balance[position.participant_id] != position.net_minor
    )
    return tuple(broken)


def totals_digest(totals: Iterable[PairTotal]) -> bytes:
    """Return the SHA-256 of totals in fixed order: for a window's claim and proof."""
    text = "\n".join(
        f"{total.currency};{total.debtor_id};{total.creditor_id};"
        f"{total.sdr_count};{total.energy_wh};{total.net_minor}"
        for total in merge(totals)
    )
    return sha256(text.encode()).digest()


def _key(total: PairTotal) -> tuple[str, int, int]:
    return total.currency, total.debtor_id, total.creditor_id
