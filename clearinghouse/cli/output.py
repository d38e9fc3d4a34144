"""What the commands print: tables and progress for people, JSON for machines.

With ``--json`` a command prints exactly one JSON value on standard output and
nothing else there; progress and remarks go to standard error.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager

from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    SpinnerColumn,
    TextColumn,
    TimeElapsedColumn,
)
from rich.table import Table

Row = Mapping[str, object]


class Output:
    """One command's standard output in the form the caller asked for."""

    def __init__(self, *, as_json: bool) -> None:
        """Print JSON when ``as_json``, else text and tables."""
        self.as_json = as_json
        self.console = Console(highlight=False, soft_wrap=True)
        self.remarks = Console(stderr=True, highlight=False, soft_wrap=True)

    def value(self, value: Row, text: str) -> None:
        """Print one fact: ``value`` for machines or ``text`` for people."""
        if self.as_json:
            self._json(value)
        else:
            self.console.print(text, markup=False)

    def rows(self, title: str, rows: Sequence[Row], *, empty: str) -> None:
        """Print a table; ``empty`` says what to do when there is nothing."""
        if self.as_json:
            self._json(list(rows))
            return
        if not rows:
            self.console.print(empty, markup=False)
            return
        table = Table(title=title, title_justify="left")
        for name in rows[0]:
            table.add_column(name)
        for row in rows:
            table.add_row(*("" if cell is None else str(cell) for cell in row.values()))
        self.console.print(table)

    def remark(self, text: str) -> None:
        """Tell a person how the work goes; never part of the JSON."""
        self.remarks.print(text, markup=False)

    @contextmanager
    def progress(self, what: str, total: int | None) -> Iterator[Callable[[int], None]]:
        """Show a bar on a terminal while the block runs; yields ``advance(by)``."""
        if self.as_json or not sys.stderr.isatty():
            self.remark(f"{what} ...")
            yield lambda _by: None
            return
        with Progress(
            SpinnerColumn(),
            TextColumn("{task.description}"),
            BarColumn(),
            MofNCompleteColumn(),
            TimeElapsedColumn(),
            console=self.remarks,
        ) as bar:
            task = bar.add_task(what, total=total)
            yield lambda by: bar.advance(task, by)

    def _json(self, value: object) -> None:
        sys.stdout.write(json.dumps(value, default=str, ensure_ascii=False) + "\n")
        sys.stdout.flush()
