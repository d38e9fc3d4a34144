"""Service authorization: may this credential charge, or stop, here (4.3-I3)."""

from __future__ import annotations

from clearinghouse.facades.iec63119 import results
from clearinghouse.facades.iec63119.operations import Desk, OperationSpec, exchange_of
from clearinghouse.facades.iec63119.reading import credential_of, evse_id_of
from clearinghouse.facades.iec63119.vocabulary import (
    DECISION,
    DECISION_SOURCE,
)
from clearinghouse.services import authorization
from clearinghouse.services.authorization import (
    Authorization,
    AuthorizeStart,
    AuthorizeStop,
)
from clearinghouse.services.authorization_facts import Presented
from clearinghouse.services.outcomes import Refusal
from clearinghouse.soap.binding import Record
from clearinghouse.soap.operations import Call, Lane


def _authorize_start(desk: Desk, call: Call) -> bytes:
    command = AuthorizeStart(
        evse_id=evse_id_of(call.body.evse_id),
        presented=_presented(call.body.credential),
        partner_session_id=call.body.partner_session_id,
    )

    def render(outcome: Authorization | Refusal) -> bytes:
        if isinstance(outcome, Refusal):
            return results.answer(desk.bindings, call, outcome)
        decision = outcome.decision
        return results.answer(
            desk.bindings,
            call,
            outcome,
            session_id=outcome.session_id,
            csp_id=outcome.csp_party,
            list_version=decision.list_version,
            valid_until=decision.valid_until,
            max_energy_wh=decision.max_energy_wh,
            max_duration_seconds=decision.max_duration_seconds,
            **_decision(outcome),
        )

    return authorization.authorize_start(desk.env, exchange_of(call), command, render)


def _authorize_stop(desk: Desk, call: Call) -> bytes:
    command = AuthorizeStop(
        session_id=results.uuid_of(call.body.session_id),
        presented=_presented(call.body.credential),
    )

    def render(outcome: Authorization | Refusal) -> bytes:
        if isinstance(outcome, Refusal):
            return results.answer(desk.bindings, call, outcome)
        return results.answer(desk.bindings, call, outcome, **_decision(outcome))

    return authorization.authorize_stop(desk.env, exchange_of(call), command, render)


def _decision(outcome: Authorization) -> dict[str, str | None]:
    decision = outcome.decision
    source = decision.source
    return {
        "decision": DECISION.write(decision.verdict),
        "reason": None if decision.is_authorized else decision.reason.name,
        "decision_source": None if source is None else DECISION_SOURCE.write(source),
    }


def _presented(record: Record) -> Presented:
    kind, value = credential_of(record)
    return Presented(kind=kind, value=value, secret=record.secret)


OPERATIONS = (
    OperationSpec(
        service="authorization",
        name="AuthorizeStart",
        handle=_authorize_start,
        changes=True,
        lane=Lane.REALTIME,
    ),
    OperationSpec(
        service="authorization",
        name="AuthorizeStop",
        handle=_authorize_stop,
        changes=True,
        lane=Lane.REALTIME,
    ),
)
