"""The operator's verbs on billing profiles."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.fixtures.operators import PASSWORD, make_operators
from tests.fixtures.verbs import admit, value_of

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from typer.testing import Result

    from clearinghouse.services.environment import Environment

WORDS = (
    *("--legal-name", "Abc GmbH", "--street", "Weg 1", "--city", "Ulm"),
    *("--postcode", "89073", "--country", "DE", "--email", "ap@abc.example"),
    *("--vat-id", "DE 136 695 976", "--dealer", "--from", "2026-01-01"),
)


@pytest.fixture
def two(
    env: Environment, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> tuple[str, str]:
    """Let two operators in, whose password the setting's file holds; their options."""
    file = tmp_path / "password"
    file.write_text(f"{PASSWORD}\n", encoding="utf-8")
    monkeypatch.setenv("CLEARINGHOUSE_OPERATOR_PASSWORD_FILE", str(file))
    make_operators(env)
    return "--operator", "anna"


def approve(run: Callable[..., Result], asked: object) -> None:
    """Let the second operator approve what the first one asked for by a verb."""
    number = str(asked["approval"])  # type: ignore[index]  # what the verb gave
    value_of(run("--json", "approval", "approve", number, "--operator", "ben"))


def test_profile_is_set_shown_and_listed(
    run: Callable[..., Result], two: tuple[str, str]
) -> None:
    admit(run, "DEABC", "CSP")

    first = value_of(run("--json", "billing", "set", "DEABC", *WORDS))
    iban = ("--iban", "DE89 3704 0044 0532 0130 00", "--from", "2026-06-01")
    approve(run, value_of(run("--json", "billing", "set", "DEABC", *iban, *two)))
    shown = value_of(run("--json", "billing", "show", "DEABC"))
    listed = value_of(run("--json", "billing", "list"))

    assert (first["version"], first["valid_from"]) == (1, "2026-01-01")
    assert [row["iban"] for row in shown] == [None, "DE89370400440532013000"]
    assert [row["vat_id"] for row in shown] == ["DE136695976"] * 2
    assert {row["party"]: row["lacks"] for row in listed} == {
        "CHCLR": "billing profile",
        "DEABC": "",
    }


def test_wrong_numbers_are_refused_with_what_is_expected(
    run: Callable[..., Result],
) -> None:
    admit(run, "DEABC", "CSP")

    refused = run("billing", "set", "DEABC", *WORDS, "--iban", "DE00", "--bic", "X")

    assert refused.exit_code == 1
    assert "iban: expected" in refused.output
    assert "bic: expected" in refused.output
    assert run("billing", "show", "DEABC").exit_code == 1


def test_first_and_another_account_are_asked_for_and_approved_by_another_operator(
    run: Callable[..., Result], two: tuple[str, str]
) -> None:
    admit(run, "DEABC", "CSP")
    first = (*WORDS, "--iban", "DE89370400440532013000")
    other = ("--iban", "DE75512108001245126199")

    for words in (first, other):
        alone = run("billing", "set", "DEABC", *words)
        asked = value_of(run("--json", "billing", "set", "DEABC", *words, *two))
        approve(run, asked)

        assert alone.exit_code == 1
        assert "two operators" in alone.output

    shown = value_of(run("--json", "billing", "show", "DEABC"))
    assert [row["iban"] for row in shown] == [first[-1], other[-1]]
