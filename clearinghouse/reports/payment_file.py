"""Payment files for banks: pain.001 for transfers, pain.008 for B2B collections.

sepaxml writes and checks them against the official schemas. It puts the time of day and
random ids into each file; here these are given, so that a file written again has the
same bytes and a bank sees at once that it knows it.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime
from functools import cache
from importlib.resources import files
from typing import Any

from sepaxml import SepaDD, SepaTransfer
from xmlschema import XMLSchema, XMLSchemaValidationError

from clearinghouse.domain.payments import (
    CURRENCY,
    ID_LENGTH_MAX,
    NAME_LENGTH_MAX,
    REMITTANCE_LENGTH_MAX,
    BankAccount,
    PaymentInstruction,
    obstacles,
    sepa_text,
)

#: The versions that banks of SEPA ask for since November 2023.
TRANSFER_SCHEMA = "pain.001.001.09"
COLLECTION_SCHEMA = "pain.008.001.08"

_MESSAGE_ID = re.compile(rb"<MsgId>[^<]*</MsgId>")
_BATCH_ID = re.compile(rb"<PmtInfId>[^<]*</PmtInfId>")
_CREATED = re.compile(rb"<CreDtTm>[^<]*</CreDtTm>")


class UnpayableError(Exception):
    """Payments that SEPA cannot carry; the arguments say why, one text each."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PaymentFile:
    """What stands in the head of a file.

    ``message_id`` is the same whenever the file is written again; ``execute_on`` the
    day on which the bank pays or collects.
    """

    message_id: str
    created_at: datetime
    execute_on: date


def render_transfers(
    head: PaymentFile, payments: Sequence[PaymentInstruction]
) -> bytes:
    """Return credit transfers of one payer (pain.001).

    Raises :class:`UnpayableError` when SEPA cannot carry them.
    """
    payer = _owner(payments, {payment.payer for payment in payments})
    writer = SepaTransfer(_account(payer), schema=TRANSFER_SCHEMA, clean=False)
    for payment in payments:
        writer.add_payment(
            {
                **_party(payment.payee),
                **_common(payment),
                "execution_date": head.execute_on,
            }
        )
    return _exported(writer, head, TRANSFER_SCHEMA)


def render_collections(
    head: PaymentFile, payments: Sequence[PaymentInstruction]
) -> bytes:
    """Return collections of one payee with the mandates of the payers (pain.008).

    Raises :class:`UnpayableError` when SEPA cannot carry them.
    """
    payee = _owner(payments, {payment.payee for payment in payments})
    mandates = [payment.mandate for payment in payments]
    creditor_ids = {one.creditor_id for one in mandates if one is not None}
    if None in mandates or len(creditor_ids) != 1:
        raise UnpayableError(f"{payee.party_id}: one creditor identifier and mandates")
    config = {
        **_account(payee),
        "creditor_id": creditor_ids.pop(),
        "instrument": "B2B",
    }
    writer = SepaDD(config, schema=COLLECTION_SCHEMA, clean=False)
    for payment in payments:
        if payment.mandate is not None:
            writer.add_payment(
                {
                    **_party(payment.payer),
                    **_common(payment),
                    "type": "RCUR",
                    "collection_date": head.execute_on,
                    "mandate_id": payment.mandate.mandate_id,
                    "mandate_date": payment.mandate.signed_on,
                }
            )
    return _exported(writer, head, COLLECTION_SCHEMA)


def _owner(
    payments: Sequence[PaymentInstruction], owners: set[BankAccount]
) -> BankAccount:
    reasons = obstacles(payments)
    if reasons:
        raise UnpayableError(*reasons)
    if len(owners) != 1:
        raise UnpayableError("one file is of one account")
    return next(iter(owners))


def _account(owner: BankAccount) -> dict[str, Any]:
    return {**_party(owner), "currency": CURRENCY, "batch": True}


def _party(account: BankAccount) -> dict[str, Any]:
    party = {"name": sepa_text(account.name, NAME_LENGTH_MAX), "IBAN": account.iban}
    return {**party, "BIC": account.bic} if account.bic else party


def _common(payment: PaymentInstruction) -> dict[str, Any]:
    return {
        "amount": payment.amount_minor,
        "description": sepa_text(payment.remittance, REMITTANCE_LENGTH_MAX)
        or payment.end_to_end_id,
        "endtoend_id": payment.end_to_end_id,
    }


def _exported(writer: Any, head: PaymentFile, schema: str) -> bytes:  # noqa: ANN401
    if len(head.message_id) > ID_LENGTH_MAX:
        raise UnpayableError(f"{head.message_id}: longer than {ID_LENGTH_MAX}")
    message_id = head.message_id.encode()
    created = head.created_at.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ").encode()
    document: bytes = writer.export(validate=False)
    for pattern, text in (
        (_MESSAGE_ID, b"<MsgId>%s</MsgId>" % message_id),
        (_BATCH_ID, b"<PmtInfId>%s</PmtInfId>" % message_id),
        (_CREATED, b"<CreDtTm>%s</CreDtTm>" % created),
    ):
        document, count = pattern.subn(text, document)
        if count != 1:
            raise UnpayableError("one file is one batch")
    try:
        _schema(schema).validate(document.decode())
    except XMLSchemaValidationError as error:
        raise UnpayableError("the file is not valid after its schema") from error
    return document


@cache
def _schema(name: str) -> XMLSchema:
    """Load an official schema once: the writer's own check loads it for each file."""
    return XMLSchema(str(files("sepaxml").joinpath("schemas", f"{name}.xsd")))
