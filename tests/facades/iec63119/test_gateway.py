"""The gateway over real connections: reference endpoints, and peers that misbehave."""

from __future__ import annotations

import contextlib
import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from types import SimpleNamespace
from urllib.parse import urlsplit
from uuid import uuid4

import pytest

from clearinghouse import codes
from clearinghouse.domain.authorization import Verdict
from clearinghouse.domain.clock import SystemClock
from clearinghouse.domain.link import LinkState
from clearinghouse.domain.participants import EndpointService, Participant
from clearinghouse.domain.sdrs import News
from clearinghouse.domain.sessions import SessionEventKind, SessionState
from clearinghouse.endpoint.messages.cso_endpoint import (
    NotifySdrsRequest,
    StartSessionRequest,
)
from clearinghouse.endpoint.messages.csp_endpoint import (
    AuthorizeRequest,
    NotifySessionRequest,
)
from clearinghouse.endpoint.refusal import NotTakenError
from clearinghouse.facades.iec63119 import gateway as factory
from clearinghouse.facades.iec63119 import partner_lines
from clearinghouse.facades.iec63119.gateway import Gateway
from clearinghouse.facades.iec63119.partner_lines import SLOTS, Lane
from clearinghouse.identifiers.credential import CredentialKind
from clearinghouse.services import ports
from clearinghouse.services.environment import Environment
from clearinghouse.settings import Settings
from clearinghouse.storage import links
from tests.builders import make_cso, make_csp
from tests.delivery.stage import (
    RecordingPartner,
    hang,
    nobody,
    peer,
    register,
    says,
    serving,
)
from tests.fixtures.partners import StillClock
from tests.waiting import PATIENCE_SECONDS

PATIENCE_MS = 90_000
CSP = EndpointService.CSP_ENDPOINT
CSO = EndpointService.CSO_ENDPOINT
AT = datetime(2026, 3, 14, 18, 2, 11, tzinfo=UTC)
QUESTION = ports.AuthorizeQuestion(
    session_id=uuid4(),
    evse_id="CH*REP*E0001*1",
    cso_party="CHREP",
    kind=CredentialKind.RFID,
    value="04A1B2C3D4E580",
)
NOTICE = ports.SessionNotice(
    session_id=uuid4(),
    event=SessionEventKind.STARTED,
    event_id=uuid4(),
    occurred_at=AT,
    state=SessionState.ACTIVE,
    cso_party="CHREP",
    evse_id="CH*REP*E0001*1",
    energy_wh=100,
)


@dataclass(frozen=True, slots=True)
class Line:
    """A gateway, and a partner that is CSP and CSO and registered nowhere yet."""

    env: Environment
    gateway: Gateway
    clock: StillClock
    csp: Participant
    cso: Participant

    def ask(
        self, milliseconds: int = PATIENCE_MS
    ) -> ports.Reply[ports.AuthorizeAnswer]:
        """Ask the CSP about a credential."""
        deadline = ports.Deadline.after(milliseconds)
        return self.gateway.authorize(
            self.csp.participant_id, QUESTION, deadline=deadline
        )

    def notify(self, milliseconds: int = PATIENCE_MS) -> ports.Reply[ports.Taken]:
        """Tell the CSP some news."""
        deadline = ports.Deadline.after(milliseconds)
        return self.gateway.notify_session(
            self.csp.participant_id, NOTICE, deadline=deadline
        )


def _gateway(env: Environment, folder: Path, *, allow_private: bool = True) -> Gateway:
    settings = Settings(
        state_dir=folder,
        allow_http_endpoints=True,
        allow_private_endpoints=allow_private,
    )
    return factory(env.database, env.vault, env.clock, settings)


@pytest.fixture
def line(env: Environment, tmp_path: Path) -> Iterator[Line]:
    with env.database.begin() as tx:
        csp, cso = make_csp(tx), make_cso(tx)
    # The partners' own clocks are real. Ours stands: no breaker closes meanwhile.
    clock = StillClock(SystemClock().now())
    env = replace(env, clock=clock)
    gateway = _gateway(env, tmp_path)
    yield Line(env, gateway, clock, csp, cso)
    gateway.close()


def _port(url: str) -> int:
    return urlsplit(url).port or 0


def _http(status: str, *headers: str, body: bytes = b"") -> bytes:
    lines = [f"HTTP/1.1 {status}", f"Content-Length: {len(body)}", *headers, "", ""]
    return "\r\n".join(lines).encode() + body


