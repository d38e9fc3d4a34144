"""Which addresses a partner may register for our calls."""

from __future__ import annotations

import socket
import threading
from typing import TYPE_CHECKING

import pytest

from clearinghouse.services import endpoints
from clearinghouse.services.endpoints import check_url

if TYPE_CHECKING:
    from collections.abc import Callable


def refused(url: str, *, allow_http: bool = False, allow_private: bool = False) -> str:
    item = check_url(url, index=0, allow_http=allow_http, allow_private=allow_private)
    return "" if item is None else f"{item.expected}: {item.found}"


@pytest.mark.parametrize(
    "url",
    [
        "https://127.0.0.1/x",
        "https://localhost/x",
        "https://[::1]/x",
        "https://10.1.2.3/x",
        "https://172.16.0.1/x",
        "https://192.168.1.1/x",
        "https://169.254.169.254/latest/meta-data",
        "https://[fe80::1]/x",
        "https://[fc00::1]/x",
        "https://[::ffff:127.0.0.1]/x",
        "https://[2002:7f00:1::]/x",
        "https://[2001:0:4136:e378:8000:63bf:80ff:fffe]/x",
        "https://0.0.0.0/x",
        "https://224.0.0.1/x",
        "https://100.64.0.1/x",
        "https://[fec0::1]/x",
        "https://[64:ff9b:1::a00:1]/x",
        "https://[::7f00:1]/x",
    ],
)
def test_refuses_addresses_that_are_not_of_the_public_internet(url: str) -> None:
    assert "public internet" in refused(url)


@pytest.mark.parametrize(
    ("url", "reason"),
    [
        ("http://8.8.8.8/x", "https"),
        ("ftp://8.8.8.8/x", "https"),
        ("file:///etc/passwd", "https"),
        ("https://user@8.8.8.8/x", "no user name"),
        ("https://user:secret@8.8.8.8/x", "no user name"),
        ("https:///x", "the name of a host"),
        ("https://8.8.8.8/x?to=1", "without query"),
        ("https://8.8.8.8/x#here", "without query"),
        ("https://8.8.8.8:99999/x", "valid port"),
        ("https://[8.8.8.8/x", "valid port"),
        ("https://2130706433/x", "usual form"),
        ("https://0x7f000001/x", "usual form"),
        ("https://127.1/x", "usual form"),
        ("https://0177.0.0.1/x", "usual form"),
    ],
)
def test_refuses_addresses_of_another_shape(url: str, reason: str) -> None:
    assert reason in refused(url)


def test_accepts_a_public_address_over_tls() -> None:
    assert not refused("https://8.8.8.8:8443/services/csp-endpoint")


def test_settings_open_http_and_private_addresses_for_demo_and_tests() -> None:
    url = "http://127.0.0.1:9000/services/csp-endpoint"

    assert refused(url)
    assert refused(url, allow_http=True)
    assert refused(url, allow_private=True)
    assert not refused(url, allow_http=True, allow_private=True)


def _leads_to(*addresses: str) -> Callable[..., list[tuple[object, ...]]]:
    """Return a look-up that gives these addresses for every name."""

    def look_up(_host: str, port: int, **_: object) -> list[tuple[object, ...]]:
        return [(0, 0, 0, "", (address, port)) for address in addresses]

    return look_up


def test_one_private_address_among_public_ones_is_enough_to_refuse(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(socket, "getaddrinfo", _leads_to("8.8.8.8", "2a00:1450::1"))
    public = refused("https://partner.example/x")
    monkeypatch.setattr(socket, "getaddrinfo", _leads_to("8.8.8.8", "10.0.0.1"))
    mixed = refused("https://partner.example/x")

    assert not public
    assert "private network" in mixed


def test_name_server_that_says_nothing_does_not_hold_the_request(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    answered = threading.Event()

    def hang(*_: object, **__: object) -> list[tuple[object, ...]]:
        answered.wait()
        return []

    monkeypatch.setattr(socket, "getaddrinfo", hang)
    monkeypatch.setattr(endpoints, "LOOK_UP_SECONDS", 0.05)
    try:
        found = [
            refused("https://partner.example/x")
            for _ in range(endpoints.LOOK_UPS_MAX + 1)
        ]
        hanging = [one for one in threading.enumerate() if one.name == "look-up"]
    finally:
        answered.set()
    for thread in hanging:
        thread.join()

    assert all("does not resolve" in one for one in found)
    assert len(hanging) == endpoints.LOOK_UPS_MAX, "one more waits for nobody"
