"""Seals: the texts to which the house puts its signature, line by line.

A batch has a receipt. A closed window has a row for each directed pair, with the root
over the pair's SDRs, a root over these rows, and a block that holds this root and the
hash of the block before it: whoever changes one SDR changes every block after it. All
texts are ASCII, fields and lines in fixed order, so that anybody can write them again.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime
from hashlib import sha256
from typing import NamedTuple
from uuid import UUID

from clearinghouse.domain.merkle import HASH_BYTES, leaf_of, root_of
from clearinghouse.domain.sdr_rows import utc_text

#: Begins every row of a pair and every signed text: another form gets another number.
VERSION = 1

#: What the first block of the chain names as the one before it.
NO_BLOCK = bytes(HASH_BYTES)

#: The fields of the row of a pair, apart by tabs. Amounts are minor units; the CSP is
#: the debtor, the submitter the creditor; the root is hexadecimal.
PAIR_FIELDS = (
    "row",
    "windowId",
    "currency",
    "cspId",
    "submitterId",
    "sdrCount",
    "energyWh",
    "netMinor",
    "root",
)


class PairSeal(NamedTuple):
    """One directed pair of a window and the root over its SDRs in their order."""

    window_id: int
    currency: str
    csp: str
    submitter: str
    sdr_count: int
    energy_wh: int
    net_minor: int
    root: bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class Block:
    """What the chain says of one window; ``previous`` is the hash of the block before.

    ``first_sdr_no`` and ``last_sdr_no`` are 0 in a window without SDRs. Of the label
    the text holds a digest only, and stays ASCII.
    """

    seq: int
    previous: bytes
    window_id: int
    label: str
    opened_at: datetime
    closed_at: datetime
    first_sdr_no: int
    last_sdr_no: int
    sdr_count: int
    pair_count: int
    root: bytes
    sealed_at: datetime
    key_id: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Receipt:
    """What a submitter is given for a batch: its figures and the root over its SDRs.

    ``digest`` is that of the message's body, ``root`` over all that was stored of it,
    accepted or held, in the order of the records.
    """

    batch_id: UUID
    batch_sequence: int
    submitter: str
    digest: bytes
    accepted: int
    held: int
    refused: int
    duplicates: int
    root: bytes
    received_at: datetime
    key_id: str


def pair_row(pair: PairSeal) -> str:
    """Return the row of a pair, the leaf of which enters the window's tree."""
    return (
        f"{VERSION}\t{pair.window_id}\t{pair.currency}\t{pair.csp}\t{pair.submitter}\t"
        f"{pair.sdr_count}\t{pair.energy_wh}\t{pair.net_minor}\t{pair.root.hex()}"
    )


def in_order(pairs: Iterable[PairSeal]) -> list[PairSeal]:
    """Return pairs as they stand in the window's tree: by currency, CSP, submitter."""
    return sorted(pairs, key=lambda pair: (pair.currency, pair.csp, pair.submitter))


def window_root(pairs: Iterable[PairSeal]) -> bytes:
    """Return the root over the pairs of a window, which come in order."""
    return root_of(leaf_of(pair_row(pair).encode()) for pair in pairs)


def block_text(block: Block) -> str:
    """Return the text of a block, as it is signed and hashed."""
    return _text(
        ("clearinghouse-block", VERSION),
        ("seq", block.seq),
        ("previous", block.previous.hex()),
        ("window", block.window_id),
        ("label", sha256(block.label.encode()).hexdigest()),
        ("opened", utc_text(block.opened_at)),
        ("closed", utc_text(block.closed_at)),
        ("first", block.first_sdr_no),
        ("last", block.last_sdr_no),
        ("sdrs", block.sdr_count),
        ("pairs", block.pair_count),
        ("root", block.root.hex()),
        ("sealed", utc_text(block.sealed_at)),
        ("key", block.key_id),
    )


def receipt_text(receipt: Receipt) -> str:
    """Return the text of a receipt, as it is signed."""
    return _text(
        ("clearinghouse-receipt", VERSION),
        ("batch", receipt.batch_id),
        ("sequence", receipt.batch_sequence),
        ("submitter", receipt.submitter),
        ("digest", receipt.digest.hex()),
        ("accepted", receipt.accepted),
        ("held", receipt.held),
        ("refused", receipt.refused),
        ("duplicates", receipt.duplicates),
        ("root", receipt.root.hex()),
        ("received", utc_text(receipt.received_at)),
        ("key", receipt.key_id),
    )


def text_hash(text: str) -> bytes:
    """Return the SHA-256 of a text: by it the next block names this one."""
    return sha256(text.encode()).digest()


def _text(*lines: tuple[str, object]) -> str:
    return "".join(_written(lines))


def _written(lines: Iterable[tuple[str, object]]) -> Iterator[str]:
    for name, value in lines:
        yield f"{name} {value}\n"
