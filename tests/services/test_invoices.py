"""Invoices as issued: once, to both sides, and waiting for what is missing."""

from __future__ import annotations

from hashlib import sha256
from typing import TYPE_CHECKING

import pytest
from sqlalchemy import text

from clearinghouse import codes
from clearinghouse.domain.errors import ClearingHouseError
from clearinghouse.domain.invoices import DocumentFormat
from clearinghouse.services import billing, invoices
from tests.builders import make_sender
from tests.services.sdr_world import World, make_world
from tests.services.settling import Debt, book_debts

if TYPE_CHECKING:
    from pathlib import Path

    from clearinghouse.domain.participants import Participant
    from clearinghouse.services.environment import Environment
    from clearinghouse.storage.invoices import Issued
    from tests.fixtures.en16931 import Rules

PROFILE: dict[str, str | bool] = {
    "legal_name": "Säulen GmbH",
    "street": "Ladeweg 1",
    "city": "Köln",
    "postcode": "50667",
    "country": "DE",
    "contact_email": "billing@abc.example",
    "vat_id": "DE136695976",
}
NUMBER = "IN-CHREP-2026-000001"


@pytest.fixture
def world(env: Environment) -> World:
    return make_world(env)


def bill(world: World, *parties: Participant) -> None:
    """Give parties a billing profile."""
    for party in parties:
        billing.set_profile(world.env, party.party_id, PROFILE)


def close(world: World, currency: str = "EUR") -> int:
    """Close a window in which the CSP owes the CSO 11.49 and VAT of 19 %."""
    debt = Debt(
        world.csp,
        world.cso,
        1149,
        currency,
        vat_category="S",
        vat_rate_bp=1900,
        place_country="DE",
    )
    book_debts(world, [debt])
    return world.close().window.window_id


def make_billed_world(env: Environment) -> World:
    """Close a window in a world where the CSP and the CSO can be billed."""
    made = make_world(env)
    bill(made, made.cso, made.csp)
    close(made)
    return made


def listed(world: World, who: Participant) -> list[Issued]:
    """Return the documents that a participant is shown."""
    page = invoices.list_invoices(world.env, make_sender(who), cursor=None, limit=200)
    return list(page.items)


def fetch(world: World, who: Participant, fmt: DocumentFormat) -> bytes:
    """Return a document as a participant gets it."""
    part = invoices.get_invoice(world.env, make_sender(who), NUMBER, fmt=fmt, part=1)
    assert (part.part, part.parts) == (1, 1)
    assert sha256(part.content).digest() == part.digest
    return part.content


@pytest.mark.clause("4.3-I3")
def test_seller_and_buyer_get_the_same_documents_after_the_close(
    world: World, en16931: Rules
) -> None:
    bill(world, world.cso, world.csp)
    close(world)

    (sold,) = listed(world, world.cso)
    (bought,) = listed(world, world.csp)

    assert sold == bought
    assert (sold.document.number, sold.document.gross_minor) == (NUMBER, 1367)
    assert [fmt for fmt, _ in sold.digests] == ["CII", "PDF", "UBL"]
    for fmt, digest in sold.digests:
        content = fetch(world, world.cso, fmt)
        assert fetch(world, world.csp, fmt) == content
        assert sha256(content).digest() == digest
    for fmt in (DocumentFormat.UBL, DocumentFormat.CII):
        assert en16931.findings(fetch(world, world.csp, fmt)) == []


def test_nobody_else_gets_or_sees_a_document(world: World) -> None:
    bill(world, world.cso, world.csp)
    close(world)

    assert listed(world, world.other_csp) == []
    with pytest.raises(ClearingHouseError) as caught:
        fetch(world, world.other_csp, DocumentFormat.UBL)
    assert caught.value.code is codes.DOCUMENT_UNKNOWN


