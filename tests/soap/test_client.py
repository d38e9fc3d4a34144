"""Outgoing calls: every way a partner can answer, or not answer."""

from __future__ import annotations

import socket
import threading
import time

import pytest

from clearinghouse.contract.catalogue import Contract
from clearinghouse.soap.binding import Bindings, Record
from clearinghouse.soap.client import (
    Answered,
    Client,
    ClientSettings,
    Outcome,
    Reason,
    Refused,
    TimedOut,
    Unreachable,
)
from clearinghouse.soap.envelope import close_envelope
from clearinghouse.soap.versions import SOAP_12
from tests.soap.house import COMMON, XML_12, example
from tests.soap.partner import SECONDS, Caller, Calling, Talk, reply, serving
from tests.waiting import PATIENCE_SECONDS

ID = "9247378e-5376-4af2-adee-b019389acf41"


def test_returns_answer_as_record(call: Caller, answer: bytes) -> None:
    with serving(reply(answer)) as partner:
        outcome = call(partner.url)

    assert isinstance(outcome, Answered)
    assert outcome.record.decision in {"AUTHORIZED", "REFUSED"}


def test_sends_what_the_contract_says(call: Caller, answer: bytes) -> None:
    with serving(reply(answer)) as partner:
        call(partner.url)

    head, _, body = partner.requests[0].partition(b"\r\n\r\n")
    assert head.startswith(b"POST /re HTTP/1.1\r\n")
    assert b"Content-Type: text/xml; charset=utf-8" in head
    assert b'SOAPAction: "urn:clearinghouse:iec63119:csp-endpoint:1/Authorize"' in head
    assert b"secret-of-the-partner" not in head
    assert b"secret-of-the-partner" in body
    assert b"Accept-Encoding" not in head


def test_keeps_connection_for_the_next_call(call: Caller, answer: bytes) -> None:
    with serving(reply(answer)) as partner:
        outcomes = [call(partner.url) for _ in range(5)]

        assert all(isinstance(outcome, Answered) for outcome in outcomes)
        assert partner.connections == 1


def test_takes_new_connection_when_the_old_one_was_closed(
    call: Caller, answer: bytes
) -> None:
    closed = threading.Semaphore(0)

    def talk(connection: socket.socket, request: bytes) -> None:
        reply(answer)(connection, request)
        connection.shutdown(socket.SHUT_RDWR)
        closed.release()

    with serving(talk) as partner:
        for _ in range(3):
            assert isinstance(call(partner.url), Answered)
            assert closed.acquire(timeout=PATIENCE_SECONDS)

        assert partner.connections == 3


def test_serves_many_threads(
    client: Client, request_record: Record, header: Record, answer: bytes
) -> None:
    """Each thread has a deadline of its own."""
    outcomes: list[Outcome] = []
    given_up = threading.Event()

    def talk(connection: socket.socket, request: bytes) -> None:
        given_up.wait(PATIENCE_SECONDS)
        reply(answer)(connection, request)

    def work(seconds: float) -> None:
        own = Caller(client, request_record, header)
        outcomes.extend(own(partner.url, seconds) for _ in range(5))

    with serving(talk) as partner:
        patient, hasty = (
            [threading.Thread(target=work, args=(seconds,)) for _ in range(2)]
            for seconds in (SECONDS, 0.05)
        )
        for thread in patient + hasty:
            thread.start()
        for thread in hasty:
            thread.join()
        given_up.set()
        for thread in patient:
            thread.join()

    assert sum(isinstance(outcome, Answered) for outcome in outcomes) == 10
    assert sum(isinstance(outcome, TimedOut) for outcome in outcomes) == 10


def fault(code: str, detail: str = "") -> bytes:
    return close_envelope(
        (
            '<s:Fault xmlns:s="http://schemas.xmlsoap.org/soap/envelope/">'
            f"<faultcode>{code}</faultcode><faultstring>MARKER</faultstring>"
            f"<detail>{detail}</detail></s:Fault>"
        ).encode()
    )


OURS = (
    f'<c:fault xmlns:c="{COMMON}"><c:code>CH.OVERLOAD</c:code><c:number>812</c:number>'
    "<c:text>x</c:text><c:retryable>true</c:retryable>"
    f"<c:correlationId>{ID}</c:correlationId></c:fault>"
)
FAULTS = {
    "our detail": (fault("s:Client", OURS), "CH.OVERLOAD", True),
    "client": (fault("s:Client"), "Client", False),
    "server": (fault("s:Server"), "Server", True),
    "dotted": (fault("s:Server.userException"), "Server.userException", True),
    "invalid detail": (fault("s:Client", OURS.replace("812", "x")), "Client", False),
    "no code": (fault(""), "UNKNOWN", False),
    "odd code": (fault("&lt;script&gt; MARKER"), "UNKNOWN", False),
    "long code": (fault("x" * 5_000), "UNKNOWN", False),
}


