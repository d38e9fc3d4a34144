"""SOAP envelopes, 1.1 and 1.2: read hostile ones, write our own.

This is the endpoint's only parser. It stands in front of spyne, because spyne lets
an empty body or an entity raise out of the server, ignores headers that must be
understood and takes the first of two operations.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from enum import Enum
from uuid import UUID

from lxml import etree

from clearinghouse import codes
from clearinghouse.codes import Code, Kind
from clearinghouse.endpoint.codec import namespace_of, write_element
from clearinghouse.endpoint.messages.common import Fault, ResultItem
from clearinghouse.endpoint.refusal import RefusalError

# Markup of 500 delivered SDRs of 60 elements is 60,000; stops element floods.
OPENINGS_MAX = 400_000
# Our messages carry few attributes; stops attribute and namespace floods.
EQUALS_MAX = 20_000
# The contract nests 9 deep; stops recursion in whatever walks the tree.
DEPTH_MAX = 32
# Ours is one block, WS-Security and addressing add a few.
HEADER_BLOCKS_MAX = 16
# A path in a fault is cut here.
PATH_CHARACTERS_MAX = 200

_DOCTYPE = re.compile(rb"<!(?:DOCTYPE|ENTITY)", re.IGNORECASE)
_ENCODING = re.compile(rb"^<\?xml[^>]{0,100}?encoding\s*=\s*[\"']([^\"']{0,40})")
_WIDE_MARKS = (b"\xfe\xff", b"\xff\xfe", b"\x00<", b"<\x00", b"Lo\xa7\x94")
_TRUE = frozenset({"1", "true"})
_SERVER_KINDS = frozenset({Kind.INTERNAL, Kind.UNAVAILABLE})


class Version(Enum):
    """The two SOAP versions, by the namespace of the envelope."""

    V11 = "http://schemas.xmlsoap.org/soap/envelope/"
    V12 = "http://www.w3.org/2003/05/soap-envelope"

    @property
    def content_type(self) -> str:
        """The content type of a message of this version."""
        if self is Version.V11:
            return "text/xml; charset=utf-8"
        return "application/soap+xml; charset=utf-8"


@dataclass(frozen=True, slots=True, kw_only=True)
class Envelope:
    """A message taken apart by position and count, never by searching."""

    version: Version
    headers: tuple[etree._Element, ...]
    body: etree._Element


def parse(data: bytes) -> etree._Element:
    """Parse a message of another party.

    Raises :class:`RefusalError` with a code of the ``CH.XML`` family.
    """
    if not data or data.isspace():
        raise RefusalError(codes.XML_EMPTY)
    declared = _ENCODING.match(data)
    if data.startswith(_WIDE_MARKS) or (
        declared and declared[1].lower() not in {b"utf-8", b"utf8", b"us-ascii"}
    ):
        raise RefusalError(codes.XML_ENCODING)
    if _DOCTYPE.search(data):
        raise RefusalError(codes.XML_DTD)
    if data.count(b"<") > OPENINGS_MAX or data.count(b"=") > EQUALS_MAX:
        raise RefusalError(codes.XML_LIMIT)
    parser = etree.XMLParser(
        encoding="utf-8",  # a declared UTF-7 would hide a document type from us
        resolve_entities=False,
        no_network=True,
        load_dtd=False,
        dtd_validation=False,
        attribute_defaults=False,
        huge_tree=False,
        recover=False,
        remove_comments=True,  # a comment would cut the text of its element in two
        remove_pis=True,
        collect_ids=False,
    )
    try:
        root = etree.fromstring(data, parser)
    except etree.XMLSyntaxError as error:
        raise RefusalError(codes.XML_MALFORMED) from error
    if _is_deeper(root, DEPTH_MAX):
        raise RefusalError(codes.XML_LIMIT)
    return root


def _is_deeper(root: etree._Element, bound: int) -> bool:
    depth = 0
    for event, _ in etree.iterwalk(root, events=("start", "end")):
        depth += 1 if event == "start" else -1
        if depth > bound:
            return True
    return False


def take_apart(root: etree._Element, understood: frozenset[str]) -> Envelope:
    """Split an envelope into its header blocks and the one child of its Body.

    ``understood`` are the qualified names of the header blocks we act on. Raises
    :class:`RefusalError`.
    """
    version = _version(root)
    parts = list(root)
    names = [part.tag for part in parts]
    header, body = f"{{{version.value}}}Header", f"{{{version.value}}}Body"
    if names not in ([header, body], [body]):
        raise RefusalError(codes.SOAP)
    headers = tuple(parts[0]) if names[0] == header else ()
    if len(headers) > HEADER_BLOCKS_MAX or len(parts[-1]) != 1:
        raise RefusalError(codes.SOAP)
    for block in headers:
        demanded = block.get(f"{{{version.value}}}mustUnderstand", "0").strip()
        if demanded in _TRUE and block.tag not in understood:
            raise RefusalError(codes.MUST_UNDERSTAND)
    return Envelope(version=version, headers=headers, body=parts[-1][0])


def _version(root: etree._Element) -> Version:
    name = etree.QName(root)
    if name.localname != "Envelope":
        raise RefusalError(codes.SOAP)
    for version in Version:
        if version.value == name.namespace:
            return version
    raise RefusalError(codes.VERSION_MISMATCH)


def wrap(content: etree._Element, version: Version) -> bytes:
    """Return the bytes of an envelope around one Body element."""
    envelope = etree.Element(
        f"{{{version.value}}}Envelope", nsmap={"soap": version.value}
    )
    _child(envelope, f"{{{version.value}}}Body").append(content)
    return etree.tostring(envelope, xml_declaration=True, encoding="UTF-8")


def write_fault(refusal: RefusalError, version: Version, correlation_id: UUID) -> bytes:
    """Return the envelope of a fault: texts of the catalogue, no value received."""
    detail = write_element(
        _detail(refusal, correlation_id), f"{{{namespace_of(Fault)}}}fault"
    )
    fault = etree.Element(f"{{{version.value}}}Fault")
    if version is Version.V11:
        _child(fault, "faultcode", f"soap:{_role(refusal.code)}")
        _child(fault, "faultstring", refusal.code.text)
        _child(fault, "detail").append(detail)
    else:
        _fill_12(fault, refusal.code, detail)
    return wrap(fault, version)


def _child(parent: etree._Element, name: str, text: str = "") -> etree._Element:
    made: etree._Element = etree.SubElement(parent, name)
    made.text = text
    return made


def _detail(refusal: RefusalError, correlation_id: UUID) -> Fault:
    code = refusal.code
    item = ResultItem(
        code=code.number, text=code.text, path=refusal.path[:PATH_CHARACTERS_MAX]
    )
    return Fault(
        code=code.name,
        number=code.number,
        text=code.text,
        retryable=code.retryable,
        correlation_id=correlation_id,
        item=(item,) if refusal.path else (),
    )


def _role(code: Code) -> str:
    if code is codes.MUST_UNDERSTAND:
        return "MustUnderstand"
    if code is codes.VERSION_MISMATCH:
        return "VersionMismatch"
    return "Server" if code.kind in _SERVER_KINDS else "Client"


def _fill_12(fault: etree._Element, code: Code, detail: etree._Element) -> None:
    role = {"Server": "Receiver", "Client": "Sender"}.get(_role(code), _role(code))
    space = f"{{{Version.V12.value}}}"
    _child(_child(fault, f"{space}Code"), f"{space}Value", f"soap:{role}")
    text = _child(_child(fault, f"{space}Reason"), f"{space}Text", code.text)
    text.set("{http://www.w3.org/XML/1998/namespace}lang", "en")
    _child(fault, f"{space}Detail").append(detail)
