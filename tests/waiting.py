"""Waits of tests: for what happens, never for so long that it will have happened."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

#: Longest wait for what will come; it bounds a hang and measures nothing.
PATIENCE_SECONDS = 90.0
_LOOK_SECONDS = 0.02


def eventually(holds: Callable[[], bool], *, seconds: float = PATIENCE_SECONDS) -> None:
    """Wait until something holds."""
    ends = time.monotonic() + seconds
    while not holds():
        assert time.monotonic() < ends, "it never held"
        time.sleep(_LOOK_SECONDS)
