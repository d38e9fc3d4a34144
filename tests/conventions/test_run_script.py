"""The script ``run``: which state it means, and what it says of a Python."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

import pytest

from tests.conventions.source import ROOT

SAYS_STATE = '#!/bin/sh\nprintf "%s\\n" "${CLEARINGHOUSE_STATE_DIR:-none}"\n'


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    """Make a checkout whose environment is there already, and says where state is."""
    folder = tmp_path / "checkout"
    programs = folder / ".venv" / "bin"
    programs.mkdir(parents=True)
    (folder / "deploy").mkdir()
    for name in ("run", "setup.cfg", "pyproject.toml", "deploy/constraints.txt"):
        shutil.copy(ROOT / name, folder / name)
    for name, text in {"python": "#!/bin/sh\n", "clearinghouse": SAYS_STATE}.items():
        (programs / name).write_text(text, encoding="ascii")
        (programs / name).chmod(0o755)
    return folder


def _run(
    checkout: Path, *words: str, at: Path, **variables: str
) -> subprocess.CompletedProcess[str]:
    kept = {
        name: value
        for name, value in os.environ.items()
        if not name.startswith(("CLEARINGHOUSE", "PYTHON"))
    }
    return subprocess.run(
        [checkout / "run", *words],
        cwd=at,
        env=kept | {"PATH": "/usr/bin:/bin"} | variables,
        capture_output=True,
        check=False,
        text=True,
    )


def test_state_is_the_checkouts_wherever_one_stands(
    checkout: Path, tmp_path: Path
) -> None:
    for place in (checkout, tmp_path):
        done = _run(checkout, "participant", "list", at=place)
        assert done.stdout == f"{checkout}/var\n", done.stderr


def test_settings_of_ones_own_decide_where_the_state_is(
    checkout: Path, tmp_path: Path
) -> None:
    named = _run(checkout, "doctor", at=tmp_path, CLEARINGHOUSE_STATE_DIR="/here")
    other = _run(checkout, "doctor", at=tmp_path, CLEARINGHOUSE_CONFIG="/etc/c.toml")
    (tmp_path / "clearinghouse.toml").touch()
    file = _run(checkout, "doctor", at=tmp_path)

    assert named.stdout == "/here\n"
    assert (other.stdout, file.stdout) == ("none\n", "none\n")


def test_python_that_is_passed_over_is_named(checkout: Path, tmp_path: Path) -> None:
    _run(checkout, "doctor", at=tmp_path)  # what is installed is noted
    again = _run(checkout, "doctor", at=tmp_path, PYTHON="python3.11")
    shutil.rmtree(checkout / ".venv")
    absent = _run(checkout, "doctor", at=tmp_path, PYTHON="/nope")

    assert "PYTHON is not looked at" in again.stderr
    assert again.stdout == f"{checkout}/var\n"
    assert absent.returncode == 1
    assert "PYTHON=/nope" in absent.stderr
