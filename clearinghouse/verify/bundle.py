"""Checking a bundle from end to end: signatures, leaves, roots, chain, money, numbers.

Every figure is computed again by duckdb from the rows of the SDRs, with statements of
this folder that share nothing with the house's own.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from itertools import chain
from pathlib import Path
from tempfile import TemporaryDirectory
from threading import Event, Thread
from typing import Any

import duckdb

from clearinghouse.verify import digests, forms, signatures
from clearinghouse.verify.archive import HEADINGS, Unpacked, fields_of, unpack
from clearinghouse.verify.originals import check_originals, said_by_window
from clearinghouse.verify.report import TOLD_MAX, BundleError, Report
from clearinghouse.verify.rerating import rerate
from clearinghouse.verify.signatures import PublicKey

#: What is computed anew after the rating, and the checks that compare it, in order.
COMPUTED = ("vat.sql", "documents.sql", "postings.sql", "runs.sql", "suspense.sql")
CHECKS = (
    "checks.sql",
    "checks_corrections.sql",
    "checks_documents.sql",
    "checks_runs.sql",
)

#: Checks of what a bundle of the form before did not hold yet.
FORM_3 = 3
CHECKS_OF_FORM_3 = ("checks_suspense.sql", "checks_terms.sql")
#: What those prove, for who has a bundle without it.
ADDED_BY_FORM_3 = "disputes, suspense, days of payment, invoices that credits refer to"

#: Seconds that the check of a bundle may take in the database, its memory, and how much
#: of the disk it may fill; ten million SDRs take some minutes.
SECONDS_MAX = 4 * 3_600
MEMORY_MAX = "2GB"
SPILL_MAX = "64GB"

#: Levels of a tree: 2^40 leaves.
LEVELS_MAX = 40

_HERE = Path(__file__).parent

# Whose an SDR is, by its line.
_SIDES = """
    SELECT line_no, 'of ' || submitter || ' for ' || csp FROM sdr
    WHERE list_contains(CAST(? AS BIGINT[]), line_no)
