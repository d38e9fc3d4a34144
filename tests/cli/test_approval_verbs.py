"""The verbs on operators and approvals: who acts, and what is printed once."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.fixtures.verbs import value_of

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from typer.testing import Result

PASSWORDS = {"anna": "the password of anna", "ben": "the password of ben"}


@pytest.fixture
def two(run: Callable[..., Result]) -> Callable[..., Result]:
    """Let in two operators by the verb for it."""
    for name, password in PASSWORDS.items():
        added = run("operator", "add", name, "--password-stdin", text=f"{password}\n")
        assert added.exit_code == 0, added.output
    return run


def test_third_operator_is_asked_for_by_one_and_approved_by_another(
    two: Callable[..., Result],
) -> None:
    words = ("operator", "add", "cleo", "--operator", "anna")
    asked = two(*words, text=f"{PASSWORDS['anna']}\n")
    (waiting,) = value_of(two("--json", "approval", "list"))
    number = str(waiting["approval"])
    same = two(
        *("approval", "approve", number, "--operator", "anna"),
        text=f"{PASSWORDS['anna']}\n",
    )
    done = two(
        *("approval", "approve", number, "--operator", "ben"),
        text=f"{PASSWORDS['ben']}\n",
    )

    assert f"approval approve {number}" in asked.output
    assert (waiting["requested_by"], waiting["object"]) == ("anna", "cleo")
    assert same.exit_code == 1
    assert "APPROVAL_SAME" in same.output
    assert "cleo is an operator" in done.output
    assert value_of(two("--json", "approval", "list")) == []
    (row,) = value_of(two("--json", "approval", "list", "--all"))
    assert (row["state"], row["approved_by"]) == ("APPROVED", "ben")
    listed = value_of(two("--json", "operator", "list"))
    assert [one["status"] for one in listed] == ["ACTIVE"] * 3


def test_password_that_nobody_types_names_the_setting_for_its_file(
    two: Callable[..., Result],
) -> None:
    refused = two("operator", "disable", "ben", "--operator", "anna")

    assert refused.exit_code == 1
    assert "CLEARINGHOUSE_OPERATOR_PASSWORD_FILE" in refused.output


def test_password_may_stand_in_a_file(
    two: Callable[..., Result], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "password"
    file.write_text(f"{PASSWORDS['anna']}\n", encoding="utf-8")
    monkeypatch.setenv("CLEARINGHOUSE_OPERATOR_PASSWORD_FILE", str(file))

    shut = value_of(two("--json", "operator", "disable", "ben", "--operator", "anna"))
    wrong = two("operator", "disable", "anna", "--operator", "ben")
    file.unlink()
    missing = two("operator", "disable", "anna", "--operator", "anna")

    assert shut["status"] == "DISABLED"
    assert wrong.exit_code == 1
    assert "CH.LOGIN" in wrong.output
    assert missing.exit_code == 1
    assert str(file) in missing.output


def test_request_is_withdrawn(two: Callable[..., Result]) -> None:
    words = ("operator", "add", "cleo", "--operator", "anna")
    two(*words, text=f"{PASSWORDS['anna']}\n")

    taken_back = two(
        *("approval", "withdraw", "1", "--operator", "anna"),
        text=f"{PASSWORDS['anna']}\n",
    )

    assert "is withdrawn" in taken_back.output
    assert "Nothing waits" in two("approval", "list").output


def test_own_password_is_made_and_shown_once(two: Callable[..., Result]) -> None:
    words = ("--json", "operator", "password", "--operator", "anna")
    made = two(*words, text=f"{PASSWORDS['anna']}\n")

    old = two("operator", "disable", "ben", "--operator", "anna", text="old one\n")

    assert '"password"' in made.stdout
    assert PASSWORDS["anna"] not in made.output
    assert old.exit_code == 1
