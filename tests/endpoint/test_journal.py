"""The journal takes each entry once and survives a kill at any byte."""

from __future__ import annotations

from pathlib import Path

import pytest

from clearinghouse.endpoint import journal
from clearinghouse.endpoint.journal import Journal, JournalFullError

SDR = {"kind": "sdr", "id": "FRA23/1"}
OTHER = {"kind": "sdr", "id": "FRA23/2"}


def test_takes_each_entry_once(tmp_path: Path) -> None:
    kept = Journal(tmp_path / "journal.jsonl")

    assert kept.append([SDR, {**SDR, "kind": "decision"}]) != []
    assert kept.append([SDR, OTHER]) == [OTHER]

    assert kept.entries("sdr") == [SDR, OTHER]
    kept.close()


def test_gives_everything_back_after_a_restart(tmp_path: Path) -> None:
    path = tmp_path / "folder" / "journal.jsonl"
    before = Journal(path)
    before.append([SDR, OTHER])
    before.close()

    after = Journal(path)

    assert after.entries("sdr") == [SDR, OTHER]
    assert after.find("sdr", "FRA23/1") == SDR
    assert after.append([SDR]) == []
    after.close()


def test_forgets_a_line_that_a_kill_cut_off(tmp_path: Path) -> None:
    path = tmp_path / "journal.jsonl"
    before = Journal(path)
    before.append([SDR, OTHER])
    before.close()
    whole = path.read_bytes()

    for length in range(len(whole) + 1):
        path.write_bytes(whole[:length])
        after = Journal(path)
        again = after.append([SDR, OTHER])
        assert len(again) == 2 - whole[:length].count(b"\n")
        after.close()
        assert path.read_bytes() == whole


def test_refuses_to_become_a_database(tmp_path: Path) -> None:
    kept = Journal(tmp_path / "journal.jsonl")
    many = [{"kind": "n", "id": str(n)} for n in range(journal.ENTRIES_MAX + 1)]

    with pytest.raises(JournalFullError):
        kept.append(many)

    assert kept.entries("n") == []
    kept.close()
