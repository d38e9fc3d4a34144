"""Days from a seed: the money adds up every evening, whatever went wrong."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.simulation.days import begun
from tests.simulation.line import Trouble
from tests.simulation.world import opened

if TYPE_CHECKING:
    from clearinghouse.contract.catalogue import Contract

SEEDS = 20
#: Days of each seed here; ``./run simulate`` lives through ninety.
DAYS = 30
MANY_DAYS = 90
#: Enough for a late SDR, a release and many crashes.
FEW_DAYS = 12


def _root_after(days: int, seed: int, contract: Contract) -> str:
    with opened(contract) as world:
        run = begun(world, seed)
        for _ in range(days):
            run.play_day()
        return run.root


# A cursor whose server went away before it was declared cannot be closed any more.
_CUT_OFF = pytest.mark.filterwarnings(
    "ignore:.*ServerCursorMixin:pytest.PytestUnraisableExceptionWarning"
)


@_CUT_OFF
@pytest.mark.slow
@pytest.mark.timeout(900)
@pytest.mark.clause("4.3-I3", "4.2-central")
@pytest.mark.parametrize("seed", range(1, SEEDS + 1))
def test_days_of_trouble_end_with_books_that_agree(
    seed: int, contract: Contract
) -> None:
    with opened(contract) as world:
        run = begun(world, seed)
        for _ in range(DAYS):
            run.play_day()
        assert set(run.line.met) == set(Trouble)
        assert world.cuts.made > 0
        assert min(run.books.accepted, run.treasury.settled) > 0


@_CUT_OFF
@pytest.mark.slow
@pytest.mark.timeout(1200)
def test_everything_that_can_happen_happens_in_ninety_days(contract: Contract) -> None:
    with opened(contract) as world:
        run = begun(world, SEEDS + 1)
        for _ in range(MANY_DAYS):
            run.play_day()
        books, bank = run.books, run.treasury
        assert min(books.accepted, books.refused, books.duplicates) > 0
        assert min(books.rejected, books.released, books.put_away) > 0
        assert min(bank.settled, bank.given_up, bank.reversed, bank.payments) > 0


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_the_same_seed_ends_with_the_same_root_and_another_does_not(
    contract: Contract,
) -> None:
    first = _root_after(FEW_DAYS, 7, contract)
    assert _root_after(FEW_DAYS, 7, contract) == first
    assert _root_after(FEW_DAYS, 8, contract) != first
