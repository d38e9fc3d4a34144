"""The worked cases N1 to N6, V4 and V5: from SOAP messages to the last payment.

Partners submit over SOAP; the operator acts by the command line alone.
"""

from __future__ import annotations

from decimal import Decimal
from typing import TYPE_CHECKING, Any

import pytest

from tests.fixtures.worked_month import ANNA, BEN, Month

if TYPE_CHECKING:
    pass

#: Who owes whom: one SDR each.
MATRIX = {
    ("B", "A"): "1000.00",
    ("A", "B"): "400.00",
    ("C", "A"): "250.50",
    ("A", "C"): "600.25",
    ("C", "B"): "333.00",
    ("D", "A"): "100.01",
    ("B", "D"): "77.77",
}


def _nets(shown: Any) -> dict[str, str]:  # noqa: ANN401 - as printed
    return {one["owner"][-1:]: one["net"] for one in shown["accounts"]}


@pytest.mark.clause("4.3-I3", "4.2-central")
def test_n1_bilateral_run_pays_what_is_left_between_two(month: Month) -> None:
    month.submit(MATRIX)
    month.close()

    shown = month.propose("--model", "BILATERAL")
    paid = month.pay(shown["run"])

    assert shown["gross"] == "2761.53"
    assert shown["moved"] == "1460.53"
    assert {
        (one["payer"][-1], one["payee"][-1]): one["amount"] for one in paid["payments"]
    } == {
        ("B", "A"): "600.00",
        ("A", "C"): "349.75",
        ("C", "B"): "333.00",
        ("D", "A"): "100.01",
        ("B", "D"): "77.77",
    }
    assert paid["state"] == "SETTLED"
    assert month.balances() == {}


@pytest.mark.clause("4.3-I3", "4.2-central", "4.2-dual")
def test_n2_multilateral_run_moves_a_seventh_of_the_gross(month: Month) -> None:
    month.submit(MATRIX)
    month.close()

    shown = month.propose("--model", "MULTILATERAL")
    paid = month.pay(shown["run"])

    assert _nets(shown) == {
        "A": "350.26",
        "B": "-344.77",
        "C": "16.75",
        "D": "-22.24",
    }
    assert shown["moved"] == "367.01"
    for name, net in _nets(shown).items():
        words = "<windowId>1</windowId>"
        answer = month.speakers[name].call("settlement", "GetPositions", words)
        (told,) = answer.all("net")
        assert answer.children(told)["amount"] == net
    assert paid["state"] == "SETTLED"
    assert month.balances() == {}


@pytest.mark.clause("4.3-I3")
def test_n3_gross_fees_enter_the_positions_and_the_hub_is_paid(month: Month) -> None:
    month.profile()
    for name, net in {"A": "10.00", "B": "20.00", "C": "5.00", "D": "1.00"}.items():
        words = ("--from", "2026-01-01", "--minimum", net)
        month.verb("fee", "put", f"DE{name * 3}", *words)
    month.submit(MATRIX)
    month.close()

    shown = month.propose("--fees", "NETTED")
    paid = month.pay(shown["run"])

    assert {one["owner"]: one["fee"] for one in shown["accounts"]} == {
        "DEAAA": "11.90",
        "DEBBB": "23.80",
        "DECCC": "5.95",
        "DEDDD": "1.19",
        "HUB": "-42.84",
    }
    nets = {one["owner"]: one["net"] for one in shown["accounts"]}
    assert nets == {
        "DEAAA": "338.36",
        "DEBBB": "-368.57",
        "DECCC": "10.80",
        "DEDDD": "-23.43",
        "HUB": "42.84",
    }
    assert sum(Decimal(net) for net in nets.values()) == 0
    assert shown["moved"] == "392.00"
    collected = [one for one in paid["payments"] if one["kind"] == "COLLECT"]
    assert sum(Decimal(one["amount"]) for one in collected) == 392
    assert [one["number"] for one in paid["documents"]] == [
        f"IN-CHCLR-{paid['documents'][0]['number'][9:13]}-00000{place}"
        for place in (1, 2, 3, 4)
    ]
    assert paid["state"] == "SETTLED"
    assert month.balances() == {}


def test_run_pays_what_the_window_came_to_with_vat(month: Month) -> None:
    for name in "AB":
        month.profile(f"DE{name * 3}", country="CH")
    month.submit({("B", "A"): "100.00", ("A", "B"): "40.00", ("C", "A"): "10.00"})
    month.close()

    shown = month.propose()
    paid = month.pay(shown["run"])

    # The EVSEs stand in Switzerland: 8.1 percent on what they supply.
    assert _nets(shown) == {"A": "75.67", "B": "-64.86", "C": "-10.81"}
    assert paid["state"] == "SETTLED"
    assert month.balances() == {}


