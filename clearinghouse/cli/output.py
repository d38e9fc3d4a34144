"""What the commands print: tables and progress for people, JSON for machines.

With ``--json`` a command prints exactly one JSON value on standard output and
nothing else there; progress and remarks go to standard error.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from shutil import get_terminal_size
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from rich.progress import Progress

Row = Mapping[str, object]
TABLE_COLUMNS_MIN = 60
"""A narrower terminal gets a block of lines for each row."""


class Output:
    """One command's standard output in the form the caller asked for."""

    def __init__(self, *, as_json: bool) -> None:
        """Print JSON when ``as_json``, else text and tables."""
        self.as_json = as_json
        self._bar: Progress | None = None

    def value(self, value: Row | Sequence[Row], text: str) -> None:
        """Print one answer: ``value`` for machines or ``text`` for people."""
        if self.as_json:
            self._json(value)
        else:
            _write(text)

    def sections(self, head: Row, tables: Mapping[str, Sequence[Row]]) -> None:
        """Print what is known of one thing: a line for each fact, then its tables."""
        if self.as_json:
            self._json({**head, **tables})
            return
        _write(
            "\n".join(
                f"{_title(name)}: {_text(cell)}"
                for name, cell in head.items()
                if cell not in (None, {}, [])
            )
        )
        for name, rows in tables.items():
            if rows:
                _write(f"\n{_title(name)}")
                _table("", rows)

    def rows(self, title: str, rows: Sequence[Row], *, empty: str) -> None:
        """Print a table; ``empty`` says what to do when there is nothing."""
        if self.as_json:
            self._json(list(rows))
        elif not rows:
            _write(empty)
        else:
            _table(title, rows)

    def remark(self, text: str) -> None:
        """Tell a person how the work goes; never part of the JSON."""
        if self._bar is not None:
            self._bar.console.print(text, markup=False)
        else:
            sys.stderr.write(f"{text}\n")
            sys.stderr.flush()

    @contextmanager
    def progress(self, what: str, total: int | None) -> Iterator[Callable[[int], None]]:
        """Show a bar on a terminal while the block runs; yields ``advance(by)``."""
        if self.as_json or not sys.stderr.isatty():
            self.remark(f"{what} ...")
            yield lambda _by: None
            return
        with _progress() as bar:
            self._bar = bar
            task = bar.add_task(what, total=total)
            try:
                yield lambda by: bar.advance(task, by)
            finally:
                self._bar = None

    def _json(self, value: object) -> None:
        _write(json.dumps(value, default=_text, ensure_ascii=False))


def _write(text: str) -> None:
    sys.stdout.write(f"{text}\n")
    sys.stdout.flush()


# The library that draws takes long to load, and most answers are a line of text.


def _table(title: str, rows: Sequence[Row]) -> None:
    names = [_title(name) for name in rows[0]]
    cells = [[_text(cell) for cell in row.values()] for row in rows]
    if not sys.stdout.isatty():
        _write(_columns([names, *cells]))
    elif get_terminal_size().columns < TABLE_COLUMNS_MIN:
        _write("\n\n".join(_record(names, row) for row in cells))
    else:
        _draw(title, names, cells)


def _title(name: str) -> str:
    return name.replace("_", " ")


def _text(value: object) -> str:
    """Return one cell: instants to the second in UTC, lists with blanks between."""
    if value is None:
        return ""
    if isinstance(value, datetime):
        return f"{value.astimezone(UTC):%Y-%m-%dT%H:%M:%SZ}"
    if isinstance(value, Mapping):
        return " ".join(_text(part) for part in value.values())
    if isinstance(value, list | tuple):
        return " ".join(_text(part) for part in value)
    return str(value)


def _columns(lines: Sequence[Sequence[str]]) -> str:
    """Return lines for another program or a file: nothing is cut or wrapped."""
    widths = [max(len(line[place]) for line in lines) for place in range(len(lines[0]))]
    return "\n".join(
        "  ".join(
            cell.ljust(width) for cell, width in zip(line, widths, strict=True)
        ).rstrip()
        for line in lines
    )


def _record(names: Sequence[str], row: Sequence[str]) -> str:
    """Return one row as lines of its own, for a narrow window."""
    return "\n".join(f"{name}: {cell}" for name, cell in zip(names, row, strict=True))


def _draw(title: str, names: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    from rich.console import Console
    from rich.table import Table

    table = Table(title=title or None, title_justify="left")
    for place, name in enumerate(names):
        table.add_column(name, overflow="fold", no_wrap=place == 0)
    for row in rows:
        table.add_row(*row)
    Console(highlight=False, markup=False).print(table)


def _progress() -> Progress:
    from rich.console import Console
    from rich.progress import (
        BarColumn,
        MofNCompleteColumn,
        Progress,
        SpinnerColumn,
        TextColumn,
        TimeElapsedColumn,
    )

    return Progress(
        SpinnerColumn(),
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
        console=Console(stderr=True, highlight=False, soft_wrap=True),
    )