def test_asks_a_csp_and_understands_its_answer(line: Line) -> None:
    partner = RecordingPartner()
    with serving(csp=partner) as url:
        register(line.env, line.csp, url)

        reply = line.ask()

    assert reply == ports.Answered(
        ports.AuthorizeAnswer(
            verdict=Verdict.AUTHORIZED,
            contract_id="DE-ABC-C00000001-3",
            max_energy_wh=7,
        )
    )
    [asked] = partner.told
    assert isinstance(asked, AuthorizeRequest)
    assert (asked.session_id, asked.cso_id) == (QUESTION.session_id, "CHREP")
    assert (asked.credential.kind, asked.credential.value) == ("RFID", QUESTION.value)


def test_orders_a_cso_to_start_and_to_stop(line: Line) -> None:
    partner = RecordingPartner()
    start = ports.StartOrder(
        session_id=uuid4(), evse_id="CH*REP*E0001*1", csp_party="DEABC"
    )
    stop = ports.StopOrder(session_id=start.session_id, partner_session_id="OURS-1")
    with serving(cso=partner) as url:
        register(line.env, line.cso, url, CSO)
        deadline = ports.Deadline.after(PATIENCE_MS)

        started = line.gateway.start_session(
            line.cso.participant_id, start, deadline=deadline
        )
        stopped = line.gateway.stop_session(
            line.cso.participant_id, stop, deadline=deadline
        )

    assert started == ports.Answered(
        ports.ControlAnswer(accepted=True, partner_session_id="OURS-1")
    )
    assert stopped == ports.Answered(ports.ControlAnswer(accepted=False))
    assert isinstance(partner.told[0], StartSessionRequest)


def test_tells_verdicts_and_news(line: Line) -> None:
    partner = RecordingPartner()
    delivery_id = uuid4()
    notices = [
        ports.SdrNotice(sdr_id="A23-1", news=News.CONFIRMED),
        ports.SdrNotice(sdr_id="A23-2", news=News.REJECTED, reason="TOO_EXPENSIVE"),
    ]
    with serving(csp=partner, cso=partner) as url:
        register(line.env, line.csp, url)
        register(line.env, line.cso, url, CSO)
        told = line.gateway.notify_sdrs(
            line.cso.participant_id,
            delivery_id,
            notices=notices,
            deadline=ports.Deadline.after(PATIENCE_MS),
        )

        assert told == line.notify() == ports.Answered(ports.Taken.TAKEN)

    verdicts, news = partner.told
    assert isinstance(verdicts, NotifySdrsRequest)
    assert verdicts.delivery_id == delivery_id
    assert [(one.sdr_id, one.status, one.reason) for one in verdicts.notice] == [
        ("A23-1", "CONFIRMED", None),
        ("A23-2", "REJECTED", "TOO_EXPENSIVE"),
    ]
    assert isinstance(news, NotifySessionRequest)
    assert (news.event, news.energy_wh, news.occurred_at) == ("STARTED", 100, AT)


def test_a_repeat_is_the_same_message_to_the_partner(line: Line) -> None:
    partner = RecordingPartner()
    with serving(csp=partner) as url:
        register(line.env, line.csp, url)
        line.notify()
        line.notify()

    assert len(partner.told) == 1, "the endpoint gave its kept answer to the repeat"


def test_a_question_is_a_new_message_each_time(line: Line) -> None:
    partner = RecordingPartner()
    with serving(csp=partner) as url:
        register(line.env, line.csp, url)
        line.ask()
        line.ask()

    assert len(partner.told) == 2


def _raises(error: Exception) -> Callable[[object], None]:
    def act(_request: object) -> None:
        raise error

    return act


@pytest.mark.parametrize(
    ("error", "reply"),
    [
        (NotTakenError(codes.UNAVAILABLE), ports.Refused(901, retryable=True)),
        (NotTakenError(codes.SDR_UNKNOWN), ports.Refused(650, retryable=False)),
        (RuntimeError("a bug of theirs"), ports.Faulted(took_effect_unknown=True)),
    ],
)
def test_a_partner_that_does_not_take_it_says_so(
    line: Line, error: Exception, reply: ports.NotAnswered
) -> None:
    with serving(csp=RecordingPartner(act=_raises(error))) as url:
        register(line.env, line.csp, url)

        assert line.notify() == reply


