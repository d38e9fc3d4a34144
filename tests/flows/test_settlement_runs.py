"""The worked cases N1 to N6, V4 and V5: from SOAP messages to the last payment.

Partners submit over SOAP; the operator acts by the command line alone.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import timedelta
from decimal import Decimal
from itertools import count
from typing import TYPE_CHECKING, Any

import pytest

from clearinghouse.domain.agreements import Terms
from clearinghouse.domain.exchange import Role
from clearinghouse.domain.tariffs import Component, ComponentType
from clearinghouse.services import settlement
from clearinghouse.storage import evses, ledger, tariffs
from clearinghouse.storage.tariffs import Publication
from tests.builders import make_agreement, make_evse, make_participant, make_tariff
from tests.fixtures.operators import PASSWORD, make_operators
from tests.fixtures.verbs import value_of
from tests.flows.sdr_messages import batch
from tests.services.sdr_world import SINCE, STARTED_AT, make_sdr, spanning

if TYPE_CHECKING:
    from pathlib import Path

    from typer.testing import Result

    from clearinghouse.domain.participants import Participant
    from clearinghouse.domain.sdrs import ServiceDetailRecord
    from clearinghouse.services.environment import Environment
    from tests.fixtures.engine import Speaker

ANNA = ("--operator", "anna")
BEN = ("--operator", "ben")

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

#: Amounts that no single session has: the cases are about netting.
TERMS = Terms(match_required=False, net_ceiling_minor=10**9)

_places = count(1)


class Month:
    """Four partners that are CSP and CSO at once, and the operator's command line."""

    def __init__(
        self,
        env: Environment,
        speaker: Callable[[Participant], Speaker],
        run: Callable[..., Result],
    ) -> None:
        self.env, self.run = env, run
        both = frozenset({Role.CSO, Role.CSP})
        with env.database.begin() as tx:
            self.people = {
                name: make_participant(tx, party_id=f"DE{name * 3}", roles=both)
                for name in "ABCD"
            }
            for name, person in self.people.items():
                evse = make_evse(f"DE*{name * 3}*E1")
                evses.apply_delta(
                    tx, person.participant_id, upserts=[evse], removals=[]
                )
                for home in self.people.values():
                    if home is not person:
                        for currency in ("EUR", "SEK"):
                            make_agreement(
                                tx,
                                person,
                                home,
                                valid_from=SINCE,
                                terms=TERMS,
                                currency=currency,
                            )
        settlement.ensure_window(env, "2026-11")
        self.speakers = {name: speaker(one) for name, one in self.people.items()}
        self.sequences = dict.fromkeys(self.people, 0)
        make_operators(env)

    def submit(
        self, matrix: Mapping[tuple[str, str], str], currency: str = "EUR"
    ) -> None:
        """Let each creditor submit SDRs with a flat price over SOAP."""
        for creditor, speaking in self.speakers.items():
            records = [
                self._record(debtor, creditor, amount, currency)
                for (debtor, owed), amount in matrix.items()
                if owed == creditor
            ]
            if not records:
                continue
            self.sequences[creditor] += 1
            sent = batch(self.sequences[creditor], records)
            answer = speaking.call("sdr", "SubmitSdrs", sent)
            assert answer.required("accepted") == str(len(records)), answer.items

    def _record(
        self, debtor: str, creditor: str, amount: str, currency: str
    ) -> ServiceDetailRecord:
        tariff = make_tariff(
            tariff_id=f"FLAT-{debtor}-{currency}",
            currency=currency,
            valid_from=SINCE,
            components=(
                Component(
                    type=ComponentType.FLAT, price_u=int(Decimal(amount) * 10**6)
                ),
            ),
        )
        owner = self.people[creditor].participant_id
        with self.env.database.begin() as tx:
            tariffs.publish(
                tx, Publication(publisher_id=owner, tariff=tariff), at=SINCE
            )
        record = make_sdr(
            csp_id=f"DE{debtor * 3}",
            evse_id=f"DE*{creditor * 3}*E1",
            tariff_id=tariff.tariff_id,
            currency=currency,
            claimed_net=Decimal(amount),
        )
        started_at = STARTED_AT - timedelta(hours=next(_places) % 200)
        return spanning(record, started_at, minutes=40)

    def verb(self, *words: str) -> Any:  # noqa: ANN401 - as printed
        """Run a verb of the operator and return the JSON that it printed."""
        return value_of(self.run("--json", *words))

    def close(self, label: str = "2026-12") -> None:
        settlement.close(self.env, next_label=label)

    def propose(self, *words: str) -> Any:  # noqa: ANN401 - as printed
        """Propose a run and return all that is shown of it."""
        made = self.verb("run", "propose", *words, *ANNA)
        return self.verb("run", "show", str(made["run"]))

    def pay(self, number: int) -> Any:  # noqa: ANN401 - as printed
        """Take a proposed run to its last payment; return all that is shown of it."""
        for step in ("record", "reserve", "commit"):
            self.verb("run", step, str(number), *ANNA)
        while due := self.verb("run", "due", str(number)):
            for one in due:
                words = ("run", "confirm", one["end_to_end_id"], one["amount"])
                said = ("--reference", "B-1", "--booked", "2026-12-02T08:00:00")
                assert self.verb(*words, *said)["outcome"] == "EXACT"
        return self.verb("run", "show", str(number))

    def balances(self) -> dict[tuple[str, str], int]:
        """Return the balances of the ledger that are not zero."""
        with self.env.database.begin_read_only() as tx:
            found = ledger.balances(tx)
        return {key: minor for key, minor in found.items() if minor}


@pytest.fixture
def month(
    env: Environment,
    speaker: Callable[[Participant], Speaker],
    run: Callable[..., Result],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> Month:
    file = tmp_path / "password"
    file.write_text(f"{PASSWORD}\n", encoding="utf-8")
    monkeypatch.setenv("CLEARINGHOUSE_OPERATOR_PASSWORD_FILE", str(file))
    return Month(env, speaker, run)


def _nets(shown: Any) -> dict[str, str]:  # noqa: ANN401 - as printed
    return {one["owner"][-1:]: one["net"] for one in shown["accounts"]}


def _in_germany(month: Month, party_id: str = "CHCLR") -> None:
    """Give a party a German VAT id: its fees to German partners have 19 percent."""
    words = ("--legal-name", "Clearing House GmbH", "--street", "Weg 1")
    place = ("--city", "Berlin", "--postcode", "10115", "--country", "DE")
    tax = ("--vat-id", "DE136695976", "--email", "office@house.example")
    since = ("--from", "2026-01-01")
    month.verb("billing", "set", party_id, *words, *place, *tax, *since)


def _in_switzerland(month: Month, party_id: str) -> None:
    """Give a party a Swiss VAT id: it taxes what its EVSEs there supply."""
    words = ("--legal-name", "Ladestrom AG", "--street", "Weg 1")
    place = ("--city", "Bern", "--postcode", "3011", "--country", "CH")
    tax = ("--vat-id", "CHE-107.787.577 MWST", "--email", "office@strom.example")
    since = ("--from", "2026-01-01")
    month.verb("billing", "set", party_id, *words, *place, *tax, *since)


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
    _in_germany(month)
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
        _in_switzerland(month, f"DE{name * 3}")
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
