"""Which addresses a partner may register for our calls."""

from __future__ import annotations

import pytest

from clearinghouse.services.endpoints import check_url, is_public


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


def test_one_private_address_among_public_ones_is_enough_to_refuse() -> None:
    assert is_public(["8.8.8.8", "2001:4860:4860::8888"])
    assert not is_public(["8.8.8.8", "10.0.0.1"])
