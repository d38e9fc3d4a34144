"""A true bundle passes, offline, with the public key alone."""

from __future__ import annotations

from io import StringIO
from typing import TYPE_CHECKING

import pytest

from clearinghouse.services import bundles, seals
from clearinghouse.verify.bundle import verify
from clearinghouse.verify.cli import run
from tests.services.sdr_world import World, make_world

if TYPE_CHECKING:
    from pathlib import Path

    from clearinghouse.services.environment import Environment


@pytest.fixture
def world(env: Environment) -> World:
    return make_world(env)


def _key(world: World, folder: Path) -> Path:
    path = folder / "public.pem"
    path.write_text(seals.keys(world.env)[-1].pem, encoding="ascii")
    return path


def test_true_bundle_passes(world: World, tmp_path: Path) -> None:
    world.submit([world.session() for _ in range(5)])
    world.submit([world.session(world.other_csp)])
    window_id = world.close().window.window_id
    bundle = tmp_path / "bundle.zip"
    bundles.write_bundle(world.env, window_id, bundle)

    assert verify(bundle, _key(world, tmp_path)).told == []
