"""The verbs on settlement and reports: what may be repeated, what is refused."""

from __future__ import annotations

import zlib
from decimal import Decimal
from typing import TYPE_CHECKING

import pytest

from clearinghouse.domain.sdrs import SdrStatus
from clearinghouse.reports import statement_csv
from clearinghouse.services import settlement
from tests.fixtures.verbs import value_of
from tests.services.sdr_world import make_world

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from typer.testing import Result

    from clearinghouse.services.environment import Environment
    from tests.fixtures.database import Site


def open_month(run: Callable[..., Result]) -> str:
    """Return the label of the open window, as a refused close names it."""
    refused = run("settlement", "close")
    assert refused.exit_code == 1
    assert "is not over" in refused.output
    return refused.output.split()[0]


def test_empty_window_closes_once_and_the_next_one_is_open(
    run: Callable[..., Result], tmp_path: Path
) -> None:
    words = ("settlement", "close", open_month(run))
    closed = value_of(run("--json", *words, "--next", "after"))
    again = run(*words)
    as_json = value_of(run("--json", *words))
    windows = value_of(run("--json", "settlement", "list"))
    folder = tmp_path / "reports"
    export = ("--json", "report", "export", closed["window"], str(folder))
    exported = value_of(run(*export))

    assert (closed["next"], closed["statements"]) == ("after", 0)
    assert again.exit_code == 0
    assert "closed already; nothing done" in again.output
    assert as_json["closed_before"] is True
    assert [row["state"] for row in windows] == ["OPEN", "CLOSED"]
    assert windows[1]["window_id"] == closed["window_id"]
    assert exported["files"] == []
    assert not folder.exists()


