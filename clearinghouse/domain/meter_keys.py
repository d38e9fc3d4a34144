"""Keys of meters and what they signed: ECDSA over the curves of the format.

A key is sent as SubjectPublicKeyInfo or as a bare point, in hexadecimal digits or
base64. What the library at hand cannot compute is said to be unsupported: it is never
taken for right. Nothing here reads or writes anything but its arguments.
"""

from __future__ import annotations

from enum import StrEnum
from functools import lru_cache
from types import MappingProxyType
from typing import NamedTuple

from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import (
    Encoding as KeyEncoding,
)
from cryptography.hazmat.primitives.serialization import (
    PublicFormat,
    load_der_public_key,
)

from clearinghouse.domain.meters import Encoding, EncodingError, bytes_of
from clearinghouse.domain.ocmf import Record

#: Characters of a key as it is sent: one of 384 bits has 240 in hexadecimal digits.
KEY_TEXT_MAX = 1_024

#: Keys that are kept ready: making one costs as much as using it.
KEYS_REMEMBERED_MAX = 4_096

_DER = "application/x-der"
_POINT = 4  # first byte of a bare point, uncompressed
_SEQUENCE = 0x30  # first byte of SubjectPublicKeyInfo

#: Curve and digest by the name of the algorithm; all are with SHA-256.
#: secp192k1 is in the format as well, but not in the library: it is unsupported.
_CURVES = MappingProxyType(
    {
        "ECDSA-secp192r1-SHA256": ec.SECP192R1(),
        "ECDSA-secp256k1-SHA256": ec.SECP256K1(),
        "ECDSA-secp256r1-SHA256": ec.SECP256R1(),
        "ECDSA-secp384r1-SHA256": ec.SECP384R1(),
        "ECDSA-brainpool256r1-SHA256": ec.BrainpoolP256R1(),
        "ECDSA-brainpool384r1-SHA256": ec.BrainpoolP384R1(),
    }
)


class Proof(StrEnum):
    """What came of checking a signature."""

    VALID = "VALID"
    INVALID = "INVALID"
    UNSUPPORTED = "UNSUPPORTED"


class Checked(NamedTuple):
    """The outcome, and why where it is not valid; the words repeat nothing sent."""

    proof: Proof
    expected: str = ""
    found: str = ""


class KeyTextError(ValueError):
    """A text is no public key; ``is_unsupported``: it may be one that we cannot use."""

    def __init__(self, expected: str, *, is_unsupported: bool = False) -> None:
        super().__init__(expected)
        self.expected = expected
        self.is_unsupported = is_unsupported


def key_bytes(text: str) -> bytes:
    """Return a key as it was sent in bytes; two spellings of one key give the same.

    Raises :class:`KeyTextError`.
    """
    if len(text) > KEY_TEXT_MAX:
        raise KeyTextError(f"at most {KEY_TEXT_MAX} characters")
    for encoding in (Encoding.HEX, Encoding.BASE64):
        try:
            found = bytes_of(text, encoding)
        except EncodingError:
            continue
        if found[0] in (_POINT, _SEQUENCE):
            return found
    raise KeyTextError("SubjectPublicKeyInfo or an uncompressed point, hex or base64")


def check_key(text: str) -> None:
    """Check that a text is a public key on a curve that signatures are checked with.

    A bare point does not name its curve: it must be one of at least one of them.
    Raises :class:`KeyTextError`.
    """
    problem: KeyTextError | None = None
    for name in _CURVES:
        try:
            _key(text, name)
        except KeyTextError as error:
            problem = error
        else:
            return
    if problem is not None:
        raise problem


def verify(record: Record, key_text: str) -> Checked:
    """Check a record's signature over the bytes that were signed."""
    signature = record.signature
    curve = _CURVES.get(signature.algorithm)
    if curve is None:
        expected = f"one of {', '.join(_CURVES)}"
        return Checked(Proof.UNSUPPORTED, expected, "another algorithm")
    if signature.form != _DER:
        return Checked(Proof.UNSUPPORTED, _DER, "another form of signature")
    try:
        key = _key(key_text, signature.algorithm)
    except KeyTextError as error:
        proof = Proof.UNSUPPORTED if error.is_unsupported else Proof.INVALID
        return Checked(proof, error.expected, "another public key")
    try:
        key.verify(signature.value, record.signed, ec.ECDSA(SHA256()))
    except InvalidSignature:
        return Checked(
            Proof.INVALID, "a signature by the meter's key", "a wrong signature"
        )
    return Checked(Proof.VALID)


@lru_cache(maxsize=KEYS_REMEMBERED_MAX)
def _key(text: str, algorithm: str) -> ec.EllipticCurvePublicKey:
    """Return a key that is known to lie on its curve.

    Raises :class:`KeyTextError`.
    """
    curve = _CURVES[algorithm]
    sent = key_bytes(text)
    try:
        if sent[0] == _POINT:
            return ec.EllipticCurvePublicKey.from_encoded_point(curve, sent)
        key = load_der_public_key(sent)
    except UnsupportedAlgorithm as error:
        raise KeyTextError("a key on a known curve", is_unsupported=True) from error
    except (ValueError, TypeError) as error:
        raise KeyTextError(f"a public key on {curve.name}") from error
    if not isinstance(key, ec.EllipticCurvePublicKey) or key.curve.name != curve.name:
        raise KeyTextError(f"a public key on {curve.name}")
    # Lenient encodings of one key are not the key as it is written everywhere else.
    plain = key.public_bytes(KeyEncoding.DER, PublicFormat.SubjectPublicKeyInfo)
    if plain != sent:
        raise KeyTextError(f"a named curve, {curve.name}, and an uncompressed point")
    return key
