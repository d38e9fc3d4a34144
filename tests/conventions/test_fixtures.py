"""The guards around every test do guard."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from tests.conventions.source import ROOT
from tests.fixtures.network import NetworkUseError

if TYPE_CHECKING:
    from pathlib import Path

# Set aside for documentation: nothing can be there.
ELSEWHERE = "192.0.2.1"
SKIPS_ITSELF = """
import pytest

def test_that_skips_itself():
    pytest.skip("a tool is missing")
"""


def test_connection_to_another_machine_is_refused() -> None:
    with socket.socket() as client, pytest.raises(NetworkUseError):
        client.connect((ELSEWHERE, 80))


def test_datagram_to_another_machine_is_refused() -> None:
    with (
        socket.socket(type=socket.SOCK_DGRAM) as client,
        pytest.raises(NetworkUseError),
    ):
        client.sendto(b"", (ELSEWHERE, 53))


def test_name_of_another_machine_is_not_looked_up() -> None:
    with pytest.raises(NetworkUseError):
        socket.getaddrinfo("roaming.example", 443)


def test_connection_on_this_machine_is_let_through() -> None:
    with (
        socket.create_server(("localhost", 0)) as server,
        socket.create_connection(server.getsockname()) as client,
    ):
        assert client.getpeername() == server.getsockname()


@pytest.mark.parametrize(("ci", "outcome"), [("true", "1 failed"), ("", "1 skipped")])
def test_test_that_skips_itself_fails_in_ci_only(
    tmp_path: Path, ci: str, outcome: str
) -> None:
    test = tmp_path / "test_sample.py"
    test.write_text(SKIPS_ITSELF, encoding="utf-8")

    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-p", "tests.fixtures.skips", str(test)],
        cwd=tmp_path,
        env={**os.environ, "CI": ci, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        check=False,
        text=True,
    )

    assert outcome in done.stdout
