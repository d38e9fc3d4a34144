"""The page of the rule catalogue of SDRs."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING

from clearinghouse.domain.agreements import Terms
from clearinghouse.domain.sdr_catalogue import CATALOGUE, Described
from clearinghouse.domain.sdrs import RULE_VERSION
from docs.pages import rst

if TYPE_CHECKING:
    from collections.abc import Iterator

INTRODUCTION = f"""
This is version {RULE_VERSION} of the catalogue. Every SDR meets all rules; each hit is
told with its code, the path of the element, what was expected and what was found, and
``ruleVersion``. *F* refuses the batch, *R* the SDR, *H* holds it until the operator
decides or the reason is gone, *W* remarks, *N* is a note that only the home CSP and the
operator see.

Thresholds are terms of the agreement, set with ``clearinghouse agreement add --term
NAME=NUMBER``. New terms make a new version of the agreement, and an SDR is judged by
the version that was in force at its start; ``GetSdrStatus`` names it as
``agreementVersion``.
"""

TITLES = {
    "B": "Of a batch",
    "S-1": "Refuse an SDR",
    "S-2": "Hold an SDR",
    "S-3": "Remark",
}


def _terms(entry: Described) -> str:
    usual = asdict(Terms())
    return ", ".join(
        f"{rst.literal(name)} {_value(usual[name])}" for name in entry.terms
    )


def _value(value: object) -> str:
    if value is None:
        return "by currency"
    if isinstance(value, bool):
        return "yes" if value else "no"
    return str(value)


def pages() -> Iterator[tuple[str, str]]:
    """Yield the page, made from :mod:`clearinghouse.domain.sdr_catalogue`."""
    parts = [rst.heading("Rules", "="), INTRODUCTION]
    for start, title in TITLES.items():
        rows = [
            (entry.rule, entry.severities, rst.escaped(entry.text), _terms(entry))
            for entry in CATALOGUE
            if entry.rule.startswith(start)
        ]
        table = rst.table(
            ("Rule", "Kind", "What it says", "Terms, as usual"), rows, (8, 8, 54, 30)
        )
        parts.append(rst.heading(title, "-") + "\n" + table)
    yield "rules.rst", "\n".join(parts)
