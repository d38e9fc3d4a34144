"""One partner's connection to the clearing house.

It logs in by itself and again when the token ends, makes the message id once and
keeps it over all repeats, so that a repeat is harmless.
"""

from __future__ import annotations

import logging
import secrets
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from threading import Lock
from typing import TypeVar
from uuid import UUID, uuid4

import requests

from clearinghouse import codes
from clearinghouse.endpoint import calls
from clearinghouse.endpoint.clock import now
from clearinghouse.endpoint.errors import CallError, RefusedError, UnreachableError
from clearinghouse.endpoint.messages.access import LoginResponse
from clearinghouse.endpoint.messages.common import ExchangeHeader
from clearinghouse.endpoint.wire import Answer, Operation, Service

_LOG = logging.getLogger(__name__)

# Result codes from here on say no; below, the message was taken.
REFUSED_FROM = 200
# A token is renewed when it lives for less than this.
RENEW_BEFORE = timedelta(seconds=60)
# Stops an endless wait between two attempts.
BACKOFF_MILLISECONDS_MAX = 10_000


A = TypeVar("A", bound=Answer)


@dataclass(frozen=True, slots=True, kw_only=True)
class Account:
    """Who calls, and with which user name and password (clause 7.2-login)."""

    party_id: str
    username: str
    password: str = field(repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class Patience:
    """How long one attempt may take, and how often the same message is sent."""

    timeout_seconds: float = 10.0
    attempts_max: int = 5
    backoff_milliseconds: int = 500

    def wait(self, attempt: int) -> None:
        """Wait before the next attempt: full jitter, doubling."""
        bound = min(self.backoff_milliseconds << attempt, BACKOFF_MILLISECONDS_MAX)
        time.sleep((secrets.randbelow(bound) + 1) / 1000)


@dataclass(slots=True)
class _Token:
    text: str
    expires_at: datetime

    def is_fresh(self) -> bool:
        return self.expires_at - now() > RENEW_BEFORE


class Connection:
    """Sends messages to the clearing house; threads may share it."""

    def __init__(
        self,
        url: str,
        account: Account,
        *,
        patience: Patience | None = None,
        session: requests.Session | None = None,
    ) -> None:
        """Use ``session`` for a private authority, a client certificate or a proxy."""
        self._url = url.rstrip("/")
        self._account = account
        self._patience = patience or Patience()
        self._session = session or requests.Session()
        # An answer that points elsewhere would carry our token there.
        self._session.max_redirects = 0
        self._services: dict[str, Service] = {}
        self._lock = Lock()
        self._token: _Token | None = None

    def call(
        self,
        operation: Operation[A],
        body: Mapping[str, object],
        *,
        message_id: UUID | None = None,
    ) -> A:
        """Send one message until an answer comes, always with the same id.

        A process that may end before the answer stores ``message_id`` first and
        passes it again after its restart. Raises :class:`RefusedError` when the
        answer says no, :class:`FaultError` when the message is not acceptable and
        :class:`UnreachableError` when no answer came.
        """
        message_id = message_id or uuid4()
        for attempt in range(1, self._patience.attempts_max + 1):
            try:
                return self._attempt(operation, body, message_id)
            except CallError as error:
                token_ended = error.code is codes.TOKEN
                if token_ended:
                    self._forget_token()
                if attempt == self._patience.attempts_max:
                    raise
                if not (error.retryable or token_ended):
                    raise
                _LOG.info("%s will be repeated: %s", operation.name, error)
            self._patience.wait(attempt)
        raise UnreachableError("no attempt was allowed")

    def login(self) -> LoginResponse:
        """Log in now and return what the clearing house says about the account."""
        body = {
            "username": self._account.username,
            "password": self._account.password,
        }
        response = self._send(calls.LOGIN, body, uuid4(), token=None)
        if response.session_token is not None and response.expires_at is not None:
            self._token = _Token(response.session_token, response.expires_at)
        return response

    def close(self) -> None:
        """Close the kept connections."""
        self._session.close()

    def _attempt(
        self, operation: Operation[A], body: Mapping[str, object], message_id: UUID
    ) -> A:
        token = self._current_token() if operation.needs_token else None
        return self._send(operation, body, message_id, token=token)

    def _send(
        self,
        operation: Operation[A],
        body: Mapping[str, object],
        message_id: UUID,
        *,
        token: str | None,
    ) -> A:
        header = ExchangeHeader(
            message_id=message_id,
            sender_id=self._account.party_id,
            created_at=now(),
            session_token=token,
        )
        service = self._service(operation.service)
        response = operation.read(service.send(operation.name, header, body))
        if response.result.code >= REFUSED_FROM:
            raise RefusedError(response.result)
        return response

    def _service(self, name: str) -> Service:
        with self._lock:
            if name not in self._services:
                self._services[name] = Service(
                    name, self._url, self._session, self._patience.timeout_seconds
                )
            return self._services[name]

    def _current_token(self) -> str | None:
        """Return a token that lives, after a login or a renewal when needed."""
        token = self._token
        if token is None or token.expires_at <= now():
            return self.login().session_token
        if token.is_fresh():
            return token.text
        try:
            renewed = self._send(calls.RENEW_TOKEN, {}, uuid4(), token=token.text)
        except CallError:
            return self.login().session_token
        if renewed.session_token is None or renewed.expires_at is None:
            return self.login().session_token
        self._token = _Token(renewed.session_token, renewed.expires_at)
        return renewed.session_token

    def _forget_token(self) -> None:
        self._token = None
