"""Payments of a settlement run as banks take them: SEPA transfers and collections.

A SEPA payment is in euro, between IBANs, with Latin letters only; what cannot be paid
in this way is named, never bent. The end-to-end id is the key of the reconciliation.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import date

from stdnum import bic as bics
from stdnum import iban as ibans
from text_unidecode import unidecode

from clearinghouse.codes import SEMANTIC
from clearinghouse.domain.errors import Item
from clearinghouse.domain.money import AMOUNT_MINOR_MAX

#: The one currency of SEPA.
CURRENCY = "EUR"
#: Longest texts that a bank takes (ISO 20022 Max35Text, Max140Text; SEPA names).
ID_LENGTH_MAX = 35
REMITTANCE_LENGTH_MAX = 140
NAME_LENGTH_MAX = 70
#: Payments of one file; banks take no larger ones.
PAYMENTS_MAX = 10_000

#: Countries whose accounts can be reached (EPC409, list of SEPA countries).
SEPA_COUNTRIES = frozenset(
    {
        *("AD", "AL", "AT", "BE", "BG", "CH", "CY", "CZ", "DE", "DK", "EE", "ES", "FI"),
        *("FR", "GB", "GI", "GR", "HR", "HU", "IE", "IS", "IT", "LI", "LT", "LU", "LV"),
        *("MC", "MD", "ME", "MK", "MT", "NL", "NO", "PL", "PT", "RO", "RS", "SE", "SI"),
        *("SK", "SM", "VA"),
    }
)

_FOREIGN = re.compile(r"[^A-Za-z0-9/?:().,'+ -]")
_BLANKS = re.compile(r" {2,}")
_GERMAN = str.maketrans(
    {"ä": "ae", "ö": "oe", "ü": "ue", "Ä": "Ae", "Ö": "Oe", "Ü": "Ue", "&": "+"}
)
_ID = re.compile(r"[A-Za-z0-9?:().,'+ -][A-Za-z0-9/?:().,'+ -]{0,34}")
_CREDITOR_ID = re.compile(r"[A-Z]{2}[0-9]{2}[A-Z0-9]{3}[A-Za-z0-9]{1,28}")


@dataclass(frozen=True, slots=True, kw_only=True)
class BankAccount:
    """Who pays or is paid; empty texts where nothing is known."""

    party_id: str
    name: str
    iban: str = ""
    bic: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Mandate:
    """What lets a creditor collect: SEPA B2B direct debit.

    ``creditor_id`` is the collector's own identifier (AT-02).
    """

    mandate_id: str
    signed_on: date
    creditor_id: str


@dataclass(frozen=True, slots=True, kw_only=True)
class PaymentInstruction:
    """One payment; with a mandate the payee collects it, else the payer sends it."""

    end_to_end_id: str
    payer: BankAccount
    payee: BankAccount
    currency: str
    amount_minor: int
    remittance: str
    mandate: Mandate | None = None


def sepa_text(text: str, longest: int) -> str:
    """Return a text in the letters that every bank of SEPA takes (EPC217-08).

    >>> sepa_text("Säulen & Söhne GmbH", 70), sepa_text("Ελλάδα Łódź №7", 9)
    ('Saeulen + Soehne GmbH', 'Ellada Lo')
    """
    latin = unidecode(text.translate(_GERMAN))
    plain = _BLANKS.sub(" ", _FOREIGN.sub(" ", latin)).strip()
    # A text that begins with a slash, or holds two, is taken for a code by banks.
    return plain.replace("//", "/").lstrip("/")[:longest].strip()


def obstacles(payments: Sequence[PaymentInstruction]) -> tuple[str, ...]:
    """Return why payments cannot be written as SEPA files; empty when they can.

    Each text names the payment or the party, and what is missing.
    """
    found = dict.fromkeys(
        text for payment in payments for text in _obstacles_of(payment)
    )
    ids = [payment.end_to_end_id for payment in payments]
    if len(set(ids)) != len(ids):
        found["an end-to-end id stands twice"] = None
    if len(payments) > PAYMENTS_MAX:
        found[f"more than {PAYMENTS_MAX} payments"] = None
    return tuple(found)


def _obstacles_of(payment: PaymentInstruction) -> Iterator[str]:
    name = payment.end_to_end_id
    if not _ID.fullmatch(name) or "//" in name:
        yield f"{name}: an end-to-end id of at most {ID_LENGTH_MAX} SEPA letters"
    if payment.currency != CURRENCY:
        yield f"{name}: {payment.currency} is not paid by SEPA, only {CURRENCY}"
    if not 0 < payment.amount_minor <= AMOUNT_MINOR_MAX:
        yield f"{name}: an amount above zero"
    for account in (payment.payer, payment.payee):
        yield from _obstacles_of_account(account)
    if payment.mandate is not None:
        yield from _obstacles_of_mandate(payment.payer, payment.mandate)


def _obstacles_of_account(account: BankAccount) -> Iterator[str]:
    if not sepa_text(account.name, NAME_LENGTH_MAX):
        yield f"{account.party_id}: a name in Latin letters"
    if not account.iban:
        yield f"{account.party_id}: the IBAN in its billing profile"
    elif not ibans.is_valid(account.iban) or account.iban != ibans.compact(
        account.iban
    ):
        yield f"{account.party_id}: an IBAN whose check digits fit"
    elif account.iban[:2] not in SEPA_COUNTRIES:
        yield f"{account.party_id}: an account in a SEPA country"
    if account.bic and not bics.is_valid(account.bic):
        yield f"{account.party_id}: a BIC of 8 or 11 characters"


def _obstacles_of_mandate(payer: BankAccount, mandate: Mandate) -> Iterator[str]:
    for item in mandate_problems(mandate):
        yield f"{payer.party_id}: {item.expected}"


def mandate_problems(mandate: Mandate) -> tuple[Item, ...]:
    """Return all that a bank would refuse of a mandate; empty when it may be kept."""
    found = []
    if not mandate.mandate_id.strip() or not _ID.fullmatch(mandate.mandate_id):
        found.append(
            ("mandateId", f"a mandate id of at most {ID_LENGTH_MAX} SEPA letters")
        )
    if not _CREDITOR_ID.fullmatch(mandate.creditor_id):
        found.append(("creditorId", "the creditor identifier of who collects"))
    return tuple(
        Item(code=SEMANTIC, path=path, expected=expected) for path, expected in found
    )


def by_file(
    payments: Iterable[PaymentInstruction],
) -> dict[tuple[str, bool], list[PaymentInstruction]]:
    """Return payments by the file they go to, in fixed order.

    The key is who hands the file to its bank, and whether it is a collection: payers
    send their own transfers, payees collect with their mandates.
    """
    files: dict[tuple[str, bool], list[PaymentInstruction]] = {}
    for payment in payments:
        collects = payment.mandate is not None
        owner = payment.payee if collects else payment.payer
        files.setdefault((owner.party_id, collects), []).append(payment)
    return dict(sorted(files.items()))
