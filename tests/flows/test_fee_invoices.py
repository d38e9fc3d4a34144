"""The invoices of the house: V5, from SDRs over SOAP to what the payer pulls."""

from __future__ import annotations

import base64
from datetime import timedelta
from decimal import Decimal
from hashlib import sha256
from typing import TYPE_CHECKING, Any

import pytest

from clearinghouse.domain.tariffs import Component, ComponentType
from clearinghouse.services import invoices
from clearinghouse.storage import evses, tariffs
from clearinghouse.storage.tariffs import Publication
from tests.builders import make_evse, make_tariff
from tests.fixtures.worked_month import ANNA, BEN, Month
from tests.flows.sdr_messages import batch
from tests.services.sdr_world import SINCE, STARTED_AT, make_sdr, spanning

if TYPE_CHECKING:
    from pathlib import Path

    from tests.fixtures.en16931 import Rules

#: SDRs of the worked case, and the EVSEs that make room for them within 30 days.
SDRS = 6_250
PLACES = 25

TIERS = ("--tier", "1000:0.02", "--tier", "5000:0.015", "--tier", ":0.01")


def submit_many(month: Month) -> None:
    """Let A submit 6,250 SDRs of 1.00 each, which B owes."""
    owner = month.people["A"].participant_id
    tariff = make_tariff(
        tariff_id="ONE",
        valid_from=SINCE,
        components=(Component(type=ComponentType.FLAT, price_u=1_000_000),),
    )
    with month.env.database.begin() as tx:
        places = [make_evse(f"DE*AAA*E{100 + place}") for place in range(PLACES)]
        evses.apply_delta(tx, owner, upserts=places, removals=[])
        tariffs.publish(tx, Publication(publisher_id=owner, tariff=tariff), at=SINCE)
    records = [
        spanning(
            make_sdr(
                csp_id="DEBBB",
                evse_id=f"DE*AAA*E{100 + number % PLACES}",
                tariff_id="ONE",
                claimed_net=Decimal("1.00"),
            ),
            STARTED_AT - timedelta(hours=number // PLACES),
            minutes=40,
        )
        for number in range(SDRS)
    ]
    answer = month.speakers["A"].call("sdr", "SubmitSdrs", batch(1, records))
    month.sequences["A"] = 1
    assert answer.required("accepted") == str(SDRS), answer.items


def settled(month: Month, *words: str) -> Any:  # noqa: ANN401 - as printed
    """Close, take a run with fees to its last payment, and issue what it booked."""
    month.close()
    paid = month.pay(month.propose(*words)["run"])
    invoices.issue_pending(month.env)
    return paid


def pulled(month: Month, name: str) -> dict[str, dict[str, bytes]]:
    """Return by number the forms of the house's documents, as a partner pulls them."""
    speaking = month.speakers[name]
    listed = speaking.call("settlement", "ListInvoices")
    found: dict[str, dict[str, bytes]] = {}
    for entry in map(listed.children, listed.all("invoice")):
        if "runId" not in entry:
            continue
        assert entry["sellerId"] == "CHCLR"
        assert entry["buyerId"] == month.people[name].party_id
        for fmt in ("UBL", "CII", "PDF"):
            wanted = (
                f"<documentNumber>{entry['documentNumber']}</documentNumber>"
                f"<format>{fmt}</format>"
            )
            got = speaking.call("settlement", "GetInvoice", wanted)
            content = base64.b64decode(got.required("content"))
            assert got.required("digest") == sha256(content).hexdigest()
            found.setdefault(entry["documentNumber"], {})[fmt] = content
    return found


@pytest.mark.clause("4.3-I3")
def test_v5_fees_of_6250_sdrs_are_invoiced_to_the_cent_and_pass_the_official_rules(
    month: Month, en16931: Rules
) -> None:
    for party_id in ("CHCLR", "DEBBB", "DECCC"):
        month.profile(party_id)
    since = ("--from", "2026-01-01", "--side", "RECEIVED")
    month.verb("fee", "put", "DEBBB", *TIERS, *since)
    month.verb("fee", "put", "DECCC", "--share-ppm", "3500", *since)
    submit_many(month)
    month.submit({("C", "D"): "12345.67"})

    paid = settled(month, "--fees", "NETTED")

    fees = {one["party"]: (one["net"], one["vat"]) for one in paid["fees"]}
    assert fees == {"DEBBB": ("92.50", "17.58"), "DECCC": ("43.21", "8.21")}
    assert [(one["party"], one["gross"]) for one in paid["documents"]] == [
        ("DEBBB", "110.08"),
        ("DECCC", "51.42"),
    ]
    (number,), (second,) = pulled(month, "B"), pulled(month, "C")
    assert (number[-7:], second[-7:]) == ("-000001", "-000002")
    forms = pulled(month, "B")[number]
    assert en16931.findings(forms["UBL"]) == []
    assert en16931.findings(forms["CII"]) == []
    assert forms["PDF"].startswith(b"%PDF-")
    for text in (b"92.50", b"17.58", b"110.08", b">6250<", b"settlement run 1"):
        assert text in forms["UBL"]
    assert b"0.35 % of 12345.67 EUR" in pulled(month, "C")[second]["CII"]
    assert pulled(month, "A") == {}
    wanted = f"<documentNumber>{number}</documentNumber><format>UBL</format>"
    assert month.speakers["C"].call("settlement", "GetInvoice", wanted).code == 744
    assert month.balances() == {}


def test_reversed_run_gives_its_fees_back_by_credit_notes(
    month: Month, en16931: Rules
) -> None:
    for party_id in ("CHCLR", "DEBBB"):
        month.profile(party_id)
    bounds = ("--share-ppm", "10000", "--minimum", "5.00", "--from", "2026-01-01")
    month.verb("fee", "put", "DEBBB", *bounds)
    month.submit({("B", "A"): "100.00"})
    number = settled(month, "--fees", "APART")["run"]

    words = ("run", "reverse", str(number), "--reason", "wrong plan")
    asked = month.verb(*words, *ANNA)
    month.verb("approval", "approve", str(asked["approval"]), *BEN)
    invoices.issue_pending(month.env)

    invoice, note = sorted(pulled(month, "B"), reverse=True)
    assert (invoice[:9], note[:9]) == ("IN-CHCLR-", "CN-CHCLR-")
    forms = pulled(month, "B")[note]
    for fmt in ("UBL", "CII"):
        assert en16931.findings(forms[fmt]) == []
        assert invoice.encode() in forms[fmt]
    assert b"Up to the minimum clearing fee" in forms["UBL"]
    (shown,) = month.verb("document", "fees", str(number + 1))
    assert (shown["number"], shown["gross"]) == (note, "5.95")


def test_house_without_profile_books_its_fees_and_doctor_says_what_is_missing(
    month: Month, tmp_path: Path
) -> None:
    month.profile("DEBBB")
    month.verb("fee", "put", "DEBBB", "--minimum", "5.00", "--from", "2026-01-01")
    month.submit({("B", "A"): "100.00"})
    shown = settled(month, "--fees", "NETTED")

    number = shown["documents"][0]["number"]
    waiting = {
        one["number"]: one["waits_for"] for one in month.verb("document", "pending")
    }
    said = month.run("doctor").output
    assert pulled(month, "B") == {}
    month.profile("CHCLR")
    month.verb("document", "issue")

    assert waiting[number] == "seller CHCLR: billing profile"
    assert "the house has no billing profile" in said
    assert "the house has no billing profile" not in month.run("doctor").output
    assert list(pulled(month, "B")) == [number]
    folder = tmp_path / "fees"
    month.run("document", "fees", str(shown["run"]), "--folder", str(folder))
    assert sorted(path.name for path in folder.iterdir()) == [
        f"{number}-{fmt}" for fmt in ("cii.xml", "pdf.pdf", "ubl.xml")
    ]
