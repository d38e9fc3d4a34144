"""Programs that stand on a page of the documentation, as a reader copies them."""

from __future__ import annotations

from tests.conventions.source import ROOT


def block(page: str, heading: str) -> str:
    """Return the literal block behind a line of a page, without its indentation."""
    text = (ROOT / "docs" / page).read_text("utf-8")
    _, found, behind = text.partition(f"{heading}\n")
    assert found, heading
    lines = []
    for line in behind.splitlines():
        if line.strip() and not line.startswith("   "):
            break
        lines.append(line[3:])
    return "\n".join(lines)
