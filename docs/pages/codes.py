"""The page of the code catalogue."""

from __future__ import annotations

from itertools import groupby
from typing import TYPE_CHECKING

from clearinghouse.codes import CATALOGUE, Code
from docs.pages import rst

if TYPE_CHECKING:
    from collections.abc import Iterator

RANGES = {
    0: "Done",
    1: "Accepted with a warning",
    2: "Agreement and partner",
    3: "Credential",
    4: "Session",
    5: "EVSE and tariff",
    6: "Service detail record",
    7: "Settlement",
    8: "Message, security and limits",
    9: "Clearing house",
}

INTRODUCTION = """
Each answer carries one of these codes in ``result``, and one for each item that has
something to say. A refusal is an answer with HTTP 200; the codes from 800 on travel as
SOAP faults, under the name given. *Again* tells whether the same message, with the
same ``messageId``, may be sent again. A published number never changes its meaning,
and a text never holds a value of your message.
"""


def _section(hundred: int, entries: list[Code]) -> str:
    title = f"{hundred}xx: {RANGES[hundred]}" if hundred else f"0: {RANGES[0]}"
    rows = [
        (
            str(code.number),
            rst.literal(code.name),
            rst.escaped(code.text),
            "yes" if code.retryable else "no",
        )
        for code in entries
    ]
    return (
        rst.heading(title, "-")
        + "\n"
        + rst.table(("Code", "Name", "Text", "Again"), rows, (10, 30, 50, 10))
    )


def pages() -> Iterator[tuple[str, str]]:
    """Yield the page, made from :mod:`clearinghouse.codes`."""
    ordered = [CATALOGUE[number] for number in sorted(CATALOGUE)]
    sections = [
        _section(hundred, list(entries))
        for hundred, entries in groupby(ordered, key=lambda code: code.number // 100)
    ]
    yield "codes.rst", "\n".join([rst.heading("Codes", "="), INTRODUCTION, *sections])
