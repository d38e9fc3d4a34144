"""VAT by table: which category, rate and reason a supply has, and the one rounding.

A rule says for whom it stands (country of the seller, of the buyer, whether the buyer
is a taxable dealer, place of the supply, class of service, days) and what it gives. Of
the rules that fit, the one that says most counts. Categories are those of UNCL5305 as
EN 16931 uses them, reason codes those of the VATEX list.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date
from enum import StrEnum
from typing import NamedTuple

from clearinghouse.codes import SEMANTIC
from clearinghouse.domain.errors import Item
from clearinghouse.domain.money import divide_half_away
from clearinghouse.identifiers.countries import COUNTRIES
from clearinghouse.texts import is_readable

#: 100 percent in hundredths of a percent.
WHOLE_BP = 10_000

#: The highest rate that is taken for one. It stops a slip of the comma.
RATE_BP_MAX = 5_000

REASON_LENGTH_MAX = 200
_REASON_CODE = re.compile(r"VATEX-[A-Z0-9-]{2,24}")
PRIORITY_MAX = 1_000


class VatCategory(StrEnum):
    """What VAT does with a supply (BT-118, UNCL5305)."""

    STANDARD = "S"
    REVERSE_CHARGE = "AE"
    ZERO_RATED = "Z"
    EXEMPT = "E"
    OUTSIDE = "O"
    INTRA_COMMUNITY = "K"
    EXPORT = "G"


class ServiceClass(StrEnum):
    """What is supplied: ENERGY with all of its service session, a SERVICE, a FEE."""

    ENERGY = "ENERGY"
    SERVICE = "SERVICE"
    FEE = "FEE"


#: Any country.
ANY = "*"
#: The member states of the European Union.
EU = "EU"
#: All countries that are not in the European Union.
OTHER = "OTHER"

MEMBER_STATES = frozenset(
    {
        *("AT", "BE", "BG", "CY", "CZ", "DE", "DK", "EE", "ES", "FI", "FR", "GR"),
        *("HR", "HU", "IE", "IT", "LT", "LU", "LV", "MT", "NL", "PL", "PT", "RO"),
        *("SE", "SI", "SK"),
    }
)

#: Categories that give their reason on a document (BR-AE-10, BR-E-10, BR-O-10 ...).
REASONED = frozenset(VatCategory) - {VatCategory.STANDARD, VatCategory.ZERO_RATED}

#: Categories under which the buyer owes the VAT: it needs a VAT id (BR-AE-2, BR-IC-2).
OWED_BY_BUYER = frozenset({VatCategory.REVERSE_CHARGE, VatCategory.INTRA_COMMUNITY})

#: Countries beside the European Union that are one territory of VAT.
_ONE_TERRITORY = frozenset({"CH", "LI"})

#: How much a field of a rule says: nothing, a group of countries, a country.
_POINTS = {ANY: 0, EU: 1, OTHER: 1}
_POINTS_OF_A_COUNTRY = 2


@dataclass(frozen=True, slots=True, kw_only=True)
class VatRule:
    """One row of the table.

    ``seller``, ``buyer`` and ``place`` are countries, :data:`EU`, :data:`OTHER` or
    :data:`ANY`. ``dealer``: whether the buyer must be a taxable dealer; ``None``: all
    the same. ``valid_until`` is the first day on which it stands no more.
    ``rule_id`` is 0 before it is stored.
    """

    service: ServiceClass
    seller: str
    buyer: str
    place: str
    dealer: bool | None
    valid_from: date
    category: VatCategory
    rate_bp: int
    valid_until: date | None = None
    reason_code: str = ""
    reason: str = ""
    priority: int = 0
    rule_id: int = 0


@dataclass(frozen=True, slots=True)
class Supply:
    """What is asked of the table.

    ``seller`` is the country whose VAT id the seller has; ``None`` when it has none: it
    is registered nowhere and shows no VAT. ``place`` is the country of the EVSE.
    """

    seller: str | None
    buyer: str
    is_dealer: bool
    place: str
    service: ServiceClass
    on: date


@dataclass(frozen=True, slots=True)
class VatTreatment:
    """What the table gives: ``rate_bp`` in hundredths of a percent, 1900 is 19 %.

    ``rule_id`` is 0 where no rule fits.
    """

    category: VatCategory
    rate_bp: int
    reason_code: str
    reason: str
    rule_id: int


#: What stands where no rule fits, or the seller has no VAT id: no VAT is shown.
UNTAXED = VatTreatment(
    VatCategory.OUTSIDE, 0, "VATEX-EU-O", "Not subject to VAT", rule_id=0
)


def resolve(rules: Iterable[VatRule], supply: Supply) -> VatTreatment:
    """Return how a supply is taxed: by the first of :func:`fitting`."""
    found = fitting(rules, supply)
    if not found:
        return UNTAXED
    rule = found[0]
    return VatTreatment(
        rule.category, rule.rate_bp, rule.reason_code, rule.reason, rule.rule_id
    )


class Doubt(NamedTuple):
    """Why place, profiles and table do not fit together: what would, and what is."""

    expected: str
    found: str


def doubt_of(
    supply: Supply, rule: VatRule | None, *, buyer_has_id: bool
) -> Doubt | None:
    """Return why nobody should invoice a supply as the table taxes it (S-212).

    ``rule`` is the one that counts. Where no rule says how a seller with a VAT id is
    taxed, nothing would be shown; a buyer without VAT id cannot owe the VAT; and VAT of
    a country far from the seller's union of VAT is none that its VAT id may charge. A
    seller without a VAT id shows no VAT, and there is nothing to doubt.
    """
    if supply.seller is None:
        return None
    if rule is None:
        expected = f"a rule of VAT for {supply.seller} selling to {supply.buyer}"
        return Doubt(f"{expected} in {supply.place}", "none")
    if rule.category in OWED_BY_BUYER and not buyer_has_id:
        return Doubt("a VAT id of the CSP, which is to owe the VAT", "none")
    charges_there = rule.category is VatCategory.STANDARD and rule.place != ANY
    if charges_there and not _share_vat(supply.seller, supply.place):
        return Doubt(
            f"an EVSE where a VAT id of {supply.seller} may charge VAT",
            f"an EVSE in {supply.place}",
        )
    return None


def _share_vat(one: str, other: str) -> bool:
    territory = {one, other}
    return one == other or territory <= MEMBER_STATES or territory <= _ONE_TERRITORY


def fitting(rules: Iterable[VatRule], supply: Supply) -> list[VatRule]:
    """Return the rules that fit a supply, the one that counts first.

    The higher priority counts, then the rule that says most (a country two points, a
    group or a word on the dealer one), then the later first day, then the later row.
    """
    if supply.seller is None:
        return []
    found = [rule for rule in rules if _fits(rule, supply, supply.seller)]
    found.sort(
        key=lambda rule: (rule.priority, _said(rule), rule.valid_from, rule.rule_id),
        reverse=True,
    )
    return found


def vat_of(base_minor: int, rate_bp: int) -> int:
    """Return the VAT on a sum: once per document, category and rate, half away.

    >>> vat_of(253, 1900), vat_of(48100, 1900), vat_of(-253, 1900)
    (48, 9139, -48)
    """
    return divide_half_away(base_minor * rate_bp, WHOLE_BP)


def problems(rule: VatRule) -> tuple[Item, ...]:
    """Return all that is wrong with a rule; empty when it may stand in the table."""
    found = [
        _wrong(name, "a country after ISO 3166, EU, OTHER or *", value)
        for name, value in (
            ("seller", rule.seller),
            ("buyer", rule.buyer),
            ("place", rule.place),
        )
        if value not in _POINTS and value not in COUNTRIES
    ]
    if not 0 <= rule.rate_bp <= RATE_BP_MAX:
        found.append(_wrong("rate", "0 to 50 percent", str(rule.rate_bp)))
    elif (rule.category is VatCategory.STANDARD) != (rule.rate_bp > 0):
        found.append(_wrong("rate", "above 0 for S, and 0 for every other category"))
    if rule.valid_until is not None and rule.valid_until <= rule.valid_from:
        found.append(_wrong("validUntil", "a day after the first"))
    if not 0 <= rule.priority <= PRIORITY_MAX:
        found.append(_wrong("priority", f"0 to {PRIORITY_MAX}"))
    return (*found, *_reason_problems(rule))


def _reason_problems(rule: VatRule) -> Iterable[Item]:
    code, reason = rule.reason_code, rule.reason
    if rule.category in REASONED and not (reason or code):
        yield _wrong("reason", f"a reason: {rule.category} has no VAT")
    if rule.category not in REASONED and (reason or code):
        yield _wrong("reason", f"none: {rule.category} needs no reason")
    if len(reason) > REASON_LENGTH_MAX or not is_readable(reason):
        yield _wrong("reason", f"at most {REASON_LENGTH_MAX} characters")
    if code and not _REASON_CODE.fullmatch(code):
        yield _wrong("reasonCode", "a code such as VATEX-EU-AE", code)


def _fits(rule: VatRule, supply: Supply, seller: str) -> bool:
    return (
        rule.service is supply.service
        and (rule.dealer is None or rule.dealer is supply.is_dealer)
        and rule.valid_from <= supply.on
        and (rule.valid_until is None or supply.on < rule.valid_until)
        and _is_in(seller, rule.seller)
        and _is_in(supply.buyer, rule.buyer)
        and _is_in(supply.place, rule.place)
    )


def _is_in(country: str, where: str) -> bool:
    if where == EU:
        return country in MEMBER_STATES
    if where == OTHER:
        return country not in MEMBER_STATES
    return where in (ANY, country)


def _said(rule: VatRule) -> int:
    places = (rule.seller, rule.buyer, rule.place)
    points = sum(_POINTS.get(place, _POINTS_OF_A_COUNTRY) for place in places)
    return points + (rule.dealer is not None)


def _wrong(path: str, expected: str, found: str = "") -> Item:
    return Item(code=SEMANTIC, path=path, expected=expected, found=found)
