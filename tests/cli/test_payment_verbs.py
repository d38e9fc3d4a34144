"""Verbs on payments, the reconciliation and the ledger, over one database."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.cli.bank_files import Movement, camt053
from tests.fixtures.operators import PASSWORD
from tests.fixtures.verbs import value_of
from tests.services.payment_world import committed, open_accounts
from tests.services.run_world import RunWorld, make_run_world

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from typer.testing import Result

    from clearinghouse.services.environment import Environment

MANDATE = ("--signed-on", "2026-01-02", "--creditor-id", "DE98ZZZ09999999999")


@pytest.fixture
def four(env: Environment, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> RunWorld:
    file = tmp_path / "password"
    file.write_text(f"{PASSWORD}\n", encoding="utf-8")
    monkeypatch.setenv("CLEARINGHOUSE_OPERATOR_PASSWORD_FILE", str(file))
    return make_run_world(env)


def test_operator_orders_payments_and_takes_in_what_the_bank_says(
    four: RunWorld, run: Callable[..., Result], tmp_path: Path
) -> None:
    open_accounts(four.env)
    committed(four)
    mandate = ("payment", "mandate", "DEBBB", "M-7", *MANDATE, "--operator", "anna")
    number = str(value_of(run("--json", *mandate))["approval"])
    value_of(run("--json", "approval", "approve", number, "--operator", "ben"))
    words = ("payment", "export", "1", "--to", str(tmp_path / "files"))
    bank = tmp_path / "bank.xml"
    bank.write_bytes(
        camt053(
            [
                Movement("B-1", "R1-DEBBB-1", "344.77"),
                Movement("B-2", "R1-DEDDD-2", "22.24"),
                Movement("B-3", "NOTPROVIDED", "0.07"),
            ]
        )
    )

    files = value_of(run("--json", *words, "--on", "2026-12-02"))["files"]
    early = run("reconcile", "1")
    (taken,) = value_of(run("--json", "payment", "import", str(bank)))
    late = run("reconcile", "1")
    strangers = run("reconcile")

    assert [name.rpartition("/")[2] for name in files] == [
        "run-1-CHCLR-pain.008.xml",
        "run-1-DEDDD-pain.001.xml",
    ]
    assert taken["outcomes"] == ["EXACT=2", "UNKNOWN=1"]
    assert early.output.count("MISSING") == 4
    assert (late.output.count("EXACT"), late.output.count("MISSING")) == (2, 2)
    assert "0.07" in strangers.output
    assert [early.exit_code, late.exit_code, strangers.exit_code] == [1, 1, 1]


def test_window_that_agrees_ends_well(
    four: RunWorld, run: Callable[..., Result], tmp_path: Path
) -> None:
    four.close_with()

    window = run("reconcile", "2026-11")
    nothing = run("reconcile")
    unknown = run("reconcile", "never")
    exported = run("ledger", "export", "--to", str(tmp_path / "ledger.beancount"))

    assert window.exit_code == 0, window.output
    assert "agree" in window.output
    assert nothing.exit_code == 0
    assert unknown.exit_code == 1
    assert "no window and no run" in unknown.output
    assert "21 postings" in exported.output
    assert (tmp_path / "ledger.beancount").read_text("utf-8").startswith("option")


def test_file_that_is_no_bank_statement_is_refused_with_its_faults(
    run: Callable[..., Result], tmp_path: Path
) -> None:
    file = tmp_path / "bank.xml"
    file.write_bytes(camt053([Movement("B-1", "R1-DEBBB-1", "1.234")]))

    refused = run("payment", "import", str(file))
    missing = run("payment", "import", str(tmp_path / "none.xml"))

    assert (refused.exit_code, missing.exit_code) == (1, 1)
    assert "BANK_STATEMENT" in refused.output
    assert "Stmt[1]/Ntry[1]/Amt: expected at most 2 decimals" in refused.output
    assert "none.xml" in missing.output


def test_what_keeps_payments_from_sepa_is_listed(
    four: RunWorld, run: Callable[..., Result], tmp_path: Path
) -> None:
    committed(four)

    refused = run("payment", "export", "1", "--to", str(tmp_path))

    assert refused.exit_code == 1
    assert "UNPAYABLE" in refused.output
    assert "CHCLR: the IBAN in its billing profile" in refused.output
