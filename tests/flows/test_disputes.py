"""Disputes as the partners see them: every step by SOAP, every term by the clock."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal
from typing import TYPE_CHECKING, Any
from uuid import UUID, uuid4

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from clearinghouse import codes
from clearinghouse.domain.agreements import Terms
from clearinghouse.domain.disputes import DisputeState
from clearinghouse.domain.errors import ClearingHouseError
from clearinghouse.services import approvals, disputes, settlement
from clearinghouse.services.approved_actions import EXECUTORS
from clearinghouse.services.disputes import Decision
from tests.builders import NOW
from tests.fixtures.operators import make_operators
from tests.fixtures.two_sides import BOTH, DAY, SILENCES, WAYS, Stage, within

if TYPE_CHECKING:
    from collections.abc import Callable

    from clearinghouse.domain.participants import Participant
    from tests.fixtures.engine import Speaker

    Speaking = Callable[[Participant], Speaker]


@BOTH
@pytest.mark.parametrize("name", WAYS)
@pytest.mark.clause("4.3-I3")
def test_every_way_through_a_dispute_comes_to_what_was_agreed(
    made: Any,  # noqa: ANN401 - a maker
    terms: Terms,
    name: str,
) -> None:
    stage: Stage = made(terms)
    more, steps, state, owed = WAYS[name]

    dispute_id = stage.opened(more)
    held = stage.owed()
    answer = stage.plays(dispute_id, steps)
    assert answer is not None

    assert held == (0 if terms.dispute_carried else Decimal("11.49"))
    assert within(answer, "dispute", "state") == state
    if owed:
        assert stage.owed() == Decimal(owed)
        assert Decimal(answer.required("agreedNet")) == Decimal(owed)
        assert not answer.has("dueAt")
        closed = stage.world.close()
        assert settlement.prove(stage.world.env, closed.window.window_id) == ()
    else:
        assert stage.owed() == held


@BOTH
@pytest.mark.parametrize("name", SILENCES)
def test_silence_has_an_outcome_at_the_end_of_the_term_and_not_before(
    made: Any,  # noqa: ANN401 - a maker
    terms: Terms,
    name: str,
) -> None:
    stage: Stage = made(terms)
    more, steps, days, state, owed = SILENCES[name]
    dispute_id = stage.opened(more)
    stage.plays(dispute_id, steps)
    before = stage.state(dispute_id)

    assert stage.pass_days(days - 2) == 0
    assert stage.state(dispute_id) == before
    assert stage.pass_days(2) == 1

    assert stage.state(dispute_id) == state
    if owed:
        assert stage.owed() == Decimal(owed)


@pytest.mark.parametrize(
    ("state", "amount", "owed"),
    [
        (DisputeState.UPHELD_CSP, None, "0"),
        (DisputeState.UPHELD_CSO, None, "11.49"),
        (DisputeState.SPLIT, Decimal("4.20"), "4.20"),
    ],
)
@BOTH
def test_the_house_decides_with_four_eyes(
    made: Any,  # noqa: ANN401 - a maker
    terms: Terms,
    state: DisputeState,
    amount: Decimal | None,
    owed: str,
) -> None:
    stage: Stage = made(terms)
    env = stage.world.env
    anna, ben = make_operators(env)
    dispute_id = stage.opened()
    decision = Decision(
        dispute_id=UUID(dispute_id), state=state, amount=amount, words="as metered"
    )
    with pytest.raises(ClearingHouseError) as early:
        disputes.decide(env, anna, decision)
    stage.says(stage.cso, dispute_id, "REJECT")
    stage.says(stage.csp, dispute_id, "ESCALATE")

    asked = disputes.decide(env, anna, decision)
    with pytest.raises(ClearingHouseError) as alone:
        approvals.approve(env, anna, asked.approval_id, EXECUTORS)
    before = stage.state(dispute_id)
    approvals.approve(env, ben, asked.approval_id, EXECUTORS)

    assert early.value.code is codes.DISPUTE_IS_OPEN
    assert alone.value.code is codes.APPROVAL_SAME
    assert (before, stage.state(dispute_id)) == ("ESCALATED", state.value)
    assert stage.owed() == Decimal(owed)


Word = tuple[str, str, int]
_WORDS = st.lists(
    st.tuples(
        st.sampled_from(["csp", "cso", "clock"]),
        st.sampled_from(["ACCEPT", "REJECT", "OFFER", "ESCALATE", "WITHDRAW"]),
        st.integers(1, 1148),
    ),
    max_size=8,
)


_ASKED = st.one_of(st.none(), st.integers(1, 1148))


@BOTH
def test_whatever_is_said_the_chain_comes_to_what_was_agreed(
    made: Any,  # noqa: ANN401 - a maker
    terms: Terms,
) -> None:
    stage: Stage = made(terms)

    @given(_WORDS, _ASKED, st.booleans())
    @settings(max_examples=15, deadline=None, database=None)
    def story(words: list[Word], asked: int | None, closes: bool) -> None:  # noqa: FBT001 - drawn
        stage.clock.at = NOW
        fresh = replace(stage, cso=stage.fresh("cso"), csp=stage.fresh("csp"))
        fresh.submit()
        stage.sequence = fresh.sequence
        if closes:
            fresh.world.close(str(uuid4()))
        _tell_story(fresh, words, asked)

    story()


def _tell_story(stage: Stage, words: list[Word], asked: int | None) -> None:
    more = "" if asked is None else f"<acceptedNet>{Decimal(asked) / 100}</acceptedNet>"
    dispute_id = stage.opened(more)
    for who, word, amount in words:
        if who == "clock":
            stage.clock.forward(seconds=12 * DAY)
            disputes.end_due(stage.world.env)
            continue
        offer = f"<amount>{Decimal(amount) / 100}</amount>" if word == "OFFER" else ""
        stage.says(stage.fresh(who), dispute_id, word, offer)
    found = disputes.dispute_named(stage.world.env, UUID(dispute_id))
    nets, counting = stage.versions()
    if found.agreed_minor is not None:
        assert sum(nets) == found.agreed_minor
        assert counting == ([found.agreed_minor] if found.agreed_minor else [])
    else:
        assert sum(nets) == (0 if found.carried else 1149)
        assert len(counting) <= 1
