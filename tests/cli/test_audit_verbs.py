"""The verbs ``key`` and ``audit``: keys, the trail, seals, the chain, the bundle."""

from __future__ import annotations

from io import StringIO
from typing import TYPE_CHECKING

from clearinghouse.services import bundles
from clearinghouse.verify import cli as verifying
from tests.fixtures.verbs import value_of
from tests.services.sdr_world import make_world

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from typer.testing import Result

    from clearinghouse.services.environment import Environment


def test_key_is_shown_and_replaced_and_the_old_one_is_kept(
    run: Callable[..., Result],
) -> None:
    first = run("key", "show")
    rotated = value_of(run("--json", "key", "rotate"))
    (now,) = value_of(run("--json", "key", "show"))
    every = value_of(run("--json", "key", "show", "--all"))

    assert first.output.startswith("-----BEGIN PUBLIC KEY-----")
    assert now["key_id"] == rotated["key_id"]
    assert [one["key_id"] for one in every][-1] == rotated["key_id"]
    assert len(every) == 2
    assert every[0]["public_key"].strip() == first.output.strip()
    assert "PRIVATE" not in run("key", "rotate").output


def test_window_is_sealed_listed_and_bundled_and_the_bundle_is_proved(
    run: Callable[..., Result], env: Environment, tmp_path: Path
) -> None:
    world = make_world(env)
    world.submit([world.session(), world.session(world.other_csp)])
    world.close("2026-12")
    to = tmp_path / "audit-bundle.zip"

    sealed = value_of(run("--json", "audit", "seal"))
    again = value_of(run("--json", "audit", "seal"))
    (block,) = value_of(run("--json", "audit", "chain"))
    written = value_of(run("--json", "audit", "bundle", "2026-11", "--to", str(to)))
    unknown = run("audit", "bundle", "1999-01", "--to", str(tmp_path / "no.zip"))
    still_open = run("audit", "bundle", "2026-12", "--to", str(tmp_path / "no.zip"))

    assert (sealed, again) == ({"sealed": 1}, {"sealed": 0})
    assert (block["seq"], block["window"]) == (1, "2026-11")
    assert written["key_id"] == block["key_id"]
    assert written["bytes"] == to.stat().st_size
    assert unknown.exit_code == still_open.exit_code == 1
    assert "there is no window 1999-01" in unknown.output
    assert not (tmp_path / "no.zip").exists()
    key, out = tmp_path / "house.pem", StringIO()
    key.write_text(run("key", "show").output, "ascii")
    assert verifying.run(["--quiet", str(to), "--key", str(key)], out, StringIO()) == 0
    assert out.getvalue() == f"{to}: all is proved\n"
    assert bundles.MANIFEST in to.read_bytes().decode("latin-1")


def test_trail_tells_who_did_what_newest_first(
    run: Callable[..., Result], env: Environment
) -> None:
    make_world(env).close("2026-12")

    entries = value_of(run("--json", "audit", "list"))
    one = value_of(run("--json", "audit", "list", "--limit", "1"))

    actions = {entry["action"] for entry in entries}
    assert any(action.endswith("cut_over") for action in actions), actions
    numbers = [entry["number"] for entry in entries]
    assert numbers == sorted(numbers, reverse=True)
    assert one == entries[:1]
    assert run("audit", "list", "--limit", "0").exit_code == 2
