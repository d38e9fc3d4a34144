"""Lines to partners: a few slots and a breaker each, so that trouble stays where it is.

One partner that hangs took seven of ten calls to all others past their time when all
shared one pool; with four slots it took none (reliability: bulkhead and breaker). A
line is one partner's service in one lane of one process. Its breaker is decided here
and mirrored to the database, where the operator sees it.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime
from enum import Enum, StrEnum
from types import MappingProxyType

from clearinghouse.codes import Code
from clearinghouse.domain import link as breaker
from clearinghouse.domain.clock import Clock
from clearinghouse.domain.errors import ClearingHouseError
from clearinghouse.domain.link import Link
from clearinghouse.domain.participants import EndpointService
from clearinghouse.storage import links
from clearinghouse.storage.database import Database
from clearinghouse.telemetry.logging import logger

_LOG = logger(__name__)

_SECOND_NS = 1_000_000_000

#: How often a line that works tells the database so; changes are told at once.
MIRROR_SECONDS = 5


class Lane(Enum):
    """Who waits for the call: a driver at a station, or nobody."""

    REALTIME = "realtime"
    BACKGROUND = "background"


#: Calls to one partner's service at once, from one process.
SLOTS = MappingProxyType({Lane.REALTIME: 4, Lane.BACKGROUND: 2})


class Barred(StrEnum):
    """Why a call may not go out now."""

    FULL = "FULL"
    OPEN = "OPEN"
    WAIT = "WAIT"


@dataclass(frozen=True, slots=True)
class LineKey:
    """A line of this process."""

    participant_id: int
    service: EndpointService
    lane: Lane


@dataclass(slots=True)
class Place:
    """A slot that is taken; say how the call ended with one of its methods.

    A call of which nothing is said ended in an error of ours and decides nothing.
    """

    ended: bool | None = None
    error: Code | None = None
    wait_seconds: int = 0

    def answered(self) -> None:
        """Note that the partner answered, in whatever words."""
        self.ended = True

    def failed(self, error: Code, *, wait_seconds: int | None = None) -> None:
        """Note that there was no answer; the partner may have named a wait."""
        self.ended, self.error = False, error
        self.wait_seconds = wait_seconds or 0


@dataclass(slots=True)
class _Line:
    slots: threading.BoundedSemaphore
    link: Link = field(default_factory=Link)
    not_before_ns: int = 0
    mirrored_ns: int = 0
    registered_at: datetime | None = None


class Lines:
    """All lines of this process: as many as there are partners, services and lanes."""

    def __init__(self, database: Database, clock: Clock) -> None:
        self._database = database
        self._clock = clock
        self._lock = threading.Lock()
        self._lines: dict[LineKey, _Line] = {}

    def renew(self, key: LineKey, registered_at: datetime) -> None:
        """Forget what broke before the partner registered anew."""
        line = self._line(key)
        with self._lock:
            # A call that read the address a little earlier may come a little later.
            if line.registered_at is None or line.registered_at < registered_at:
                line.registered_at = registered_at
                line.link, line.not_before_ns = Link(), 0

    @contextmanager
    def place(self, key: LineKey, *, probing: bool = False) -> Iterator[Place | Barred]:
        """Take a slot of a line for the duration of a call, if it may go out now.

        ``probing`` asks for the slot alone: to find out whether the line works.
        """
        line = self._line(key)
        if not line.slots.acquire(blocking=False):
            yield Barred.FULL
            return
        try:
            barred = None if probing else self._barred(line)
            if barred is not None:
                yield barred
                return
            place = Place()
            try:
                yield place
            finally:
                self._note(key, line, place)
        finally:
            line.slots.release()

    def _line(self, key: LineKey) -> _Line:
        with self._lock:
            line = self._lines.get(key)
            if line is None:
                slots = threading.BoundedSemaphore(SLOTS[key.lane])
                line = self._lines[key] = _Line(slots)
            return line

    def _barred(self, line: _Line) -> Barred | None:
        with self._lock:
            if time.monotonic_ns() < line.not_before_ns:
                return Barred.WAIT
            admitted, line.link = breaker.admit(line.link, self._clock.now())
            return None if admitted else Barred.OPEN

    def _note(self, key: LineKey, line: _Line, place: Place) -> None:
        """Move the breaker and tell the database when there is something to tell."""
        if place.ended is None:
            return
        now = self._clock.now()
        now_ns = time.monotonic_ns()
        with self._lock:
            before = line.link.state
            if place.ended:
                line.link = breaker.succeeded(line.link, now)
            else:
                line.link = breaker.failed(line.link, now)
                line.not_before_ns = now_ns + place.wait_seconds * _SECOND_NS
            due_ns = line.mirrored_ns + MIRROR_SECONDS * _SECOND_NS
            told = line.link.state is before and line.mirrored_ns and now_ns < due_ns
            if told:
                return
            line.mirrored_ns = now_ns
            link = line.link
        self._mirror(key, link, place.error)

    def _mirror(self, key: LineKey, link: Link, error: Code | None) -> None:
        now = self._clock.now()
        try:
            with self._database.begin("realtime") as tx:
                record = links.link_of(
                    tx, key.participant_id, key.service, for_update=True
                )
                if error is None:
                    record = record.after_success(link, now)
                else:
                    record = record.after_failure(link, now, error.number)
                links.save_link(tx, record)
        except ClearingHouseError as failure:
            # The call itself is over; the next change is told again.
            _LOG.warning("link_state_not_stored", code=failure.code.name)
