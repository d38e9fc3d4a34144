"""Pieces of reStructuredText."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

_MARKUP = re.compile(r"([\\*`|_])")


def escaped(text: str) -> str:
    """Return plain text so that nothing in it reads as markup."""
    return _MARKUP.sub(r"\\\1", " ".join(text.split()))


def literal(text: str) -> str:
    """Return text in a fixed-width font; it must not be empty."""
    return f"``{text}``"


def heading(text: str, line: str) -> str:
    """Return a heading underlined with the character ``line``."""
    return f"{text}\n{line * len(text)}\n"


def label(name: str) -> str:
    """Return a target that ``reference`` can point to from any page."""
    return f".. _{name}:\n"


def reference(text: str, name: str) -> str:
    """Return a link to a label."""
    return f":ref:`{text} <{name}>`"


def table(
    header: Sequence[str], rows: Iterable[Sequence[str]], widths: Sequence[int]
) -> str:
    """Return a table; each cell is one paragraph of markup."""
    lines = [
        ".. list-table::",
        "   :header-rows: 1",
        f"   :widths: {' '.join(map(str, widths))}",
        "",
    ]
    for row in (header, *rows):
        for column, cell in enumerate(row):
            mark = "   * -" if column == 0 else "     -"
            lines.append(f"{mark} {cell}".rstrip())
    return "\n".join(lines) + "\n"


def contents(names: Iterable[str]) -> str:
    """Return the list of pages below this one."""
    entries = "".join(f"   {name}\n" for name in names)
    return f".. toctree::\n   :maxdepth: 1\n\n{entries}"