def test_n5_unwind_of_c_is_approved_by_two_and_the_old_run_is_kept(
    month: Month,
) -> None:
    month.submit(MATRIX)
    month.close()
    first = month.propose()

    words = ("run", "abort", str(first["run"]), "--reason", "C cannot pay")
    asked = month.verb(*words, "--exclude", "DECCC", *ANNA)
    month.verb("approval", "approve", str(asked["approval"]), *BEN)

    unwound = month.verb("run", "show", str(first["run"] + 1))
    kept = month.verb("run", "show", str(first["run"]))
    assert _nets(unwound) == {"A": "700.01", "B": "-677.77", "D": "-22.24"}
    assert (kept["state"], _nets(kept)) == ("ABORTED", _nets(first))
    assert kept["history"][-1]["reason"] == "C cannot pay"
    assert month.pay(unwound["run"])["state"] == "SETTLED"


def test_n6_empty_window_is_settled_by_a_run_of_zeros(month: Month) -> None:
    month.close()

    shown = month.propose()
    for step in ("record", "reserve", "commit", "settle"):
        month.verb("run", step, "1", *ANNA)
    settled = month.verb("run", "show", "1")

    assert (shown["gross"], shown["moved"]) == ("0.00", "0.00")
    assert settled["state"] == "SETTLED"
    for what in ("accounts", "debts", "payments", "documents"):
        assert settled[what] == []
    assert settled["windows"] == [1]


def test_v4_pairs_that_agreed_it_are_converted_and_each_ledger_sums_to_zero(
    month: Month,
) -> None:
    month.verb("fx", "put", "SEK", "11.2345", "--day", "2026-11-20")
    since = ("--owed", "SEK", "--settled", "EUR", "--from", "2026-01-01")
    for name in "ABC":
        month.verb("fx", "agree", "DEDDD", f"DE{name * 3}", *since)
    owed = {("D", "A"): "100.00", ("D", "B"): "200.00", ("D", "C"): "934.56"}
    month.submit(owed | {("A", "B"): "50.00"}, currency="SEK")
    month.close()

    shown = month.propose("--currency", "EUR")
    paid = month.pay(shown["run"])
    kept = month.propose("--currency", "SEK")

    assert [one["to"] for one in shown["conversions"]] == ["8.90", "17.80", "83.19"]
    assert _nets(shown) == {"A": "8.90", "B": "17.80", "C": "83.19", "D": "-109.89"}
    assert paid["state"] == "SETTLED"
    # A and B agreed nothing: what they owe stays in its own currency.
    assert _nets(kept) == {"A": "-50.00", "B": "50.00"}
    month.pay(kept["run"])
    assert month.balances() == {}


def test_v4_one_pair_is_converted_as_a_whole_and_only_by_a_known_rate(
    month: Month,
) -> None:
    since = ("--owed", "SEK", "--settled", "EUR", "--from", "2026-01-01")
    month.verb("fx", "agree", "DEDDD", *since)
    month.verb("fx", "agree", "DEAAA", *since)
    month.submit({("D", "A"): "1334.56", ("A", "D"): "100.00"}, currency="SEK")
    month.close()

    missing = month.run("run", "propose", "--currency", "EUR", *ANNA)
    month.verb("fx", "put", "SEK", "11.2345", "--day", "2026-11-20")
    shown = month.propose("--currency", "EUR")
    month.verb("fx", "put", "SEK", "12.0000", "--day", "2026-11-20")
    paid = month.pay(shown["run"])

    assert "FX_RATE_MISSING" in missing.output
    assert [one["from"] for one in shown["conversions"]] == ["1234.56"]
    assert _nets(paid) == {"A": "109.89", "D": "-109.89"}
    assert month.balances() == {}


def test_residue_of_the_conversions_goes_to_its_own_account(month: Month) -> None:
    month.verb("fx", "put", "SEK", "11.2345", "--day", "2026-11-20")
    since = ("--owed", "SEK", "--settled", "EUR", "--from", "2026-01-01")
    for name in "ABCD":
        month.verb("fx", "agree", f"DE{name * 3}", *since)
    owed = {("D", "A"): "0.15", ("D", "B"): "0.15", ("D", "C"): "0.15"}
    month.submit(owed, currency="SEK")
    month.close()

    shown = month.propose("--currency", "EUR")
    month.pay(shown["run"])

    # 0.15 SEK are 0.0134 EUR, 0.01 each; 0.45 SEK are 0.04 EUR.
    assert _nets(shown) == {"A": "0.01", "B": "0.01", "C": "0.01", "D": "-0.03"}
    assert month.balances() == {("CH:FXDIFF", "EUR"): 1, ("FX:EUR", "EUR"): -1}
