"""Behind a proxy, a call comes from where the proxy says; from others nobody says."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from clearinghouse import app

if TYPE_CHECKING:
    from collections.abc import Iterable

    from clearinghouse.app import Environ, StartResponse


def _tell_address(environ: Environ, _start: StartResponse) -> Iterable[bytes]:
    return [environ["REMOTE_ADDR"].encode()]


@pytest.mark.clause("7.1-protect")
@pytest.mark.parametrize(
    ("caller", "seen"),
    [("127.0.0.1", b"203.0.113.9"), ("198.51.100.7", b"198.51.100.7")],
)
def test_address_is_that_of_the_partner_and_not_of_the_proxy(
    caller: str, seen: bytes
) -> None:
    environ = {"REMOTE_ADDR": caller, "HTTP_X_FORWARDED_FOR": "203.0.113.9"}

    answer = app.behind_proxies(_tell_address, "127.0.0.1")(environ, lambda *_: None)

    assert list(answer) == [seen]