def test_a_partner_that_does_not_know_us_faults_the_message(line: Line) -> None:
    with serving(csp=RecordingPartner()) as url:
        register(line.env, line.csp, url)
        with contextlib.closing(_foreign(line, "XXFOR")) as foreign:
            reply = replace(line, gateway=foreign).ask()

    assert reply == ports.Faulted(took_effect_unknown=False)


def _foreign(line: Line, party_id: str) -> Gateway:
    """Return the gateway of another clearing house."""
    settings = Settings(
        party_id=party_id, allow_http_endpoints=True, allow_private_endpoints=True
    )
    return factory(line.env.database, line.env.vault, line.clock, settings)


def test_a_partner_without_an_address_is_not_called(line: Line) -> None:
    assert line.ask() == ports.NoEndpoint()


def test_nobody_at_the_address_is_unreachable(line: Line) -> None:
    register(line.env, line.csp, nobody())

    assert line.ask() == ports.Unreachable()


def _dribble(connection: socket.socket) -> None:
    """Answer a byte at a time, for ever."""
    connection.recv(65_536)
    for byte in _http("200 OK", body=b" " * 10_000):
        connection.sendall(bytes([byte]))
        time.sleep(0.05)


def _in_vain(ask: Callable[[int], ports.Reply[object]]) -> ports.Reply[object]:
    """Ask a silent partner with a short deadline.

    Nothing is sent when the time is over before: then a longer one is given.
    """
    for milliseconds in (400, 2_000, 10_000):
        reply = ask(milliseconds)
        if reply not in (ports.Busy(), ports.Unreachable()):
            break
    return reply


@pytest.mark.parametrize("speak", [hang, _dribble])
def test_the_deadline_is_absolute(
    line: Line, speak: Callable[[socket.socket], None]
) -> None:
    with peer(speak) as url:
        register(line.env, line.csp, url)
        began = time.monotonic()

        assert _in_vain(line.ask) == ports.TimedOut()

        assert time.monotonic() - began > 0.3


def test_sends_nothing_after_the_deadline(line: Line) -> None:
    partner = RecordingPartner()
    with serving(csp=partner) as url:
        register(line.env, line.csp, url)

        assert line.ask(milliseconds=0) == ports.Busy()

    assert partner.told == []


SOAP_12_SENDER = (
    b'<e:Envelope xmlns:e="http://www.w3.org/2003/05/soap-envelope"><e:Body><e:Fault>'
    b"<e:Code><e:Value>e:Sender</e:Value></e:Code><e:Reason><e:Text "
    b'xml:lang="en">no</e:Text></e:Reason></e:Fault></e:Body></e:Envelope>'
)


@pytest.mark.parametrize(
    ("answer", "reply"),
    [
        (_http("200 OK", "Content-Type: text/html", body=b"<html/>"), True),
        (_http("200 OK", "Content-Type: text/xml", body=b"<x/>"), True),
        (_http("502 Bad Gateway", "Content-Type: text/html", body=b"<html/>"), True),
        (_http("307 Temporary Redirect", "Location: http://127.0.0.1:9/"), True),
        (
            _http(
                "400 Bad Request",
                "Content-Type: application/soap+xml",
                body=SOAP_12_SENDER,
            ),
            False,
        ),
    ],
)
def test_an_answer_that_is_none_is_a_fault_of_the_partner(
    line: Line, answer: bytes, *, reply: bool
) -> None:
    with says(answer) as url:
        register(line.env, line.csp, url)

        assert line.ask() == ports.Faulted(took_effect_unknown=reply)


def test_a_connection_that_breaks_after_the_message_tells_nothing(line: Line) -> None:
    with says(b"") as url:
        register(line.env, line.csp, url)

        assert line.ask() == ports.TimedOut()


@pytest.mark.clause("7.1-protect")
def test_judges_the_address_again_when_it_connects(line: Line, tmp_path: Path) -> None:
    partner = RecordingPartner()
    strict = _gateway(line.env, tmp_path, allow_private=False)
    with serving(csp=partner) as url, contextlib.closing(strict):
        register(line.env, line.csp, url)

        assert replace(line, gateway=strict).ask() == ports.Unreachable()

    assert partner.told == []


