"""Verbs on invoices and credit notes."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.fixtures.verbs import value_of
from tests.services.sdr_world import World, make_world
from tests.services.test_invoices import NUMBER, bill, close

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from typer.testing import Result

    from clearinghouse.services.environment import Environment


@pytest.fixture
def world(env: Environment) -> World:
    return make_world(env)


def test_operator_sees_what_waits_issues_it_and_exports_it(
    world: World, run: Callable[..., Result], tmp_path: Path
) -> None:
    bill(world, world.cso)
    close(world)
    words = ("document", "export", "2026-11", str(tmp_path / "documents"))

    (waiting,) = value_of(run("--json", "document", "pending"))
    nothing = run(*words)
    still = run("document", "issue")
    bill(world, world.csp)
    done = value_of(run("--json", "document", "issue"))
    (listed,) = value_of(run("--json", "document", "list", "2026-11"))
    exported = value_of(run("--json", *words))

    assert waiting == {
        "number": NUMBER,
        "waits_for": f"buyer {world.csp.party_id}: billing profile",
    }
    assert "no issued document" in nothing.output
    assert "1 wait" in still.output
    assert done == {"issued": 1, "waiting": 0}
    assert (listed["number"], listed["vat"], listed["gross"]) == (
        NUMBER,
        "2.18",
        "13.67",
    )
    assert len(exported["files"]) == 3


def test_unknown_window_is_refused(run: Callable[..., Result], tmp_path: Path) -> None:
    for words in (("list", "never"), ("export", "never", str(tmp_path))):
        refused = run("document", *words)
        assert refused.exit_code == 1
        assert "no window never" in refused.output
