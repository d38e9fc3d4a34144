"""Passwords: argon2id, slow on purpose (clause 7.2-encrypt; ASVS 11.4.2).

The parameters are the floor that OWASP names: 19 MiB, two passes, one lane. A login
costs about 30 ms of CPU, so callers bound how many run at once.
"""

from __future__ import annotations

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError

PASSWORD_LENGTH_MIN = 12
"""Shorter passwords of machine accounts are refused at the command line."""
PASSWORD_LENGTH_MAX = 256
"""Longer ones are refused before they are hashed: hashing must not be a lever."""

_HASHER = PasswordHasher(time_cost=2, memory_cost=19 * 1024, parallelism=1)
# Verified when there is no such user, so that both ways take the same time.
_NOBODY = _HASHER.hash("nobody has this password")


def hashed(password: str) -> str:
    """Return the hash to store."""
    return _HASHER.hash(password)


def is_right(password: str, password_hash: str | None) -> bool:
    """Say whether the password fits; takes the same time when there is no user."""
    try:
        fits = _HASHER.verify(password_hash or _NOBODY, password)
    except (VerificationError, InvalidHashError):
        return False
    return fits and password_hash is not None
