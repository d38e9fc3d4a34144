"""Text for XML: escaping, and nothing that XML 1.0 cannot hold."""

from __future__ import annotations

import re

# Markup, the carriage return (a parser would turn it into a line feed) and every
# character XML 1.0 forbids, lone surrogates included (XML 1.0, 2.2).
_SPECIAL = re.compile("[&<>\r\x00-\x08\x0b\x0c\x0e-\x1f\ud800-\udfff\ufffe\uffff]")
_REPLACED = {"&": "&amp;", "<": "&lt;", ">": "&gt;", "\r": "&#13;"}

is_special = _SPECIAL.search


def _replace(match: re.Match[str]) -> str:
    """Escape markup; a forbidden character becomes the replacement character."""
    return _REPLACED.get(match.group(), "\ufffd")


def escape(text: str, *, quote: bool = False) -> str:
    """Return the text as XML character data; ``quote`` for an attribute's value.

    A character that XML cannot hold is replaced, so that one odd value in the
    database never makes an answer unreadable.
    """
    if is_special(text):
        text = _SPECIAL.sub(_replace, text)
    if quote:
        text = text.replace('"', "&quot;").replace("\n", "&#10;").replace("\t", "&#9;")
    return text
