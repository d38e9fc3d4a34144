"""SDRs of earlier windows that credits take back: each is proved to be in its window.

The path of an original leads to the root of its pair, the pair's row to the root that a
block of the chain holds. The chain's signatures are checked elsewhere.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from hashlib import sha256

import duckdb

from clearinghouse.verify.report import Report

_NAME = "originals.tsv"

#: Fields of a row that name its window, its currency, its CSP and its submitter, and of
#: the row of a pair the same.
_OF_SDR = (1, 22, 5, 3)
_OF_PAIR = (1, 2, 3, 4)
_PAIR_FIELDS = 9

_BLOCKS = "SELECT window_id, text FROM chain ORDER BY line_no"
_ORIGINALS = """
    SELECT line_no, window_id, sdr_no, row_text, pair_index, pair_size, pair_path,
           pair_row, window_index, window_size, window_path
    FROM original ORDER BY line_no
"""


def said_by_window(db: duckdb.DuckDBPyConnection) -> dict[str, str]:
    """Return the roots that the chain holds, by the number of the window."""
    roots = {}
    for window_id, text in db.execute(_BLOCKS).fetchall():
        said = dict(line.partition(" ")[::2] for line in text.splitlines())
        roots[str(window_id)] = said.get("root", "")
    return roots


def check_originals(
    db: duckdb.DuckDBPyConnection, roots: Mapping[str, str], report: Report
) -> None:
    """Report each original that is not under the root of its window."""
    found = db.execute(_ORIGINALS)
    while rows := found.fetchmany(1_000):
        for line, window_id, sdr_no, row, *proof in rows:
            index, size, path, pair_row, place, pairs, window_path = proof
            fields, pair = row.split("\t"), pair_row.split("\t")
            named = [str(window_id), str(sdr_no)]
            if len(fields) <= max(_OF_SDR) or fields[1:3] != named:
                report.add(_NAME, line, "row", " ".join(named), " ".join(fields[1:3]))
                continue
            sides = [fields[n] for n in _OF_SDR]
            if len(pair) != _PAIR_FIELDS or [pair[n] for n in _OF_PAIR] != sides:
                report.add(_NAME, line, "pairRow", " ".join(sides), " ".join(pair))
                continue
            root = _root(row, index, size, path)
            if root != pair[-1]:
                report.add(_NAME, line, f"pairPath of {fields[4]}", pair[-1], root)
            root = _root(pair_row, place, pairs, window_path)
            known = roots.get(str(window_id))
            if root != known:
                report.add(_NAME, line, f"windowPath of {fields[4]}", known, root)


def _root(row: str, index: int | None, size: int | None, path: str) -> str:
    """Return the root to which a path leads; a word for a path that leads nowhere."""
    try:
        hashes = [bytes.fromhex(one) for one in path.split(",") if one]
    except ValueError:
        return "no path"
    if index is None or size is None or not 0 <= index < size:
        return "no place"
    return _climbed(row, index, size, hashes)


def _climbed(row: str, index: int, size: int, hashes: Sequence[bytes]) -> str:
    joined, last, rest = sha256(b"\0" + row.encode()).digest(), size - 1, list(hashes)
    while last:
        if index & 1 or index < last:
            if not rest:
                return "a path that is too short"
            beside = rest.pop(0)
            both = beside + joined if index & 1 else joined + beside
            joined = sha256(b"\1" + both).digest()
        index, last = index >> 1, last >> 1
    return "a path that is too long" if rest else joined.hex()
