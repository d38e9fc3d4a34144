"""Two credits of one SDR in two transactions at once: one wins (S-109)."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from decimal import Decimal
from typing import TYPE_CHECKING

import pytest
from sqlalchemy import func, select

from clearinghouse import codes
from clearinghouse.services import balances, settlement
from clearinghouse.storage import sdr_intake
from clearinghouse.storage.tables.sdrs import sdr_chain
from tests.fixtures.two_sides import Stage
from tests.flows.sdr_messages import batch
from tests.services.test_corrections import credit_of

if TYPE_CHECKING:
    from tests.fixtures.database import Site
    from tests.fixtures.engine import Answer


def _both(stage: Stage, site: Site, contents: list[str]) -> list[Answer]:
    """Send messages of the CSO that are in their transactions at the same time."""
    env = stage.world.env
    with ThreadPoolExecutor(len(contents)) as pool:
        # Nobody of this submitter gets on before all have begun.
        with env.database.begin() as tx:
            sdr_intake.lock_submitter(tx, stage.world.cso.participant_id)
            sent = []
            for content in contents:
                sent.append(pool.submit(stage.cso.call, "sdr", "SubmitSdrs", content))
                site.until_locked_out(*sent)
        return [one.result() for one in sent]


def _taken_back(stage: Stage) -> int:
    """Return how many credits stand behind SDRs."""
    with stage.world.env.database.begin_read_only() as tx:
        query = select(func.count()).select_from(sdr_chain)
        return int(tx.execute(query).scalar_one())


@pytest.mark.clause("4.3-I3")
@pytest.mark.parametrize("is_closed", [False, True], ids=["open", "closed"])
def test_of_two_credits_at_once_one_is_taken_and_one_is_told_s_109(
    stage: Stage,
    site: Site,
    is_closed: bool,  # noqa: FBT001 - a case
) -> None:
    if is_closed:
        stage.world.close("2026-12")
    credits_ = [credit_of(stage.record, name) for name in ("C-1", "C-2")]

    first, second = _both(stage, site, [batch(2, credits_[:1]), batch(3, credits_[1:])])

    counts = [
        (one.required("accepted"), one.required("refused")) for one in (first, second)
    ]
    assert sorted(counts) == [("0", "1"), ("1", "0")]
    (loser,) = [one for one in (first, second) if one.required("refused") == "1"]
    assert {(one["code"], one["rule"]) for one in loser.items} == {
        (str(codes.SDR_REFERENCE.number), "S-109")
    }
    assert _taken_back(stage) == 1
    assert stage.owed() == (Decimal("-11.49") if is_closed else 0)
    window_id = stage.world.close("2027-01").window.window_id
    assert settlement.prove(stage.world.env, window_id) == ()
    balances.snapshot(stage.world.env)
    assert balances.verify(stage.world.env).differences == ()


def test_the_same_credit_twice_at_once_is_taken_once(stage: Stage, site: Site) -> None:
    credit = credit_of(stage.record, "C-1")

    told = _both(stage, site, [batch(2, [credit]), batch(3, [credit])])

    assert sorted(one.required("accepted") for one in told) == ["0", "1"]
    assert sorted(one.required("duplicates") for one in told) == ["0", "1"]
    assert _taken_back(stage) == 1
    assert stage.owed() == 0


def test_credit_and_outcome_of_a_dispute_at_once_take_back_once(stage: Stage) -> None:
    dispute_id = stage.opened()
    credit = credit_of(stage.record, "C-1")
    cso = replace(stage.cso)

    with ThreadPoolExecutor(2) as pool:
        granted = pool.submit(stage.says, cso, dispute_id, "ACCEPT")
        sent = pool.submit(stage.cso.call, "sdr", "SubmitSdrs", batch(2, [credit]))
        answers = granted.result(), sent.result()

    assert answers[0].code == 0, answers[0].raw
    assert answers[1].required("accepted") == "0", answers[1].raw
    assert _taken_back(stage) == 1
    assert stage.owed() == 0
