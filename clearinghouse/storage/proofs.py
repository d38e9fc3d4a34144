"""What a proof of one SDR is made from: its row, and the leaves of its pair."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

from sqlalchemy import Connection, text

# A held SDR that was taken in counts where it was written anew.
_FIND = text("""
    SELECT s.window_id, w.label, s.sdr_no, s.csp_id, s.submitter_id, s.currency,
           s.status = 'ACCEPTED' AND NOT EXISTS (
               SELECT FROM clearing.sdr_exclusion AS e
               WHERE e.window_id = s.window_id AND e.sdr_no = s.sdr_no) AS counts,
           clearing.sdr_row(s, submitter.party_id, csp.party_id, cso.party_id) AS line
    FROM clearing.sdr_key AS k
    LEFT JOIN clearing.sdr_exclusion AS anew
        ON anew.window_id = k.window_id AND anew.sdr_no = k.sdr_no
       AND anew.successor_sdr_no IS NOT NULL
    JOIN clearing.sdr AS s
        ON s.window_id = coalesce(anew.successor_window_id, k.window_id)
       AND s.sdr_no = coalesce(anew.successor_sdr_no, k.sdr_no)
    JOIN clearing.settlement_window AS w ON w.window_id = s.window_id
    JOIN clearing.participant AS submitter ON submitter.participant_id = s.submitter_id
    JOIN clearing.participant AS csp ON csp.participant_id = s.csp_id
    JOIN clearing.participant AS cso ON cso.participant_id = s.cso_id
    WHERE k.submitter_id = :submitter_id AND k.uid_hash = :uid_hash
      AND (s.submitter_id = :asker_id OR s.csp_id = :asker_id)
""")

_LEAVES = text("""
    SELECT s.sdr_no, coalesce(s.leaf, clearing.leaf(clearing.sdr_row(
               s, submitter.party_id, csp.party_id, cso.party_id))) AS leaf
    FROM clearing.sdr AS s
    JOIN clearing.participant AS submitter ON submitter.participant_id = s.submitter_id
    JOIN clearing.participant AS csp ON csp.participant_id = s.csp_id
    JOIN clearing.participant AS cso ON cso.participant_id = s.cso_id
    WHERE s.window_id = :window_id AND s.csp_id = :csp_id
      AND s.submitter_id = :submitter_id AND s.currency = :currency
      AND s.status = 'ACCEPTED' AND NOT EXISTS (
          SELECT FROM clearing.sdr_exclusion AS e
          WHERE e.window_id = s.window_id AND e.sdr_no = s.sdr_no)
    ORDER BY s.sdr_no
""")


class PairPlace(Protocol):
    """What names a directed pair in a window; a row of a query has it."""

    @property
    def window_id(self) -> int: ...  # noqa: D102 -- as in the table
    @property
    def csp_id(self) -> int: ...  # noqa: D102 -- as in the table
    @property
    def submitter_id(self) -> int: ...  # noqa: D102 -- as in the table
    @property
    def currency(self) -> str: ...  # noqa: D102 -- as in the table


@dataclass(frozen=True, slots=True, kw_only=True)
class Found:
    """An SDR of the asker; ``counts``: it is under the root of its window."""

    window_id: int
    label: str
    sdr_no: int
    csp_id: int
    submitter_id: int
    currency: str
    counts: bool
    line: str


def find_sdr(
    tx: Connection, *, submitter_id: int, uid_hash: bytes, asker_id: int
) -> Found | None:
    """Return an SDR that the asker submitted or is to pay, ``None`` for others."""
    place = {
        "submitter_id": submitter_id,
        "uid_hash": uid_hash,
        "asker_id": asker_id,
    }
    row = tx.execute(_FIND, place).one_or_none()
    return None if row is None else Found(**row._mapping)  # noqa: SLF001


def leaves_of_pair(tx: Connection, found: Found) -> tuple[list[bytes], int]:
    """Return the leaves of an SDR's pair in order, and the place of the SDR in it."""
    leaves = leaves_by_number(tx, found)
    return list(leaves.values()), list(leaves).index(found.sdr_no)


def leaves_by_number(tx: Connection, of: PairPlace) -> dict[int, bytes]:
    """Return the leaves of a pair in a window by the number of the SDR, in order."""
    place = {
        "window_id": of.window_id,
        "csp_id": of.csp_id,
        "submitter_id": of.submitter_id,
        "currency": of.currency,
    }
    return {row.sdr_no: row.leaf for row in tx.execute(_LEAVES, place)}
