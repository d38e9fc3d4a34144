"""Fees and conversions of runs in the books: V5, credit notes, crashes, fixed rates."""

from __future__ import annotations

from datetime import date
from typing import TYPE_CHECKING

import pytest

from clearinghouse import codes
from clearinghouse.domain.errors import ClearingHouseError
from clearinghouse.domain.fees import FeePlan, FeeSide, Tier
from clearinghouse.domain.fx import Choice, Rate
from clearinghouse.domain.numbering import DocumentKind
from clearinghouse.domain.runs import FeeMode, Model, RunState
from clearinghouse.services import billing, fees, fx, run_undoing, settlement_runs
from clearinghouse.storage import fee_documents
from clearinghouse.storage.tables import run_terms
from clearinghouse.storage.tables.settlement import posting
from tests.services.run_world import RunWorld, make_run_world
from tests.services.sdr_world import count_of
from tests.services.settling import kill_writers

if TYPE_CHECKING:
    from collections.abc import Iterator

    import psycopg

    from clearinghouse.services.environment import Environment
    from tests.fixtures.database import Site

SINCE = date(2026, 1, 1)


@pytest.fixture
def four(env: Environment) -> RunWorld:
    return make_run_world(env)


@pytest.fixture
def killer(site: Site) -> Iterator[psycopg.Connection[tuple[object, ...]]]:
    with site.superuser() as admin:
        yield admin
        kill_writers(admin, None)


def _house_in_germany(env: Environment) -> None:
    given: dict[str, str | bool] = {
        "legal_name": "Clearing House GmbH",
        "street": "Weg 1",
        "city": "Berlin",
        "postcode": "10115",
        "country": "DE",
        "vat_id": "DE136695976",
        "contact_email": "office@house.example",
    }
    billing.set_profile(env, env.limits.party_id, given, valid_from=SINCE)


def _put(env: Environment, party_id: str, **given: object) -> None:
    terms = {"currency": "EUR", "valid_from": SINCE} | given
    fees.put_plan(env, FeePlan(party_id=party_id, **terms))  # type: ignore[arg-type]  # by the tests


def _minimum_for_all(four: RunWorld) -> None:
    for name, person in four.people.items():
        minimum = 100 * (1 + "ABCD".index(name))
        _put(four.env, person.party_id, minimum_minor=minimum)


def test_v5_tiers_over_a_whole_window_with_vat(four: RunWorld) -> None:
    _house_in_germany(four.env)
    tiers = (Tier(1_000, 20_000), Tier(5_000, 15_000), Tier(None, 10_000))
    _put(four.env, "DEBBB", side=FeeSide.RECEIVED, tiers=tiers)
    four.close_with([("B", "A", 1_00)] * 6_250)

    run = four.propose(fees=FeeMode.NETTED)

    shown = settlement_runs.show(four.env, run.run_id)
    (fee,) = shown.fees
    assert (fee.fee.net_minor, fee.vat_minor) == (92_50, 17_58)
    nets = {one.owner: one.net_minor for one in shown.accounts}
    assert nets == {"DEAAA": 6_250_00, "DEBBB": -6_360_08, "HUB": 110_08}


def test_fault_of_a_fee_tells_net_and_vat_of_each_record(four: RunWorld) -> None:
    _house_in_germany(four.env)
    _put(four.env, "DEAAA", minimum_minor=100)
    four.close_with()
    run_id = four.propose(fees=FeeMode.NETTED).run_id

    with four.env.database.begin_read_only() as tx:
        faults = fee_documents.faults(tx, run_id)

    assert faults == [
        "fee of DEAAA with VAT: charged 100 + 19, invoiced 0 + 0, posted 0 + 0"
    ]


