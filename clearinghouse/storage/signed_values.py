"""Signed meter values as business knows them: where they stand, their digests, keys.

The text itself is sealed (:mod:`clearinghouse.storage.sealed_texts`); here is the
SHA-256 of what was sent, which stays when the person is forgotten.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from typing import NamedTuple
from uuid import UUID

from sqlalchemy import Connection, text

from clearinghouse.domain.meters import Encoding, SignedFormat
from clearinghouse.domain.signed_transactions import Standing
from clearinghouse.storage.database import Database
from clearinghouse.storage.sdrs import Place
from clearinghouse.storage.tables.sdrs import signed_value

_OF = text("""
    SELECT v.window_id, v.sdr_no, v.session_no, v.transaction_no, v.value_no, v.text_id,
           v.format, v.encoding, v.characters, v.digest, v.standing, v.sent_key,
           v.used_key
    FROM unnest(CAST(:windows AS integer[]), CAST(:numbers AS bigint[]))
         AS q (window_id, sdr_no)
    JOIN clearing.signed_value AS v USING (window_id, sdr_no)
    ORDER BY v.window_id, v.sdr_no, v.session_no, v.transaction_no, v.value_no
""")


class SignedRow(NamedTuple):
    """One signed value of a stored SDR; the three places count from zero.

    ``characters`` and ``digest`` are those of the text as it was sent. ``used_key``:
    the key that its signature was checked with.
    """

    window_id: int
    sdr_no: int
    session_no: int
    transaction_no: int
    value_no: int
    text_id: UUID
    format: SignedFormat
    encoding: Encoding
    characters: int
    digest: bytes
    standing: Standing
    sent_key: str | None
    used_key: str | None


SignedOf = Mapping[Place, tuple[SignedRow, ...]]


def copy_signed(tx: Connection, rows: Iterable[SignedRow]) -> None:
    """Note signed values of SDRs that are stored in the same transaction."""
    Database.copy(tx, signed_value, SignedRow._fields, rows)


def signed_of(tx: Connection, places: Collection[Place]) -> SignedOf:
    """Return the signed values of SDRs in order; SDRs without any are left out."""
    if not places:
        return {}
    numbers = {
        "windows": [place.window_id for place in places],
        "numbers": [place.sdr_no for place in places],
    }
    found: dict[Place, tuple[SignedRow, ...]] = {}
    for row in tx.execute(_OF, numbers):
        signed = SignedRow(*row)._replace(
            format=SignedFormat(row.format),
            encoding=Encoding(row.encoding),
            standing=Standing(row.standing),
        )
        place = Place(row.window_id, row.sdr_no)
        found[place] = (*found.get(place, ()), signed)
    return found
