"""Check digits of contract ids: the ISO 15118 one and the older DIN one.

The ISO digit is a sum over the 14 characters in two fields: each character's place in
``0-9A-Z`` gives two bits and two ternary digits, weighted by powers of a matrix that
depend on the position. Source: ISO 15118-1, annex H (the algorithm of eMI3, part 2);
DIN SPEC 91286.

>>> iso("NN123ABCDEFGHI"), iso("DE83DUIEN83QGZ"), iso("DE8AA001234567")
('T', 'D', '0')
>>> din("INTNM000071"), din("INTNM000110")
('9', 'X')
"""

from __future__ import annotations

from clearinghouse.identifiers.errors import InvalidFormatError, InvalidLengthError

ISO_LENGTH = 14
DIN_LENGTH = 11

_ALPHABET = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ"
_INDEX = {character: index for index, character in enumerate(_ALPHABET)}

Pair = tuple[int, int]
Matrix = tuple[Pair, Pair]


def _times(row: Pair, matrix: Matrix, modulus: int) -> Pair:
    (a, b), (c, d) = matrix
    return (row[0] * a + row[1] * c) % modulus, (row[0] * b + row[1] * d) % modulus


def _powers(matrix: Matrix, modulus: int) -> tuple[Matrix, ...]:
    """Return the first to fourteenth power of a matrix."""
    powers = [matrix]
    for _ in range(ISO_LENGTH - 1):
        first, second = powers[-1]
        powers.append((_times(first, matrix, modulus), _times(second, matrix, modulus)))
    return tuple(powers)


_P = _powers(((0, 1), (1, 1)), 2)
_Q = _powers(((0, 1), (1, 2)), 3)
_Q_FINAL: Matrix = ((0, 2), (2, 1))


def iso(text: str) -> str:
    """Return the ISO check digit of 14 characters (capitals and digits).

    Raises :class:`~clearinghouse.identifiers.errors.IdentifierError` for another
    length or character.
    """
    indexes = _indexes(text, ISO_LENGTH)
    bits: Pair = (0, 0)
    trits: Pair = (0, 0)
    for index, p, q in zip(indexes, _P, _Q, strict=True):
        bit = _times((index // 18, index // 9 % 2), p, 2)
        trit = _times((index // 3 % 3, index % 3), q, 3)
        bits = (bits[0] + bit[0]) % 2, (bits[1] + bit[1]) % 2
        trits = (trits[0] + trit[0]) % 3, (trits[1] + trit[1]) % 3
    trits = _times(trits, _Q_FINAL, 3)
    return _ALPHABET[bits[0] * 18 + bits[1] * 9 + trits[0] * 3 + trits[1]]


def din(text: str) -> str:
    """Return the DIN check digit of 11 characters: a digit, or X for ten.

    Raises :class:`~clearinghouse.identifiers.errors.IdentifierError` for another
    length or character.
    """
    digits = "".join(str(index) for index in _indexes(text, DIN_LENGTH))
    total = sum(int(digit) << place for place, digit in enumerate(digits))
    rest = total % 11
    return "X" if rest == len("0123456789") else str(rest)


def _indexes(text: str, length: int) -> list[int]:
    if len(text) != length:
        raise InvalidLengthError(f"a check digit is made of {length} characters")
    try:
        return [_INDEX[character] for character in text]
    except KeyError:
        raise InvalidFormatError("use capital letters and digits only") from None
