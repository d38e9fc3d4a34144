"""Reconciliation of a window: a cent that is changed anywhere is found."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from sqlalchemy import text

from clearinghouse import codes
from clearinghouse.domain.errors import ClearingHouseError
from clearinghouse.services import ledger_export, reconciliation
from clearinghouse.storage import ledger
from tests.reports.test_beancount import read
from tests.services.payment_world import committed
from tests.services.run_world import RunWorld, make_run_world

if TYPE_CHECKING:
    from pathlib import Path

    from clearinghouse.services.environment import Environment
    from tests.fixtures.database import Site


@pytest.fixture
def four(env: Environment) -> RunWorld:
    return make_run_world(env)


def test_closed_window_agrees_in_every_way(four: RunWorld) -> None:
    four.close_with()

    report = reconciliation.of_window(four.env, 1)

    assert report.is_clean
    assert report.differences == ()


def test_window_that_is_open_or_unknown_is_refused(four: RunWorld) -> None:
    four.close_with()

    for window_id, code in ((2, codes.WINDOW_STATE), (404, codes.WINDOW_UNKNOWN)):
        with pytest.raises(ClearingHouseError) as caught:
            reconciliation.of_window(four.env, window_id)
        assert caught.value.code is code


def test_unknown_run_is_refused(four: RunWorld) -> None:
    with pytest.raises(ClearingHouseError) as caught:
        reconciliation.of_run(four.env, 9)

    assert caught.value.code is codes.RUN_UNKNOWN


def test_cent_that_somebody_changed_in_an_sdr_is_found(
    four: RunWorld, site: Site
) -> None:
    four.close_with()
    with site.superuser() as admin:
        admin.execute("SET session_replication_role = replica")
        admin.execute(
            "UPDATE clearing.sdr SET net_minor = net_minor + 1 "
            "WHERE sdr_no = (SELECT min(sdr_no) FROM clearing.sdr)"
        )

    report = reconciliation.of_window(four.env, 1)

    (found,) = report.differences
    assert found.left_minor == found.right_minor + 1
    assert not report.is_clean


@pytest.mark.clause("4.3-I3")
def test_exported_ledger_balances_and_is_the_databases(
    four: RunWorld, tmp_path: Path
) -> None:
    run_id = committed(four)
    four.pay(run_id)
    file = tmp_path / "ledger.beancount"

    count = ledger_export.export_beancount(four.env, file)

    sums, claimed, _ = read(file.read_text("utf-8"))
    with four.env.database.begin_read_only() as tx:
        balances = ledger.balances(tx)
        postings = tx.execute(text("SELECT count(*) FROM clearing.posting")).scalar()
    assert count == postings
    assert sums == claimed
    assert {key: int(-value * 100) for key, value in claimed.items()} == {
        (f"Liabilities:{name}", currency): minor
        for (name, currency), minor in balances.items()
    }