@pytest.mark.parametrize("case", FAULTS.values(), ids=FAULTS)
def test_fault_is_an_outcome(call: Caller, case: tuple[bytes, str, bool]) -> None:
    body, code, retryable = case
    with serving(reply(body, status="500 Internal Server Error")) as partner:
        outcome = call(partner.url)

    assert outcome == Refused(code, retryable, 500)


def test_reads_soap_12_fault_and_answer(call: Caller, answer: bytes) -> None:
    """Some stacks answer in their own version."""
    body = (
        f'<s:Envelope xmlns:s="{SOAP_12.namespace}"><s:Body><s:Fault><s:Code>'
        "<s:Value>s:Receiver</s:Value></s:Code><s:Reason><s:Text>x</s:Text></s:Reason>"
        f"<s:Detail>{OURS}</s:Detail></s:Fault></s:Body></s:Envelope>"
    ).encode()
    with serving(reply(body, status="500 x", content_type=XML_12)) as partner:
        assert call(partner.url) == Refused("CH.OVERLOAD", True, 500)  # noqa: FBT003
    old, new = b"http://schemas.xmlsoap.org/soap/envelope/", SOAP_12.namespace.encode()
    with serving(reply(answer.replace(old, new), content_type=XML_12)) as partner:
        assert isinstance(call(partner.url), Answered)


def test_tells_how_long_to_wait(call: Caller) -> None:
    for header_line, seconds in (
        ("Retry-After: 17\r\n", 17),
        ("retry-after: 999999\r\n", 3_600),
        ("Retry-After: Fri, 31 Dec 1999 23:59:59 GMT\r\n", None),
        ("Retry-After: -1\r\n", None),
        ("", None),
    ):
        talk = reply(b"busy", status="503 Busy", headers=header_line)
        with serving(talk) as partner:
            expected = Unreachable(Reason.STATUS, True, 503, seconds)  # noqa: FBT003
            assert call(partner.url) == expected
        talk = reply(fault("s:Server"), status="503 Busy", headers=header_line)
        with serving(talk) as partner:
            assert call(partner.url) == Refused("Server", True, 503, seconds)  # noqa: FBT003


BOMB = b'<!DOCTYPE x [<!ENTITY a "ha"><!ENTITY b "&a;&a;&a;">]>'


def hostile_answers(answer: bytes) -> dict[str, tuple[Talk, Unreachable]]:
    """F08: a partner's answer is input like any other."""

    def malformed(status: int = 200) -> Unreachable:
        return Unreachable(Reason.MALFORMED, sent=True, status=status)

    def status(number: int) -> Unreachable:
        return Unreachable(Reason.STATUS, sent=True, status=number)

    found = "302 Found"
    return {
        "no XML": (reply(b"MARKER"), malformed()),
        "empty": (reply(b""), malformed()),
        "document type": (reply(BOMB + answer), malformed()),
        "UTF-16": (reply(answer.decode().encode("utf-16")), malformed()),
        "HTML": (reply(b"<html/>", content_type="text/html"), malformed()),
        "JSON": (reply(b"{}", content_type="application/json"), malformed()),
        "other answer": (
            reply(answer.replace(b"authorizeResponse", b"notifySessionResponse")),
            malformed(),
        ),
        "invalid answer": (
            reply(answer.replace(b":code>0<", b":code>x<")),
            malformed(),
        ),
        "two elements": (
            reply(answer.replace(b"</soap:Body>", b"<x/></soap:Body>")),
            malformed(),
        ),
        "text in the envelope": (
            reply(answer.replace(b"<soap:Body>", b"x<soap:Body>")),
            malformed(),
        ),
        "strange header": (
            reply(
                answer.replace(
                    b"<soap:Body>",
                    b'<soap:Header><x xmlns="urn:x" soap:mustUnderstand="1"/>'
                    b"</soap:Header><soap:Body>",
                    1,
                )
            ),
            malformed(),
        ),
        "answer with status 500": (reply(answer, status="500 x"), malformed(500)),
        "redirect": (
            reply(b"", status=found, headers="Location: http://127.0.0.1:9/\r\n"),
            status(302),
        ),
        "unauthorized": (reply(b"", status="401 Unauthorized"), status(401)),
        "announced gigabyte": (
            reply(b" " * 3_000_000),
            Unreachable(Reason.LARGE, sent=True, status=200),
        ),
        "compressed": (
            reply(b"\x1f\x8b" + answer, headers="Content-Encoding: gzip\r\n"),
            malformed(),
        ),
    }


def test_hostile_answer_is_an_outcome(call: Caller, answer: bytes) -> None:
    for name, (talk, expected) in hostile_answers(answer).items():
        with serving(talk) as partner:
            assert call(partner.url) == expected, name


