"""Wrong and hostile input to the operations on completeness, disputes and documents.

Each gets a clear code and the place; nothing is stored, no value comes back, and what
belongs to others looks the same as what is not there.
"""

from __future__ import annotations

from typing import TYPE_CHECKING
from uuid import UUID, uuid4
from xml.sax.saxutils import escape

import pytest

from clearinghouse import codes
from clearinghouse.domain.participants import ParticipantStatus
from clearinghouse.storage import participants
from clearinghouse.storage.tables.disputes import dispute
from tests.services.sdr_world import World, count_of, make_world
from tests.services.test_invoices import NUMBER, bill

if TYPE_CHECKING:
    from collections.abc import Callable

    from clearinghouse.domain.participants import Participant
    from clearinghouse.services.environment import Environment
    from tests.fixtures.engine import Answer, Speaker

#: What must never come back: a value that only the asker knows.
MARK = "ZZMARKZZ"

SERVICE = {
    "GetDigest": "sdr",
    "DisputeSdr": "sdr",
    "AnswerDispute": "sdr",
    "GetDisputes": "sdr",
    "GetProof": "settlement",
    "ListInvoices": "settlement",
    "GetInvoice": "settlement",
}

BOMB = f"<!DOCTYPE b [<!ENTITY a '{MARK}'><!ENTITY b '&a;&a;&a;&a;'>]><b>&b;</b>"


def complaint(
    sdr_id: str = "S-1",
    submitter: str = "CHREP",
    more: str = "",
    reason: str = "TARIFF",
) -> str:
    """Dispute an SDR."""
    return (
        f"<submitterId>{submitter}</submitterId><sdrId>{sdr_id}</sdrId>"
        f"<reason>{reason}</reason>{more}"
    )


def reply(dispute_id: UUID | str, answer: str = "ACCEPT", more: str = "") -> str:
    """Answer a dispute."""
    return f"<disputeId>{dispute_id}</disputeId><answer>{answer}</answer>{more}"


def days(first: str, last: str, more: str = "") -> str:
    """Ask for digests."""
    return f"<firstDay>{first}</firstDay><lastDay>{last}</lastDay>{more}"


def wanted(number: str = NUMBER, fmt: str = "UBL", more: str = "") -> str:
    """Ask for a document."""
    return f"<documentNumber>{number}</documentNumber><format>{fmt}</format>{more}"


def proof(sdr_id: str) -> str:
    """Ask for a proof of inclusion."""
    return f"<sdrId>{sdr_id}</sdrId><submitterId>CHREP</submitterId>"


def evidence(times: int = 1, reference: str = "https://a.example/1") -> str:
    """Point to evidence."""
    one = (
        f"<evidence><reference>{reference}</reference><digest>{'0' * 64}</digest>"
        "<format>PDF</format></evidence>"
    )
    return one * times


#: The code of what breaks the schema.
SCHEMA = 805

#: Codes from here on refuse.
FIRST_REFUSAL = 200

#: Longest text of a step in a dispute.
TEXT_LENGTH_MAX = 500

