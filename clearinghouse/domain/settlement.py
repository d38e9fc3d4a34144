"""Settlement: claim against proof, gross matrix, bilateral and multilateral netting.

A window is closed from the totals written at intake (the *claim*) and proved by a scan
of the records (the *proof*); one cent of difference fails it. What is netted is gross:
net of the SDRs and the VAT of the documents. Nothing here rounds, and currencies never
meet.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from hashlib import sha256
from types import MappingProxyType
from typing import NamedTuple

from clearinghouse.domain.numbering import DocumentKind
from clearinghouse.domain.vat import VatCategory


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
    """Sum of one directed pair in one currency under one treatment of VAT.

    Debtor is the home CSP, creditor whoever submitted the SDRs: the debtor owes the
    creditor. ``net_minor`` is without VAT, and negative for credits. ``kind`` is
    CREDIT_NOTE for credits of SDRs of an earlier window, INVOICE for the rest;
    ``place`` is the country of the EVSEs. What was booked before there was a table of
    VAT has the defaults.
    """

    debtor_id: int
    creditor_id: int
    currency: str
    sdr_count: int
    energy_wh: int
    net_minor: int
    kind: DocumentKind = DocumentKind.INVOICE
    vat_category: VatCategory = VatCategory.OUTSIDE
    vat_rate_bp: int = 0
    vat_rule_id: int = 0
    place: str = ""


class Pair(NamedTuple):
    """What one participant owes another in one currency, with the VAT in it."""

    debtor_id: int
    creditor_id: int
    currency: str
    sdr_count: int
    energy_wh: int
    net_minor: int
    vat_minor: int = 0

    @property
    def gross_minor(self) -> int:
        """Net and VAT: what is paid."""
        return self.net_minor + self.vat_minor


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
    """What a participant gets and owes in one currency; ``net_minor`` > 0: it gets.

    All three are with VAT; net is receivable less payable.
    """

    participant_id: int
    receivable_minor: int
    payable_minor: int
    net_minor: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Settlement:
    """The settlement of one currency of one window.

    ``pairs`` are the directed sums, none negative, in order of debtor and creditor;
    ``gross_minor`` is their sum with VAT, ``vat_minor`` the VAT in it,
    ``bilateral_minor`` the sum of what is left after set-off, ``multilateral_minor``
    what moves in the end.
    """

    currency: str
    pairs: tuple[Pair, ...]
    bilateral: tuple[Balance, ...]
    positions: tuple[Position, ...]
    gross_minor: int
    vat_minor: int
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
    """Return one total per pair, currency and treatment, in fixed order, none empty."""
    sums: dict[_Key, PairTotal] = {}
    for total in totals:
        key = _key(total)
        before = sums.get(key)
        sums[key] = (
            total
            if before is None
            else before._replace(
                sdr_count=before.sdr_count + total.sdr_count,
                energy_wh=before.energy_wh + total.energy_wh,
                net_minor=before.net_minor + total.net_minor,
            )
        )
    return tuple(
        total
        for _, total in sorted(sums.items())
        if total.sdr_count or total.energy_wh or total.net_minor
    )


def settle(
    totals: Iterable[PairTotal],
    vat: Mapping[tuple[str, int, int], int] = MappingProxyType({}),
) -> tuple[Settlement, ...]:
    """Net the totals of a window: one settlement per currency, in order of its code.

    ``vat``: the VAT of the documents by currency, debtor and creditor. No totals give
    no settlement: an empty window closes with nothing to pay.
    """
    by_currency: dict[str, list[Pair]] = defaultdict(list)
    for pair in pairs_of(totals, vat):
        by_currency[pair.currency].append(pair)
    return tuple(
        _settle_currency(currency, pairs)
        for currency, pairs in sorted(by_currency.items())
    )


def pairs_of(
    totals: Iterable[PairTotal],
    vat: Mapping[tuple[str, int, int], int] = MappingProxyType({}),
) -> tuple[Pair, ...]:
    """Return what each pair comes to, with its VAT, in fixed order, none empty."""
    pairs = [Pair(*total[:6]) for total in totals]
    pairs += [
        Pair(debtor_id, creditor_id, currency, 0, 0, 0, vat_minor)
        for (currency, debtor_id, creditor_id), vat_minor in vat.items()
    ]
    return _joined(pairs)


def _joined(pairs: Iterable[Pair]) -> tuple[Pair, ...]:
    sums: dict[tuple[str, int, int], list[int]] = defaultdict(lambda: [0, 0, 0, 0])
    for pair in pairs:
        entry = sums[pair.currency, pair.debtor_id, pair.creditor_id]
        for place, value in enumerate(pair[3:]):
            entry[place] += value
    return tuple(
        Pair(debtor_id, creditor_id, currency, *entry)
        for (currency, debtor_id, creditor_id), entry in sorted(sums.items())
        if any(entry)
    )


def _settle_currency(currency: str, owed: list[Pair]) -> Settlement:
    pairs = gross_pairs(owed)
    positions = _positions(pairs)
    bilateral = _bilateral(pairs)
    return Settlement(
        currency=currency,
        pairs=pairs,
        bilateral=bilateral,
        positions=positions,
        gross_minor=sum(pair.gross_minor for pair in pairs),
        vat_minor=sum(pair.vat_minor for pair in pairs),
        bilateral_minor=sum(balance.amount_minor for balance in bilateral),
        multilateral_minor=sum(max(0, position.net_minor) for position in positions),
        sdr_count=sum(pair.sdr_count for pair in pairs),
        energy_wh=sum(pair.energy_wh for pair in pairs),
    )


def gross_pairs(pairs: Iterable[Pair]) -> tuple[Pair, ...]:
    """Return the gross matrix of one currency: a negative sum flips its direction.

    More credits than charges in a window turn the debt round; the flipped sum joins
    the one of the other direction.
    """
    return _joined(
        pair._replace(
            debtor_id=pair.creditor_id,
            creditor_id=pair.debtor_id,
            net_minor=-pair.net_minor,
            vat_minor=-pair.vat_minor,
        )
        if pair.gross_minor < 0
        else pair
        for pair in pairs
    )


def _bilateral(pairs: tuple[Pair, ...]) -> tuple[Balance, ...]:
    owed = {(pair.debtor_id, pair.creditor_id): pair.gross_minor for pair in pairs}
    balances = []
    for (debtor_id, creditor_id), amount_minor in sorted(owed.items()):
        left_minor = amount_minor - owed.get((creditor_id, debtor_id), 0)
        if left_minor > 0:
            balances.append(Balance(debtor_id, creditor_id, left_minor))
    return tuple(balances)


def _positions(pairs: tuple[Pair, ...]) -> tuple[Position, ...]:
    receivable: dict[int, int] = defaultdict(int)
    payable: dict[int, int] = defaultdict(int)
    for pair in pairs:
        receivable[pair.creditor_id] += pair.gross_minor
        payable[pair.debtor_id] += pair.gross_minor
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
    if any(pair.gross_minor < 0 for pair in settlement.pairs):
        broken.append("a pair total is negative")
    if sum(pair.gross_minor for pair in settlement.pairs) != settlement.gross_minor:
        broken.append("the gross sum is not the sum of its pairs")
    if sum(pair.vat_minor for pair in settlement.pairs) != settlement.vat_minor:
        broken.append("the VAT is not the sum of its pairs")
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
    """Return the SHA-256 of totals in fixed order: for a window's claim and proof.

    A total that has the defaults is written as it was before there was VAT, so that a
    window closed then still has its digest.
    """
    text = "\n".join(
        f"{total.currency};{total.debtor_id};{total.creditor_id};"
        f"{total.sdr_count};{total.energy_wh};{total.net_minor}{_treatment(total)}"
        for total in merge(totals)
    )
    return sha256(text.encode()).digest()


_Key = tuple[str, int, int, DocumentKind, VatCategory, int, int, str]

#: The treatment of what was booked before there was a table of VAT.
_UNTREATED = PairTotal(0, 0, "", 0, 0, 0)[6:]


def _treatment(total: PairTotal) -> str:
    treatment = total[6:]
    if treatment == _UNTREATED:
        return ""
    return "".join(f";{value}" for value in treatment)


def _key(total: PairTotal) -> _Key:
    return (total.currency, total.debtor_id, total.creditor_id, *total[6:])
