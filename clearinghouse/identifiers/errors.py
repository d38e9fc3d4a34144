"""What may be wrong with an identifier, in words its sender can act on.

The message says what to change. It never repeats the value when the identifier is
personal (contract ids, credentials); ``expected`` and ``found`` describe shapes.
"""

from __future__ import annotations


class IdentifierError(ValueError):
    """An identifier that cannot be used; the message says what to change."""

    def __init__(self, reason: str, *, expected: str = "", found: str = "") -> None:
        super().__init__(reason)
        self.reason = reason
        self.expected = expected
        self.found = found


class InvalidFormatError(IdentifierError):
    """The identifier has a character or a separator where none may be."""


class InvalidLengthError(IdentifierError):
    """The identifier, or a part of it, is too short or too long."""


class InvalidComponentError(IdentifierError):
    """A part of the identifier has a value that is not allowed."""


class InvalidCheckDigitError(IdentifierError):
    """The check digit does not fit the identifier."""