#: Operation and content.
CASES: dict[str, tuple[str, str]] = {
    "digest of a day before there are days": (
        "GetDigest",
        days("0000-01-01", "0000-01-02"),
    ),
    "digest after the last year": ("GetDigest", days("10000-01-01", "10000-01-02")),
    "digest of negative years": ("GetDigest", days("-2026-01-01", "2026-01-01")),
    "digest in a text": ("GetDigest", days(MARK, MARK)),
    "digest without days": ("GetDigest", ""),
    "digest in a role that is none": (
        "GetDigest",
        f"<role>{MARK}</role>" + days("2026-11-01", "2026-11-02"),
    ),
    "dispute of nothing": ("DisputeSdr", ""),
    "dispute for a reason that is none": ("DisputeSdr", complaint(reason=MARK)),
    "dispute with an amount that is none": (
        "DisputeSdr",
        complaint(more=f"<acceptedNet>{MARK}</acceptedNet>"),
    ),
    "dispute with an amount without end": (
        "DisputeSdr",
        complaint(more=f"<acceptedNet>{'9' * 400}</acceptedNet>"),
    ),
    "dispute with an infinite amount": (
        "DisputeSdr",
        complaint(more="<acceptedNet>INF</acceptedNet>"),
    ),
    "dispute with too long a text": (
        "DisputeSdr",
        complaint(more=f"<text>{'x' * 100_000}</text>"),
    ),
    "dispute with an unseen sign": (
        "DisputeSdr",
        complaint(more=f"<text>{MARK}\u202e</text>"),
    ),
    "dispute with ten thousand proofs": (
        "DisputeSdr",
        complaint(more=evidence(10_000)),
    ),
    "dispute with a bad address": (
        "DisputeSdr",
        complaint(more=evidence(reference=f"javascript:{MARK}")),
    ),
    "dispute of ten thousand SDRs": (
        "DisputeSdr",
        complaint() + "<sdrId>S-2</sdrId>" * 10_000,
    ),
    "dispute of a party that is none": ("DisputeSdr", complaint(submitter=MARK)),
    "answer to no dispute": ("AnswerDispute", reply(MARK)),
    "answer that is none": ("AnswerDispute", reply(uuid4(), answer=MARK)),
    "answer with a huge amount": (
        "AnswerDispute",
        reply(uuid4(), "OFFER", f"<amount>{'9' * 400}</amount>"),
    ),
    "disputes by a limit below nothing": ("GetDisputes", "<limit>-1</limit>"),
    "disputes by the limit nought": ("GetDisputes", "<limit>0</limit>"),
    "disputes by a huge limit": ("GetDisputes", "<limit>99999999999999999999</limit>"),
    "disputes by a cursor with blanks": (
        "GetDisputes",
        f"<cursor>{MARK} {MARK}</cursor>",
    ),
    "proof of nothing": ("GetProof", ""),
    "proof of too long an id": ("GetProof", f"<sdrId>{'x' * 10_000}</sdrId>"),
    "invoices by a limit below nothing": ("ListInvoices", "<limit>-1</limit>"),
    "invoices by a huge limit": ("ListInvoices", "<limit>99999999999999999999</limit>"),
    "invoice by a number that is none": ("GetInvoice", wanted(f"IN-{MARK}")),
    "invoice in a form that is none": ("GetInvoice", wanted(fmt=MARK)),
    "invoice in part nought": ("GetInvoice", wanted(more="<part>0</part>")),
    "invoice in a part below nothing": ("GetInvoice", wanted(more="<part>-1</part>")),
    "invoice in a huge part": ("GetInvoice", wanted(more=f"<part>{'9' * 40}</part>")),
    "invoice with an element of nobody": ("GetInvoice", wanted(more=f"<x>{MARK}</x>")),
}


@pytest.fixture
def world(env: Environment) -> World:
    made = make_world(env)
    made.submit(
        [made.session(sdr_id="S-1"), made.session(made.other_csp, sdr_id="S-2")]
    )
    bill(made, made.cso, made.csp)
    made.close("2026-12")
    return made


def quiet(answer: Answer) -> None:
    """Nothing of the asker's, of the house's inside or of a library is told."""
    said = answer.raw.decode()
    for word in (MARK, "Traceback", "lxml", "psycopg", "sqlalchemy", "libxml"):
        assert word not in said


def test_what_breaks_the_schema_is_refused_with_its_place_and_stores_nothing(
    world: World, speaker: Callable[[Participant], Speaker]
) -> None:
    speaking = speaker(world.csp)
    for case, (operation, content) in CASES.items():
        answer = speaking.call(SERVICE[operation], operation, content)

        assert (answer.is_fault, answer.code) == (True, SCHEMA), case
        (item, *_) = answer.items
        root = f"/{operation[0].lower()}{operation[1:]}Request"
        assert item["path"].startswith(root), case
        assert item["expected"], case
        quiet(answer)
    assert count_of(world, dispute) == 0


def test_sign_that_xml_does_not_have_is_no_message(
    world: World, speaker: Callable[[Participant], Speaker]
) -> None:
    speaking = speaker(world.csp)

    for sign in ("&#0;", "&#x1;", "\x07", "&nbsp;"):
        answer = speaking.call(
            "sdr", "DisputeSdr", complaint(more=f"<text>{sign}</text>")
        )
        assert answer.is_fault, sign
        quiet(answer)
    assert count_of(world, dispute) == 0


@pytest.mark.clause("8-min")
def test_what_is_of_others_looks_like_what_is_not_there(
    world: World, speaker: Callable[[Participant], Speaker]
) -> None:
    csp, other = speaker(world.csp), speaker(world.other_csp)
    filed = other.call("sdr", "DisputeSdr", complaint("S-2"))
    dispute_id = filed.required("disputeId")

    pairs = {
        "DisputeSdr": (complaint("S-2"), complaint("S-9")),
        "AnswerDispute": (reply(dispute_id), reply(uuid4())),
        "GetProof": (proof("S-2"), proof("S-9")),
        "GetInvoice": (wanted("IN-CHREP-2026-000002"), wanted("IN-CHREP-2026-000009")),
    }
    for operation, contents in pairs.items():
        foreign, absent = (
            csp.call(SERVICE[operation], operation, content) for content in contents
        )
        assert foreign.code == absent.code >= FIRST_REFUSAL, operation
        assert foreign.items == absent.items, operation
        assert foreign.text("text") == absent.text("text"), operation
        quiet(foreign)
    assert not csp.call("sdr", "GetDisputes").has("dispute")
    assert count_of(world, dispute) == 1


