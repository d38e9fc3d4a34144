"""Checking what the clearing house signs: receipts of batches, proofs of single SDRs.

Written from the page for partners alone, with a hash and a signature library, so that
whoever writes an endpoint in another language can take it over line by line.
"""

from __future__ import annotations

from hashlib import sha256

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.hashes import SHA256

from clearinghouse.endpoint.messages.sdr import SubmitSdrsResponse
from clearinghouse.endpoint.messages.settlement import GetProofResponse, TreePlace


def check_proof(answer: GetProofResponse, public_key: bytes | None = None) -> None:
    """Check the way from the row of an SDR to the signed block of its window.

    ``public_key`` in PEM: the operator's, as it was handed over. Raises
    :class:`ValueError` with the step that fails.
    """
    row, pair_row, block = answer.row, answer.pair_row, answer.block
    in_pair, in_window = answer.in_pair, answer.in_window
    if row is None or pair_row is None or block is None:
        raise ValueError("the proof is not whole")
    if in_pair is None or in_window is None or answer.signature is None:
        raise ValueError("the proof is not whole")
    if pair_row.split(b"\t")[-1].decode() != root_of(row, in_pair):
        raise ValueError("the row does not lead to the root of its pair")
    if f"root {root_of(pair_row, in_window)}" not in block.decode().splitlines():
        raise ValueError("the pair does not lead to the root of the window")
    check_signature(block, answer.signature, public_key, answer.public_key)


def check_receipt(answer: SubmitSdrsResponse, public_key: bytes) -> dict[str, str]:
    """Check the receipt of a batch and return what it says, by name.

    ``public_key`` in PEM: the operator's. Raises :class:`ValueError` when there is no
    receipt, it is not signed with that key, or speaks of another batch.
    """
    receipt = answer.receipt
    if receipt is None:
        raise ValueError("the answer has no receipt")
    check_signature(receipt.text.encode(), receipt.signature, public_key)
    said = dict(line.split(" ", 1) for line in receipt.text.splitlines())
    told = {
        "batch": str(answer.batch_id),
        "accepted": str(answer.accepted),
        "held": str(answer.held),
        "refused": str(answer.refused),
        "duplicates": str(answer.duplicates),
        "root": answer.batch_root,
    }
    wrong = [name for name, value in told.items() if said.get(name) != value]
    if wrong:
        raise ValueError(f"the receipt is of another batch: {', '.join(wrong)}")
    return said


def root_of(row: bytes, place: TreePlace) -> str:
    """Return the root, in hexadecimal, to which a row leads (RFC 6962, 2.1.1)."""
    joined = sha256(b"\x00" + row).digest()
    index, last = place.index, place.size - 1
    beside = [bytes.fromhex(one) for one in reversed(place.hash)]
    while last > 0 and beside:
        if index & 1:
            joined = sha256(b"\x01" + beside.pop() + joined).digest()
        elif index < last:
            joined = sha256(b"\x01" + joined + beside.pop()).digest()
        index, last = index >> 1, last >> 1
    if last > 0 or beside:
        raise ValueError("the path does not fit its place in the tree")
    return joined.hex()


def check_signature(
    signed: bytes,
    signature: bytes,
    trusted: bytes | None,
    named: bytes | None = None,
) -> None:
    """Check a signature under the trusted key (PEM), or else the named one (DER).

    Raises :class:`ValueError` when there is no key or the signature is none of it.
    """
    if trusted is not None:
        key = serialization.load_pem_public_key(trusted)
    elif named is not None:
        key = serialization.load_der_public_key(named)
    else:
        raise ValueError("there is no public key to check with")
    if not isinstance(key, ec.EllipticCurvePublicKey):
        raise ValueError("the key is none of ECDSA")  # noqa: TRY004 -- a wrong file
    try:
        key.verify(signature, signed, ec.ECDSA(SHA256()))
    except InvalidSignature as error:
        raise ValueError("the signature is not the clearing house's") from error
