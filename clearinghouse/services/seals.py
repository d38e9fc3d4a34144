"""Sealing closed windows: a root over all that counts, in a signed block (2.10).

Done after the close and off the hot path, by a chore of the worker or by hand. Each
window is one transaction: killed anywhere, the next run begins it again. Every leaf is
made anew from its row, so that a row that was changed since intake is found and named.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from sqlalchemy import Connection

from clearinghouse import codes
from clearinghouse.domain import seals as rules
from clearinghouse.domain.errors import ClearingHouseError, Item
from clearinghouse.domain.merkle import Builder
from clearinghouse.domain.seals import Block, PairSeal
from clearinghouse.services.environment import Environment
from clearinghouse.storage import audit, participants, seals, settlement, signing
from clearinghouse.storage.audit import AuditEntry
from clearinghouse.storage.seals import ClosedWindow, Leaf, SealedBlock
from clearinghouse.storage.signing import PublicKey
from clearinghouse.telemetry import logging

#: SDRs that an error names; the first show the pattern.
CHANGED_MAX = 100

_log = logging.logger(__name__)


class _Pair:
    """Adds up one pair while its leaves pass."""

    __slots__ = ("energy_wh", "net_minor", "tree")

    def __init__(self) -> None:
        self.tree = Builder()
        self.energy_wh = 0
        self.net_minor = 0


@dataclass(slots=True)
class _Reading:
    """What came of reading all leaves of a window."""

    pairs: dict[tuple[str, str, str], _Pair]
    changed: list[str]
    first: int = 0
    last: int = 0
    count: int = 0


def seal_pending(env: Environment) -> int:
    """Seal every closed window that is not sealed, oldest first; return how many.

    Raises :class:`ClearingHouseError`: ``SEAL_BROKEN`` when an SDR is not what its
    intake committed to, or the SDRs do not add up to what the closing proved. Such a
    window, and those after it, stay unsealed until the cause is found.
    """
    sealed = 0
    while _seal_next(env) is not None:
        sealed += 1
    return sealed


def blocks(env: Environment) -> tuple[list[SealedBlock], list[str]]:
    """Return the chain and what is wrong with it; nothing wrong proves it."""
    with env.database.begin_read_only("closing") as tx:
        chain = seals.blocks_up_to(tx, seals.BLOCKS_MAX)
        keys = {one.key_id: one for one in signing.known_keys(tx)}
    return chain, _broken(chain, keys)


def keys(env: Environment) -> list[PublicKey]:
    """Return the public keys of the house, the one in use last; it is made if need be.

    Raises :class:`ClearingHouseError` (``CH.UNAVAILABLE``) for a key file that cannot
    be used.
    """
    with env.database.begin() as tx:
        signing.note_key(tx, env.signer.key(), at=env.clock.now())
        return signing.known_keys(tx)


def rotate_key(env: Environment) -> PublicKey:
    """Replace the signing key; what was signed stays true under the old public key.

    Raises as :func:`keys` does.
    """
    with env.database.begin() as tx:
        old = env.signer.key()
        signing.note_key(tx, old, at=env.clock.now())
    key = env.signer.rotate()
    now = env.clock.now()
    with env.database.begin() as tx:
        signing.note_key(tx, key, at=now)
        audit.record(
            tx,
            AuditEntry(
                at=now,
                actor="operator",
                action="key_rotate",
                object=f"key {old.key_id}",
                outcome=f"key {key.key_id}",
            ),
        )
    return PublicKey(key_id=key.key_id, public_key=key.public_key, valid_from=now)


def _seal_next(env: Environment) -> SealedBlock | None:
    with env.database.begin("closing") as tx:
        seals.lock_sealing(tx)
        window = seals.window_to_seal(tx)
        if window is None:
            return None
        parties = participants.party_ids(tx)
        reading = _read(seals.leaves_of(tx, window.window_id), parties)
        if reading.changed:
            raise _changed(window, reading.changed)
        pairs = _pairs(window.window_id, reading)
        _require_booked(tx, window, pairs)
        ids = {party: number for number, party in parties.items()}
        rows = [(pair, rules.pair_row(pair)) for pair in pairs]
        seals.insert_pairs(tx, rows, ids)
        block = _block(env, tx, window, reading, rules.window_root(pairs))
    _log.info("window_sealed", window=window.label, seq=block.seq)
    return block


def _read(leaves: Iterable[Leaf], parties: dict[int, str]) -> _Reading:
    reading = _Reading({}, [])
    pairs: dict[bytes, _Pair] = {}
    number = 0
    for one in leaves:
        key, energy_wh, net_minor, number, leaf, is_known, of_intake = one
        pair = pairs.get(key)
        if pair is None:
            pair = pairs[key] = _Pair()
            csp_id, submitter_id, currency = seals.pair_of(one)
            reading.pairs[currency, parties[csp_id], parties[submitter_id]] = pair
            reading.first = reading.first or number
        pair.tree.add(leaf)
        pair.energy_wh += energy_wh
        pair.net_minor += net_minor
        if is_known and of_intake != leaf and len(reading.changed) < CHANGED_MAX:
            reading.changed.append(str(number))
    reading.last = number
    reading.count = sum(pair.tree.size for pair in pairs.values())
    return reading


def _pairs(window_id: int, reading: _Reading) -> list[PairSeal]:
    return rules.in_order(
        PairSeal(
            window_id=window_id,
            currency=currency,
            csp=csp,
            submitter=submitter,
            sdr_count=pair.tree.size,
            energy_wh=pair.energy_wh,
            net_minor=pair.net_minor,
            root=pair.tree.root(),
        )
        for (currency, csp, submitter), pair in reading.pairs.items()
    )


def _require_booked(
    tx: Connection, window: ClosedWindow, pairs: list[PairSeal]
) -> None:
    """Refuse to seal what is not what the closing proved: the claim of the batches."""
    ids = participants.party_ids(tx)
    claimed: dict[tuple[str, str, str], tuple[int, int, int]] = {}
    for claim in settlement.claim_of(tx, window.window_id):
        key = (claim.currency, ids[claim.debtor_id], ids[claim.creditor_id])
        count, energy_wh, net_minor = claimed.get(key, (0, 0, 0))
        claimed[key] = (
            count + claim.sdr_count,
            energy_wh + claim.energy_wh,
            net_minor + claim.net_minor,
        )
    found = {
        (one.currency, one.csp, one.submitter): (
            one.sdr_count,
            one.energy_wh,
            one.net_minor,
        )
        for one in pairs
    }
    if claimed != found:
        places = sorted(
            " ".join(key)
            for key in claimed.keys() | found.keys()
            if claimed.get(key) != found.get(key)
        )
        detail = f"window {window.label}: {'; '.join(places[:CHANGED_MAX])}"
        raise ClearingHouseError(codes.SEAL_BROKEN, detail)


def _block(
    env: Environment,
    tx: Connection,
    window: ClosedWindow,
    reading: _Reading,
    root: bytes,
) -> SealedBlock:
    before = seals.last_block(tx)
    key, now = env.signer.key(), env.clock.now()
    seq = 1 if before is None else before.seq + 1
    previous = rules.NO_BLOCK if before is None else before.hash
    text = rules.block_text(
        Block(
            seq=seq,
            previous=previous,
            window_id=window.window_id,
            label=window.label,
            opened_at=window.opened_at,
            closed_at=window.closed_at,
            first_sdr_no=reading.first,
            last_sdr_no=reading.last,
            sdr_count=reading.count,
            pair_count=len(reading.pairs),
            root=root,
            sealed_at=now,
            key_id=key.key_id,
        )
    )
    signing.note_key(tx, key, at=now)
    block = SealedBlock(
        seq=seq,
        window_id=window.window_id,
        label=window.label,
        previous=previous,
        root=root,
        hash=rules.text_hash(text),
        signed_text=text,
        key_id=key.key_id,
        signature=key.sign(text.encode()),
        sealed_at=now,
    )
    seals.insert_block(tx, block)
    return block


def _broken(chain: list[SealedBlock], keys: dict[str, PublicKey]) -> list[str]:
    broken: list[str] = []
    previous = rules.NO_BLOCK
    for seq, block in enumerate(chain, start=1):
        named = f"block {block.seq}"
        if block.seq != seq or block.previous != previous:
            broken.append(f"{named} does not follow the one before it")
        if rules.text_hash(block.signed_text) != block.hash:
            broken.append(f"{named} is not the text that it was")
        if not _says(block):
            broken.append(f"{named} says other things than its columns")
        key = keys.get(block.key_id)
        signed = block.signed_text.encode()
        if key is None or not signing.is_signed(
            key.public_key, signed, block.signature
        ):
            broken.append(f"{named} is not signed by a key of the house")
        previous = block.hash
    return broken


def _says(block: SealedBlock) -> bool:
    said = dict(line.split(" ", 1) for line in block.signed_text.splitlines())
    return (
        said.get("seq") == str(block.seq)
        and said.get("previous") == block.previous.hex()
        and said.get("window") == str(block.window_id)
        and said.get("root") == block.root.hex()
        and said.get("key") == block.key_id
    )


def _changed(window: ClosedWindow, numbers: list[str]) -> ClearingHouseError:
    items = tuple(
        Item(code=codes.SEAL_BROKEN, index=index, path=f"sdr {number}")
        for index, number in enumerate(numbers)
    )
    detail = f"window {window.label}: SDRs {', '.join(numbers)} were changed"
    return ClearingHouseError(codes.SEAL_BROKEN, detail, items)
