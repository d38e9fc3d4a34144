"""Words of the wire and words of the domain, each way.

The contract was written in the domain's words, so that both sides spell them alike; a
test holds each pair of word lists together. Where the wire has no word for a value of
the domain, another element says it, and the value is named here.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import Generic, TypeVar

from clearinghouse.domain.agreements import Mode
from clearinghouse.domain.authorization import DecisionSource, Verdict
from clearinghouse.domain.credentials import CredentialStatus, ListState
from clearinghouse.domain.disputes import (
    ANSWERS,
    Act,
    DisputeReason,
    DisputeState,
    EvidenceFormat,
    Party,
)
from clearinghouse.domain.evses import Availability, Occupancy
from clearinghouse.domain.exchange import Role
from clearinghouse.domain.invoices import DocumentFormat
from clearinghouse.domain.meters import Encoding, SignedFormat
from clearinghouse.domain.participants import Connection, EndpointService
from clearinghouse.domain.sdrs import MatchKind, News, SdrKind, SdrStatus
from clearinghouse.domain.sdrs import Verdict as SdrVerdict
from clearinghouse.domain.sessions import SessionEventKind, SessionState
from clearinghouse.domain.settlement import WindowState
from clearinghouse.domain.settlement_notices import News as SettlementNews
from clearinghouse.domain.statements import StatementFormat
from clearinghouse.domain.tariffs import ComponentType, PricedBy, PricePer
from clearinghouse.identifiers.credential import CredentialKind
from clearinghouse.services.sdrs import SdrRole

E = TypeVar("E", bound=StrEnum)


@dataclass(frozen=True, slots=True)
class Vocabulary(Generic[E]):
    """A word list of the wire and the domain's type for it.

    ``wire_type`` names the schema type as ``common:CredentialKindType``; ``unspoken``
    are values of the domain that this element never says.
    """

    wire_type: str
    words: type[E]
    unspoken: frozenset[E] = frozenset()

    def read(self, word: str) -> E:
        """Return the domain's value for a word that the schema has accepted."""
        return self.words(word)

    def write(self, value: E) -> str:
        """Return the word for a value.

        Raises :class:`ValueError` for a value that this element never says.
        """
        if value in self.unspoken:
            raise ValueError(f"{self.wire_type} has no word for {value}")
        return value.value


CREDENTIAL_KIND = Vocabulary("common:CredentialKindType", CredentialKind)
ROLE = Vocabulary("common:RoleType", Role)
DECISION = Vocabulary("common:DecisionType", Verdict)
DECISION_SOURCE = Vocabulary("common:DecisionSourceType", DecisionSource)
SESSION_STATE = Vocabulary("common:SessionStateType", SessionState)
SESSION_EVENT = Vocabulary("common:SessionEventType", SessionEventKind)
LIST_STATE = Vocabulary("common:ListStateType", ListState)
SDR_NEWS = Vocabulary("common:SdrNewsType", News)
SDR_VERDICT = Vocabulary("common:SdrVerdictType", SdrVerdict)
MODE = Vocabulary("directory:ModeType", Mode)
CONNECTION = Vocabulary("directory:ConnectionType", Connection)
ENDPOINT_SERVICE = Vocabulary("directory:EndpointServiceType", EndpointService)
CREDENTIAL_STATUS = Vocabulary(
    "credential:CredentialStatusType",
    CredentialStatus,
    # a tombstone is told by the element ``removed``
    unspoken=frozenset({CredentialStatus.REMOVED}),
)
AVAILABILITY = Vocabulary("evse:AvailabilityType", Availability)
OCCUPANCY = Vocabulary("evse:OccupancyType", Occupancy)
COMPONENT_TYPE = Vocabulary("tariff:ComponentKindType", ComponentType)
PRICE_PER = Vocabulary("tariff:PricePerType", PricePer)
PRICED_BY = Vocabulary("tariff:PricedByType", PricedBy)
SDR_STATUS = Vocabulary("sdr:SdrStatusType", SdrStatus)
SDR_KIND = Vocabulary("sdr:SdrKindType", SdrKind)
MATCH_KIND = Vocabulary("sdr:MatchKindType", MatchKind)
SIGNED_FORMAT = Vocabulary("sdr:SignedMeterFormatType", SignedFormat)
SIGNED_ENCODING = Vocabulary("sdr:SignedMeterEncodingType", Encoding)
DISPUTE_REASON = Vocabulary("sdr:DisputeReasonType", DisputeReason)
DISPUTE_STATE = Vocabulary("sdr:DisputeStateType", DisputeState)
DISPUTE_PARTY = Vocabulary("sdr:DisputePartyType", Party)
DISPUTE_ACT = Vocabulary("sdr:DisputeActType", Act)
DISPUTE_ANSWER = Vocabulary(
    "sdr:DisputeAnswerType",
    Act,
    # what the house and the clock do, and how a dispute begins, is no answer
    unspoken=frozenset(Act) - ANSWERS,
)
EVIDENCE_FORMAT = Vocabulary("sdr:EvidenceFormatType", EvidenceFormat)
SDR_ROLE = Vocabulary("sdr:SdrRoleType", SdrRole)
STATEMENT_FORMAT = Vocabulary("settlement:StatementFormatType", StatementFormat)
DOCUMENT_FORMAT = Vocabulary("settlement:DocumentFormatType", DocumentFormat)
WINDOW_STATE = Vocabulary(
    "settlement:WindowStateType",
    WindowState,
    # a failed proof is the operator's matter: to a partner the window is in cutover
    unspoken=frozenset({WindowState.FAILED}),
)
SETTLEMENT_NEWS = Vocabulary("csp-endpoint:SettlementNewsType", SettlementNews)

#: All of them, for the test that they are total.
VOCABULARIES = (
    CREDENTIAL_KIND,
    ROLE,
    DECISION,
    DECISION_SOURCE,
    SESSION_STATE,
    SESSION_EVENT,
    LIST_STATE,
    SDR_NEWS,
    SDR_VERDICT,
    MODE,
    CONNECTION,
    ENDPOINT_SERVICE,
    CREDENTIAL_STATUS,
    AVAILABILITY,
    OCCUPANCY,
    COMPONENT_TYPE,
    PRICE_PER,
    PRICED_BY,
    SDR_STATUS,
    SDR_KIND,
    MATCH_KIND,
    SIGNED_FORMAT,
    SIGNED_ENCODING,
    DISPUTE_REASON,
    DISPUTE_STATE,
    DISPUTE_PARTY,
    DISPUTE_ACT,
    DISPUTE_ANSWER,
    EVIDENCE_FORMAT,
    SDR_ROLE,
    STATEMENT_FORMAT,
    DOCUMENT_FORMAT,
    WINDOW_STATE,
    SETTLEMENT_NEWS,
)
