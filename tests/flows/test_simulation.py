"""Days from a seed: the money adds up every evening, whatever went wrong."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.simulation.days import BrokenDay, Simulation, begun
from tests.simulation.line import Trouble
from tests.simulation.world import Ground

if TYPE_CHECKING:
    from collections.abc import Iterator

    from clearinghouse.contract.catalogue import Contract
    from clearinghouse.storage.embedded.postgres import EmbeddedPostgres

SEEDS = 20
DAYS = 90
#: Enough for late SDRs, releases, runs and many crashes.
FEW_DAYS = 21

# A cursor whose server went away before it was declared cannot be closed any more.
_CUT_OFF = pytest.mark.filterwarnings(
    "ignore:.*ServerCursorMixin:pytest.PytestUnraisableExceptionWarning"
)


@pytest.fixture(scope="module")
def ground(postgres: EmbeddedPostgres) -> Iterator[Ground]:
    """Give one server and one migrated template to all simulations."""
    made = Ground(postgres)
    yield made
    made.close()


@_CUT_OFF
@pytest.mark.slow
@pytest.mark.timeout(900)
@pytest.mark.clause("4.3-I3", "4.2-central")
@pytest.mark.parametrize("seed", range(1, SEEDS + 1))
def test_ninety_days_of_trouble_end_with_books_that_agree(
    seed: int, ground: Ground, contract: Contract
) -> None:
    with ground.opened(contract) as world:
        run = begun(world, seed)
        run.play(DAYS)
        run.audit()
        print(f"seed {seed}, {DAYS} days: root {run.root}")  # noqa: T201 - for CI's log
        _require_everything_happened(run)


def _require_everything_happened(run: Simulation) -> None:
    books, bank = run.books, run.treasury
    assert set(run.line.met) == set(Trouble)
    assert min(run.world.cuts.made, len(run.closed)) > 0
    assert min(books.accepted, books.refused, books.duplicates) > 0
    assert min(books.rejected, books.released, run.caps.held) > 0
    assert min(bank.settled, bank.given_up + bank.reversed, bank.payments) > 0
    assert min(run.court.ended.total(), run.court.lapsed, bank.exchange.converted) > 0


def _root_after(days: int, seed: int, ground: Ground, contract: Contract) -> str:
    with ground.opened(contract) as world:
        run = begun(world, seed)
        run.play(days)
        return run.root


@_CUT_OFF
@pytest.mark.slow
@pytest.mark.timeout(600)
def test_the_same_seed_ends_with_the_same_root_and_another_does_not(
    ground: Ground, contract: Contract
) -> None:
    first = _root_after(FEW_DAYS, 7, ground, contract)
    assert _root_after(FEW_DAYS, 7, ground, contract) == first
    assert _root_after(FEW_DAYS, 8, ground, contract) != first


#: One wrong figure each, and the word with which the days end.
_WRONGS = {
    "UPDATE clearing.posting SET amount_minor = amount_minor + 1"
    " WHERE posting_key = (SELECT min(posting_key) FROM clearing.posting)": (
        "balances are not what the postings give"
    ),
    "UPDATE clearing.settlement_position SET net_minor = net_minor + 1,"
    " receivable_minor = receivable_minor + 1"
    " WHERE ctid = (SELECT min(ctid) FROM clearing.settlement_position)": (
        "positions do not sum to zero"
    ),
    "UPDATE clearing.batch_total SET net_minor = net_minor + 1 WHERE window_id ="
    " (SELECT max(window_id) FROM clearing.batch_total)": "claim",
    "UPDATE clearing.sdr SET net_minor = net_minor + 1 WHERE window_id ="
    " (SELECT max(window_id) FROM clearing.batch_total)": "claim",
}


@_CUT_OFF
@pytest.mark.timeout(300)
@pytest.mark.parametrize(("wrong", "word"), _WRONGS.items(), ids=lambda one: one[:30])
def test_one_wrong_figure_in_the_house_ends_the_days(
    wrong: str, word: str, ground: Ground, contract: Contract
) -> None:
    with ground.opened(contract) as world:
        run = begun(world, 1)
        while not (run.closed and run.books.of(run.label)):
            run.play(1)
        world.cuts.admin.execute("SET session_replication_role = replica")
        assert world.cuts.admin.execute(wrong.encode()).rowcount > 0
        with pytest.raises(BrokenDay, match=word) as ended:
            run.play(2)
        assert f"./run simulate --days {run.day + 1} --seed 1" in str(ended.value)
