"""A statement as XML: valid, the same bytes each time, whatever the texts hold."""

from __future__ import annotations

from decimal import Decimal
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from clearinghouse.domain.statements import Direction
from clearinghouse.reports.statement_xml import XmlWriter
from clearinghouse.soap.parser import parse_own
from tests.reports.statement_values import make_line, make_statement, written

if TYPE_CHECKING:
    from collections.abc import Sequence

    from clearinghouse.contract.catalogue import Contract
    from clearinghouse.domain.statements import Statement, StatementLine

SPACE = {"s": "urn:clearinghouse:iec63119:statement:1"}

ORIGIN = ("kind", "reference", "referenceWindow", "matchKind")

EXPECTED = b"""<?xml version='1.0' encoding='UTF-8'?>
<statement xmlns="urn:clearinghouse:iec63119:statement:1">
<statementId>ST-2026-000001</statementId>
<windowId>7</windowId>
<windowLabel>2026-11</windowLabel>
<currency>EUR</currency>
<closedAt>2026-11-23T10:00:00Z</closedAt>
<issuer><partyId>CHCLR</partyId><name>Clearing house</name></issuer>
<participant><partyId>CHREP</partyId><name>Repower &amp; S\xc3\xb6hne &lt;AG&gt;</name>\
<country>CH</country></participant>
<position><counterpartyId>DEABC</counterpartyId><role>RECEIVABLE</role>\
<sdrCount>1</sdrCount><energyWh>23456</energyWh><net>11.49</net></position>
<totals><receivable>11.49</receivable><payable>0.00</payable><net>11.49</net>\
<sdrCount>1</sdrCount><energyWh>23456</energyWh></totals>
<sessionMonth><month>2026-11</month><sdrCount>1</sdrCount>\
<energyWh>23456</energyWh><net>11.49</net></sessionMonth>
<line><lineNo>1</lineNo><role>RECEIVABLE</role>\
<counterpartyId>DEABC</counterpartyId><submitterId>CHREP</submitterId>\
<sdrId>SDR-0001</sdrId><sessionId>00000000-0000-0000-0000-000000000001</sessionId>\
<evseId>CH*REP*E0001*1</evseId><startedAt>2026-11-21T11:00:00Z</startedAt>\
<endedAt>2026-11-21T11:40:00Z</endedAt><energyWh>23456</energyWh>\
<chargeSeconds>2400</chargeSeconds><idleSeconds>0</idleSeconds>\
<parkingSeconds>0</parkingSeconds><tariffId>T-1</tariffId>\
<tariffVersion>1</tariffVersion><engineVersion>1</engineVersion>\
<claimedNet>11.49</claimedNet><net>11.49</net><rule>S-304</rule></line>
<digest><algorithm>SHA-256</algorithm><lineCount>1</lineCount>\
<value>3cc5a4d4aef19d32ef4152f6b865b503c23415d888acffdaef5a81c5abc28a2c</value>\
</digest>
</statement>
"""


def render(statement: Statement, lines: Sequence[StatementLine]) -> bytes:
    return written(XmlWriter(statement), statement, lines)


def test_a_statement_of_before_keeps_its_bytes() -> None:
    line = make_line(rules="S-304")

    assert render(make_statement(line, layout=1), [line]) == EXPECTED


def test_the_bytes_are_these_and_no_others() -> None:
    line = make_line(rules="S-304")
    origin = b"<kind>ORIGINAL</kind><matchKind>SESSION_ID</matchKind></line>"

    data = render(make_statement(line), [line])

    assert data == EXPECTED.replace(b"</line>", origin)


def test_a_correction_names_what_it_corrects_and_in_which_window(
    contract: Contract,
) -> None:
    line = make_line(
        kind="CREDIT", reference="SDR-0000", reference_window="6", match_kind=""
    )

    root = parse_own(render(make_statement(line), [line]))

    contract.schema("statement").assertValid(root)
    found = {name: root.findtext(f"s:line/s:{name}", None, SPACE) for name in ORIGIN}
    assert found == {
        "kind": "CREDIT",
        "reference": "SDR-0000",
        "referenceWindow": "6",
        "matchKind": None,
    }


@pytest.mark.parametrize("number", [0, 1, 3])
def test_a_statement_is_valid(contract: Contract, number: int) -> None:
    lines = [make_line(place + 1) for place in range(number)]

    root = parse_own(render(make_statement(*lines), lines))

    contract.schema("statement").assertValid(root)


@given(
    evse_id=st.text(st.characters(min_codepoint=32, max_codepoint=126), min_size=1),
    name=st.text(st.characters(codec="utf-8", exclude_categories=["C"]), min_size=1),
)
def test_texts_come_back_as_they_were(evse_id: str, name: str) -> None:
    line = make_line(evse_id=evse_id)
    statement = make_statement(line, participant_name=name)

    root = parse_own(render(statement, [line]))

    assert root.findtext("s:line/s:evseId", None, SPACE) == evse_id
    assert root.findtext("s:participant/s:name", None, SPACE) == name


@given(st.lists(st.integers(0, 10**9), max_size=20), st.integers(1, 7))
def test_batches_of_any_size_give_the_same_bytes(amounts: list[int], size: int) -> None:
    lines = [make_line(n, net_minor=net) for n, net in enumerate(amounts, start=1)]
    statement = make_statement(*lines)

    batches = [lines[n : n + size] for n in range(0, len(lines), size)]
    whole = written(XmlWriter(statement), statement, *batches)

    assert whole == render(statement, lines)


@pytest.mark.parametrize(
    ("currency", "net_minor", "written"),
    [("EUR", 5, "0.05"), ("JPY", 1161, "1161"), ("KWD", 354, "0.354")],
)
def test_amounts_have_the_decimals_of_their_currency(
    currency: str, net_minor: int, written: str
) -> None:
    line = make_line(net_minor=net_minor)

    root = parse_own(render(make_statement(line, currency=currency), [line]))

    assert root.findtext("s:line/s:net", None, SPACE) == written


def test_what_is_owed_names_the_submitter_as_counterparty() -> None:
    line = make_line(direction=Direction.PAYABLE)

    root = parse_own(render(make_statement(line), [line]))

    assert root.findtext("s:line/s:counterpartyId", None, SPACE) == "CHREP"


def test_the_lines_sum_to_the_totals() -> None:
    lines = [make_line(n, net_minor=n * 101) for n in range(1, 50)]

    root = parse_own(render(make_statement(*lines), lines))

    nets = [Decimal(net.text or "") for net in root.findall("s:line/s:net", SPACE)]
    assert root.findtext("s:totals/s:net", None, SPACE) == str(sum(nets))
