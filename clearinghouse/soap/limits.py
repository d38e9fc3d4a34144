"""Bounds of a message, and the byte filter that every message passes first.

The filter looks at raw bytes, before a parser sees them, and is sound because the
parser is forced to UTF-8: what the filter does not see cannot become markup later.
Measured: 0.5 ms for a message of 1,000 records, where the parser takes 2.6 ms.
"""

from __future__ import annotations

import re
from typing import NamedTuple

from clearinghouse import codes
from clearinghouse.soap.faults import SoapFault

# A real-time request is under 3 kB; stops large bodies in front of the fast lane.
REALTIME_BYTES_MAX = 65_536
# A list part of 1,000 entries is under 1 MB; stops memory use per request.
ORDINARY_BYTES_MAX = 2_097_152
# Markup of 1,000 records of 25 fields needs about 52,000; stops element floods.
OPENINGS_MAX = 100_000
# Our messages carry a handful of attributes; stops attribute floods.
EQUALS_MAX = 20_000
# Character and entity references; ours need none but the five of XML.
AMPERSANDS_MAX = 20_000
# The contract nests 9 deep; stops recursion in whatever walks the tree.
DEPTH_MAX = 32
# Attributes, and namespace declarations, of one element.
ATTRIBUTES_MAX = 64
# Openings under this cannot nest deeper than DEPTH_MAX in a well-formed message:
# each level needs a start and an end tag.
OPENINGS_FLAT = 2 * DEPTH_MAX
# Blocks in the SOAP header; ours is one, WS-Security and addressing add a few.
HEADER_BLOCKS_MAX = 16


class Markup(NamedTuple):
    """How much markup a text of some kind may have: bytes of ``<``, ``=`` and ``&``."""

    openings_max: int
    equals_max: int
    ampersands_max: int


MESSAGE_MARKUP = Markup(OPENINGS_MAX, EQUALS_MAX, AMPERSANDS_MAX)

_DECLARATION = re.compile(
    rb"^(?:\xef\xbb\xbf)?<\?xml\s+version\s*=\s*([\"'])([^\"'<>]{0,16})\1"
    rb"(?:\s+encoding\s*=\s*([\"'])([^\"'<>]{0,64})\3)?"
    rb"(?:\s+standalone\s*=\s*([\"'])(?:yes|no)\5)?\s*\?>"
)
# What nearly every client writes; spares the pattern.
_USUAL_DECLARATIONS = (
    b'<?xml version="1.0" encoding="UTF-8"?>',
    b'<?xml version="1.0" encoding="utf-8"?>',
    b"<?xml version='1.0' encoding='UTF-8'?>",
    b"<?xml version='1.0' encoding='utf-8'?>",
    b'<?xml version="1.0"?>',
)
_UTF8_NAMES = frozenset({b"utf-8", b"utf8", b"us-ascii", b"ascii"})
# Longer than any XML declaration.
_HEAD_BYTES = 256
_WIDE_MARKS = (b"\xfe\xff", b"\xff\xfe", b"\x00<", b"<\x00", b"\x00\x00", b"Lo\xa7\x94")
_NUL, _EXCLAMATION, _AMPERSAND = b"\x00!&"
_DOCTYPE = re.compile(rb"<!(?:DOCTYPE|ENTITY|ELEMENT|ATTLIST|NOTATION)", re.IGNORECASE)


def check_encoding(data: bytes) -> None:
    """Check the beginning of a message: UTF-8 and XML 1.0 or nothing.

    Raises :class:`SoapFault` XML_EMPTY, XML_ENCODING or XML_MALFORMED.
    """
    head = data[:_HEAD_BYTES]
    if not head or head.isspace():
        raise SoapFault(codes.XML_EMPTY)
    if head.startswith(_WIDE_MARKS):
        raise SoapFault(codes.XML_ENCODING, detail="a mark of a wide encoding")
    if not head.startswith((b"<?xml", b"\xef\xbb\xbf<?xml")):
        return
    match = _DECLARATION.match(head)
    if match is None or match[2] != b"1.0":
        raise SoapFault(codes.XML_MALFORMED, detail="XML declaration")
    if match[4] is not None and match[4].lower() not in _UTF8_NAMES:
        raise SoapFault(codes.XML_ENCODING, detail="declared encoding")


def check_bytes(data: bytes, markup: Markup = MESSAGE_MARKUP) -> bool:
    """Check a whole message before it is parsed; the caller bounds its length.

    ``markup`` is another bound for what is no message of a partner. Returns whether
    depth and attributes per element are within bounds for certain; else the tree has
    to be looked at. Raises :class:`SoapFault` XML_EMPTY,
    XML_ENCODING, XML_MALFORMED, XML_DTD or XML_LIMIT.
    """
    if not data.startswith(_USUAL_DECLARATIONS):
        check_encoding(data)
    # A byte is looked for by its number: a third of the time that a text of one takes.
    if _NUL in data:
        raise SoapFault(codes.XML_MALFORMED, detail="NUL")
    if _EXCLAMATION in data and _DOCTYPE.search(data):
        raise SoapFault(codes.XML_DTD)
    # Dropping a byte is up to four times faster than counting it.
    length = len(data)
    openings = length - len(data.replace(b"<", b""))
    equals = length - len(data.replace(b"=", b""))
    if openings > markup.openings_max or equals > markup.equals_max:
        raise SoapFault(codes.XML_LIMIT, detail="too much markup")
    if _AMPERSAND in data:
        ampersands = length - len(data.replace(b"&", b""))
        if ampersands > markup.ampersands_max:
            raise SoapFault(codes.XML_LIMIT, detail="too many references")
    if not data.isascii():
        check_utf8(data)
    return openings < OPENINGS_FLAT and equals <= ATTRIBUTES_MAX


def check_utf8(data: bytes) -> None:
    """Check that the bytes are strict UTF-8: no overlong forms, no surrogates.

    Raises :class:`SoapFault` XML_MALFORMED.
    """
    try:
        data.decode("utf-8")
    except UnicodeDecodeError as error:
        raise SoapFault(codes.XML_MALFORMED, detail="not UTF-8") from error
