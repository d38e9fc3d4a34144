"""The signing key of the house: one file, and the public keys that it ever had.

ECDSA on P-256 with SHA-256, deterministic (RFC 6979): the same text under the same key
has the same signature, so that a document rendered again is the same document. The
private key lives in a file and never in the database; the database knows public keys,
and since when each is the one in use.
"""

from __future__ import annotations

import hashlib
import os
import stat
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from threading import Lock

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, utils
from cryptography.hazmat.primitives.hashes import SHA256
from sqlalchemy import Connection, select, text

from clearinghouse.codes import UNAVAILABLE
from clearinghouse.domain.errors import ClearingHouseError
from clearinghouse.storage.tables.seals import signing_key

#: Characters of a key id: half of the SHA-256 of the public key.
KEY_ID_LENGTH = 32

#: Bytes of one of the two numbers of a signature.
_NUMBER_BYTES = 32

_SIGN = ec.ECDSA(SHA256(), deterministic_signing=True)
_VERIFY = ec.ECDSA(SHA256())

_NOTE = text("""
    INSERT INTO clearing.signing_key (key_id, public_key, valid_from)
    SELECT :key_id, :public_key, :at
    WHERE NOT EXISTS (SELECT FROM clearing.signing_key WHERE key_id = :key_id)
    ON CONFLICT (key_id) DO NOTHING
""")


@dataclass(frozen=True, slots=True, kw_only=True)
class PublicKey:
    """A public key of the house: DER (SubjectPublicKeyInfo), and since when in use."""

    key_id: str
    public_key: bytes
    valid_from: datetime

    @property
    def pem(self) -> str:
        """The key as other programs read it."""
        loaded = _loaded(self.public_key)
        return loaded.public_bytes(
            serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
        ).decode()


class SigningKey:
    """A private key in memory, with its id and its public part."""

    def __init__(self, key: ec.EllipticCurvePrivateKey) -> None:
        self._key = key
        self.public_key = key.public_key().public_bytes(
            serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo
        )
        self.key_id = key_id_of(self.public_key)

    def sign(self, signed: bytes) -> bytes:
        """Return the signature in DER, as most programs take it."""
        return self._key.sign(signed, _SIGN)


class Signer:
    """The key of this process; without a path one that is forgotten with it.

    The file is looked at again at each use: after a rotation a running server signs
    with the new key at once.
    """

    def __init__(self, path: Path | None = None) -> None:
        self._path = path
        self._lock = Lock()
        self._stamp: tuple[int, int, int] | None = None
        self._key: SigningKey | None = None

    def key(self) -> SigningKey:
        """Return the key in use; the first use makes it, in a file of mode 0600.

        Raises :class:`ClearingHouseError` (``CH.UNAVAILABLE``) for a file that is no
        key of ours, or that others than its owner may read.
        """
        with self._lock:
            stamp = _stamp_of(self._path)
            if self._key is None or stamp != self._stamp:
                self._key = self._read()
                self._stamp = _stamp_of(self._path)
            return self._key

    def rotate(self) -> SigningKey:
        """Make a new key in place of the old one, whose private part is gone then."""
        if self._path is None:
            raise _error("there is no key file to rotate")
        fresh = _written(self._path, ec.generate_private_key(ec.SECP256R1()))
        fresh.replace(self._path)
        return self.key()

    def _read(self) -> SigningKey:
        if self._path is None:
            return SigningKey(ec.generate_private_key(ec.SECP256R1()))
        pem = _read_private(self._path)
        if pem is None:
            _make(self._path)
            pem = _read_private(self._path)
        if pem is None:
            raise _error(f"the signing key {self._path} went away while it was made")
        try:
            key = serialization.load_pem_private_key(pem, password=None)
        except (ValueError, TypeError) as error:
            raise _error(f"{self._path} holds no private key in PEM") from error
        if not isinstance(key, ec.EllipticCurvePrivateKey) or not isinstance(
            key.curve, ec.SECP256R1
        ):
            raise _error(f"the key in {self._path} is not one of ECDSA on P-256")
        return SigningKey(key)


