"""Audit bundles: the same bytes each time, whole or not there."""

from __future__ import annotations

import json
import zipfile
from hashlib import sha256
from typing import TYPE_CHECKING

import pytest

from clearinghouse import codes
from clearinghouse.domain.errors import ClearingHouseError
from clearinghouse.services import bundles
from clearinghouse.storage import signing
from tests.services.sdr_world import World, make_world, window_of

if TYPE_CHECKING:
    from pathlib import Path

    from clearinghouse.services.environment import Environment


@pytest.fixture
def world(env: Environment) -> World:
    return make_world(env)


def test_bundle_of_a_window_has_the_same_bytes_each_time(
    world: World, tmp_path: Path
) -> None:
    world.submit([world.session(), world.session(world.other_csp)])
    window_id = world.close().window.window_id

    first = bundles.write_bundle(world.env, window_id, tmp_path / "1.zip")
    second = bundles.write_bundle(world.env, window_id, tmp_path / "2.zip")

    assert first.digest == second.digest
    assert (tmp_path / "1.zip").read_bytes() == (tmp_path / "2.zip").read_bytes()
    assert sorted(one.name for one in tmp_path.glob("*.zip")) == ["1.zip", "2.zip"]


def test_manifest_is_signed_and_names_every_file_with_its_digest(
    world: World, tmp_path: Path
) -> None:
    world.submit([world.session()])
    window_id = world.close().window.window_id

    written = bundles.write_bundle(world.env, window_id, tmp_path / "bundle.zip")

    with zipfile.ZipFile(written.path) as bundle:
        text = bundle.read(bundles.MANIFEST)
        manifest = json.loads(text)
        signature = bytes.fromhex(bundle.read(bundles.SIGNATURE).decode())
        names = [one["name"] for one in manifest["files"]]
        assert bundle.namelist() == [*names, bundles.MANIFEST, bundles.SIGNATURE]
        for one in manifest["files"]:
            data = bundle.read(one["name"])
            assert sha256(data).hexdigest() == one["sha256"]
            assert (len(data), data.count(b"\n") - 1) == (one["bytes"], one["lines"])
    key = world.env.signer.key()
    assert manifest["keyId"] == key.key_id == written.key_id
    assert signing.is_signed(key.public_key, text, signature)


def test_bundle_of_an_empty_window_proves_nothing_with_headings(
    world: World, tmp_path: Path
) -> None:
    window_id = world.close().window.window_id

    written = bundles.write_bundle(world.env, window_id, tmp_path / "bundle.zip")

    with zipfile.ZipFile(written.path) as bundle:
        assert bundle.read("sdrs.tsv").count(b"\n") == 1


def test_window_that_is_not_closed_has_no_bundle(world: World, tmp_path: Path) -> None:
    path = tmp_path / "bundle.zip"

    for window_id, code in (
        (window_of(world).window_id, codes.WINDOW_STATE),
        (99, codes.WINDOW_UNKNOWN),
    ):
        with pytest.raises(ClearingHouseError) as caught:
            bundles.write_bundle(world.env, window_id, path)
        assert caught.value.code is code

    assert list(tmp_path.glob("*.zip")) == []
