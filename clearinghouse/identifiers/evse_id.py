"""EVSE ids: the name of one EVSE in all networks, as ``DE*823*E1234*5678``.

ISO form: two letters of the country, three characters of the operator, the letter
``E``, and 1 to 31 characters of the outlet that begin with a letter or digit.
Separators ``*`` are optional; small letters are taken as capitals. DIN form:
telephone code, three digits, outlet in digits, ``*`` between them; it maps to the ISO
form digit by digit. Source: ISO 15118-1, annex H; DIN SPEC 91286; eMI3, part 2.

The *key* has no separators: two spellings of one id meet there. Because separators
within the outlet are lost in it, the *spaced* form is kept beside it, and a second EVSE
whose outlet is divided differently is refused (:func:`is_ambiguous`).

>>> parse("de*823*e1234*5678")
EvseId(key='DE823E12345678', spaced='DE*823*E1234*5678', country='DE', operator='DE823')
>>> parse("+49*823*1234*5678").spaced
'DE*823*E1234*5678'
>>> validate("CHABCE00134*01*1"), format("CHABCE00134*01*1")
('CHABCE00134011', 'CH*ABC*E00134*01*1')
>>> is_ambiguous(parse("DE*ABC*E1*23"), parse("DE*ABC*E12*3"))
True
>>> is_ambiguous(parse("DE*ABC*E1*23"), parse("DEABCE123"))
False

Ids as they are sent by mistake, and what is said of them:

>>> parse("CHEABCE16970")
Traceback (most recent call last):
    ...
clearinghouse.identifiers.errors.InvalidFormatError: the letter E stands once, before \
the outlet: write CH*ABC*E16970
>>> parse("CH*ABC*088*01")
Traceback (most recent call last):
    ...
clearinghouse.identifiers.errors.InvalidFormatError: put the letter E before the \
outlet: write CH*ABC*E088*01
"""

from __future__ import annotations

import re
from functools import lru_cache
from typing import NamedTuple

from clearinghouse.identifiers.errors import (
    IdentifierError,
    InvalidComponentError,
    InvalidFormatError,
    InvalidLengthError,
)
from clearinghouse.identifiers.operator_id import country_of

#: Characters of the outlet after its E, separators included.
OUTLET_MAX = 31

#: Ids whose parts are remembered. It bounds the memory of a network of a million.
_REMEMBERED_MAX = 65_536

_EXPECTED = "CC*OOO*E and 1 to 31 letters, digits or *, as DE*823*E1234*5678"
_ISO = re.compile(r"([A-Z]{2})\*?([A-Z0-9]{3})\*?E([A-Z0-9][A-Z0-9*]{0,30})")
_DIN = re.compile(r"\+?([0-9]{1,3})\*([0-9]{3})\*([0-9][0-9*]{0,30})")
_WITH_E_IN_FRONT = re.compile(r"([A-Z]{2})\*?E\*?([A-Z0-9]{3})\*?E([A-Z0-9*]{1,31})")
_WITHOUT_E = re.compile(r"([A-Z]{2})\*?([A-Z0-9]{3})\*?([A-Z0-9][A-Z0-9*]{0,30})")
_STRANGE = re.compile(r"[^A-Z0-9*+]")


class EvseId(NamedTuple):
    """An EVSE id in its canonical forms.

    ``key``: capitals without separators. ``spaced``: with separators, those within the
    outlet as received. ``country``: two letters. ``operator``: five characters with the
    country, as ``DE823``: the form of operator ids and party ids.
    """

    key: str
    spaced: str
    country: str
    operator: str

    @property
    def outlet(self) -> str:
        """The part after the letter E, separators as received."""
        return self.spaced[8:]


def compact(number: str) -> str:
    """Return the id in capitals and without surrounding blanks; separators stay."""
    return number.strip().upper()


@lru_cache(maxsize=_REMEMBERED_MAX)
def parse(received: str) -> EvseId:
    """Return the canonical forms of an id as received.

    Raises :class:`~clearinghouse.identifiers.errors.IdentifierError`, whose message
    says what its sender must change.
    """
    text = compact(received)
    match = _ISO.fullmatch(text)
    if match is not None:
        return _evse_id(match[1], match[2], match[3])
    match = _DIN.fullmatch(text)
    if match is not None:
        return _evse_id(country_of(match[1]), match[2], match[3])
    raise _error(text)


def validate(number: str) -> str:
    """Return the key of an id: capitals without separators.

    Raises :class:`~clearinghouse.identifiers.errors.IdentifierError`.
    """
    return parse(number).key


def is_valid(number: str) -> bool:
    """Say whether this is an EVSE id."""
    try:
        parse(number)
    except IdentifierError:
        return False
    return True


def format(number: str) -> str:  # noqa: A001 - the common face of all identifiers
    """Return the spaced form, as ``DE*823*E1234*5678``."""
    return parse(number).spaced


def is_ambiguous(one: EvseId, other: EvseId) -> bool:
    """Say whether two ids have one key but divide the outlet differently.

    An outlet without any separator is the short spelling of either and no conflict.
    """
    if one.key != other.key or one.spaced == other.spaced:
        return False
    return "*" in one.outlet and "*" in other.outlet


def _evse_id(country: str, operator: str, outlet: str) -> EvseId:
    outlet = outlet.rstrip("*")
    key = f"{country}{operator}E{outlet.replace('*', '')}"
    return EvseId(key, f"{country}*{operator}*E{outlet}", country, country + operator)


def _error(text: str) -> IdentifierError:
    """Return what is wrong, most telling reason first."""
    shape = {"expected": _EXPECTED, "found": text[:64]}
    if not text:
        return InvalidLengthError("the id is empty", **shape)
    strange = _STRANGE.search(text)
    if strange is not None:
        return InvalidFormatError(_strange_reason(strange[0]), **shape)
    if text[0] == "+" or text[0].isdigit():
        return InvalidFormatError(
            "write a DIN id as +49*823*1234*5678: telephone code, three digits, outlet "
            "in digits, * between them",
            **shape,
        )
    match = _WITH_E_IN_FRONT.fullmatch(text)
    if match is not None:
        better = f"{match[1]}*{match[2]}*E{match[3]}"
        return InvalidFormatError(
            f"the letter E stands once, before the outlet: write {better}", **shape
        )
    if not text[:2].isalpha():
        return InvalidComponentError(
            "begin with the two letters of the country", **shape
        )
    return _outlet_error(text, shape)


def _outlet_error(text: str, shape: dict[str, str]) -> IdentifierError:
    head = re.match(r"[A-Z]{2}\*?[A-Z0-9]{3}\*?", text)
    if head is None:
        return InvalidComponentError(
            "after the country come three letters or digits of the operator", **shape
        )
    outlet = text[head.end() :]
    if len(outlet) > OUTLET_MAX + 1:
        return InvalidLengthError(
            f"the outlet has {len(outlet) - 1} characters after its E and may have "
            f"{OUTLET_MAX}",
            **shape,
        )
    if outlet in ("", "E"):
        return InvalidLengthError("the outlet after the operator is missing", **shape)
    if outlet[0] == "E":
        return InvalidFormatError(
            "after the letter E comes a letter or digit, not a separator", **shape
        )
    match = _WITHOUT_E.fullmatch(text)
    better = f": write {match[1]}*{match[2]}*E{match[3]}" if match else ""
    return InvalidFormatError(f"put the letter E before the outlet{better}", **shape)


def _strange_reason(character: str) -> str:
    if character == "-":
        return "use * as separator, not -"
    if character.isspace():
        return "remove the blank within the id"
    return "use letters, digits and * only"
