"""Which addresses a partner may register for our calls to it.

A registered address makes this server open connections: the policy keeps partners from
pointing it at itself, at its neighbours, or at a cloud's metadata service (security:
outbound edges). The gateway resolves again when it connects and follows no redirect, so
a name that moves after registration gains nothing.
"""

from __future__ import annotations

import ipaddress
import socket
import threading
from queue import Empty, SimpleQueue
from urllib.parse import SplitResult, urlsplit

from clearinghouse import codes
from clearinghouse.addresses import is_public
from clearinghouse.domain.errors import Item

#: Addresses of one name that are looked at; stops a name server's endless answer.
ADDRESSES_MAX = 32

#: Longest wait for one look-up. A name server may take half a minute to say nothing,
#: and the partner's request waits meanwhile.
LOOK_UP_SECONDS = 2

#: Look-ups at once. Those that hang keep their place until the resolver gives up, so
#: that nobody can fill the process with them.
LOOK_UPS_MAX = 16

_SCHEMES = {True: frozenset({"https", "http"}), False: frozenset({"https"})}
_DEFAULT_PORTS = {"https": 443, "http": 80}
_PUBLIC = "an address of the public internet"


def check_url(
    url: str, *, index: int, allow_http: bool, allow_private: bool
) -> Item | None:
    """Return what is wrong with an endpoint's address, ``None`` when nothing is.

    Looks the host's name up, so it is called outside any transaction.
    """
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError:
        return _item(index, "an absolute address with a valid port", "another text")
    wrong = _shape(parts, allow_http=allow_http)
    if wrong is not None:
        return _item(index, *wrong)
    if allow_private:
        return None
    host = parts.hostname or ""
    addresses = _addresses(host, port or _DEFAULT_PORTS[parts.scheme])
    if not addresses:
        return _item(index, _PUBLIC, "a name that does not resolve")
    if not all(is_public(one) for one in addresses):
        return _item(index, _PUBLIC, "an address inside a private network")
    return None


def _shape(parts: SplitResult, *, allow_http: bool) -> tuple[str, str] | None:
    """Return what is expected and found, ``None`` for a good shape."""
    if parts.scheme not in _SCHEMES[allow_http]:
        return "https", parts.scheme or "no scheme"
    if parts.username is not None or parts.password is not None:
        return "no user name or password in the address", "a user name"
    if not parts.hostname:
        return "the name of a host", "none"
    if _is_odd_number(parts.hostname):
        return "an address in its usual form, or a name", "another way to write one"
    if parts.fragment or parts.query:
        return "an address without query and fragment", "a query or fragment"
    return None


def _is_odd_number(host: str) -> bool:
    """Say whether a host is an IPv4 address in hexadecimal, or with parts left out.

    Look-ups take such forms, but not all of them alike: what is checked here might not
    be what is connected to later.
    """
    last = host.rstrip(".").rpartition(".")[2]
    if not (last.isdigit() or last.startswith("0x")):
        return False
    try:
        ipaddress.ip_address(host)
    except ValueError:
        return True
    return False


_PLACES = threading.BoundedSemaphore(LOOK_UPS_MAX)


def _addresses(host: str, port: int) -> list[str]:
    """Return what a name leads to; nothing when nobody says so in time."""
    if not _PLACES.acquire(timeout=LOOK_UP_SECONDS):
        return []
    answer = SimpleQueue[list[str]]()

    def look_up() -> None:
        try:
            answer.put(_looked_up(host, port))
        finally:
            _PLACES.release()

    # A daemon: a look-up that hangs does not keep the process from ending.
    threading.Thread(target=look_up, name="look-up", daemon=True).start()
    try:
        return answer.get(timeout=LOOK_UP_SECONDS)
    except Empty:
        return []


def _looked_up(host: str, port: int) -> list[str]:
    try:
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    except (OSError, ValueError):
        return []
    addresses = {str(entry[4][0]).partition("%")[0] for entry in found}
    return sorted(addresses)[:ADDRESSES_MAX]


def _item(index: int, expected: str, found: str) -> Item:
    return Item(
        code=codes.ENDPOINT_REFUSED,
        index=index,
        path="endpoint/url",
        expected=expected,
        found=found,
    )
