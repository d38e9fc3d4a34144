"""One SDR from its submission to the statement of both sides (4.3-I3)."""

from __future__ import annotations

import base64
import csv
import io
from collections.abc import Callable
from decimal import Decimal
from hashlib import sha256
from typing import TYPE_CHECKING

import pytest

from clearinghouse.domain.privacy import SubjectKind
from clearinghouse.identifiers.credential import CredentialKind
from clearinghouse.soap.parser import parse_own
from tests.builders import NOW
from tests.flows.sdr_messages import batch
from tests.services.sdr_world import World, make_sdr, make_world

if TYPE_CHECKING:
    from lxml import etree

    from clearinghouse.contract.catalogue import Contract
    from clearinghouse.domain.participants import Participant
    from clearinghouse.domain.sdrs import ServiceDetailRecord
    from clearinghouse.services.environment import Environment
    from tests.fixtures.engine import Answer, Speaker

CARD = "04A1B2C3D4E580"
NAMESPACE = {"s": "urn:clearinghouse:iec63119:statement:1"}


@pytest.fixture
def world(env: Environment) -> World:
    return make_world(env)


@pytest.fixture
def cso(world: World, speaker: Callable[[Participant], Speaker]) -> Speaker:
    return speaker(world.cso)


@pytest.fixture
def csp(world: World, speaker: Callable[[Participant], Speaker]) -> Speaker:
    return speaker(world.csp)


@pytest.fixture
def taken(world: World, cso: Speaker) -> ServiceDetailRecord:
    """Submit one SDR of a card that the CSP has enrolled."""
    world.env.vault.enrol(world.csp.participant_id, SubjectKind.RFID, [CARD], at=NOW)
    record = world.session(credential_kind=CredentialKind.RFID, credential_value=CARD)
    answer = cso.call("sdr", "SubmitSdrs", batch(1, [record]))
    assert answer.code == 0, answer.items
    return record


def _document(speaker: Speaker, fmt: str) -> bytes:
    listed = speaker.call("settlement", "ListStatements")
    number = listed.required("statementId")
    whole, part, parts = b"", 1, 1
    while part <= parts:
        got = speaker.call(
            "settlement",
            "GetStatement",
            f"<statementId>{number}</statementId><format>{fmt}</format>"
            f"<part>{part}</part>",
        )
        assert got.code == 0, got.raw
        parts = int(got.required("parts"))
        whole += base64.b64decode(got.required("content"))
        part += 1
    assert sha256(whole).hexdigest() == got.required("digest")
    return whole


def _decide(speaker: Speaker, record: ServiceDetailRecord, verdict: str) -> Answer:
    return speaker.call(
        "sdr",
        "ConfirmSdrs",
        f"<decision><submitterId>CHREP</submitterId><sdrId>{record.sdr_id}</sdrId>"
        f"<verdict>{verdict}</verdict><reason>NOT_OURS</reason></decision>",
    )


def _named(record: ServiceDetailRecord) -> str:
    return f"<sdrId>{record.sdr_id}</sdrId><submitterId>CHREP</submitterId>"


def _status(speaker: Speaker, record: ServiceDetailRecord) -> str:
    answer = speaker.call("sdr", "GetSdrStatus", _named(record))
    (standing,) = answer.all("status")[:1]
    return answer.children(standing)["status"]


@pytest.mark.clause("3.10", "4.3-I3", "8-min")
def test_the_home_csp_reads_the_record_with_the_card(
    csp: Speaker, cso: Speaker, taken: ServiceDetailRecord
) -> None:
    pulled = csp.call("sdr", "GetSdrs")
    own = cso.call("sdr", "GetSdrs", "<role>SUBMITTER</role>")

    for answer in (pulled, own):
        assert answer.code == 0
        assert answer.required("sdrId") == taken.sdr_id
        assert answer.required("value") == CARD
        assert answer.required("ratedNet") == "11.49"
        assert answer.required("energyWh") == "23456"
    later = csp.call("sdr", "GetSdrs", f"<cursor>{pulled.text('nextCursor')}</cursor>")
    assert not later.has("sdr")


