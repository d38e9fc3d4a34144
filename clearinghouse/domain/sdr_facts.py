"""What an SDR is judged by, and what comes of it: the values around the rules.

A service gathers :class:`SdrFacts` for each record of a batch and gets a
:class:`Judgement`; :class:`Case` is what the rules themselves see.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import NamedTuple
from uuid import UUID

from clearinghouse.domain.agreements import Agreement, Terms
from clearinghouse.domain.clock import seconds_between
from clearinghouse.domain.credentials import CredentialStatus
from clearinghouse.domain.debit_caps import Debits
from clearinghouse.domain.money import CURRENCIES, minor_text
from clearinghouse.domain.rating import Rater
from clearinghouse.domain.sdr_catalogue import S201, Rule
from clearinghouse.domain.sdrs import (
    TEXT_MAX,
    MatchKind,
    RuleHit,
    SdrKind,
    SdrStatus,
    ServiceDetailRecord,
    Severity,
    usage_of,
)
from clearinghouse.domain.sessions import SessionState
from clearinghouse.domain.signed_transactions import Evidence
from clearinghouse.domain.vat import UNTAXED, Doubt, VatTreatment

_DEFAULT_TERMS = Terms()

#: Where an EVSE stands of which the registry knows nothing yet; the SDR is held.
ZONE_UNKNOWN = "UTC"

#: After one of these no rating means anything.
_UNRATABLE = frozenset({"S-104", "S-106", "S-108"})


class Outcome(StrEnum):
    """What becomes of a submitted SDR."""

    ACCEPTED = "ACCEPTED"
    HELD = "HELD"
    REFUSED = "REFUSED"
    DUPLICATE = "DUPLICATE"  #: the same content was taken before; nothing happens


class EvseFacts(NamedTuple):
    """What the registry knows of the EVSE; ``zone`` is the name of its IANA zone.

    ``owner_id``: the participant that registered it; ``power_w``: 0 when not described.
    ``meter_key``: the registered public key of its meter; ``connectors``: their kinds.
    """

    evse_key: str
    owner_id: int
    power_w: int
    zone: str
    latitude_u: int | None = None
    longitude_u: int | None = None
    meter_key: str | None = None
    connectors: Sequence[str] = ()
    country: str = ""


class SessionFacts(NamedTuple):
    """The session that was authorized here and that the SDR names or fits.

    ``subject_id``: the pseudonym of who charged.
    """

    session_id: UUID
    state: SessionState
    visited_id: int
    home_id: int | None
    evse_key: str
    subject_id: int | None = None


class SoFar(NamedTuple):
    """What the newest intermediate SDR of a session told."""

    sequence_no: int
    energy_wh: int
    occurred_at: datetime


class Version(NamedTuple):
    """The SDR that a credit or a replacement refers to, with the figures that count.

    Those of a credit are as its submitter wrote them: not negative.
    """

    kind: SdrKind
    status: SdrStatus
    csp_party: str
    csp_id: int
    cso_id: int
    evse_key: str
    session_id: UUID | None
    started_at: datetime
    ended_at: datetime
    energy_wh: int
    charge_seconds: int
    parking_seconds: int
    idle_seconds: int
    tariff_id: str
    currency: str
    claimed_minor: int
    net_minor: int


class Neighbour(NamedTuple):
    """Another SDR on the same EVSE, or of the same subject elsewhere.

    ``sdr_id`` is ``None`` when it is another submitter's: nothing of it is told.
    """

    sdr_id: str | None
    evse_key: str
    started_at: datetime
    ended_at: datetime
    latitude_u: int | None = None
    longitude_u: int | None = None
    energy_wh: int = 0
    csp_id: int | None = None
    subject_id: int | None = None


class ListedFacts(NamedTuple):
    """What the home CSP's list says of a credential, as far as that is stored.

    ``since``: when the entry became what it is; of before nothing is known. ``path``:
    the element that named the credential.
    """

    path: str
    status: CredentialStatus
    since: datetime
    valid_until: datetime | None = None

    def is_blocked(self, at: datetime) -> bool:
        """Say whether the list is known to have blocked the credential then."""
        return self.status is CredentialStatus.BLOCKED and self.since <= at

    def is_expired(self, at: datetime) -> bool:
        """Say whether the credential had come to its end then."""
        return self.valid_until is not None and self.valid_until <= at

    def is_valid(self, at: datetime) -> bool:
        """Say whether the list is known to have held the credential as valid then."""
        is_listed = self.status is CredentialStatus.VALID and self.since <= at
        return is_listed and not self.is_expired(at)


class TariffFacts(NamedTuple):
    """The tariff version in force at the start, compiled for the EVSE.

    ``connectors``: the kinds that the EVSE has, only where the tariff asks for them.
    They are stored with the SDR, as its zone is, since the registry may say otherwise
    when somebody rates it again.
    """

    tariff_version_id: int
    currency: str
    rater: Rater
    connectors: frozenset[str] = frozenset()


@dataclass(slots=True, kw_only=True)
class SdrFacts:
    """All that is known when one record is judged; what is not known is ``None``.

    ``cso_id``: the participant that must own the EVSE, which is the submitter itself
    unless a visited CSP submits. ``known_digest``: content digest stored under this SDR
    id. ``evse_key``: ``None`` when the id is malformed, and ``evse_problem`` says why.
    ``evse_prefix_owned``: the operator part of the id is one of the CSO's.
    ``evse`` and ``session`` are the CSO's, or the submitter's own: another's is not
    known here, so that an answer never tells of one (clauses 8-min, 8-separate).
    ``on_evse``: SDRs of the same CSO at the time of this one, ``of_subject``: SDRs
    around it; another submitter's held SDR is in neither, so nobody blocks another by
    what is not accepted. ``mean_net_minor``: of the submitter's own SDRs. ``place``:
    the country of the EVSE, empty when nothing tells it; ``vat`` is how the supply is
    taxed, and ``vat_rate_bp`` its rate, for tariffs whose prices include it;
    ``vat_doubt``: why that cannot be right.
    ``reference``: what a correction refers to. ``match_kind``: how ``session`` was
    found; ``so_far``: what its newest intermediate SDR told. ``listed``: what the home
    CSP's list says of the credentials that no session of ours vouches for. ``user_id``:
    who charged, by what was sent or else by the session. ``tariff_changed_at``: when
    another version of the tariff came into force during the session, or it ended.
    ``debits``: what the CSP owes, where it has a net debit cap; ``window_id``: the
    window that is open then.
    """

    now: datetime
    submitter_id: int
    cso_id: int
    csp_id: int | None = None
    agreement: Agreement | None = None
    evse_key: str | None = None
    evse_problem: str = ""
    evse_prefix_owned: bool = True
    evse: EvseFacts | None = None
    tariff: TariffFacts | None = None
    tariff_changed_at: datetime | None = None
    session: SessionFacts | None = None
    match_kind: MatchKind = MatchKind.NONE
    so_far: SoFar | None = None
    listed: Sequence[ListedFacts] = ()
    user_id: int | None = None
    subject_id: int | None = None
    contract_subject_id: int | None = None
    known_digest: bytes | None = None
    reference: Version | None = None
    on_evse: Sequence[Neighbour] = ()
    of_subject: Sequence[Neighbour] = ()
    mean_net_minor: int | None = None
    place: str = ""
    vat: VatTreatment = UNTAXED
    vat_rate_bp: int = 0
    vat_doubt: Doubt | None = None
    debits: Debits | None = None
    window_id: int = 0

    @property
    def zone(self) -> str:
        """The zone that the record is rated in: the EVSE's, or UTC without one."""
        return ZONE_UNKNOWN if self.evse is None else self.evse.zone

    def see_evse(self, evse: EvseFacts | None) -> None:
        """Note what the registry says of the EVSE, if it is the CSO's."""
        if evse is not None and evse.owner_id == self.cso_id:
            self.evse = evse

    def see_session(self, session: SessionFacts) -> bool:
        """Note a session that was found and say whether it counts.

        It is the CSO's, or one that a visited CSP began itself at the CSO's EVSE.
        """
        if session.visited_id not in (self.submitter_id, self.cso_id):
            return False
        self.session = session
        return True


