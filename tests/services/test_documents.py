"""Invoices and credit notes of a closing: numbered without gap, gross in every book."""

from __future__ import annotations

from dataclasses import replace
from datetime import date, datetime, timedelta
from typing import TYPE_CHECKING

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import text

from clearinghouse.contract.catalogue import Contract
from clearinghouse.domain.agreements import Mode, Terms
from clearinghouse.domain.documents import Document
from clearinghouse.domain.exchange import Role
from clearinghouse.domain.numbering import DocumentKind
from clearinghouse.domain.sdrs import SdrKind
from clearinghouse.domain.statements import StatementFormat
from clearinghouse.domain.vat import VatCategory
from clearinghouse.services import settlement
from clearinghouse.services.statements import get_statement, verify
from clearinghouse.soap.parser import parse_own
from clearinghouse.storage import agreements, billing, documents, ledger, statements
from clearinghouse.storage.agreements import NewAgreement
from tests.builders import (
    NOW,
    make_agreement,
    make_participant,
    make_profile,
    make_sender,
)
from tests.services.sdr_world import SINCE, World, count_of, make_world
from tests.services.settling import BOOKS, Debt, book_debts

if TYPE_CHECKING:
    from clearinghouse.domain.participants import Participant
    from clearinghouse.services.environment import Environment
    from tests.fixtures.database import Site

CH_VAT = "CHE107787577MWST"


@pytest.fixture
def world(env: Environment) -> World:
    return make_world(env)


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


def booked(world: World, window_id: int) -> list[Document]:
    """Return the documents of a window in order of their numbers."""
    with world.env.database.begin_read_only() as tx:
        found = [
            documents.document_facts(tx, number)
            for number in documents.numbers_of_window(tx, window_id)
        ]
    return [one for one in found if one is not None]


def owe(world: World, amount_minor: int, rate_bp: int = 0, place: str = "DE") -> Debt:
    category = "S" if rate_bp else "AE"
    return Debt(
        world.csp,
        world.cso,
        amount_minor,
        vat_category=category,
        vat_rate_bp=rate_bp,
        place_country=place,
    )


@pytest.mark.clause("4.3-I3")
def test_v2_one_invoice_with_two_rates_is_gross_in_every_book(world: World) -> None:
    book_debts(world, [owe(world, 1000_05, 1900), owe(world, 500_03, 2100, "NL")])

    closing = world.close()

    (invoice,) = booked(world, closing.window.window_id)
    assert invoice.number == "IN-CHREP-2026-000001"
    assert [(one.base_minor, one.vat_minor) for one in invoice.vat] == [
        (1000_05, 190_01),
        (500_03, 105_01),
    ]
    assert [line.place for line in invoice.lines] == ["DE", "NL"]
    assert (invoice.net_minor, invoice.gross_minor) == (1500_08, 1795_10)
    (settled,) = closing.settlements
    assert (settled.gross_minor, settled.vat_minor) == (1795_10, 295_02)
    assert settled.documents == 1
    found = settlement.positions(
        world.env, make_sender(world.cso), closing.window.window_id
    )
    assert (found.net, found.gross) == ({"EUR": 1500_08}, {"EUR": 1795_10})
    (position,) = found.positions
    assert (position.receivable_minor, position.receivable_gross_minor) == (
        1500_08,
        1795_10,
    )
    with world.env.database.begin_read_only() as tx:
        balances = ledger.balances(tx)
        codes = tx.execute(text("SELECT code, amount_minor FROM clearing.posting"))
        amounts = {row.code: row.amount_minor for row in codes}
    assert balances["P:CHREP:POS", "EUR"] == 1795_10
    assert balances["P:DEABC:POS", "EUR"] == -1795_10
    assert (amounts["ACCEPT"], amounts["ACCEPT-VAT"]) == (1500_08, 295_02)
    assert settlement.prove(world.env, closing.window.window_id) == ()


