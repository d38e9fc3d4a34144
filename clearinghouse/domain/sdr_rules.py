"""The rules that each SDR meets at intake: S-101 to S-307 of the rule catalogue.

The rules run in the order of their numbers; none stops at the first hit and none
raises. Those that look at other SDRs pass a record over that is refused: an answer that
costs its sender nothing must not tell of them. Thresholds come from the agreement. R
refuses, H holds, W remarks, N notes. The hot path makes nothing for a rule that is
kept. A pattern of whole minutes, a part of S-303, shows only over many records: that is
a remark on the batch.
"""

from __future__ import annotations

from clearinghouse.domain.correction_rules import mirrored, reference
from clearinghouse.domain.holding_rules import HOLDING
from clearinghouse.domain.refusing_rules import CREDITED, REFUSING
from clearinghouse.domain.remarking_rules import REMARKING
from clearinghouse.domain.sdr_facts import Case, Judgement, Outcome, SdrFacts
from clearinghouse.domain.sdrs import SdrKind, ServiceDetailRecord, content_digest
from clearinghouse.domain.silent_rules import PROVEN, figures_if_silent

_AFTER_RATING = (*HOLDING, *REMARKING)

#: Whether the short way knows all rules: one that it has not heard of closes it.
KNOWS_ALL_RULES = PROVEN.issuperset(
    rule.__name__ for rule in (*REFUSING, *_AFTER_RATING)
)


def judge(
    record: ServiceDetailRecord,
    facts: SdrFacts,
    period: tuple[str, str] | None = None,
) -> Judgement:
    """Judge one record: all rules, in fixed order, without raising.

    Most records meet none of them, which is shown in a fifth of the time. ``period``:
    start and end as text, from whoever has them already.
    """
    digest = content_digest(
        record,
        subject_id=facts.subject_id,
        contract_subject_id=facts.contract_subject_id,
        period=period,
    )
    if KNOWS_ALL_RULES and (usual := figures_if_silent(record, facts)) is not None:
        return Judgement(
            Outcome.ACCEPTED,
            (),
            usual.net_minor,
            usual.net_minor,
            usual.energy_wh,
            usual.charge_seconds,
            digest,
            facts.match_kind,
        )
    return judge_by_rules(record, facts, digest)


def judge_by_rules(
    record: ServiceDetailRecord, facts: SdrFacts, digest: bytes
) -> Judgement:
    """Judge one record by asking each rule; ``digest`` is that of its content."""
    case = Case(record, facts)
    if facts.known_digest == digest:
        outcome = Outcome.DUPLICATE
    elif record.kind is SdrKind.CREDIT:
        return _credited(case, digest)
    else:
        for rule in REFUSING:
            rule(case)
        reference(case)
        case.rate()
        for rule in _AFTER_RATING:
            rule(case)
        outcome = case.outcome()
    return Judgement(
        outcome,
        tuple(case.hits),
        case.net_minor,
        case.claimed_minor,
        case.energy_wh,
        case.charge_seconds,
        digest,
        case.match_kind(),
        tuple(case.evidence),
    )


def _credited(case: Case, digest: bytes) -> Judgement:
    """Judge a credit: it repeats what was judged once, or it is refused.

    No rule holds it: what may be paid back need not be plausible.
    """
    for rule in CREDITED:
        rule(case)
    reference(case)
    mirrored(case)
    found = case.facts.reference
    if found is None or case.is_refused():
        figures = (0, case.claimed_minor, case.energy_wh, case.charge_seconds)
        return Judgement(Outcome.REFUSED, tuple(case.hits), *figures, digest)
    return Judgement(
        Outcome.ACCEPTED,
        (),
        -found.net_minor,
        -found.claimed_minor,
        -found.energy_wh,
        -found.charge_seconds,
        digest,
    )
