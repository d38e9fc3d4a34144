"""Documents in a participant's hands: each statement and invoice is the bundle's.

The bundle holds the digests of what was issued, not the documents: they are the
participants' own.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from hashlib import file_digest
from pathlib import Path

import duckdb

from clearinghouse.verify.files import open_plain
from clearinghouse.verify.report import BundleError, Report

#: Bytes of one document: its bytes alone are compared, it is never read as XML.
DOCUMENT_BYTES_MAX = 16 << 30

_KNOWN = """
    SELECT 'statement ' || statement_id || ' of ' || party_id || ' in ' || currency
    FROM statement WHERE ? IN (xml_digest, csv_digest)
    UNION ALL
    SELECT 'document ' || number || ' as ' || format FROM rendering WHERE digest = ?
"""


def check_documents(
    db: duckdb.DuckDBPyConnection,
    documents: Sequence[Path],
    report: Report,
    progress: Callable[[str], None],
) -> None:
    """Report each file whose SHA-256 is not one of the bundle's.

    Raises :class:`BundleError` for a file that cannot be read.
    """
    for path in documents:
        try:
            with open_plain(path, DOCUMENT_BYTES_MAX) as file:
                digest = file_digest(file, "sha256").hexdigest()
        except OSError as error:
            raise BundleError(f"{path} cannot be read: {error.strerror}") from error
        known = db.execute(_KNOWN, [digest, digest]).fetchone()
        if known is None:
            expected = "one of statements.tsv or renderings.tsv"
            report.add(path.name, 0, "sha256", expected, digest)
        else:
            progress(f"{path} is {known[0]}")
