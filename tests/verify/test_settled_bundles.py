"""Settlement runs in a bundle: fees, conversions, payments and postings are proved."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from clearinghouse.domain import runs
from clearinghouse.domain.runs import Applied, FeeMode, Model, RunState, apply
from clearinghouse.services import invoices, run_payments, run_undoing
from tests.verify.finding import Forgery, require_found, told_of
from tests.verify.forging import Forged, adding, putting
from tests.verify.worlds import Made, bundle_of, make_settled_world, reverse

if TYPE_CHECKING:
    from pathlib import Path

    from clearinghouse.services.environment import Environment

#: A bundle is made once and forged many times.
_MADE: dict[str, Made] = {}


@pytest.fixture
def made(request: pytest.FixtureRequest, tmp_path: Path) -> Made:
    if "bundle" not in _MADE:
        four, window_id = make_settled_world(request.getfixturevalue("env"))
        invoices.issue_pending(four.env)
        _MADE["bundle"] = bundle_of(four.env, window_id, tmp_path)
    return _MADE["bundle"]


def test_bundle_of_a_window_that_was_settled_is_proved(
    made: Made, tmp_path: Path
) -> None:
    forged = Forged.open(made.content)

    assert told_of(made, forged, tmp_path)[1].endswith("all is proved\n")

    codes = {line[-1] for line in forged.files["runpostings.tsv"][1:]}
    assert {"FEE", "FEE-VAT", "FX-IN-DEBTOR", "FX-RESIDUE", "PAY-IN"} <= codes
    assert len(forged.files["feedocuments.tsv"]) == 4
    issued = {(line[0], line[1]) for line in forged.files["renderings.tsv"][1:]}
    assert {("IN-CHCLR-2026-000001", one) for one in ("CII", "PDF", "UBL")} <= issued


def test_bundle_of_a_run_that_was_reversed_is_proved(
    env: Environment, tmp_path: Path
) -> None:
    four, window_id = make_settled_world(env)
    reverse(four, 1)
    made = bundle_of(env, window_id, tmp_path)
    forged = Forged.open(made.content)

    assert told_of(made, forged, tmp_path)[1].endswith("all is proved\n")

    assert "MIRROR" in {line[-1] for line in forged.files["runpostings.tsv"][1:]}


def test_bundle_is_proved_where_money_came_twice_and_went_back(
    env: Environment, tmp_path: Path
) -> None:
    four, window_id = make_settled_world(env)
    four.approve(run_undoing.ask_reverse(env, four.anna, 1, reason="wrong"))
    four.advance(2)
    first = run_payments.due_payments(env, 2)[0]
    key, minor = first.transfer.end_to_end_id, first.open_minor
    said = [four.confirm(key, one) for one in (minor + 5_00, -5_00, -minor)]
    four.pay(2)
    made = bundle_of(env, window_id, tmp_path)

    code, told = told_of(made, Forged.open(made.content), tmp_path)

    assert [one.posted_minor for one in said] == [minor, 0, -minor]
    assert code == 0, told


def test_return_that_was_posted_by_the_rule_of_before_is_proved_if_it_says_so(
    env: Environment, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    four, window_id = make_settled_world(env)
    four.approve(run_undoing.ask_reverse(env, four.anna, 1, reason="wrong"))
    four.advance(2)

    def as_before(state: RunState, *given: int, unposted_minor: int = 0) -> Applied:
        assert unposted_minor >= 0
        return apply(state, *given)

    monkeypatch.setattr(runs, "apply", as_before)
    first = run_payments.due_payments(env, 2)[0]
    key, minor = first.transfer.end_to_end_id, first.open_minor
    said = [four.confirm(key, one) for one in (minor + 5_00, -5_00)]
    four.pay(2)
    made = bundle_of(env, window_id, tmp_path)
    private = made.signer.key()
    forged = Forged.open(made.content)
    line = forged.find("confirmations.tsv", "outcome", "RETURNED")
    assert [one.posted_minor for one in said] == [minor, -5_00]

    told = told_of(made, forged, tmp_path)[1]
    assert told.startswith(f"confirmations.tsv line {line + 1}, {key} 2"), told

    for rule in ("", "x", "3"):
        forged.set("confirmations.tsv", line, "returnRule", rule)
        forged.list(private)
        told = told_of(made, forged, tmp_path)[1]
        place = f"confirmations.tsv line {line + 1}, {key} 2"
        assert f"{place}: expected" in told
        named = f"{place} returnRule: expected 1 or 2, found {rule or 'nothing'};"
        assert named in told

    forged.set("confirmations.tsv", line, "returnRule", 1)
    forged.list(private)
    assert told_of(made, forged, tmp_path)[1].endswith("all is proved\n")


@pytest.mark.parametrize(
    ("model", "mode"),
    [
        (Model.MULTILATERAL, FeeMode.APART),
        (Model.BILATERAL, FeeMode.APART),
        (Model.BILATERAL, FeeMode.NONE),
    ],
)
def test_bundle_is_proved_whatever_the_model_of_the_run(
    model: Model, mode: FeeMode, env: Environment, tmp_path: Path
) -> None:
    four, window_id = make_settled_world(env, model, mode)
    made = bundle_of(four.env, window_id, tmp_path)

    code, told = told_of(made, Forged.open(made.content), tmp_path)

    assert code == 0, told


def _fee_everywhere(forged: Forged) -> None:
    """Charge a fee one unit higher, in the run's fees, debts, accounts and postings."""
    for name, field, value, changed in (
        ("runfees.tsv", "partyId", "DEABC", "netMinor"),
        ("feedocuments.tsv", "partyId", "DEABC", "netMinor"),
        ("rundebts.tsv", "debtor", "DEABC", "amountMinor"),
        ("runaccounts.tsv", "owner", "DEABC", "feeMinor"),
        ("runpostings.tsv", "postingKey", "R1:FEE-DEABC:FEE", "amountMinor"),
    ):
        forged.add(name, forged.find(name, field, value), changed, 1)


