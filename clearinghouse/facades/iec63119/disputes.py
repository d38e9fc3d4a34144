"""Service sdr: disputes, from both sides (settlement 2.7)."""

from __future__ import annotations

from decimal import Decimal

from clearinghouse.domain.money import currency_of, minor_to_decimal
from clearinghouse.facades.iec63119 import pages, results
from clearinghouse.facades.iec63119.operations import (
    Desk,
    OperationSpec,
    exchange_of,
    sender_of,
)
from clearinghouse.facades.iec63119.vocabulary import (
    DISPUTE_ACT,
    DISPUTE_ANSWER,
    DISPUTE_PARTY,
    DISPUTE_REASON,
    DISPUTE_STATE,
    EVIDENCE_FORMAT,
)
from clearinghouse.services import disputes
from clearinghouse.services.disputes import PAGE_MAX, Complaint, Filed, Reply
from clearinghouse.soap.binding import Bindings, Record
from clearinghouse.soap.operations import Call
from clearinghouse.storage.disputes import Dispute, Evidence, Step


def _dispute_sdr(desk: Desk, call: Call) -> bytes:
    body = call.body
    complaint = Complaint(
        submitter_party=body.submitter_id,
        sdr_id=body.sdr_id,
        reason=DISPUTE_REASON.read(body.reason),
        accepted=body.accepted_net,
        words=body.text,
        evidence=_evidence_of(body),
    )

    def render(outcome: Filed) -> bytes:
        return _filed(desk, call, outcome)

    return disputes.dispute_sdr(desk.env, exchange_of(call), complaint, render)


def _answer_dispute(desk: Desk, call: Call) -> bytes:
    body = call.body
    reply = Reply(
        dispute_id=results.uuid_of(body.dispute_id),
        act=DISPUTE_ANSWER.read(body.answer),
        amount=body.amount,
        words=body.text,
        evidence=_evidence_of(body),
    )

    def render(outcome: Filed) -> bytes:
        return _filed(desk, call, outcome)

    return disputes.answer_dispute(desk.env, exchange_of(call), reply, render)


def _get_disputes(desk: Desk, call: Call) -> bytes:
    page = disputes.get_disputes(
        desk.env,
        sender_of(call),
        cursor=call.body.cursor,
        limit=call.body.limit or PAGE_MAX,
    )
    return pages.answer(desk, call, page, name="dispute", listed=_listed)


def _listed(desk: Desk, found: Dispute) -> Record:
    return _dispute(desk.bindings, found)


def _filed(desk: Desk, call: Call, outcome: Filed) -> bytes:
    file = _dispute(desk.bindings, outcome.dispute)
    return results.answer(desk.bindings, call, outcome, dispute=file)


def _evidence_of(body: Record) -> tuple[Evidence, ...]:
    return tuple(
        Evidence(
            reference=one.reference,
            digest=one.digest,
            format=EVIDENCE_FORMAT.read(one.format),
        )
        for one in body.evidence
    )


def _dispute(bindings: Bindings, found: Dispute) -> Record:
    """Return the record of type ``sdr:Dispute``."""

    def amount(minor: int | None) -> Decimal | None:
        if minor is None:
            return None
        return minor_to_decimal(minor, currency_of(found.currency))

    return bindings.new(
        "sdr:Dispute",
        dispute_id=found.dispute_id,
        csp_id=found.csp_party,
        submitter_id=found.submitter_party,
        sdr_id=found.sdr_uid,
        window_id=found.place.window_id,
        window_label=found.window_label,
        reason=DISPUTE_REASON.write(found.reason),
        state=DISPUTE_STATE.write(found.state),
        currency=found.currency,
        disputed_net=amount(found.net_minor),
        accepted_net=amount(found.asked_minor),
        offered_net=amount(found.offered_minor),
        agreed_net=amount(found.agreed_minor),
        carried=found.carried,
        opened_at=found.opened_at,
        due_at=found.due_at,
        hard_stop_at=found.hard_stop_at,
        ended_at=found.ended_at,
        correction_sdr_id=list(found.corrections),
        step=[
            _step(bindings, one, amount(one.said.amount_minor)) for one in found.steps
        ],
    )


def _step(bindings: Bindings, step: Step, amount: Decimal | None) -> Record:
    said = step.said
    return bindings.new(
        "sdr:DisputeStep",
        at=step.at,
        party=DISPUTE_PARTY.write(said.party),
        act=DISPUTE_ACT.write(said.act),
        state=DISPUTE_STATE.write(step.state),
        amount=amount,
        text=said.words,
        evidence=[
            bindings.new(
                "sdr:Evidence",
                reference=one.reference,
                digest=one.digest,
                format=EVIDENCE_FORMAT.write(one.format),
            )
            for one in said.evidence
        ],
    )


OPERATIONS = (
    OperationSpec(service="sdr", name="DisputeSdr", handle=_dispute_sdr, changes=True),
    OperationSpec(
        service="sdr", name="AnswerDispute", handle=_answer_dispute, changes=True
    ),
    OperationSpec(
        service="sdr", name="GetDisputes", handle=_get_disputes, changes=False
    ),
)
