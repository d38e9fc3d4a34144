"""Charts as SVG, drawn by integers: the same figures give the same bytes.

Each chart has a title and a description for those who cannot see it; the page that
holds it shows the figures as a table too. No script, no link, no style attribute: a
strict content security policy lets it pass.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from clearinghouse.reports.text import escape

#: Bars of one chart; more of them could not be told apart.
BARS_MAX = 92
#: Counterparties that get a bar of their own; the others share the last.
SHARES_MAX = 10

_WIDTH = 720
_HEIGHT = 160
_LEFT = 8
_ROW = 22
_NAME_WIDTH = 200
_UP, _DOWN, _AXIS, _INK = "#0b5d8c", "#b3470b", "#5c6670", "#1b2126"


class Bar(NamedTuple):
    """One place of a chart: what goes up from the line and what goes down."""

    label: str
    up: int
    down: int = 0


class Share(NamedTuple):
    """One part of a whole; ``text`` is its amount in words."""

    name: str
    amount: int
    text: str


def bars(key: str, title: str, description: str, given: Sequence[Bar]) -> str:
    """Draw columns side by side, newest last; of too many the oldest are left out.

    ``key`` makes the ids of the chart its own on a page with several.
    """
    shown = given[-BARS_MAX:]
    highest = max([0, *(max(bar.up, -bar.down) for bar in shown)])
    lowest = max([0, *(max(bar.down, -bar.up) for bar in shown)])
    whole = max(highest + lowest, 1)
    line = _HEIGHT * highest // whole
    step = min((_WIDTH - 2 * _LEFT) // max(len(shown), 1), 40)
    parts = [_head(key, title, description, _WIDTH, _HEIGHT + 28)]
    for place, bar in enumerate(shown):
        left = _LEFT + place * step
        for value, colour in ((bar.up, _UP), (-bar.down, _DOWN)):
            size = abs(value) * _HEIGHT // whole
            if size:
                top = line - size if value > 0 else line
                parts.append(_box(left, top, max(step - 2, 1), size, colour))
    parts.append(
        f'<line x1="0" y1="{line}" x2="{_WIDTH}" y2="{line}" stroke="{_AXIS}"/>'
    )
    if shown:
        parts.append(_word(_LEFT, _HEIGHT + 18, shown[0].label, "start"))
        if len(shown) > 1:
            parts.append(_word(_WIDTH - _LEFT, _HEIGHT + 18, shown[-1].label, "end"))
    return "".join([*parts, "</svg>\n"])


def shares(key: str, title: str, description: str, given: Sequence[Share]) -> str:
    """Draw rows one under the other, the largest first."""
    ranked = sorted(given, key=lambda share: (-abs(share.amount), share.name))
    shown = ranked[:SHARES_MAX]
    rest = ranked[SHARES_MAX:]
    if rest:
        others = sum(abs(share.amount) for share in rest)
        shown = [*shown, Share(f"{len(rest)} others", others, "")]
    whole = max(sum(abs(share.amount) for share in shown), 1)
    longest = max([1, *(abs(share.amount) for share in shown)])
    room = _WIDTH - _NAME_WIDTH - 190
    parts = [_head(key, title, description, _WIDTH, _ROW * len(shown) + 8)]
    for place, share in enumerate(shown):
        top = 4 + place * _ROW
        size = abs(share.amount) * room // longest
        per_mille = 1000 * abs(share.amount) // whole
        parts.append(_word(_NAME_WIDTH - 8, top + 14, _short(share.name), "end"))
        parts.append(_box(_NAME_WIDTH, top, max(size, 1), _ROW - 6, _UP))
        words = f"{per_mille // 10}.{per_mille % 10} % {share.text}".rstrip()
        parts.append(_word(_NAME_WIDTH + size + 8, top + 14, words, "start"))
    return "".join([*parts, "</svg>\n"])


def _head(key: str, title: str, description: str, width: int, height: int) -> str:
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" role="img" viewBox="0 0 {width} '
        f'{height}" width="{width}" height="{height}" '
        f'aria-labelledby="{key}-title {key}-desc">'
        f'<title id="{key}-title">{escape(title)}</title>'
        f'<desc id="{key}-desc">{escape(description)}</desc>'
    )


def _box(left: int, top: int, width: int, height: int, colour: str) -> str:
    return (
        f'<rect x="{left}" y="{top}" width="{width}" height="{height}" '
        f'fill="{colour}"/>'
    )


def _word(left: int, base: int, text: str, anchor: str) -> str:
    return (
        f'<text x="{left}" y="{base}" text-anchor="{anchor}" font-size="12" '
        f'font-family="sans-serif" fill="{_INK}">{escape(text)}</text>'
    )


def _short(name: str) -> str:
    longest = 28
    return name if len(name) <= longest else f"{name[: longest - 1]}…"