def _no_posting(forged: Forged) -> None:
    line = forged.find("runpostings.tsv", "postingKey", "R1:FEE-DEABC:FEE-VAT")
    forged.drop("runpostings.tsv", line)


#: What the operator changes, who holds the key and signs anew; the place that is named.
FORGERIES: dict[str, Forgery] = {
    "rate of exchange": (
        adding("rates.tsv", "currency", "SEK", "rateMicro", 50_000),
        "conversions.tsv line 2, run 1 SEONE owes CHREP SEK toMinor",
    ),
    "rate that came later": (
        putting("rates.tsv", "currency", "SEK", "createdAt", "2027-01-01T00:00:00.0Z"),
        "runrates.tsv line 2, run 1 rate of SEK",
    ),
    "amount that was converted": (
        adding("conversions.tsv", "debtor", "SETWO", "toMinor", 1),
        "conversions.tsv line 3, run 1 SETWO owes CHREP SEK toMinor",
    ),
    "currency that nobody chose": (
        putting("choices.tsv", "other", "SEONE", "toCurrency", "CHF"),
        "runpairs.tsv line 4, currency in which SEONE and CHREP settle SEK",
    ),
    "fee with all that hangs on it": (
        _fee_everywhere,
        "runfees.tsv line 3, run 1 fee of DEABC netMinor",
    ),
    "prices of a plan": (
        putting("feeplans.tsv", "partyId", "DEABC", "tiers", "[[null,70000]]"),
        "runfees.tsv line 3, run 1 fee of DEABC sdrMinor",
    ),
    "share of a plan": (
        adding("feeplans.tsv", "partyId", "CHREP", "sharePpm", 5_000),
        "runfees.tsv line 2, run 1 fee of CHREP shareMinor",
    ),
    "VAT of a fee": (
        adding("runfees.tsv", "partyId", "CHREP", "vatMinor", 1),
        "runfees.tsv line 2, run 1 fee of CHREP vatMinor",
    ),
    "category of VAT of a fee": (
        putting("runfees.tsv", "partyId", "DEABC", "vatCategory", "AE"),
        "runfees.tsv line 3, run 1 category, rate and rule of VAT of DEABC",
    ),
    "debt that a run took": (
        adding("runpairs.tsv", "debtorId", "FRXYZ", "amountMinor", -1),
        "runpairs.tsv line 3, run 1 FRXYZ owes CHREP EUR amountMinor",
    ),
    "debt of a run": (
        adding("rundebts.tsv", "kind", "PAIRS", "amountMinor", 1),
        "rundebts.tsv line 3, run 1 PAIRS DEABC owes CHREP amountMinor",
    ),
    "position of a run by one cent": (
        adding("runaccounts.tsv", "owner", "FRXYZ", "netMinor", 1),
        "runaccounts.tsv line 4, run 1 FRXYZ netMinor",
    ),
    "amount of a payment": (
        adding("runtransfers.tsv", "kind", "PAY_OUT", "amountMinor", 1),
        "runtransfers.tsv line 6, run 1 payment 5 amountMinor",
    ),
    "payee of a payment": (
        putting("runtransfers.tsv", "kind", "PAY_OUT", "payee", "DEABC"),
        "runtransfers.tsv line 6, run 1 payment 5 payee",
    ),
    "what the bank confirmed": (
        adding("confirmations.tsv", "number", "1", "postedMinor", -1),
        "confirmations.tsv line 2, R1-DEABC-1 1",
    ),
    "posting of a run on another account": (
        putting(
            "runpostings.tsv",
            "postingKey",
            "R1:FEE-DEABC:FEE",
            "creditAccount",
            "P:CHREP:POS",
        ),
        "runpostings.tsv line 3, R1:FEE-DEABC:FEE creditAccount",
    ),
    "posting of a run is missing": (
        _no_posting,
        "runpostings.tsv, R1:FEE-DEABC:FEE-VAT debitAccount",
    ),
    "invoice for a fee is numbered anew": (
        putting(
            "feedocuments.tsv", "partyId", "DEABC", "number", "IN-CHCLR-2026-000007"
        ),
        "feedocuments.tsv line 3, number after IN-CHCLR-2026-000001",
    ),
    "number of a fee is given twice": (
        putting(
            "feedocuments.tsv", "partyId", "DEABC", "number", "IN-CHCLR-2026-000001"
        ),
        "feedocuments.tsv line 3, IN-CHCLR-2026-000001: expected once",
    ),
    "day by which a fee is due": (
        putting("feedocuments.tsv", "partyId", "CHREP", "dueOn", "2026-11-30"),
        "feedocuments.tsv line 2, dueOn of IN-CHCLR-2026-000001: expected 2026-12-06,",
    ),
    "days of payment of a plan": (
        adding("feeplans.tsv", "partyId", "DEABC", "paymentDays", -1),
        "feedocuments.tsv line 3, dueOn of IN-CHCLR-2026-000002",
    ),
    "form of a fee's invoice is missing": (
        lambda f: f.drop(
            "renderings.tsv",
            f.find("renderings.tsv", "number", "IN-CHCLR-2026-000001"),
        ),
        "renderings.tsv line 2, formats of IN-CHCLR-2026-000001: expected CII PDF UBL",
    ),
    "fee's invoice that nobody booked": (
        putting("renderings.tsv", "format", "PDF", "number", "IN-CHCLR-2026-000009"),
        "renderings.tsv line 3, number: expected a document of documents.tsv or",
    ),
    "what moved in a run": (
        adding("runs.tsv", "runId", "1", "movedMinor", 1),
        "runs.tsv line 2, run 1 movedMinor",
    ),
}


@pytest.mark.parametrize("forgery", FORGERIES)
def test_operator_who_settles_wrong_amounts_is_found_out(
    forgery: str, made: Made, tmp_path: Path
) -> None:
    require_found(made, FORGERIES[forgery], tmp_path)
