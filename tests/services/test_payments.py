"""Payments of runs: files for banks, and banks' statements that confirm them."""

from __future__ import annotations

from dataclasses import replace
from datetime import date
from typing import TYPE_CHECKING

import pytest
from lxml import etree

from clearinghouse import codes
from clearinghouse.domain.errors import ClearingHouseError
from clearinghouse.domain.payments import Mandate
from clearinghouse.domain.runs import RunState
from clearinghouse.services import (
    approvals,
    payments,
    reconciliation,
    settlement_runs,
)
from clearinghouse.services.approved_actions import EXECUTORS
from clearinghouse.services.payments import UNKNOWN
from clearinghouse.storage import bank_files
from tests.services.payment_world import (
    ACCOUNT,
    committed,
    make_entry,
    make_statement,
    open_accounts,
)
from tests.services.run_world import RunWorld, make_run_world

if TYPE_CHECKING:
    from pathlib import Path

    from clearinghouse.services.environment import Environment

ON = date(2026, 12, 2)
MANDATE = Mandate(
    mandate_id="M-7", signed_on=date(2026, 1, 2), creditor_id="DE98ZZZ09999999999"
)
COLLECTED = (
    make_entry("R1-DEBBB-1", 344_77, reference="B-1"),
    make_entry("R1-DEDDD-2", 22_24, reference="B-2"),
)
PAID_OUT = (
    make_entry("R1-DEAAA-3", 350_26, reference="B-3", is_credit=False),
    make_entry("R1-DECCC-4", 16_75, reference="B-4", is_credit=False),
)


@pytest.fixture
def four(env: Environment) -> RunWorld:
    return make_run_world(env)


def texts(path: Path, name: str) -> list[str | None]:
    """Return the texts of all elements of a name in a file."""
    return [found.text for found in etree.parse(path).getroot().iter(f"{{*}}{name}")]


def state_of(four: RunWorld, run_id: int) -> RunState:
    """Return where a run stands."""
    return settlement_runs.show(four.env, run_id).run.state


@pytest.mark.clause("4.3-I3")
def test_run_is_paid_by_files_and_settled_by_bank_statements(
    four: RunWorld, tmp_path: Path
) -> None:
    open_accounts(four.env)
    run_id = committed(four)

    collections = payments.export_files(four.env, run_id, tmp_path, execute_on=ON)
    taken = payments.take_in(four.env, make_statement(*COLLECTED))
    (pay_outs,) = payments.export_files(four.env, run_id, tmp_path, execute_on=ON)
    payments.take_in(four.env, make_statement(*PAID_OUT, statement_id="S-2"))

    assert [path.name for path in collections] == [
        "run-1-DEBBB-pain.001.xml",
        "run-1-DEDDD-pain.001.xml",
    ]
    assert texts(collections[0], "InstdAmt") == ["344.77"]
    assert texts(collections[0], "IBAN")[-1] == ACCOUNT
    assert pay_outs.name == "run-1-CHCLR-pain.001.xml"
    assert texts(pay_outs, "EndToEndId") == ["R1-DEAAA-3", "R1-DECCC-4"]
    assert texts(pay_outs, "CtrlSum") == ["367.01", "367.01"]
    assert texts(pay_outs, "Nm")[-1] == "Saeulen DECCC GmbH"
    assert taken.outcomes == {"EXACT": 2}
    assert state_of(four, run_id) is RunState.SETTLED
    found = reconciliation.of_run(four.env, run_id)
    assert [one.outcome.value for one in found.matches] == ["EXACT"] * 4
    assert found.broken == ()


def test_house_collects_by_mandate_and_others_pay_by_themselves(
    four: RunWorld, tmp_path: Path
) -> None:
    open_accounts(four.env)
    for party_id in ("DEBBB", "DEDDD"):
        asked = payments.request_mandate(four.env, four.anna, party_id, MANDATE)
        four.approve(asked)
    payments.take_mandate_back(four.env, "DEDDD")

    files = payments.export_files(four.env, committed(four), tmp_path, execute_on=ON)

    assert [path.name for path in files] == [
        "run-1-CHCLR-pain.008.xml",
        "run-1-DEDDD-pain.001.xml",
    ]
    assert texts(files[0], "MndtId") == ["M-7"]
    assert texts(files[0], "InstdAmt") == ["344.77"]


