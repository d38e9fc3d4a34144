"""At the gate: what one process remembers between messages to admit the next one.

Rates of login attempts, the queue in front of password hashing, and tokens seen a
moment ago. Nothing here decides who may enter; it bounds what asking costs.
"""

from __future__ import annotations

from collections import OrderedDict, deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from threading import BoundedSemaphore, Lock
from time import sleep

from clearinghouse import codes
from clearinghouse.domain.errors import ClearingHouseError
from clearinghouse.storage.access import TokenHolder

#: Failed logins for one account from one address in a minute; stops guessing, and hits
#: nobody at another address.
FAILURES_PER_CALLER_MAX = 5
#: Failed logins for one account in a minute, wherever they come from. More make further
#: attempts slow, never refused for that alone: an outsider cannot lock an account.
FAILURES_PER_ACCOUNT_MAX = 60
#: Login attempts from one address in a minute; stops a flood of guessed names.
LOGINS_PER_ADDRESS_MAX = 20
LOGIN_WINDOW_SECONDS = 60
#: Accounts and addresses remembered; stops invented names from filling the memory.
CALLERS_REMEMBERED_MAX = 10_000
#: How long an attempt waits for an account that many fail to log in to.
SLOW_SECONDS = 1
#: Attempts that wait so at once; each holds a thread.
SLOW_MAX = 4

#: Passwords hashed at once: each costs 30 ms and 19 MiB, which real time must not miss.
HASHING_MAX = 1
#: Logins that wait for the hash; stops a flood from holding every thread.
HASHING_QUEUE_MAX = 8

#: Age of a token's check, in seconds: a revoked token dies within it in each process.
TOKEN_AGE_SECONDS_MAX = 5
#: Tokens remembered; stops the cache from growing with the number of logins.
TOKENS_REMEMBERED_MAX = 10_000


class TooManyError(ClearingHouseError):
    """Too many attempts; ``retry_after_seconds`` says when the next may come."""

    def __init__(self, retry_after_seconds: int) -> None:
        super().__init__(codes.RATE, "login")
        self.retry_after_seconds = retry_after_seconds


