"""What verbs print on a terminal, in a pipe, and for machines."""

from __future__ import annotations

import json
import os
import sys
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import pytest

from clearinghouse.cli.output import Output

if TYPE_CHECKING:
    from collections.abc import Callable

ROWS = [
    {
        "party": "DEABC",
        "roles": ["CSO", "CSP"],
        "last_heartbeat": datetime(2026, 11, 23, 1, 2, 3, 456, tzinfo=UTC),
        "endpoint": None,
    }
]


@pytest.fixture
def shown(monkeypatch: pytest.MonkeyPatch) -> Callable[[int], str]:
    """Give a function that prints on a terminal as wide as it is told."""

    def show(columns: int) -> str:
        ours, theirs = os.openpty()
        monkeypatch.setenv("COLUMNS", str(columns))
        with os.fdopen(theirs, "w") as terminal, monkeypatch.context() as patched:
            patched.setattr(sys, "stdout", terminal)
            Output(as_json=False).rows("Partners", ROWS, empty="none")
            terminal.flush()
            text = os.read(ours, 65_536).decode()
        os.close(ours)
        return text.replace("\r\n", "\n")

    return show


def test_wide_terminal_gets_a_table(shown: Callable[[int], str]) -> None:
    text = shown(100)

    assert "Partners" in text
    assert "last heartbeat" in text
    assert "2026-11-23T01:02:03Z" in text
    assert "CSO CSP" in text


def test_narrow_terminal_gets_a_block_for_each_row(shown: Callable[[int], str]) -> None:
    assert shown(40).splitlines() == [
        "party: DEABC",
        "roles: CSO CSP",
        "last heartbeat: 2026-11-23T01:02:03Z",
        "endpoint: ",
    ]


def test_machines_get_lists_and_instants_under_plain_keys(
    capsys: pytest.CaptureFixture[str],
) -> None:
    Output(as_json=True).rows("Partners", ROWS, empty="none")

    assert json.loads(capsys.readouterr().out) == [
        {
            "party": "DEABC",
            "roles": ["CSO", "CSP"],
            "last_heartbeat": "2026-11-23T01:02:03Z",
            "endpoint": None,
        }
    ]
