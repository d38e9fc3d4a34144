"""Faults of SubmitSdrs as rules of the catalogue: B-001, B-002, B-005.

What is wrong with a message before anybody looks at its batch is a fault, as for every
operation. Each item says besides which rule it is, where, what was expected and found.
"""

from __future__ import annotations

from dataclasses import replace

from clearinghouse import codes
from clearinghouse.domain.sdrs import RULE_VERSION
from clearinghouse.soap.explain import TOO_MANY
from clearinghouse.soap.faults import FaultItem, SoapFault

SCHEMA_RULE, SENDER_RULE, BATCH_RULE = "B-001", "B-002", "B-005"

_OF_SCHEMA = frozenset(
    {
        codes.XML_DTD,
        codes.XML_ENCODING,
        codes.XML_MALFORMED,
        codes.XML_LIMIT,
        codes.SCHEMA,
        codes.SOAP,
        codes.HEADER,
    }
)

#: Where the fault lies, and what should be there; what was found is in the code's text.
_OF_SENDER = {
    codes.TOKEN: ("exchangeHeader/sessionToken", "the token of a session that runs"),
    codes.LOGIN_NEEDED: ("exchangeHeader/sessionToken", "the token of a new login"),
    codes.NOT_AUTHORISED: (
        "exchangeHeader/senderId",
        "the party of the token, as one that may submit SDRs",
    ),
}


def as_rule(fault: SoapFault) -> SoapFault:
    """Return a fault with the rules that it is; any other one as it is."""
    if fault.code in _OF_SENDER:
        path, expected = _OF_SENDER[fault.code]
        items = fault.items or (_whole(fault, path, expected),)
        return _with(fault, [_named(item, SENDER_RULE) for item in items])
    if fault.code in _OF_SCHEMA:
        expected = "a message after the schema"
        items = fault.items or (_whole(fault, "submitSdrsRequest", expected),)
        return _with(fault, [_named(item, _rule(item)) for item in items])
    return fault


def _rule(item: FaultItem) -> str:
    """Return B-005 for too many records, which the schema bounds; else B-001."""
    is_record = item.path.endswith("/serviceDetailRecord")
    return BATCH_RULE if is_record and item.text == TOO_MANY else SCHEMA_RULE


def _whole(fault: SoapFault, path: str, expected: str) -> FaultItem:
    code = fault.code
    return FaultItem(code=code.number, text=code.text, path=path, expected=expected)


def _named(item: FaultItem, rule: str) -> FaultItem:
    """Return an item of a rule; where no value may be told, ``found`` says the kind."""
    found = item.found or item.text
    return replace(item, rule=rule, rule_version=RULE_VERSION, found=found)


def _with(fault: SoapFault, items: list[FaultItem]) -> SoapFault:
    return SoapFault(
        fault.code,
        detail=fault.detail,
        items=items,
        not_understood=fault.not_understood,
        retry_after_seconds=fault.retry_after_seconds,
    )
