"""Who signs a statement: the key in use, or for a look back the signature as issued.

A statement that is rendered again must have the same bytes, though the key may have
been replaced since: then it gets the signature that was issued, if that one is true.
"""

from __future__ import annotations

import re
import zlib
from base64 import b64decode

from sqlalchemy import Connection

from clearinghouse.domain.statements import StatementFormat
from clearinghouse.reports.xml_signature import Sign, Signed
from clearinghouse.storage import signing, statements
from clearinghouse.storage.signing import SigningKey

#: A signature is shorter than this: it stands in the last two parts of a document.
_TAIL_PARTS = 2

_ISSUED = re.compile(
    rb"<ds:SignatureValue>([A-Za-z0-9+/=]+)</ds:SignatureValue>"
    rb"<ds:KeyInfo><ds:KeyName>([0-9a-f]+)</ds:KeyName>"
)


def made_with(key: SigningKey) -> Sign:
    """Return what signs with a key."""

    def sign(text: bytes) -> Signed:
        value = signing.as_numbers(key.sign(text))
        return Signed(key.key_id, signing.point_of(key.public_key), value)

    return sign


def as_issued(tx: Connection, statement_id: str) -> Sign | None:
    """Return what gives the signature of the issued XML form, ``None`` without one.

    A signature that is not true for the text comes back empty, and so differs. A form
    that cannot be read has none.
    """
    found = _ISSUED.search(_tail(tx, statement_id))
    if found is None:
        return None
    value, key_id = b64decode(found[1]), found[2].decode()
    keys = {one.key_id: one.public_key for one in signing.known_keys(tx)}

    def sign(text: bytes) -> Signed:
        public_key = keys.get(key_id)
        if public_key is None:
            return Signed(key_id, b"", b"")
        true = signing.is_signed(public_key, text, signing.as_der(value))
        return Signed(key_id, signing.point_of(public_key), value if true else b"")

    return sign


def _tail(tx: Connection, statement_id: str) -> bytes:
    rendering = statements.rendering_of(tx, statement_id, StatementFormat.XML)
    if rendering is None:
        return b""
    tail = b""
    for part in range(max(1, rendering.parts - _TAIL_PARTS + 1), rendering.parts + 1):
        content = statements.part_of(tx, statement_id, StatementFormat.XML, part)
        try:
            tail += zlib.decompress(content or b"")
        except zlib.error:
            return b""
    return tail
