"""Disputed amounts in the ledger: aside while a dispute runs, back when it ends."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from clearinghouse.domain.agreements import Terms
from clearinghouse.services import balances, bundles, disputes, ledger_export, seals
from clearinghouse.storage import ledger
from clearinghouse.verify.bundle import verify
from tests.fixtures.two_sides import (
    BOTH,
    CARRIED,
    DAY,
    RESERVE,
    SILENCES,
    WAYS,
    Stage,
    within,
)
from tests.reports.test_beancount import read

if TYPE_CHECKING:
    from pathlib import Path

    from tests.fixtures.database import Site

_GETS, _OWES = ("P:CHREP:SUSP", "EUR"), ("P:DEABC:SUSP", "EUR")


def _aside(stage: Stage) -> dict[str, int]:
    """Return what stands in suspense; nothing may stand in RECV and PAY beside it."""
    with stage.world.env.database.begin_read_only() as tx:
        found = ledger.balances(tx)
    standing = {
        name: minor
        for (name, _), minor in found.items()
        if minor and not name.endswith("POS")
    }
    assert all(name.endswith("SUSP") for name in standing), standing
    return standing


def _keys(stage: Stage) -> list[str]:
    with stage.world.env.database.begin_read_only() as tx:
        return [
            one.posting_key
            for batch in ledger.entries(tx)
            for one in batch
            if one.posting_key.startswith("D")
        ]


def _is_proved(stage: Stage) -> bool:
    balances.snapshot(stage.world.env)
    return balances.verify(stage.world.env).differences == ()


_HELD = {_GETS[0]: 1149, _OWES[0]: -1149}


@BOTH
@pytest.mark.parametrize("name", WAYS)
@pytest.mark.clause("4.3-I3")
def test_disputed_amount_is_in_suspense_until_the_dispute_ends(
    made: Any,  # noqa: ANN401 - a maker
    terms: Terms,
    name: str,
) -> None:
    stage: Stage = made(terms)
    more, steps, _, owed = WAYS[name]

    dispute_id = stage.opened(more)
    begun, proved = _aside(stage), _is_proved(stage)
    stage.plays(dispute_id, steps)

    assert begun == _HELD
    assert proved
    assert _aside(stage) == ({} if owed else _HELD)
    assert _is_proved(stage)
    ways = ["HOLD", "HOLD-ACCEPT", "HOLD-OWED"]
    ways += ["RELEASE", "RELEASE-ACCEPT", "RELEASE-OWED"] if owed else []
    assert sorted(_keys(stage)) == [f"D{dispute_id}:{way}" for way in ways]


@BOTH
@pytest.mark.parametrize("name", SILENCES)
def test_silence_releases_what_is_in_suspense(
    made: Any,  # noqa: ANN401 - a maker
    terms: Terms,
    name: str,
) -> None:
    stage: Stage = made(terms)
    more, steps, days, state, owed = SILENCES[name]
    dispute_id = stage.opened(more)
    stage.plays(dispute_id, steps)

    stage.clock.forward(seconds=days * DAY)
    disputes.end_due(stage.world.env)

    assert stage.state(dispute_id) == state
    assert _aside(stage) == ({} if owed else _HELD)
    assert _is_proved(stage)


@pytest.mark.parametrize(
    ("terms", "over_the_close"),
    [(RESERVE, {}), (CARRIED, _HELD)],
    ids=["reserve", "carried"],
)
@pytest.mark.parametrize("outcome", ["ACCEPT", "WITHDRAW"])
def test_close_takes_out_of_suspense_what_it_counts_and_nothing_else(
    made: Any,  # noqa: ANN401 - a maker
    terms: Terms,
    over_the_close: dict[str, int],
    outcome: str,
) -> None:
    stage: Stage = made(terms)
    dispute_id = stage.opened()
    stage.world.close("2026-12")
    after_close, proved = _aside(stage), _is_proved(stage)

    side = stage.cso if outcome == "ACCEPT" else stage.csp
    answer = stage.says(side, dispute_id, outcome)

    assert answer.code == 0, answer.raw
    assert after_close == over_the_close
    assert proved
    assert _aside(stage) == {}
    assert len(_keys(stage)) == 6
    stage.world.close("2027-01")
    assert _aside(stage) == {}
    assert _is_proved(stage)


def test_what_a_closed_window_counts_is_not_put_aside_again(stage: Stage) -> None:
    stage.world.close("2026-12")

    dispute_id = stage.opened()

    assert _keys(stage) == []
    answer = stage.says(stage.cso, dispute_id, "ACCEPT")
    assert within(answer, "dispute", "state") == "UPHELD_CSP"
    assert _keys(stage) == []
    assert _is_proved(stage)


def test_repeated_message_puts_nothing_aside_twice(stage: Stage) -> None:
    dispute_id = stage.opened()

    again = stage.dispute()

    assert again.code == 671, again.raw
    assert _aside(stage) == _HELD
    assert len(_keys(stage)) == 3
    assert stage.state(dispute_id) == "OPEN"


@pytest.mark.parametrize(
    "forgery",
    [
        "DELETE FROM clearing.posting WHERE code = 'RELEASE-OWED'",
        "UPDATE clearing.posting SET amount_minor = 1 WHERE code LIKE 'HOLD%'",
        "UPDATE clearing.posting SET credit_account = 'P:CHOTH:SUSP' WHERE code='HOLD'",
        "UPDATE clearing.dispute SET ended_at=NULL, due_at=now(), agreed_minor=NULL",
    ],
)
def test_ledger_verify_names_what_stands_in_suspense_and_should_not(
    made: Any,  # noqa: ANN401 - a maker
    site: Site,
    forgery: str,
) -> None:
    stage: Stage = made(CARRIED)
    dispute_id = stage.opened()
    assert stage.says(stage.cso, dispute_id, "ACCEPT").code == 0
    with site.superuser() as admin:
        admin.execute("SET session_replication_role = replica")
        admin.execute(forgery.encode())

    found = balances.verify(stage.world.env).differences

    assert any(f"D{dispute_id}:" in one for one in found), found


@BOTH
def test_bundle_and_beancount_hold_with_disputes(
    made: Any,  # noqa: ANN401 - a maker
    terms: Terms,
    tmp_path: Path,
) -> None:
    stage: Stage = made(terms)
    env = stage.world.env
    stage.opened()
    stage.submit()
    window_id = stage.world.close("2026-12").window.window_id
    path, key = tmp_path / "bundle.zip", tmp_path / "public.pem"
    text = tmp_path / "ledger.beancount"

    bundles.write_bundle(env, window_id, path)
    key.write_text(seals.keys(env)[-1].pem, encoding="ascii")
    told = verify(path, key).told
    ledger_export.export_beancount(env, text)

    assert not told, "\n".join(map(str, told))
    sums, claimed, opened = read(text.read_text("utf-8"))
    assert sums == claimed
    assert (f"Liabilities:{_GETS[0]}", "EUR") in opened
