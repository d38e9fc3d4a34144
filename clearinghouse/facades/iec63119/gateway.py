"""The partners behind the port of the services: how each call to them ends.

What a partner does never raises; an error of our own database does. A call that finds
its line full, or its breaker open, sends nothing. Nothing is sent twice.
"""

from __future__ import annotations

import hashlib
import operator
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TypeVar
from uuid import UUID, uuid4, uuid5

from clearinghouse import codes
from clearinghouse.codes import Code, Kind
from clearinghouse.contract.catalogue import Contract
from clearinghouse.domain.clock import Clock
from clearinghouse.domain.participants import EndpointService
from clearinghouse.domain.settlement_notices import Notice
from clearinghouse.facades.iec63119 import partner_requests as requests
from clearinghouse.facades.iec63119.partner_book import Address, Book
from clearinghouse.facades.iec63119.partner_lines import (
    Barred,
    Lane,
    LineKey,
    Lines,
    Place,
)
from clearinghouse.facades.iec63119.partner_probe import Probe
from clearinghouse.services.ports import (
    Answered,
    AuthorizeAnswer,
    AuthorizeQuestion,
    Busy,
    ControlAnswer,
    Deadline,
    DeliveredSdr,
    Faulted,
    NoEndpoint,
    NotAnswered,
    Refused,
    Reply,
    SdrNotice,
    SessionNotice,
    StartOrder,
    StopOrder,
    Taken,
    TimedOut,
    Unreachable,
)
from clearinghouse.settings import Settings
from clearinghouse.soap import client as soap
from clearinghouse.soap.binding import Bindings, Record
from clearinghouse.storage.database import Database
from clearinghouse.storage.vault import Vault
from clearinghouse.telemetry.metrics import PARTNER_CALLS

T = TypeVar("T")

#: Result codes from here on are a refusal.
REFUSED_FROM = 200

_MILLISECONDS = 1_000
_CSP = EndpointService.CSP_ENDPOINT
_CSO = EndpointService.CSO_ENDPOINT
_SERVER_KINDS = frozenset({Kind.INTERNAL, Kind.UNAVAILABLE})
_SERVER_FAULTS = frozenset({"Server", "Receiver"})
_CODES_BY_NAME = {code.name: code for code in codes.CATALOGUE.values()}


@dataclass(frozen=True, slots=True, kw_only=True)
class Saying:
    """What is said to a partner: how urgent it is, and its name as a message.

    ``name`` stays the same when the same thing is said again; without one every
    message is new.
    """

    operation: str
    service: EndpointService
    lane: Lane
    request: Record
    name: UUID | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Speech:
    """What it takes to speak to partners at all."""

    client: soap.Client
    bindings: Bindings
    clock: Clock
    party_id: str

    def say(self, saying: Saying, address: Address, deadline: Deadline) -> soap.Outcome:
        """Send one message once."""
        header = self.bindings.new(
            "common:ExchangeHeader",
            message_id=self._message_id(saying),
            sender_id=self.party_id,
            receiver_id=address.party_id,
            created_at=self.clock.now(),
            session_token=address.access_token,
        )
        # The seconds of a wait, in the library's unit; no amount is divided here.
        seconds = operator.truediv(deadline.remaining_milliseconds(), _MILLISECONDS)
        return self.client.call(
            saying.request, header, url=address.url, seconds=seconds
        )

    def _message_id(self, saying: Saying) -> UUID:
        """Return an id that is the same for the same name and the same content.

        What is told of a delivery may have changed by the next attempt; it is another
        message then, under the same delivery id.
        """
        if saying.name is None:
            return uuid4()
        content = self.bindings.write(saying.request)
        return uuid5(saying.name, hashlib.sha256(content).hexdigest())


