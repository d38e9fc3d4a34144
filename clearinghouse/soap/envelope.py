"""The SOAP envelope, 1.1 and 1.2: its parts by position and count, never by search.

Exactly one Body with exactly one element in it, at most one Header in front, no
text between them. Whoever finds a second operation or a forged copy elsewhere in
the document has nobody here who looks at it.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from lxml import etree

from clearinghouse import codes
from clearinghouse.soap.faults import SoapFault
from clearinghouse.soap.limits import HEADER_BLOCKS_MAX
from clearinghouse.soap.versions import SOAP_11, VERSIONS, Version

# A Header and a Body.
_PARTS_MAX = 2
_TRUE = frozenset({"1", "true"})
# Targets that mean us: SOAP 1.1, 4.2.2; SOAP 1.2 part 1, 2.2.
_OUR_ROLES = frozenset(
    {
        "",
        "http://schemas.xmlsoap.org/soap/actor/next",
        "http://www.w3.org/2003/05/soap-envelope/role/next",
        "http://www.w3.org/2003/05/soap-envelope/role/ultimateReceiver",
    }
)
_ENVELOPES = frozenset(version.envelope for version in VERSIONS)
_CLOSING = b"</soap:Body></soap:Envelope>"


@dataclass(slots=True)
class Envelope:
    """A message taken apart."""

    version: Version
    blocks: list[etree._Element]
    body: etree._Element


def open_envelope(root: etree._Element, version: Version) -> Envelope:
    """Take the envelope apart by position; its content type said which version.

    Raises :class:`SoapFault` SOAP when it is no envelope with one operation,
    VERSION_MISMATCH when it is one of another version, XML_LIMIT when it has too
    many header blocks.
    """
    if root.tag != version.envelope:
        raise _mismatch(root)
    if not 0 < len(root) <= _PARTS_MAX:
        raise SoapFault(codes.SOAP, detail="not a Header and a Body")
    parts = root[:]
    body = parts[-1]
    if body.tag != version.body or len(body) != 1:
        raise SoapFault(codes.SOAP, detail="not one Body with one element")
    blocks: list[etree._Element] = []
    if len(parts) == _PARTS_MAX:
        header = parts[0]
        if header.tag != version.header:
            raise SoapFault(codes.SOAP, detail="what precedes the Body")
        blocks = header[:]
        if len(blocks) > HEADER_BLOCKS_MAX:
            raise SoapFault(codes.XML_LIMIT, detail="header blocks")
    return Envelope(version, blocks, body[0])


def _mismatch(root: etree._Element) -> SoapFault:
    tag = str(root.tag)
    if tag in _ENVELOPES or tag.rpartition("}")[2] == "Envelope":
        return SoapFault(codes.VERSION_MISMATCH, detail="not that of the content type")
    return SoapFault(codes.SOAP, detail="no envelope")


def check_text(root: etree._Element) -> None:
    """Refuse text between the parts of an envelope that was opened.

    The schema refuses it too; this names it. Raises :class:`SoapFault` SOAP.
    """
    if _has_text(root) or any(_has_text(part) for part in root):
        raise SoapFault(codes.SOAP, detail="text between the parts")


def _has_text(parent: etree._Element) -> bool:
    """Whether anything but white space stands between the children."""
    texts = [parent.text, *(child.tail for child in parent)]
    return any(text and not text.isspace() for text in texts)


def check_understood(envelope: Envelope, understood: Callable[[str], bool]) -> None:
    """Refuse header blocks that we must understand and do not.

    Raises :class:`SoapFault` MUST_UNDERSTAND with the names of the blocks.
    """
    version = envelope.version
    strange = [
        str(block.tag)
        for block in envelope.blocks
        if not understood(str(block.tag))
        and block.get(version.must_understand, "").strip() in _TRUE
        and block.get(version.role, "").strip() in _OUR_ROLES
    ]
    if strange:
        raise SoapFault(codes.MUST_UNDERSTAND, not_understood=strange)


def body_offset(data: bytes) -> int:
    """Return where the content of the Body begins, or a place before it.

    Used for the digest of a message: a repeat may carry a newer session token in its
    header and still be the same message. The word in the header would only make the
    digest cover more.
    """
    return data.find(b">", max(data.find(b"Body"), 0)) + 1


def close_envelope(
    body: bytes, version: Version = SOAP_11, header: bytes = b""
) -> bytes:
    """Return the whole message around one body element and optional header blocks."""
    if header:
        start = version.opening_with_header
        return b"".join((start, header, b"</soap:Header><soap:Body>", body, _CLOSING))
    return b"".join((version.opening, body, _CLOSING))
