"""What a check finds: the place of each difference, what stands there, what should."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

#: Differences that are told; the rest is counted. It bounds memory and patience.
TOLD_MAX = 1_000

#: Characters of a value that are shown.
VALUE_MAX = 200


def plain(text: str) -> str:
    """Return a text that no terminal obeys: unseen signs are written as escapes."""
    return "".join(sign if sign.isprintable() else ascii(sign)[1:-1] for sign in text)


class BundleError(Exception):
    """The file is no bundle that can be checked; the text says why."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Difference:
    """A place that is not as it should be; ``line`` 1 is a file's heading, 0 none.

    ``rule`` is what is broken, ``participants`` whose SDR it is where the place is one.
    """

    file: str
    line: int
    field: str
    expected: str
    found: str
    rule: str = ""
    participants: str = ""

    def __str__(self) -> str:
        """Return the difference as a person reads it."""
        place = f"{self.file} line {self.line}" if self.line else self.file
        told = f"{place}, {self.field}: expected {self.expected}, found {self.found}"
        return plain(
            f"{told}; {'; '.join(filter(None, (self.participants, self.rule)))}"
        )


@dataclass(slots=True)
class Report:
    """Collects differences; ``count`` knows of those that are not told as well.

    ``rule`` is the one that is being checked. ``form`` is the bundle's, 0 before it is
    known; ``unchecked`` says what a bundle of an older form does not hold.
    """

    told: list[Difference] = field(default_factory=list)
    count: int = 0
    rule: str = ""
    form: int = 0
    unchecked: str = ""

    def add(
        self,
        file: str,
        line: int | None,
        field: str,
        expected: object,
        found: object,
    ) -> None:
        """Note a difference."""
        self.add_rows([(file, line, field, expected, found)], {})

    def add_rows(
        self, rows: Iterable[tuple[object, ...]], sides: Mapping[object, str]
    ) -> None:
        """Note what a query found: file, line, field, expected, found.

        ``sides``: the participants of an SDR, by the line of ``sdrs.tsv``.
        """
        for file, line, name, expected, found in rows:
            self.count += 1
            if len(self.told) >= TOLD_MAX:
                continue
            self.told.append(
                Difference(
                    file=str(file),
                    line=line if isinstance(line, int) else 0,
                    field=str(name),
                    expected=_shown(expected),
                    found=_shown(found),
                    rule=self.rule,
                    participants=sides.get(line, "") if file == "sdrs.tsv" else "",
                )
            )


def _shown(value: object) -> str:
    text = "nothing" if value is None or value == "" else str(value)
    return text if len(text) <= VALUE_MAX else f"{text[:VALUE_MAX]}..."
