"""Errors in logs: where in our program, and what kind; no value of any message.

What a database says of a failed statement quotes the row: in its message, in DETAIL
and in CONTEXT. Of such an error the class and the SQLSTATE are told, and of whatever
was raised from it as well, for that repeats its words.
"""

from __future__ import annotations

import traceback
from types import TracebackType

ExcInfo = tuple[type[BaseException], BaseException, TracebackType | None]

_BECAUSE = "\nThat led to:\n\n"


def told(exc_info: ExcInfo) -> str:
    """Return an error with its causes, oldest first, as a log may keep it."""
    return _BECAUSE.join(_one(step) for step in _chain(exc_info[1]))


def _chain(error: BaseException) -> list[BaseException]:
    """Return the error and what it came from, as Python would print them."""
    found: list[BaseException] = []
    step: BaseException | None = error
    while step is not None and step not in found:
        found.insert(0, step)
        silent = step.__suppress_context__
        step = step.__cause__ or (None if silent else step.__context__)
    return found


def _one(error: BaseException) -> str:
    places = "".join(traceback.format_tb(error.__traceback__))
    return f"Traceback (most recent call last):\n{places}{_words(error)}"


def _words(error: BaseException) -> str:
    kind = f"{type(error).__module__}.{type(error).__qualname__}"
    if _speaks_of_rows(error):
        return f"{kind} (SQLSTATE {_state(error) or 'none'})"
    return "".join(traceback.format_exception_only(error)).rstrip()


def _speaks_of_rows(error: BaseException) -> bool:
    """Whether its text, or one that it came from, may quote a statement or a row."""
    marks = ("sqlstate", "statement")
    return any(hasattr(step, mark) for step in _chain(error) for mark in marks)


def _state(error: BaseException) -> str | None:
    states = (getattr(step, "sqlstate", None) for step in reversed(_chain(error)))
    return next((state for state in states if isinstance(state, str)), None)