"""

Progress = Callable[[str], None]
_Connection = duckdb.DuckDBPyConnection


def verify(
    bundle: Path,
    key: Path,
    progress: Progress = lambda _: None,
    *,
    documents: Sequence[Path] = (),
) -> Report:
    """Check a bundle with the operator's public key; an empty report proves it.

    ``documents`` are statements and invoices as they were handed out: each has to be
    one of the bundle's. Raises :class:`BundleError` when the file is no bundle, the key
    is none, or a document cannot be read.
    """
    report = Report()
    trusted = signatures.key_of(key)
    try:
        _verify(bundle, trusted, progress, documents, report)
    except duckdb.InterruptException as error:
        raise BundleError(
            f"it takes longer than {SECONDS_MAX} s to check that {report.rule}"
        ) from error
    except OSError as error:
        raise BundleError(f"it cannot be unpacked: {error.strerror}") from error
    except duckdb.Error as error:
        # What is no number became null: here a figure is beyond all bounds.
        raise BundleError(f"it cannot be checked that {report.rule}") from error
    return report


def _verify(
    bundle: Path,
    trusted: PublicKey,
    progress: Progress,
    documents: Sequence[Path],
    report: Report,
) -> None:
    def check(what: str) -> None:
        report.rule = what
        progress(f"checking that {what}")

    with TemporaryDirectory(prefix="clearinghouse-verify-") as scratch:
        folder = Path(scratch) / "bundle"
        folder.mkdir()
        check("every file is the one that the manifest lists")
        unpacked = unpack(bundle, folder, report)
        report.form = unpacked.form
        report.unchecked = "" if unpacked.form >= FORM_3 else ADDED_BY_FORM_3
        check("the manifest has the operator's signature")
        signatures.check_manifest(unpacked, trusted, report)
        with _database(Path(scratch)) as db, _bounded(db):
            check("every file has its heading")
            _load(db, unpacked, report)
            _check_forms(db, unpacked.form, report, check)
            check("the chain of windows is whole and signed")
            said = _check_chain(db, unpacked, trusted, report)
            _set_variables(db, unpacked, said)
            check("documents are those that were issued")
            digests.check_documents(db, documents, report, progress)
            progress("computing the roots of batches, pairs and window")
            _grow_trees(db)
            check("what credits take back is in the window that it names")
            check_originals(db, said_by_window(db), report)
            check("every EVSE has a time zone")
            db.execute(_text("corrections.sql"))
            rerate(db, report)
            progress("computing VAT, documents and settlement runs")
            for name in COMPUTED:
                db.execute(_text(name))
            names = CHECKS + (CHECKS_OF_FORM_3 if unpacked.form >= FORM_3 else ())
            for what, statement in chain.from_iterable(map(_checks, names)):
                check(what)
                _check(db, statement, report)


def _database(scratch: Path) -> _Connection:
    db = duckdb.connect()
    db.execute("SET memory_limit = ?", [MEMORY_MAX])
    db.execute("SET max_temp_directory_size = ?", [SPILL_MAX])
    db.execute("SET TimeZone = 'UTC'")
    db.execute("SET preserve_insertion_order = true")
    db.execute("SET temp_directory = ?", [str(scratch / "spill")])
    return db


@contextmanager
def _bounded(db: _Connection) -> Iterator[None]:
    """Interrupt what takes too long: a bundle may be made to be slow."""
    done = Event()

    def interrupt() -> None:
        seconds = SECONDS_MAX
        while not done.wait(seconds):
            db.interrupt()
            seconds = 1  # again, should it have come between two statements

    watch = Thread(target=interrupt, daemon=True)
    watch.start()
    try:
        yield
    finally:
        done.set()
        watch.join()


def _load(db: _Connection, bundle: Unpacked, report: Report) -> None:
    for name in HEADINGS:
        heading = fields_of(name, bundle.form)
        with (bundle.folder / name).open("rb") as file:
            found = file.readline(1 << 16).decode("utf-8", "replace").rstrip("\n")
        if found.split("\t") != heading:
            told = found.replace("\t", " ")
            report.add(name, 1, "heading", " ".join(heading), told)
    db.execute("SET VARIABLE folder = ?", [str(bundle.folder)])
    db.execute("SET VARIABLE form = ?", [bundle.form])
    db.execute("CREATE TABLE sdr_field (place INTEGER, name VARCHAR)")
    fields = enumerate(HEADINGS["sdrs.tsv"].split(), 1)
    db.executemany("INSERT INTO sdr_field VALUES (?, ?)", list(fields))
    for statement in f"{_text('load.sql')}\n{_text('load_runs.sql')}".split(";\n"):
        names = re.findall(r"fields_of\('([a-z]+\.tsv)'\)", statement)
        report.rule = f"{' '.join(names) or 'a file'} holds lines of a table"
        db.execute(statement)


def _check_forms(db: _Connection, form: int, report: Report, check: Progress) -> None:
    fields = {name: forms.forms_of(name, form) for name in HEADINGS}
    db.execute(
        "CREATE TABLE field_form (file VARCHAR, place INTEGER, name VARCHAR,"
        " form VARCHAR, pattern VARCHAR)"
    )
    rows = list(chain.from_iterable(fields.values()))
    db.executemany("INSERT INTO field_form VALUES (?, ?, ?, ?, ?)", rows)
    for what, statement in _checks("checks_forms.sql"):
        check(what)
        for name in HEADINGS:
            db.execute("SET VARIABLE file = ?", [name])
            db.execute("SET VARIABLE pattern = ?", [forms.line_pattern(fields[name])])
            _check(db, statement, report)


def _check_chain(
    db: _Connection, bundle: Unpacked, trusted: PublicKey, report: Report
) -> dict[str, str]:
    listed = db.execute("SELECT line_no, key_id, public_key FROM house_key").fetchall()
    keys = signatures.known_keys(listed, trusted, report)
    blocks = db.execute(
        "SELECT line_no, seq, window_id, label, key_id, signature, text"
        " FROM chain ORDER BY line_no"
    ).fetchall()
    said = signatures.check_chain(blocks, keys, report)
    window = bundle.manifest["window"]
    for field, expected, found in (
        ("window", str(window.get("windowId")), said.get("window")),
        ("opened", window.get("openedAt"), said.get("opened")),
        ("closed", window.get("closedAt"), said.get("closed")),
        ("hash", bundle.manifest.get("block"), said.get("hash")),
    ):
        if expected != found:
            place = len(blocks) + 1 if blocks else 0
            report.add(
                "chain.tsv", place, f"{field} of the last block", expected, found
            )
    return said


def _set_variables(db: _Connection, bundle: Unpacked, said: dict[str, str]) -> None:
    window = bundle.manifest["window"]
    db.execute("SET VARIABLE window_id = ?", [str(window.get("windowId"))])
    db.execute("SET VARIABLE window_year = ?", [str(window.get("closedAt"))[:4]])
    db.execute("SET VARIABLE opened_at = ?", [str(window.get("openedAt"))])
    db.execute("SET VARIABLE cutover_at = ?", [str(window.get("cutoverAt"))])
    db.execute("SET VARIABLE closed_at = ?", [str(window.get("closedAt"))])
    issuer = bundle.manifest.get("issuer")
    house = issuer.get("partyId") if isinstance(issuer, dict) else None
    db.execute("SET VARIABLE house = ?", [str(house)])
    db.execute("SET VARIABLE window_root = ?", [said.get("root")])
    db.execute("SET VARIABLE block_first = ?", [said.get("first")])
    db.execute("SET VARIABLE block_last = ?", [said.get("last")])
    db.execute("SET VARIABLE block_sdrs = ?", [said.get("sdrs")])
    db.execute("SET VARIABLE block_pairs = ?", [said.get("pairs")])


def _grow_trees(db: _Connection) -> None:
    """Join all trees level by level until only roots are left."""
    db.execute(_text("trees.sql"))
    level = _text("level.sql")
    for _ in range(LEVELS_MAX):
        (highest,) = _one(db, "SELECT coalesce(max(place), 0) FROM node")
        if highest == 0:
            break
        db.execute(level)
    db.execute(
        "CREATE TABLE root AS SELECT t.kind, t.a, t.b, t.c, n.hash"
        " FROM tree AS t JOIN node AS n USING (tree_id)"
    )


def _check(db: _Connection, statement: str, report: Report) -> None:
    found = db.execute(statement)
    rows, rest = found.fetchmany(TOLD_MAX), 0
    while more := found.fetchmany(TOLD_MAX):
        rest += len(more)
    lines = [line for file, line, *_ in rows if file == "sdrs.tsv"]
    sides = db.execute(_SIDES, [lines]).fetchall() if lines else []
    report.add_rows(rows, dict(sides))
    report.count += rest


def _checks(name: str) -> Iterator[tuple[str, str]]:
    """Give the checks of a file of statements: what each is about, and its text."""
    _, _, text = _text(name).partition("\n\n")
    for found in re.split(r"\n\n(?=-- )", text.strip()):
        comment, _, statement = found.partition("\n")
        yield comment.removeprefix("-- "), statement


def _one(db: _Connection, statement: str) -> tuple[Any, ...]:
    row = db.execute(statement).fetchone()
    if row is None:
        raise BundleError("a sum came back empty")
    return row


def _text(name: str) -> str:
    return (_HERE / name).read_text(encoding="utf-8")
