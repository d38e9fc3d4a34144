"""The worked cases of VAT (V1 to V3), from SOAP messages to statements."""

from __future__ import annotations

import base64
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import timedelta
from decimal import Decimal
from typing import TYPE_CHECKING

import pytest

from clearinghouse.domain.agreements import Terms
from clearinghouse.domain.exchange import Role
from clearinghouse.domain.numbering import DocumentKind
from clearinghouse.domain.tariffs import Component, ComponentType
from clearinghouse.services import invoices, settlement, statements
from clearinghouse.soap.parser import parse_own
from clearinghouse.storage import billing, documents, evses, tariffs
from clearinghouse.storage import statements as issued
from clearinghouse.storage.tariffs import Publication
from tests.builders import (
    NOW,
    make_agreement,
    make_evse,
    make_participant,
    make_profile,
    make_tariff,
)
from tests.flows.sdr_messages import batch
from tests.services.sdr_world import SINCE, STARTED_AT, make_sdr, spanning
from tests.services.test_corrections import credit_of

if TYPE_CHECKING:
    from clearinghouse.contract.catalogue import Contract
    from clearinghouse.domain.participants import Participant
    from clearinghouse.domain.sdrs import ServiceDetailRecord
    from clearinghouse.services.environment import Environment
    from tests.fixtures.engine import Answer, Speaker

NAMESPACE = {"s": "urn:clearinghouse:iec63119:statement:1"}

#: Amounts that no single session has: the cases are about VAT.
TERMS = Terms(match_required=False, net_ceiling_minor=10**9)

#: Where the EVSEs stand, by country.
PLACES = {
    "DE": {"country": "DE", "time_zone": "Europe/Berlin"},
    "NL": {"country": "NL", "time_zone": "Europe/Amsterdam"},
}


@dataclass
class Story:
    """A seller with EVSEs in two countries, and its buyer."""

    env: Environment
    seller: Participant
    buyer: Participant
    sells: Speaker
    buys: Speaker

    def submit(self, *sold: tuple[str, str]) -> None:
        """Submit sessions of (place, amount), each at a flat price of its own."""
        records = []
        for number, (place, amount) in enumerate(sold):
            self.publish(f"FLAT-{amount}", ComponentType.FLAT, amount)
            record = make_sdr(
                csp_id=self.buyer.party_id,
                evse_id=f"DE*AAA*E{place}",
                tariff_id=f"FLAT-{amount}",
                claimed_net=Decimal(amount),
            )
            start = STARTED_AT - timedelta(hours=number)
            records.append(spanning(record, start, minutes=40))
        self.send(records)

    def send(self, records: Sequence[ServiceDetailRecord], sequence: int = 1) -> None:
        """Submit records; all are accepted."""
        answer = self.sells.call("sdr", "SubmitSdrs", batch(sequence, records))
        assert answer.required("accepted") == str(len(records)), answer.items

    def publish(
        self, name: str, kind: ComponentType, price: str, **override: object
    ) -> None:
        """Publish a tariff with one price."""
        component = Component(type=kind, price_u=int(Decimal(price) * 10**6))
        tariff = make_tariff(
            tariff_id=name, valid_from=SINCE, components=(component,), **override
        )
        published = Publication(publisher_id=self.seller.participant_id, tariff=tariff)
        with self.env.database.begin() as tx:
            tariffs.publish(tx, published, at=SINCE)

    def close(self, following: str = "2026-12") -> int:
        """Close the window with all its documents; return its number."""
        return settlement.close(self.env, next_label=following).window.window_id


@pytest.fixture
def story(env: Environment, speaker: Callable[[Participant], Speaker]) -> Story:
    with env.database.begin() as tx:
        seller = make_participant(tx, party_id="DEAAA", roles=frozenset({Role.CSO}))
        buyer = make_participant(tx, party_id="NLBBB", country="NL")
        make_agreement(tx, seller, buyer, valid_from=SINCE, terms=TERMS)
        for place, where in PLACES.items():
            evse = make_evse(f"DE*AAA*E{place}", **where)
            evses.apply_delta(tx, seller.participant_id, upserts=[evse], removals=[])
        billing.add_profile(tx, make_profile("DEAAA"), at=NOW)
    settlement.ensure_window(env, "2026-11")
    return Story(env, seller, buyer, speaker(seller), speaker(buyer))


def _statement(speaking: Speaker, contract: Contract) -> dict[str, str]:
    """Return the totals of the only statement, and the VAT of its documents."""
    listed = speaking.call("settlement", "ListStatements")
    got = speaking.call(
        "settlement",
        "GetStatement",
        f"<statementId>{listed.required('statementId')}</statementId>"
        "<format>XML</format>",
    )
    root = parse_own(base64.b64decode(got.required("content")))
    contract.schema("statement").assertValid(root)
    found = {
        name: root.findtext(f"s:totals/s:{name}", "", NAMESPACE)
        for name in ("net", "gross")
    }
    assert listed.required("gross") == found["gross"]
    for share in root.iterfind("s:position/s:taxed", NAMESPACE):
        rate = share.findtext("s:rate", "", NAMESPACE)
        found[rate] = share.findtext("s:vat", "", NAMESPACE)
    return found


def _amount(answer: Answer, name: str) -> str:
    (found,) = answer.all(name)
    return answer.children(found)["amount"]


def _prove(story: Story, window_id: int) -> None:
    """Prove the window and each of its statements again."""
    assert settlement.prove(story.env, window_id) == ()
    with story.env.database.begin_read_only() as tx:
        numbers = [one.statement_id for one in issued.issued_in(tx, window_id)]
    for number in numbers:
        assert statements.verify(story.env, number) == ()