def test_document_waits_for_a_billing_profile_and_is_issued_with_it(
    world: World,
) -> None:
    bill(world, world.cso)
    close(world)

    (waiting,) = invoices.waiting(world.env)
    early = invoices.issue_pending(world.env)
    bill(world, world.csp)
    late = invoices.issue_pending(world.env)

    assert waiting.number == NUMBER
    assert waiting.reasons == (f"buyer {world.csp.party_id}: billing profile",)
    assert (early, late) == (0, 1)
    assert invoices.waiting(world.env) == []
    assert "Säulen GmbH" in fetch(world, world.csp, DocumentFormat.UBL).decode()


def test_document_is_issued_once_whatever_changes_later(world: World) -> None:
    bill(world, world.cso, world.csp)
    close(world)
    issued = {fmt: fetch(world, world.cso, fmt) for fmt in DocumentFormat}
    billing.set_profile(world.env, world.cso.party_id, {"legal_name": "Renamed"})

    again = invoices.issue_pending(world.env)

    assert again == 0
    assert invoices.issue(world.env, NUMBER) is None
    assert {fmt: fetch(world, world.cso, fmt) for fmt in DocumentFormat} == issued


def test_currency_of_three_decimals_is_issued_as_pdf_only(world: World) -> None:
    bill(world, world.cso, world.csp)
    close(world, "KWD")

    (issued,) = listed(world, world.cso)

    assert [fmt for fmt, _ in issued.digests] == ["PDF"]
    with pytest.raises(ClearingHouseError) as caught:
        fetch(world, world.cso, DocumentFormat.UBL)
    assert caught.value.code is codes.DOCUMENT_UNKNOWN


def test_part_behind_the_last_and_unknown_number_are_refused(world: World) -> None:
    bill(world, world.cso, world.csp)
    close(world)
    sender = make_sender(world.cso)

    for number, part, code in (
        (NUMBER, 2, codes.DOCUMENT_PART),
        ("IN-CHREP-2026-000009", 1, codes.DOCUMENT_UNKNOWN),
    ):
        with pytest.raises(ClearingHouseError) as caught:
            invoices.get_invoice(
                world.env, sender, number, fmt=DocumentFormat.UBL, part=part
            )
        assert caught.value.code is code


def test_documents_are_exported_as_issued(world: World, tmp_path: Path) -> None:
    bill(world, world.cso, world.csp)
    window_id = close(world)

    paths = invoices.export(world.env, window_id, tmp_path / "documents")

    assert [path.name for path in paths] == [
        f"{NUMBER}-ubl.xml",
        f"{NUMBER}-cii.xml",
        f"{NUMBER}-pdf.pdf",
    ]
    assert paths[0].read_bytes() == fetch(world, world.cso, DocumentFormat.UBL)
    with pytest.raises(ClearingHouseError) as caught:
        invoices.export(world.env, 404, tmp_path)
    assert caught.value.code is codes.WINDOW_UNKNOWN


def test_documents_of_a_window_are_read_page_by_page(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    debts = [
        Debt(world.csp, world.cso, 1149, currency, "S", 1900, "DE")
        for currency in ("EUR", "SEK", "CHF")
    ]
    book_debts(world, debts)
    window_id = world.close().window.window_id
    whole = list(invoices.documents_of(world.env, window_id))
    monkeypatch.setattr(invoices, "PAGE_MAX", 2)

    pages = list(invoices.documents_of(world.env, window_id))

    assert len(whole) == 3
    assert pages == whole


def test_cursor_gives_each_document_once(world: World) -> None:
    bill(world, world.cso, world.csp)
    close(world)
    sender = make_sender(world.cso)

    first = invoices.list_invoices(world.env, sender, cursor=None, limit=1)
    rest = invoices.list_invoices(
        world.env, sender, cursor=str(first.cursor), limit=200
    )

    assert len(first.items) == 1
    assert not rest.items


def test_issued_documents_cannot_be_changed(world: World) -> None:
    bill(world, world.cso, world.csp)
    close(world)

    statement = text("UPDATE clearing.document_rendering SET content = 'x'")
    with pytest.raises(Exception, match=r"permission denied|append-only"):
        change(world, statement)


def change(world: World, statement: object) -> None:
    """Run a statement as the application may."""
    with world.env.database.begin() as tx:
        tx.execute(statement)  # type: ignore[call-overload] # any statement
