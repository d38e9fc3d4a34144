"""Which texts people can trust to be what they see: a leaf, one rule for all.

The contract refuses the same characters where a free text comes in (``TextType``). Its
pattern has to work in every generator, so it names classes and what stands in the basic
plane; what newer editions of Unicode and the higher planes add is named here as well.
The list is our own: the classes differ from one edition of Unicode to the next, and a
text must not be good on one machine and bad on another.
"""

from __future__ import annotations

import re

_UNSEEN = re.compile(
    "["
    "\x00-\x1f\x7f-\x9f"  # control characters
    "\xad\u034f\u061c\u180b-\u180f"  # hyphen, joiner and marks that are not shown
    "\u0600-\u0605\u06dd\u070f\u0890\u0891\u08e2"  # Arabic and Syriac formats
    "\u115f\u1160\u17b4\u17b5\u3164\uffa0"  # letters that leave no mark
    "\u200b-\u200f\u202a-\u202e"  # zero width, direction
    "\u2028\u2029"  # separators of lines and paragraphs
    "\u2060-\u206f\ufeff\ufff0-\ufffb"  # more of both kinds, annotations
    "\ufe00-\ufe0f"  # variants of the character before
    "\ud800-\udfff\ue000-\uf8ff"  # halves of characters, private use
    "\ufdd0-\ufdef\ufffe\uffff"  # no characters
    "\U000110bd\U000110cd\U00013430-\U0001343f"  # formats of Kaithi and hieroglyphs
    "\U0001bca0-\U0001bca3\U0001d173-\U0001d17a"  # formats of shorthand and music
    "\U000e0000-\U0010ffff"  # tags, more variants, private use
    "]"
)

NAME_LENGTH_MAX = 100
"""Longest name of a legal entity: it stands on statements."""
UNSEEN = "no control or invisible characters"
"""What is asked of a text, in the words of a refusal."""


def is_readable(text: str) -> bool:
    """Say whether a text holds nothing unseen that changes what is read."""
    return _UNSEEN.search(text) is None


def is_name(text: str) -> bool:
    """Say whether a text may stand for a legal entity (``NameType``)."""
    return 0 < len(text.strip()) <= NAME_LENGTH_MAX and is_readable(text)


def readable(text: str) -> str:
    """Return the text with a blank for each character that nobody could see."""
    return _UNSEEN.sub(" ", text)
