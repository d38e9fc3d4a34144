"""Outgoing calls: whom we call at all, and whom we trust."""

from __future__ import annotations

import socket
import ssl

import pytest
import trustme

from clearinghouse.soap.client import (
    Answered,
    ClientSettings,
    Reason,
    TimedOut,
    Unreachable,
)
from tests.soap.partner import Caller, Calling, reply, serving

ADDRESSES = [
    "http://127.0.0.1/",
    "http://localhost/",
    "http://[::1]/",
    "http://169.254.169.254/latest/meta-data",
    "http://10.0.0.1/",
    "http://192.168.1.1/",
    "http://[::ffff:127.0.0.1]/",
    "http://[fd00::1]/",
    "http://[fec0::1]/",
    "http://[64:ff9b:1::a00:1]/",
    "http://[::7f00:1]/",
    "http://0.0.0.0/",
]


@pytest.mark.parametrize("url", ADDRESSES)
def test_calls_no_private_address(calling: Calling, url: str) -> None:
    """H16: whatever the name leads to is judged, and then connected to."""
    outcome = calling(ClientSettings(allow_http=True))(url)

    assert outcome == Unreachable(Reason.ADDRESS, sent=False)


URLS = [
    "ftp://partner.example/",
    "file:///etc/passwd",
    "https:///re",
    "https://user:password@partner.example/",
    "https://partner.example:99999/",
    "https://[::1/",
    "partner.example",
    "",
]


@pytest.mark.parametrize("url", URLS)
def test_calls_no_odd_url(call: Caller, url: str) -> None:
    assert call(url) == Unreachable(Reason.ADDRESS, sent=False)


def test_calls_nobody_without_tls(calling: Calling) -> None:
    with serving(reply(b"")) as partner:
        outcome = calling(ClientSettings(allow_private=True))(partner.url)

        assert outcome == Unreachable(Reason.ADDRESS, sent=False)
        assert partner.connections == 0


@pytest.fixture(scope="module")
def authority() -> trustme.CA:
    return trustme.CA()


def served_with(certificate: trustme.LeafCert) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    certificate.configure_cert(context)
    return context


def trusting(authority: trustme.CA) -> ssl.SSLContext:
    context = ssl.create_default_context()
    authority.configure_trust(context)
    return context


@pytest.mark.clause("6-L5", "7.3")
def test_speaks_tls_with_trusted_partner(
    calling: Calling, authority: trustme.CA, answer: bytes
) -> None:
    call = calling(ClientSettings(allow_private=True, tls=trusting(authority)))
    tls = served_with(authority.issue_cert("localhost"))
    with serving(reply(answer), tls=tls) as partner:
        outcomes = [call(partner.url) for _ in range(3)]

        assert all(isinstance(outcome, Answered) for outcome in outcomes)
        assert partner.connections == 1


@pytest.mark.clause("7.1-secure")
@pytest.mark.parametrize("case", ["other authority", "other name"])
def test_refuses_untrusted_partner(
    calling: Calling, authority: trustme.CA, case: str
) -> None:
    """F09: no call without a verified certificate."""
    other = case == "other authority"
    issuer = trustme.CA() if other else authority
    call = calling(ClientSettings(allow_private=True, tls=trusting(authority)))
    tls = served_with(issuer.issue_cert("localhost" if other else "else.example"))
    with serving(reply(b""), tls=tls) as partner:
        outcome = call(partner.url)

        assert outcome == Unreachable(Reason.TLS, sent=False)
        assert partner.requests == []


def test_slow_handshake_does_not_extend_the_deadline(calling: Calling) -> None:
    call = calling(ClientSettings(allow_private=True))
    with socket.create_server(("127.0.0.1", 0)) as server:
        outcome = call(f"https://localhost:{server.getsockname()[1]}/", 0.4)

    assert outcome == TimedOut(sent=False)
