"""Reconciliation: what must be one figure is computed on several ways and compared.

Three ways: (a) SDRs added up again against batch totals and postings, (b) documents
against postings, (c) the bank's entries against the payments of settlement runs, by
end-to-end id. Nothing is tolerated and nothing corrected here: a difference is shown.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Hashable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import NamedTuple, TypeVar


class Outcome(StrEnum):
    """What the bank's entries say of one payment."""

    EXACT = "EXACT"
    PARTIAL = "PARTIAL"  #: less than the payment
    OVER = "OVER"  #: more than the payment
    MISSING = "MISSING"  #: no entry at all
    UNKNOWN = "UNKNOWN"  #: entries whose end-to-end id is no payment of ours
    RETURNED = "RETURNED"  #: paid, and all of it came back


class BankEntry(NamedTuple):
    """One booked movement on an account of the bank.

    ``reference`` is unique within its statement; ``amount_minor`` > 0; a movement that
    takes an earlier one back is ``is_return``. Where the bank passed no end-to-end id
    on, it is empty.
    """

    reference: str
    end_to_end_id: str
    currency: str
    amount_minor: int
    is_credit: bool
    is_return: bool
    booked_at: datetime

    def seen_as(self, *, comes_in: bool | None) -> BankEntry:
        """Return the entry as a return when its money went the wrong way.

        ``comes_in``: whether the payment brings money to the account; ``None`` where
        that hangs on whose account it is. Some banks book the return of a collection
        without a word that it is one.
        """
        wrong_way = comes_in is not None and comes_in is not self.is_credit
        return self._replace(is_return=self.is_return or wrong_way)

    @property
    def signed_minor(self) -> int:
        """What the movement adds to its payment: a return takes away."""
        return -self.amount_minor if self.is_return else self.amount_minor


@dataclass(frozen=True, slots=True, kw_only=True)
class BankStatement:
    """A statement of the bank with its booked entries in their order."""

    statement_id: str
    account: str
    created_at: datetime
    entries: tuple[BankEntry, ...]


class Expected(NamedTuple):
    """A payment of a settlement run."""

    end_to_end_id: str
    currency: str
    amount_minor: int


class Match(NamedTuple):
    """One payment, or one unknown id, with what the bank says of it."""

    end_to_end_id: str
    currency: str
    outcome: Outcome
    expected_minor: int
    found_minor: int


class Difference(NamedTuple):
    """One figure that two ways give differently; 0 where a way has no such figure."""

    check: str
    subject: str
    left_minor: int
    right_minor: int


Key = TypeVar("Key", bound=Hashable)


def match_payments(
    expected: Iterable[Expected], entries: Iterable[BankEntry]
) -> tuple[Match, ...]:
    """Compare payments with the bank's entries, by end-to-end id and currency.

    In fixed order: payments as they come, then what is unknown. An entry in another
    currency than its payment is unknown.
    """
    found: dict[tuple[str, str], list[int]] = defaultdict(list)
    for entry in entries:
        found[entry.end_to_end_id, entry.currency].append(entry.signed_minor)
    matches = [
        _match(payment, found.pop((payment.end_to_end_id, payment.currency), []))
        for payment in expected
    ]
    matches += [
        Match(end_to_end_id, currency, Outcome.UNKNOWN, 0, sum(amounts))
        for (end_to_end_id, currency), amounts in sorted(found.items())
    ]
    return tuple(matches)


def _match(payment: Expected, amounts: Sequence[int]) -> Match:
    paid_minor = sum(amounts)
    if not amounts:
        outcome = Outcome.MISSING
    elif paid_minor <= 0:
        outcome = Outcome.RETURNED
    elif paid_minor < payment.amount_minor:
        outcome = Outcome.PARTIAL
    elif paid_minor > payment.amount_minor:
        outcome = Outcome.OVER
    else:
        outcome = Outcome.EXACT
    return Match(*payment[:2], outcome, payment.amount_minor, paid_minor)


def differences(
    check: str, left: Mapping[Key, int], right: Mapping[Key, int]
) -> tuple[Difference, ...]:
    """Return where two ways differ, in order of what they are about; empty: nowhere."""
    return tuple(
        Difference(check, str(key), left.get(key, 0), right.get(key, 0))
        for key in sorted(left.keys() | right.keys(), key=str)
        if left.get(key, 0) != right.get(key, 0)
    )


def is_clean(matches: Iterable[Match]) -> bool:
    """Say whether every payment was made exactly and nothing else was."""
    return all(match.outcome is Outcome.EXACT for match in matches)