class Judgement(NamedTuple):
    """The outcome of intake for one record, with its figures and rule hits.

    ``net_minor`` is our rating, the amount that counts; 0 when it could not be rated.
    The figures of a credit are negative.
    ``evidence``: one entry for each transaction with signed values, in order.
    """

    outcome: Outcome
    hits: tuple[RuleHit, ...]
    net_minor: int
    claimed_minor: int
    energy_wh: int
    charge_seconds: int
    content_digest: bytes
    match_kind: MatchKind = MatchKind.NONE
    evidence: tuple[Evidence, ...] = ()


class Case:
    """One record before the rules: what they read, and the hits they leave."""

    __slots__ = (
        "charge_seconds",
        "claimed_minor",
        "elapsed_seconds",
        "energy_wh",
        "evidence",
        "facts",
        "hits",
        "is_rated",
        "net_minor",
        "record",
        "remarks",
        "terms",
        "usage",
    )

    def __init__(self, record: ServiceDetailRecord, facts: SdrFacts) -> None:
        agreement = facts.agreement
        self.record = record
        self.facts = facts
        self.usage = usage_of(record)
        intervals = self.usage.intervals
        self.energy_wh = sum([interval.energy_wh for interval in intervals])
        self.charge_seconds = sum([interval.seconds for interval in intervals])
        self.elapsed_seconds = seconds_between(record.started_at, record.ended_at)
        self.terms = _DEFAULT_TERMS if agreement is None else agreement.terms
        self.hits: list[RuleHit] = []
        self.remarks: list[RuleHit] = []
        self.evidence: list[Evidence] = []
        self.claimed_minor = 0
        self.net_minor = 0
        self.is_rated = False

    def hit(self, rule: Rule, path: str, expected: object, found: object) -> None:
        """Note that the record meets a rule."""
        self.hits.append(_hit(rule, path, expected, found))

    def later(self, rule: Rule, path: str, expected: object, found: object) -> None:
        """Note a remark of a rule whose turn comes later: hits are told in order."""
        self.remarks.append(_hit(rule, path, expected, found))

    def rate(self) -> None:
        """Rate the record when its figures make sense."""
        tariff = self.facts.tariff
        if tariff is None:
            return
        if self.hits and not _UNRATABLE.isdisjoint(hit.rule for hit in self.hits):
            return
        self.net_minor = tariff.rater(self.usage, self.facts.vat_rate_bp)
        self.is_rated = True

    def is_refused(self) -> bool:
        """Say whether a rule refuses the record."""
        return any(hit.severity is Severity.R for hit in self.hits)

    def is_offline(self) -> bool:
        """Say whether the home CSP's list stands in for a session of ours.

        Where the agreement allows it, for a record that names no session of ours: the
        station was without a connection and let in whom the list held (4.3-I3).
        """
        at = self.record.started_at
        return (
            self.terms.offline_allowed
            and self.record.session_id is None
            and any(listed.is_valid(at) for listed in self.facts.listed)
        )

    def match_kind(self) -> MatchKind:
        """Return how the record was matched; a session that does not fit is none."""
        if self.facts.session is None:
            offline = self.is_offline()
            return MatchKind.OFFLINE_LIST if offline else MatchKind.NONE
        if self.hits and any(hit.rule == S201.rule for hit in self.hits):
            return MatchKind.NONE
        return self.facts.match_kind

    def outcome(self) -> Outcome:
        """Return the outcome: the gravest hit decides."""
        if not self.hits:
            return Outcome.ACCEPTED
        if self.is_refused():
            return Outcome.REFUSED
        severities = {hit.severity for hit in self.hits}
        return Outcome.HELD if Severity.H in severities else Outcome.ACCEPTED

    def money(self, amount_minor: int) -> str:
        """Return an amount in the record's currency as text."""
        currency = CURRENCIES[self.record.currency]
        return f"{minor_text(amount_minor, currency)} {currency.code}"


def _hit(rule: Rule, path: str, expected: object, found: object) -> RuleHit:
    return RuleHit(
        rule=rule.rule,
        severity=rule.severity,
        code=rule.code,
        path=path,
        expected=str(expected)[:TEXT_MAX],
        found=str(found)[:TEXT_MAX],
    )
