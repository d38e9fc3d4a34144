"""The operator's verbs on billing profiles."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tests.fixtures.operators import PASSWORD, make_operators
from tests.fixtures.verbs import admit, value_of

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    import pytest
    from typer.testing import Result

    from clearinghouse.services.environment import Environment

WORDS = (
    *("--legal-name", "Abc GmbH", "--street", "Weg 1", "--city", "Ulm"),
    *("--postcode", "89073", "--country", "DE", "--email", "ap@abc.example"),
    *("--vat-id", "DE 136 695 976", "--dealer", "--from", "2026-01-01"),
)


def test_profile_is_set_shown_and_listed(run: Callable[..., Result]) -> None:
    admit(run, "DEABC", "CSP")

    first = value_of(run("--json", "billing", "set", "DEABC", *WORDS))
    iban = ("--iban", "DE89 3704 0044 0532 0130 00", "--from", "2026-06-01")
    value_of(run("--json", "billing", "set", "DEABC", *iban))
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


def test_another_account_is_asked_for_and_approved_by_another_operator(
    run: Callable[..., Result],
    env: Environment,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    file = tmp_path / "password"
    file.write_text(f"{PASSWORD}\n", encoding="utf-8")
    monkeypatch.setenv("CLEARINGHOUSE_OPERATOR_PASSWORD_FILE", str(file))
    make_operators(env)
    admit(run, "DEABC", "CSP")
    first = ("--iban", "DE89370400440532013000")
    other = ("--iban", "DE75512108001245126199")
    value_of(run("--json", "billing", "set", "DEABC", *WORDS, *first))

    alone = run("billing", "set", "DEABC", *other)
    words = ("billing", "set", "DEABC", *other, "--operator", "anna")
    asked = value_of(run("--json", *words))
    number = str(asked["approval"])
    value_of(run("--json", "approval", "approve", number, "--operator", "ben"))
    shown = value_of(run("--json", "billing", "show", "DEABC"))

    assert alone.exit_code == 1
    assert "two operators" in alone.output
    assert [row["iban"] for row in shown] == [first[1], other[1]]