def test_four_questions_hang_and_the_fifth_is_refused_at_once(line: Line) -> None:
    slots = SLOTS[Lane.REALTIME]
    asked, go_on = threading.Semaphore(0), threading.Event()

    def speak(connection: socket.socket) -> None:
        connection.recv(65_536)
        asked.release()
        go_on.wait(PATIENCE_SECONDS)
        connection.shutdown(socket.SHUT_RDWR)

    with peer(speak) as url, ExitStack() as asking:
        register(line.env, line.csp, url)
        for _ in range(slots):
            thread = threading.Thread(target=line.ask)
            thread.start()
            asking.callback(thread.join)
        asking.callback(go_on.set)
        for _ in range(slots):
            assert asked.acquire(timeout=PATIENCE_SECONDS)

        fifth = line.ask()
        thread = threading.Thread(target=line.notify)
        thread.start()
        asking.callback(thread.join)
        asking.callback(go_on.set)

        assert asked.acquire(timeout=PATIENCE_SECONDS), "deliveries have slots"
    assert fifth == ports.Busy()


def test_breaker_opens_and_its_state_is_stored(line: Line) -> None:
    url = nobody()
    register(line.env, line.csp, url)
    for _ in range(5):
        line.notify()
    partner = RecordingPartner()
    with serving(csp=partner, port=_port(url)):
        assert line.notify() == ports.Busy(), "the breaker is open"
        assert isinstance(line.ask(), ports.Answered), "for this lane alone"

    assert [type(told) for told in partner.told] == [AuthorizeRequest]
    with line.env.database.begin_read_only() as tx:
        record = links.link_of(tx, line.csp.participant_id, CSP)
    assert record.last_error_code == codes.PARTNER_UNREACHABLE.number
    assert record.last_success_at is not None


def test_open_breaker_is_seen_by_the_operator(line: Line) -> None:
    register(line.env, line.csp, nobody())

    replies = [line.ask() for _ in range(6)]

    assert replies == [ports.Unreachable()] * 6
    with line.env.database.begin_read_only() as tx:
        record = links.link_of(tx, line.csp.participant_id, CSP)
    assert record.link.state is LinkState.OPEN
    assert record.link.consecutive_failures == 5


def test_waits_as_long_as_the_partner_asks_for(
    line: Line, monkeypatch: pytest.MonkeyPatch
) -> None:
    now_ns = [0]
    own = SimpleNamespace(monotonic_ns=lambda: now_ns[0])
    monkeypatch.setattr(partner_lines, "time", own)
    with says(_http("503 Service Unavailable", "Retry-After: 1")) as url:
        register(line.env, line.csp, url)
        assert line.notify() == ports.Faulted(took_effect_unknown=True)
    with serving(csp=RecordingPartner(), port=_port(url)):
        assert line.notify() == ports.Busy()
        now_ns[0] += 1_000_000_000
        assert line.notify() == ports.Answered(ports.Taken.TAKEN)


def test_a_partner_that_registers_anew_is_called_at_once(line: Line) -> None:
    url = nobody()
    register(line.env, line.csp, url)
    broken = [line.notify() for _ in range(6)]
    with says(_http("503 Service Unavailable", "Retry-After: 900")) as busy:
        line.clock.forward(seconds=1)
        register(line.env, line.csp, busy)
        asked_to_wait = [line.notify() for _ in range(2)]
    with serving(csp=RecordingPartner(), port=_port(url)):
        line.clock.forward(seconds=1)
        register(line.env, line.csp, url)
        back = line.notify()

    assert broken[4:] == [ports.Unreachable(), ports.Busy()]
    assert asked_to_wait == [ports.Faulted(took_effect_unknown=True), ports.Busy()]
    assert back == ports.Answered(ports.Taken.TAKEN)


def test_probe_looks_without_telling_anything(line: Line) -> None:
    partner = RecordingPartner()

    def probe(milliseconds: int = PATIENCE_MS) -> ports.Reply[ports.Taken]:
        return line.gateway.probe(
            line.csp.participant_id, CSP, deadline=ports.Deadline.after(milliseconds)
        )

    nowhere = probe()
    with serving(csp=partner) as url:
        register(line.env, line.csp, url)
        there = probe()
    gone = probe()
    with peer(hang) as url:
        register(line.env, line.csp, url)
        silent = _in_vain(probe)

    assert nowhere == ports.NoEndpoint()
    assert there == ports.Answered(ports.Taken.TAKEN)
    assert gone == ports.Unreachable()
    assert silent == ports.TimedOut()
    assert partner.told == []
