"""Service sdr: batches of SDRs in, SDRs out, the home CSP's word, status (3.10)."""

from __future__ import annotations

from clearinghouse.domain.money import currency_of, minor_to_decimal
from clearinghouse.facades.iec63119 import pages, results
from clearinghouse.facades.iec63119.batch_faults import as_rule
from clearinghouse.facades.iec63119.delivered_sdrs import delivered_sdr
from clearinghouse.facades.iec63119.operations import (
    Desk,
    OperationSpec,
    exchange_of,
    sender_of,
)
from clearinghouse.facades.iec63119.sdr_wire import control_of, records_of
from clearinghouse.facades.iec63119.vocabulary import (
    MATCH_KIND,
    SDR_ROLE,
    SDR_STATUS,
    SDR_VERDICT,
)
from clearinghouse.services import sdr_intake, sdrs
from clearinghouse.services.outcomes import Done
from clearinghouse.services.sdr_intake import Submission, Submitted
from clearinghouse.services.sdrs import SdrQuery, Standing, StatusQuery, Word
from clearinghouse.soap.binding import Bindings, Record
from clearinghouse.soap.operations import Call, Lane

#: SDRs of one page when the request names no limit, as the schema says.
PAGE_LIMIT_DEFAULT = 500


def _submit_sdrs(desk: Desk, call: Call) -> bytes:
    if call.stream is None:
        raise TypeError("SubmitSdrs belongs to the bulk lane")
    submission = Submission(
        batch_sequence=call.body.batch_sequence,
        control=control_of(call.body.control),
        records=records_of(call.stream),
    )

    def render(outcome: Submitted) -> bytes:
        return _submitted(desk, call, outcome)

    return sdr_intake.submit_sdrs(desk.env, exchange_of(call), submission, render)


def _submitted(desk: Desk, call: Call, outcome: Submitted) -> bytes:
    result = results.result(desk.bindings, call, outcome.code, items=outcome.items)
    result.items_omitted = outcome.omitted or None
    counts = outcome.counts
    return desk.bindings.write(
        desk.bindings.new(
            "sdr:SubmitSdrsResponse",
            result=result,
            batch_id=outcome.batch_id,
            accepted=counts.accepted,
            held=counts.held,
            refused=counts.refused,
            duplicates=counts.duplicates,
            batch_root=outcome.receipt.root.hex(),
            receipt=desk.bindings.new(
                "sdr:Receipt",
                text=outcome.receipt.text,
                key_id=outcome.receipt.key_id,
                signature=outcome.receipt.signature,
            ),
        )
    )


def _get_sdrs(desk: Desk, call: Call) -> bytes:
    role = call.body.role
    page = sdrs.get_sdrs(
        desk.env,
        sender_of(call),
        SdrQuery(
            role=None if role is None else SDR_ROLE.read(role),
            cursor=call.body.cursor,
            limit=call.body.limit or PAGE_LIMIT_DEFAULT,
        ),
    )
    return results.answer(
        desk.bindings,
        call,
        Done(),
        sdr=[delivered_sdr(desk.bindings, one) for one in page.items],
        **pages.tail(page),
    )


def _confirm_sdrs(desk: Desk, call: Call) -> bytes:
    words = [
        Word(
            submitter_party=one.submitter_id,
            sdr_id=one.sdr_id,
            verdict=SDR_VERDICT.read(one.verdict),
            reason=one.reason,
        )
        for one in call.body.decision
    ]

    def render(outcome: Done) -> bytes:
        return results.answer(desk.bindings, call, outcome)

    return sdrs.confirm_sdrs(desk.env, exchange_of(call), words, render)


def _get_sdr_status(desk: Desk, call: Call) -> bytes:
    page = sdrs.get_sdr_status(
        desk.env,
        sender_of(call),
        StatusQuery(
            sdr_ids=call.body.sdr_id,
            batch_sequence=call.body.batch_sequence,
            submitter_party=call.body.submitter_id,
            cursor=call.body.cursor,
        ),
    )
    return results.answer(
        desk.bindings,
        call,
        Done(),
        status=[status_of_sdr(desk.bindings, one) for one in page.standings],
        **pages.tail(page),
    )


def status_of_sdr(bindings: Bindings, standing: Standing) -> Record:
    """Return the record of type ``sdr:StatusOfSdr``."""
    rated_net, matched = None, standing.match_kind
    if standing.rated_net_minor is not None and standing.currency is not None:
        currency = currency_of(standing.currency)
        rated_net = minor_to_decimal(standing.rated_net_minor, currency)
    return bindings.new(
        "sdr:StatusOfSdr",
        submitter_id=standing.submitter_party,
        sdr_id=standing.sdr_id,
        status=SDR_STATUS.write(standing.status),
        window_id=standing.window_id,
        window_label=standing.window_label,
        rated_net=rated_net,
        currency=standing.currency,
        rule_hit=[results.result_item(bindings, one) for one in standing.remarks],
        changed_at=standing.changed_at,
        match_kind=None if matched is None else MATCH_KIND.write(matched),
        agreement_version=standing.agreement_version,
    )


OPERATIONS = (
    OperationSpec(
        service="sdr",
        name="SubmitSdrs",
        handle=_submit_sdrs,
        changes=True,
        lane=Lane.BULK,
        told=as_rule,
    ),
    OperationSpec(service="sdr", name="GetSdrs", handle=_get_sdrs, changes=False),
    OperationSpec(
        service="sdr", name="ConfirmSdrs", handle=_confirm_sdrs, changes=True
    ),
    OperationSpec(
        service="sdr", name="GetSdrStatus", handle=_get_sdr_status, changes=False
    ),
)
