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
from clearinghouse.soap.faults import SoapFault, Version
from clearinghouse.soap.limits import HEADER_BLOCKS_MAX

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


@dataclass(frozen=True, slots=True)
class _Names:
    """The qualified names of one SOAP version."""

    version: Version
    envelope: str
    header: str
    body: str
    must_understand: str
    role: str


def _names(version: Version, role: str) -> _Names:
    space = f"{{{version.value}}}"
    return _Names(
        version,
        f"{space}Envelope",
        f"{space}Header",
        f"{space}Body",
        f"{space}mustUnderstand",
        f"{space}{role}",
    )


_NAMES = {
    names.envelope: names
    for names in (_names(Version.V11, "actor"), _names(Version.V12, "role"))
}


@dataclass(frozen=True, slots=True)
class Envelope:
    """A message taken apart."""

    version: Version
    blocks: list[etree._Element]
    body: etree._Element


def version_of(root: etree._Element, expected: Version) -> Version:
    """Return the SOAP version of the root, which the content type must agree with.

    Raises :class:`SoapFault` SOAP when this is no envelope, VERSION_MISMATCH when
    it is another one.
    """
    names = _NAMES.get(str(root.tag))
    if names is not None:
        if names.version is not expected:
            raise SoapFault(codes.VERSION_MISMATCH, detail="content type")
        return names.version
    if etree.QName(root).localname == "Envelope":
        raise SoapFault(codes.VERSION_MISMATCH, detail="envelope namespace")
    raise SoapFault(codes.SOAP, detail="no envelope")


def open_envelope(root: etree._Element, expected: Version) -> Envelope:
    """Take the envelope apart by position.

    Raises :class:`SoapFault` SOAP or VERSION_MISMATCH.
    """
    version = version_of(root, expected)
    names = _NAMES[str(root.tag)]
    count = len(root)
    if not 0 < count <= _PARTS_MAX:
        raise SoapFault(codes.SOAP, detail="not a Header and a Body")
    body = root[count - 1]
    if body.tag != names.body or len(body) != 1:
        raise SoapFault(codes.SOAP, detail="not one Body with one element")
    blocks: list[etree._Element] = []
    if count == _PARTS_MAX:
        header = root[0]
        if header.tag != names.header or _has_text(header):
            raise SoapFault(codes.SOAP, detail="what precedes the Body")
        blocks = list(header)
        if len(blocks) > HEADER_BLOCKS_MAX:
            raise SoapFault(codes.XML_LIMIT, detail="header blocks")
    if _has_text(root) or _has_text(body):
        raise SoapFault(codes.SOAP, detail="text between the parts")
    return Envelope(version, blocks, body[0])


def _has_text(parent: etree._Element) -> bool:
    """Whether anything but white space stands between the children."""
    text = parent.text
    if text and not text.isspace():
        return True
    for child in parent:
        tail = child.tail
        if tail and not tail.isspace():
            return True
    return False


def check_understood(envelope: Envelope, understood: Callable[[str], bool]) -> None:
    """Refuse header blocks that we must understand and do not.

    Raises :class:`SoapFault` MUST_UNDERSTAND with the names of the blocks.
    """
    names = _NAMES[f"{{{envelope.version.value}}}Envelope"]
    strange = []
    for block in envelope.blocks:
        if not block.attrib:
            continue
        must = block.get(names.must_understand, "0").strip() in _TRUE
        if (
            must
            and block.get(names.role, "").strip() in _OUR_ROLES
            and not understood(str(block.tag))
        ):
            strange.append(str(block.tag))
    if strange:
        raise SoapFault(codes.MUST_UNDERSTAND, not_understood=strange)


def body_offset(data: bytes) -> int:
    """Return where the content of the Body begins, or a place before it.

    Used for the digest of a message: a repeat may carry a newer session token in its
    header and still be the same message. The word in the header would only make the
    digest cover more.
    """
    return data.find(b">", max(data.find(b"Body"), 0)) + 1


_OPENING = {
    Version.V11: (
        '<?xml version="1.0" encoding="UTF-8"?>\n'
        f'<soap:Envelope xmlns:soap="{Version.V11.value}"><soap:Body>'
    ).encode(),
    Version.V12: (
        '<?xml version="1.0" encoding="UTF-8"?>\n'
        f'<soap:Envelope xmlns:soap="{Version.V12.value}"><soap:Body>'
    ).encode(),
}
_CLOSING = b"</soap:Body></soap:Envelope>"
_WITH_HEADER = {
    version: opening.replace(b"<soap:Body>", b"<soap:Header>")
    for version, opening in _OPENING.items()
}


def close_envelope(
    body: bytes, version: Version = Version.V11, header: bytes = b""
) -> bytes:
    """Return the whole message around one body element and optional header blocks."""
    if header:
        opening = _WITH_HEADER[version]
        return b"".join((opening, header, b"</soap:Header><soap:Body>", body, _CLOSING))
    return b"".join((_OPENING[version], body, _CLOSING))