def endless(connection: socket.socket, _request: bytes) -> None:
    head = b"HTTP/1.1 200 OK\r\nContent-Type: text/xml\r\n"
    connection.sendall(head + b"Transfer-Encoding: chunked\r\n\r\n")
    while True:
        connection.sendall(b"10000\r\n" + b" " * 65_536 + b"\r\n")


def test_stops_endless_answer(call: Caller) -> None:
    with serving(endless) as partner:
        outcome = call(partner.url)

    assert outcome == Unreachable(Reason.LARGE, sent=True, status=200)


def silent(connection: socket.socket, _request: bytes) -> None:
    while connection.recv(65_536):
        pass


def dribble(data: bytes) -> Talk:
    def talk(connection: socket.socket, _request: bytes) -> None:
        for number in range(len(data)):
            connection.sendall(data[number : number + 1])
            time.sleep(0.05)
        silent(connection, _request)

    return talk


HEADER_ONLY = (
    b"HTTP/1.1 200 OK\r\nContent-Type: text/xml\r\nContent-Length: 5000\r\n\r\n"
)


def slow_body(connection: socket.socket, request: bytes) -> None:
    connection.sendall(HEADER_ONLY)
    dribble(b" " * 5_000)(connection, request)


SLOW: dict[str, Talk] = {
    "silent": silent,
    "slow headers": dribble(HEADER_ONLY * 10),
    "slow body": slow_body,
}


@pytest.mark.parametrize("talk", SLOW.values(), ids=SLOW)
def test_dribbling_partner_does_not_extend_the_deadline(
    call: Caller, talk: Talk
) -> None:
    """F01, F08: the deadline is that of the whole call."""
    with serving(talk) as partner:
        outcome = call.in_vain(partner.url)

    assert outcome == TimedOut(sent=True)


def test_partner_that_does_not_read_does_not_extend_the_deadline(
    contract: Contract, bindings: Bindings, header: Record
) -> None:
    client = Client(
        contract, bindings, ClientSettings(allow_private=True, allow_http=True)
    )
    delivery = bindings.read(example("csp-endpoint", "DeliverSdrs").parts()[-1])
    delivery.sdr = delivery.sdr * (500 // len(delivery.sdr))
    with socket.create_server(("127.0.0.1", 0)) as server:
        url = f"http://127.0.0.1:{server.getsockname()[1]}/"
        server.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4_096)
        caller = Caller(client, delivery, header)

        outcome = caller.in_vain(url)

    assert outcome == TimedOut(sent=True)
    client.close()


def closing(connection: socket.socket, _request: bytes) -> None:
    connection.shutdown(socket.SHUT_RDWR)


def cut(connection: socket.socket, _request: bytes) -> None:
    connection.sendall(HEADER_ONLY + b"<a>")
    connection.shutdown(socket.SHUT_RDWR)


def no_http(connection: socket.socket, _request: bytes) -> None:
    connection.sendall(b"220 smtp.example ESMTP\r\n")
    connection.shutdown(socket.SHUT_RDWR)


@pytest.mark.parametrize("talk", [closing, cut, no_http])
def test_closed_connection_is_an_outcome(call: Caller, talk: Talk) -> None:
    with serving(talk) as partner:
        assert call(partner.url) == Unreachable(Reason.CLOSED, sent=True)


def test_refused_connection_is_an_outcome(call: Caller) -> None:
    with socket.socket() as bound:  # and not listening
        bound.bind(("127.0.0.1", 0))
        outcome = call(f"http://127.0.0.1:{bound.getsockname()[1]}/")

    assert outcome == Unreachable(Reason.CONNECT, sent=False)


def test_name_that_cannot_be_resolved_is_an_outcome(call: Caller) -> None:
    outcome = call("http://localhost..invalid../")

    assert outcome == Unreachable(Reason.CONNECT, sent=False)


def test_full_pool_is_an_outcome(calling: Calling) -> None:
    """A bound of connections does not become a queue without end."""
    call = calling(
        ClientSettings(allow_private=True, allow_http=True, connections_max=1)
    )
    asked, go_on = threading.Event(), threading.Event()

    def talk(connection: socket.socket, request: bytes) -> None:
        asked.set()
        go_on.wait(PATIENCE_SECONDS)
        reply(b"")(connection, request)

    with serving(talk) as partner:
        first = threading.Thread(target=call, args=(partner.url,))
        first.start()
        assert asked.wait(PATIENCE_SECONDS)

        assert call(partner.url, 0.2) == TimedOut(sent=False)
        go_on.set()
        first.join()


def test_refuses_record_that_is_no_request(client: Client, header: Record) -> None:
    with pytest.raises(KeyError):
        client.call(header, header, url="https://partner.example/", seconds=1)