@pytest.mark.clause("4.3-I3", "4.2-central")
def test_an_sdr_comes_to_stand_on_the_statements_of_both(
    world: World,
    csp: Speaker,
    cso: Speaker,
    taken: ServiceDetailRecord,
    contract: Contract,
) -> None:
    assert _decide(csp, taken, "CONFIRMED").code == 0
    assert _status(cso, taken) == _status(csp, taken) == "CONFIRMED"
    before = cso.call("settlement", "GetPositions")
    assert before.required("windowState") == "OPEN"
    assert before.required("receivable") == "11.49"

    world.close("2026-12")

    assert _status(cso, taken) == "SETTLED"
    after = csp.call("settlement", "GetPositions", "<windowId>1</windowId>")
    assert after.required("windowState") == "CLOSED"
    for told in (
        after,
        csp.call("settlement", "ListStatements"),
        csp.call("sdr", "GetSdrs"),
        csp.call("sdr", "GetSdrStatus", _named(taken)),
    ):
        assert told.required("windowLabel") == "2026-11"
    assert (after.required("payable"), after.required("amount")) == ("11.49", "-11.49")
    schema = contract.schema("statement")
    roots = [parse_own(_document(one, "XML")) for one in (cso, csp)]
    for root in roots:
        schema.assertValid(root)
        assert _text(root, "line/s:sdrId") == taken.sdr_id
        assert CARD.encode() not in _document(cso, "XML")
    nets = [Decimal(_text(root, "totals/s:net")) for root in roots]
    assert nets == [Decimal("11.49"), Decimal("-11.49")]
    assert sum(nets) == 0


def test_the_csv_tells_the_same_lines(
    world: World, csp: Speaker, taken: ServiceDetailRecord
) -> None:
    world.close("2026-12")

    (row,) = csv.DictReader(io.StringIO(_document(csp, "CSV").decode(), newline=""))

    assert (row["sdrId"], row["role"], row["net"], row["currency"]) == (
        taken.sdr_id,
        "PAYABLE",
        "11.49",
        "EUR",
    )


def test_a_rejection_counts_before_the_close_and_not_after(
    world: World, csp: Speaker, cso: Speaker, taken: ServiceDetailRecord
) -> None:
    second = world.session()
    cso.call("sdr", "SubmitSdrs", batch(2, [second]))

    assert _decide(csp, taken, "REJECTED").code == 0
    world.close("2026-12")
    late = _decide(csp, second, "REJECTED")

    assert (late.code, late.items[0]["code"]) == (100, "652")
    assert _status(cso, taken) == "REJECTED"
    assert (
        cso.call("settlement", "GetPositions", "<windowId>1</windowId>").required(
            "receivable"
        )
        == "11.49"
    )


def test_a_cso_has_no_word_on_sdrs(cso: Speaker, taken: ServiceDetailRecord) -> None:
    answer = _decide(cso, taken, "REJECTED")

    assert answer.is_fault
    assert answer.code == 822


def test_a_held_sdr_is_told_with_its_rule(cso: Speaker) -> None:
    record = make_sdr()
    cso.call("sdr", "SubmitSdrs", batch(1, [record]))

    answer = cso.call("sdr", "GetSdrStatus", "<batchSequence>1</batchSequence>")

    standing = answer.all("status")[0]
    assert answer.children(standing)["status"] == "HELD"
    assert answer.required("rule") == "S-201"


@pytest.mark.parametrize(
    ("operation", "content", "code"),
    [
        ("GetPositions", "<windowId>404</windowId>", 700),
        (
            "GetStatement",
            "<statementId>ST-2026-000404</statementId><format>XML</format>",
            710,
        ),
    ],
)
def test_what_is_not_there_has_its_own_code(
    cso: Speaker, operation: str, content: str, code: int
) -> None:
    answer = cso.call("settlement", operation, content)

    assert not answer.is_fault
    assert answer.code == code


def test_nobody_gets_the_statement_of_another(
    world: World, csp: Speaker, cso: Speaker, taken: ServiceDetailRecord
) -> None:
    _ = taken
    world.close("2026-12")
    number = cso.call("settlement", "ListStatements").required("statementId")

    answer = csp.call(
        "settlement",
        "GetStatement",
        f"<statementId>{number}</statementId><format>XML</format>",
    )

    assert answer.code == 710


def test_a_cursor_that_is_not_ours_is_a_fault(csp: Speaker) -> None:
    answer = csp.call("sdr", "GetSdrs", "<cursor>yesterday</cursor>")

    assert answer.is_fault
    assert answer.code == 826


def _text(root: etree._Element, path: str) -> str:
    text = root.findtext(f"s:{path}", None, NAMESPACE)
    assert text is not None
    return text
