"""Signed meter values: to the vault as they came, and back out the same (clause 8).

What was sent is kept to the byte. Its text may name the EV user, so business notes the
digest and where it stands, and the vault keeps the text under that person's key.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime
from itertools import islice
from uuid import uuid4

from sqlalchemy import Connection

from clearinghouse.domain.meters import SignedMeterValue, digest_of
from clearinghouse.domain.sdr_facts import Judgement
from clearinghouse.domain.sdrs import ServiceDetailRecord
from clearinghouse.services.environment import Environment
from clearinghouse.services.sdr_candidates import Candidate, personal
from clearinghouse.storage import sealed_texts, signed_values
from clearinghouse.storage.sdrs import Place
from clearinghouse.storage.sealed_texts import ClearText
from clearinghouse.storage.signed_values import SignedOf, SignedRow

#: Texts that are sealed at once. The longest of them make twelve megabytes.
SEALED_AT_ONCE_MAX = 500


class Signed:
    """The signed values of a chunk of records, on their way to where they are kept."""

    def __init__(self) -> None:
        self._rows: list[SignedRow] = []
        self._texts: list[ClearText] = []

    def add(self, candidate: Candidate, found: Judgement, place: Place) -> None:
        """Add those of a record that is stored."""
        evidence = iter(found.evidence)
        sent = next(iter(personal(candidate.record)), None)
        for session_no, session in enumerate(candidate.record.charging_sessions):
            for transaction_no, transaction in enumerate(session.transactions):
                if not transaction.signed_values:
                    continue
                checked = next(evidence)
                for value_no, value in enumerate(transaction.signed_values):
                    row = SignedRow(
                        *place,
                        session_no,
                        transaction_no,
                        value_no,
                        uuid4(),
                        value.format,
                        value.encoding,
                        len(value.data),
                        digest_of(value.data),
                        checked.standings[value_no],
                        value.public_key,
                        checked.keys[value_no],
                    )
                    self._rows.append(row)
                    self._texts.append(
                        ClearText(
                            text_id=row.text_id,
                            subject_id=candidate.subject_id,
                            sent=sent,
                            text=value.data,
                        )
                    )

    def write(self, env: Environment, tx: Connection, *, at: datetime) -> None:
        """Keep all of them, in the transaction of their records."""
        if not self._rows:
            return
        texts = iter(self._texts)
        while part := list(islice(texts, SEALED_AT_ONCE_MAX)):
            sealed_texts.keep(tx, env.vault.seal_texts(part), at=at)
        signed_values.copy_signed(tx, self._rows)


def revealed(
    env: Environment, signed: SignedOf
) -> dict[Place, tuple[tuple[SignedRow, SignedMeterValue], ...]]:
    """Return signed values as they were sent; those of forgotten persons are gone."""
    ids = [row.text_id for rows in signed.values() for row in rows]
    texts = env.vault.reveal_texts(ids) if ids else {}
    return {
        place: tuple(
            (row, _value(row, texts[row.text_id]))
            for row in rows
            if row.text_id in texts
        )
        for place, rows in signed.items()
    }


def put_back(
    record: ServiceDetailRecord, found: Iterable[tuple[SignedRow, SignedMeterValue]]
) -> None:
    """Put signed values where they stood in a record that was read from storage."""
    for row, value in found:
        session = record.charging_sessions[row.session_no]
        transaction = session.transactions[row.transaction_no]
        transaction.signed_values = (*transaction.signed_values, value)


def lengths(signed: Sequence[SignedRow]) -> Iterator[int]:
    """Give the characters of each value and its key."""
    for row in signed:
        yield row.characters + len(row.sent_key or "")


def _value(row: SignedRow, data: str) -> SignedMeterValue:
    return SignedMeterValue(
        format=row.format, encoding=row.encoding, data=data, public_key=row.sent_key
    )
