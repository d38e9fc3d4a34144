"""GetProof: that an SDR of the asker is in a sealed window (4.3-I3, settlement)."""

from __future__ import annotations

from sqlalchemy import Connection

from clearinghouse import codes
from clearinghouse.domain import proofs as rules
from clearinghouse.domain.errors import ClearingHouseError
from clearinghouse.domain.exchange import Sender
from clearinghouse.domain.merkle import leaf_of
from clearinghouse.domain.proofs import InclusionProof
from clearinghouse.domain.sdrs import uid_hash
from clearinghouse.services.environment import Environment
from clearinghouse.storage import participants, proofs, seals, signing
from clearinghouse.storage.proofs import Found
from clearinghouse.storage.seals import SealedBlock


def get_proof(
    env: Environment, sender: Sender, sdr_id: str, *, submitter_party: str | None
) -> InclusionProof:
    """Return the proof for an SDR that the sender submitted or is to pay.

    Without ``submitter_party`` it is the sender's own. Raises
    :class:`ClearingHouseError`: ``SDR_UNKNOWN`` for one that is not the sender's,
    ``PROOF_NONE`` for one that counts nowhere, ``PROOF_PENDING`` (retryable) until its
    window is closed and sealed, ``SEAL_BROKEN`` when it does not lead to the seal.
    """
    with env.database.begin_read_only("bulk") as tx:
        found = _found(tx, sender, sdr_id, submitter_party)
        block = seals.block_of(tx, found.window_id)
        if block is None:
            raise ClearingHouseError(codes.PROOF_PENDING, found.label)
        proof = _proof(tx, found, block)
    broken = rules.violations(proof)
    if broken:
        raise ClearingHouseError(codes.SEAL_BROKEN, "; ".join(broken))
    return proof


def _found(
    tx: Connection, sender: Sender, sdr_id: str, submitter_party: str | None
) -> Found:
    submitter_id = sender.participant_id
    if submitter_party not in (None, sender.party_id):
        parties = {party: one for one, party in participants.party_ids(tx).items()}
        submitter_id = parties.get(submitter_party or "", 0)
    found = proofs.find_sdr(
        tx,
        submitter_id=submitter_id,
        uid_hash=uid_hash(sdr_id),
        asker_id=sender.participant_id,
    )
    if found is None:
        raise ClearingHouseError(codes.SDR_UNKNOWN, sdr_id)
    if not found.counts:
        raise ClearingHouseError(codes.PROOF_NONE, sdr_id)
    return found


def _proof(tx: Connection, found: Found, block: SealedBlock) -> InclusionProof:
    leaves, index = proofs.leaves_of_pair(tx, found)
    lines = seals.pair_lines(tx, found.window_id)
    parties = participants.party_ids(tx)
    pair = [found.currency, parties[found.csp_id], parties[found.submitter_id]]
    place = next(n for n, line in enumerate(lines) if line.split("\t")[2:5] == pair)
    keys = {one.key_id: one.public_key for one in signing.known_keys(tx)}
    return InclusionProof(
        window_id=found.window_id,
        window_label=found.label,
        row=found.line,
        in_pair=rules.place_of(leaves, index),
        pair_row=lines[place],
        in_window=rules.place_of([leaf_of(line.encode()) for line in lines], place),
        block=block.signed_text,
        key_id=block.key_id,
        signature=block.signature,
        public_key=keys[block.key_id],
    )
