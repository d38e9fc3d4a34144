"""Correlation ids: the name of one message in answers, faults, logs and the audit."""

from __future__ import annotations

from random import getrandbits
from typing import Self
from uuid import UUID, SafeUUID

# The random bits of a UUID, and those that say it is of version 4 (RFC 9562, 5.4).
_VARIABLE = 0xFFFFFFFF_FFFF_0FFF_3FFF_FFFFFFFFFFFF
_VERSION_4 = 0x00000000_0000_4000_8000_000000000000

_set = object.__setattr__


class CorrelationId(UUID):
    """A random UUID that keeps its text.

    Each message has one and writes it at least twice; ``uuid4`` and two texts of it
    took a tenth of the engine's own time. It names a message and guards nothing, so
    that the random numbers need not be secret.
    """

    __slots__ = ("_text",)
    _text: str
    # Of the class: one thing less to set for each message.
    is_safe = SafeUUID.unknown  # type: ignore[misc]  # a slot in UUID

    @classmethod
    def new(cls) -> Self:
        """Return a new one."""
        number = getrandbits(128) & _VARIABLE | _VERSION_4
        digits = number.to_bytes(16, "big").hex()
        made = object.__new__(cls)
        _set(made, "int", number)
        _set(
            made,
            "_text",
            f"{digits[:8]}-{digits[8:12]}-{digits[12:16]}-{digits[16:20]}-{digits[20:]}",
        )
        return made

    def __str__(self) -> str:
        return self._text

    def __reduce__(self) -> tuple[type[UUID], tuple[str]]:
        """Copy and pickle as the plain UUID that it equals."""
        return UUID, (self._text,)
