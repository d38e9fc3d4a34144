"""A Sphinx extension that writes the pages made from code, contract and tests.

Purpose: nothing that the code knows is written twice. May import ``clearinghouse``.
To add a page: a module with ``pages()`` that yields file names and texts, and its
name in ``SOURCES``. The files go to ``docs/generated`` and are never checked in.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from docs.pages import codes, conformance, operations, rules, settings

if TYPE_CHECKING:
    from sphinx.application import Sphinx

SOURCES = (codes, conformance, operations, rules, settings)


def write_pages(folder: Path) -> None:
    """Write all generated pages into ``folder`` and remove what is left over.

    A file whose text did not change is not touched, so Sphinx need not read it again.
    """
    written = set()
    for source in SOURCES:
        for name, text in source.pages():
            path = folder / name
            path.parent.mkdir(parents=True, exist_ok=True)
            if not path.is_file() or path.read_text(encoding="utf-8") != text:
                path.write_text(text, encoding="utf-8")
            written.add(path)
    for path in folder.rglob("*.rst"):
        if path not in written:
            path.unlink()


def _write(app: Sphinx) -> None:
    write_pages(Path(app.srcdir) / "generated")


def setup(app: Sphinx) -> dict[str, bool]:
    """Write the pages before Sphinx looks for its sources."""
    app.connect("builder-inited", _write)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