def test_open_window_shows_the_gross_that_a_close_would_book(world: World) -> None:
    book_debts(world, [owe(world, 13, 1900), owe(world, 13, 1900, "AT")])

    before = settlement.positions(world.env, make_sender(world.csp), None)
    closing = world.close()
    after = settlement.positions(
        world.env, make_sender(world.csp), closing.window.window_id
    )

    assert before.gross == after.gross == {"EUR": -31}
    assert before.positions == after.positions


def test_v2_reverse_charge_pair_has_no_vat_but_a_reason(world: World) -> None:
    with world.env.database.begin() as tx:
        own = make_profile("CHREP", vat_id=CH_VAT, country="CH")
        billing.add_profile(tx, own, at=NOW)
        billing.add_profile(tx, make_profile("DEABC"), at=NOW)
    world.submit([world.session()])

    closing = world.close()

    (invoice,) = booked(world, closing.window.window_id)
    (total,) = invoice.vat
    (reason,) = invoice.reasons
    assert (total.category, total.vat_minor) == (VatCategory.REVERSE_CHARGE, 0)
    assert reason is not None
    assert (reason.code, reason.text) == ("VATEX-EU-AE", "Reverse charge")
    assert invoice.gross_minor == invoice.net_minor == 11_49


def test_invoice_keeps_the_names_and_profiles_it_was_made_with(world: World) -> None:
    with world.env.database.begin() as tx:
        billing.add_profile(tx, make_profile("DEABC", city="Berlin"), at=NOW)
    world.submit([world.session()])
    closing = world.close()
    with world.env.database.begin() as tx:
        billing.add_profile(tx, make_profile("DEABC", city="Ulm"), at=NOW)

    (invoice,) = booked(world, closing.window.window_id)

    assert invoice.buyer.profile is not None
    assert (invoice.buyer.profile.version, invoice.buyer.profile.city) == (1, "Berlin")
    assert invoice.seller.profile is None
    assert invoice.seller.name == world.cso.name
    assert invoice.issued_at == closing.window.closed_at
    (reason,) = invoice.reasons
    assert reason is not None
    assert reason.code == "VATEX-EU-O"


def _agree_days(world: World, days: int, *, at: datetime) -> None:
    """Conclude terms at an instant that have begun before."""
    new = NewAgreement(
        visited_id=world.cso.participant_id,
        home_id=world.csp.participant_id,
        mode=Mode.B2,
        currency="EUR",
        valid_from=NOW - timedelta(hours=1),
        terms=Terms(payment_days=days),
    )
    with world.env.database.begin() as tx:
        agreements.agree(tx, new, at=at)


def test_due_day_is_the_agreements_and_thirty_days_otherwise(world: World) -> None:
    _agree_days(world, 14, at=NOW)
    book_debts(world, [owe(world, 5), Debt(world.other_csp, world.cso, 7)])

    closing = world.close()

    due = {
        one.buyer.party_id: one.due_on
        for one in booked(world, closing.window.window_id)
    }
    assert due == {"DEABC": date(2026, 12, 6), "FRXYZ": date(2026, 12, 22)}


def test_terms_that_were_concluded_after_the_close_say_no_due_day(world: World) -> None:
    _agree_days(world, 14, at=NOW)
    _agree_days(world, 60, at=NOW + timedelta(days=1))
    book_debts(world, [owe(world, 5)])

    closing = world.close()

    (invoice,) = booked(world, closing.window.window_id)
    assert invoice.issued_at < NOW + timedelta(days=1)
    assert invoice.due_on == date(2026, 12, 6)


def test_terms_of_which_nobody_knows_when_they_were_concluded_say_a_due_day(
    world: World, site: Site
) -> None:
    _agree_days(world, 14, at=NOW)
    with site.superuser() as connection:
        connection.execute("UPDATE clearing.agreement SET concluded_at = NULL")
    book_debts(world, [owe(world, 5)])

    closing = world.close()

    (invoice,) = booked(world, closing.window.window_id)
    assert invoice.due_on == date(2026, 12, 6)


