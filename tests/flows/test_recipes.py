"""The recipes for partners and auditors, run as they stand on their pages."""

from __future__ import annotations

import shutil
import subprocess
import sys
from collections.abc import Callable
from hashlib import sha256
from typing import TYPE_CHECKING

import pytest

from clearinghouse.services import bundles, seals
from tests.flows.pages import block
from tests.flows.sdr_messages import batch
from tests.services.sdr_world import World, make_world

if TYPE_CHECKING:
    from pathlib import Path

    from clearinghouse.domain.participants import Participant
    from clearinghouse.services.environment import Environment
    from tests.fixtures.engine import Speaker

needs_openssl = pytest.mark.skipif(
    shutil.which("openssl") is None, reason="openssl is not installed"
)
needs_tools = pytest.mark.skipif(
    not all(map(shutil.which, ("openssl", "unzip", "xxd", "sha256sum"))),
    reason="openssl, unzip or xxd is not installed",
)


@pytest.fixture
def world(env: Environment) -> World:
    return make_world(env)


def _shell(script: str, folder: Path) -> subprocess.CompletedProcess[str]:
    script = script.replace("python3 ", f"{sys.executable} ")
    return subprocess.run(
        ["sh", "-e", "-c", script],
        cwd=folder,
        capture_output=True,
        text=True,
        check=False,
    )


def _prepare(world: World, folder: Path) -> str:
    program = block("partners.rst", "   :name: signed")
    (folder / "signed.py").write_text(program, "utf-8")
    (folder / "house.pem").write_text(seals.keys(world.env)[-1].pem, "ascii")
    return block("partners.rst", "   :name: openssl")


@needs_openssl
def test_partner_checks_a_receipt_by_hand(
    world: World, speaker: Callable[[Participant], Speaker], tmp_path: Path
) -> None:
    answer = speaker(world.cso).call("sdr", "SubmitSdrs", batch(1, [world.session()]))
    script = _prepare(world, tmp_path)
    (tmp_path / "answer.xml").write_bytes(answer.raw)

    done = _shell(script, tmp_path)

    assert (done.returncode, done.stdout) == (0, "Verified OK\n"), done.stderr
    assert f"root {answer.required('batchRoot')}" in (
        (tmp_path / "signed.txt").read_text().splitlines()
    )


@needs_openssl
def test_partner_checks_a_proof_by_hand(
    world: World, speaker: Callable[[Participant], Speaker], tmp_path: Path
) -> None:
    records = [world.session() for _ in range(5)]
    world.submit([*records, world.session(world.other_csp)])
    world.close()
    seals.seal_pending(world.env)
    asked = f"<sdrId>{records[4].sdr_id}</sdrId>"
    answer = speaker(world.cso).call("settlement", "GetProof", asked)
    script = _prepare(world, tmp_path)
    path = tmp_path / "answer.xml"
    path.write_bytes(answer.raw)

    done = _shell(script, tmp_path)

    assert done.returncode == 0, done.stderr
    assert records[4].sdr_id in done.stdout
    assert done.stdout.endswith("Verified OK\n")
    true = answer.required("signature").encode()
    path.write_bytes(answer.raw.replace(true, true[:20] + b"AAAA" + true[24:]))
    assert _shell(script, tmp_path).returncode != 0


@needs_tools
def test_auditor_checks_the_manifest_by_hand(world: World, tmp_path: Path) -> None:
    world.submit([world.session()])
    window_id = world.close().window.window_id
    bundles.write_bundle(world.env, window_id, tmp_path / "audit-bundle.zip")
    (tmp_path / "house.pem").write_text(seals.keys(world.env)[-1].pem, "ascii")

    done = _shell(block("auditors.rst", ".. code-block:: sh"), tmp_path)

    assert done.returncode == 0, done.stderr
    assert "Verified OK" in done.stdout
    digest = sha256((tmp_path / "bundle" / "sdrs.tsv").read_bytes()).hexdigest()
    assert digest in done.stdout
    assert digest in (tmp_path / "bundle" / "manifest.json").read_text()
