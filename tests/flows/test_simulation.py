"""Ninety days from a seed: the money adds up every evening, whatever went wrong."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.simulation.days import begun
from tests.simulation.line import Trouble
from tests.simulation.world import opened

if TYPE_CHECKING:
    from clearinghouse.contract.catalogue import Contract

SEEDS = 20
DAYS = 90
#: Enough for a late SDR, a release and many crashes.
FEW_DAYS = 12


def _root_after(days: int, seed: int, contract: Contract) -> str:
    with opened(contract) as world:
        run = begun(world, seed)
        for _ in range(days):
            run.play_day()
        return run.root


@pytest.mark.slow
@pytest.mark.timeout(900)
# A cursor whose server went away before it was declared cannot be closed any more.
@pytest.mark.filterwarnings(
    "ignore:.*ServerCursorMixin:pytest.PytestUnraisableExceptionWarning"
)
@pytest.mark.clause("4.3-I3", "4.2-central")
@pytest.mark.parametrize("seed", range(1, SEEDS + 1))
def test_ninety_days_of_trouble_end_with_books_that_agree(
    seed: int, contract: Contract
) -> None:
    with opened(contract) as world:
        run = begun(world, seed)
        for _ in range(DAYS):
            run.play_day()
        # Each trouble was met, and what can happen to an SDR did.
        assert set(run.line.met) == set(Trouble)
        assert world.cuts.made > 0
        books = run.books
        assert min(books.accepted, books.refused, books.duplicates) > 0
        assert min(books.rejected, books.released, books.put_away) > 0
        bank = run.treasury
        assert min(bank.settled, bank.given_up, bank.reversed, bank.payments) > 0


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_the_same_seed_ends_with_the_same_root_and_another_does_not(
    contract: Contract,
) -> None:
    first = _root_after(FEW_DAYS, 7, contract)
    assert _root_after(FEW_DAYS, 7, contract) == first
    assert _root_after(FEW_DAYS, 8, contract) != first
