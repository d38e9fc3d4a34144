"""An independent computation straight from the CSV, in Decimal, sharing no rule code.

It says for every row what a clearing house must do with the claim: settle our rating,
hold it, or refuse it, and by which rule of the catalogue.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from dataclasses import dataclass, field
from decimal import ROUND_CEILING, ROUND_HALF_UP, Decimal
from typing import TYPE_CHECKING

from tests.replay.source import UNNAMED_CSP

if TYPE_CHECKING:
    from collections.abc import Iterable

    from tests.replay.source import Row

CENT = Decimal("0.01")
MINUTE_PRICE = Decimal("0.008333")
"""0.50 CHF an hour of charging, the operator's usual fee, as a price per minute."""
TOLERANCE_SHARE = Decimal("0.005")
RATED_POWER_W = 22_000
POWER_MARGIN = Decimal("1.05")


@dataclass(slots=True)
class Sums:
    """What one CSP's sessions of one month come to."""

    sessions: int = 0
    energy_wh: int = 0
    claimed: Decimal = Decimal(0)
    settled: Decimal = Decimal(0)
    by_rule: Counter[str] = field(default_factory=Counter)
    claimed_by_rule: dict[str, Decimal] = field(default_factory=dict)

    def note(self, rule: str, claimed: Decimal) -> None:
        """Count a row that is not settled under the rule that decides it."""
        self.by_rule[rule] += 1
        self.claimed_by_rule[rule] = (
            self.claimed_by_rule.get(rule, Decimal(0)) + claimed
        )


def rated(row: Row) -> Decimal:
    """Return the price by the operator's tariff: energy and half a franc an hour."""
    if row.fee_free:
        return Decimal(0)
    seconds = Decimal(int((row.ended_at - row.started_at).total_seconds()))
    if row.ended_at.utcoffset() != row.started_at.utcoffset():
        shift = row.ended_at.utcoffset() - row.started_at.utcoffset()  # type: ignore[operator]  # both are aware
        seconds -= Decimal(int(shift.total_seconds()))
    minutes = (seconds / 60).to_integral_value(ROUND_CEILING)
    exact = row.energy_wh * Decimal(row.price_text) / 1000 + minutes * MINUTE_PRICE
    return exact.quantize(CENT, ROUND_HALF_UP)


def deciding_rules(row: Row) -> list[str]:
    """Return the rules that keep this row out of the settlement, in order."""
    rules = []
    if row.csp == UNNAMED_CSP:
        rules.append("S-102")
        return rules
    if not row.fee_free and Decimal(row.price_text) < 0:
        return ["S-105"]  # no such tariff could be published
    price = rated(row)
    if abs(price - row.claimed) > max(CENT, price * TOLERANCE_SHARE):
        rules.append("S-208")
    return rules


def by_csp_and_month(rows: Iterable[Row]) -> dict[tuple[str, str], Sums]:
    """Return the sums per (CSP, month of the beginning)."""
    table: dict[tuple[str, str], Sums] = defaultdict(Sums)
    for row in rows:
        sums = table[row.csp, row.month]
        sums.sessions += 1
        sums.energy_wh += row.energy_wh
        sums.claimed += row.claimed
        rules = deciding_rules(row)
        if rules:
            sums.note(rules[0], row.claimed)
        else:
            sums.settled += rated(row)
    return dict(table)