def test_files_written_again_have_the_same_bytes(
    four: RunWorld, tmp_path: Path
) -> None:
    open_accounts(four.env)
    run_id = committed(four)

    first, again = (
        [
            path.read_bytes()
            for path in payments.export_files(
                four.env, run_id, tmp_path / name, execute_on=ON
            )
        ]
        for name in ("first", "again")
    )
    another_day = payments.export_files(four.env, run_id, tmp_path / "later")

    assert first == again
    ids = {tuple(texts(path, "MsgId")) for path in another_day}
    assert not ids & {tuple(texts(p, "MsgId")) for p in (tmp_path / "first").iterdir()}


def test_everything_that_is_missing_is_told_and_no_file_is_written(
    four: RunWorld, tmp_path: Path
) -> None:
    open_accounts(four.env, "DEBBB", "CHCLR")
    run_id = committed(four)

    with pytest.raises(ClearingHouseError) as caught:
        payments.export_files(four.env, run_id, tmp_path / "files")

    assert caught.value.code is codes.UNPAYABLE
    assert "DEBBB: the IBAN in its billing profile" in caught.value.detail
    assert "CHCLR: the IBAN in its billing profile" in caught.value.detail
    assert not (tmp_path / "files").exists()


def test_run_that_is_not_committed_orders_nothing(
    four: RunWorld, tmp_path: Path
) -> None:
    four.close_with()
    run = four.propose()

    for run_id, code in ((run.run_id, codes.RUN_STATE), (9, codes.RUN_UNKNOWN)):
        with pytest.raises(ClearingHouseError) as caught:
            payments.export_files(four.env, run_id, tmp_path)
        assert caught.value.code is code


def test_same_statement_again_changes_nothing(four: RunWorld) -> None:
    committed(four)
    statement = make_statement(*COLLECTED)
    first = payments.take_in(four.env, statement)
    before = four.balances()

    again = payments.take_in(four.env, statement)

    assert (first.taken_before, again.taken_before) == (False, True)
    assert again.outcomes == first.outcomes == {"EXACT": 2}
    assert four.balances() == before


def test_statement_with_other_entries_under_its_number_is_refused(
    four: RunWorld,
) -> None:
    committed(four)
    payments.take_in(four.env, make_statement(*COLLECTED))
    before = four.balances()
    forged = COLLECTED[0]._replace(amount_minor=1)

    with pytest.raises(ClearingHouseError) as caught:
        payments.take_in(four.env, make_statement(forged, COLLECTED[1]))

    assert caught.value.code is codes.BANK_STATEMENT_CHANGED
    assert four.balances() == before


def test_statement_whose_work_was_cut_off_goes_on(four: RunWorld) -> None:
    committed(four)
    four.confirm("R1-DEBBB-1", 344_77, reference="S-1:B-1")

    taken = payments.take_in(four.env, make_statement(*COLLECTED))

    assert taken.outcomes == {"EXACT": 2}


def test_bank_that_pays_less_more_or_back_is_seen(four: RunWorld) -> None:
    run_id = committed(four)

    taken = payments.take_in(
        four.env,
        make_statement(
            make_entry("R1-DEBBB-1", 344_00, reference="B-1"),
            make_entry("R1-DEDDD-2", 23_00, reference="B-2"),
            make_entry("R1-DEBBB-1", 344_00, reference="B-3", is_credit=False),
            make_entry("", 5, reference="B-4"),
            make_entry("R1-DEDDD-2", 5, reference="B-5", currency="SEK"),
        ),
    )

    assert taken.outcomes == {"OVER": 1, "PARTIAL": 1, "RETURNED": 1, UNKNOWN: 2}
    found = reconciliation.of_run(four.env, run_id)
    outcomes = {one.end_to_end_id: one.outcome.value for one in found.matches[:4]}
    assert outcomes == {
        "R1-DEBBB-1": "RETURNED",
        "R1-DEDDD-2": "OVER",
        "R1-DEAAA-3": "MISSING",
        "R1-DECCC-4": "MISSING",
    }
    (stranger,) = reconciliation.strangers(four.env)
    assert stranger.reference == "B-4"


def test_mandate_is_for_a_participant_only_and_has_a_name(four: RunWorld) -> None:
    with pytest.raises(ClearingHouseError) as stranger:
        payments.request_mandate(four.env, four.anna, "DEXXX", MANDATE)
    unnamed = replace(MANDATE, mandate_id="")
    with pytest.raises(ClearingHouseError) as nothing:
        payments.request_mandate(four.env, four.anna, "DEBBB", unnamed)
    with pytest.raises(ClearingHouseError) as nobody:
        payments.take_mandate_back(four.env, "DEXXX")

    assert stranger.value.code is codes.UNKNOWN_PARTICIPANT
    assert nobody.value.code is codes.UNKNOWN_PARTICIPANT
    assert nothing.value.code is codes.SEMANTIC


