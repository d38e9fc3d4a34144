"""The verbs on disputes: seen, decided by two, booked."""

from __future__ import annotations

from typing import TYPE_CHECKING
from uuid import uuid4

from clearinghouse.domain.disputes import Act, DisputeReason
from clearinghouse.services import disputes
from clearinghouse.services.disputes import Complaint, Filed, Reply
from tests.builders import make_sender
from tests.fixtures.operators import PASSWORD, make_operators
from tests.fixtures.verbs import value_of
from tests.services.sdr_world import make_world, message

if TYPE_CHECKING:
    from collections.abc import Callable

    from typer.testing import Result

    from clearinghouse.services.environment import Environment


def test_a_dispute_is_seen_and_decided_by_two_operators(
    run: Callable[..., Result], env: Environment
) -> None:
    make_operators(env)
    world = make_world(env)
    record = world.session()
    world.submit([record])
    told: list[Filed] = []

    def render(outcome: Filed) -> bytes:
        told.append(outcome)
        return b"<answer/>"

    csp, cso = make_sender(world.csp), make_sender(world.cso)
    complaint = Complaint(
        submitter_party="CHREP",
        sdr_id=record.sdr_id,
        reason=DisputeReason.ENERGY,
        words="too much",
    )
    disputes.dispute_sdr(env, message(csp, operation="DisputeSdr"), complaint, render)
    dispute_id = told[0].dispute.dispute_id
    for sender, act in ((cso, Act.REJECT), (csp, Act.ESCALATE)):
        reply = Reply(dispute_id=dispute_id, act=act)
        exchange = message(sender, operation="AnswerDispute")
        disputes.answer_dispute(env, exchange, reply, render)
    words = ("dispute", "decide", str(dispute_id), "--words", "half of it is proved")
    given = {"text": f"{PASSWORD}\n"}

    (listed,) = value_of(run("--json", "dispute", "list"))
    shown = value_of(run("--json", "dispute", "show", str(dispute_id)))
    text = run("dispute", "show", str(dispute_id))
    without = run(*words, "--verdict", "SPLIT", "--operator", "anna", **given)
    wrong = run(*words, "--verdict", "SPLIT", "--amount", "x", "--operator", "anna")
    asked = run(
        *(*words, "--verdict", "SPLIT", "--amount", "5.00", "--operator", "anna"),
        **given,
    )
    done = run("approval", "approve", "1", "--operator", "ben", **given)
    after = run("dispute", "list")
    everything = value_of(run("--json", "dispute", "list", "--all"))

    assert (listed["state"], listed["disputed"]) == ("ESCALATED", "11.49")
    assert [one["act"] for one in shown["steps"]] == ["DISPUTE", "REJECT", "ESCALATE"]
    assert "too much" in text.output
    assert without.exit_code == 1
    assert "DISPUTE_AMOUNT" in without.output
    assert wrong.exit_code != 0
    assert "approval approve 1" in asked.output
    assert "SPLIT" in done.output, done.output
    assert "Nothing is disputed" in after.output
    assert (everything[0]["state"], everything[0]["agreed"]) == ("SPLIT", "5.00")


def test_an_unknown_dispute_is_refused(run: Callable[..., Result]) -> None:
    refused = run("dispute", "show", str(uuid4()))

    assert refused.exit_code == 1
    assert "DISPUTE_UNKNOWN" in refused.output
