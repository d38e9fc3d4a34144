"""What we say to partners and what they answer, in the words of the contract."""

from __future__ import annotations

from collections.abc import Sequence
from typing import cast
from uuid import UUID

from clearinghouse.domain.settlement_notices import Notice
from clearinghouse.facades.iec63119 import intermediate_sdrs
from clearinghouse.facades.iec63119.delivered_sdrs import delivered_sdr
from clearinghouse.facades.iec63119.vocabulary import (
    CREDENTIAL_KIND,
    DECISION,
    DISPUTE_PARTY,
    DISPUTE_STATE,
    SDR_NEWS,
    SESSION_EVENT,
    SESSION_STATE,
    SETTLEMENT_NEWS,
)
from clearinghouse.services.ports import (
    AuthorizeAnswer,
    AuthorizeQuestion,
    ControlAnswer,
    DeliveredSdr,
    SdrNotice,
    SessionNotice,
    StartOrder,
    StopOrder,
    Taken,
)
from clearinghouse.soap.binding import Bindings, Record

_ACCEPTED = "ACCEPTED"


def authorize(bindings: Bindings, question: AuthorizeQuestion) -> Record:
    """Return the question whether a credential may charge."""
    return bindings.new(
        "csp-endpoint:AuthorizeRequest",
        session_id=question.session_id,
        evse_id=question.evse_id,
        cso_id=question.cso_party,
        credential=bindings.new(
            "common:Credential",
            kind=CREDENTIAL_KIND.write(question.kind),
            value=question.value,
            secret=question.secret,
        ),
    )


def start_session(bindings: Bindings, order: StartOrder) -> Record:
    """Return the order to start."""
    return bindings.new(
        "cso-endpoint:StartSessionRequest",
        session_id=order.session_id,
        evse_id=order.evse_id,
        csp_id=order.csp_party,
        partner_session_id=order.partner_session_id,
    )


def stop_session(bindings: Bindings, order: StopOrder) -> Record:
    """Return the order to stop."""
    return bindings.new(
        "cso-endpoint:StopSessionRequest",
        session_id=order.session_id,
        partner_session_id=order.partner_session_id,
    )


def notify_session(bindings: Bindings, notice: SessionNotice) -> Record:
    """Return the news of a session."""
    return bindings.new(
        "csp-endpoint:NotifySessionRequest",
        session_id=notice.session_id,
        partner_session_id=notice.partner_session_id,
        event=SESSION_EVENT.write(notice.event),
        event_id=notice.event_id,
        occurred_at=notice.occurred_at,
        energy_wh=notice.energy_wh,
        state=SESSION_STATE.write(notice.state),
        cso_id=notice.cso_party,
        evse_id=notice.evse_id,
        intermediate_sdr=intermediate_sdrs.view(bindings, notice.intermediate),
    )


def deliver_sdrs(
    bindings: Bindings, delivery_id: UUID, sdrs: Sequence[DeliveredSdr]
) -> Record:
    """Return a delivery of SDRs."""
    return bindings.new(
        "csp-endpoint:DeliverSdrsRequest",
        delivery_id=delivery_id,
        sdr=[delivered_sdr(bindings, sdr) for sdr in sdrs],
    )


def notify_sdrs(
    bindings: Bindings, delivery_id: UUID, notices: Sequence[SdrNotice]
) -> Record:
    """Return a delivery of what was decided of SDRs."""
    return bindings.new(
        "cso-endpoint:NotifySdrsRequest",
        delivery_id=delivery_id,
        notice=[
            bindings.new(
                "cso-endpoint:SdrNotice",
                sdr_id=notice.sdr_id,
                status=SDR_NEWS.write(notice.news),
                reason=notice.reason,
                dispute_id=notice.dispute_id,
            )
            for notice in notices
        ],
    )


def notify_settlement(
    bindings: Bindings, delivery_id: UUID, notices: Sequence[Notice]
) -> Record:
    """Return a delivery of news of the settlement."""
    return bindings.new(
        "csp-endpoint:NotifySettlementRequest",
        delivery_id=delivery_id,
        notice=[_settlement_notice(bindings, notice) for notice in notices],
    )


def _settlement_notice(bindings: Bindings, notice: Notice) -> Record:
    state, turn = notice.dispute_state, notice.turn_of
    return bindings.new(
        "csp-endpoint:SettlementNotice",
        news=SETTLEMENT_NEWS.write(notice.news),
        occurred_at=notice.occurred_at,
        window_id=notice.window_id,
        window_label=notice.window_label,
        currency=notice.currency,
        statement_id=notice.statement_id,
        document_number=notice.document_number,
        run_id=notice.run_id,
        dispute_id=notice.dispute_id,
        sdr_id=notice.sdr_id,
        dispute_state=None if state is None else DISPUTE_STATE.write(state),
        turn_of=None if turn is None else DISPUTE_PARTY.write(turn),
        due_at=notice.due_at,
    )


def decision(answer: Record) -> AuthorizeAnswer | None:
    """Return what a CSP decided; ``None`` when its answer says nothing."""
    if answer.decision is None:
        return None
    return AuthorizeAnswer(
        verdict=DECISION.read(answer.decision),
        reason=answer.reason,
        contract_id=answer.contract_id,
        valid_until=answer.valid_until,
        max_energy_wh=answer.max_energy_wh,
    )


def start_outcome(answer: Record) -> ControlAnswer | None:
    """Return whether a CSO starts; ``None`` when its answer says nothing."""
    if answer.outcome is None:
        return None
    return ControlAnswer(
        accepted=answer.outcome == _ACCEPTED,
        partner_session_id=answer.partner_session_id,
        reason=answer.reason,
    )


def stop_outcome(answer: Record) -> ControlAnswer | None:
    """Return whether a CSO stops; ``None`` when its answer says nothing."""
    if answer.outcome is None:
        return None
    return ControlAnswer(accepted=cast("str", answer.outcome) == _ACCEPTED)


def taken(answer: Record) -> Taken:
    """Return that a delivery was taken: its result says so already."""
    _ = answer
    return Taken.TAKEN
