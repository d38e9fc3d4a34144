"""Structured logs: one event per message, JSON unless a terminal reads it.

Values that identify a person are never logged; a digest of a message, a pseudonym
or a correlation id is (clause 8-min).
"""

from __future__ import annotations

import logging
import sys
from typing import cast

import structlog

from clearinghouse.telemetry import traces


def configure(level: str = "INFO") -> None:
    """Send events of ``level`` and above to standard error.

    Line breaks inside values cannot forge a second event: both renderers escape them.
    """
    terminal = sys.stderr.isatty()
    renderer: structlog.typing.Processor = (
        # The usual formatter prints the values of every frame: whole messages.
        structlog.dev.ConsoleRenderer(exception_formatter=structlog.dev.plain_traceback)
        if terminal
        else structlog.processors.JSONRenderer()
    )
    structlog.configure(
        processors=[
            structlog.contextvars.merge_contextvars,
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            structlog.processors.ExceptionRenderer(traces.told),
            renderer,
        ],
        wrapper_class=structlog.make_filtering_bound_logger(
            logging.getLevelNamesMapping()[level.upper()]
        ),
        # Looked up for each event: the stream of today may be closed tomorrow.
        logger_factory=lambda *_: structlog.PrintLogger(sys.stderr),
        cache_logger_on_first_use=False,
    )


def logger(name: str) -> structlog.typing.FilteringBoundLogger:
    """Return the logger of one module."""
    return cast(
        "structlog.typing.FilteringBoundLogger", structlog.get_logger(module=name)
    )
