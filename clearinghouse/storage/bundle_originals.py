"""What credits of a window take back of earlier ones, each with its proof of inclusion.

The path leads from the SDR's row to the root of its pair, and from there to the root of
its window, which a block of the chain holds: a credit can be held against an original
whose window is not in the bundle.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import groupby

from sqlalchemy import Connection, text

from clearinghouse.domain.merkle import leaf_of, path_of
from clearinghouse.storage import proofs, seals
from clearinghouse.storage.bundle_files import BundleFile

_ORIGINALS = text("""
    SELECT o.window_id, o.sdr_no, o.currency, o.csp_id, o.submitter_id,
           csp.party_id AS csp, submitter.party_id AS submitter,
           clearing.sdr_row(o, submitter.party_id, csp.party_id, cso.party_id) AS line
    FROM (
        SELECT DISTINCT s.ref_window_id AS window_id, s.ref_sdr_no AS sdr_no
        FROM clearing.sdr AS s
        WHERE s.window_id = :window_id AND s.kind = 'CREDIT'
          AND s.ref_window_id <> s.window_id
    ) AS wanted
    JOIN clearing.sdr AS o USING (window_id, sdr_no)
    JOIN clearing.participant AS submitter ON submitter.participant_id = o.submitter_id
    JOIN clearing.participant AS csp ON csp.participant_id = o.csp_id
    JOIN clearing.participant AS cso ON cso.participant_id = o.cso_id
    ORDER BY o.window_id, o.currency, csp.party_id COLLATE "C",
             submitter.party_id COLLATE "C", o.sdr_no
""")

FILE = BundleFile(
    name="originals.tsv",
    fields=(
        "windowId",
        "sdrNo",
        "row",
        "pairIndex",
        "pairSize",
        "pairPath",
        "pairRow",
        "windowIndex",
        "windowSize",
        "windowPath",
    ),
    query=None,
)


def lines_of(tx: Connection, window_id: int) -> Iterator[str]:
    """Give a line for each SDR of an earlier window that a credit takes back.

    Paths are hashes in hexadecimal, by commas; rows are escaped as COPY escapes texts.
    """
    rows = tx.execute(_ORIGINALS, {"window_id": window_id}).all()
    pairs = groupby(
        rows, key=lambda row: (row.window_id, row.currency, row.csp, row.submitter)
    )
    for (ref_window_id, *pair), found in pairs:
        lines = seals.pair_lines(tx, ref_window_id)
        leaves = [leaf_of(line.encode()) for line in lines]
        place = next(n for n, one in enumerate(lines) if one.split("\t")[2:5] == pair)
        in_window = path_of(leaves, place)
        of_pair: dict[int, bytes] = {}
        for row in found:
            of_pair = of_pair or proofs.leaves_by_number(tx, row)
            numbers, hashes = list(of_pair), list(of_pair.values())
            index = numbers.index(row.sdr_no)
            yield "\t".join(
                (
                    str(ref_window_id),
                    str(row.sdr_no),
                    _escaped(row.line),
                    str(index),
                    str(len(hashes)),
                    _joined(path_of(hashes, index)),
                    _escaped(lines[place]),
                    str(place),
                    str(len(leaves)),
                    _joined(in_window),
                )
            )


def _joined(path: Sequence[bytes]) -> str:
    return ",".join(one.hex() for one in path)


def _escaped(line: str) -> str:
    return line.replace("\\", "\\\\").replace("\t", "\\t")
