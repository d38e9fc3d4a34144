"""Net debit caps: how much a CSP may owe in a currency until it is settled (S-211).

A debt counts from the acceptance of its SDR until the run that took it is settled, with
the VAT that its invoice will show. What others owe the same participant is not set off:
it may never come.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import NamedTuple

from clearinghouse.codes import SEMANTIC
from clearinghouse.domain.errors import Item
from clearinghouse.domain.money import AmountError, currency_of
from clearinghouse.domain.numbering import DocumentKind
from clearinghouse.domain.vat import vat_of

#: From this share of a cap on, in percent, the operator is told.
ALARM_PERCENT = 80

#: The highest cap, in minor units: it stops a slip, and sums stay in 64 bits.
LIMIT_MINOR_MAX = 10**15


@dataclass(frozen=True, slots=True, kw_only=True)
class DebitCap:
    """One version of what a CSP may owe; ``limit_minor`` ``None``: as much as it likes.

    ``cap_id`` is 0 before it is stored.
    """

    party_id: str
    currency: str
    limit_minor: int | None
    valid_from: datetime
    cap_id: int = 0


class Charge(NamedTuple):
    """What SDRs of one submitter add to one VAT group of one window's documents.

    ``window_id`` 0: of windows that are closed; the amount is then the whole debt.
    """

    window_id: int
    submitter_id: int
    kind: str
    vat_category: str
    vat_rate_bp: int
    net_minor: int


class Debits:
    """What one CSP owes in one currency; it grows with each SDR that is accepted.

    ``counted`` is ``False`` while another batch adds to the same debts and nobody may
    wait for it: then there is no room.
    """

    def __init__(
        self, limit_minor: int, charges: Iterable[Charge] = (), *, counted: bool = True
    ) -> None:
        self.limit_minor = limit_minor
        self.counted = counted
        self.owed_minor = 0
        self._groups: dict[tuple[int, int, str, str, int], int] = defaultdict(int)
        self._pairs: dict[tuple[int, int], int] = defaultdict(int)
        for charge in charges:
            self.add(charge)

    def add(self, charge: Charge) -> None:
        """Count what was accepted, or taken back."""
        growth, gross_minor = self._growth(charge)
        self.owed_minor += growth
        self._groups[charge[:5]] += charge.net_minor
        self._pairs[charge[:2]] += gross_minor

    def has_room(self, charge: Charge) -> bool:
        """Say whether the debts stay within the cap when this comes on top."""
        growth, _ = self._growth(charge)
        return self.counted and self.owed_minor + growth <= self.limit_minor

    def _growth(self, charge: Charge) -> tuple[int, int]:
        """Return by how much all debts grow, and by how much the one to the submitter.

        VAT is rounded as the document will: once over its group. A submitter that has
        to give back is owed nothing, and that is no debt less to others.
        """
        before, pair = self._groups.get(charge[:5], 0), self._pairs.get(charge[:2], 0)
        after = before + charge.net_minor
        vat = vat_of(after, charge.vat_rate_bp) - vat_of(before, charge.vat_rate_bp)
        gross_minor = charge.net_minor + vat
        return max(0, pair + gross_minor) - max(0, pair), gross_minor


def supply_of(
    window_id: int, submitter_id: int, vat: tuple[str, int], net_minor: int
) -> Charge:
    """Return what an SDR adds that is no credit: it stands on an invoice."""
    return Charge(
        window_id, submitter_id, DocumentKind.INVOICE.value, vat[0], vat[1], net_minor
    )


def is_near(owed_minor: int, limit_minor: int) -> bool:
    """Say whether so much of a cap is used that the operator is to know.

    >>> is_near(79_99, 100_00), is_near(80_00, 100_00), is_near(0, 0)
    (False, True, True)
    """
    return owed_minor * 100 >= limit_minor * ALARM_PERCENT


def problems(cap: DebitCap) -> tuple[Item, ...]:
    """Return all that is wrong with a cap; empty when it may be put."""
    found = []
    try:
        currency_of(cap.currency)
    except AmountError as error:
        found.append(Item(code=SEMANTIC, path="currency", expected=str(error)))
    if cap.limit_minor is not None and not 0 <= cap.limit_minor <= LIMIT_MINOR_MAX:
        expected = f"0 to {LIMIT_MINOR_MAX} minor units"
        found.append(Item(code=SEMANTIC, path="amount", expected=expected))
    return tuple(found)
