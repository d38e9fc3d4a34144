"""Merkle trees in the shape of RFC 6962: one hash that stands for many rows.

A leaf is SHA-256 of a zero byte and the row, a node that of a one byte and its two
children, so that no row can be passed off as a node. A tree of n leaves is split at the
largest power of two below n; joining neighbours level by level, with an odd one carried
up as it is, gives the same tree. Source: RFC 6962, 2.1.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from hashlib import sha256

#: Bytes of a leaf, a node or a root.
HASH_BYTES = 32

#: Hashes of one path: a tree of 2^40 leaves. It stops a path from outside that never
#: ends.
PATH_MAX = 40

_LEAF = b"\x00"
_NODE = b"\x01"

#: The root of a tree without leaves (RFC 6962, 2.1).
EMPTY_ROOT = sha256(b"").digest()


class PathError(ValueError):
    """A path does not fit the place in the tree that it is said to lead from."""


def leaf_of(row: bytes) -> bytes:
    """Return the leaf of a row, of 32 bytes.

    >>> leaf_of(b"").hex()[:16]
    '6e340b9cffb37a98'
    """
    return sha256(_LEAF + row).digest()


def node_of(left: bytes, right: bytes) -> bytes:
    """Return the node over two children."""
    return sha256(_NODE + left + right).digest()


class Builder:
    """Takes leaves in order and keeps one hash for each full subtree on the way.

    A million leaves need twenty hashes of memory.
    """

    __slots__ = ("_full", "size")

    def __init__(self) -> None:
        self.size = 0
        # Roots of full subtrees, largest first: the ones of the size in binary.
        self._full: list[bytes] = []

    def add(self, leaf: bytes) -> None:
        """Add a leaf at the right end."""
        full, size = self._full, self.size
        self.size = size + 1
        while size & 1:
            leaf = sha256(_NODE + full.pop() + leaf).digest()
            size >>= 1
        full.append(leaf)

    def root(self) -> bytes:
        """Return the root over what was added; more may be added afterwards."""
        if not self._full:
            return EMPTY_ROOT
        joined = self._full[-1]
        for left in reversed(self._full[:-1]):
            joined = node_of(left, joined)
        return joined


def root_of(leaves: Iterable[bytes]) -> bytes:
    """Return the root over leaves in order."""
    builder = Builder()
    for leaf in leaves:
        builder.add(leaf)
    return builder.root()


def path_of(leaves: Sequence[bytes], index: int) -> tuple[bytes, ...]:
    """Return the hashes that lead from a leaf to the root, nearest first.

    ``index`` counts from 0. Raises :class:`PathError` when there is no such leaf.
    """
    if not 0 <= index < len(leaves):
        raise PathError(f"no leaf {index} among {len(leaves)}")
    level, path = list(leaves), []
    while len(level) > 1:
        beside = index ^ 1
        if beside < len(level):
            path.append(level[beside])
        joined = [
            sha256(_NODE + left + right).digest()
            for left, right in zip(level[::2], level[1::2], strict=False)
        ]
        if len(level) & 1:
            joined.append(level[-1])
        level, index = joined, index >> 1
    return tuple(path)


def root_by_path(leaf: bytes, index: int, size: int, path: Sequence[bytes]) -> bytes:
    """Return the root to which a path leads from the leaf at a place of a tree.

    The caller compares it with a root that it trusts. Raises :class:`PathError` when
    the place is none of the tree, or the path is shorter or longer than the place asks.
    """
    if not 0 <= index < size or len(path) > PATH_MAX:
        raise PathError(f"no path of {len(path)} from leaf {index} of {size}")
    joined, last, rest = leaf, size - 1, list(reversed(path))
    while last:
        if index & 1 or index < last:
            if not rest:
                raise PathError(f"the path from leaf {index} of {size} is too short")
            beside = rest.pop()
            joined = node_of(beside, joined) if index & 1 else node_of(joined, beside)
        index, last = index >> 1, last >> 1
    if rest:
        raise PathError("the path is too long")
    return joined
