"""The public keys of the house, each with the time in which it signs (4.3-I3).

What a key signed stays true when another takes its place.
"""

from __future__ import annotations

from datetime import datetime
from itertools import pairwise
from typing import NamedTuple

from clearinghouse.services import seals
from clearinghouse.services.environment import Environment

#: Keys of one answer, the newest; older ones are asked for by name.
KEYS_MAX = 100


class SigningKey(NamedTuple):
    """A public key in DER; ``valid_until`` is ``None`` of the one in use."""

    key_id: str
    public_key: bytes
    valid_from: datetime
    valid_until: datetime | None


def signing_keys(env: Environment, key_id: str | None = None) -> list[SigningKey]:
    """Return the newest keys, the one in use last; with a name that one, if known.

    Raises :class:`ClearingHouseError` (``CH.UNAVAILABLE``) for a key file that cannot
    be used.
    """
    known = seals.keys(env)
    ends = [later.valid_from for _, later in pairwise(known)]
    found = [
        SigningKey(one.key_id, one.public_key, one.valid_from, end)
        for one, end in zip(known, [*ends, None], strict=True)
        if key_id in (None, one.key_id)
    ]
    return found[-KEYS_MAX:]
