"""Chance from a seed: a stream of its own for each thing that is left to it.

With streams of their own, more trouble on the line does not change who charges where.
"""

from __future__ import annotations

from random import Random
from uuid import UUID


def stream(seed: int, name: str) -> Random:
    """Return the stream of this name; the same for ever, on every machine."""
    return Random(f"clearing house/{seed}/{name}")  # noqa: S311 - to be repeated


def uuid_from(chance: Random) -> UUID:
    """Return a UUID of the seed's."""
    return UUID(int=chance.getrandbits(128), version=4)


def happens(chance: Random, per_mille: int) -> bool:
    """Say whether something happens that does so many times in a thousand."""
    return chance.randrange(1000) < per_mille