class Rate:
    """Counts attempts per caller in a sliding window."""

    def __init__(self, most: int, *, window_seconds: int) -> None:
        self._most = most
        self._window = timedelta(seconds=window_seconds)
        self._attempts: OrderedDict[str, deque[datetime]] = OrderedDict()
        self._lock = Lock()

    def count(self, caller: str, now: datetime) -> None:
        """Count an attempt; one that is refused does not count.

        Raises :class:`TooManyError` (``CH.RATE``) when the window is full.
        """
        with self._lock:
            attempts = self._attempts.setdefault(caller, deque())
            self._attempts.move_to_end(caller)
            while attempts and attempts[0] <= now - self._window:
                attempts.popleft()
            if len(attempts) >= self._most:
                wait = attempts[0] + self._window - now
                raise TooManyError(wait // timedelta(seconds=1) + 1)
            attempts.append(now)
            if len(self._attempts) > CALLERS_REMEMBERED_MAX:
                self._attempts.popitem(last=False)

    def take_back(self, caller: str, counted_at: datetime) -> None:
        """Forget an attempt that was counted."""
        with self._lock, suppress(ValueError):
            self._attempts.get(caller, deque[datetime]()).remove(counted_at)


class Familiar:
    """Callers that logged in before, as long as the memory goes back."""

    def __init__(self) -> None:
        self._callers: OrderedDict[str, None] = OrderedDict()
        self._lock = Lock()

    def __contains__(self, caller: str) -> bool:
        return caller in self._callers

    def add(self, caller: str) -> None:
        """Remember a caller."""
        with self._lock:
            self._callers[caller] = None
            self._callers.move_to_end(caller)
            if len(self._callers) > CALLERS_REMEMBERED_MAX:
                self._callers.popitem(last=False)


class SlowLane:
    """Where attempts wait a moment; ``pause`` waits for so many seconds."""

    def __init__(self, pause: Callable[[int], object] = sleep) -> None:
        self._pause = pause
        self._places = BoundedSemaphore(SLOW_MAX)

    def wait(self) -> None:
        """Wait; raises :class:`TooManyError` when too many wait already."""
        if not self._places.acquire(blocking=False):
            raise TooManyError(SLOW_SECONDS)
        try:
            self._pause(SLOW_SECONDS)
        finally:
            self._places.release()


class Logins:
    """Bounds attempts to log in: by address, by account there, and by account."""

    def __init__(self, slow: SlowLane | None = None) -> None:
        self._addresses = Rate(
            LOGINS_PER_ADDRESS_MAX, window_seconds=LOGIN_WINDOW_SECONDS
        )
        self._callers = Rate(
            FAILURES_PER_CALLER_MAX, window_seconds=LOGIN_WINDOW_SECONDS
        )
        self._accounts = Rate(
            FAILURES_PER_ACCOUNT_MAX, window_seconds=LOGIN_WINDOW_SECONDS
        )
        self._familiar = Familiar()
        self._slow = slow or SlowLane()

    @contextmanager
    def attempt(self, username: str, address: str, now: datetime) -> Iterator[None]:
        """Count an attempt while it is made; it stays counted when it fails.

        Whoever logged in from the same address before is never slowed. Raises
        :class:`TooManyError` (``CH.RATE``) beyond the rates.
        """
        if address:
            self._addresses.count(address, now)
        caller = f"{address} {username}"
        self._callers.count(caller, now)
        try:
            self._count_account(username, caller, now)
            yield
        except ClearingHouseError as error:
            if error.code is not codes.LOGIN_FAILED:
                self._take_back(username, caller, now)
            raise
        self._take_back(username, caller, now)
        self._familiar.add(caller)

    def _count_account(self, username: str, caller: str, now: datetime) -> None:
        try:
            self._accounts.count(username, now)
        except TooManyError:
            if caller not in self._familiar:
                self._slow.wait()

    def _take_back(self, username: str, caller: str, now: datetime) -> None:
        self._callers.take_back(caller, now)
        self._accounts.take_back(username, now)


class HashingQueue:
    """One password at a time, a few that wait, and no more."""

    def __init__(self) -> None:
        self._places = BoundedSemaphore(HASHING_MAX + HASHING_QUEUE_MAX)
        self._turn = BoundedSemaphore(HASHING_MAX)

    @contextmanager
    def turn(self) -> Iterator[None]:
        """Wait for the turn to hash.

        Raises :class:`ClearingHouseError` (``CH.OVERLOAD``) when the queue is full.
        """
        if not self._places.acquire(blocking=False):
            raise ClearingHouseError(codes.OVERLOAD, "logins are queueing")
        try:
            with self._turn:
                yield
        finally:
            self._places.release()


class RecentTokens:
    """Tokens whose holders were read from the database a moment ago."""

    def __init__(self) -> None:
        self._holders: dict[bytes, tuple[TokenHolder, datetime]] = {}
        self._lock = Lock()

    def holder(self, token_hash: bytes, now: datetime) -> TokenHolder | None:
        """Return the holder of a token checked at most five seconds ago."""
        known = self._holders.get(token_hash)
        if known is None:
            return None
        holder, checked_at = known
        age = now - checked_at
        fresh = timedelta() <= age < timedelta(seconds=TOKEN_AGE_SECONDS_MAX)
        return holder if fresh and now < holder.token.expires_at else None

    def remember(self, token_hash: bytes, holder: TokenHolder, now: datetime) -> None:
        """Keep a holder that was just read."""
        with self._lock:
            if len(self._holders) >= TOKENS_REMEMBERED_MAX:
                self._holders.clear()
            self._holders[token_hash] = (holder, now)

    def forget(self, token_hash: bytes) -> None:
        """Drop a token that was revoked in this process."""
        with self._lock:
            self._holders.pop(token_hash, None)


@dataclass(frozen=True, slots=True)
class Gate:
    """The memory of one process."""

    logins: Logins = field(default_factory=Logins)
    hashing: HashingQueue = field(default_factory=HashingQueue)
    tokens: RecentTokens = field(default_factory=RecentTokens)
