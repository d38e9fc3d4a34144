"""Statements: issued once as documents, listed, handed out in parts, exported (4.3-I3).

A closing books the figures and the number; the documents are rendered after it, from
the SDRs themselves, and must add up to what was booked. From then on they are kept as
issued: what a partner was handed never changes.
"""

from __future__ import annotations

import zlib
from collections.abc import Iterable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from hashlib import sha256
from itertools import islice
from pathlib import Path
from threading import Event

from sqlalchemy import Connection

from clearinghouse import codes
from clearinghouse.domain.errors import ClearingHouseError, no_such_part
from clearinghouse.domain.exchange import Sender
from clearinghouse.domain.statements import (
    Audit,
    Counted,
    Statement,
    StatementFormat,
    counted,
)
from clearinghouse.reports import statement_html, statement_pdf
from clearinghouse.reports.lines import LineNumbers
from clearinghouse.reports.writers import Writers, document_writers, page_writer
from clearinghouse.reports.xml_signature import Sign
from clearinghouse.services import settlement_notices, statement_signatures
from clearinghouse.services.environment import Environment
from clearinghouse.storage import settlement, signing, statement_lines, statements
from clearinghouse.storage.feeds import Page, parse_cursor
from clearinghouse.storage.statements import Issued, Rendering

#: Bytes of one part of a document (contract: GetStatement, GetInvoice).
PART_BYTES = 1_048_576

#: Statements that one look for unissued ones finds; it is repeated until none is left.
UNISSUED_MAX = 1_000

#: Statements that are rendered at a time where they have many lines: one waits for the
#: database or packs while another writes.
ISSUED_AT_A_TIME = 3

#: Lines from which on it is worth it.
MANY_LINES = 50_000

#: What is issued for every statement: all its lines, for machines and auditors.
DOCUMENTS = (StatementFormat.XML, StatementFormat.CSV)

#: Lines that a page for people may show; the documents hold all.
_SHOWN_MAX = max(statement_html.LINES_SHOWN_MAX, statement_pdf.LINES_SHOWN_MAX)

#: Fast rather than small: documents are long and alike, and shrink to a tenth anyway.
_COMPRESSION = 1


