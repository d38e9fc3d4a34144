"""The one error of the house, and the per-item results of an answer.

Expected outcomes (refused, timed out, held) are values; this error is for a request
that cannot be carried out. Façades turn its code into their own words.
"""

from __future__ import annotations

from dataclasses import dataclass

from clearinghouse.codes import CURSOR, Code


@dataclass(frozen=True, slots=True, kw_only=True)
class Item:
    """What is wrong with one item of a message, in words a partner can act on.

    ``index`` counts from 0 within the list of the message; ``rule`` is an id of the
    rule catalogue such as ``S-208``, ``rule_version`` the version of the catalogue;
    ``path`` names the element below the item, as ``serviceSession/endedAt``. None of
    the texts holds personal data.
    """

    code: Code
    index: int | None = None
    rule: str | None = None
    rule_version: int | None = None
    path: str = ""
    expected: str = ""
    found: str = ""


class ClearingHouseError(Exception):
    """A request that cannot be carried out.

    ``code`` and ``items`` may leave the house, ``detail`` never does.
    """

    def __init__(
        self, code: Code, detail: str = "", items: tuple[Item, ...] = ()
    ) -> None:
        super().__init__(code, detail, items)
        self.code = code
        self.detail = detail
        self.items = items

    def __str__(self) -> str:
        return f"{self.code.name}: {self.detail}" if self.detail else self.code.name


def foreign_cursor() -> ClearingHouseError:
    """Return the refusal of a cursor that no answer of ours had."""
    expected = "nextCursor of an answer to the same question, or no cursor"
    return ClearingHouseError(
        CURSOR, items=(Item(code=CURSOR, path="cursor", expected=expected),)
    )


def no_such_part(code: Code, part: int, parts: int) -> ClearingHouseError:
    """Return the refusal of a part behind the last one."""
    item = Item(code=code, path="part", expected=f"1 to {parts}", found=str(part))
    return ClearingHouseError(code, f"{part} of {parts}", (item,))
