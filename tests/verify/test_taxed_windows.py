"""Bundles of windows with VAT: an auditor finds gross and VAT again, to the cent."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from clearinghouse.domain.sdrs import SdrKind
from clearinghouse.services import bundles, seals
from clearinghouse.storage import billing
from clearinghouse.verify.bundle import verify
from tests.builders import NOW, make_profile
from tests.services.sdr_world import World, make_world
from tests.verify.forging import Forged

if TYPE_CHECKING:
    from pathlib import Path

    from clearinghouse.services.environment import Environment


@pytest.fixture
def world(env: Environment) -> World:
    """Put a seller in force that charges VAT."""
    made = make_world(env)
    own = make_profile("CHREP", vat_id="CHE107787577MWST", country="CH")
    with env.database.begin() as tx:
        billing.add_profile(tx, own, at=NOW)
    return made


def _bundle(world: World, folder: Path) -> tuple[Path, Path]:
    """Return the bundle of a window with charges, and a credit of an earlier one."""
    record = world.session()
    world.submit([record])
    world.close("2026-12")
    credit = replace(
        record, sdr_id="C-1", kind=SdrKind.CREDIT, ref_sdr_id=record.sdr_id
    )
    more = [world.session() for _ in range(3)]
    world.submit([credit, *more, world.session(world.other_csp)])
    window_id = world.close("2027-01").window.window_id
    path, key = folder / "bundle.zip", folder / "public.pem"
    bundles.write_bundle(world.env, window_id, path)
    key.write_text(seals.keys(world.env)[-1].pem, encoding="ascii")
    return path, key


@pytest.mark.clause("4.3-I3")
def test_bundle_of_a_window_with_vat_and_a_credit_note_passes(
    world: World, tmp_path: Path
) -> None:
    path, key = _bundle(world, tmp_path)

    assert verify(path, key).told == []


@pytest.mark.parametrize(
    ("name", "field"),
    [("matrix.tsv", "vatMinor"), ("statements.tsv", "grossMinor")],
)
def test_a_cent_of_vat_is_found_and_named(
    world: World, tmp_path: Path, name: str, field: str
) -> None:
    path, key = _bundle(world, tmp_path)
    forged = Forged.open(path.read_bytes())
    forged.add(name, 1, field, 1)
    private = world.env.signer.key()
    forged.seal(private)
    forged.list(private)

    told = verify(forged.write(tmp_path / "forged.zip"), key).told

    assert any(field in str(one) for one in told)
