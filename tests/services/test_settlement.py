"""Windows: cut over, proved, closed; netting through the database; positions."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from decimal import Decimal
from typing import TYPE_CHECKING

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import text
from sqlalchemy.exc import IntegrityError

from clearinghouse import codes
from clearinghouse.domain.agreements import Terms
from clearinghouse.domain.errors import ClearingHouseError
from clearinghouse.domain.exchange import Role
from clearinghouse.domain.settlement import WindowState
from clearinghouse.services import settlement, statements
from clearinghouse.storage import ledger
from clearinghouse.storage import settlement as store
from clearinghouse.storage.sdr_intake import NewTotal, copy_totals
from tests.builders import make_agreement, make_participant, make_sender
from tests.services.sdr_world import (
    SINCE,
    STARTED_AT,
    World,
    count_of,
    make_sdr,
    make_world,
    spanning,
    window_of,
)
from tests.services.settling import BOOKS, Debt, book_debts

if TYPE_CHECKING:
    from clearinghouse.domain.participants import Participant
    from clearinghouse.domain.sdrs import ServiceDetailRecord
    from clearinghouse.services.environment import Environment
    from tests.fixtures.partners import StillClock


@pytest.fixture
def world(env: Environment) -> World:
    return make_world(env)


@pytest.fixture
def lax_world(env: Environment) -> World:
    return make_world(env, terms=Terms(match_required=False))


@pytest.fixture
def four(world: World) -> dict[str, Participant]:
    """Four partners, each CSP and CSO at once (clause 4.2-dual)."""
    both = frozenset({Role.CSO, Role.CSP})
    with world.env.database.begin() as tx:
        people = {
            name: make_participant(tx, party_id=f"DE{name * 3}", roles=both)
            for name in "ABCD"
        }
        for visited in people.values():
            for home in people.values():
                if visited is not home:
                    make_agreement(tx, visited, home, valid_from=SINCE)
    return people


#: Who owes whom how much: the worked matrix of cases N1 and N2.
MATRIX = [
    ("B", "A", 1000_00),
    ("A", "B", 400_00),
    ("C", "A", 250_50),
    ("A", "C", 600_25),
    ("C", "B", 333_00),
    ("D", "A", 100_01),
    ("B", "D", 77_77),
]


def _book_matrix(world: World, people: dict[str, Participant]) -> None:
    debts = [
        Debt(people[debtor], people[creditor], amount_minor)
        for debtor, creditor, amount_minor in MATRIX
    ]
    book_debts(world, debts)


@pytest.mark.clause("4.3-I3", "4.2-central")
def test_nets_the_worked_matrix_n1_and_n2(
    world: World, four: dict[str, Participant]
) -> None:
    _book_matrix(world, four)

    closing = world.close()

    (settled,) = closing.settlements
    assert settled.gross_minor == 2761_53
    assert settled.bilateral_minor == 1460_53
    assert settled.multilateral_minor == 367_01
    nets = {
        name: settlement.positions(
            world.env, make_sender(partner), closing.window.window_id
        ).net
        for name, partner in four.items()
    }
    assert {name: net["EUR"] for name, net in nets.items()} == {
        "A": 350_26,
        "B": -344_77,
        "C": 16_75,
        "D": -22_24,
    }
    assert settlement.prove(world.env, closing.window.window_id) == ()


def test_closed_window_is_never_moved_again(world: World, clock: StillClock) -> None:
    window_id = world.close().window.window_id

    with pytest.raises(ClearingHouseError) as again, world.env.database.begin() as tx:
        store.mark_cutover(tx, window_id, at=clock.now())
    with pytest.raises(ClearingHouseError) as failed, world.env.database.begin() as tx:
        store.mark_failed(tx, window_id, claim=b"1", proof=b"2")

    for refused in (again, failed):
        assert refused.value.code is codes.WINDOW_STATE


def test_the_ledger_holds_the_positions_and_nothing_else(
    world: World, four: dict[str, Participant]
) -> None:
    _book_matrix(world, four)
    world.close()

    with world.env.database.begin_read_only() as tx:
        balances = ledger.balances(tx)

    assert sum(balances.values()) == 0
    assert balances["P:DEAAA:POS", "EUR"] == 350_26
    assert {
        amount for (account, _), amount in balances.items() if "POS" not in account
    } == {0}


@pytest.mark.clause("4.3-I3")
def test_an_empty_window_closes_with_a_zero_report_n6(world: World) -> None:
    closing = world.close("2026-12")

    assert closing.window.state is WindowState.CLOSED
    assert closing.settlements == ()
    assert closing.statements == 0
    assert settlement.prove(world.env, closing.window.window_id) == ()
    with world.env.database.begin_read_only() as tx:
        series = tx.execute(text("SELECT count(*) FROM clearing.document_series"))
        assert series.scalar_one() == 0


def test_closing_moves_on_to_the_next_window(world: World) -> None:
    first = window_of(world)

    closing = world.close("2026-12")

    assert closing.window.window_id == first.window_id
    assert closing.next_window is not None
    assert closing.next_window.label == "2026-12"
    assert closing.next_window.state is WindowState.OPEN
    world.submit([world.session()])
    with world.env.database.begin_read_only() as tx:
        where = tx.execute(text("SELECT window_id FROM clearing.sdr")).scalar_one()
    assert where == closing.next_window.window_id


def test_closing_again_with_the_same_label_changes_nothing(world: World) -> None:
    world.submit([world.session()])
    first = world.close("2026-12")

    again = world.close("2026-12")

    assert again.window == first.window
    assert again.settlements == first.settlements
    assert again.statements == first.statements == 2
    assert len(settlement.windows(world.env)) == 2


def test_a_label_is_used_once(world: World) -> None:
    world.close("2026-12")
    world.close("2027-01")

    with pytest.raises(ClearingHouseError) as caught:
        world.close("2026-11")

    assert caught.value.code is codes.WINDOW_STATE


def test_held_and_refused_sdrs_are_not_settled(world: World) -> None:
    world.submit([world.session(), make_sdr(), make_sdr(tariff_id="T-404")])

    closing = world.close()

    (settled,) = closing.settlements
    assert (settled.sdr_count, settled.gross_minor) == (1, 1149)


def test_statement_numbers_have_no_gap_and_go_to_those_involved(
    world: World,
) -> None:
    world.submit([world.session(), world.session(world.other_csp)])
    first = world.close("2026-12")
    world.submit([world.session()])
    second = world.close("2027-01")

    with world.env.database.begin_read_only() as tx:
        rows = tx.execute(
            text("""
                SELECT statement_id, participant_id FROM clearing.statement
                ORDER BY statement_id
            """)
        ).all()
    assert [row.statement_id for row in rows] == [
        f"ST-2026-{number:06d}" for number in range(1, 6)
    ]
    # in order of party ids: CHREP, DEABC, FRXYZ; then CHREP, DEABC
    cso, csp, other = (
        person.participant_id for person in (world.cso, world.csp, world.other_csp)
    )
    assert [row.participant_id for row in rows] == [cso, csp, other, cso, csp]
    assert (first.statements, second.statements) == (3, 2)


def test_each_currency_is_settled_by_itself(world: World) -> None:
    _book_currency(world, "EUR", 5_00)
    _book_currency(world, "SEK", 77_00)
    _book_currency(world, "JPY", 900)

    closing = world.close()

    assert [(one.currency, one.gross_minor) for one in closing.settlements] == [
        ("EUR", 5_00),
        ("JPY", 900),
        ("SEK", 77_00),
    ]
    assert closing.statements == 6


def _book_currency(world: World, currency: str, amount_minor: int) -> None:
    book_debts(world, [Debt(world.csp, world.cso, amount_minor, currency=currency)])


def test_a_claim_without_its_sdr_fails_the_window(world: World) -> None:
    world.submit([world.session()])
    _tamper(world, amount_minor=1)
    window = window_of(world)

    with pytest.raises(ClearingHouseError) as caught:
        world.close("2026-12")

    assert caught.value.code is codes.PROOF_FAILED
    (item,) = caught.value.items
    assert "1150" in item.expected
    assert "1149" in item.found
    failed = settlement.windows(world.env)[1]
    assert failed.window_id == window.window_id
    assert failed.state is WindowState.FAILED
    assert failed.claim_digest != failed.proof_digest
    for table in BOOKS:
        assert count_of(world, table) == 0


def test_a_failed_window_closes_once_its_cause_is_gone(world: World) -> None:
    world.submit([world.session()])
    _tamper(world, amount_minor=1)
    with pytest.raises(ClearingHouseError):
        world.close("2026-12")
    _tamper(world, amount_minor=-1, window=settlement.windows(world.env)[1].window_id)

    closing = world.close("2026-12")

    assert closing.window.label == "2026-11"
    assert closing.window.state is WindowState.CLOSED


def test_new_sdrs_are_taken_while_a_window_has_failed(world: World) -> None:
    world.submit([world.session()])
    _tamper(world, amount_minor=1)
    with pytest.raises(ClearingHouseError):
        world.close("2026-12")

    assert world.submit([world.session()]).counts.accepted == 1


def _tamper(world: World, *, amount_minor: int, window: int | None = None) -> None:
    with world.env.database.begin() as tx:
        batch = tx.execute(text("SELECT batch_id FROM clearing.sdr_batch")).scalar_one()
        total = NewTotal(
            window_id=window or window_of(world).window_id,
            batch_id=batch,
            csp_id=world.csp.participant_id,
            submitter_id=world.cso.participant_id,
            currency="EUR",
            sdr_count=0,
            energy_wh=0,
            net_minor=amount_minor,
            place_country="CH",
        )
        copy_totals(tx, [total])


def test_the_database_refuses_positions_that_do_not_sum_to_zero(
    world: World,
) -> None:
    insert = text("""
        WITH s AS (
            INSERT INTO clearing.settlement (window_id, currency, gross_minor,
                bilateral_minor, multilateral_minor, sdr_count, energy_wh)
            VALUES (:window_id, 'EUR', 1, 1, 1, 1, 1) RETURNING settlement_id
        )
        INSERT INTO clearing.settlement_position (settlement_id, participant_id,
            receivable_minor, payable_minor, net_minor)
        SELECT settlement_id, :participant_id, 1, 0, 1 FROM s
    """)
    values = {
        "window_id": window_of(world).window_id,
        "participant_id": world.cso.participant_id,
    }

    database = world.env.database
    with pytest.raises(IntegrityError, match="not to zero"), database.begin() as tx:
        tx.execute(insert, values)


def test_positions_of_the_open_window_follow_the_intake(world: World) -> None:
    world.submit([world.session(), world.session(world.other_csp)])

    mine = settlement.positions(world.env, make_sender(world.cso), None)
    theirs = settlement.positions(world.env, make_sender(world.csp), None)

    assert mine.window.state is WindowState.OPEN
    assert [
        (one.counterparty, one.receivable_minor, one.payable_minor, one.sdr_count)
        for one in mine.positions
    ] == [("DEABC", 1149, 0, 1), ("FRXYZ", 1149, 0, 1)]
    assert mine.net == {"EUR": 2298}
    assert theirs.net == {"EUR": -1149}


def test_positions_of_a_closed_window_are_those_of_its_settlement(
    world: World, four: dict[str, Participant]
) -> None:
    _book_matrix(world, four)
    window = world.close().window

    found = settlement.positions(world.env, make_sender(four["A"]), window.window_id)

    assert found.window.state is WindowState.CLOSED
    assert [
        (one.counterparty, one.receivable_minor, one.payable_minor)
        for one in found.positions
    ] == [
        ("DEBBB", 1000_00, 400_00),
        ("DECCC", 250_50, 600_25),
        ("DEDDD", 100_01, 0),
    ]
    assert found.net == {"EUR": 350_26}


def test_positions_of_an_unknown_window_are_refused(world: World) -> None:
    with pytest.raises(ClearingHouseError) as caught:
        settlement.positions(world.env, make_sender(world.cso), 404)

    assert caught.value.code is codes.WINDOW_UNKNOWN


@settings(
    max_examples=15,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(
    debts=st.lists(
        st.tuples(
            st.sampled_from("ABCD"),
            st.sampled_from("ABCD"),
            st.integers(0, 10**9),
            st.sampled_from(["EUR", "SEK"]),
        ).filter(lambda debt: debt[0] != debt[1]),
        max_size=40,
    )
)
def test_claim_proof_and_postings_agree_for_any_batches(
    world: World,
    four: dict[str, Participant],
    debts: list[tuple[str, str, int, str]],
) -> None:
    book_debts(
        world,
        [
            Debt(four[debtor], four[creditor], amount_minor, currency=currency)
            for debtor, creditor, amount_minor, currency in debts
        ],
    )
    label = f"W-{len(settlement.windows(world.env))}"

    closed = settlement.close_window(world.env, next_label=label)

    with world.env.database.begin_read_only() as tx:
        claim = store.claim_of(tx, closed.window_id)
        proof = store.proof_of(tx, closed.window_id)
        postings = ledger.postings_of(tx, closed.window_id)
        settled = store.settlements_of(tx, closed.window_id)
    assert claim == proof
    accepted = sum(p.amount_minor for p in postings if p.code.value == "ACCEPT")
    assert accepted == sum(one.gross_minor for one in settled)
    assert accepted == sum(debt[2] for debt in debts)
    assert settlement.prove(world.env, closed.window_id) == ()


@settings(
    max_examples=10,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(
    batches=st.lists(
        st.lists(
            st.tuples(
                st.integers(0, 30),  # hours back: some overlap and are held
                st.integers(0, 60_000),  # Wh
                st.integers(-2, 20),  # cents between claim and rating
                st.sampled_from(["DEABC", "FRXYZ", "DENON"]),
                st.sampled_from(["T-1", "T-404"]),
            ),
            max_size=12,
        ),
        max_size=4,
    )
)
def test_claim_proof_and_postings_agree_for_any_submissions(
    lax_world: World, batches: list[list[tuple[int, int, int, str, str]]]
) -> None:
    world = lax_world
    accepted = 0
    for batch in batches:
        records = [_submitted(*drawn) for drawn in batch]
        accepted += world.submit(records + records[:2]).counts.accepted
    label = f"W-{len(settlement.windows(world.env))}"

    closed = settlement.close_window(world.env, next_label=label)

    with world.env.database.begin_read_only() as tx:
        claim = store.claim_of(tx, closed.window_id)
        assert claim == store.proof_of(tx, closed.window_id)
        postings = ledger.postings_of(tx, closed.window_id)
    booked = sum(p.amount_minor for p in postings if p.code.value == "ACCEPT")
    assert booked == sum(pair.net_minor for pair in claim)
    assert accepted == sum(pair.sdr_count for pair in claim)
    assert settlement.prove(world.env, closed.window_id) == ()
    statements.issue_pending(world.env)


def _submitted(
    hours: int, energy_wh: int, cents: int, csp_id: str, tariff_id: str
) -> ServiceDetailRecord:
    rated_minor = (energy_wh * 49 + 500) // 1000
    record = make_sdr(csp_id=csp_id, tariff_id=tariff_id)
    start = STARTED_AT - timedelta(hours=hours)
    spanned = spanning(record, start, minutes=90, energy_wh=energy_wh)
    claimed = Decimal(rated_minor + cents).scaleb(-2)
    return replace(spanned, claimed_net=claimed)


def test_a_window_opens_at_the_instant_of_the_houses_own_clock(
    world: World, clock: StillClock
) -> None:
    clock.forward(seconds=3600)
    closed = settlement.close_window(world.env, next_label="next")
    opened = settlement.ensure_window(world.env, "unused")
    assert (closed.cutover_at, opened.opened_at) == (clock.at, clock.at)
