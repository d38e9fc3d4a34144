"""A look at a partner's address without saying anything that means something.

It asks for the WSDL, as a browser would: any answer over HTTP shows that name, network,
certificate and server are there. The access token is not shown and nothing changes.
"""

from __future__ import annotations

import operator
import ssl

import httpcore

from clearinghouse.services.ports import (
    Answered,
    Deadline,
    Faulted,
    NotAnswered,
    Taken,
    TimedOut,
    Unreachable,
)
from clearinghouse.soap import deadlines
from clearinghouse.soap.client import ClientSettings
from clearinghouse.soap.transport import AddressRefused, CallState, DeadlineBackend

_MILLISECONDS = 1_000
_SERVER_ERROR = 500


class Probe:
    """Opens one connection for each look, under the rules of all other calls."""

    def __init__(self, settings: ClientSettings) -> None:
        self._settings = settings
        self._tls = settings.tls or ssl.create_default_context()
        self._tls.minimum_version = ssl.TLSVersion.TLSv1_2

    def look(self, url: str, deadline: Deadline) -> Answered[Taken] | NotAnswered:
        """Return whether somebody answers at an address."""
        if url.startswith("http:") and not self._settings.allow_http:
            return Unreachable()
        state = CallState()
        seconds = operator.truediv(deadline.remaining_milliseconds(), _MILLISECONDS)
        state.deadline = deadlines.Deadline.after(seconds)
        backend = DeadlineBackend(
            state,
            allow_private=self._settings.allow_private,
            connect_seconds=self._settings.connect_seconds,
        )
        try:
            with (
                httpcore.ConnectionPool(
                    ssl_context=self._tls, network_backend=backend
                ) as pool,
                pool.stream("GET", f"{url}?wsdl") as response,
            ):
                status = response.status
        except (httpcore.TimeoutException, TimeoutError):
            return TimedOut() if state.sent else Unreachable()
        except (
            AddressRefused,
            OSError,
            httpcore.NetworkError,
            httpcore.ProtocolError,
        ):
            return Unreachable()
        if status >= _SERVER_ERROR:
            return Faulted(took_effect_unknown=False)
        return Answered(Taken.TAKEN)
