"""A partner's backend in the demo: its client, its numbers, its records."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from decimal import Decimal
from pathlib import Path
from uuid import UUID, uuid4

from clearinghouse import codes
from clearinghouse.cli.demo import notes
from clearinghouse.cli.demo.world import PRICES, Card, Partner, Price
from clearinghouse.domain.clock import SystemClock
from clearinghouse.endpoint.client import ClearingHouse, pages
from clearinghouse.endpoint.errors import RefusedError
from clearinghouse.endpoint.messages.common import Credential, IntermediateSdr
from clearinghouse.endpoint.messages.sdr import (
    ChargingSession,
    ChargingTransaction,
    GetSdrsResponse,
    ServiceDetailRecord,
    ServiceSession,
    SubmitSdrsResponse,
)
from clearinghouse.endpoint.messages.session import ReportSessionRequest
from clearinghouse.endpoint.station import net

PAUSE = timedelta(minutes=5)
"""Between two sessions on one EVSE."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Charge:
    """What happened at an EVSE: who charged how much and how long."""

    csp: str
    evse_id: str
    minutes: int
    energy_wh: int
    session_id: UUID | None = None
    cso: str | None = None
    card: Card | None = None


@dataclass(slots=True)
class Tally:
    """What the demo counts for its last line."""

    sessions: int = 0
    accepted: int = 0
    refused: int = 0
    held: int = 0


@dataclass(slots=True)
class Calendar:
    """When each EVSE is still free, before now: two sessions must not overlap.

    Kept in a file, so that a second run on the same state goes further back.
    """

    path: Path

    def take(self, evse_id: str, minutes: int) -> tuple[datetime, datetime]:
        """Return start and end of so many free minutes on an EVSE."""
        taken = notes.read(self.path)
        now = SystemClock().now().replace(microsecond=0)
        latest = taken.get(evse_id, now.isoformat())
        ended_at = datetime.fromisoformat(latest) - PAUSE
        started_at = ended_at - timedelta(minutes=minutes)
        taken[evse_id] = started_at.isoformat()
        notes.write(self.path, taken)
        return started_at, ended_at


@dataclass(slots=True)
class Player:
    """A partner with its zeep client; keeps its batch number over restarts."""

    partner: Partner
    house: ClearingHouse
    notebook: Path
    calendar: Calendar
    run: str
    tally: Tally
    _serial: int = field(default=0)
    _sequence: int | None = field(default=None)

    def price(self) -> Price:
        """Return the partner's tariff."""
        return next(p for p in PRICES if p.cso == self.partner.party_id)

    def authorize(self, evse_id: str, kind: str, value: str) -> UUID | None:
        """Ask to charge; ``None`` when the answer is no."""
        credential = Credential(kind=kind, value=value)  # type: ignore[arg-type]  # the world's kinds are the contract's
        try:
            answer = self.house.authorize_start(evse_id, credential)
        except RefusedError:
            return None
        if answer.decision != "AUTHORIZED":
            return None
        self.tally.sessions += 1
        return answer.session_id

    def charge(self, charge: Charge) -> ServiceDetailRecord:
        """Report start and end of a session that is over, and return its record."""
        started_at, ended_at = self.calendar.take(charge.evse_id, charge.minutes)
        session_id = charge.session_id
        if session_id is not None:
            self._report(session_id, "STARTED", started_at, None)
            middle = started_at + (ended_at - started_at) / 2
            so_far = IntermediateSdr(sequence_no=1, tariff_id=self.price().tariff_id)
            self._report(session_id, "PROGRESS", middle, charge.energy_wh // 2, so_far)
            self._report(session_id, "ENDED", ended_at, charge.energy_wh)
        return self._record(charge, started_at, ended_at)

    def _report(
        self,
        session_id: UUID,
        event: str,
        at: datetime,
        energy_wh: int | None,
        so_far: IntermediateSdr | None = None,
    ) -> None:
        report = ReportSessionRequest(
            session_id=session_id,
            event=event,  # type: ignore[arg-type]  # our own words
            event_id=uuid4(),
            occurred_at=at,
            energy_wh=energy_wh,
            intermediate_sdr=so_far,
        )
        self.house.report_session(report)

    def _record(
        self, charge: Charge, started_at: datetime, ended_at: datetime
    ) -> ServiceDetailRecord:
        self._serial += 1
        price = self.price()
        transaction = ChargingTransaction(
            charging_transaction_id="1",
            started_at=started_at,
            ended_at=ended_at,
            energy_wh=charge.energy_wh,
        )
        session = ServiceSession(
            session_id=charge.session_id,
            csp_id=charge.csp,
            cso_id=charge.cso,
            evse_id=charge.evse_id,
            contract_id=None if charge.card is None else charge.card.contract_id,
            started_at=started_at,
            ended_at=ended_at,
            charging_session=(
                ChargingSession(
                    charging_session_id="1",
                    started_at=started_at,
                    ended_at=ended_at,
                    charging_transaction=(transaction,),
                ),
            ),
        )
        return ServiceDetailRecord(
            sdr_id=f"{self.partner.party_id}-{self.run}-{self._serial:04d}",
            service_session=session,
            tariff_id=price.tariff_id,
            currency=price.currency,
            claimed_net=claim(price, charge),
        )

    def submit(self, records: Sequence[ServiceDetailRecord]) -> SubmitSdrsResponse:
        """Submit a batch under the next number; counts what became of it."""
        if self._sequence is None:
            self._sequence = self._last_taken()
        answer = self.house.submit_sdrs(self._sequence + 1, records)
        self._sequence += 1
        notes.write(self.notebook, {"sequence": self._sequence})
        self.tally.accepted += answer.accepted or 0
        self.tally.refused += answer.refused or 0
        self.tally.held += answer.held or 0
        return answer

    def undecided(self) -> list[str]:
        """Return the ids of our accepted SDRs that no home CSP has decided upon."""

        def pull(cursor: str | None) -> GetSdrsResponse:
            return self.house.get_sdrs(role="SUBMITTER", cursor=cursor)

        return [
            found.service_detail_record.sdr_id
            for page in pages(pull)
            for found in page.sdr
            if found.status in ("ACCEPTED", "DELIVERED")
        ]

    def _last_taken(self) -> int:
        """Return the number of our last batch that the clearing house took.

        A run that was cut off may not have noted the answer to its last one.
        """
        noted: int = notes.read(self.notebook).get("sequence", 0)
        while self._is_taken(noted + 1):
            noted += 1
        return noted

    def _is_taken(self, sequence: int) -> bool:
        try:
            self.house.get_batch_status(sequence)
        except RefusedError as error:
            if error.code is not codes.SDR_UNKNOWN:
                raise
            return False
        return True


def claim(price: Price, charge: Charge) -> Decimal:
    """Return what the CSO claims: its own rating by its own tariff, to the cent."""
    time = (price.per_minute or 0) * charge.minutes
    return net(price.per_kwh, charge.energy_wh, more=time + (price.per_session or 0))
