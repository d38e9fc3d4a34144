"""Keys and ciphers of the vault: one key file, derived keys, sealed values.

The key-encryption key lives in a file and never in the database. From it come, by HKDF,
a key for look-ups (HMAC-SHA256), one that wraps the key of each data subject, and one
for small secrets such as a partner's access token. Values are sealed with AES-256-GCM
under the subject's own key: destroying that key forgets the person (8-forget).
"""

from __future__ import annotations

import hashlib
import hmac
import os
import stat
from pathlib import Path

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from clearinghouse.codes import UNAVAILABLE
from clearinghouse.domain.errors import ClearingHouseError

KEY_BYTES = 32
_NONCE_BYTES = 12
_FORMAT = b"\x01"
_KEY_ID_BYTES = 8


class KeyRing:
    """The keys derived from one key-encryption key."""

    def __init__(self, key: bytes) -> None:
        if len(key) != KEY_BYTES:
            raise ClearingHouseError(
                UNAVAILABLE, f"the key file holds {len(key)} bytes, not {KEY_BYTES}"
            )
        self.key_id = hashlib.sha256(b"clearinghouse key id" + key).digest()[
            :_KEY_ID_BYTES
        ]
        self._lookup = _derived(key, b"lookup")
        self._wrap = AESGCM(_derived(key, b"wrap"))
        self._secrets = AESGCM(_derived(key, b"secrets"))

    def lookup(self, kind: str, value: str) -> bytes:
        """Return the keyed digest by which a value is found, of 32 bytes."""
        message = f"{kind}\0{value}".encode()
        return hmac.digest(self._lookup, message, "sha256")

    def seal_value(self, value: str, place: bytes) -> tuple[bytes, bytes]:
        """Seal a value under a fresh key; return the wrapped key and the value.

        ``place`` is authenticated: what is moved to another row does not open.
        """
        key = AESGCM.generate_key(8 * KEY_BYTES)
        return _seal(self._wrap, key, b"key|" + place), _seal(
            AESGCM(key), value.encode(), b"value|" + place
        )

    def open_value(self, key_sealed: bytes, value_sealed: bytes, place: bytes) -> str:
        """Return a sealed value.

        Raises :class:`ClearingHouseError` (``CH.UNAVAILABLE``) when key, value and
        place do not belong together.
        """
        key = _open(self._wrap, key_sealed, b"key|" + place)
        return _open(AESGCM(key), value_sealed, b"value|" + place).decode()

    def wrap(self, key: bytes, place: bytes) -> bytes:
        """Return a key wrapped, for the place at which it will lie."""
        return _seal(self._wrap, key, b"key|" + place)

    def unwrap(self, key_sealed: bytes, place: bytes) -> bytes:
        """Return a wrapped key in clear; raises as :meth:`open_value` does."""
        return _open(self._wrap, key_sealed, b"key|" + place)

    def seal_secret(self, secret: str, purpose: str) -> bytes:
        """Seal a small secret of ours or a partner's for one purpose."""
        return _seal(self._secrets, secret.encode(), purpose.encode())

    def open_secret(self, sealed: bytes, purpose: str) -> str:
        """Return a sealed secret; raises as :meth:`open_value` does."""
        return _open(self._secrets, sealed, purpose.encode()).decode()


def new_key(ring: KeyRing, place: bytes) -> tuple[bytes, bytes]:
    """Return a fresh key for a text, in clear and wrapped."""
    key = AESGCM.generate_key(8 * KEY_BYTES)
    return key, ring.wrap(key, place)


def seal_text(key: bytes, clear: str, place: bytes) -> bytes:
    """Seal a text under a key in clear; it opens at its place only."""
    return _seal(AESGCM(key), clear.encode(), b"text|" + place)


def open_text(key: bytes, sealed: bytes, place: bytes) -> str:
    """Return a sealed text; raises as :meth:`KeyRing.open_value` does."""
    return _open(AESGCM(key), sealed, b"text|" + place).decode()


def read_key(path: Path) -> bytes | None:
    """Return the key in a file, ``None`` when there is no file.

    Raises :class:`ClearingHouseError` (``CH.UNAVAILABLE``) when others than its owner
    may read it: a key that anybody can copy seals nothing.
    """
    try:
        with path.open("rb") as file:
            if os.fstat(file.fileno()).st_mode & (stat.S_IRWXG | stat.S_IRWXO):
                raise _error(f"the key file {path} is open to others: chmod 600 it")
            return file.read()
    except FileNotFoundError:
        return None
    except OSError as error:
        raise _error(f"the key file {path} cannot be read: {error.strerror}") from error


def make_key(path: Path) -> bytes:
    """Make the key file, mode 0600, and return the key.

    Of two processes that make it at once one wins, and both return its key.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    fresh = path.with_name(f".{path.name}.{os.getpid()}.{os.urandom(4).hex()}")
    handle = os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(os.urandom(KEY_BYTES))
            file.flush()
            os.fsync(file.fileno())
        # A link, not a rename: it never replaces a key that somebody else just made.
        os.link(fresh, path)
    except FileExistsError:
        pass
    finally:
        fresh.unlink()
    key = read_key(path)
    if key is None:
        raise _error(f"the key file {path} went away while it was made")
    return key


def _derived(key: bytes, purpose: bytes) -> bytes:
    info = b"clearinghouse vault 1 " + purpose
    return HKDF(algorithm=SHA256(), length=KEY_BYTES, salt=None, info=info).derive(key)


def _seal(cipher: AESGCM, clear: bytes, context: bytes) -> bytes:
    nonce = os.urandom(_NONCE_BYTES)
    return _FORMAT + nonce + cipher.encrypt(nonce, clear, _FORMAT + context)


def _open(cipher: AESGCM, sealed: bytes, context: bytes) -> bytes:
    start = len(_FORMAT)
    nonce = sealed[start : start + _NONCE_BYTES]
    if sealed[:start] != _FORMAT or len(nonce) != _NONCE_BYTES:
        raise _error("a sealed value has an unknown format")
    try:
        return cipher.decrypt(nonce, sealed[start + _NONCE_BYTES :], _FORMAT + context)
    except InvalidTag as error:
        raise _error("a sealed value does not open with this key and place") from error


def _error(detail: str) -> ClearingHouseError:
    return ClearingHouseError(UNAVAILABLE, detail)
