"""The operator's verbs on who takes part: accounts, agreements, further ids, trail."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.fixtures.verbs import admit, value_of

if TYPE_CHECKING:
    from collections.abc import Callable

    from typer.testing import Result

PASSWORD = "correct horse battery"


@pytest.fixture
def account(run: Callable[..., Result]) -> str:
    """Admit a partner with a machine account; return its user name."""
    admit(run, "DEABC", "CSP")
    words = ("account", "add", "DEABC", "--username", "one", "--password-stdin")
    assert run(*words, text=PASSWORD + "\n").exit_code == 0
    return "one"


def test_disabled_account_is_shut_until_it_is_enabled(
    run: Callable[..., Result], account: str
) -> None:
    shut = value_of(run("--json", "account", "disable", account))
    (listed,) = value_of(run("--json", "account", "list", "DEABC"))
    opened = value_of(run("--json", "account", "enable", account))
    (again,) = value_of(run("--json", "account", "list"))

    assert shut == {"username": "one", "status": "DISABLED", "sessions_ended": 0}
    assert (listed["status"], listed["may_log_in"]) == ("DISABLED", False)
    assert opened["status"] == "ACTIVE"
    assert again["may_log_in"] is True


def test_new_password_is_printed_only_when_we_make_it(
    run: Callable[..., Result], account: str
) -> None:
    made = value_of(run("--json", "account", "password", account))
    given = run("account", "password", account, "--password-stdin", text=PASSWORD)

    assert len(made["password"]) > 20
    assert made["sessions_ended"] == 0
    assert given.exit_code == 0
    assert PASSWORD not in given.output


@pytest.mark.parametrize("verb", ["disable", "enable", "password"])
def test_unknown_account_is_refused_with_its_name(
    run: Callable[..., Result], verb: str
) -> None:
    refused = run("account", verb, "nobody")

    assert refused.exit_code == 1
    assert "nobody" in refused.output


def test_ended_agreement_ends_now_and_only_once(run: Callable[..., Result]) -> None:
    admit(run, "CHREP", "CSO")
    admit(run, "DEABC", "CSP")
    terms = ("--currency", "EUR", "--from", "2026-01-01")
    value_of(run("--json", "agreement", "add", "CHREP", "DEABC", *terms))

    other = run("agreement", "end", "CHREP", "DEABC", "--currency", "CHF")
    ended = value_of(run("--json", "agreement", "end", "CHREP", "DEABC"))["ended"]
    twice = run("agreement", "end", "CHREP", "DEABC")
    (listed,) = value_of(run("--json", "agreement", "list"))

    assert (other.exit_code, twice.exit_code) == (1, 1)
    assert [row["visited"] for row in ended] == ["CHREP"]
    assert ended[0]["until"] == listed["until"]
    assert listed["until"] is not None


def test_further_id_is_shown_with_its_partner(run: Callable[..., Result]) -> None:
    admit(run, "DEABC", "CSP")

    shown = value_of(run("--json", "participant", "alias", "DEABC", "NLTNM"))
    taken = run("participant", "alias", "DEABC", "NLTNM")

    assert shown["aliases"] == ["NLTNM"]
    assert taken.exit_code == 1
    assert "NLTNM is taken" in taken.output


def test_audit_trail_names_each_act_of_the_operator(
    run: Callable[..., Result], account: str
) -> None:
    run("account", "disable", account)
    run("participant", "suspend", "DEABC")

    newest = value_of(run("--json", "audit", "list", "--limit", "2"))
    words = ("--json", "audit", "list", "--before", str(newest[-1]["number"]))
    older = value_of(run(*words))

    assert [row["action"] for row in newest] == [
        "set suspended",
        "set account disabled",
    ]
    assert {row["actor"] for row in newest} == {"operator"}
    assert [row["object"] for row in older] == ["DEABC one", "DEABC"]


def test_empty_audit_trail_is_said_in_words(run: Callable[..., Result]) -> None:
    assert run("audit", "list").output.strip() == "Nothing was done yet."
