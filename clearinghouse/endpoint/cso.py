"""The reference CSO: takes remote starts, reports the session, submits the SDR.

Charging is simulated at full power, in real time, for a fixed number of seconds or
until the stop.
"""

from __future__ import annotations

import threading
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import cast
from uuid import UUID, uuid4, uuid5

from clearinghouse import codes
from clearinghouse.endpoint.afterwards import Afterwards
from clearinghouse.endpoint.behaviour import RemoteStart
from clearinghouse.endpoint.client import ClearingHouse
from clearinghouse.endpoint.clock import now
from clearinghouse.endpoint.errors import RefusedError
from clearinghouse.endpoint.journal import Entry, Journal
from clearinghouse.endpoint.messages.common import (
    CurrencyAmount,
    IntermediateSdr,
    SessionEvent,
)
from clearinghouse.endpoint.messages.cso_endpoint import (
    NotifySdrsRequest,
    Outcome,
    StartSessionRequest,
    StopSessionRequest,
)
from clearinghouse.endpoint.messages.session import ReportSessionRequest
from clearinghouse.endpoint.station import Station

# How exactly the end of a charge is met.
_TICK_SECONDS = 0.2


@dataclass(frozen=True, slots=True, kw_only=True)
class _Charge:
    """One charge that runs, from the journal's entry."""

    session_id: UUID
    evse_id: str
    started_at: datetime

    @classmethod
    def of(cls, entry: Entry) -> _Charge:
        return cls(
            session_id=UUID(entry["id"]),
            evse_id=entry["evse_id"],
            started_at=datetime.fromisoformat(entry["started_at"]),
        )