def key_id_of(public_key: bytes) -> str:
    """Return the id of a public key: the first half of its SHA-256, hexadecimal."""
    return hashlib.sha256(public_key).hexdigest()[:KEY_ID_LENGTH]


def is_signed(public_key: bytes, signed: bytes, signature: bytes) -> bool:
    """Say whether a signature in DER over some bytes was made with a key of ours."""
    try:
        _loaded(public_key).verify(signature, signed, _VERIFY)
    except InvalidSignature:
        return False
    return True


def as_numbers(signature: bytes) -> bytes:
    """Return a signature in DER as XML signatures have it: two numbers of 32 bytes."""
    first, second = utils.decode_dss_signature(signature)
    return first.to_bytes(_NUMBER_BYTES) + second.to_bytes(_NUMBER_BYTES)


def as_der(numbers: bytes) -> bytes:
    """Return a signature of two numbers of 32 bytes in DER."""
    first, second = numbers[:_NUMBER_BYTES], numbers[_NUMBER_BYTES:]
    return utils.encode_dss_signature(int.from_bytes(first), int.from_bytes(second))


def point_of(public_key: bytes) -> bytes:
    """Return the point of a public key, uncompressed, as XML signatures have it."""
    return _loaded(public_key).public_bytes(
        serialization.Encoding.X962, serialization.PublicFormat.UncompressedPoint
    )


def note_key(tx: Connection, key: SigningKey, *, at: datetime) -> None:
    """Keep the public part of the key in use, if it is not kept yet."""
    place = {"key_id": key.key_id, "public_key": key.public_key, "at": at}
    tx.execute(_NOTE, place)


def known_keys(tx: Connection) -> list[PublicKey]:
    """Return all public keys of the house, the one in use last."""
    query = select(
        signing_key.c.key_id, signing_key.c.public_key, signing_key.c.valid_from
    ).order_by(signing_key.c.valid_from, signing_key.c.key_id)
    return [
        PublicKey(
            key_id=row.key_id, public_key=row.public_key, valid_from=row.valid_from
        )
        for row in tx.execute(query)
    ]


def _loaded(public_key: bytes) -> ec.EllipticCurvePublicKey:
    key = serialization.load_der_public_key(public_key)
    if not isinstance(key, ec.EllipticCurvePublicKey):
        raise _error("a kept public key is none of ECDSA")
    return key


def _stamp_of(path: Path | None) -> tuple[int, int, int] | None:
    if path is None:
        return None
    try:
        found = path.stat()
    except FileNotFoundError:
        return None
    return found.st_mtime_ns, found.st_ino, found.st_size


def _read_private(path: Path) -> bytes | None:
    try:
        with path.open("rb") as file:
            if os.fstat(file.fileno()).st_mode & (stat.S_IRWXG | stat.S_IRWXO):
                raise _error(f"the signing key {path} is open to others: chmod 600 it")
            return file.read()
    except FileNotFoundError:
        return None
    except OSError as error:
        reason = error.strerror
        raise _error(f"the signing key {path} cannot be read: {reason}") from error


def _make(path: Path) -> None:
    """Make the file; of two processes that make it at once one wins."""
    path.parent.mkdir(parents=True, exist_ok=True)
    fresh = _written(path, ec.generate_private_key(ec.SECP256R1()))
    try:
        # A link, not a rename: it never replaces a key that somebody else just made.
        os.link(fresh, path)
    except FileExistsError:
        pass
    finally:
        fresh.unlink()


def _written(path: Path, key: ec.EllipticCurvePrivateKey) -> Path:
    fresh = path.with_name(f".{path.name}.{os.getpid()}.{os.urandom(4).hex()}")
    handle = os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
    with os.fdopen(handle, "wb") as file:
        file.write(
            key.private_bytes(
                serialization.Encoding.PEM,
                serialization.PrivateFormat.PKCS8,
                serialization.NoEncryption(),
            )
        )
        file.flush()
        os.fsync(file.fileno())
    return fresh


def _error(detail: str) -> ClearingHouseError:
    return ClearingHouseError(UNAVAILABLE, detail)
