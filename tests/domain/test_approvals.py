"""Four eyes: who may approve what, and how operators come in."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from clearinghouse import codes
from clearinghouse.codes import Code
from clearinghouse.domain import approvals
from clearinghouse.domain.approvals import (
    APPROVAL_KEPT,
    WAITING_ALONE,
    Approval,
    ApprovalState,
    Operator,
    OperatorStatus,
    Wanted,
)

NOW = datetime(2026, 11, 23, 9, tzinfo=UTC)
WANTED = Wanted(action="abort run", object="7", payload={"reason": "x", "run": 7})
ASKED = Approval(
    approval_id=1,
    wanted=WANTED,
    digest=approvals.digest_of(WANTED),
    requested_by="anna",
    requested_at=NOW,
    expires_at=NOW + APPROVAL_KEPT,
)
BEN = Operator(
    name="ben", status=OperatorStatus.ACTIVE, approves_from=NOW, created_at=NOW
)
_CHANGED = replace(WANTED, payload={"reason": "y", "run": 7})


@pytest.mark.parametrize(
    ("asked", "by", "now", "refused"),
    [
        (ASKED, BEN, NOW, None),
        (ASKED, replace(BEN, name="anna"), NOW, codes.APPROVAL_SAME),
        (ASKED, replace(BEN, approves_from=None), NOW, codes.APPROVAL_EARLY),
        (ASKED, BEN, NOW - timedelta(seconds=1), codes.APPROVAL_EARLY),
        (replace(ASKED, wanted=_CHANGED), BEN, NOW, codes.APPROVAL_DIGEST),
        (ASKED, BEN, NOW + APPROVAL_KEPT, codes.APPROVAL_STATE),
        (replace(ASKED, withdrawn_at=NOW), BEN, NOW, codes.APPROVAL_STATE),
        (replace(ASKED, approved_at=NOW), BEN, NOW, codes.APPROVAL_STATE),
    ],
)
def test_only_another_operator_approves_what_waits_unchanged(
    asked: Approval, by: Operator, now: datetime, refused: Code | None
) -> None:
    assert approvals.why_not_approved(asked, by, now) is refused


def test_request_is_over_at_its_expiry_and_not_before() -> None:
    last = NOW + APPROVAL_KEPT - timedelta(microseconds=1)

    assert approvals.state_of(ASKED, last) is ApprovalState.PENDING
    assert approvals.state_of(ASKED, NOW + APPROVAL_KEPT) is ApprovalState.EXPIRED


@pytest.mark.parametrize(
    ("ever", "active", "at_once", "wait"),
    [
        (0, 0, True, timedelta(0)),
        (1, 1, True, timedelta(0)),
        (2, 2, False, None),
        (2, 1, True, WAITING_ALONE),
        (5, 0, True, WAITING_ALONE),
    ],
)
def test_operators_come_in_alone_only_where_nobody_could_approve(
    ever: int, active: int, *, at_once: bool, wait: timedelta | None
) -> None:
    entry = approvals.entry_of(ever=ever, active=active, now=NOW)

    assert entry.at_once is at_once
    assert entry.approves_from == (None if wait is None else NOW + wait)


def test_digest_is_of_action_object_and_payload_whatever_their_order() -> None:
    turned = replace(WANTED, payload={"run": 7, "reason": "x"})
    others = [
        replace(WANTED, action="abort window"),
        replace(WANTED, object="8"),
        _CHANGED,
    ]

    assert approvals.digest_of(turned) == approvals.digest_of(WANTED)
    assert len({approvals.digest_of(one) for one in [WANTED, *others]}) == 4
