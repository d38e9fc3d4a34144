"""Faults: the value that code raises, and the XML that leaves the house.

A fault is for transport, schema and security trouble; a business refusal is an
answer. The text comes from the catalogue, a path comes from our own schema; no
value of the message and no word of a library ever stands in a fault.

SOAP 1.1 faults travel with HTTP 500; SOAP 1.2 sender faults with 400 and receiver
faults with 500. Overload and rate limits keep their HTTP status in both versions.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING
from uuid import UUID

from clearinghouse import codes
from clearinghouse.codes import Code, Kind
from clearinghouse.soap.text import escape
from clearinghouse.soap.versions import SOAP_11, SOAP_12, Version

if TYPE_CHECKING:
    from collections.abc import Sequence

# A fault with more items than this helps nobody and would grow with hostile input.
FAULT_ITEMS_MAX = 100
# An element path is cut here; our deepest real path has about 150 characters.
PATH_CHARACTERS_MAX = 200

COMMON = "urn:clearinghouse:iec63119:common:1"
WSSE = (
    "http://docs.oasis-open.org/wss/2004/01/oasis-200401-wss-wssecurity-secext-1.0.xsd"
)
# Fault codes of the WS-Security profile, for clients that act on them.
_WSSE_CODES = {
    codes.LOGIN_FAILED: "FailedAuthentication",
    codes.TOKEN: "InvalidSecurityToken",
}
_SERVER_KINDS = frozenset({Kind.INTERNAL, Kind.UNAVAILABLE})
_OWN_STATUS = {codes.RATE: 429, codes.OVERLOAD: 503, codes.SLOW: 408, codes.SIZE: 413}


@dataclass(frozen=True, slots=True, kw_only=True)
class FaultItem:
    """One thing that is wrong: where, what our schema asks for, what kind was found.

    ``index`` is the zero-based place in a list, when the fault is inside one.
    ``found`` describes (a length, a count); it never repeats the value. ``rule`` and
    ``rule_version`` are of a catalogue of the operation, where it has one.
    """

    code: int = codes.SCHEMA.number
    text: str
    path: str
    expected: str | None = None
    found: str | None = None
    index: int | None = None
    rule: str | None = None
    rule_version: int | None = None


class SoapFault(Exception):  # noqa: N818  # it is SOAP's own word
    """Raised to answer a message with a fault.

    ``detail`` is for our own log and never leaves the house. ``not_understood``
    lists the header blocks of a must-understand fault; ``retry_after_seconds``
    becomes the HTTP header of the same name.
    """

    def __init__(
        self,
        code: Code,
        *,
        detail: str = "",
        items: Sequence[FaultItem] = (),
        not_understood: Sequence[str] = (),
        retry_after_seconds: int | None = None,
    ) -> None:
        super().__init__(code.name, detail)
        self.code = code
        self.detail = detail
        self.items = tuple(items[:FAULT_ITEMS_MAX])
        self.not_understood = tuple(not_understood)
        self.retry_after_seconds = retry_after_seconds

    @property
    def is_server(self) -> bool:
        """Whether the trouble is ours, not the sender's."""
        return self.code.kind in _SERVER_KINDS

    def status(self, version: Version) -> int:
        """Return the HTTP status this fault travels with."""
        own = _OWN_STATUS.get(self.code)
        if own is not None:
            return own
        if version is SOAP_12 and not self.is_server:
            return 400
        return 500


def render(fault: SoapFault, version: Version, correlation_id: UUID) -> bytes:
    """Return the whole envelope that carries the fault."""
    detail = _detail(fault, correlation_id)
    if version is SOAP_11:
        text = _render_11(fault, detail)
    else:
        text = _render_12(fault, detail)
    return text.encode()


def _detail(fault: SoapFault, correlation_id: UUID) -> str:
    code = fault.code
    items = "".join(_item(item) for item in fault.items)
    retryable = "true" if code.retryable else "false"
    return (
        f'<c:fault xmlns:c="{COMMON}"><c:code>{escape(code.name)}</c:code>'
        f"<c:number>{code.number}</c:number><c:text>{escape(code.text)}</c:text>"
        f"<c:retryable>{retryable}</c:retryable>"
        f"<c:correlationId>{correlation_id}</c:correlationId>{items}</c:fault>"
    )