@pytest.mark.parametrize(
    ("model", "mode"),
    [
        (Model.MULTILATERAL, FeeMode.NETTED),
        (Model.MULTILATERAL, FeeMode.APART),
        (Model.BILATERAL, FeeMode.APART),
    ],
)
def test_run_with_fees_ends_at_zero_and_its_invoices_have_no_gap(
    four: RunWorld, model: Model, mode: FeeMode
) -> None:
    _house_in_germany(four.env)
    _minimum_for_all(four)
    for first in (1, 5):
        four.close_with()
        run_id = four.propose(model, mode).run_id
        four.advance(run_id)

        assert four.pay(run_id).state is RunState.SETTLED

        documents = settlement_runs.show(four.env, run_id).documents
        assert [one.number for one in documents] == [
            f"IN-CHCLR-2026-{number:06d}" for number in range(first, first + 4)
        ]
        assert [one.net_minor for one in documents] == [100, 200, 300, 400]
        assert [one.vat_minor for one in documents] == [19, 38, 57, 76]
    assert four.balances() == {}


def test_reversed_fees_get_credit_notes_and_leave_the_hub_with_nothing(
    four: RunWorld,
) -> None:
    _minimum_for_all(four)
    four.close_with()
    opened = four.balances()
    run_id = four.propose(fees=FeeMode.NETTED).run_id
    four.advance(run_id)
    four.pay(run_id)

    four.approve(run_undoing.ask_reverse(four.env, four.anna, run_id, reason="wrong"))
    four.advance(run_id + 1)
    back = four.pay(run_id + 1)

    assert back.state is RunState.SETTLED
    notes = settlement_runs.show(four.env, run_id + 1).documents
    assert {one.kind for one in notes} == {DocumentKind.CREDIT_NOTE}
    assert [one.refers_to for one in notes] == [
        f"IN-CHCLR-2026-{number:06d}" for number in (1, 2, 3, 4)
    ]
    assert four.balances() == opened


def test_rates_are_frozen_with_the_run(four: RunWorld) -> None:
    env = four.env
    choice = Choice(
        party="DEBBB",
        other="DEAAA",
        from_currency="SEK",
        to_currency="EUR",
        valid_from=SINCE,
    )
    fx.agree(env, choice)
    day = date(2026, 11, 20)
    fx.put_rate(env, Rate(currency="SEK", day=day, rate_u=11_234_500))
    four.close_with([("B", "A", 1_234_56)], currency="SEK")
    run_id = four.propose().run_id
    again = fx.put_rate(env, Rate(currency="SEK", day=day, rate_u=12_000_000))

    four.advance(run_id)
    four.pay(run_id)

    shown = settlement_runs.show(env, run_id)
    assert again.version == 2
    assert shown.rates == {"SEK": 11_234_500}
    assert shown.run.moved_minor == 109_89
    assert four.balances() == {}


@pytest.mark.parametrize(
    "table", ["clearing.posting", "clearing.document_series", "clearing.fee_document"]
)
def test_recording_that_is_killed_books_nothing_and_draws_no_number(
    four: RunWorld, killer: psycopg.Connection[tuple[object, ...]], table: str
) -> None:
    _minimum_for_all(four)
    four.close_with()
    run_id = four.propose(fees=FeeMode.NETTED).run_id
    before = count_of(four.world, posting)
    kill_writers(killer, table)

    with pytest.raises(ClearingHouseError) as caught:
        four.advance(run_id, RunState.RECORDED)

    kill_writers(killer, None)
    assert caught.value.code is codes.UNAVAILABLE
    assert count_of(four.world, posting) == before
    assert count_of(four.world, run_terms.fee_document) == 0
    four.advance(run_id, RunState.RECORDED)
    documents = settlement_runs.show(four.env, run_id).documents
    assert documents[0].number == "IN-CHCLR-2026-000001"


def test_rates_plans_and_choices_that_are_none_are_refused(four: RunWorld) -> None:
    env = four.env
    day = date(2026, 11, 20)
    choice = Choice(
        party="DEAAA",
        other="de*aaa",
        from_currency="SEK",
        to_currency="XXX",
        valid_from=day,
    )
    attempts = (
        lambda: fx.put_rate(env, Rate(currency="EUR", day=day, rate_u=1)),
        lambda: fx.put_rate(env, Rate(currency="XXX", day=day, rate_u=1)),
        lambda: fx.put_rate(env, Rate(currency="SEK", day=day, rate_u=0)),
        lambda: fx.agree(env, choice),
        lambda: _put(env, "DEAAA", share_ppm=-1),
    )

    for attempt in attempts:
        with pytest.raises(ClearingHouseError) as caught:
            attempt()
        assert caught.value.code is codes.SEMANTIC
