"""What happens when somebody asks a verb to stop: Ctrl-C, a supervisor, a terminal.

The first signal is raised where the program is, as Ctrl-C is; what was begun is put
away on the way out, and no later signal cuts that off.
"""

from __future__ import annotations

import logging
import signal
import sys
from collections.abc import Callable, Iterable
from types import FrameType
from typing import TYPE_CHECKING

from clearinghouse.storage.embedded.uncut import STOPS

if TYPE_CHECKING:  # a name of the type checker's only
    from sys import UnraisableHookArgs

EXIT_STOPPED = 130
"""Stopped before the work was done, as shells say it of Ctrl-C."""
STAYING = frozenset({"serve", "worker"})
"""Verbs that run until they are asked to stop: that is their good end."""
LOOK_SECONDS = 0.5
"""After this the main thread looks up from a wait, to run what signals left for it.

The system may hand a signal to another thread, which notes it and wakes nobody.
"""
_AGAIN_SECONDS = 0.01


class Stopped(SystemExit):
    """The end of a verb that was asked to stop and has said so."""


class _Interrupt:
    """What the signals do: the first one is raised, those after it are not heard."""

    def __init__(self, usual: Callable[[UnraisableHookArgs], object]) -> None:
        self._usual = usual
        self._came = False
        self.is_known = False

    def __call__(self, number: int, frame: FrameType | None) -> None:
        _ = number, frame
        if not self._came:
            self._came = self.is_known = True
            raise KeyboardInterrupt

    def lost(self, what: UnraisableHookArgs) -> None:
        """Come again soon: Python drops what is raised while an object is freed."""
        if self._came and issubclass(what.exc_type, KeyboardInterrupt):
            self._came = False
            signal.setitimer(signal.ITIMER_REAL, _AGAIN_SECONDS)
        else:
            self._usual(what)

    def is_worth_a_line(self, _record: logging.LogRecord) -> bool:
        """Whether a library may complain: not of what was cut off on purpose."""
        return not self._came


_INTERRUPT = _Interrupt(sys.unraisablehook)


def is_asked() -> bool:
    """Whether a signal came: to be looked at before a wait without end.

    What is raised in the midst of a library may be lost there, and no second signal is
    heard.
    """
    return _INTERRUPT.is_known


def interrupt_on_stop() -> None:
    """Let the first signal that asks us to stop do what Ctrl-C does, and no other.

    A second Ctrl-C would cut off the putting away, and leave a database behind. One
    that is ignored stays ignored, as under ``nohup``.
    """
    sys.unraisablehook = _INTERRUPT.lost
    if logging.lastResort is not None:  # what libraries say ends there
        logging.lastResort.addFilter(_INTERRUPT.is_worth_a_line)
    for number in (*STOPS, signal.SIGALRM):
        if signal.getsignal(number) is not signal.SIG_IGN:
            signal.signal(number, _INTERRUPT)


def ignore_stops() -> None:
    """Hear no more signals that ask us to stop: all is put away, the process ends.

    Python takes its handlers away before it ends; the last signal of an impatient
    person would then count as a violent death.
    """
    for number in STOPS:
        signal.signal(number, signal.SIG_IGN)
    # Python notes an interrupt that passed through the execution of a text (a dataclass
    # is made so) and dies of it in the end; the next text takes the note away.
    eval("None")  # noqa: S307 - our own text


def exit_of_stop(words: Iterable[str | None]) -> int:
    """Return the exit code of a stop, by the words that name the verb."""
    return 0 if STAYING.intersection(words) else EXIT_STOPPED


def is_stop(error: BaseException) -> bool:
    """Whether an error is, at the bottom, somebody's wish to stop.

    An interrupt may come out as something else: whoever was interrupted could not put
    away its own, and complained of that.
    """
    found: BaseException | None = error
    while found is not None and not isinstance(found, KeyboardInterrupt):
        found = found.__context__
    return found is not None