def test_cursors_of_nobody_of_others_and_of_other_operations_show_nothing_of_others(
    world: World, speaker: Callable[[Participant], Speaker]
) -> None:
    csp, other = speaker(world.csp), speaker(world.other_csp)
    other.call("sdr", "DisputeSdr", complaint("S-2"))
    cursors = [
        MARK,
        "-",
        "9" * 64,
        "18446744073709551615.9223372036854775807",
        other.call("sdr", "GetDisputes").required("nextCursor"),
        other.call("settlement", "ListInvoices").required("nextCursor"),
    ]
    asked = {
        "GetDisputes": "",
        "ListInvoices": "",
        "GetDigest": days("2026-11-01", "2026-11-30"),
    }
    for operation, content in asked.items():
        for cursor in cursors:
            answer = csp.call(
                SERVICE[operation], operation, f"{content}<cursor>{cursor}</cursor>"
            )
            assert answer.status in {200, 500}, (operation, cursor)
            assert answer.code in {0, codes.CURSOR.number, SCHEMA}, (
                operation,
                cursor,
                answer.code,
            )
            said = answer.raw.decode()
            assert "FRXYZ" not in said, (operation, cursor)
            quiet(answer)


def test_days_that_mean_nothing_are_refused_with_their_place(
    world: World, speaker: Callable[[Participant], Speaker]
) -> None:
    speaking = speaker(world.csp)

    for first, last in (
        ("2026-02-30", "2026-03-01"),
        ("2026-11-02", "2026-11-01"),
        ("0001-01-01", "9999-12-31"),
    ):
        answer = speaking.call("sdr", "GetDigest", days(first, last))
        assert answer.code >= FIRST_REFUSAL, (first, answer.code)
        assert answer.items[0]["path"].endswith("Day"), answer.items
        quiet(answer)


def test_message_id_with_another_body_is_refused_and_a_repeat_is_answered_as_before(
    world: World, speaker: Callable[[Participant], Speaker]
) -> None:
    speaking, message_id = speaker(world.csp), uuid4()
    content = complaint("S-1")

    first = speaking.call("sdr", "DisputeSdr", content, message_id=message_id)
    changed = speaking.call(
        "sdr", "DisputeSdr", complaint("S-1", reason="ENERGY"), message_id=message_id
    )
    again = speaking.call("sdr", "DisputeSdr", content, message_id=message_id)

    assert first.code == again.code == 0
    assert first.required("disputeId") == again.required("disputeId")
    assert (changed.code, changed.has("dispute")) == (
        codes.DUPLICATE_CONFLICT.number,
        False,
    )
    assert count_of(world, dispute) == 1


def test_bomb_in_cdata_is_refused_and_one_that_is_escaped_stays_a_text(
    world: World, speaker: Callable[[Participant], Speaker]
) -> None:
    csp, cso = speaker(world.csp), speaker(world.cso)
    cdata = f"<text><![CDATA[{BOMB}]]></text>"
    refused = csp.call("sdr", "DisputeSdr", complaint("S-1", more=cdata))
    stored = count_of(world, dispute)
    text = f"<text>{escape(BOMB)}</text>"
    filed = csp.call("sdr", "DisputeSdr", complaint("S-1", more=text))
    longest = f"<text>{'x' * TEXT_LENGTH_MAX}</text>" + evidence(5)
    answered = cso.call(
        "sdr", "AnswerDispute", reply(filed.required("disputeId"), "REJECT", longest)
    )

    # No byte of a message may look like a document type: a filter is before the parser.
    assert (refused.is_fault, stored) == (True, 0)
    assert "CH.XML.DTD" in refused.raw.decode()
    quiet(refused)
    assert (filed.code, answered.code) == (0, 0)
    bomb, rejected = answered.all("step")
    assert bomb.findtext("{*}text") == BOMB
    assert len(rejected.findtext("{*}text", "")) == TEXT_LENGTH_MAX
    assert b"<!" not in answered.raw


def test_who_has_not_the_role_and_who_is_suspended_is_refused(
    world: World, speaker: Callable[[Participant], Speaker]
) -> None:
    cso = speaker(world.cso)
    refused = cso.call("sdr", "DisputeSdr", complaint("S-1"))
    suspended = speaker(world.csp)
    with world.env.database.begin() as tx:
        participants.set_status(
            tx, world.csp.participant_id, ParticipantStatus.SUSPENDED
        )

    assert refused.code >= FIRST_REFUSAL
    for operation, service in SERVICE.items():
        contents = {
            "GetDigest": days("2026-11-01", "2026-11-02"),
            "DisputeSdr": complaint("S-1"),
            "AnswerDispute": reply(uuid4()),
            "GetProof": proof("S-1"),
            "GetInvoice": wanted(),
        }
        answer = suspended.call(service, operation, contents.get(operation, ""))
        assert answer.code == codes.TOKEN.number, (
            operation,
            answer.code,
        )
        quiet(answer)
    assert count_of(world, dispute) == 0
