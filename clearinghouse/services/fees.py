"""Fee plans of the house: put by the operator, charged by runs (settlement 2.9)."""

from __future__ import annotations

from dataclasses import replace

from clearinghouse.codes import SEMANTIC
from clearinghouse.domain import fees as rules
from clearinghouse.domain.errors import ClearingHouseError
from clearinghouse.domain.fees import FeePlan
from clearinghouse.services.environment import Environment
from clearinghouse.services.participants import note, participant_named
from clearinghouse.storage import fees


def put_plan(env: Environment, plan: FeePlan) -> FeePlan:
    """Put a plan in force from its day on; older ones stay as they are.

    Raises :class:`ClearingHouseError`: ``UNKNOWN_PARTICIPANT``; ``CH.SEMANTIC`` with
    all that is wrong with the plan.
    """
    problems = rules.problems(plan)
    if problems:
        raise ClearingHouseError(SEMANTIC, items=problems)
    with env.database.begin() as tx:
        party_id = participant_named(tx, plan.party_id).party_id
        named = replace(plan, party_id=party_id)
        plan_id = fees.add_plan(tx, named, at=env.clock.now())
        note(tx, env, "put fee plan", f"{party_id} {plan.currency} {plan.valid_from}")
    return replace(named, plan_id=plan_id)


def all_plans(env: Environment) -> list[FeePlan]:
    """Return all plans by party, older ones too."""
    with env.database.begin_read_only() as tx:
        return fees.plans(tx)
