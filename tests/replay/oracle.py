"""An independent computation straight from the CSV, in Decimal, sharing no rule code.

It says for every row what a clearing house must do with the claim: settle our rating,
hold it, or refuse it, and by which rule of the catalogue.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from dataclasses import dataclass, field
from datetime import UTC, timedelta
from decimal import ROUND_CEILING, ROUND_HALF_UP, Decimal
from typing import TYPE_CHECKING

from tests.replay.source import UNNAMED_CSP

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from tests.replay.source import Row

CENT = Decimal("0.01")
MINUTE_PRICE = Decimal("0.008333")
"""0.50 CHF an hour of charging, the operator's usual fee, as a price per minute."""
TOLERANCE_SHARE = Decimal("0.005")
POWER_W_MAX = 23_100
"""105 % of the 22 kW that every EVSE of the file is uploaded with."""
OVERLAP_SECONDS_MAX = 60
NEAR = timedelta(seconds=60)
NEAR_SHARE = Decimal("0.01")
NAMELESS = "Sconosciuto"


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


def elapsed_seconds(row: Row) -> int:
    """Return the seconds from start to end, counted in UTC."""
    elapsed = row.ended_at.astimezone(UTC) - row.started_at.astimezone(UTC)
    return elapsed // timedelta(seconds=1)


def shared_seconds(one: Row, other: Row) -> int:
    """Return the seconds in which both rows held the EVSE; negative when none."""
    start = max(one.started_at.astimezone(UTC), other.started_at.astimezone(UTC))
    end = min(one.ended_at.astimezone(UTC), other.ended_at.astimezone(UTC))
    return (end - start) // timedelta(seconds=1)


def is_near_duplicate(row: Row, other: Row) -> bool:
    """Say whether both look like one session of one user, told twice."""
    return (
        row.csp == other.csp
        and row.user == other.user != NAMELESS
        and abs(row.started_at - other.started_at) <= NEAR
        and abs(row.energy_wh - other.energy_wh) <= row.energy_wh * NEAR_SHARE
    )


def rated(row: Row) -> Decimal:
    """Return the price by the operator's tariff: energy and half a franc an hour."""
    if row.fee_free:
        return Decimal(0)
    minutes = (Decimal(elapsed_seconds(row)) / 60).to_integral_value(ROUND_CEILING)
    exact = row.energy_wh * Decimal(row.price_text) / 1000 + minutes * MINUTE_PRICE
    return exact.quantize(CENT, ROUND_HALF_UP)


def deciding_rules(row: Row, earlier: Sequence[Row]) -> list[str]:
    """Return the rules that keep this row out of the settlement, in order.

    ``earlier`` are the rows of the same EVSE that were submitted before.
    """
    rules = []
    if row.csp == UNNAMED_CSP:
        return ["S-102"]
    if not row.fee_free and Decimal(row.price_text) < 0:
        return ["S-105"]  # no such tariff could be published
    if row.energy_wh * 3600 > POWER_W_MAX * elapsed_seconds(row):
        rules.append("S-202")
    if any(shared_seconds(row, other) > OVERLAP_SECONDS_MAX for other in earlier):
        rules.append("S-205")
    if any(is_near_duplicate(row, other) for other in earlier):
        rules.append("S-207")
    price = rated(row)
    if abs(price - row.claimed) > max(CENT, price * TOLERANCE_SHARE):
        rules.append("S-208")
    return rules


def by_csp_and_month(rows: Iterable[Row]) -> dict[tuple[str, str], Sums]:
    """Return the sums per (CSP, month of the beginning)."""
    table: dict[tuple[str, str], Sums] = defaultdict(Sums)
    submitted: dict[str, list[Row]] = defaultdict(list)
    for row in rows:
        sums = table[row.csp, row.month]
        sums.sessions += 1
        sums.energy_wh += row.energy_wh
        sums.claimed += row.claimed
        rules = deciding_rules(row, submitted[row.evse_id])
        submitted[row.evse_id].append(row)
        if rules:
            sums.note(rules[0], row.claimed)
        else:
            sums.settled += rated(row)
    return dict(table)
