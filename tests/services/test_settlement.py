"""Windows: cut over, proved, closed; netting through the database; positions."""

from __future__ import annotations

import threading
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
from tests.builders import NOW, make_agreement, make_participant, make_sender
from tests.services.sdr_world import (
    SINCE,
    World,
    make_sdr,
    make_world,
    spanning,
    window_of,
)
from tests.services.settling import Debt, book_debts, kill_writers

if TYPE_CHECKING:
    from collections.abc import Iterator

    import psycopg

    from clearinghouse.domain.participants import Participant
    from clearinghouse.storage.database import Database
    from clearinghouse.storage.vault import Vault
    from tests.fixtures.database import Site


@pytest.fixture
def world(database: Database, vault: Vault) -> World:
    return make_world(database, vault)


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
    with world.env.database.begin_read_only() as tx:
        positions = {
            position.participant_id: position.net_minor
            for position in store.positions_of(tx, settled.settlement_id)
        }
    assert {name: positions[p.participant_id] for name, p in four.items()} == {
        "A": 350_26,
        "B": -344_77,
        "C": 16_75,
        "D": -22_24,
    }
    assert settlement.prove(world.env, closing.window.window_id) == ()


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


# The proof


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
    with world.env.database.begin_read_only() as tx:
        for table in ("settlement", "posting", "statement", "document_series"):
            count = tx.execute(text(f"SELECT count(*) FROM clearing.{table}"))  # noqa: S608
            assert count.scalar_one() == 0


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

    with pytest.raises(IntegrityError, match="not to zero"), _begin(world) as tx:
        tx.execute(insert, values)


def _begin(world: World):  # type: ignore[no-untyped-def]  # noqa: ANN202
    return world.env.database.begin()


# Killed in the middle


@pytest.fixture
def killer(site: Site) -> Iterator[psycopg.Connection[tuple[object, ...]]]:
    with site.superuser() as admin:
        yield admin
        kill_writers(admin, None)


#: Each is a step of the closing transaction, by the table that it writes first.
STEPS = [
    "clearing.settlement",
    "clearing.settlement_pair",
    "clearing.settlement_position",
    "clearing.posting",
    "clearing.document_series",
    "clearing.statement",
    "clearing.settlement_window",
    "audit.entry",
]


@pytest.mark.parametrize("table", STEPS)
def test_a_close_killed_at_a_step_leaves_nothing_and_can_be_run_again(
    world: World, killer: psycopg.Connection[tuple[object, ...]], table: str
) -> None:
    world.submit([world.session()])
    settlement._cut_over(world.env, "2026-12")  # noqa: SLF001 -- the first of its steps
    kill_writers(killer, table)

    with pytest.raises(ClearingHouseError) as caught:
        world.close("2026-12")

    assert caught.value.code is codes.UNAVAILABLE
    kill_writers(killer, None)
    window = settlement.windows(world.env)[1]
    assert window.state is WindowState.CUTOVER
    with world.env.database.begin_read_only() as tx:
        for name in STEPS[:6]:
            count = tx.execute(text(f"SELECT count(*) FROM {name}"))  # noqa: S608
            assert count.scalar_one() == 0, name

    closing = world.close("2026-12")

    assert closing.window.state is WindowState.CLOSED
    assert closing.statements == 2
    assert settlement.prove(world.env, window.window_id) == ()
    again = world.close("2026-12")
    assert again.settlements == closing.settlements


def test_a_close_killed_in_the_cutover_leaves_the_window_open(
    world: World, killer: psycopg.Connection[tuple[object, ...]]
) -> None:
    world.submit([world.session()])
    kill_writers(killer, "clearing.settlement_window")
    with pytest.raises(ClearingHouseError):
        world.close("2026-12")
    kill_writers(killer, None)

    (window,) = settlement.windows(world.env)
    assert window.state is WindowState.OPEN
    assert world.close("2026-12").window.window_id == window.window_id


def test_a_close_killed_before_the_documents_issues_them_later(
    world: World,
) -> None:
    world.submit([world.session()])
    settlement.close_window(world.env, next_label="2026-12")
    sender = make_sender(world.cso)
    page = statements.list_statements(world.env, sender, cursor=None, limit=10)
    assert page.items == ()

    assert statements.issue_pending(world.env) == 2

    page = statements.list_statements(world.env, sender, cursor=None, limit=10)
    assert len(page.items) == 1


# Cutover against intake


def test_no_sdr_is_lost_while_windows_are_cut_over_under_load(
    database: Database, vault: Vault
) -> None:
    world = make_world(database, vault, terms=Terms(match_required=False))
    submitters = _submitters(world, 3)
    done = threading.Event()
    accepted: list[int] = []
    threads = [
        threading.Thread(target=_submit_until, args=(world, one, done, accepted))
        for one in submitters
    ]
    for thread in threads:
        thread.start()
    for number in range(8):
        settlement.close_window(world.env, next_label=f"W-{number}")
    done.set()
    for thread in threads:
        thread.join(timeout=60)
    settlement.close_window(world.env, next_label="W-last")

    closed = [w for w in settlement.windows(world.env) if w.state is WindowState.CLOSED]
    assert len(closed) == 9
    settled = sum(
        one.sdr_count
        for window in closed
        for one in settlement.settlements(world.env, window.window_id)
    )
    assert settled == sum(accepted) > 0
    for window in closed:
        assert settlement.prove(world.env, window.window_id) == ()


def _submitters(world: World, number: int) -> list[Participant]:
    from clearinghouse.storage import tariffs  # noqa: PLC0415
    from clearinghouse.storage.tariffs import Publication  # noqa: PLC0415
    from tests.services.sdr_world import price  # noqa: PLC0415

    people = []
    with world.env.database.begin() as tx:
        for place in range(number):
            person = make_participant(tx, party_id=f"ITV{place:02d}")
            terms = Terms(match_required=False, overlap_seconds_max=10**6)
            make_agreement(tx, person, world.csp, valid_from=SINCE, terms=terms)
            published = Publication(
                publisher_id=person.participant_id, tariff=price(490_000)
            )
            tariffs.publish(tx, published, at=SINCE)
            people.append(person)
    return people


def _submit_until(
    world: World, person: Participant, done: threading.Event, accepted: list[int]
) -> None:
    place = 0
    while not done.is_set():
        place += 1
        start = NOW - timedelta(hours=2, minutes=place % 30)
        record = spanning(make_sdr(cso_id="CHREP"), start, minutes=5, energy_wh=1_000)
        record.claimed_net = Decimal("0.49")
        outcome = world.submit([record], sender=person)
        accepted.append(outcome.counts.accepted)


def test_two_closers_at_once_close_one_window(world: World) -> None:
    world.submit([world.session()])
    closings: list[settlement.Closing] = []
    threads = [
        threading.Thread(target=lambda: closings.append(world.close("2026-12")))
        for _ in range(3)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(timeout=60)

    assert {closing.window.window_id for closing in closings} == {1}
    assert [w.label for w in settlement.windows(world.env)] == ["2026-12", "2026-11"]
    with world.env.database.begin_read_only() as tx:
        count = tx.execute(text("SELECT count(*) FROM clearing.statement"))
        assert count.scalar_one() == 2


# Positions


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


# Random batches


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
