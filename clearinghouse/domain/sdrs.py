"""Service detail records: their shape, life cycle, control totals and batch checks.

An SDR is identified by its submitter and its id, for ever. The same content again is
already accepted, other content under the id is refused; a correction is a credit and a
replacement. The rules for single records are in :mod:`clearinghouse.domain.sdr_rules`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal
from enum import StrEnum
from hashlib import blake2b
from uuid import UUID

from clearinghouse import codes
from clearinghouse.codes import Code
from clearinghouse.domain.clock import instant_text, seconds_between
from clearinghouse.domain.errors import Item
from clearinghouse.domain.exchange import Role, Sender
from clearinghouse.domain.meters import (
    MeterReading,
    SignedMeterValue,
    digest_of,
    split,
)
from clearinghouse.domain.usage import Interval, Usage
from clearinghouse.identifiers.credential import CredentialKind

#: Characters of a rule hit's texts: they quote what partners sent.
TEXT_MAX = 200

#: Version of the rule catalogue: raised with every change of what a rule hits.
RULE_VERSION = 4

_UID_HASH_BYTES = 16
_DIGEST_BYTES = 32
_FIELD_SEPARATOR = "\x1f"


class SdrStatus(StrEnum):
    """Where an SDR stands, as partners see it."""

    ACCEPTED = "ACCEPTED"
    HELD = "HELD"
    REFUSED = "REFUSED"
    DELIVERED = "DELIVERED"
    CONFIRMED = "CONFIRMED"
    AUTO_CONFIRMED = "AUTO_CONFIRMED"
    REJECTED = "REJECTED"
    SETTLED = "SETTLED"
    DISPUTED = "DISPUTED"
    CORRECTED = "CORRECTED"  #: a credit, or what stands in its place, counts instead
    UNKNOWN = "UNKNOWN"


class SdrKind(StrEnum):
    """What an SDR is for: a session, taking one back, or standing in its place.

    A credit mirrors what it cancels, figure by figure; a replacement comes behind a
    credit and is rated by itself.
    """

    ORIGINAL = "ORIGINAL"
    CREDIT = "CREDIT"
    REPLACEMENT = "REPLACEMENT"


class MatchKind(StrEnum):
    """How the session of an SDR was found, in the order of trial."""

    SESSION_ID = "SESSION_ID"
    PARTNER_SESSION_ID = "PARTNER_SESSION_ID"
    EVSE_AND_USER = "EVSE_AND_USER"
    OFFLINE_LIST = "OFFLINE_LIST"  #: none; the credential stood on its CSP's list
    NONE = "NONE"


class Verdict(StrEnum):
    """What the home CSP says of an SDR."""

    CONFIRMED = "CONFIRMED"
    REJECTED = "REJECTED"


class News(StrEnum):
    """What a submitter is told of its SDR: a held one is taken in, or the CSP's word.

    DISPUTED: something happened in a dispute about it.
    """

    ACCEPTED = "ACCEPTED"
    CONFIRMED = "CONFIRMED"
    REJECTED = "REJECTED"
    DISPUTED = "DISPUTED"


class Severity(StrEnum):
    """F refuses the batch, R the record, H holds it, W only remarks.

    N is a note for the home CSP and the operator: it rests on another submitter's SDR,
    so this one's submitter must not learn of it, and it changes no outcome.
    """

    F = "F"
    R = "R"
    H = "H"
    W = "W"
    N = "N"


# The records of a batch are slotted but not frozen: fifty thousand of them are made in
# one call, and freezing triples the time it takes to make one. Nothing changes them.
@dataclass(slots=True, kw_only=True)
class ChargingTransaction:
    """The smallest billable part of a charging session (clause 3.13).

    ``readings`` split it into intervals; ``signed_values`` are kept as they were sent.
    """

    charging_transaction_id: str
    started_at: datetime
    ended_at: datetime
    energy_wh: int
    meter_start_wh: int | None = None
    meter_stop_wh: int | None = None
    readings: tuple[MeterReading, ...] = ()
    signed_values: tuple[SignedMeterValue, ...] = ()


@dataclass(slots=True, kw_only=True)
class ChargingSession:
    """Charging transactions at one charge point for one customer (clause 3.11)."""

    charging_session_id: str
    started_at: datetime
    ended_at: datetime
    transactions: list[ChargingTransaction]


@dataclass(slots=True, kw_only=True)
class ServiceDetailRecord:
    """One SDR as submitted: it covers one service session (clauses 3.10 and 3.12).

    ``csp_id`` and ``cso_id`` are party ids; ``evse_id`` is the id as received.
    ``credential_value`` and ``contract_id`` are personal: they go to the vault and
    nowhere else, and are left out of ``repr``. ``ref_sdr_id`` is the submitter's SDR
    that a credit cancels, or the credit that a replacement comes behind; a credit has
    the figures of what it cancels, and its kind says that they count the other way.
    """

    sdr_id: str
    csp_id: str
    evse_id: str
    started_at: datetime
    ended_at: datetime
    charging_sessions: list[ChargingSession]
    tariff_id: str
    currency: str
    claimed_net: Decimal
    session_id: UUID | None = None
    partner_session_id: str | None = None
    cso_id: str | None = None
    credential_kind: CredentialKind | None = None
    credential_value: str | None = field(default=None, repr=False)
    contract_id: str | None = field(default=None, repr=False)
    parking_seconds: int = 0
    idle_seconds: int = 0
    kind: SdrKind = SdrKind.ORIGINAL
    ref_sdr_id: str | None = None

    @property
    def energy_wh(self) -> int:
        """Energy of all charging transactions."""
        sessions = self.charging_sessions
        if len(sessions) == 1 and len(sessions[0].transactions) == 1:
            return sessions[0].transactions[0].energy_wh
        return sum(
            [
                transaction.energy_wh
                for session in sessions
                for transaction in session.transactions
            ]
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class RuleHit:
    """One rule of the catalogue that a record met, in words for its submitter.

    ``path`` names the element below the record, as ``serviceSession/endedAt``.
    """

    rule: str
    severity: Severity
    code: Code
    path: str
    expected: str
    found: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ControlTotals:
    """What a batch holds: declared by its sender, or counted by us.

    ``net``: the claimed net per currency, in units of the currency. The ends are
    compared only when the sender declares them.
    """

    count: int
    energy_wh: int
    net: Mapping[str, Decimal]
    first_ended_at: datetime | None = None
    last_ended_at: datetime | None = None


def usage_of(record: ServiceDetailRecord) -> Usage:
    """Return what a record says was used, for rating: split where readings say how."""
    intervals: list[Interval] = []
    for session in record.charging_sessions:
        for transaction in session.transactions:
            whole = Interval(
                transaction.started_at,
                transaction.energy_wh,
                seconds_between(transaction.started_at, transaction.ended_at),
            )
            if transaction.readings:
                ended_at = transaction.ended_at
                intervals += split(whole, ended_at, transaction.readings)
            else:
                intervals.append(whole)
    return Usage(
        record.started_at,
        record.ended_at,
        tuple(intervals),
        record.parking_seconds,
        record.idle_seconds,
    )


def period_of(record: ServiceDetailRecord) -> tuple[str, str]:
    """Return start and end in ISO 8601 with their own offsets.

    They go into a digest, two rows and a query: so they are written once.
    """
    return record.started_at.isoformat(), record.ended_at.isoformat()


def uid_hash(sdr_id: str) -> bytes:
    """Return the 16-byte key of an SDR id; ids are compared without regard to case."""
    return blake2b(sdr_id.upper().encode(), digest_size=_UID_HASH_BYTES).digest()


def content_digest(
    record: ServiceDetailRecord,
    *,
    subject_id: int | None,
    contract_subject_id: int | None = None,
    period: tuple[str, str] | None = None,
) -> bytes:
    """Return the digest of all that a record says: tells a repeat from a change.

    Credential and contract enter as pseudonyms. A digest of the clear values would give
    them away, since a card's number can be guessed from it. ``period``: what
    :func:`period_of` gives, from whoever has it already.
    """
    session_id = record.session_id
    started, ended = period or period_of(record)
    facts = [
        record.sdr_id.upper(),
        record.csp_id,
        record.cso_id or "",
        record.evse_id,
        "" if session_id is None else session_id.hex,
        record.partner_session_id or "",
        f"{subject_id} {contract_subject_id}",
        started,
        ended,
        f"{record.parking_seconds} {record.idle_seconds}",
        record.tariff_id,
        record.currency,
        str(record.claimed_net.normalize()),
    ]
    for session in record.charging_sessions:
        facts.append(session.charging_session_id)
        facts.append(_period(session, record))
        for transaction in session.transactions:
            facts.append(transaction.charging_transaction_id)
            facts.append(_period(transaction, record))
            facts.append(
                f"{transaction.energy_wh} {transaction.meter_start_wh} "
                f"{transaction.meter_stop_wh}"
            )
            if transaction.readings or transaction.signed_values:
                facts += _meter_facts(transaction)
        facts.append("")  # so that no transaction moves to the next session unseen
    if record.kind is not SdrKind.ORIGINAL:
        facts.append(f"{record.kind} {(record.ref_sdr_id or '').upper()}")
    text = _FIELD_SEPARATOR.join(facts)
    return blake2b(text.encode(), digest_size=_DIGEST_BYTES).digest()


def _meter_facts(transaction: ChargingTransaction) -> list[str]:
    """Return what readings and signed values say, the latter as their digests."""
    readings = [
        f"{instant_text(one.at)} {one.register_wh}" for one in transaction.readings
    ]
    signed = [
        f"{one.format} {one.encoding} {one.public_key} {digest_of(one.data).hex()}"
        for one in transaction.signed_values
    ]
    return ["readings", *readings, "signed", *signed]


def _period(
    part: ChargingSession | ChargingTransaction, whole: ServiceDetailRecord
) -> str:
    """Return start and end of a part; empty where it fills the whole.

    Most records have one transaction that does, and writing instants is what a digest
    costs.
    """
    start, end = part.started_at, part.ended_at
    if start == whole.started_at and end == whole.ended_at:
        return ""
    return f"{instant_text(start)} {instant_text(end)}"


class TotalsCounter:
    """Counts a batch as its records pass: one pass, nothing kept."""

    def __init__(self) -> None:
        self._count = 0
        self._energy_wh = 0
        self._net: dict[str, Decimal] = {}
        self._first: datetime | None = None
        self._last: datetime | None = None

    def add(self, record: ServiceDetailRecord) -> None:
        """Count one record."""
        self.add_all([record])

    def add_all(self, records: Sequence[ServiceDetailRecord]) -> None:
        """Count records."""
        net, first, last = self._net, self._first, self._last
        for record in records:
            currency, claimed = record.currency, record.claimed_net
            before = net.get(currency)
            net[currency] = claimed if before is None else before + claimed
            ended_at = record.ended_at
            if first is None or ended_at < first:
                first = ended_at
            if last is None or ended_at > last:
                last = ended_at
        self._first, self._last = first, last
        self._count += len(records)
        self._energy_wh += sum([record.energy_wh for record in records])

    def totals(self) -> ControlTotals:
        """Return the totals so far."""
        return ControlTotals(
            count=self._count,
            energy_wh=self._energy_wh,
            net=dict(self._net),
            first_ended_at=self._first,
            last_ended_at=self._last,
        )


def check_control(
    declared: ControlTotals, counted: ControlTotals
) -> tuple[RuleHit, ...]:
    """Compare declared with counted totals (B-003); empty when they agree exactly."""
    pairs: list[tuple[str, object, object]] = [
        ("control/count", declared.count, counted.count),
        ("control/energyWh", declared.energy_wh, counted.energy_wh),
    ]
    for currency in sorted(declared.net.keys() | counted.net.keys()):
        path = f"control/net[{currency}]"
        pairs.append((path, declared.net.get(currency), counted.net.get(currency)))
    for path, stated, seen in (
        ("control/firstEndedAt", declared.first_ended_at, counted.first_ended_at),
        ("control/lastEndedAt", declared.last_ended_at, counted.last_ended_at),
    ):
        if stated is not None:
            pairs.append((path, stated, seen))
    return tuple(
        _batch_hit("B-003", codes.SDR_BATCH_CONTROL, path, (seen, stated))
        for path, stated, seen in pairs
        if stated != seen
    )


def check_sequence(last: int | None, sequence: int) -> RuleHit | None:
    """Judge a batch sequence (B-004): the next number after the last one, from 1 on.

    A repeat of the last batch never comes here: its message id gives the stored answer.
    """
    expected = 1 if last is None else last + 1
    if sequence == expected:
        return None
    return _batch_hit(
        "B-004", codes.SDR_BATCH_SEQUENCE, "batchSequence", (expected, sequence)
    )


def check_entitled(
    sender: Sender,
    records: Iterable[tuple[int, ServiceDetailRecord]],
    collects: Callable[[ServiceDetailRecord], bool],
) -> tuple[int, RuleHit] | None:
    """Judge whether a sender may submit for the CSOs of numbered records (B-005).

    Returns the first that it may not, by its number. A CSO submits for itself. A
    visited CSP submits for a CSO that it names, when the two agreed so (clause
    4.2-visited); ``collects`` says whether they had when the record began, and is asked
    for no other record. A CSO that does not exist and one without such an agreement are
    one case.
    """
    is_cso, is_csp = Role.CSO in sender.roles, Role.CSP in sender.roles
    for index, record in records:
        if record.cso_id is None or record.cso_id == sender.party_id:
            entitled = is_cso
        else:
            entitled = is_csp and collects(record)
        if not entitled:
            expected = "a CSO that the sender collects for"
            if not is_csp:
                expected = sender.party_id
            return index, _batch_hit(
                "B-005",
                codes.SDR_BATCH_ENTITLED,
                "serviceSession/csoId",
                (expected, record.cso_id),
            )
    return None


def _batch_hit(
    rule: str, code: Code, path: str, expected_found: tuple[object, object]
) -> RuleHit:
    expected, found = expected_found
    return RuleHit(
        rule=rule,
        severity=Severity.F,
        code=code,
        path=path,
        expected=_text(expected),
        found=_text(found),
    )


def _text(value: object) -> str:
    if value is None:
        return "nothing"
    if isinstance(value, datetime):
        return value.isoformat()
    return str(value)[:TEXT_MAX]


def item_of(hit: RuleHit, index: int | None = None) -> Item:
    """Return a rule hit as a per-item result; ``index`` is the record's place."""
    return Item(
        code=hit.code,
        index=index,
        rule=hit.rule,
        rule_version=RULE_VERSION,
        path=hit.path,
        expected=hit.expected,
        found=hit.found,
    )


def verdict_step(current: SdrStatus, verdict: Verdict) -> SdrStatus | Code:
    """Return the status after the home CSP's word, or the code why it has no effect.

    The same word again changes nothing; a different one comes too late. What is held or
    refused was never the home CSP's.
    """
    wanted = SdrStatus(verdict.value)
    match current:
        case SdrStatus.ACCEPTED | SdrStatus.DELIVERED:
            return wanted
        case SdrStatus.CONFIRMED | SdrStatus.REJECTED:
            return wanted if current is wanted else codes.SDR_DECIDED
        case SdrStatus.AUTO_CONFIRMED:
            return current if verdict is Verdict.CONFIRMED else codes.SDR_DECIDED
        case SdrStatus.CORRECTED | SdrStatus.DISPUTED:
            return codes.SDR_DECIDED
        case SdrStatus.SETTLED:
            return codes.SDR_WINDOW_CLOSED
        case SdrStatus.HELD | SdrStatus.REFUSED | SdrStatus.UNKNOWN:
            return codes.SDR_UNKNOWN
