"""Rules on the claimed net: S-208 and S-209 hold, S-301 remarks."""

from __future__ import annotations

from clearinghouse.domain import sdr_catalogue as catalogue
from clearinghouse.domain.sdr_catalogue import Rule
from clearinghouse.domain.sdr_facts import Case

_PPM = 1_000_000


def claim(case: Case) -> None:
    """S-208: hold a claim that is further from our rating than both tolerances."""
    if _differs_beyond(case):
        _note_claim(case, catalogue.S208)


def high_amount(case: Case) -> None:
    """S-209: hold an amount above the ceiling, or far above the EVSE's mean."""
    if not case.is_rated or case.facts.agreement is None or case.is_refused():
        return
    ceiling = case.facts.agreement.net_ceiling_minor
    mean = case.facts.mean_net_minor
    if ceiling is not None and case.net_minor > ceiling:
        expected = f"at most {case.money(ceiling)}"
        case.hit(catalogue.S209, "claimedNet", expected, case.money(case.net_minor))
    elif mean and case.net_minor > case.terms.net_mean_factor * mean:
        expected = f"at most {case.terms.net_mean_factor} times the EVSE's mean"
        case.hit(catalogue.S209, "claimedNet", expected, case.money(case.net_minor))


def claim_within(case: Case) -> None:
    """S-301: remark a claim that differs from our rating, within the tolerances."""
    if case.claimed_minor != case.net_minor and not _differs_beyond(case):
        _note_claim(case, catalogue.S301)


def _differs_beyond(case: Case) -> bool:
    """Say whether claim and rating differ by more than both tolerances."""
    difference = abs(case.claimed_minor - case.net_minor)
    terms = case.terms
    return (
        difference > terms.tolerance_minor
        and difference * _PPM > terms.tolerance_ppm * case.net_minor
    )


def _note_claim(case: Case, rule: Rule) -> None:
    if case.is_rated:
        expected = case.money(case.net_minor)
        case.hit(rule, "claimedNet", expected, case.money(case.claimed_minor))
