"""The proof that one SDR is in a sealed window, and nothing of anybody else's SDRs."""

from __future__ import annotations

from dataclasses import dataclass

from clearinghouse.domain import merkle
from clearinghouse.domain.seals import PairSeal


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """A leaf's place in a tree: its index from 0, the number of leaves, its path."""

    index: int
    size: int
    path: tuple[bytes, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class InclusionProof:
    """From the row of an SDR by its pair's root to the signed block of the window.

    ``row`` is the canonical row, ``pair_row`` the one of its pair; the root over the
    pairs stands in ``block``, over which ``signature`` (DER) is.
    """

    window_id: int
    window_label: str
    row: str
    in_pair: Place
    pair_row: str
    in_window: Place
    block: str
    key_id: str
    signature: bytes
    public_key: bytes


def place_of(leaves: list[bytes], index: int) -> Place:
    """Return the place of a leaf with its path.

    Raises :class:`~clearinghouse.domain.merkle.PathError` when there is no such leaf.
    """
    path = merkle.path_of(leaves, index)
    return Place(index=index, size=len(leaves), path=path)


def violations(proof: InclusionProof) -> tuple[str, ...]:
    """Return where a proof does not lead; empty when row, pair and block belong."""
    broken = []
    row, pair_row = proof.row.encode(), proof.pair_row.encode()
    pair_root = _root(row, proof.in_pair).hex()
    fields = dict(zip(PairSeal._fields, proof.pair_row.split("\t")[1:], strict=True))
    if fields["root"] != pair_root:
        broken.append("the row does not lead to the root of its pair")
    if f"root {_root(pair_row, proof.in_window).hex()}" not in proof.block.splitlines():
        broken.append("the pair does not lead to the root of the window")
    return tuple(broken)


def _root(row: bytes, place: Place) -> bytes:
    leaf = merkle.leaf_of(row)
    return merkle.root_by_path(leaf, place.index, place.size, place.path)
