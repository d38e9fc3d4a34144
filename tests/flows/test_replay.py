"""A real year through SOAP: the sums are those of the CSV, to the cent."""

from __future__ import annotations

import os
import shutil
import sys
from pathlib import Path

import pytest

from clearinghouse.cli.output import Output
from tests.fixtures.database import make_state_dir
from tests.replay.__main__ import differences, main, replay
from tests.replay.oracle import by_csp_and_month
from tests.replay.source import EVSES_FILE, SESSIONS_FILE

PLACE = Path(__file__).resolve().parents[2].parent / "shared" / "data"
SESSIONS = 5_729
EVSES = 982


def _folder() -> Path:
    """Return where the published files are; they are not part of the repository."""
    given = Path(os.environ.get("CLEARINGHOUSE_REAL_DATA", str(PLACE)))
    for name in (SESSIONS_FILE, EVSES_FILE):
        if not (given / name).is_file():
            pytest.skip(f"{name} is not there: name its folder in ..._REAL_DATA")
    return given


@pytest.mark.slow
@pytest.mark.timeout(900)
@pytest.mark.clause("4.3-I3", "3.12", "5-B2")
def test_a_real_year_settles_to_the_cent() -> None:
    state = make_state_dir()
    try:
        rows, run, uploaded = replay(_folder(), state / "var", Output(as_json=False))
    finally:
        shutil.rmtree(state, ignore_errors=True)

    assert len(rows) == SESSIONS
    assert differences(run.table, by_csp_and_month(rows)) == []
    assert uploaded.accepted + uploaded.refused == EVSES
    assert not uploaded.unexplained
    assert all(expected for _code, expected in uploaded.reasons)


def test_replay_names_the_files_that_are_not_there(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    (tmp_path / SESSIONS_FILE).touch()
    monkeypatch.setattr(sys, "argv", ["replay", str(tmp_path)])

    with pytest.raises(SystemExit) as ended:
        main()

    assert ended.value.code == 2
    said = " ".join(capsys.readouterr().err.split())
    assert f"{tmp_path} lacks {EVSES_FILE};" in said
