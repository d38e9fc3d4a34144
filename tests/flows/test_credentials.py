"""Credential lists: full, in parts, as a delta, held, and pulled by CSOs."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import TYPE_CHECKING
from uuid import UUID, uuid4

import pytest
from lxml import etree
from sqlalchemy import text

from clearinghouse import codes
from clearinghouse.domain.agreements import Mode
from clearinghouse.domain.privacy import SubjectKind
from clearinghouse.identifiers import contract_id
from clearinghouse.services import held_lists
from clearinghouse.storage import agreements, participants
from tests.builders import make_agreement, make_cso, make_csp
from tests.fixtures.engine import credential
from tests.fixtures.roaming import CARD, CONTRACT, OTHER_CARD, entry

if TYPE_CHECKING:
    from collections.abc import Callable

    from clearinghouse.domain.participants import Participant
    from clearinghouse.services.environment import Environment
    from tests.fixtures.engine import Answer, Speaker
    from tests.fixtures.partners import StillClock
    from tests.fixtures.roaming import Roaming


def put(
    speaker: Speaker,
    *entries: str,
    part: int = 1,
    parts: int = 1,
    expected: int | None = None,
    list_id: UUID | None = None,
    message_id: UUID | None = None,
) -> Answer:
    count = len(entries) if expected is None else expected
    return speaker.call(
        "credential",
        "PutCredentials",
        f"<expectedCount>{count}</expectedCount>{''.join(entries)}<part>{part}</part>"
        f"<parts>{parts}</parts><listId>{list_id or uuid4()}</listId>",
        message_id=message_id,
    )


def update(speaker: Speaker, content: str, *, message_id: UUID | None = None) -> Answer:
    return speaker.call(
        "credential", "UpdateCredentials", content, message_id=message_id
    )


def pulled(speaker: Speaker, content: str = "") -> Answer:
    return speaker.call("credential", "GetCredentials", content)


def lines(answer: Answer) -> dict[str, tuple[str, bool]]:
    """Return status and tombstone by credential value."""
    found = {}
    for line in answer.all("entry"):
        told = {etree.QName(one).localname: one.text for one in line.iter()}
        found[str(told["value"])] = (str(told["status"]), "removed" in told)
    return found


def card(number: int) -> str:
    return f"04{number:012X}"


def contract(number: int) -> str:
    return contract_id.format(f"DEABCC{number:08d}")


def cards(count: int, *, start: int = 0) -> list[str]:
    return [
        entry(card(number), contract=contract(number))
        for number in range(start, start + count)
    ]


@pytest.mark.clause("4.3-I3")
@pytest.mark.clause("5-B2")
def test_list_of_a_csp_reaches_its_agreed_csos(roaming: Roaming) -> None:
    answer = put(roaming.csp_speaks, entry(CARD), entry(OTHER_CARD, status="BLOCKED"))

    shown = pulled(roaming.cso_speaks)

    assert answer.code == 0
    assert answer.required("state") == "APPLIED"
    assert answer.required("listVersion") == "1"
    assert lines(shown) == {CARD: ("VALID", False), OTHER_CARD: ("BLOCKED", False)}
    assert {one.text for one in shown.all("cspId")} == {"DEABC"}


@pytest.mark.clause("8-min")
def test_csos_never_see_contracts_or_user_names(roaming: Roaming) -> None:
    put(roaming.csp_speaks, entry(CARD), entry("ada@example.org", kind="USERNAME"))

    shown = pulled(roaming.cso_speaks)

    assert set(lines(shown)) == {CARD}
    assert b"C00000001" not in shown.raw
    assert b"contract" not in shown.raw


@pytest.mark.clause("8-separate")
def test_business_tables_hold_no_personal_value(
    roaming: Roaming, env: Environment
) -> None:
    put(roaming.csp_speaks, entry(CARD))

    with env.database.begin_read_only() as tx:
        tables = tx.execute(
            text("SELECT tablename FROM pg_tables WHERE schemaname = 'clearing'")
        )
        for name in tables.scalars().all():
            query = f"SELECT t::text FROM clearing.{name} t"  # noqa: S608 - a catalogue name
            rows = tx.execute(text(query)).scalars().all()
            assert not [row for row in rows if CARD in row or "C0000000" in row], name


def test_list_in_parts_is_in_force_with_its_last_part(roaming: Roaming) -> None:
    list_id = uuid4()
    send = partial(put, roaming.csp_speaks, parts=2, expected=2, list_id=list_id)

    first = send(entry(CARD), part=1)
    between = lines(pulled(roaming.cso_speaks))
    last = send(entry(OTHER_CARD), part=2)

    assert (first.code, first.text("state")) == (codes.LIST_STAGED.number, "STAGED")
    assert between == {}
    assert (last.code, last.text("state")) == (0, "APPLIED")
    assert set(lines(pulled(roaming.cso_speaks))) == {CARD, OTHER_CARD}


def test_part_that_comes_again_under_a_new_message_id_changes_nothing(
    roaming: Roaming,
) -> None:
    list_id = uuid4()
    put(roaming.csp_speaks, entry(CARD), list_id=list_id)

    again = put(roaming.csp_speaks, entry(CARD), list_id=list_id)

    assert again.code == codes.ALREADY_DONE.number
    assert again.required("state") == "APPLIED"
    assert again.required("listVersion") == "1"
    assert set(lines(pulled(roaming.cso_speaks))) == {CARD}


def test_part_that_comes_again_with_other_entries_is_refused(roaming: Roaming) -> None:
    list_id = uuid4()
    send = partial(put, roaming.csp_speaks, parts=2, expected=2, list_id=list_id)
    send(entry(CARD), part=1)

    other = send(entry(CARD, status="BLOCKED"), part=1)
    send(entry(OTHER_CARD), part=2)
    late = send(entry(CARD), part=2)

    for refused in (other, late):
        assert refused.code == codes.CREDENTIAL_LIST_PARTS.number
        assert [item["path"] for item in refused.items] == ["part"]
    assert lines(pulled(roaming.cso_speaks)) == {
        CARD: ("VALID", False),
        OTHER_CARD: ("VALID", False),
    }


def test_two_messages_with_one_part_at_once_put_it_in_force_once(
    roaming: Roaming,
) -> None:
    send = partial(put, roaming.csp_speaks, list_id=uuid4())

    with ThreadPoolExecutor(4) as pool:
        answers = [pool.submit(send, entry(CARD)) for _ in range(4)]

    states = [one.result().required("state") for one in answers]
    told = sorted(one.result().code for one in answers)
    assert states == ["APPLIED"] * 4
    assert told == [0, *[codes.ALREADY_DONE.number] * 3]
    assert lines(pulled(roaming.cso_speaks)) == {CARD: ("VALID", False)}


def test_messages_with_one_list_at_once_hold_it_once(roaming: Roaming) -> None:
    put(roaming.csp_speaks, *cards(5, start=10))
    send = partial(put, roaming.csp_speaks, list_id=uuid4())

    with ThreadPoolExecutor(6) as pool:
        answers = [pool.submit(send, entry(CARD)) for _ in range(6)]

    told = sorted(one.result().code for one in answers)
    assert {one.result().required("state") for one in answers} == {"HELD"}
    held = [codes.ALREADY_DONE.number] * 5 + [codes.LIST_HELD.number]
    assert told == sorted(held)
    assert CARD not in lines(pulled(roaming.cso_speaks))


def test_refuses_parts_that_tell_different_totals(roaming: Roaming) -> None:
    list_id = uuid4()
    put(roaming.csp_speaks, entry(CARD), parts=2, expected=2, list_id=list_id)

    other = put(
        roaming.csp_speaks, entry(CARD), part=2, parts=3, expected=2, list_id=list_id
    )
    beyond = put(roaming.csp_speaks, entry(CARD), part=3, parts=2, expected=2)

    assert other.code == codes.CREDENTIAL_LIST_PARTS.number
    assert beyond.code == codes.CREDENTIAL_LIST_PARTS.number


def test_refuses_a_list_whose_parts_do_not_add_up(roaming: Roaming) -> None:
    answer = put(roaming.csp_speaks, entry(CARD), expected=2)

    assert answer.code == codes.CREDENTIAL_LIST_PARTS.number
    assert answer.items[0]["found"] == "2"
    assert answer.items[0]["expected"].startswith("1,")
    assert lines(pulled(roaming.cso_speaks)) == {}


def test_exact_repeat_gets_the_stored_answer(roaming: Roaming) -> None:
    send = partial(put, roaming.csp_speaks, message_id=uuid4(), list_id=uuid4())

    first = send(entry(CARD))
    repeat = send(entry(CARD))
    other = send(entry(OTHER_CARD))

    assert repeat.raw == first.raw
    assert other.code == codes.DUPLICATE_CONFLICT.number
    assert set(lines(pulled(roaming.cso_speaks))) == {CARD}


def test_list_that_would_remove_more_than_half_is_held(
    roaming: Roaming, env: Environment
) -> None:
    put(roaming.csp_speaks, *cards(5))

    half = put(roaming.csp_speaks, *cards(3))
    held = put(roaming.csp_speaks, *cards(1))
    meanwhile = lines(pulled(roaming.cso_speaks))

    assert half.required("state") == "APPLIED"
    assert held.code == codes.LIST_HELD.number
    assert held.required("state") == "HELD"
    assert not held.has("listVersion")
    assert sum(not removed for _, removed in meanwhile.values()) == 3

    (waiting,) = held_lists.held_lists(env)
    held_lists.confirm(env, waiting.held.list_id)
    after = lines(pulled(roaming.cso_speaks))
    assert [value for value, (_, gone) in after.items() if not gone] == [card(0)]


def test_empty_list_does_not_wipe_a_csp(roaming: Roaming) -> None:
    put(roaming.csp_speaks, *cards(2))

    assert put(roaming.csp_speaks).required("state") == "HELD"
    assert set(lines(pulled(roaming.cso_speaks))) == {card(0), card(1)}


@pytest.mark.parametrize(
    ("line", "code", "path"),
    [
        (entry("04A1B2"), codes.CREDENTIAL_MALFORMED, "credential/value"),
        (entry("1234567890"), codes.CREDENTIAL_MALFORMED, "credential/value"),
        (entry("08A1B2C3"), codes.CREDENTIAL_RANDOM_UID, "credential/value"),
        (
            entry("once", kind="DYNAMIC_QR"),
            codes.CREDENTIAL_MALFORMED,
            "credential/value",
        ),
        (
            entry(contract="DE-ABC-C00000001-5"),
            codes.CONTRACT_CHECK_DIGIT,
            "contractId",
        ),
        (entry(contract="DE-ABC-1"), codes.CONTRACT_MALFORMED, "contractId"),
        (
            entry(contract=contract_id.format("NLTNMC00000001")),
            codes.CONTRACT_NOT_YOURS,
            "contractId",
        ),
    ],
)
def test_wrong_entry_is_answered_by_its_index_and_spares_the_others(
    roaming: Roaming, line: str, code: codes.Code, path: str
) -> None:
    answer = put(roaming.csp_speaks, entry(OTHER_CARD), line)

    (item,) = answer.items
    assert answer.code == codes.PARTLY.number
    assert answer.required("state") == "APPLIED"
    assert item["index"] == "1"
    assert item["code"] == str(code.number)
    assert item["path"] == path
    assert set(lines(pulled(roaming.cso_speaks))) == {OTHER_CARD}
    assert CARD not in str(item)


def test_secret_has_no_place_in_a_list(roaming: Roaming) -> None:
    line = entry().replace("</credential>", "<c:secret>1234</c:secret></credential>")

    answer = put(roaming.csp_speaks, line)

    assert answer.items[0]["path"] == "credential/secret"
    assert "1234" not in str(answer.items)


def test_refused_entry_leaves_its_credential_as_it_was(roaming: Roaming) -> None:
    put(roaming.csp_speaks, entry(CARD), entry(OTHER_CARD))

    answer = put(
        roaming.csp_speaks,
        entry(CARD, contract="DE-ABC-C00000001-5", status="BLOCKED"),
        entry(OTHER_CARD),
    )

    assert answer.code == codes.PARTLY.number
    assert lines(pulled(roaming.cso_speaks))[CARD] == ("VALID", False)


def test_last_of_two_lines_for_one_card_counts(roaming: Roaming) -> None:
    answer = put(
        roaming.csp_speaks, entry(CARD), entry("04:a1:b2:c3:d4:e5:80", status="BLOCKED")
    )

    assert answer.code == codes.PARTLY.number
    assert answer.items[0]["code"] == str(codes.CREDENTIAL_DUPLICATE.number)
    assert answer.items[0]["index"] == "0"
    assert lines(pulled(roaming.cso_speaks)) == {CARD: ("BLOCKED", False)}


def test_card_of_another_csp_is_not_taken_over(
    roaming: Roaming, env: Environment, speaker: Callable[[Participant], Speaker]
) -> None:
    put(roaming.csp_speaks, entry(CARD))
    with env.database.begin() as tx:
        other = make_csp(tx, "NLTNM")
        make_agreement(tx, roaming.cso, other)

    own = contract_id.format("NLTNMC00000001")
    answer = put(speaker(other), entry(CARD, contract=own))

    assert answer.items[0]["code"] == str(codes.CREDENTIAL_CLAIMED.number)
    shown = pulled(roaming.cso_speaks)
    assert {one.text for one in shown.all("cspId")} == {"DEABC"}


def test_csp_may_use_contracts_of_its_aliases(
    roaming: Roaming, env: Environment
) -> None:
    with env.database.begin() as tx:
        participants.add_alias(tx, roaming.csp.participant_id, "NLTNM")

    answer = put(
        roaming.csp_speaks, entry(contract=contract_id.format("NLTNMC00000001"))
    )

    assert answer.code == 0


def test_delta_adds_blocks_and_removes(roaming: Roaming) -> None:
    put(roaming.csp_speaks, entry(CARD), entry(card(1), contract=contract(1)))
    cursor = pulled(roaming.cso_speaks).required("nextCursor")

    answer = update(
        roaming.csp_speaks,
        entry(OTHER_CARD, element="upsert")
        + entry(CARD, status="BLOCKED", element="upsert")
        + credential(card(1)).replace("credential>", "remove>"),
    )

    assert answer.code == 0
    assert answer.required("listVersion") == "2"
    assert lines(pulled(roaming.cso_speaks, f"<cursor>{cursor}</cursor>")) == {
        OTHER_CARD: ("VALID", False),
        CARD: ("BLOCKED", False),
        card(1): ("BLOCKED", True),
    }


def test_delta_answers_each_wrong_change(roaming: Roaming) -> None:
    answer = update(
        roaming.csp_speaks,
        entry(CARD, element="upsert")
        + entry("04A1", element="upsert")
        + credential("zz").replace("credential>", "remove>"),
    )

    assert answer.code == codes.PARTLY.number
    assert [(item["index"], item["path"]) for item in answer.items] == [
        ("0", "remove/value"),
        ("1", "upsert/credential/value"),
    ]
    assert set(lines(pulled(roaming.cso_speaks))) == {CARD}


def test_removal_of_what_is_not_listed_or_not_yours_changes_nothing(
    roaming: Roaming, env: Environment, speaker: Callable[[Participant], Speaker]
) -> None:
    put(roaming.csp_speaks, entry(CARD))
    with env.database.begin() as tx:
        other = make_csp(tx, "NLTNM")
    unlisted = credential(OTHER_CARD).replace("credential>", "remove>")
    foreign = credential(CARD).replace("credential>", "remove>")

    answer = update(speaker(other), unlisted + foreign)

    assert answer.code == 0
    assert lines(pulled(roaming.cso_speaks)) == {CARD: ("VALID", False)}


def test_repeated_delta_gets_the_stored_answer(roaming: Roaming) -> None:
    message_id = uuid4()
    content = entry(CARD, element="upsert")

    first = update(roaming.csp_speaks, content, message_id=message_id)
    repeat = update(roaming.csp_speaks, content, message_id=message_id)
    other = update(
        roaming.csp_speaks, entry(OTHER_CARD, element="upsert"), message_id=message_id
    )

    assert repeat.raw == first.raw
    assert other.code == codes.DUPLICATE_CONFLICT.number


def test_pull_comes_in_pages_and_shows_changes_once(roaming: Roaming) -> None:
    put(roaming.csp_speaks, *cards(5))
    seen: list[str] = []
    cursor, more = "", "true"
    while more == "true":
        page = pulled(roaming.cso_speaks, f"<cursor>{cursor}</cursor><limit>2</limit>")
        seen += lines(page)
        cursor, more = page.required("nextCursor"), page.required("more")

    assert sorted(seen) == [card(number) for number in range(5)]
    nothing = pulled(roaming.cso_speaks, f"<cursor>{cursor}</cursor>")
    assert lines(nothing) == {}


def test_cso_sees_lists_of_agreed_csps_only(
    roaming: Roaming, env: Environment, speaker: Callable[[Participant], Speaker]
) -> None:
    put(roaming.csp_speaks, entry(CARD))
    with env.database.begin() as tx:
        stranger = speaker_party = make_cso(tx, "CHCCC")
        direct = make_cso(tx, "CHIBA")
        make_agreement(tx, direct, roaming.csp, mode=Mode.A)

    unagreed = pulled(speaker(stranger), "<cspId>DEABC</cspId>")
    unknown = pulled(speaker(speaker_party), "<cspId>DEZZZ</cspId>")

    assert lines(pulled(speaker(stranger))) == {}
    assert lines(pulled(speaker(direct))) == {}, "mode A goes past the clearing house"
    assert unagreed.code == unknown.code == codes.NO_AGREEMENT.number
    assert set(lines(pulled(roaming.cso_speaks, "<cspId>DEABC</cspId>"))) == {CARD}


def test_pull_ends_with_the_agreement(
    roaming: Roaming, env: Environment, clock: StillClock
) -> None:
    put(roaming.csp_speaks, entry(CARD))
    with env.database.begin() as tx:
        agreements.end_agreement(tx, roaming.agreement.agreement_id, at=clock.now())

    assert lines(pulled(roaming.cso_speaks)) == {}


@pytest.mark.clause("8-forget")
def test_erased_card_is_not_shown_any_more(
    roaming: Roaming, env: Environment, clock: StillClock
) -> None:
    put(roaming.csp_speaks, entry(CARD), entry(OTHER_CARD))
    found = env.vault.find_subjects(SubjectKind.RFID, [CARD])

    env.vault.erase([found[CARD].subject_id], at=clock.now())

    assert set(lines(pulled(roaming.cso_speaks))) == {OTHER_CARD}


def test_contract_stays_the_same_in_din_spelling(roaming: Roaming) -> None:
    assert CONTRACT.startswith("DE-ABC")
    assert put(roaming.csp_speaks, entry(contract="DE*ABC*012204")).code == 0
