"""The circuit breaker of a partner's link: a pure state machine.

Five failures in a row, or more than half of the last twenty calls within ten seconds,
open it. Open, it refuses at once for 5 s, then lets one probe pass; a failed probe
doubles the pause, up to 60 s. So partner trouble stays the partner's.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from enum import StrEnum

FAILURES_IN_A_ROW = 5
RECENT_CALLS = 20
RECENT_SPAN = timedelta(seconds=10)
OPEN_FIRST_SECONDS = 5
OPEN_MAX_SECONDS = 60

#: How long a probe may take before another one may go out: its caller may have died.
PROBE_LIMIT = timedelta(seconds=60)


class LinkState(StrEnum):
    """CLOSED lets calls pass, OPEN stops them, PROBING has one call out to find out."""

    CLOSED = "CLOSED"
    OPEN = "OPEN"
    PROBING = "PROBING"


@dataclass(frozen=True, slots=True, kw_only=True)
class Link:
    """The breaker of one partner's endpoint.

    ``recent`` are the last outcomes (instant, success), oldest first; ``open_until``
    ends the pause, or the patience with a probe; ``open_seconds`` is the last pause.
    """

    state: LinkState = LinkState.CLOSED
    consecutive_failures: int = 0
    recent: tuple[tuple[datetime, bool], ...] = ()
    open_until: datetime | None = None
    open_seconds: int = 0


def admit(link: Link, now: datetime) -> tuple[bool, Link]:
    """Say whether a call may go out now, and return the link after that answer."""
    if link.state is LinkState.CLOSED:
        return True, link
    if link.open_until is not None and now < link.open_until:
        return False, link
    probing = replace(link, state=LinkState.PROBING, open_until=now + PROBE_LIMIT)
    return True, probing


def succeeded(link: Link, now: datetime) -> Link:
    """Return the link after a call that the partner answered, in whatever words."""
    if link.state is LinkState.CLOSED:
        return replace(link, consecutive_failures=0, recent=_recent(link, now, ok=True))
    if link.state is LinkState.PROBING:
        return Link()
    return link  # an answer to a call from before the break decides nothing


def failed(link: Link, now: datetime) -> Link:
    """Return the link after a call without an answer."""
    failures = link.consecutive_failures + 1
    if link.state is LinkState.PROBING:
        return _opened(link, now, failures)
    if link.state is LinkState.OPEN:
        return replace(link, consecutive_failures=failures)
    recent = _recent(link, now, ok=False)
    noted = replace(link, consecutive_failures=failures, recent=recent)
    lost = sum(not ok for _, ok in recent)
    mostly_lost = len(recent) == RECENT_CALLS and 2 * lost > RECENT_CALLS
    if failures >= FAILURES_IN_A_ROW or mostly_lost:
        return _opened(noted, now, failures)
    return noted


def _opened(link: Link, now: datetime, failures: int) -> Link:
    pause_seconds = min(
        max(2 * link.open_seconds, OPEN_FIRST_SECONDS), OPEN_MAX_SECONDS
    )
    return Link(
        state=LinkState.OPEN,
        consecutive_failures=failures,
        open_until=now + timedelta(seconds=pause_seconds),
        open_seconds=pause_seconds,
    )


def _recent(
    link: Link, now: datetime, *, ok: bool
) -> tuple[tuple[datetime, bool], ...]:
    within = [entry for entry in link.recent if now - entry[0] <= RECENT_SPAN]
    return (*within[1 - RECENT_CALLS :], (now, ok))
