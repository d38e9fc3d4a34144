"""Disputed amounts in suspense: bundles prove them, and forgeries are named."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from clearinghouse.domain.agreements import Terms
from clearinghouse.services import settlement
from tests.builders import make_agreement
from tests.services.sdr_world import SINCE, World, make_world
from tests.verify.finding import Forgery, require_found, told_of
from tests.verify.forging import Forged, putting
from tests.verify.worlds import Made, answer_dispute, bundle_of, complain

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from clearinghouse.services.environment import Environment
    from tests.fixtures.partners import StillClock

#: Bundles of both windows, made once and forged many times.
_MADE: dict[int, Made] = {}

#: Seconds between two steps of the story: more than a verifier allows for.
_STEP = 3_600


@pytest.fixture
def both(request: pytest.FixtureRequest, tmp_path: Path) -> dict[int, Made]:
    """Give the bundles of two windows.

    Disputes begin in the first: one that ends in it, one that is carried out of it and
    ends in the second, one that is paid under reserve and ends in the second as well.
    """
    if not _MADE:
        env, clock = (request.getfixturevalue(name) for name in ("env", "clock"))
        world = make_world(env)
        with env.database.begin() as tx:
            carrying = Terms(dispute_carried=True)
            make_agreement(tx, world.cso, world.csp, valid_from=SINCE, terms=carrying)
        windows = _story(world, clock)
        _MADE.update((n, bundle_of(env, n, tmp_path)) for n in windows)
    return _MADE


def _story(world: World, clock: StillClock) -> list[int]:
    ended, carried, reserved = (
        world.session(),
        world.session(),
        world.session(world.other_csp),
    )
    world.submit([ended, carried, reserved, world.session()])
    clock.forward(seconds=_STEP)
    running = [complain(world, one) for one in (ended, carried, reserved)]
    clock.forward(seconds=_STEP)
    answer_dispute(world, running[0])
    clock.forward(seconds=_STEP)
    first = world.close("2026-12").window.window_id
    clock.forward(seconds=_STEP)
    world.submit([world.session()])
    for dispute_id in running[1:]:
        answer_dispute(world, dispute_id)
    clock.forward(seconds=_STEP)
    return [first, world.close("2027-01").window.window_id]


def _codes(made: Made) -> list[str]:
    return sorted(
        line[-1] for line in Forged.open(made.content).files["suspense.tsv"][1:]
    )


@pytest.mark.clause("4.2-central")
def test_bundles_prove_what_stood_in_suspense_and_what_came_out_of_it(
    both: dict[int, Made], tmp_path: Path
) -> None:
    for made in both.values():
        code, told = told_of(made, Forged.open(made.content), tmp_path)
        assert code == 0, told

    assert _codes(both[1]) == sorted(
        3 * ["HOLD", "HOLD-ACCEPT", "HOLD-OWED"]
        + 2 * ["RELEASE", "RELEASE-ACCEPT", "RELEASE-OWED"]
    )
    assert _codes(both[2]) == ["RELEASE", "RELEASE-ACCEPT", "RELEASE-OWED"]


def test_bundle_of_a_window_has_the_same_bytes_after_its_disputes_ended(
    env: Environment, clock: StillClock, tmp_path: Path
) -> None:
    world = make_world(env)
    record = world.session(world.other_csp)
    world.submit([record])
    clock.forward(seconds=_STEP)
    running = complain(world, record)
    window_id = settlement.close(env, next_label="next").window.window_id
    before = bundle_of(env, window_id, tmp_path)
    clock.forward(seconds=_STEP)

    answer_dispute(world, running)

    assert bundle_of(env, window_id, tmp_path).content == before.content


def _drop_all(name: str, field: str, value: str) -> Callable[[Forged], None]:
    """Return a forgery: leave out each line where a field has a value."""

    def change(forged: Forged) -> None:
        at = forged.column(name, field)
        lines = forged.files[name]
        lines[1:] = [line for line in lines[1:] if line[at] != value]

    return change


def _drop_postings(forged: Forged, key: str) -> None:
    """Leave out each posting whose key begins so."""
    lines = forged.files["suspense.tsv"]
    lines[1:] = [line for line in lines[1:] if not line[0].startswith(key)]


def _never_held(forged: Forged) -> None:
    """Let a dispute be there, and all that it held be gone with its word."""
    line = forged.find("disputes.tsv", "cspId", "FRXYZ")
    key = f"D{forged.get('disputes.tsv', line, 'disputeId')}"
    forged.set("disputes.tsv", line, "heldWindowId", "")
    forged.set("disputes.tsv", line, "releasedWindowId", "")
    _drop_postings(forged, key)


def _other_amount(forged: Forged) -> None:
    """Hold and release a cent more, in the dispute and in all of its postings."""
    line = forged.find("disputes.tsv", "cspId", "FRXYZ")
    key = f"D{forged.get('disputes.tsv', line, 'disputeId')}"
    forged.add("disputes.tsv", line, "netMinor", 1)
    for n, one in enumerate(forged.files["suspense.tsv"]):
        if one[0].startswith(key):
            forged.add("suspense.tsv", n, "amountMinor", 1)


def _never_released(forged: Forged) -> None:
    """Keep what a window counts in suspense, with the word of the dispute."""
    line = forged.find("disputes.tsv", "cspId", "FRXYZ")
    key = f"D{forged.get('disputes.tsv', line, 'disputeId')}:RELEASE"
    forged.set("disputes.tsv", line, "releasedWindowId", "")
    _drop_postings(forged, key)


#: What the operator changes in the bundle of the first or the second window, who holds
#: the key and signs anew; the place that is named.
FORGERIES: dict[str, tuple[int, Forgery]] = {
    "amount of a posting": (
        1,
        (
            lambda f: f.add("suspense.tsv", 1, "amountMinor", 1),
            "suspense.tsv line 2, D",
        ),
    ),
    "account of a posting": (
        1,
        (
            putting("suspense.tsv", "code", "HOLD", "creditAccount", "P:DEABC:SUSP"),
            "suspense.tsv line 2, D",
        ),
    ),
    "posting is missing": (
        1,
        (_drop_all("suspense.tsv", "code", "RELEASE-OWED"), "suspense.tsv, D"),
    ),
    "posting is there twice": (
        1,
        (
            lambda f: f.files["suspense.tsv"].append(f.files["suspense.tsv"][1]),
            "suspense.tsv line 17, D",
        ),
    ),
    "dispute that was never held": (1, (_never_held, "disputes.tsv line ")),
    "dispute with another amount": (1, (_other_amount, "disputes.tsv line ")),
    "dispute that a window counts is not released": (
        1,
        (_never_released, "disputes.tsv line "),
    ),
    "dispute about an SDR of others": (
        1,
        (
            putting("disputes.tsv", "cspId", "FRXYZ", "cspId", "DEABC"),
            "disputes.tsv line ",
        ),
    ),
    "dispute that carried nothing away": (
        1,
        (
            putting("disputes.tsv", "cspId", "FRXYZ", "carried", "true"),
            "disputes.tsv line ",
        ),
    ),
    "disputes are kept back": (
        1,
        (_drop_all("disputes.tsv", "cspId", "FRXYZ"), "suspense.tsv line "),
    ),
    "amount that was agreed": (
        2,
        (
            putting("disputes.tsv", "cspId", "FRXYZ", "agreedMinor", 400),
            "disputes.tsv line ",
        ),
    ),
    "end of a dispute that nobody began": (
        2,
        (
            _drop_all("disputes.tsv", "cspId", "FRXYZ"),
            "corrections.tsv, agreedMinor of dispute ",
        ),
    ),
    "release of a dispute that runs": (
        2,
        (
            putting("disputes.tsv", "cspId", "DEABC", "endedAt", ""),
            "disputes.tsv line ",
        ),
    ),
    "release in another window": (
        2,
        (
            putting("disputes.tsv", "cspId", "DEABC", "releasedWindowId", ""),
            "disputes.tsv line ",
        ),
    ),
}


@pytest.mark.parametrize("forgery", FORGERIES)
def test_operator_who_books_suspense_wrong_is_found_out(
    forgery: str, both: dict[int, Made], tmp_path: Path
) -> None:
    window_id, change = FORGERIES[forgery]

    require_found(both[window_id], change, tmp_path)
