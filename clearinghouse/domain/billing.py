"""Billing profiles: what an invoice says of its seller and its buyer (EN 16931).

Versioned master data of a participant, and of the house itself as the seller of fees. A
version is never changed: what was invoiced under it stays what it was.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date
from itertools import pairwise

from stdnum import bic as bics
from stdnum import get_cc_module
from stdnum import iban as ibans
from stdnum.eu import vat as eu_vats
from stdnum.exceptions import ValidationError

from clearinghouse.codes import SEMANTIC
from clearinghouse.domain.errors import Item
from clearinghouse.identifiers.countries import COUNTRIES
from clearinghouse.texts import NAME_LENGTH_MAX, UNSEEN, is_name, is_readable

#: Longest line of an address, and longest number of a tax office.
LINE_LENGTH_MAX = 100
POSTCODE_LENGTH_MAX = 16
TAX_NUMBER_LENGTH_MAX = 40
#: Longest address that mail knows (RFC 5321, 4.5.3.1).
EMAIL_LENGTH_MAX = 254

_EMAIL = re.compile(r"[^@\s<>\"(),:;\[\\\]]{1,64}@[A-Za-z0-9.-]{1,185}\.[A-Za-z]{2,24}")

#: A VAT id of a country whose check digits we do not know.
_VAT_ID = re.compile(r"[A-Z]{2}[A-Z0-9]{2,18}")

#: VAT ids begin with the code of their country, but for these two.
_VAT_PREFIXES = {"EL": "GR", "XI": "GB"}


@dataclass(frozen=True, slots=True, kw_only=True)
class BillingProfile:
    """One version of what invoices say of a party, in force from a day on.

    ``is_taxable_dealer``: it buys electricity mainly to sell it again (directive
    2006/112/EC, article 38); reverse charge hangs on it. ``vat_id`` begins with the
    letters of its country (``EL`` for Greece). ``contact_email`` is the mailbox of an
    office, not of a person. ``version`` counts from 1, and is 0 before it is stored.
    """

    party_id: str
    valid_from: date
    legal_name: str
    street: str
    city: str
    postcode: str
    country: str
    contact_email: str
    vat_id: str | None = None
    tax_number: str | None = None
    is_taxable_dealer: bool = False
    iban: str | None = None
    bic: str | None = None
    version: int = 0


def profile_in_force(
    versions: Iterable[BillingProfile], on: date
) -> BillingProfile | None:
    """Return the version in force on a day: of those begun, the one stored last.

    A later version that begins earlier corrects those before it from its own day on.
    """
    begun = [one for one in versions if one.valid_from <= on]
    return max(begun, key=lambda one: one.version, default=None)


def compact_vat_id(text: str) -> str:
    """Return a VAT id in capitals, without blanks and separators.

    >>> compact_vat_id("de 136.695 976")
    'DE136695976'
    """
    return re.sub(r"[\s./_-]", "", text).upper()


def compact_iban(text: str) -> str:
    """Return an IBAN in capitals, without blanks: as a payment carries it."""
    return re.sub(r"[\s-]", "", text).upper()


def vat_country(vat_id: str) -> str:
    """Return the ISO 3166 code of the country that gave a VAT id.

    >>> vat_country("EL094259216")
    'GR'
    """
    return _VAT_PREFIXES.get(vat_id[:2], vat_id[:2])


def is_vat_id(vat_id: str) -> bool:
    """Say whether a compact VAT id has the shape and check digits of its country.

    Where those are not known to us the shape alone counts.
    """
    if not _VAT_ID.fullmatch(vat_id) or vat_country(vat_id) not in COUNTRIES:
        return False
    prefix = vat_id[:2]
    if prefix.lower() in eu_vats.MEMBER_STATES or prefix in _VAT_PREFIXES:
        return eu_vats.is_valid(vat_id)
    national = get_cc_module(prefix.lower(), "vat")
    return national is None or bool(national.is_valid(vat_id))


def problems(profile: BillingProfile) -> tuple[Item, ...]:
    """Return all that is wrong with a profile; empty when it may be stored."""
    found = [
        *_name_and_address(profile),
        *_tax(profile),
        *_bank(profile),
    ]
    if len(profile.contact_email) > EMAIL_LENGTH_MAX or not _EMAIL.fullmatch(
        profile.contact_email
    ):
        found.append(_wrong("contactEmail", "one address, as invoices@abc.example"))
    return tuple(found)


def gaps(profile: BillingProfile | None) -> tuple[str, ...]:
    """Return what an invoice of this party lacks, in words; empty when it is whole.

    Nothing of it stops a close: the figures are booked, the document waits.
    """
    if profile is None:
        return ("billing profile",)
    lacks = []
    if profile.vat_id is None and profile.tax_number is None:
        lacks.append("VAT id or tax number")
    if profile.iban is None:
        lacks.append("IBAN")
    return tuple(lacks)


def _name_and_address(profile: BillingProfile) -> Iterable[Item]:
    if not is_name(profile.legal_name):
        yield _wrong("legalName", f"1 to {NAME_LENGTH_MAX} characters, {UNSEEN}")
    for path, text, longest in (
        ("street", profile.street, LINE_LENGTH_MAX),
        ("city", profile.city, LINE_LENGTH_MAX),
        ("postcode", profile.postcode, POSTCODE_LENGTH_MAX),
    ):
        if not 0 < len(text.strip()) <= longest or not is_readable(text):
            yield _wrong(path, f"1 to {longest} characters, {UNSEEN}")
    if profile.country not in COUNTRIES:
        yield _wrong(
            "country",
            "two capital letters after ISO 3166, as DE",
            profile.country,
        )


def _tax(profile: BillingProfile) -> Iterable[Item]:
    vat_id, number = profile.vat_id, profile.tax_number
    if vat_id is not None and not is_vat_id(vat_id):
        yield _wrong(
            "vatId",
            "the letters of a country and its VAT number with valid check digits,"
            " as DE136695976 or CHE107787577MWST",
            vat_id,
        )
    if number is not None and (
        not 0 < len(number.strip()) <= TAX_NUMBER_LENGTH_MAX or not is_readable(number)
    ):
        yield _wrong("taxNumber", f"1 to {TAX_NUMBER_LENGTH_MAX} characters, {UNSEEN}")
    if profile.is_taxable_dealer and vat_id is None:
        yield _wrong("vatId", "a VAT id: without one nobody is a taxable dealer")


def _bank(profile: BillingProfile) -> Iterable[Item]:
    iban, bic = profile.iban, profile.bic
    if iban is not None and (why := _why_no_iban(iban)):
        yield _wrong("iban", why, iban)
    if bic is not None and not (bics.is_valid(bic) and bic == bics.compact(bic)):
        yield _wrong("bic", "8 or 11 letters and digits, as COBADEFFXXX", bic)
    if bic is not None and iban is None:
        yield _wrong("iban", "the IBAN of the account that the BIC belongs to")


def _why_no_iban(iban: str) -> str:
    """Return what an IBAN should be; empty for one that is valid."""
    try:
        ibans.validate(iban)
    except ValidationError:
        return (
            "country, two check digits that fit, and account, as DE89370400440532013000"
        )
    return "" if iban == ibans.compact(iban) else "capitals without blanks"


def _wrong(path: str, expected: str, found: str = "") -> Item:
    return Item(code=SEMANTIC, path=path, expected=expected, found=found)


def moves_account(
    versions: Sequence[BillingProfile], following: BillingProfile, *, today: date
) -> bool:
    """Say whether money would go elsewhere with the next version of a profile.

    The account is compared with the last one that there was, however long ago: to take
    one away and give another later is the same. So is to bring one forward: it is
    compared with the last one that has begun by then, too. The first account moves
    money as any other does: before it nothing was paid.
    """
    if not following.iban:
        return False
    day = max(today, following.valid_from)
    begun = [one for one in versions if one.valid_from <= day]
    return any(_last_account(some) != _account(following) for some in (versions, begun))


def _last_account(
    versions: Sequence[BillingProfile],
) -> tuple[str | None, str | None] | None:
    last = next((one for one in reversed(versions) if one.iban), None)
    return None if last is None else _account(last)


def replaced_account(
    versions: Sequence[BillingProfile], *, begins: date, today: date
) -> str:
    """Return the account that a version which begins on a day would replace, in words.

    It is the one in force by then. Where another one is agreed for later it is named
    too; with ``none`` no money can go anywhere. How often it has changed is told as
    well: an account that was there before and is there again is another one to a
    request that was made meanwhile.
    """
    there = profile_in_force(versions, max(today, begins))
    found = [_account_text(one) for one in (there, *versions[-1:])]
    text = ", later ".join(dict.fromkeys(found))
    changes = sum(_account(one) != _account(other) for one, other in pairwise(versions))
    return f"{text} (change {changes})" if changes else text


def _account_text(profile: BillingProfile | None) -> str:
    if profile is None or profile.iban is None:
        return "none"
    return profile.iban if profile.bic is None else f"{profile.iban} {profile.bic}"


def _account(profile: BillingProfile) -> tuple[str | None, str | None]:
    return profile.iban, profile.bic
