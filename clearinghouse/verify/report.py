"""What a check finds: the place of each difference, what stands there, what should."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field

#: Differences that are told; the rest is counted. It bounds memory and patience.
TOLD_MAX = 1_000

#: Characters of a value that are shown.
VALUE_MAX = 200


class BundleError(Exception):
    """The file is no bundle that can be checked; the text says why."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Difference:
    """A place that is not as it should be; ``line`` 1 is a file's heading, 0 none."""

    file: str
    line: int
    field: str
    expected: str
    found: str

    def __str__(self) -> str:
        """Return the difference as a person reads it."""
        place = f"{self.file} line {self.line}" if self.line else self.file
        return f"{place}, {self.field}: expected {self.expected}, found {self.found}"


@dataclass(slots=True)
class Report:
    """Collects differences; ``count`` knows of those that are not told as well."""

    told: list[Difference] = field(default_factory=list)
    count: int = 0

    def add(
        self,
        file: str,
        line: int | None,
        field: str,
        expected: object,
        found: object,
    ) -> None:
        """Note a difference."""
        self.count += 1
        if len(self.told) < TOLD_MAX:
            self.told.append(
                Difference(
                    file=file,
                    line=line or 0,
                    field=field,
                    expected=_shown(expected),
                    found=_shown(found),
                )
            )

    def add_rows(self, rows: Iterable[tuple[object, ...]]) -> None:
        """Note what a query found: file, line, field, expected, found."""
        for file, line, name, expected, found in rows:
            number = line if isinstance(line, int) else 0
            self.add(str(file), number, str(name), expected, found)


def _shown(value: object) -> str:
    text = "nothing" if value is None or value == "" else str(value)
    return text if len(text) <= VALUE_MAX else f"{text[:VALUE_MAX]}..."
