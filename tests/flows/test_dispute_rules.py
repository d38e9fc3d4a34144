"""Disputes as the partners see them: what is refused, told, repeated and hidden."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from decimal import Decimal
from typing import TYPE_CHECKING, Any
from uuid import UUID, uuid4

import pytest
from sqlalchemy import select

from clearinghouse import codes
from clearinghouse.domain.debit_caps import DebitCap
from clearinghouse.domain.outbox import DeliveryKind, DeliveryState
from clearinghouse.services import (
    debit_caps,
    disputes,
    held_sdrs,
    sdr_delivery,
    settlement,
)
from clearinghouse.storage.outbox import Delivery
from clearinghouse.storage.tables.messages import outbox
from tests.builders import NOW
from tests.fixtures.two_sides import CARRIED, DAY, Stage, within
from tests.flows.sdr_messages import batch

if TYPE_CHECKING:
    from collections.abc import Callable

    from clearinghouse.domain.participants import Participant
    from clearinghouse.services.environment import Environment
    from tests.fixtures.engine import Speaker

    Speaking = Callable[[Participant], Speaker]


@pytest.mark.border("S-308")
def test_after_the_close_the_outcome_falls_into_the_open_window(stage: Stage) -> None:
    closed = stage.world.close("second")
    dispute_id = stage.opened("<acceptedNet>5.00</acceptedNet>")
    while_it_runs = stage.status()

    answer = stage.says(stage.cso, dispute_id, "ACCEPT")
    corrections = [one.text for one in answer.all("correctionSdrId")]

    assert while_it_runs == "DISPUTED"
    assert stage.status() == "CORRECTED"
    assert len(corrections) == 2
    assert stage.owed() == Decimal("-6.49")
    env = stage.world.env
    assert settlement.prove(env, closed.window.window_id) == ()
    second = stage.world.close("third")
    assert settlement.prove(env, second.window.window_id) == ()
    assert second.statements == 2
    page = stage.csp.call("sdr", "GetSdrs", "")
    assert [one.text for one in page.all("kind")] == ["CREDIT", "REPLACEMENT"]
    assert [one.text for one in page.all("ratedNet")] == ["11.49", "-11.49", "5.00"]
    assert "S-308" in [one.text for one in page.all("rule")]


def test_too_late_after_the_close_nothing_is_disputed(stage: Stage) -> None:
    stage.world.close("second")
    stage.clock.forward(seconds=64 * DAY)
    fresh = Stage(
        stage.world, stage.csp.logged_in(), stage.cso, stage.stranger, stage.clock
    )
    fresh.record = stage.record

    refused = fresh.dispute()

    assert refused.code == codes.DISPUTE_LATE.number


def test_a_disputed_sdr_leaves_the_window_or_stays_as_the_terms_say(made: Any) -> None:  # noqa: ANN401 - a maker
    stage: Stage = made(CARRIED)
    stage.opened()

    closed = stage.world.close("second")

    assert closed.settlements == ()
    assert stage.status() == "DISPUTED"


def test_all_faults_are_told_in_one_answer(stage: Stage) -> None:
    stage.opened()

    again = stage.dispute("<acceptedNet>11.49</acceptedNet>")

    assert again.code == codes.DISPUTE_RUNS.number
    told = {(item["code"], item["path"]) for item in again.items}
    assert told == {
        (str(codes.DISPUTE_RUNS.number), "sdrId"),
        (str(codes.DISPUTE_AMOUNT.number), "acceptedNet"),
    }
    assert stage.owed() == Decimal("11.49")


@pytest.mark.parametrize(
    ("who", "word", "more", "code"),
    [
        ("csp", "ACCEPT", "", codes.DISPUTE_IS_OPEN),
        ("csp", "OFFER", "<amount>5.00</amount>", codes.DISPUTE_IS_OPEN),
        ("cso", "WITHDRAW", "", codes.DISPUTE_IS_OPEN),
        ("cso", "ESCALATE", "", codes.DISPUTE_IS_OPEN),
        ("cso", "OFFER", "", codes.DISPUTE_AMOUNT),
        ("cso", "OFFER", "<amount>11.49</amount>", codes.DISPUTE_AMOUNT),
        ("cso", "OFFER", "<amount>5.001</amount>", codes.DISPUTE_AMOUNT),
        ("cso", "REJECT", "<amount>5.00</amount>", codes.DISPUTE_AMOUNT),
    ],
)
def test_a_step_that_is_none_is_refused_and_changes_nothing(
    stage: Stage, who: str, word: str, more: str, code: codes.Code
) -> None:
    dispute_id = stage.opened()

    refused = stage.says(getattr(stage, who), dispute_id, word, more)

    assert refused.code == code.number
    assert stage.state(dispute_id) == "OPEN"
    assert stage.owed() == Decimal("11.49")


def test_repeat_of_a_message_gets_the_same_answer_and_books_once(stage: Stage) -> None:
    dispute_id = stage.opened()
    message_id = uuid4()

    first = stage.says(stage.cso, dispute_id, "ACCEPT", message_id=message_id)
    again = stage.says(stage.cso, dispute_id, "ACCEPT", message_id=message_id)
    anew = stage.says(stage.cso, dispute_id, "ACCEPT")

    assert again.raw == first.raw
    assert anew.code == codes.DISPUTE_ENDED.number
    assert stage.owed() == 0


def test_an_outcome_is_final(stage: Stage) -> None:
    dispute_id = stage.opened("<acceptedNet>5.00</acceptedNet>")
    answer = stage.says(stage.cso, dispute_id, "ACCEPT")
    made = [str(one.text) for one in answer.all("correctionSdrId")]

    for sdr_id in made:
        refused = stage.csp.call(
            "sdr",
            "DisputeSdr",
            f"<submitterId>CHREP</submitterId><sdrId>{sdr_id}</sdrId>"
            "<reason>OTHER</reason>",
        )
        assert refused.code == codes.DISPUTE_FINAL.number
    rejected = stage.csp.call(
        "sdr",
        "ConfirmSdrs",
        f"<decision><submitterId>CHREP</submitterId><sdrId>{made[1]}</sdrId>"
        "<verdict>REJECTED</verdict></decision>",
    )

    assert [item["code"] for item in rejected.items] == [str(codes.SDR_DECIDED.number)]
    assert stage.owed() == Decimal("5.00")


def test_nobody_else_sees_that_there_is_a_dispute(stage: Stage) -> None:
    dispute_id = stage.opened()
    unknown = str(uuid4())

    feed = stage.stranger.call("sdr", "GetDisputes", "")
    theirs = stage.says(stage.stranger, dispute_id, "WITHDRAW")
    none = stage.says(stage.stranger, unknown, "WITHDRAW")
    content = (
        f"<submitterId>CHREP</submitterId><sdrId>{stage.record.sdr_id}</sdrId>"
        "<reason>OTHER</reason>"
    )
    other = stage.stranger.call("sdr", "DisputeSdr", content)

    assert not feed.has("dispute")
    assert theirs.code == none.code == codes.DISPUTE_UNKNOWN.number
    assert other.code == codes.SDR_UNKNOWN.number
    assert stage.state(dispute_id) == "OPEN"


def test_both_sides_see_the_same_file_and_only_what_changed(stage: Stage) -> None:
    evidence = (
        "<text>the meter stood still</text><evidence>"
        "<reference>https://files.csp.example/1.pdf</reference>"
        f"<digest>{'0f' * 32}</digest><format>PDF</format></evidence>"
    )
    dispute_id = stage.opened(evidence)
    pages = [one.call("sdr", "GetDisputes", "") for one in (stage.csp, stage.cso)]
    cursor = f"<cursor>{pages[0].required('nextCursor')}</cursor>"
    nothing = stage.csp.call("sdr", "GetDisputes", cursor)
    stage.says(stage.cso, dispute_id, "REJECT", "<text>it did not</text>")
    changed = stage.csp.call("sdr", "GetDisputes", cursor)

    files = [page.all("dispute")[0] for page in pages]
    texts = [[node.text for node in one.iter()] for one in files]
    assert texts[0] == texts[1]
    assert "https://files.csp.example/1.pdf" in texts[0]
    assert not nothing.has("dispute")
    assert [one.text for one in changed.all("text")][1:] == [
        "the meter stood still",
        "it did not",
    ]
    assert within(changed, "dispute", "state") == "ANSWERED"


def test_submitter_is_told_of_each_step(stage: Stage, env: Environment) -> None:
    stage.cso.call(
        "directory",
        "PutEndpoints",
        "<endpoint><service>cso-endpoint</service>"
        "<url>http://127.0.0.1:9/cso</url></endpoint>",
    )
    dispute_id = stage.opened()

    with env.database.begin() as tx:
        row = tx.execute(
            select(outbox).where(outbox.c.kind == DeliveryKind.NOTIFY_SDRS)
        ).one()
    delivery = Delivery(
        delivery_id=row.delivery_id,
        participant_id=row.participant_id,
        kind=DeliveryKind.NOTIFY_SDRS,
        subject_key=row.subject_key,
        payload=row.payload,
        state=DeliveryState.READY,
        attempts=0,
        run_at=row.run_at,
        lease_no=0,
        created_at=row.created_at,
    )
    notices = sdr_delivery.notices(env, delivery)

    assert [(one.sdr_id, one.reason) for one in notices] == [
        (stage.record.sdr_id, "OPEN")
    ]
    assert str(notices[0].dispute_id) == dispute_id


def test_answer_and_clock_at_once_book_once(stage: Stage) -> None:
    dispute_id = stage.opened()
    stage.clock.forward(seconds=17 * DAY)
    cso = stage.fresh("cso")

    with ThreadPoolExecutor(2) as pool:
        answered = pool.submit(stage.says, cso, dispute_id, "ACCEPT")
        lapsed = pool.submit(disputes.end_due, stage.world.env)
        code, moved = answered.result().code, lapsed.result()

    assert moved == 1, "the term is over, whoever comes first"
    assert code in (codes.DISPUTE_TERM.number, codes.DISPUTE_ENDED.number)
    assert stage.state(dispute_id) == "UPHELD_CSP"
    assert stage.owed() == 0


def test_of_two_words_at_once_one_ends_the_dispute(stage: Stage) -> None:
    dispute_id = stage.opened()

    with ThreadPoolExecutor(2) as pool:
        said = [
            pool.submit(stage.says, who, dispute_id, word)
            for who, word in ((stage.cso, "ACCEPT"), (stage.csp, "WITHDRAW"))
        ]
        found = sorted(one.result(60).code for one in said)

    assert found == [0, codes.DISPUTE_ENDED.number]
    owed = {"UPHELD_CSP": Decimal(0), "WITHDRAWN": Decimal("11.49")}
    assert stage.owed() == owed[stage.state(dispute_id)]


def test_at_its_end_a_term_is_over_whether_or_not_the_chore_has_run(
    stage: Stage,
) -> None:
    dispute_id = stage.opened()
    due = disputes.dispute_named(stage.world.env, UUID(dispute_id)).due_at
    assert due is not None
    stage.clock.forward(seconds=int((due - stage.clock.now()).total_seconds()))

    late = [
        stage.says(stage.fresh(who), dispute_id, word)
        for who, word in (("cso", "REJECT"), ("csp", "WITHDRAW"))
    ]
    before = stage.state(dispute_id)
    moved = disputes.end_due(stage.world.env)

    for answer in late:
        (item,) = answer.items
        assert answer.code == codes.DISPUTE_TERM.number
        assert (item["path"], item["expected"]) == (
            "answer",
            f"before {due.isoformat()}",
        )
    assert (before, moved, stage.state(dispute_id)) == ("OPEN", 1, "UPHELD_CSP")


def test_in_the_last_second_of_a_term_an_answer_counts(stage: Stage) -> None:
    dispute_id = stage.opened()
    due = disputes.dispute_named(stage.world.env, UUID(dispute_id)).due_at
    assert due is not None
    stage.clock.forward(seconds=int((due - stage.clock.now()).total_seconds()) - 1)

    answer = stage.says(stage.fresh("cso"), dispute_id, "REJECT")

    assert (answer.code, disputes.end_due(stage.world.env)) == (0, 0)
    assert stage.state(dispute_id) == "ANSWERED"


_PART = "more than 0 and less than 11.49 EUR"


@pytest.mark.parametrize(
    ("who", "said", "path", "expected"),
    [
        ("csp", ("ACCEPT", ""), "answer", "WITHDRAW"),
        ("cso", ("ESCALATE", ""), "answer", "ACCEPT REJECT OFFER"),
        ("cso", ("OFFER", ""), "amount", _PART),
        ("cso", ("OFFER", "<amount>0</amount>"), "amount", _PART),
        ("cso", ("OFFER", "<amount>1.001</amount>"), "amount", _PART),
        ("cso", ("REJECT", "<amount>1</amount>"), "amount", "none with REJECT"),
        ("stranger", ("ACCEPT", ""), "disputeId", "a dispute that you are a side of"),
    ],
)
def test_refused_step_tells_the_element_and_what_may_be_said(
    stage: Stage, who: str, said: tuple[str, str], path: str, expected: str
) -> None:
    dispute_id = stage.opened()

    (item,) = stage.says(getattr(stage, who), dispute_id, *said).items

    assert (item["path"], item["expected"]) == (path, expected)


def test_sdr_that_waits_for_room_under_a_cap_is_disputed_when_it_is_accepted(
    stage: Stage,
) -> None:
    env = stage.world.env
    none = DebitCap(party_id="DEABC", currency="EUR", limit_minor=0, valid_from=NOW)
    debit_caps.put_cap(env, none)
    stage.record = stage.world.session()
    content = batch(stage.sequence + 1, [stage.record])
    held = stage.cso.call("sdr", "SubmitSdrs", content).required("held")

    early = stage.dispute()
    debit_caps.put_cap(env, replace(none, limit_minor=None))
    held_sdrs.admit_due(env)

    (item,) = early.items
    assert (held, early.code) == ("1", codes.SDR_WAITS.number)
    assert (item["path"], item["found"]) == ("sdrId", "HELD")
    assert stage.dispute().code == 0


def test_a_disputed_sdr_is_not_decided_otherwise(stage: Stage) -> None:
    stage.opened()

    for verdict in ("CONFIRMED", "REJECTED"):
        answer = stage.csp.call(
            "sdr",
            "ConfirmSdrs",
            f"<decision><submitterId>CHREP</submitterId>"
            f"<sdrId>{stage.record.sdr_id}</sdrId><verdict>{verdict}</verdict>"
            "</decision>",
        )
        assert [item["found"] for item in answer.items] == ["DISPUTED"]
    assert stage.owed() == Decimal("11.49")


Word = tuple[str, str, int]
