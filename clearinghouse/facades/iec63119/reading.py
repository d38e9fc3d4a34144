"""Identifiers of a single request: read into their types, or refused with the reason.

In lists each entry is judged by itself; here one bad identifier refuses the message. An
error of a personal identifier never holds its value (see ``identifiers.errors``).
"""

from __future__ import annotations

from clearinghouse import codes
from clearinghouse.codes import Code
from clearinghouse.domain.errors import ClearingHouseError, Item
from clearinghouse.facades.iec63119.vocabulary import CREDENTIAL_KIND
from clearinghouse.identifiers import contract_id, credential, evse_id
from clearinghouse.identifiers.contract_id import ContractId
from clearinghouse.identifiers.credential import CredentialKind
from clearinghouse.identifiers.errors import IdentifierError, InvalidCheckDigitError
from clearinghouse.identifiers.evse_id import EvseId
from clearinghouse.soap.binding import Record


def evse_id_of(received: str) -> EvseId:
    """Return the EVSE id of a request.

    Raises :class:`ClearingHouseError` (``EVSE_MALFORMED``) with what to change.
    """
    try:
        return evse_id.parse(received)
    except IdentifierError as error:
        raise _refusal(codes.EVSE_MALFORMED, "evseId", error) from error


def credential_of(record: Record) -> tuple[CredentialKind, str]:
    """Return kind and canonical value of a credential; the value is personal.

    Raises :class:`ClearingHouseError` (``CREDENTIAL_MALFORMED``).
    """
    kind = CREDENTIAL_KIND.read(record.kind)
    try:
        return kind, credential.validate(kind, record.value)
    except IdentifierError as error:
        path = "credential/value"
        raise _refusal(codes.CREDENTIAL_MALFORMED, path, error) from error


def contract_of(received: str) -> ContractId:
    """Return the contract id of a request; it is personal.

    Raises :class:`ClearingHouseError`: ``CONTRACT_CHECK_DIGIT`` or
    ``CONTRACT_MALFORMED``.
    """
    try:
        return contract_id.parse(received)
    except InvalidCheckDigitError as error:
        raise _refusal(codes.CONTRACT_CHECK_DIGIT, "contractId", error) from error
    except IdentifierError as error:
        raise _refusal(codes.CONTRACT_MALFORMED, "contractId", error) from error


def item_of(code: Code, path: str, error: IdentifierError) -> Item:
    """Return what is wrong with an identifier: how to write it, and what was found."""
    return Item(code=code, path=path, expected=error.reason, found=error.found)


def _refusal(code: Code, path: str, error: IdentifierError) -> ClearingHouseError:
    return ClearingHouseError(code, items=(item_of(code, path, error),))