class Gateway:
    """A :class:`~clearinghouse.services.ports.PartnerGateway` over SOAP."""

    def __init__(
        self, speech: Speech, book: Book, lines: Lines, *, probe: Probe
    ) -> None:
        self._speech = speech
        self._book = book
        self._lines = lines
        self._probe = probe

    def authorize(
        self, participant_id: int, question: AuthorizeQuestion, *, deadline: Deadline
    ) -> Reply[AuthorizeAnswer]:
        """Ask a home CSP about a credential."""
        saying = Saying(
            operation="Authorize",
            service=_CSP,
            lane=Lane.REALTIME,
            request=requests.authorize(self._speech.bindings, question),
        )
        return self._ask(participant_id, saying, deadline, requests.decision)

    def start_session(
        self, participant_id: int, order: StartOrder, *, deadline: Deadline
    ) -> Reply[ControlAnswer]:
        """Ask a CSO to start a session."""
        saying = Saying(
            operation="StartSession",
            service=_CSO,
            lane=Lane.REALTIME,
            request=requests.start_session(self._speech.bindings, order),
        )
        return self._ask(participant_id, saying, deadline, requests.start_outcome)

    def stop_session(
        self, participant_id: int, order: StopOrder, *, deadline: Deadline
    ) -> Reply[ControlAnswer]:
        """Ask a CSO to stop a session."""
        saying = Saying(
            operation="StopSession",
            service=_CSO,
            lane=Lane.REALTIME,
            request=requests.stop_session(self._speech.bindings, order),
        )
        return self._ask(participant_id, saying, deadline, requests.stop_outcome)

    def notify_session(
        self, participant_id: int, notice: SessionNotice, *, deadline: Deadline
    ) -> Reply[Taken]:
        """Tell a home CSP what happened in a session."""
        saying = Saying(
            operation="NotifySession",
            service=_CSP,
            lane=Lane.BACKGROUND,
            request=requests.notify_session(self._speech.bindings, notice),
            name=notice.event_id,
        )
        return self._ask(participant_id, saying, deadline, requests.taken)

    def deliver_sdrs(
        self,
        participant_id: int,
        delivery_id: UUID,
        *,
        sdrs: Sequence[DeliveredSdr],
        deadline: Deadline,
    ) -> Reply[Taken]:
        """Deliver SDRs to a home CSP; the same ``delivery_id`` at each attempt."""
        saying = Saying(
            operation="DeliverSdrs",
            service=_CSP,
            lane=Lane.BACKGROUND,
            request=requests.deliver_sdrs(self._speech.bindings, delivery_id, sdrs),
            name=delivery_id,
        )
        return self._ask(participant_id, saying, deadline, requests.taken)

    def notify_sdrs(
        self,
        participant_id: int,
        delivery_id: UUID,
        *,
        notices: Sequence[SdrNotice],
        deadline: Deadline,
    ) -> Reply[Taken]:
        """Tell a submitter what home CSPs said; the same ``delivery_id`` each time."""
        saying = Saying(
            operation="NotifySdrs",
            service=_CSO,
            lane=Lane.BACKGROUND,
            request=requests.notify_sdrs(self._speech.bindings, delivery_id, notices),
            name=delivery_id,
        )
        return self._ask(participant_id, saying, deadline, requests.taken)

    def notify_settlement(
        self,
        participant_id: int,
        delivery_id: UUID,
        *,
        notices: Sequence[Notice],
        deadline: Deadline,
    ) -> Reply[Taken]:
        """Tell news of the settlement; the same ``delivery_id`` at each attempt."""
        bindings = self._speech.bindings
        saying = Saying(
            operation="NotifySettlement",
            service=_CSP,
            lane=Lane.BACKGROUND,
            request=requests.notify_settlement(bindings, delivery_id, notices),
            name=delivery_id,
        )
        return self._ask(participant_id, saying, deadline, requests.taken)

    def probe(
        self, participant_id: int, service: EndpointService, *, deadline: Deadline
    ) -> Reply[Taken]:
        """Look whether a partner's service is there; for the operator's eyes.

        It takes a background slot, whatever the breaker says, and is noted with the
        link like any other call.
        """
        address = self._book.address(participant_id, service)
        if address is None:
            return NoEndpoint()
        key = LineKey(participant_id, service, Lane.BACKGROUND)
        with self._lines.place(key, probing=True) as place:
            if isinstance(place, Barred):
                return Busy()
            reply = self._probe.look(address.url, deadline)
            if isinstance(reply, Answered):
                place.answered()
            else:
                place.failed(codes.PARTNER_UNREACHABLE)
            return reply

    def close(self) -> None:
        """Close the kept connections."""
        self._speech.client.close()

    def _ask(
        self,
        participant_id: int,
        saying: Saying,
        deadline: Deadline,
        read: Callable[[Record], T | None],
    ) -> Reply[T]:
        reply = self._reply(participant_id, saying, deadline, read)
        PARTNER_CALLS.labels(saying.operation, type(reply).__name__).inc()
        return reply

    def _reply(
        self,
        participant_id: int,
        saying: Saying,
        deadline: Deadline,
        read: Callable[[Record], T | None],
    ) -> Reply[T]:
        address = self._book.address(participant_id, saying.service)
        if address is None:
            return NoEndpoint()
        key = LineKey(participant_id, saying.service, saying.lane)
        self._lines.renew(key, address.registered_at)
        with self._lines.place(key) as place:
            if isinstance(place, Barred):
                return _barred(place, saying.lane)
            if not deadline.remaining_milliseconds():
                return Busy()
            outcome = self._speech.say(saying, address, deadline)
            return _judged(outcome, place, read)