@pytest.mark.clause("4.3-I3")
def test_numbers_have_no_gap_per_seller_over_windows(
    world: World, four: dict[str, Participant]
) -> None:
    a, b, c = (four[name] for name in "ABC")
    book_debts(world, [Debt(b, a, 1), Debt(c, a, 2), Debt(a, b, 3)])
    world.close("2026-12")
    world.close("2026-13")  # empty: it takes no number (N6)
    book_debts(world, [Debt(b, a, 4, currency="CHF"), Debt(b, a, 5)])
    closing = world.close("2027-01")

    with world.env.database.begin_read_only() as tx:
        rows = tx.execute(
            text("""
                SELECT number, buyer_party, currency, window_id FROM clearing.document
                ORDER BY number
            """)
        ).all()
    assert [tuple(row) for row in rows] == [
        ("IN-DEAAA-2026-000001", "DEBBB", "EUR", 1),
        ("IN-DEAAA-2026-000002", "DECCC", "EUR", 1),
        ("IN-DEAAA-2026-000003", "DEBBB", "CHF", 3),
        ("IN-DEAAA-2026-000004", "DEBBB", "EUR", 3),
        ("IN-DEBBB-2026-000001", "DEAAA", "EUR", 1),
    ]
    assert settlement.prove(world.env, closing.window.window_id) == ()


def test_charges_that_come_to_less_than_nothing_are_a_credit_note(
    world: World,
) -> None:
    book_debts(world, [owe(world, -100_00, 1900)])

    window_id = world.close().window.window_id

    (note,) = booked(world, window_id)
    assert (note.number, note.kind) == (
        "CN-CHREP-2026-000001",
        DocumentKind.CREDIT_NOTE,
    )
    assert (note.net_minor, note.vat_minor, note.gross_minor) == (100_00, 19_00, 119_00)
    found = settlement.positions(world.env, make_sender(world.csp), window_id)
    assert found.gross == {"EUR": 119_00}
    assert settlement.prove(world.env, window_id) == ()


@pytest.mark.clause("4.3-I3")
def test_statement_says_vat_by_document_and_what_is_due(world: World) -> None:
    book_debts(world, [owe(world, 1000_05, 1900), owe(world, 500_03, 2100, "NL")])

    window_id = world.close().window.window_id

    with world.env.database.begin_read_only() as tx:
        issued = {one.party_id: one for one in statements.issued_in(tx, window_id)}
        facts = statements.statement_facts(tx, issued["DEABC"].statement_id)
    assert facts is not None
    (total,) = facts.counterparties
    assert [(one.rate_bp, one.net_minor, one.vat_minor) for one in total.taxed] == [
        (1900, 1000_05, 190_01),
        (2100, 500_03, 105_01),
    ]
    assert (facts.net_minor, facts.gross_minor) == (-1500_08, -1795_10)
    assert (issued["CHREP"].net_minor, issued["CHREP"].gross_minor) == (
        1500_08,
        1795_10,
    )
    for one in issued.values():
        assert verify(world.env, one.statement_id) == ()
    text = document_of(world, issued["CHREP"].statement_id)
    assert Contract.load().schema("statement").validate(parse_own(text))
    assert b"<vatCategory>S</vatCategory><vatRate>21.00</vatRate>" in text
    assert b"<document>IN-CHREP-2026-000001</document><kind>ORIGINAL</kind>" in text
    assert b"<gross>1795.10</gross></totals>" in text


def document_of(world: World, statement_id: str) -> bytes:
    """Return the XML of a statement as it was issued."""
    sender = make_sender(world.cso)
    part = get_statement(
        world.env, sender, statement_id, fmt=StatementFormat.XML, part=1
    )
    return part.content


