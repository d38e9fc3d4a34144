"""A demo goes on where an earlier one was cut off, at whatever moment that was."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any, cast
from uuid import UUID, uuid4

import pytest

from clearinghouse import codes
from clearinghouse.cli.demo import closing, notes, stories
from clearinghouse.cli.demo.crew import OPERATOR
from clearinghouse.cli.demo.players import Calendar, Player, Tally
from clearinghouse.cli.demo.world import PARTNERS
from clearinghouse.endpoint.errors import RefusedError
from clearinghouse.endpoint.messages.common import Result
from clearinghouse.services import settlement

if TYPE_CHECKING:
    from clearinghouse.services.environment import Environment


@dataclass
class _House:
    """Takes batches, and knows those that it took."""

    taken: int
    answer_code: int = codes.SDR_UNKNOWN.number
    submitted: list[int] = field(default_factory=list)

    def get_batch_status(self, sequence: int) -> object:
        if sequence > self.taken:
            raise RefusedError(
                Result(
                    code=self.answer_code,
                    text="no",
                    item=(),
                    retryable=False,
                    correlation_id=uuid4(),
                )
            )
        return object()

    def submit_sdrs(self, sequence: int, _records: object) -> object:
        self.submitted.append(sequence)
        self.taken = sequence
        return SimpleNamespace(accepted=1, refused=0, held=0)


def _player(folder: Path, house: _House) -> Player:
    return Player(
        partner=PARTNERS[0],
        house=cast("Any", house),
        notebook=folder / "notebook.json",
        calendar=Calendar(folder / "calendar.json"),
        run="1",
        tally=Tally(),
    )


@pytest.mark.parametrize("noted", [0, 3, 4])
def test_batch_whose_answer_was_not_noted_keeps_its_number(
    tmp_path: Path, noted: int
) -> None:
    house = _House(taken=4)
    if noted:
        notes.write(tmp_path / "notebook.json", {"sequence": noted})
    player = _player(tmp_path, house)

    player.submit([])
    player.submit([])

    assert house.submitted == [5, 6]
    assert notes.read(tmp_path / "notebook.json") == {"sequence": 6}


def test_other_refusal_is_not_taken_for_an_unknown_batch(tmp_path: Path) -> None:
    house = _House(taken=0, answer_code=codes.UNAVAILABLE.number)

    with pytest.raises(RefusedError):
        _player(tmp_path, house).submit([])


@dataclass
class _App:
    """A CSP's app: who starts and stops a session; cut off while it looks."""

    started: list[UUID] = field(default_factory=list)
    stopped: list[UUID] = field(default_factory=list)
    states: list[str] = field(default_factory=list)

    def start_session(
        self, _evse_id: str, _contract: str, *, message_id: UUID
    ) -> object:
        self.started.append(message_id)
        return SimpleNamespace(session_id=message_id)

    def stop_session(self, session_id: UUID) -> None:
        self.stopped.append(session_id)

    def get_session(self, _session_id: UUID) -> object:
        if not self.states:
            raise KeyboardInterrupt
        return SimpleNamespace(session=SimpleNamespace(state=self.states.pop(0)))


def test_remote_session_of_a_day_that_was_cut_off_is_stopped(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(stories, "ENERGY_SECONDS", 0)
    app = _App()
    stage = SimpleNamespace(
        folder=tmp_path,
        tally=Tally(),
        player=lambda _party: SimpleNamespace(house=app),
    )
    with pytest.raises(KeyboardInterrupt):
        stories.remote(cast("Any", stage))
    for _day in range(2):
        app.states = ["ACTIVE", "SDR_RECEIVED"]
        stories.remote(cast("Any", stage))

    cut_off, again, second, third = app.started
    assert cut_off == again
    assert app.stopped == [cut_off, second, third]
    assert len({cut_off, second, third}) == 3


def test_note_that_is_cut_off_leaves_the_one_before(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "calendar.json"
    notes.write(path, {"evse": "before"})

    def cut_off(self: Path, _text: str, **_how: object) -> int:
        self.write_bytes(b'{"ev')
        raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        patched.setattr(Path, "write_text", cut_off)
        with pytest.raises(KeyboardInterrupt):
            notes.write(path, {"evse": "after"})

    assert notes.read(path) == {"evse": "before"}
    notes.write(path, {"evse": "after"})
    assert notes.read(path) == {"evse": "after"}


def test_closing_that_was_cut_off_is_finished_before_the_days(
    env: Environment, tmp_path: Path
) -> None:
    settlement.ensure_window(env, "first")
    settlement._cut_over(env, "second")  # noqa: SLF001 -- then that run was cut off
    crew = SimpleNamespace(secrets={OPERATOR: "a password of the demo's"})
    stage = SimpleNamespace(env=env, folder=tmp_path, tally=Tally(), crew=crew)

    day = closing.close(cast("Any", stage), "again")

    assert day.folder.name == "second"
    assert settlement.windows(env)[0].label == "demo-again"
