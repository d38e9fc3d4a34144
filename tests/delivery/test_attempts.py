"""What a partner's reply means for a delivery."""

from __future__ import annotations

import typing

import pytest

from clearinghouse.delivery.attempts import outcome_of
from clearinghouse.domain.outbox import Attempt
from clearinghouse.services import ports
from clearinghouse.services.ports import Reply, Taken

CASES: list[tuple[Reply[Taken], Attempt]] = [
    (ports.Answered(Taken.TAKEN), Attempt.TAKEN),
    (ports.Refused(650), Attempt.REFUSED),
    (ports.Refused(901, retryable=True), Attempt.REFUSED_FOR_NOW),
    (ports.TimedOut(), Attempt.TIMED_OUT),
    (ports.Unreachable(), Attempt.UNREACHABLE),
    (ports.Busy(), Attempt.NOT_SENT),
    (ports.NoEndpoint(), Attempt.NO_ENDPOINT),
    (ports.Faulted(took_effect_unknown=True), Attempt.FAULTED),
    (ports.Faulted(took_effect_unknown=False), Attempt.REFUSED),
]


@pytest.mark.parametrize(("reply", "outcome"), CASES)
def test_each_reply_has_one_meaning(reply: Reply[Taken], outcome: Attempt) -> None:
    assert outcome_of(reply) is outcome


def test_every_kind_of_reply_is_among_the_cases() -> None:
    kinds = {
        typing.get_origin(kind) or kind for kind in typing.get_args(ports.NotAnswered)
    }

    assert kinds | {ports.Answered} == {type(reply) for reply, _ in CASES}
