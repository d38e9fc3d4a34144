"""Merkle trees: the vectors of RFC 6962 implementations, and a naive second one."""

from __future__ import annotations

from hashlib import sha256

import pytest
from hypothesis import given
from hypothesis import strategies as st

from clearinghouse.domain import merkle

#: Inputs and roots that implementations of RFC 6962 share as their reference data.
INPUTS = [
    bytes.fromhex(text)
    for text in (
        "",
        "00",
        "10",
        "2021",
        "3031",
        "40414243",
        "5051525354555657",
        "606162636465666768696a6b6c6d6e6f",
    )
]
ROOTS = (
    "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d",
    "fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125",
    "aeb6bcfe274b70a14fb067a5e5578264db0fa9b51af5e0ba159158f329e06e77",
    "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
    "4e3bbb1f7b478dcfe71fb631631519a3bca12c9aefca1612bfce4c13a86264d4",
    "76e67dadbcdf1e10e1b74ddc608abd2f98dfb16fbce75277b5232a127f2087ef",
    "ddb89be403809e325750d3d263cd78929c2942b7942a34b77e122c9594a74c8c",
    "5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328",
)

rows = st.lists(st.binary(max_size=8), max_size=70)


def naive_root(leaves: list[bytes]) -> bytes:
    """Split at the largest power of two, as the text of RFC 6962 has it."""
    if not leaves:
        return sha256(b"").digest()
    if len(leaves) == 1:
        return leaves[0]
    split = 1
    while split * 2 < len(leaves):
        split *= 2
    left, right = naive_root(leaves[:split]), naive_root(leaves[split:])
    return sha256(b"\x01" + left + right).digest()


def naive_path(leaves: list[bytes], index: int) -> list[bytes]:
    """Return the audit path as the text of RFC 6962, 2.1.1, has it."""
    if len(leaves) <= 1:
        return []
    split = 1
    while split * 2 < len(leaves):
        split *= 2
    if index < split:
        return [*naive_path(leaves[:split], index), naive_root(leaves[split:])]
    return [*naive_path(leaves[split:], index - split), naive_root(leaves[:split])]


@pytest.mark.parametrize("size", range(1, 9))
def test_gives_the_roots_of_the_reference_data(size: int) -> None:
    leaves = [merkle.leaf_of(row) for row in INPUTS[:size]]

    assert merkle.root_of(leaves).hex() == ROOTS[size - 1]


def test_root_of_nothing_is_the_digest_of_nothing() -> None:
    assert merkle.root_of([]) == sha256(b"").digest() == merkle.EMPTY_ROOT


@given(rows)
def test_builder_agrees_with_the_naive_tree_at_every_size(
    given_rows: list[bytes],
) -> None:
    leaves = [merkle.leaf_of(row) for row in given_rows]
    builder = merkle.Builder()

    for size, leaf in enumerate(leaves, start=1):
        builder.add(leaf)
        assert builder.root() == naive_root(leaves[:size])
        assert builder.size == size


@given(rows.filter(bool), st.data())
def test_path_leads_to_the_root_and_nowhere_else(
    given_rows: list[bytes], data: st.DataObject
) -> None:
    leaves = [merkle.leaf_of(row) for row in given_rows]
    index = data.draw(st.integers(0, len(leaves) - 1))
    path = merkle.path_of(leaves, index)
    root = merkle.root_of(leaves)

    assert list(path) == naive_path(leaves, index)
    assert merkle.root_by_path(leaves[index], index, len(leaves), path) == root
    forged = merkle.leaf_of(b"another row")
    assert merkle.root_by_path(forged, index, len(leaves), path) != root


@given(rows.filter(bool), st.data())
def test_path_of_wrong_length_is_refused(
    given_rows: list[bytes], data: st.DataObject
) -> None:
    leaves = [merkle.leaf_of(row) for row in given_rows]
    index = data.draw(st.integers(0, len(leaves) - 1))
    path = merkle.path_of(leaves, index)

    with pytest.raises(merkle.PathError, match="too long"):
        merkle.root_by_path(leaves[index], index, len(leaves), (*path, bytes(32)))
    if path:
        with pytest.raises(merkle.PathError, match="too short"):
            merkle.root_by_path(leaves[index], index, len(leaves), path[:-1])


@pytest.mark.parametrize(("index", "size"), [(-1, 3), (3, 3), (0, 0)])
def test_place_outside_the_tree_is_refused(index: int, size: int) -> None:
    with pytest.raises(merkle.PathError):
        merkle.root_by_path(bytes(32), index, size, ())
    with pytest.raises(merkle.PathError):
        merkle.path_of([bytes(32)] * size, index)


def test_row_cannot_be_passed_off_as_a_node() -> None:
    left, right = merkle.leaf_of(b"a"), merkle.leaf_of(b"b")

    assert merkle.leaf_of(left + right) != merkle.root_of([left, right])


def test_builder_of_many_leaves_keeps_few_hashes() -> None:
    builder = merkle.Builder()

    for number in range(10_000):
        builder.add(merkle.leaf_of(b"%d" % number))

    assert len(builder._full) <= 14  # noqa: SLF001 -- its memory is what is told of it