class ReferenceCso:
    """A CSO that keeps in a journal what it must not forget.

    Without ``house`` it charges, reports nothing and submits nothing.
    """

    def __init__(
        self, station: Station, journal: Journal, *, house: ClearingHouse | None = None
    ) -> None:
        self._station = station
        self._journal = journal
        self._house = house
        self._afterwards = Afterwards()
        self._lock = threading.Lock()
        self._closing = threading.Event()
        self._running = {
            entry["id"]: _Charge.of(entry)
            for entry in journal.entries("start")
            if journal.find("end", entry["id"]) is None
        }
        self._afterwards.add(self._report_open)
        self._afterwards.add(self._submit_open)
        self._clock = threading.Thread(target=self._watch, name="station", daemon=True)
        self._clock.start()

    def start_session(self, request: StartSessionRequest) -> RemoteStart:
        """Start charging when the EVSE is ours and free; the same session once."""
        session_id = str(request.session_id)
        with self._lock:
            known = self._journal.find("start", session_id)
            if known is None:
                refusal = self._refusal(request.evse_id)
                if refusal is not None:
                    return RemoteStart(outcome="REFUSED", reason=refusal)
                known = {
                    "kind": "start",
                    "id": session_id,
                    "evse_id": request.evse_id,
                    "csp_id": request.csp_id,
                    "partner_session_id": f"{self._station.party_id}-{session_id[:8]}",
                    "started_at": now().isoformat(),
                }
                started = _event(session_id, "STARTED", known["started_at"], 0)
                self._journal.append([known, started])
                self._running[session_id] = _Charge.of(known)
                self._afterwards.add(self._report_open)
        return RemoteStart(
            outcome="ACCEPTED", partner_session_id=known["partner_session_id"]
        )

    def stop_session(self, request: StopSessionRequest) -> Outcome:
        """Stop a charge; one that has ended counts as stopped."""
        session_id = str(request.session_id)
        if self._journal.find("start", session_id) is None:
            return "REFUSED"
        self._end(session_id, now())
        return "ACCEPTED"

    def notify_sdrs(self, request: NotifySdrsRequest) -> None:
        """Store verdicts once."""
        verdicts = [
            {
                "kind": "verdict",
                "id": notice.sdr_id,
                "status": notice.status,
                "reason": notice.reason or "",
            }
            for notice in request.notice
        ]
        delivery = {"kind": "delivery", "id": str(request.delivery_id)}
        self._journal.append([*verdicts, delivery])

    def close(self) -> None:
        """Finish what is queued; charges go on after the next start."""
        self._closing.set()
        self._clock.join()
        self._afterwards.finish()
        self._journal.close()

    def _refusal(self, evse_id: str) -> str | None:
        if evse_id not in self._station.evse_ids:
            return codes.EVSE_UNKNOWN.name
        if any(charge.evse_id == evse_id for charge in self._running.values()):
            return "EVSE_OCCUPIED"
        return None

    def _watch(self) -> None:
        """End the charges whose time is over, and tell of those that go on."""
        length = timedelta(seconds=self._station.charge_seconds)
        while not self._closing.wait(_TICK_SECONDS):
            with self._lock:
                charges = list(self._running.items())
            for session_id, charge in charges:
                if charge.started_at + length <= now():
                    self._end(session_id, charge.started_at + length)
                else:
                    self._tell(session_id, charge)

    def _tell(self, session_id: str, charge: _Charge) -> None:
        """Make an intermediate SDR when it is time for one; each once."""
        every = timedelta(seconds=self._station.progress_seconds)
        number = (now() - charge.started_at) // every
        if number < 1:
            return
        at = charge.started_at + number * every
        energy_wh = self._station.energy_wh(at - charge.started_at)
        event = _event(session_id, "PROGRESS", at.isoformat(), energy_wh)
        event |= {"id": f"{event['id']}-{number}", "sequence_no": str(number)}
        with self._lock:
            known = self._journal.find("event", event["id"]) is not None
            if known or session_id not in self._running:
                return
            self._journal.append([event])
        self._afterwards.add(self._report_open)

    def _end(self, session_id: str, ended_at: datetime) -> None:
        with self._lock:
            charge = self._running.pop(session_id, None)
            if charge is None:
                return
            energy_wh = self._station.energy_wh(ended_at - charge.started_at)
            sequence = str(len(self._journal.entries("batch")) + 1)
            self._journal.append(
                [
                    {
                        "kind": "end",
                        "id": session_id,
                        "ended_at": ended_at.isoformat(),
                        "energy_wh": str(energy_wh),
                    },
                    _event(session_id, "ENDED", ended_at.isoformat(), energy_wh),
                    # The message id is stored before the first send.
                    {
                        "kind": "batch",
                        "id": sequence,
                        "session_id": session_id,
                        "message_id": str(uuid4()),
                    },
                ]
            )
        self._afterwards.add(self._report_open)
        self._afterwards.add(self._submit_open)

    def _report_open(self) -> None:
        """Report what happened and was not taken yet, in the order it happened."""
        if self._house is None:
            return
        for event in self._journal.entries("event"):
            if self._journal.find("reported", event["id"]) is not None:
                continue
            start = self._journal.find("start", event["session_id"]) or {}
            session_id = UUID(event["session_id"])
            report = ReportSessionRequest(
                session_id=session_id,
                partner_session_id=start["partner_session_id"],
                event=cast("SessionEvent", event["event"]),
                # The same event has the same id, also after a restart.
                event_id=uuid5(session_id, event["id"].removeprefix(f"{session_id}-")),
                occurred_at=datetime.fromisoformat(event["occurred_at"]),
                energy_wh=int(event["energy_wh"]),
                intermediate_sdr=self._so_far(event),
            )
            with suppress(RefusedError):  # a no is an answer: it is not asked again
                self._house.report_session(report)
            self._journal.append([{"kind": "reported", "id": event["id"]}])

    def _so_far(self, event: Entry) -> IntermediateSdr | None:
        if "sequence_no" not in event:
            return None
        energy_wh, station = int(event["energy_wh"]), self._station
        return IntermediateSdr(
            sequence_no=int(event["sequence_no"]),
            meter_wh=energy_wh,
            claimed_net=CurrencyAmount(
                currency=station.currency, amount=station.net(energy_wh)
            ),
            tariff_id=station.tariff_id,
        )

    def _submit_open(self) -> None:
        """Submit what is not submitted, in order: the sequence has no gaps."""
        if self._house is None:
            return
        for batch in self._journal.entries("batch"):
            if self._journal.find("submitted", batch["id"]) is not None:
                continue
            start = self._journal.find("start", batch["session_id"])
            end = self._journal.find("end", batch["session_id"])
            if start is None or end is None:
                continue
            record = self._station.record(start, end)
            self._house.submit_sdrs(
                int(batch["id"]), [record], message_id=UUID(batch["message_id"])
            )
            self._journal.append([{"kind": "submitted", "id": batch["id"]}])


def _event(
    session_id: str, event: SessionEvent, occurred_at: str, energy_wh: int
) -> Entry:
    return {
        "kind": "event",
        "id": f"{session_id}-{event}",
        "session_id": session_id,
        "event": event,
        "occurred_at": occurred_at,
        "energy_wh": str(energy_wh),
    }
