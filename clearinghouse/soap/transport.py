"""The network below the client: every step bounded by one absolute deadline.

An HTTP library bounds each read by itself, so that a peer who sends a byte a second
holds a call for ever. Here name look-up, connection, TLS handshake, sending and
receiving all draw on the deadline of the call. This is also where an address is
judged: the one that was resolved and allowed is the one that is connected to.
"""

from __future__ import annotations

import select
import socket
import ssl
import threading
from collections.abc import Iterable
from functools import partial
from typing import Any

import httpcore

from clearinghouse.addresses import is_public
from clearinghouse.soap.deadlines import Caller, Deadline

# Addresses of one name that are tried; stops a name with hundreds of them.
ADDRESSES_MAX = 4

_RESOLVER = Caller()


class AddressRefused(Exception):  # noqa: N818  # an outcome, not an error
    """The name leads to an address that we do not call."""


class CallState(threading.local):
    """The call that a thread is making: its deadline, and how far it got."""

    def __init__(self) -> None:
        self.deadline = Deadline(0.0)
        self.sent = False


class DeadlineBackend(httpcore.NetworkBackend):
    """Opens connections for the call of the current thread."""

    def __init__(
        self, state: CallState, *, allow_private: bool, connect_seconds: float
    ) -> None:
        self._state = state
        self._allow_private = allow_private
        self._connect_seconds = connect_seconds

    def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,
        local_address: str | None = None,
        socket_options: Iterable[Any] | None = None,
    ) -> httpcore.NetworkStream:
        """Connect to the first allowed address that answers.

        Raises :class:`AddressRefused` when none is allowed, an error of httpcore
        when none answers in time.
        """
        _ = timeout, local_address, socket_options
        last: Exception = httpcore.ConnectError("no address")
        for address in self._addresses(host, port):
            try:
                return DeadlineStream(self._connect(address, port), self._state)
            except TimeoutError as error:
                last = httpcore.ConnectTimeout(str(error))
            except OSError as error:
                last = httpcore.ConnectError(str(error))
        raise last

    def _connect(self, address: str, port: int) -> socket.socket:
        seconds = min(self._connect_seconds, self._state.deadline.remaining())
        connection = socket.create_connection((address, port), timeout=seconds)
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        return connection

    def _addresses(self, host: str, port: int) -> list[str]:
        look_up = partial(socket.getaddrinfo, host, port, type=socket.SOCK_STREAM)
        try:
            found = _RESOLVER.call(self._state.deadline, look_up)
        except TimeoutError as error:
            raise httpcore.ConnectTimeout("name look-up") from error
        except (OSError, ValueError) as error:
            raise httpcore.ConnectError("name look-up") from error
        addresses = list(dict.fromkeys(str(entry[4][0]) for entry in found))
        if not self._allow_private and not all(is_public(one) for one in addresses):
            raise AddressRefused
        return addresses[:ADDRESSES_MAX]


class DeadlineStream(httpcore.NetworkStream):
    """A connection whose every step ends at the deadline of the call that uses it."""

    def __init__(self, connection: socket.socket, state: CallState) -> None:
        self._connection = connection
        self._state = state

    def read(self, max_bytes: int, timeout: float | None = None) -> bytes:
        """Return what comes next; empty at the end of the stream."""
        _ = timeout
        try:
            self._connection.settimeout(self._state.deadline.remaining())
            return self._connection.recv(max_bytes)
        except TimeoutError as error:
            raise httpcore.ReadTimeout(str(error)) from error
        except OSError as error:
            raise httpcore.ReadError(str(error)) from error

    def write(self, buffer: bytes, timeout: float | None = None) -> None:
        """Send all bytes."""
        _ = timeout
        left = memoryview(buffer)
        try:
            while left:
                self._connection.settimeout(self._state.deadline.remaining())
                self._state.sent = True
                left = left[self._connection.send(left) :]
        except TimeoutError as error:
            raise httpcore.WriteTimeout(str(error)) from error
        except OSError as error:
            raise httpcore.WriteError(str(error)) from error

    def close(self) -> None:
        """Close the connection."""
        self._connection.close()

    def start_tls(
        self,
        ssl_context: ssl.SSLContext,
        server_hostname: str | None = None,
        timeout: float | None = None,
    ) -> httpcore.NetworkStream:
        """Make the handshake and return the encrypted stream."""
        _ = timeout
        secured = ssl_context.wrap_socket(
            self._connection,
            server_hostname=server_hostname,
            do_handshake_on_connect=False,
        )
        stream = DeadlineStream(secured, self._state)
        try:
            self._shake_hands(secured)
        except TimeoutError as error:
            stream.close()
            raise httpcore.ConnectTimeout(str(error)) from error
        except ssl.SSLError:
            stream.close()
            raise
        except OSError as error:
            stream.close()
            raise httpcore.ConnectError(str(error)) from error
        return stream

    def _shake_hands(self, secured: ssl.SSLSocket) -> None:
        """Step through the handshake; the library's own would wait at each step."""
        secured.settimeout(0)
        while True:
            try:
                secured.do_handshake()
            except ssl.SSLWantReadError:
                readers, writers = [secured], []
            except ssl.SSLWantWriteError:
                readers, writers = [], [secured]
            else:
                return
            ready = select.select(
                readers, writers, [], self._state.deadline.remaining()
            )
            if not any(ready):
                raise TimeoutError

    def get_extra_info(self, info: str) -> Any:  # noqa: ANN401  # as httpcore says
        """Tell the pool whether an idle connection was closed by the peer."""
        if info == "is_readable":
            return _is_readable(self._connection)
        if info == "ssl_object" and isinstance(self._connection, ssl.SSLSocket):
            return self._connection
        return None


def _is_readable(connection: socket.socket) -> bool:
    number = connection.fileno()
    if number < 0:
        return True
    poll = select.poll()
    poll.register(number, select.POLLIN)
    return bool(poll.poll(0))
