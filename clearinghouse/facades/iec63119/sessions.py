"""Service session: remote start and stop, reports of the visited partner, look-up."""

from __future__ import annotations

from collections.abc import Callable

from clearinghouse.domain.privacy import SubjectKind
from clearinghouse.facades.iec63119 import intermediate_sdrs, results
from clearinghouse.facades.iec63119.operations import (
    Desk,
    OperationSpec,
    exchange_of,
    sender_of,
)
from clearinghouse.facades.iec63119.reading import (
    contract_of,
    credential_of,
    evse_id_of,
)
from clearinghouse.facades.iec63119.vocabulary import (
    SESSION_EVENT,
    SESSION_STATE,
)
from clearinghouse.services import remote_sessions, sessions
from clearinghouse.services.outcomes import Done, Refusal
from clearinghouse.services.remote_sessions import Customer, Ordered, RemoteStart
from clearinghouse.services.sessions import Report, Reported, SessionView
from clearinghouse.soap.binding import Record
from clearinghouse.soap.operations import Call, Lane


def _start_session(desk: Desk, call: Call) -> bytes:
    body = call.body
    command = RemoteStart(
        evse_id=evse_id_of(body.evse_id),
        customer=(
            _holder(body.credential)
            if body.contract_id is None
            else _contract(body.contract_id)
        ),
        partner_session_id=body.partner_session_id,
    )

    def render(outcome: Ordered | Refusal) -> bytes:
        if isinstance(outcome, Refusal):
            return results.answer(desk.bindings, call, outcome)
        return results.answer(
            desk.bindings,
            call,
            outcome,
            session_id=outcome.session_id,
            state=SESSION_STATE.write(outcome.state),
        )

    return remote_sessions.start_session(desk.env, exchange_of(call), command, render)


def _stop_session(desk: Desk, call: Call) -> bytes:
    session_id = results.uuid_of(call.body.session_id)
    render = _state_renderer(desk, call)
    return remote_sessions.stop_session(desk.env, exchange_of(call), session_id, render)


def _report_session(desk: Desk, call: Call) -> bytes:
    body = call.body
    report = Report(
        session_id=results.uuid_of(body.session_id),
        event=SESSION_EVENT.read(body.event),
        event_id=results.uuid_of(body.event_id),
        occurred_at=body.occurred_at,
        energy_wh=body.energy_wh,
        reason=body.reason,
        partner_session_id=body.partner_session_id,
        intermediate=intermediate_sdrs.told(body.intermediate_sdr),
    )
    render = _state_renderer(desk, call)
    return sessions.report_session(desk.env, exchange_of(call), report, render)


def _state_renderer(
    desk: Desk, call: Call
) -> Callable[[Ordered | Reported | Refusal], bytes]:
    """Return what words an outcome whose answer holds the state beside the result."""

    def render(outcome: Ordered | Reported | Refusal) -> bytes:
        if isinstance(outcome, Refusal):
            return results.answer(desk.bindings, call, outcome)
        state = SESSION_STATE.write(outcome.state)
        return results.answer(desk.bindings, call, outcome, state=state)

    return render


def _get_session(desk: Desk, call: Call) -> bytes:
    body = call.body
    view = sessions.get_session(
        desk.env,
        sender_of(call),
        session_id=(
            None if body.session_id is None else results.uuid_of(body.session_id)
        ),
        partner_session_id=body.partner_session_id,
    )
    return results.answer(desk.bindings, call, Done(), session=_view(desk, view))


def _view(desk: Desk, view: SessionView) -> Record:
    session = view.session
    new = desk.bindings.new
    return new(
        "session:SessionView",
        session_id=session.session_id,
        partner_session_id=[
            new("session:PartnerSession", party_id=party, value=value)
            for party, value in view.names
        ],
        cso_id=view.cso_party,
        csp_id=view.csp_party,
        evse_id=view.evse_id,
        state=SESSION_STATE.write(session.state),
        authorized_at=session.authorized_at,
        started_at=session.started_at,
        ended_at=session.ended_at,
        energy_wh=session.energy_wh,
        event=[
            new(
                "session:SessionHistory",
                event=SESSION_EVENT.write(event.event),
                occurred_at=event.occurred_at,
                received_at=event.received_at,
                energy_wh=event.energy_wh,
            )
            for event in view.events
        ],
        intermediate_sdr=intermediate_sdrs.view(desk.bindings, view.intermediate),
    )


def _holder(record: Record) -> Customer:
    kind, value = credential_of(record)
    return Customer(kind=SubjectKind(kind), value=value)


def _contract(received: str) -> Customer:
    contract = contract_of(received)
    return Customer(
        kind=SubjectKind.CONTRACT, value=contract.key, provider=contract.provider
    )


OPERATIONS = (
    OperationSpec(
        service="session",
        name="StartSession",
        handle=_start_session,
        changes=True,
        lane=Lane.REALTIME,
    ),
    OperationSpec(
        service="session",
        name="StopSession",
        handle=_stop_session,
        changes=True,
        lane=Lane.REALTIME,
    ),
    OperationSpec(
        service="session",
        name="ReportSession",
        handle=_report_session,
        changes=True,
        lane=Lane.REALTIME,
    ),
    OperationSpec(
        service="session",
        name="GetSession",
        handle=_get_session,
        changes=False,
    ),
)
