"""Signatures: the bundle's by the key that the auditor trusts, the chain's by its keys.

Whoever holds the operator's public key trusts the list of files; the list names the
digest of ``keys.tsv``, and so the keys of before that signed older blocks.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from hashlib import sha256
from pathlib import Path

from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.hashes import SHA256

from clearinghouse.verify.archive import MANIFEST, SIGNATURE, Unpacked
from clearinghouse.verify.files import open_plain
from clearinghouse.verify.report import BundleError, Report

#: Characters of a key id: half of the SHA-256 of the public key.
KEY_ID_LENGTH = 32

#: Bytes of a file with a public key.
KEY_BYTES_MAX = 65_536

_NO_BLOCK = "0" * 64
_CHAIN = "chain.tsv"
_VERIFY = ec.ECDSA(SHA256())
PublicKey = ec.EllipticCurvePublicKey
Keys = Mapping[str, PublicKey]


def key_of(path: Path) -> PublicKey:
    """Return the operator's public key from a file in PEM.

    Raises :class:`BundleError` when there is none in it.
    """
    try:
        with open_plain(path, KEY_BYTES_MAX) as file:
            key = serialization.load_pem_public_key(file.read(KEY_BYTES_MAX))
    except OSError as error:
        raise BundleError(f"the key {path} cannot be read: {error.strerror}") from error
    except (ValueError, UnsupportedAlgorithm) as error:
        raise BundleError(f"{path} holds no public key in PEM") from error
    if not isinstance(key, ec.EllipticCurvePublicKey):
        raise BundleError(f"the key in {path} is none of ECDSA")
    return key


def id_of(key: PublicKey) -> str:
    """Return the id of a key: the first half of the SHA-256 of its DER form."""
    der = key.public_bytes(
        serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo
    )
    return sha256(der).hexdigest()[:KEY_ID_LENGTH]


def check_manifest(bundle: Unpacked, key: PublicKey, report: Report) -> None:
    """Check that the list of files is the operator's."""
    if bundle.manifest.get("keyId") != id_of(key):
        report.add(MANIFEST, 0, "keyId", id_of(key), bundle.manifest.get("keyId"))
    if not _is_signed(key, bundle.manifest_bytes, bundle.signature):
        report.add(SIGNATURE, 0, "signature", "one by the given key", "another")


def known_keys(
    rows: Iterable[tuple[int, str, str]],
    trusted: PublicKey,
    report: Report,
) -> Keys:
    """Return the keys of ``keys.tsv`` (line, id, DER) that are what they are called."""
    keys = {id_of(trusted): trusted}
    for line, key_id, public_key in rows:
        key = _loaded(public_key)
        if key is None or id_of(key) != key_id:
            found = None if key is None else id_of(key)
            report.add("keys.tsv", line, "publicKey", key_id, found)
        else:
            keys[key_id] = key
    return keys


def check_chain(
    blocks: Iterable[tuple[int, str, str, str, str, str, str]],
    keys: Keys,
    report: Report,
) -> dict[str, str]:
    """Check each block (line, seq, window, label, key, signature, text) and its place.

    Returns what the last block says, by name; empty when there is none.
    """
    previous, said = _NO_BLOCK, {}
    for number, block in enumerate(blocks, start=1):
        line, seq, window, label, key_id, signature, text = block
        said = dict(_line(one) for one in text.splitlines())
        for field, expected, found in (
            ("clearinghouse-block", "1", said.get("clearinghouse-block")),
            ("seq", str(number), said.get("seq")),
            ("seq", str(number), seq),
            ("previous", previous, said.get("previous")),
            ("windowId", said.get("window"), window),
            ("label", said.get("label"), sha256(label.encode()).hexdigest()),
            ("keyId", said.get("key"), key_id),
        ):
            if expected != found:
                report.add(_CHAIN, line, field, expected, found)
        key = keys.get(key_id)
        if key is None:
            report.add(_CHAIN, line, "keyId", "a key of keys.tsv", key_id)
        elif not _is_signed(key, text.encode(), signature):
            report.add(_CHAIN, line, "signature", f"one by key {key_id}", "another")
        previous = sha256(text.encode()).hexdigest()
    if said:
        said["hash"] = previous
    return said


def _line(text: str) -> tuple[str, str]:
    name, _, value = text.partition(" ")
    return name, value


def _is_signed(key: PublicKey, signed: bytes, signature: str) -> bool:
    try:
        key.verify(bytes.fromhex(signature), signed, _VERIFY)
    except (InvalidSignature, ValueError):
        return False
    return True


def _loaded(public_key: str) -> PublicKey | None:
    try:
        key = serialization.load_der_public_key(bytes.fromhex(public_key))
    except (ValueError, UnsupportedAlgorithm):
        return None
    return key if isinstance(key, ec.EllipticCurvePublicKey) else None
