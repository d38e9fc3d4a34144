"""The signed receipt of a batch: what the house was given, and the root over it."""

from __future__ import annotations

from dataclasses import dataclass
from uuid import UUID

from sqlalchemy import Connection

from clearinghouse.domain import seals
from clearinghouse.domain.exchange import Exchange
from clearinghouse.domain.seals import Receipt
from clearinghouse.services.environment import Environment
from clearinghouse.storage import signing


@dataclass(frozen=True, slots=True, kw_only=True)
class SignedReceipt:
    """A receipt as its submitter keeps it; ``signature`` in DER is over ``text``."""

    root: bytes
    text: str
    key_id: str
    signature: bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class Taken:
    """A batch that was taken: its numbers, and the root over what is stored of it."""

    batch_id: UUID
    batch_sequence: int
    accepted: int
    held: int
    refused: int
    duplicates: int
    root: bytes


def receipt_of(
    env: Environment, tx: Connection, exchange: Exchange, taken: Taken
) -> SignedReceipt:
    """Return the signed receipt of a batch.

    Raises :class:`ClearingHouseError` (``CH.UNAVAILABLE``) when the key of the house
    cannot be used: no batch is acknowledged without a receipt.
    """
    key, at = env.signer.key(), exchange.received_at
    signing.note_key(tx, key, at=at)
    text = seals.receipt_text(
        Receipt(
            batch_id=taken.batch_id,
            batch_sequence=taken.batch_sequence,
            submitter=exchange.sender.party_id,
            digest=exchange.digest,
            accepted=taken.accepted,
            held=taken.held,
            refused=taken.refused,
            duplicates=taken.duplicates,
            root=taken.root,
            received_at=at,
            key_id=key.key_id,
        )
    )
    return SignedReceipt(
        root=taken.root,
        text=text,
        key_id=key.key_id,
        signature=key.sign(text.encode()),
    )