def _item(item: FaultItem) -> str:
    parts = ["<c:item>"]
    if item.index is not None:
        parts.append(f"<c:index>{item.index}</c:index>")
    parts.append(f"<c:code>{item.code}</c:code>")
    if item.rule is not None:
        parts.append(f"<c:rule>{escape(item.rule)}</c:rule>")
    parts.append(f"<c:text>{escape(item.text)}</c:text>")
    for name in ("path", "expected", "found"):
        value = getattr(item, name)
        if value:
            parts.append(f"<c:{name}>{escape(value[:PATH_CHARACTERS_MAX])}</c:{name}>")
    if item.rule_version is not None:
        parts.append(f"<c:ruleVersion>{item.rule_version}</c:ruleVersion>")
    parts.append("</c:item>")
    return "".join(parts)


def _render_11(fault: SoapFault, detail: str) -> str:
    local = "Server" if fault.is_server else "Client"
    code, binding = f"soap:{local}", ""
    if fault.code is codes.MUST_UNDERSTAND:
        code = "soap:MustUnderstand"
    elif fault.code is codes.VERSION_MISMATCH:
        code = "soap:VersionMismatch"
    elif fault.code in _WSSE_CODES:
        code, binding = f"wsse:{_WSSE_CODES[fault.code]}", f' xmlns:wsse="{WSSE}"'
    return (
        '<?xml version="1.0" encoding="UTF-8"?>\n'
        f'<soap:Envelope xmlns:soap="{SOAP_11.namespace}"{binding}><soap:Body>'
        f"<soap:Fault><faultcode>{code}</faultcode>"
        f'<faultstring xml:lang="en">{escape(fault.code.text)}</faultstring>'
        f"<detail>{detail}</detail></soap:Fault></soap:Body></soap:Envelope>"
    )


def _render_12(fault: SoapFault, detail: str) -> str:
    local = "Receiver" if fault.is_server else "Sender"
    subcode, binding = f"c:{fault.code.name}", f' xmlns:c="{COMMON}"'
    header = ""
    if fault.code is codes.MUST_UNDERSTAND:
        local = "MustUnderstand"
        header = _not_understood(fault)
    elif fault.code is codes.VERSION_MISMATCH:
        local = "VersionMismatch"
        header = _upgrade()
    elif fault.code in _WSSE_CODES:
        subcode = f"wsse:{_WSSE_CODES[fault.code]}"
        binding = f' xmlns:wsse="{WSSE}"'
    return (
        '<?xml version="1.0" encoding="UTF-8"?>\n'
        f'<soap:Envelope xmlns:soap="{SOAP_12.namespace}"{binding}>{header}<soap:Body>'
        f"<soap:Fault><soap:Code><soap:Value>soap:{local}</soap:Value>"
        f"<soap:Subcode><soap:Value>{subcode}</soap:Value></soap:Subcode></soap:Code>"
        f'<soap:Reason><soap:Text xml:lang="en">{escape(fault.code.text)}</soap:Text>'
        f"</soap:Reason><soap:Detail>{detail}</soap:Detail></soap:Fault>"
        "</soap:Body></soap:Envelope>"
    )


def _not_understood(fault: SoapFault) -> str:
    """Name the header blocks (SOAP 1.2 part 1, 5.4.8).

    The names are the sender's own, so they are escaped and their number is bounded.
    """
    blocks = []
    for tag in fault.not_understood:
        namespace, _, local = (
            tag[1:].partition("}") if tag[:1] == "{" else ("", "", tag)
        )
        blocks.append(
            f'<soap:NotUnderstood qname="n:{escape(local)}" '
            f'xmlns:n="{escape(namespace, quote=True)}"/>'
        )
    return f"<soap:Header>{''.join(blocks)}</soap:Header>" if blocks else ""


def _upgrade() -> str:
    """Name the envelopes we take (SOAP 1.2 part 1, 5.4.7)."""
    return (
        "<soap:Header><soap:Upgrade>"
        f'<soap:SupportedEnvelope qname="n:Envelope" xmlns:n="{SOAP_12.namespace}"/>'
        f'<soap:SupportedEnvelope qname="n:Envelope" xmlns:n="{SOAP_11.namespace}"/>'
        "</soap:Upgrade></soap:Header>"
    )