def _barred(why: Barred, lane: Lane) -> NotAnswered:
    """Return the outcome of a call that was not let out.

    A driver is told that the partner cannot be reached. A delivery waits a little and
    goes out when the line is free again, which costs it no attempt.
    """
    if why is Barred.OPEN and lane is Lane.REALTIME:
        return Unreachable()
    return Busy()


def _judged(
    outcome: soap.Outcome, place: Place, read: Callable[[Record], T | None]
) -> Reply[T]:
    """Return what a call came to, and tell the line whether it works."""
    match outcome:
        case soap.Answered(record):
            return _answered(record, place, read)
        case soap.Refused(code, _, _, wait):
            if _blames_itself(code):
                place.failed(codes.PARTNER_FAULT, wait_seconds=wait)
                return Faulted(took_effect_unknown=True)
            place.answered()
            return Faulted(took_effect_unknown=False)
        case soap.TimedOut(sent):
            place.failed(codes.PARTNER_SILENT)
            return TimedOut() if sent else Unreachable()
        case soap.Unreachable(reason, sent, _, wait):
            place.failed(_error_of(reason), wait_seconds=wait)
            return _unreached(reason, sent=sent)


def _answered(
    record: Record, place: Place, read: Callable[[Record], T | None]
) -> Reply[T]:
    place.answered()
    result = record.result
    if result.code >= REFUSED_FROM:
        return Refused(result.code, result.retryable)
    answer = read(record)
    if answer is None:
        return Faulted(took_effect_unknown=True)
    return Answered(answer)


def _unreached(reason: soap.Reason, *, sent: bool) -> NotAnswered:
    """Return the outcome of a call without a usable answer.

    An answer that is none came from a partner that had the message; a connection that
    broke after the message went out tells nothing.
    """
    if not sent:
        return Unreachable()
    if reason is soap.Reason.CLOSED:
        return TimedOut()
    return Faulted(took_effect_unknown=True)


def _error_of(reason: soap.Reason) -> Code:
    if reason in {soap.Reason.STATUS, soap.Reason.LARGE, soap.Reason.MALFORMED}:
        return codes.PARTNER_FAULT
    return codes.PARTNER_UNREACHABLE


def _blames_itself(fault: str) -> bool:
    """Say whether a fault is of the partner's own making."""
    known = _CODES_BY_NAME.get(fault)
    if known is not None:
        return known.kind in _SERVER_KINDS or known.retryable
    return fault.partition(".")[0] in _SERVER_FAULTS


def gateway(
    database: Database, vault: Vault, clock: Clock, settings: Settings
) -> Gateway:
    """Return the gateway of this process."""
    contract = Contract.load()
    bindings = Bindings.of(contract)
    allowed = soap.ClientSettings.of(settings)
    speech = Speech(
        client=soap.Client(contract, bindings, allowed),
        bindings=bindings,
        clock=clock,
        party_id=settings.party_id,
    )
    return Gateway(
        speech,
        Book(database, vault),
        Lines(database, clock),
        probe=Probe(allowed),
    )
