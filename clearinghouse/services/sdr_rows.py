"""SDRs as they are stored: a row for what was judged, its details, its rule hits."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from json.encoder import encode_basestring
from typing import NamedTuple

from clearinghouse import codes
from clearinghouse.domain.clock import instant_text
from clearinghouse.domain.errors import ClearingHouseError
from clearinghouse.domain.rating import ENGINE_VERSION
from clearinghouse.domain.sdr_catalogue import S211
from clearinghouse.domain.sdr_facts import Judgement, TariffFacts
from clearinghouse.domain.sdr_rows import Around, leaf_of_row, row_spelled, spelled
from clearinghouse.domain.sdrs import (
    RULE_VERSION,
    ChargingSession,
    ChargingTransaction,
    RuleHit,
    SdrKind,
    ServiceDetailRecord,
    Severity,
)
from clearinghouse.services.sdr_candidates import Candidate
from clearinghouse.storage.sdr_intake import NewHit, NewSdr, sdr_line

#: The rule that speaks when an SDR does not fit its session.
_UNMATCHED = "S-201"

_MINUTE = timedelta(minutes=1)

#: A text as a JSON string, quotes and all.
_quoted = encode_basestring

_ORIGINAL = SdrKind.ORIGINAL.value

#: What lies between two instants.
_Part = ServiceDetailRecord | ChargingSession | ChargingTransaction


class BatchPlace(NamedTuple):
    """Where the SDRs of a batch are stored, and whose they are.

    ``batch_id`` as text: it is written twice for each SDR.
    """

    batch_id: str
    window_id: int
    submitter_id: int
    submitter_party: str
    received_at: datetime


class Written(NamedTuple):
    """An SDR as it is stored, its leaf, and the line of it that the table takes.

    ``row`` is what the leaf is made of and may be without it.
    """

    row: NewSdr
    leaf: bytes
    line: str


def sdr_row(
    candidate: Candidate, found: Judgement, sdr_no: int, batch: BatchPlace
) -> Written:
    """Return an SDR as it is stored.

    Raises :class:`ClearingHouseError` (``INTERNAL``) for one that no rule should have
    let pass: without CSP, EVSE or tariff.
    """
    record, facts = candidate.record, candidate.facts
    if facts.csp_id is None or facts.evse_key is None or facts.tariff is None:
        raise ClearingHouseError(codes.INTERNAL, "stored without CSP, EVSE, tariff")
    intervals = intervals_of(record, candidate.period)
    ref = None if candidate.reference is None else candidate.reference.place
    row = NewSdr(
        batch.window_id,
        sdr_no,
        batch.submitter_id,
        record.sdr_id,
        facts.csp_id,
        facts.cso_id,
        batch.batch_id,
        candidate.index,
        found.outcome,
        _session_id(candidate, found.hits),
        candidate.subject_id,
        facts.evse_key,
        record.started_at,
        record.ended_at,
        _offset_minutes(record.started_at),
        found.energy_wh,
        found.charge_seconds,
        record.idle_seconds,
        record.parking_seconds,
        facts.tariff.tariff_version_id,
        ENGINE_VERSION,
        record.currency,
        found.net_minor,
        found.claimed_minor,
        rule_codes(found.hits),
        found.content_digest,
        detail_of(candidate, intervals),
        batch.received_at,
        sdr_no,
        facts.vat.category.value,
        facts.vat.rate_bp,
        facts.vat.rule_id,
        facts.place,
        _ORIGINAL if ref is None else record.kind.value,
        None if ref is None else ref.window_id,
        None if ref is None else ref.sdr_no,
        None if facts.agreement is None else facts.agreement.agreement_id,
        RULE_VERSION,
        found.match_kind,
    )
    texts = spelled(row, candidate.period)
    around = _around(candidate, batch, intervals)
    leaf = leaf_of_row(row_spelled(row, around, texts))
    return Written(row, leaf, sdr_line(row, texts, leaf))


def _around(candidate: Candidate, batch: BatchPlace, intervals: str) -> Around:
    """Return what the canonical row needs beside the row."""
    record, facts = candidate.record, candidate.facts
    return Around(
        submitter=batch.submitter_party,
        csp=record.csp_id,
        cso=record.cso_id or batch.submitter_party,
        zone=facts.zone,
        intervals=intervals,
        connectors=_connectors(facts.tariff),
    )


def detail_of(candidate: Candidate, intervals: str) -> str:
    """Return what of a record stands in no column, as JSON; no personal data.

    Credential and contract only as the pseudonyms under which they were sent; ``zone``
    is the one that the record was rated in. Joined by hand: an encoder that asks each
    value what it is takes three times as long.
    """
    record, facts = candidate.record, candidate.facts
    partner, connectors = record.partner_session_id, _connectors(facts.tariff)
    if connectors:
        connectors = f'"connectors":{connectors},'
    return (
        f'{{"evse":{_quoted(record.evse_id)},"zone":{_quoted(facts.zone)},'
        f'"partner":{"null" if partner is None else _quoted(partner)},'
        f'"credential":{_number(facts.subject_id)},'
        f'"contract":{_number(facts.contract_subject_id)},{connectors}'
        f'"end_offset":{_offset_minutes(record.ended_at)},"sessions":{intervals}}}'
    )


def _connectors(tariff: TariffFacts | None) -> str:
    """Return the kinds that the price was asked for, as the database writes them."""
    if tariff is None or not tariff.connectors:
        return ""
    kinds = ", ".join([_quoted(kind) for kind in sorted(tariff.connectors)])
    return f"[{kinds}]"


def intervals_of(record: ServiceDetailRecord, period: tuple[str, str]) -> str:
    """Return the charging sessions of a record as the database writes ``jsonb``.

    The canonical row of the SDR holds this very text: a blank behind each comma.
    """
    whole = f'"{period[0]}", "{period[1]}"'
    if len(record.charging_sessions) == 1:
        session = record.charging_sessions[0]
        if len(session.transactions) == 1 and _fills(session, record):
            one = session.transactions[0]
            if _fills(one, record) and not one.readings:
                return (  # the usual record: nothing to be joined
                    f"[[{_quoted(session.charging_session_id)}, {whole}, "
                    f"[[{_quoted(one.charging_transaction_id)}, {whole}, "
                    f"{one.energy_wh}, {_number(one.meter_start_wh)}, "
                    f"{_number(one.meter_stop_wh)}]]]]"
                )
    sessions = [_session_json(one, record, whole) for one in record.charging_sessions]
    return f"[{', '.join(sessions)}]"


def _session_json(
    session: ChargingSession, record: ServiceDetailRecord, whole: str
) -> str:
    """Return a charging session; ``whole`` is the period of the record.

    Most parts fill the whole, in the same instants: those are written once.
    """
    parts: list[_Part] = [session, *session.transactions]
    periods = [whole if _fills(one, record) else _period_json(one) for one in parts]
    transactions = ", ".join(
        [
            f"[{_quoted(one.charging_transaction_id)}, {period}, "
            f"{one.energy_wh}, {_number(one.meter_start_wh)}, "
            f"{_number(one.meter_stop_wh)}{_readings_json(one)}]"
            for one, period in zip(session.transactions, periods[1:], strict=True)
        ]
    )
    return f"[{_quoted(session.charging_session_id)}, {periods[0]}, [{transactions}]]"


def _fills(part: _Part, record: ServiceDetailRecord) -> bool:
    return part.started_at is record.started_at and part.ended_at is record.ended_at


def _readings_json(transaction: ChargingTransaction) -> str:
    """Return the readings as one more part; nothing where there are none."""
    if not transaction.readings:
        return ""
    readings = [
        f'["{instant_text(one.at)}", {one.register_wh}]' for one in transaction.readings
    ]
    return f", [{', '.join(readings)}]"


def _period_json(part: _Part) -> str:
    return f'"{instant_text(part.started_at)}", "{instant_text(part.ended_at)}"'


def _number(value: int | None) -> str:
    return "null" if value is None else str(value)


def is_matched(candidate: Candidate, hits: Sequence[RuleHit]) -> bool:
    """Say whether the SDR fits its session, and so ends it."""
    if candidate.facts.session is None:
        return False
    return not hits or all(hit.rule != _UNMATCHED for hit in hits)


def _session_id(candidate: Candidate, hits: Sequence[RuleHit]) -> str | None:
    """Return the session that was found; where it does not fit, what was sent."""
    session = candidate.facts.session
    if session is not None and is_matched(candidate, hits):
        return str(session.session_id)
    sent = candidate.record.session_id
    return None if sent is None else str(sent)


def _offset_minutes(at: datetime) -> int:
    if at.tzinfo is UTC:
        return 0
    offset = at.utcoffset()
    return 0 if offset is None else offset // _MINUTE


def is_note(hit: RuleHit) -> bool:
    """Say whether a hit is the home CSP's alone to know."""
    return hit.severity is Severity.N


def is_announced(hits: Sequence[RuleHit]) -> bool:
    """Say whether only a net debit cap holds an SDR: its home CSP has it all the same.

    Delivery does not wait for settlement (S-211).
    """
    held = [hit.rule for hit in hits if hit.severity is Severity.H]
    return bool(held) and all(rule == S211.rule for rule in held)


def rule_codes(hits: Sequence[RuleHit]) -> str:
    """Return the rules met, for both sides of a statement: notes are left out."""
    if not hits:
        return ""
    return " ".join(dict.fromkeys([hit.rule for hit in hits if not is_note(hit)]))


def hit_row(window_id: int, sdr_no: int, hit: RuleHit) -> NewHit:
    """Return a rule that a stored SDR met as it is kept."""
    return NewHit(
        window_id,
        sdr_no,
        hit.rule,
        hit.code.number,
        hit.severity.value,
        hit.path,
        hit.expected,
        hit.found,
    )
