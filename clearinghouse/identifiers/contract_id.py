"""Contract ids (EMAID, EVCO id): the contract between an EV user and a CSP.

Two letters of the country, three characters of the provider, nine characters of the
contract (eMI3: the first is ``C``) and an optional check digit; separators ``-`` are
optional. The older DIN form has six characters and its own check digit; it maps to the
ISO form by two zeros in front and its check digit behind. Source: ISO 15118-1, annex H;
eMI3, part 2; DIN SPEC 91286.

The *key* is the 14 characters without check digit: with or without it, it is the same
contract. A check digit that is given must fit. Contract ids are personal data: no
message here repeats one.

>>> validate("NN-123-ABCDEFGHI-T"), validate("nn123abcdefghi")
('NN123ABCDEFGHI', 'NN123ABCDEFGHI')
>>> format("NN123ABCDEFGHI")
'NN-123-ABCDEFGHI-T'
>>> format("NL-TNM-012204-5"), format("NL*TNM*012204")
('NL-TNM-000122045-U', 'NL-TNM-000122045-U')
>>> to_emi3("NL-TNM-012204-5")
'NL-TNM-C00122045-K'
>>> provider_of("DE-83D-UIEN83QGZ-D")
'DE83D'

Printed examples with check digits that do not fit are about; they are refused:

>>> is_valid("DE-8AA-CA2B3C4D5-N"), is_valid("DE-8AA-CA2B3C4D5-L")
(False, True)
"""

from __future__ import annotations

import re
from typing import NamedTuple

from clearinghouse.identifiers import check_digit
from clearinghouse.identifiers.errors import (
    IdentifierError,
    InvalidCheckDigitError,
    InvalidComponentError,
    InvalidFormatError,
    InvalidLengthError,
)

_EXPECTED = (
    "CC-PPP-XXXXXXXXX with an optional check digit, or the DIN form CC-PPP-NNNNNN-D"
)
_SEPARATOR = "[-*]?"
_HEAD = f"([A-Z]{{2}}){_SEPARATOR}([A-Z0-9]{{3}}){_SEPARATOR}"
_ISO = re.compile(f"{_HEAD}([A-Z0-9]{{9}})(?:{_SEPARATOR}([A-Z0-9]))?")
_DIN = re.compile(f"{_HEAD}([A-Z0-9]{{6}})(?:{_SEPARATOR}([0-9X]))?")
_LENGTHS = (11, 12, 14, 15)


class ContractId(NamedTuple):
    """A contract id in canonical form.

    ``key``: 14 characters, what is compared. ``check``: the ISO check digit, computed.
    ``provider``: five characters with the country, as ``DE83D``. ``din``: the DIN form
    without separators and with its check digit when that was received, else empty.
    """

    key: str
    check: str
    provider: str
    din: str

    @property
    def spaced(self) -> str:
        """The id with separators and check digit, as ``NN-123-ABCDEFGHI-T``."""
        return f"{self.key[:2]}-{self.key[2:5]}-{self.key[5:]}-{self.check}"


def compact(number: str) -> str:
    """Return the id in capitals, without separators and surrounding blanks."""
    return number.strip().upper().replace("-", "").replace("*", "")


def parse(received: str) -> ContractId:
    """Return the canonical form of a contract id in ISO, eMI3 or DIN spelling.

    Raises :class:`~clearinghouse.identifiers.errors.InvalidCheckDigitError` when a
    check digit is given and does not fit, another
    :class:`~clearinghouse.identifiers.errors.IdentifierError` for another fault.
    """
    text = received.strip().upper()
    match = _ISO.fullmatch(text)
    if match is not None:
        return _from_iso(match[1] + match[2], match[3], match[4])
    match = _DIN.fullmatch(text)
    if match is not None:
        return _from_din(match[1] + match[2], match[3], match[4])
    raise _error(text)


def validate(number: str) -> str:
    """Return the key of a contract id: 14 characters without check digit.

    Raises :class:`~clearinghouse.identifiers.errors.IdentifierError` as :func:`parse`.
    """
    return parse(number).key


def is_valid(number: str) -> bool:
    """Say whether this is a contract id whose check digit, if given, fits."""
    try:
        parse(number)
    except IdentifierError:
        return False
    return True


def format(number: str) -> str:  # noqa: A001 - the common face of all identifiers
    """Return the id with separators and check digit, as ``NN-123-ABCDEFGHI-T``."""
    return parse(number).spaced


def provider_of(number: str) -> str:
    """Return the provider id: five characters; it need not be the CSP's party id."""
    return parse(number).provider


def to_emi3(number: str) -> str:
    """Return the eMI3 spelling of a DIN id: ``C`` and one zero in front instead of two.

    Raises :class:`~clearinghouse.identifiers.errors.InvalidFormatError` when the id is
    not in DIN form.
    """
    contract = parse(number)
    if not contract.din:
        raise InvalidFormatError("only an id in DIN form has another eMI3 spelling")
    instance = f"C0{contract.din[5:]}"
    return _from_iso(contract.provider, instance, None).spaced


def _from_iso(provider: str, instance: str, given: str | None) -> ContractId:
    key = provider + instance
    computed = check_digit.iso(key)
    _verify(given, computed)
    return ContractId(key, computed, provider, "")


def _from_din(provider: str, instance: str, given: str | None) -> ContractId:
    computed = check_digit.din(provider + instance)
    _verify(given, computed)
    key = f"{provider}00{instance}{computed}"
    digit = check_digit.iso(key)
    return ContractId(key, digit, provider, f"{provider}{instance}{computed}")


def _verify(given: str | None, computed: str) -> None:
    if given is not None and given != computed:
        raise InvalidCheckDigitError(
            "the check digit does not fit: compute it anew or leave it out",
            expected="the check digit of the id, or none",
            found="another check digit",
        )


def _error(text: str) -> IdentifierError:
    """Return what is wrong; the value itself is personal and is not repeated."""
    plain = compact(text)
    shape = {"expected": _EXPECTED, "found": f"{len(plain)} characters"}
    if plain and not (plain.isascii() and plain.isalnum()):
        return InvalidFormatError(
            "use letters and digits, and - between the parts", **shape
        )
    if not plain[:2].isalpha():
        return InvalidComponentError(
            "begin with the two letters of the country", **shape
        )
    if len(plain) not in _LENGTHS:
        return InvalidLengthError(
            "a contract id has 14 characters and an optional check digit, the DIN form "
            "11 and an optional check digit",
            **shape,
        )
    return InvalidFormatError(
        "put separators only between country, provider, contract and check digit",
        **shape,
    )
