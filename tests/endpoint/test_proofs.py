"""The partner's side of a proof: checked by its own code, step by step."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from clearinghouse.domain import merkle
from clearinghouse.endpoint import proofs
from clearinghouse.endpoint.messages.common import Result
from clearinghouse.endpoint.messages.settlement import GetProofResponse, TreePlace
from clearinghouse.storage.signing import PublicKey, Signer
from tests.builders import NOW

if TYPE_CHECKING:
    from clearinghouse.storage.signing import SigningKey

_RESULT = Result(code=0, text="Done.", retryable=False, correlation_id=None)  # type: ignore[arg-type]  # no message here
_OTHERS = [merkle.leaf_of(b"%d" % n) for n in range(4)]


def _proof(key: SigningKey) -> GetProofResponse:
    row = b"1\t7\t..."
    leaves = [*_OTHERS, merkle.leaf_of(row)]
    pair_row = f"1\t7\tEUR\t{merkle.root_of(leaves).hex()}".encode()
    block = f"seq 1\nroot {merkle.leaf_of(pair_row).hex()}\n".encode()
    path = tuple(one.hex() for one in merkle.path_of(leaves, 4))
    return GetProofResponse(
        result=_RESULT,
        row=row,
        in_pair=TreePlace(index=4, size=5, hash=path),
        pair_row=pair_row,
        in_window=TreePlace(index=0, size=1),
        block=block,
        key_id=key.key_id,
        signature=key.sign(block),
        public_key=key.public_key,
    )


def _pem(key: SigningKey) -> bytes:
    kept = PublicKey(key_id=key.key_id, public_key=key.public_key, valid_from=NOW)
    return kept.pem.encode()


def test_true_proof_leads_to_the_signed_block() -> None:
    key = Signer().key()

    proofs.check_proof(_proof(key))
    proofs.check_proof(_proof(key), _pem(key))


def test_each_broken_step_is_told() -> None:
    key, other = Signer().key(), Signer().key()
    true = _proof(key)
    assert true.in_pair is not None
    cases = {
        "root of its pair": replace(true, row=b"1\t8\t..."),
        "root of the window": replace(true, block=b"seq 1\nroot 00\n"),
        "not the clearing house's": replace(true, signature=other.sign(b"x")),
        "does not fit": replace(true, in_pair=replace(true.in_pair, size=900)),
        "not whole": replace(true, pair_row=None),
        "no public key": replace(true, public_key=None),
    }

    for why, forged in cases.items():
        with pytest.raises(ValueError, match=why):
            proofs.check_proof(forged)
    with pytest.raises(ValueError, match="not the clearing house's"):
        proofs.check_proof(true, _pem(other))


@given(st.integers(1, 40), st.data())
def test_partner_and_house_climb_the_same_tree(size: int, data: st.DataObject) -> None:
    rows = [b"row %d" % n for n in range(size)]
    leaves = [merkle.leaf_of(row) for row in rows]
    index = data.draw(st.integers(0, size - 1))
    path = tuple(one.hex() for one in merkle.path_of(leaves, index))

    root = proofs.root_of(rows[index], TreePlace(index=index, size=size, hash=path))

    assert root == merkle.root_of(leaves).hex()