@pytest.mark.clause("4.3-I3")
def test_credit_of_an_earlier_window_is_a_credit_note_that_names_its_invoice(
    world: World,
) -> None:
    with world.env.database.begin() as tx:
        own = make_profile("CHREP", vat_id=CH_VAT, country="CH")
        billing.add_profile(tx, own, at=NOW)
    record = world.session()
    world.submit([record])
    settlement.close_window(world.env, next_label="2026-12")
    credit = replace(
        record, sdr_id="C-1", kind=SdrKind.CREDIT, ref_sdr_id=record.sdr_id
    )
    world.submit([credit, world.session()])

    window_id = settlement.close_window(world.env, next_label="2027-01").window_id

    note, invoice = booked(world, window_id)
    assert (note.number, note.preceding) == (
        "CN-CHREP-2026-000001",
        ("IN-CHREP-2026-000001",),
    )
    # the rate of the charge: 8.1 % of 11.49
    assert (note.net_minor, note.vat_minor) == (11_49, 93)
    assert (invoice.number, invoice.preceding) == ("IN-CHREP-2026-000002", ())
    found = settlement.positions(world.env, make_sender(world.cso), window_id)
    assert found.gross == {"EUR": 0}
    assert settlement.prove(world.env, window_id) == ()


@pytest.mark.parametrize(
    "tamper",
    [
        "UPDATE clearing.document SET net_minor = 1, gross_minor = vat_minor + 1",
        "UPDATE clearing.document_vat SET vat_minor = vat_minor + 1",
        "UPDATE clearing.document_line SET net_minor = net_minor + 1",
        "UPDATE clearing.document_series SET last = last + 1 WHERE series LIKE 'IN-%'",
        "UPDATE clearing.settlement SET documents = 2",
        "DELETE FROM clearing.document_vat",
    ],
)
def test_proof_of_a_closed_window_finds_what_was_done_to_a_document(
    world: World, site: Site, tamper: str
) -> None:
    book_debts(world, [owe(world, 1000_05, 1900)])
    window_id = world.close().window.window_id
    with site.superuser() as admin:
        admin.execute("SET session_replication_role = replica")
        admin.execute(tamper)

    broken = settlement.prove(world.env, window_id)

    assert any(fault.startswith("documents: ") for fault in broken)


treatments = st.sampled_from(
    [("S", 1900), ("S", 2100), ("S", 810), ("AE", 0), ("O", 0)]
)


@settings(
    max_examples=5,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(data=st.data())
def test_documents_pairs_positions_and_ledger_agree_for_any_matrix(
    world: World, four: dict[str, Participant], data: st.DataObject
) -> None:
    names = st.sampled_from("ABCD")
    debts = []
    for _ in range(data.draw(st.integers(1, 10))):
        pair = st.tuples(names, names).filter(lambda found: found[0] != found[1])
        debtor, creditor = data.draw(pair)
        category, rate_bp = data.draw(treatments)
        debts.append(
            Debt(
                four[debtor],
                four[creditor],
                data.draw(st.integers(-(10**4), 10**6)),
                vat_category=category,
                vat_rate_bp=rate_bp,
                place_country=data.draw(st.sampled_from(["DE", "NL"])),
            )
        )
    book_debts(world, debts)
    number = len(settlement.windows(world.env))

    window_id = settlement.close_window(world.env, next_label=f"P-{number}").window_id

    assert settlement.prove(world.env, window_id) == ()
    gross = sum(one.kind.sign * one.gross_minor for one in booked(world, window_id))
    net_of_all = [
        settlement.positions(world.env, make_sender(person), window_id).gross
        for person in four.values()
    ]
    assert sum(found.get("EUR", 0) for found in net_of_all) == 0
    settled = settlement.settlements(world.env, window_id)
    assert abs(gross) <= sum(one.gross_minor for one in settled)


def test_empty_window_books_no_document_n6(world: World) -> None:
    world.close()

    for table in BOOKS:
        assert count_of(world, table) == 0