@pytest.mark.clause("4.3-I3")
def test_v1_vat_is_rounded_once_for_five_small_sessions(
    story: Story, contract: Contract
) -> None:
    amounts = ("0.13", "0.13", "0.13", "1.07", "1.07")
    story.submit(*(("DE", amount) for amount in amounts))

    before = story.buys.call("settlement", "GetPositions")
    window_id = story.close()

    assert (_amount(before, "net"), _amount(before, "gross")) == ("-2.53", "-3.01")
    assert before.required("payable") == "2.53"
    assert before.required("payableGross") == "3.01"
    assert _statement(story.sells, contract) == {
        "net": "2.53",
        "gross": "3.01",
        "19.00": "0.48",
    }
    _prove(story, window_id)


@pytest.mark.clause("4.3-I3")
def test_v2_evses_in_two_countries_give_one_invoice_with_two_rates(
    story: Story, contract: Contract
) -> None:
    story.submit(("DE", "1000.05"), ("NL", "500.03"))

    window_id = story.close()

    assert _statement(story.sells, contract) == {
        "net": "1500.08",
        "gross": "1795.10",
        "19.00": "190.01",
        "21.00": "105.01",
    }
    assert _statement(story.buys, contract)["gross"] == "-1795.10"
    closed = story.sells.call(
        "settlement", "GetPositions", f"<windowId>{window_id}</windowId>"
    )
    assert _amount(closed, "gross") == "1795.10"
    _prove(story, window_id)


@pytest.mark.clause("4.3-I3")
def test_v2_taxable_dealer_abroad_owes_the_vat_itself(
    story: Story, contract: Contract
) -> None:
    buyer = make_profile("NLBBB", vat_id="NL004495445B01", country="NL")
    with story.env.database.begin() as tx:
        billing.add_profile(tx, buyer, at=NOW)
    story.submit(("DE", "1000.05"), ("NL", "500.03"))

    window_id = story.close()

    assert _statement(story.sells, contract) == {
        "net": "1500.08",
        "gross": "1500.08",
        "0.00": "0.00",
    }
    with story.env.database.begin_read_only() as tx:
        (number,) = documents.numbers_of_window(tx, window_id)
        invoice = documents.document_facts(tx, number)
    assert invoice is not None
    (reason,) = invoice.reasons
    assert reason is not None
    assert reason.code == "VATEX-EU-AE"
    _prove(story, window_id)


@pytest.mark.clause("4.3-I3")
def test_v3_price_with_vat_is_what_is_paid_in_the_end(
    story: Story, contract: Contract
) -> None:
    story.publish("WITH", ComponentType.ENERGY, "0.59", vat_included=True)
    record = make_sdr(
        csp_id="NLBBB",
        evse_id="DE*AAA*EDE",
        tariff_id="WITH",
        claimed_net=Decimal("9.92"),
    )
    story.send([spanning(record, STARTED_AT, minutes=40, energy_wh=20_000)])

    window_id = story.close()

    assert _statement(story.sells, contract) == {
        "net": "9.92",
        "gross": "11.80",
        "19.00": "1.88",
    }
    _prove(story, window_id)


@pytest.mark.clause("4.3-I3")
def test_n6_empty_window_takes_no_number_of_an_invoice(
    story: Story, contract: Contract
) -> None:
    settlement.close(story.env, next_label="2026-11b")
    story.submit(("DE", "1.00"))

    window_id = story.close()

    with story.env.database.begin_read_only() as tx:
        assert documents.numbers_of_window(tx, window_id - 1) == []
        assert documents.numbers_of_window(tx, window_id) == ["IN-DEAAA-2026-000001"]
    assert _statement(story.buys, contract)["gross"] == "-1.19"


def test_seller_that_gets_a_vat_id_within_a_window_has_documents_that_can_be_issued(
    story: Story,
) -> None:
    poor = make_profile("DEAAA", vat_id=None, tax_number="1/2", is_taxable_dealer=False)
    buyer = make_profile("NLBBB", vat_id="NL001000007B01", is_taxable_dealer=False)
    with story.env.database.begin() as tx:
        for profile in (poor, make_profile("DEAAA", valid_from=NOW.date()), buyer):
            billing.add_profile(tx, profile, at=NOW)
    story.publish("FLAT", ComponentType.FLAT, "10.00")
    sold = make_sdr(
        csp_id="NLBBB",
        evse_id="DE*AAA*EDE",
        tariff_id="FLAT",
        claimed_net=Decimal("10.00"),
    )
    today, before = (
        spanning(replace(sold, sdr_id=name), STARTED_AT - ago, minutes=40)
        for name, ago in (("TODAY", timedelta()), ("BEFORE", timedelta(hours=30)))
    )
    story.send([today, before])
    first = story.close("2026-12")

    # What is taken back is taxed as it was, whatever the profile says by then.
    with story.env.database.begin() as tx:
        billing.add_profile(tx, poor, at=NOW)
    story.send([credit_of(today)], 2)
    second = story.close("2027-01")
    invoices.issue_pending(story.env)

    assert _amounts(story, first) == [
        (DocumentKind.INVOICE, 10_00, 0),
        (DocumentKind.INVOICE, 10_00, 1_90),
    ]
    assert _amounts(story, second) == [(DocumentKind.CREDIT_NOTE, 10_00, 1_90)]
    assert invoices.waiting(story.env) == []
    for window_id in (first, second):
        _prove(story, window_id)


def _amounts(story: Story, window_id: int) -> list[tuple[DocumentKind, int, int]]:
    found = invoices.documents_of(story.env, window_id)
    return sorted((one.kind, one.net_minor, one.vat_minor) for one in found)
