"""The verbs on disputes: seen, decided by two, booked."""

from __future__ import annotations

from typing import TYPE_CHECKING
from uuid import UUID, uuid4

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


def _escalated(env: Environment) -> UUID:
    """Return a dispute of 11.49 EUR that waits for the house."""
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
    return dispute_id


def test_a_dispute_is_seen_and_decided_by_two_operators(
    run: Callable[..., Result], env: Environment
) -> None:
    make_operators(env)
    dispute_id = _escalated(env)
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


def test_refused_decision_says_what_may_be_decided(
    run: Callable[..., Result], env: Environment
) -> None:
    make_operators(env)
    dispute_id = _escalated(env)

    def told(*verdict: str) -> str:
        words = ("dispute", "decide", str(dispute_id), "--words", "x", "--verdict")
        return run(*words, *verdict, "--operator", "anna", text=f"{PASSWORD}\n").output

    limits = "amount: expected more than 0 and less than 11.49 EUR"
    assert f"{limits}, found none" in told("SPLIT")
    assert f"{limits}, found 11.49" in told("SPLIT", "--amount", "11.49")
    assert f"{limits}, found 1.005" in told("SPLIT", "--amount", "1.005")
    assert "amount: expected none with UPHOLD_CSO, found 2.00" in told(
        "UPHELD_CSO", "--amount", "2"
    )
    assert "approve 1" in told("UPHELD_CSP")
    given = {"text": f"{PASSWORD}\n"}
    assert run("approval", "approve", "1", "--operator", "ben", **given).exit_code == 0
    assert "answer: expected nothing now, found UPHELD_CSP" in told("UPHELD_CSO")
