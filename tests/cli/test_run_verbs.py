"""The verbs on settlement runs: an operator's whole month, and what is refused."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.fixtures.operators import PASSWORD
from tests.fixtures.verbs import value_of
from tests.services.run_world import make_run_world

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from typer.testing import Result

    from clearinghouse.services.environment import Environment
    from tests.services.run_world import RunWorld

ANNA = ("--operator", "anna")
BEN = ("--operator", "ben")


@pytest.fixture
def four(env: Environment, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> RunWorld:
    file = tmp_path / "password"
    file.write_text(f"{PASSWORD}\n", encoding="utf-8")
    monkeypatch.setenv("CLEARINGHOUSE_OPERATOR_PASSWORD_FILE", str(file))
    return make_run_world(env)


def test_operator_takes_a_closed_window_to_its_last_payment(
    four: RunWorld, run: Callable[..., Result]
) -> None:
    four.close_with()

    proposed = value_of(run("--json", "run", "propose", *ANNA))
    for step in ("record", "reserve", "commit"):
        value_of(run("--json", "run", step, "1", *ANNA))
    outcomes = []
    while due := value_of(run("--json", "run", "due", "1")):
        for place, one in enumerate(due):
            words = ("run", "confirm", one["end_to_end_id"], one["amount"])
            said = ("--reference", f"B-{place}", "--booked", "2026-11-30T08:00:00")
            outcomes.append(value_of(run("--json", *words, *said))["outcome"])

    shown = value_of(run("--json", "run", "show", "1"))
    assert proposed["moved"] == "367.01"
    assert outcomes == ["EXACT"] * 4
    assert shown["state"] == "SETTLED"
    assert {one["owner"]: one["net"] for one in shown["accounts"]} == {
        "DEAAA": "350.26",
        "DEBBB": "-344.77",
        "DECCC": "16.75",
        "DEDDD": "-22.24",
    }
    assert {one["state"] for one in shown["accounts"]} == {"SETTLED"}
    assert value_of(run("--json", "run", "prove", "1"))["proved"] is True
    (listed,) = value_of(run("--json", "run", "list"))
    assert listed["run"] == 1
    assert "R1-DEBBB-1" in run("run", "show", "1").output


def test_run_in_the_wrong_currency_says_which_one_waits(
    four: RunWorld, run: Callable[..., Result]
) -> None:
    nothing = run("run", "propose", *ANNA)
    four.close_with()
    other = run("run", "propose", "--currency", "CHF", *ANNA)
    again = run("run", "propose", "--currency", "CHF", *ANNA)

    assert "nothing in EUR nor in another currency" in nothing.output
    assert "run 1 would move 0.00 CHF" in other.output
    waits = "nobody owes anything in CHF; EUR waits: run propose --currency EUR"
    assert waits in other.output
    assert "not in CHF; what waits is in EUR" in again.output


def test_run_of_an_empty_window_sends_nobody_to_the_currency_that_it_has(
    four: RunWorld, run: Callable[..., Result]
) -> None:
    four.close_with()
    four.close()

    empty = run("run", "propose", "--window", "W-1", *ANNA)
    again = run("run", "propose", "--window", "W-1", *ANNA)
    four.close_with(currency="CHF")
    more = run("run", "propose", "--window", "W-1", *ANNA)

    assert "in its windows nobody owes anything in EUR" in empty.output
    assert "waits" not in empty.output
    told = " ".join(again.output.split())
    assert "what waits in EUR is of other windows, of parties left out, or" in told
    assert "--currency" not in told
    assert "more waits in CHF (--currency)" in " ".join(more.output.split())


def test_steps_of_a_run_name_the_next_one(
    four: RunWorld, run: Callable[..., Result], tmp_path: Path
) -> None:
    four.close_with()
    value_of(run("--json", "run", "propose", "--currency", "CHF", *ANNA))
    value_of(run("--json", "run", "record", "1", *ANNA))

    skipped = run("run", "commit", "1", *ANNA)
    early = run("payment", "export", "1", "--to", str(tmp_path))
    value_of(run("--json", "run", "reserve", "1", *ANNA))
    committed = run("run", "commit", "1", *ANNA)
    ended = run("run", "settle", "1", *ANNA)
    late = run("run", "record", "1", *ANNA)

    assert "is RECORDED, not to become COMMITTED: next is RESERVED" in skipped.output
    assert "run 1 is RECORDED: files are made once it is COMMITTED" in early.output
    assert "next: run settle, for no payment is due" in committed.output
    assert "run 1 is settled" in ended.output
    assert (
        "there is no run 9; see: clearinghouse run list"
        in run("run", "show", "9").output
    )
    assert late.exit_code in {0, 1}


def test_run_is_shown_with_headings(four: RunWorld, run: Callable[..., Result]) -> None:
    four.close_with()
    value_of(run("--json", "run", "propose", *ANNA))

    told = run("run", "show", "1").output.splitlines()

    heading = told[told.index("accounts") + 1]
    assert heading.split() == ["owner", "state", "receivable", "payable", "fee", "net"]
    assert any(line.startswith("proposed: 20") and line.endswith("Z") for line in told)
    assert "documents" not in told
    assert not any(line.endswith(": ") for line in told)


def test_unwind_is_asked_for_by_one_operator_and_approved_by_another(
    four: RunWorld, run: Callable[..., Result]
) -> None:
    four.close_with()
    value_of(run("--json", "run", "propose", *ANNA))

    words = ("run", "abort", "1", "--reason", "C cannot pay", "--exclude", "DECCC")
    asked = value_of(run("--json", *words, *ANNA))
    number = str(asked["approval"])
    same = run("approval", "approve", number, *ANNA)
    done = run("approval", "approve", number, *BEN)

    assert same.exit_code == 1
    assert "run 1 is aborted; run 2 instead" in done.output
    shown = value_of(run("--json", "run", "show", "2"))
    assert shown["excluded"] == {"DECCC": "C cannot pay"}
    assert {one["owner"]: one["net"] for one in shown["accounts"]} == {
        "DEAAA": "700.01",
        "DEBBB": "-677.77",
        "DEDDD": "-22.24",
    }
    first = value_of(run("--json", "run", "show", "1"))
    assert first["state"] == "ABORTED"
    assert first["history"][-1]["reason"] == "C cannot pay"


def test_what_cannot_be_done_is_refused_with_its_code(
    four: RunWorld, run: Callable[..., Result]
) -> None:
    assert "RUN_NOTHING" in run("run", "propose", *ANNA).output
    assert "RUN_UNKNOWN" in run("run", "show", "7").output
    four.close_with()
    value_of(run("--json", "run", "propose", "--model", "BILATERAL", *ANNA))
    early = run("run", "reverse", "1", "--reason", "none", *ANNA)
    netted = run("run", "propose", "--model", "BILATERAL", "--fees", "NETTED", *ANNA)
    said = ("--reference", "X", "--booked", "2026-11-30")
    half_cent = run("run", "confirm", "R1-DEAAA-1", "0.005", *said)
    half_back = run("run", "confirm", "R1-DEAAA-1", "-0.005", *said)
    no_rate = run("fx", "put", "SEK", "-1", "--day", "2026-11-20")
    nobody = run("run", "record", "1", "--operator", "carl")

    assert "RUN_STATE" in early.output
    assert "fees are netted by the multilateral model only" in netted.output
    assert half_cent.output.startswith("0.005: ")
    assert half_back.output.startswith("-0.005: ")
    assert "rate: expected above 0" in no_rate.output
    assert "CH.LOGIN" in nobody.output
    for refused in (early, netted, half_cent, half_back, no_rate, nobody):
        assert refused.exit_code == 1


@pytest.mark.parametrize(
    "case",
    [
        (None, (), "MULTILATERAL"),
        ("BILATERAL", (), "BILATERAL"),
        ("BILATERAL", ("--model", "MULTILATERAL"), "MULTILATERAL"),
        ("MULTILATERAL", ("--model", "BILATERAL"), "BILATERAL"),
    ],
)
def test_run_that_names_no_model_has_that_of_the_settings(
    four: RunWorld,
    run: Callable[..., Result],
    monkeypatch: pytest.MonkeyPatch,
    case: tuple[str | None, tuple[str, ...], str],
) -> None:
    setting, words, model = case
    if setting is not None:
        monkeypatch.setenv("CLEARINGHOUSE_SETTLEMENT_MODEL", setting)
    four.close_with()

    proposed = value_of(run("--json", "run", "propose", *words, *ANNA))

    moved = {"MULTILATERAL": "367.01", "BILATERAL": "1460.53"}
    assert (proposed["model"], proposed["moved"]) == (model, moved[model])