# Lines as they are counted, and what is written of them in each format.
_Batch = tuple[Iterable[Counted], list[tuple[StatementFormat, bytes]]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Part:
    """One part of a document, with the digest of the whole."""

    statement_id: str
    format: StatementFormat
    part: int
    parts: int
    digest: bytes
    content: bytes


class _Parts:
    """Cuts a document into parts of fixed size as it is written, and keeps them."""

    def __init__(self, tx: Connection, statement_id: str, fmt: StatementFormat) -> None:
        self._tx = tx
        self._statement_id = statement_id
        self._format = fmt
        self._hash = sha256()
        self._waiting = bytearray()
        self._bytes = 0
        self._parts = 0

    def write(self, data: bytes) -> None:
        self._hash.update(data)
        self._bytes += len(data)
        self._waiting += data
        while len(self._waiting) >= PART_BYTES:
            self._keep(bytes(self._waiting[:PART_BYTES]))
            del self._waiting[:PART_BYTES]

    def finish(self) -> Rendering:
        if self._waiting or not self._parts:
            self._keep(bytes(self._waiting))
        return Rendering(
            statement_id=self._statement_id,
            format=self._format,
            digest=self._hash.digest(),
            bytes=self._bytes,
            parts=self._parts,
        )

    def _keep(self, content: bytes) -> None:
        self._parts += 1
        statements.insert_part(
            self._tx,
            statement_id=self._statement_id,
            fmt=self._format,
            part=self._parts,
            content=zlib.compress(content, _COMPRESSION),
        )


def list_statements(
    env: Environment, sender: Sender, *, cursor: str | None, limit: int
) -> Page[Issued]:
    """Return the statements issued to the sender since the cursor.

    Raises :class:`ClearingHouseError` (``CH.CURSOR``) for a cursor that is not ours.
    """
    place = parse_cursor(cursor)
    with env.database.begin_read_only() as tx:
        return statements.issued_to(
            tx, sender.participant_id, cursor=place, limit=limit
        )


def get_statement(
    env: Environment,
    sender: Sender,
    statement_id: str,
    *,
    fmt: StatementFormat,
    part: int,
) -> Part:
    """Return one part of a statement of the sender.

    A form for people is made when it is first asked for, and kept. Raises
    :class:`ClearingHouseError`: ``STATEMENT_UNKNOWN`` when the sender has no such
    statement, or it is not issued yet; ``STATEMENT_PART`` behind its last part.
    """
    with env.database.begin_read_only() as tx:
        if statements.owner_of(tx, statement_id) != sender.participant_id:
            raise ClearingHouseError(codes.STATEMENT_UNKNOWN, statement_id)
        rendering = statements.rendering_of(tx, statement_id, fmt)
    if rendering is None:
        rendering = _made(env, statement_id, fmt)
    with env.database.begin_read_only() as tx:
        content = statements.part_of(tx, statement_id, fmt, part)
    if content is None:
        raise no_such_part(codes.STATEMENT_PART, part, rendering.parts)
    return Part(
        statement_id=statement_id,
        format=fmt,
        part=part,
        parts=rendering.parts,
        digest=rendering.digest,
        content=zlib.decompress(content),
    )


def _made(env: Environment, statement_id: str, fmt: StatementFormat) -> Rendering:
    """Make a form for people of an issued statement, once, and return it.

    Raises :class:`ClearingHouseError` (``STATEMENT_UNKNOWN``) for a document, or when
    the documents are not issued yet.
    """
    with env.database.begin("closing") as tx:
        statements.lock_issue(tx, statement_id)
        issued = statements.rendering_of(tx, statement_id, StatementFormat.XML)
        owner_id = statements.owner_of(tx, statement_id)
        if fmt in DOCUMENTS or issued is None or owner_id is None:
            raise ClearingHouseError(codes.STATEMENT_UNKNOWN, "not issued yet")
        found = statements.rendering_of(tx, statement_id, fmt)
        if found is None:
            cut = _Parts(tx, statement_id, fmt)
            cut.write(b"".join(_page(tx, statement_id, fmt)))
            found = cut.finish()
            now = env.clock.now()
            statements.insert_rendering(tx, found, participant_id=owner_id, at=now)
    return found


def _page(tx: Connection, statement_id: str, fmt: StatementFormat) -> Iterator[bytes]:
    """Give a form for people: all sums, and the first lines."""
    facts = _facts(tx, statement_id)
    writer, numbers = page_writer(fmt, facts), LineNumbers(facts)
    yield writer.head()
    for lines in statement_lines.lines_of(tx, facts, limit=_SHOWN_MAX):
        yield writer.lines(numbers.texts(lines))
    yield writer.foot()


def _facts(tx: Connection, statement_id: str) -> Statement:
    facts = statements.statement_facts(tx, statement_id)
    if facts is None:
        raise ClearingHouseError(codes.STATEMENT_UNKNOWN, statement_id)
    return facts


def issue_window(env: Environment, window_id: int) -> int:
    """Issue what is still to be issued; return the number of the window's statements.

    Each statement is a transaction of its own: broken off, the next run goes on.
    """
    issue_pending(env)
    with env.database.begin_read_only() as tx:
        return len(statements.issued_in(tx, window_id))


def issue_pending(env: Environment) -> int:
    """Issue the documents of every statement that has none; return how many."""
    issued = 0
    while True:
        with env.database.begin_read_only() as tx:
            pending = statements.unissued(tx, limit=UNISSUED_MAX)
        if not pending:
            return issued
        issued += _issue_all(env, pending)


def _issue_all(env: Environment, pending: Mapping[str, int]) -> int:
    """Issue statements by their numbers of lines, several at a time if these are many.

    The first error, or Ctrl-C, ends those that run at their next lines.
    """
    if sum(pending.values()) < MANY_LINES:
        return sum(issue(env, statement_id) for statement_id in pending)
    with env.database.begin() as tx:
        # Known before: the first to note a new key would keep the others waiting.
        signing.note_key(tx, env.signer.key(), at=env.clock.now())
    given_up = Event()
    with ThreadPoolExecutor(ISSUED_AT_A_TIME) as pool:
        jobs = [pool.submit(issue, env, one, given_up) for one in pending]
        try:
            return sum(job.result() for job in jobs)
        except BaseException:
            given_up.set()
            pool.shutdown(wait=False, cancel_futures=True)
            raise


class _GivenUpError(Exception):
    """Somebody else failed or wants to stop; nobody sees this one."""


def issue(env: Environment, statement_id: str, given_up: Event | None = None) -> bool:
    """Render a statement's documents and keep them, unless it is given up meanwhile.

    ``False`` when another process has done it meanwhile. Raises
    :class:`ClearingHouseError`: ``STATEMENT_UNKNOWN``; ``PROOF_FAILED`` when its lines
    do not add up to what the closing booked.
    """
    with env.database.begin("closing") as tx:
        statements.lock_issue(tx, statement_id)
        if statements.rendering_of(tx, statement_id, StatementFormat.XML) is not None:
            return False
        owner_id = statements.owner_of(tx, statement_id)
        if owner_id is None:
            raise ClearingHouseError(codes.STATEMENT_UNKNOWN, statement_id)
        parts = {fmt: _Parts(tx, statement_id, fmt) for fmt in DOCUMENTS}
        now, key = env.clock.now(), env.signer.key()
        signing.note_key(tx, key, at=now)
        sign = statement_signatures.made_with(key)
        # Lines come in one long answer; meanwhile parts are kept on another connection.
        with env.database.begin_read_only("closing") as reading:
            for fmt, data in render(reading, statement_id, sign):
                if given_up is not None and given_up.is_set():
                    raise _GivenUpError
                parts[fmt].write(data)
        for cut in parts.values():
            statements.insert_rendering(
                tx, cut.finish(), participant_id=owner_id, at=now
            )
        settlement_notices.queue_statement(tx, statement_id, owner_id, at=now)
    return True


def render(
    tx: Connection, statement_id: str, sign: Sign | None
) -> Iterator[tuple[StatementFormat, bytes]]:
    """Give the documents of a statement at once, piece by piece, from the SDRs.

    The database writes the lines. The XML form is signed by ``sign``; one of before
    there were signatures is not.

    Raises :class:`ClearingHouseError`: ``STATEMENT_UNKNOWN``; ``PROOF_FAILED`` at the
    end, when the lines do not add up to what the closing booked.
    """
    facts = _facts(tx, statement_id)
    writers = document_writers(facts, sign)
    yield from _whole(facts, writers, _written_there(tx, facts, writers))


def render_again(
    tx: Connection, statement_id: str, sign: Sign | None
) -> Iterator[tuple[StatementFormat, bytes]]:
    """Give the same as :func:`render`, but write the lines here: a second way.

    Raises as that does.
    """
    facts = _facts(tx, statement_id)
    writers = document_writers(facts, sign)
    yield from _whole(facts, writers, _written_here(tx, facts, writers))


def _whole(
    facts: Statement, writers: Writers, batches: Iterator[_Batch]
) -> Iterator[tuple[StatementFormat, bytes]]:
    audit = Audit(facts)
    for fmt, writer in writers.items():
        yield fmt, writer.head()
    for lines, pieces in batches:
        audit.add(lines)
        yield from pieces
    broken = audit.violations()
    if broken:
        raise ClearingHouseError(codes.PROOF_FAILED, "; ".join(broken))
    for fmt, writer in writers.items():
        yield fmt, writer.foot()


def _written_there(
    tx: Connection, facts: Statement, writers: Writers
) -> Iterator[_Batch]:
    layouts = [layout for writer in writers.values() for layout in writer.layouts]
    for batch in statement_lines.written_lines(tx, facts, layouts):
        texts, count = iter(batch.texts), len(batch.counted)
        pieces = [
            (fmt, writer.written(list(islice(texts, len(writer.layouts))), count))
            for fmt, writer in writers.items()
        ]
        yield batch.counted, pieces


def _written_here(
    tx: Connection, facts: Statement, writers: Writers
) -> Iterator[_Batch]:
    numbers = LineNumbers(facts)
    for lines in statement_lines.lines_of(tx, facts):
        texts = numbers.texts(lines)
        pieces = [(fmt, writer.lines(texts)) for fmt, writer in writers.items()]
        yield map(counted, lines), pieces


def verify(env: Environment, statement_id: str) -> tuple[str, ...]:
    """Render a statement again and compare it with what was issued and is handed out.

    Its lines are written in another way than when it was issued.
    A form for people is compared when somebody asked for it. Returns what differs;
    empty proves it. Raises :class:`ClearingHouseError` (``STATEMENT_UNKNOWN``).
    """
    with env.database.begin_read_only("closing") as tx:
        try:
            return tuple(_differences(tx, statement_id))
        except ClearingHouseError as error:
            if error.code is not codes.PROOF_FAILED:
                raise
            return (str(error),)


def _differences(tx: Connection, statement_id: str) -> Iterator[str]:
    hashes = {fmt: sha256() for fmt in DOCUMENTS}
    sign = statement_signatures.as_issued(tx, statement_id)
    for fmt, data in render_again(tx, statement_id, sign):
        hashes[fmt].update(data)
    for fmt in StatementFormat:
        rendering = statements.rendering_of(tx, statement_id, fmt)
        if rendering is None:
            if fmt in DOCUMENTS:
                yield f"{fmt.value} was not issued"
            continue
        made = hashes.get(fmt) or sha256(b"".join(_page(tx, statement_id, fmt)))
        if rendering.digest != made.digest():
            yield f"{fmt.value} is not what was issued"
        elif rendering.digest != _kept(tx, statement_id, fmt):
            yield f"{fmt.value} is kept otherwise than it was issued"


def _kept(tx: Connection, statement_id: str, fmt: StatementFormat) -> bytes:
    """Return the digest of what is handed out; empty when it cannot be read."""
    hashed, part = sha256(), 1
    try:
        while content := statements.part_of(tx, statement_id, fmt, part):
            hashed.update(zlib.decompress(content))
            part += 1
    except zlib.error:
        return b""
    return hashed.digest()


def verify_window(env: Environment, window_id: int) -> dict[str, tuple[str, ...]]:
    """Compare all statements of a window as :func:`verify` does, by their numbers.

    Those that are booked and not issued yet as well. Raises
    :class:`ClearingHouseError` (``WINDOW_UNKNOWN``).
    """
    with env.database.begin_read_only() as tx:
        if settlement.window_by_id(tx, window_id) is None:
            raise ClearingHouseError(codes.WINDOW_UNKNOWN, str(window_id))
        booked = statements.booked_in(tx, window_id)
    return {statement_id: verify(env, statement_id) for statement_id in booked}


def export_statements(env: Environment, window_id: int, folder: Path) -> list[Path]:
    """Write the statements of a closed window to files; return their paths.

    Named as ``ST-2026-000001-DEABC-EUR.xml``. Raises :class:`ClearingHouseError`
    (``WINDOW_UNKNOWN``), :class:`OSError` when the folder cannot be written to.
    """
    issued = _issued(env, window_id)
    if issued:
        folder.mkdir(parents=True, exist_ok=True)
    return [_export(env, one, fmt, folder) for one in issued for fmt in StatementFormat]


def _issued(env: Environment, window_id: int) -> list[Issued]:
    with env.database.begin_read_only() as tx:
        if settlement.window_by_id(tx, window_id) is None:
            raise ClearingHouseError(codes.WINDOW_UNKNOWN, str(window_id))
        return statements.issued_in(tx, window_id)


def _export(
    env: Environment, issued: Issued, fmt: StatementFormat, folder: Path
) -> Path:
    if fmt not in DOCUMENTS:
        _made(env, issued.statement_id, fmt)
    name = f"{issued.statement_id}-{issued.party_id}-{issued.currency}"
    path = folder / f"{name}.{fmt.value.lower()}"
    part = 0
    with path.open("wb") as file, env.database.begin_read_only() as tx:
        while content := statements.part_of(tx, issued.statement_id, fmt, part + 1):
            file.write(zlib.decompress(content))
            part += 1
    return path