def test_nobody_is_collected_from_before_a_second_operator_approved(
    four: RunWorld, tmp_path: Path
) -> None:
    open_accounts(four.env)
    run_id = committed(four)
    asked = payments.request_mandate(four.env, four.anna, "DEBBB", MANDATE)

    before = payments.export_files(four.env, run_id, tmp_path, execute_on=ON)
    with pytest.raises(ClearingHouseError) as alone:
        approvals.approve(four.env, four.anna, asked.approval_id, EXECUTORS)
    four.approve(asked)
    after = payments.export_files(four.env, run_id, tmp_path, execute_on=ON)

    assert alone.value.code is codes.APPROVAL_SAME
    assert not any("pain.008" in path.name for path in before)
    assert any("pain.008" in path.name for path in after)


def mandate_of(four: RunWorld, party_id: str) -> str | None:
    with four.env.database.begin_read_only() as tx:
        return bank_files.newest_mandate(tx, party_id)[1] or None


@pytest.mark.parametrize("newer", ["kept", "taken back"])
def test_older_request_brings_no_mandate_in_after_something_newer(
    four: RunWorld, newer: str
) -> None:
    asked = payments.request_mandate(four.env, four.anna, "DEBBB", MANDATE)
    other = replace(MANDATE, mandate_id="M-2")

    if newer == "kept":
        four.approve(payments.request_mandate(four.env, four.anna, "DEBBB", other))
    else:
        payments.take_mandate_back(four.env, "DEBBB")
    before = mandate_of(four, "DEBBB")
    with pytest.raises(ClearingHouseError) as caught:
        four.approve(asked)

    assert caught.value.code is codes.MANDATE_CHANGED
    (item,) = caught.value.items
    assert item.path == "mandateId"
    assert item.expected == "version 0: none"
    assert item.found == f"version 1: {'M-2' if newer == 'kept' else 'none'}"
    assert mandate_of(four, "DEBBB") == before
    four.approve(payments.request_mandate(four.env, four.anna, "DEBBB", MANDATE))
    assert mandate_of(four, "DEBBB") == MANDATE.mandate_id


def test_mandate_is_kept_under_one_form_of_the_participants_id(four: RunWorld) -> None:
    four.approve(payments.request_mandate(four.env, four.anna, "de*bbb", MANDATE))
    kept = mandate_of(four, "DEBBB")

    payments.take_mandate_back(four.env, "de-bbb")

    assert kept == MANDATE.mandate_id
    assert mandate_of(four, "DEBBB") is None


def test_mandates_of_the_parties_that_are_asked_for_are_read(four: RunWorld) -> None:
    for party in ("DEBBB", "DEDDD", "DECCC"):
        four.approve(payments.request_mandate(four.env, four.anna, party, MANDATE))
    newer = replace(MANDATE, mandate_id="M-2")
    four.approve(payments.request_mandate(four.env, four.anna, "DEBBB", newer))
    payments.take_mandate_back(four.env, "DECCC")

    with four.env.database.begin_read_only() as tx:
        found = bank_files.mandates(tx, ["DEBBB", "DECCC", "DEAAA"])

    assert found == {"DEBBB": newer}


@pytest.mark.parametrize(
    ("wrong", "path"),
    [
        ({"mandate_id": "M" * 36}, "mandateId"),
        ({"mandate_id": " "}, "mandateId"),
        ({"mandate_id": "M\n7"}, "mandateId"),
        ({"mandate_id": "M\u20ac7"}, "mandateId"),
        ({"creditor_id": "nobody"}, "creditorId"),
    ],
)
def test_mandate_that_no_bank_takes_is_refused_when_it_is_asked_for(
    four: RunWorld, wrong: dict[str, str], path: str
) -> None:
    mandate = replace(MANDATE, **wrong)  # type: ignore[arg-type]  # by the tests

    with pytest.raises(ClearingHouseError) as caught:
        payments.request_mandate(four.env, four.anna, "DEBBB", mandate)

    assert caught.value.code is codes.SEMANTIC
    assert [item.path for item in caught.value.items] == [path]
    assert approvals.newest(four.env) == ()