def test_only_a_month_that_is_over_closes_without_its_label(
    run: Callable[..., Result], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    month = open_month(run)
    clock = tmp_path / "clock"
    clock.write_text(str(31 * 24 * 3600), encoding="ascii")
    monkeypatch.setenv("CLEARINGHOUSE_CLOCK_FILE", str(clock))

    closed = value_of(run("--json", "settlement", "close"))
    refused = run("settlement", "close")

    assert closed["window"] == month
    assert refused.exit_code == 1
    assert f"{closed['next']} is not over" in refused.output


def test_window_that_never_was_cannot_be_closed(run: Callable[..., Result]) -> None:
    month = open_month(run)

    unknown = run("settlement", "close", "1999-12")
    itself = run("settlement", "close", month, "--next", month)
    too_long = run("settlement", "close", month, "--next", "x" * 65)
    unseen = run("settlement", "close", month, "--next", "2026\u202e-12")

    assert unknown.exit_code == 1
    assert f"{month} is open" in unknown.output
    assert itself.exit_code == 1
    assert "cannot follow itself" in itself.output
    assert too_long.exit_code == 1
    assert "64" in too_long.output
    assert unseen.exit_code == 1
    assert "no control or invisible characters" in unseen.output


def test_open_window_has_no_report(run: Callable[..., Result], tmp_path: Path) -> None:
    month = open_month(run)

    refused = run("report", "export", month, str(tmp_path / "reports"))

    assert refused.exit_code == 1
    assert f"settlement close {month}" in refused.output
    assert not (tmp_path / "reports").exists()


def test_statements_of_a_window_are_proved_to_be_what_was_issued(
    run: Callable[..., Result], env: Environment, monkeypatch: pytest.MonkeyPatch
) -> None:
    world = make_world(env)
    world.submit([world.session()])
    closed = world.close().window

    proved = value_of(run("--json", "report", "verify", closed.label))
    monkeypatch.delitem(statement_csv.COLUMNS, "rules")  # so they are written otherwise
    refused = run("report", "verify", closed.label)

    assert proved == {"window": closed.label, "statements": 2, "verified": True}
    assert refused.exit_code == 1
    year = f"{closed.closed_at:%Y}"
    assert refused.output.splitlines()[-2:] == [
        f"ST-{year}-000001: CSV is not what was issued",
        f"ST-{year}-000002: CSV is not what was issued",
    ]


@pytest.mark.parametrize(
    ("change", "told"),
    [
        (
            (
                "UPDATE clearing.statement_part SET content = %(forged)s"
                " WHERE format = 'CSV' AND statement_id LIKE '%%1'"
            ),
            "000001: CSV is kept otherwise than it was issued",
        ),
        (
            (
                "UPDATE clearing.statement_part SET content = 'no zlib'"
                " WHERE format = 'CSV' AND statement_id LIKE '%%1'"
            ),
            "000001: CSV is kept otherwise than it was issued",
        ),
        (
            (
                "DELETE FROM clearing.statement_part"
                " WHERE format = 'XML' AND statement_id LIKE '%%1'"
            ),
            "000001: XML is not what was issued",
        ),
        (
            (
                "UPDATE clearing.statement SET net_minor = net_minor + 1"
                " WHERE statement_id LIKE '%%2'"
            ),
            "000002: PROOF_FAILED: net is not receivable less payable",
        ),
    ],
)
def test_statement_that_was_tampered_with_is_named(
    run: Callable[..., Result], env: Environment, site: Site, change: str, told: str
) -> None:
    world = make_world(env)
    world.submit([world.session()])
    closed = world.close().window
    with site.superuser() as admin:
        admin.execute("SET session_replication_role = replica")
        forged = zlib.compress(b"lineNo,role\n1,FORGED\n")
        done = admin.execute(change.encode(), {"forged": forged})
        assert done.rowcount > 0

    refused = run("report", "verify", closed.label)

    assert refused.exit_code == 1
    assert f"ST-{closed.closed_at:%Y}-{told}" in refused.output


def test_statements_that_are_not_issued_yet_are_not_proved(
    run: Callable[..., Result], env: Environment
) -> None:
    world = make_world(env)
    world.submit([world.session()])
    closed = settlement.close_window(env, next_label="next")

    refused = run("report", "verify", closed.label)

    assert refused.exit_code == 1
    assert refused.output.count("XML was not issued") == 2


@pytest.mark.parametrize("form", [(), ("--json",)])
def test_folder_that_cannot_be_made_is_named(
    run: Callable[..., Result], env: Environment, tmp_path: Path, form: tuple[str, ...]
) -> None:
    world = make_world(env)
    world.submit([world.session()])
    closed = world.close().window
    in_the_way = tmp_path / "file"
    in_the_way.touch()

    refused = run(*form, "report", "export", closed.label, str(in_the_way / "below"))

    assert refused.exit_code == 1
    assert f"{in_the_way / 'below'}: Not a directory" in refused.output
    assert isinstance(refused.exception, SystemExit)


def test_unknown_window_has_no_report(run: Callable[..., Result]) -> None:
    for words in (("export", "never", "somewhere"), ("verify", "never")):
        refused = run("report", *words)

        assert refused.exit_code == 1
        assert "settlement list" in refused.output


@pytest.mark.parametrize(
    ("verb", "status", "net"),
    [("release", SdrStatus.ACCEPTED, "11.49"), ("reject", SdrStatus.REJECTED, None)],
)
def test_a_held_sdr_is_seen_decided_and_counted(
    run: Callable[..., Result],
    env: Environment,
    verb: str,
    status: SdrStatus,
    net: str | None,
) -> None:
    world = make_world(env)
    record = world.session(claimed_net=Decimal("20.00"))
    world.submit([record])

    (shown,) = value_of(run("--json", "sdr", "held"))
    windows = value_of(run("--json", "settlement", "list"))
    decided = value_of(run("--json", "sdr", verb, "CHREP", record.sdr_id))
    again = run("sdr", verb, "CHREP", record.sdr_id)
    closed = value_of(run("--json", "settlement", "close", "2026-11"))

    assert (shown["sdr"], shown["rated"], shown["claimed"]) == (
        record.sdr_id,
        "11.49",
        "20.00",
    )
    assert shown["why"].startswith("S-208 claimedNet: expected 11.49")
    assert windows[0]["held"] == 1
    assert decided["status"] == status.value
    assert again.exit_code == 1
    assert "not held" in again.output
    assert closed["held"] == 0
    assert [one["gross"] for one in closed["settlements"]] == ([net] if net else [])
    assert value_of(run("--json", "sdr", "held")) == []


def test_window_is_rated_again_and_nothing_differs(run: Callable[..., Result]) -> None:
    month = open_month(run)

    again = value_of(run("--json", "settlement", "rerate", month))
    unknown = run("settlement", "rerate", "1999-01")

    assert again == {"sdrs": 0, "different": 0, "differences": []}
    assert unknown.exit_code == 1
    assert "there is no window 1999-01" in unknown.output
