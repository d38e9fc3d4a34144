"""Correlation ids: the name of one message in answers, faults, logs and the audit."""

from __future__ import annotations

from random import getrandbits
from typing import Self
from uuid import UUID, SafeUUID

# The digit that carries the variant, for each random one (RFC 9562, 4.1).
_VARIANT = {digit: "89ab"[int(digit, 16) % 4] for digit in "0123456789abcdef"}
_set = object.__setattr__


class CorrelationId(UUID):
    """A random UUID (version 4) that is made as text; its number follows when asked.

    Each message has one and writes it at least twice; ``uuid4`` and two texts of it
    took a tenth of the engine's own time. It names a message and guards nothing, so
    that the random numbers need not be secret.
    """

    __slots__ = ("_text",)
    _text: str

    @classmethod
    def new(cls) -> Self:
        """Return a new one."""
        digits = getrandbits(128).to_bytes(16, "big").hex()
        made = object.__new__(cls)
        _set(
            made,
            "_text",
            f"{digits[:8]}-{digits[8:12]}-4{digits[13:16]}"
            f"-{_VARIANT[digits[16]]}{digits[17:20]}-{digits[20:]}",
        )
        return made

    @property
    def int(self) -> int:  # type: ignore[override]  # a field that cannot be set there
        """The UUID as a number of 128 bits; all else is derived from it."""
        return int(self._text.replace("-", ""), 16)

    @property
    def is_safe(self) -> SafeUUID:  # type: ignore[override]  # as above
        """Whether it was made in a way that is safe between processes."""
        return SafeUUID.unknown

    def __str__(self) -> str:
        return self._text
