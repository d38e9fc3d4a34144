"""Partners on real addresses: reference endpoints, and peers that only misbehave."""

from __future__ import annotations

import atexit
import contextlib
import socket
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path
from uuid import UUID, uuid4

from clearinghouse.domain.clock import SystemClock
from clearinghouse.domain.outbox import DeliveryKind, DeliveryState
from clearinghouse.domain.participants import EndpointService, Participant
from clearinghouse.domain.sessions import SessionEventKind, SessionState
from clearinghouse.endpoint.behaviour import (
    Authorization,
    CsoBehaviour,
    CspBehaviour,
    RemoteStart,
)
from clearinghouse.endpoint.exchange import Access
from clearinghouse.endpoint.messages import cso_endpoint, csp_endpoint
from clearinghouse.endpoint.server import application
from clearinghouse.endpoint.serving import Address, Serving
from clearinghouse.facades import iec63119
from clearinghouse.services.directory import token_purpose
from clearinghouse.services.environment import Environment
from clearinghouse.settings import Settings
from clearinghouse.storage import directory, outbox, sessions
from clearinghouse.storage.directory import Endpoint
from clearinghouse.storage.outbox import Delivery, NewDelivery
from tests.builders import make_session
from tests.stored import stored_delivery
from tests.waiting import PATIENCE_SECONDS

ACCESS_TOKEN = "the-token-of-the-partner"


@dataclass(slots=True)
class RecordingPartner:
    """A CSP and CSO at once that remembers what it was told; ``act`` may do more."""

    act: Callable[[object], None] = lambda _request: None
    told: list[object] = field(default_factory=list)

    def _take(self, request: object) -> None:
        self.told.append(request)
        self.act(request)

    def authorize(self, request: csp_endpoint.AuthorizeRequest) -> Authorization:
        """Authorize everybody."""
        self._take(request)
        return Authorization(
            decision="AUTHORIZED", contract_id="DE-ABC-C00000001-3", max_energy_wh=7
        )

    def notify_session(self, request: csp_endpoint.NotifySessionRequest) -> None:
        """Take a notice."""
        self._take(request)

    def deliver_sdrs(self, request: csp_endpoint.DeliverSdrsRequest) -> None:
        """Take a delivery."""
        self._take(request)

    def notify_settlement(self, request: csp_endpoint.NotifySettlementRequest) -> None:
        """Take news."""
        self._take(request)

    def start_session(self, request: cso_endpoint.StartSessionRequest) -> RemoteStart:
        """Start everything."""
        self._take(request)
        return RemoteStart(outcome="ACCEPTED", partner_session_id="OURS-1")

    def stop_session(
        self, request: cso_endpoint.StopSessionRequest
    ) -> cso_endpoint.Outcome:
        """Stop nothing."""
        self._take(request)
        return "REFUSED"

    def notify_sdrs(self, request: cso_endpoint.NotifySdrsRequest) -> None:
        """Take verdicts."""
        self._take(request)


@contextlib.contextmanager
def serving(
    csp: CspBehaviour | None = None, cso: CsoBehaviour | None = None, *, port: int = 0
) -> Iterator[str]:
    """Serve a partner, where another was if need be, and give its address."""
    access = Access(token=ACCESS_TOKEN, sender_id="CHCLR")
    at = Address(port=port)
    running = Serving(application(csp=csp, cso=cso, access=access), at)
    try:
        yield running.url
    finally:
        running.stop()


@contextlib.contextmanager
def peer(speak: Callable[[socket.socket], None]) -> Iterator[str]:
    """Serve a peer that does with each connection what ``speak`` says."""
    ended = threading.Event()
    talking: list[threading.Thread] = []
    with socket.create_server(("127.0.0.1", 0), backlog=128) as listener:

        def talk(connection: socket.socket) -> None:
            with connection, contextlib.suppress(OSError):
                speak(connection)
                ended.wait()

        def listen() -> None:
            with contextlib.suppress(OSError):
                while True:
                    connection, _ = listener.accept()
                    thread = threading.Thread(target=talk, args=(connection,))
                    talking.append(thread)
                    thread.start()

        thread = threading.Thread(target=listen)
        thread.start()
        try:
            yield f"http://127.0.0.1:{listener.getsockname()[1]}"
        finally:
            ended.set()
            # Closing alone does not wake who waits in accept.
            listener.shutdown(socket.SHUT_RDWR)
            thread.join()
            for one in talking:
                one.join(PATIENCE_SECONDS)


@contextlib.contextmanager
def says(answer: bytes) -> Iterator[str]:
    """Serve a peer that sends these bytes, whatever it is asked."""

    def speak(connection: socket.socket) -> None:
        connection.recv(65_536)
        connection.sendall(answer)
        connection.shutdown(socket.SHUT_WR)

    with peer(speak) as url:
        yield url


def hang(connection: socket.socket) -> None:
    """Take the request and never answer."""
    connection.recv(65_536)


def nobody() -> str:
    """Return an address at which nobody listens, unless ``serving`` is told to.

    Its port stays taken until the end: no other test is given it.
    """
    kept = socket.socket()
    kept.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    kept.bind(("127.0.0.1", 0))
    atexit.register(kept.close)
    return f"http://127.0.0.1:{kept.getsockname()[1]}"


def register(
    env: Environment,
    participant: Participant,
    url: str,
    service: EndpointService = EndpointService.CSP_ENDPOINT,
) -> None:
    """Store a partner's endpoint, and nothing of what else PutEndpoints does."""
    purpose = token_purpose(participant.participant_id, service)
    endpoint = Endpoint(
        participant_id=participant.participant_id,
        service=service,
        url=f"{url}/services/{service}",
        registered_at=env.clock.now(),
        access_token_sealed=env.vault.seal(ACCESS_TOKEN, purpose=purpose),
    )
    with env.database.begin() as tx:
        directory.put_endpoint(tx, endpoint)


def connected(env: Environment, tmp_path: Path) -> Environment:
    """Return the environment with the real clock and the real gateway."""
    clock = SystemClock()
    settings = Settings(
        state_dir=tmp_path, allow_http_endpoints=True, allow_private_endpoints=True
    )
    gateway = iec63119.gateway(env.database, env.vault, clock, settings)
    return replace(env, clock=clock, partners=gateway)


def enqueue_notice(env: Environment, csp: Participant, cso: Participant) -> UUID:
    """Enqueue the news that charging started; return the delivery's id."""
    now = env.clock.now()
    session = make_session(cso, csp, state=SessionState.ACTIVE)
    new = NewDelivery(
        participant_id=csp.participant_id,
        kind=DeliveryKind.NOTIFY_SESSION,
        subject_key=str(session.session_id),
        payload={
            "session_id": str(session.session_id),
            "event": SessionEventKind.STARTED,
            "event_id": str(uuid4()),
            "occurred_at": now.isoformat(),
            "state": SessionState.ACTIVE,
            "energy_wh": None,
        },
    )
    with env.database.begin() as tx:
        sessions.insert_session(tx, session)
        outbox.enqueue(tx, new, at=now)
    return new.delivery_id


def delivery(env: Environment, delivery_id: UUID) -> Delivery:
    """Return a delivery as stored."""
    with env.database.begin_read_only() as tx:
        return stored_delivery(tx, delivery_id)


def state(env: Environment, delivery_id: UUID) -> DeliveryState:
    """Return where a delivery stands."""
    return delivery(env, delivery_id).state


def join_deliveries() -> None:
    """Wait for calls that a stopped worker left behind."""
    for thread in threading.enumerate():
        if thread.name == "delivery":
            thread.join(PATIENCE_SECONDS)
