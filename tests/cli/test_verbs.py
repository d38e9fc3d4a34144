"""The operator's verbs: one JSON value or a text, and errors that say what to do."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

from clearinghouse import __version__
from tests.fixtures.verbs import admit, value_of

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from typer.testing import Result

PASSWORD = "correct horse battery"


def test_admitted_partner_is_listed(run: Callable[..., Result]) -> None:
    admit(run, "DEABC", "CSO", "CSP")

    listed = value_of(run("--json", "participant", "list"))

    assert [(row["party"], row["roles"]) for row in listed] == [
        ("DEABC", ["CSO", "CSP"])
    ]


def test_admission_tells_all_faults_at_once(run: Callable[..., Result]) -> None:
    words = ("--name", "X", "--country", "de", "--role", "CSO", "--alias", "toolong")

    refused = run("participant", "add", "abc", *words)

    assert refused.exit_code == 1
    for path in ("partyId", "alias", "country"):
        assert path in refused.output


def test_taken_party_id_is_refused_with_its_name(run: Callable[..., Result]) -> None:
    admit(run, "DEABC", "CSO")

    words = ("--name", "Twin", "--country", "DE", "--role", "CSP")
    refused = run("participant", "add", "DEABC", *words)

    assert refused.exit_code == 1
    assert "DEABC is taken" in refused.output


def test_suspended_partner_takes_part_again_when_resumed(
    run: Callable[..., Result],
) -> None:
    admit(run, "DEABC", "CSO")

    suspended = value_of(run("--json", "participant", "suspend", "DEABC"))
    resumed = value_of(run("--json", "participant", "resume", "DEABC"))
    nobody = run("participant", "suspend", "DEXYZ")

    assert (suspended["status"], resumed["status"]) == ("SUSPENDED", "ACTIVE")
    assert nobody.exit_code == 1


def test_password_that_we_make_is_printed_once(run: Callable[..., Result]) -> None:
    admit(run, "DEABC", "CSO")

    made = value_of(run("--json", "account", "add", "DEABC", "--username", "one"))
    given = run(
        *("--json", "account", "add", "DEABC", "--username", "two"),
        "--password-stdin",
        text=PASSWORD + "\n",
    )

    assert len(made["password"]) > 20
    assert given.exit_code == 0
    assert PASSWORD not in given.output


def test_short_password_and_taken_user_name_are_refused(
    run: Callable[..., Result],
) -> None:
    admit(run, "DEABC", "CSO")
    words = ("account", "add", "DEABC", "--username", "one", "--password-stdin")

    short = run(*words, text="short\n")
    run(*words, text=PASSWORD + "\n")
    twice = run(*words, text=PASSWORD + "\n")

    assert (short.exit_code, twice.exit_code) == (1, 1)
    assert "12" in short.output
    assert "account password one" in twice.output


def test_agreement_binds_two_partners_and_gets_versions(
    run: Callable[..., Result],
) -> None:
    admit(run, "DEABC", "CSO")
    admit(run, "NLXYZ", "CSP")
    words = ("agreement", "add", "DEABC", "NLXYZ", "--currency", "EUR", "--from")

    value_of(run("--json", *words, "2026-01-01"))
    value_of(
        run("--json", *words, "2026-06-01", "--collects", "--signed-meter-required")
    )
    listed = value_of(run("--json", "agreement", "list"))
    wrong = run("agreement", "add", "NLXYZ", "DEABC", *words[4:], "2026-01-01")

    assert [row["version"] for row in listed] == [1, 2]
    assert [row["collects"] for row in listed] == [False, True]
    assert [row["signed_meter"] for row in listed] == [False, True]
    assert [row["terms"] for row in listed] == ["", ""]
    assert wrong.exit_code == 1
    assert "CSP" in wrong.output


def test_settings_are_shown_without_secrets(
    run: Callable[..., Result], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CLEARINGHOUSE_DATABASE_OWNER_URL", "postgresql://o:hidden@h/d")

    shown = run("--json", "config", "show")

    assert "hidden" not in shown.output
    assert "database_owner_url" in shown.output


def test_wrong_setting_is_named(
    run: Callable[..., Result], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CLEARINGHOUSE_PORT", "none")

    refused = run("config", "show")

    assert refused.exit_code == 3


@pytest.mark.parametrize("words", [("list", "list"), ("delivery", "list")])
def test_nothing_to_show_is_said_in_words(
    run: Callable[..., Result], words: tuple[str, ...]
) -> None:
    shown = run(*words)

    assert shown.exit_code == 0
    assert shown.output.strip().endswith(".")


def test_upgrade_of_an_upgraded_database_changes_nothing(
    run: Callable[..., Result],
) -> None:
    first = value_of(run("--json", "database", "upgrade"))
    second = value_of(run("--json", "database", "upgrade"))

    assert first["revision"] == second["revision"]
    assert second["roles_made"] == []


def test_doctor_finds_a_key_file_that_others_can_read(
    run: Callable[..., Result], tmp_path: Path
) -> None:
    key = tmp_path / "kek.key"
    key.write_bytes(b"0" * 32)
    key.chmod(0o644)

    found = run("doctor")

    assert found.exit_code == 1
    assert "chmod 600" in found.output.replace("\n", " ")


def test_json_may_be_asked_for_behind_the_verb(run: Callable[..., Result]) -> None:
    admit(run, "DEABC", "CSO")

    before = run("--json", "participant", "list")
    behind = run("participant", "list", "--json")

    assert value_of(behind) == value_of(before)
    assert run("participant", "list", "--", "--json").exit_code != 0


def test_what_is_piped_is_neither_cut_nor_boxed(run: Callable[..., Result]) -> None:
    piped = run("config", "explain")

    assert piped.exit_code == 0
    heading, *lines = piped.output.splitlines()
    assert heading.split() == ["setting", "variable", "default", "meaning"]
    place = heading.index("variable")
    assert any(
        line[place:].startswith("CLEARINGHOUSE_DATABASE_PRIVACY_URL ") for line in lines
    )


@pytest.mark.parametrize(
    "words",
    [
        ("--json", "participant", "lst"),
        ("nosuch", "--json"),
        ("--json",),
        ("--json", "participant"),
        ("--json", "--nosuch"),
        ("participant", "list", "--json", "--nosuch"),
        ("--json", "agreement", "end", "DEABC"),
    ],
)
def test_machines_are_told_of_a_slip_in_the_words_as_json(
    run: Callable[..., Result], words: tuple[str, ...]
) -> None:
    told = run(*words)

    assert told.exit_code == 2
    value = json.loads(told.stdout)
    assert value["code"] == "USAGE"
    assert value["error"]
    assert "\n" not in value["error"]


def test_people_are_told_of_a_slip_with_the_way_to_help(
    run: Callable[..., Result],
) -> None:
    told = run("participant", "lst")

    assert told.exit_code == 2
    assert "lst" in told.output
    assert "--help" in told.output


@pytest.mark.parametrize(
    ("words", "code"),
    [
        (("participant", "suspend", "DEXYZ"), "UNKNOWN_PARTICIPANT"),
        (("report", "export", "2026-11", "/proc/x"), "REFUSED"),
    ],
)
def test_refusal_has_a_word_and_one_line_for_machines(
    run: Callable[..., Result], words: tuple[str, ...], code: str
) -> None:
    told = run("--json", *words)

    assert told.exit_code == 1
    value = json.loads(told.stdout)
    assert value["code"] == code
    assert "\n" not in value["error"]


def test_machines_are_told_of_wrong_settings_as_json(
    run: Callable[..., Result], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CLEARINGHOUSE_PORT", "none")

    told = run("--json", "participant", "list")

    assert told.exit_code == 3
    value = json.loads(told.stdout)
    assert value["code"] == "SETTINGS"
    assert "port" in value["error"]


def test_version_is_json_for_machines(run: Callable[..., Result]) -> None:
    assert run("--version").stdout.strip() == __version__
    assert value_of(run("--json", "--version")) == {"version": __version__}
    assert value_of(run("--version", "--json")) == {"version": __version__}


def test_lists_tell_instants_in_one_form(run: Callable[..., Result]) -> None:
    admit(run, "DEABC", "CSO")
    admit(run, "NLXYZ", "CSP")
    words = ("agreement", "add", "DEABC", "NLXYZ", "--currency", "EUR")
    run(*words, "--from", "2026-01-01", "--until", "2027-01-01T06:00:00")

    (agreed,) = value_of(run("--json", "agreement", "list"))
    trail = value_of(run("--json", "audit", "list"))

    assert (agreed["from"], agreed["until"]) == (
        "2026-01-01T00:00:00Z",
        "2027-01-01T06:00:00Z",
    )
    assert {row["at"][-1] for row in trail} == {"Z"}


def test_agreement_says_the_next_step_and_the_names_of_its_terms(
    run: Callable[..., Result],
) -> None:
    admit(run, "DEABC", "CSO")
    admit(run, "NLXYZ", "CSP")
    words = ("agreement", "add", "DEABC", "NLXYZ", "--currency", "EUR")

    added = run(*words, "--from", "2026-01-01")
    shown = run("agreement", "add", "--help")

    assert "next: both connect" in added.output
    assert "late_limit_days" in shown.output
    assert "overlap_seconds_max" in shown.output
