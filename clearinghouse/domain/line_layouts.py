"""How a line of a document is written, as data: piece by piece.

A document may have a million lines. The database writes them where it reads them, and
we write them again to prove it: both follow the same layout.
"""

from __future__ import annotations

from enum import StrEnum
from typing import NamedTuple


class Writing(StrEnum):
    """How a text enters a document.

    ``AS_IS``: it is ours, or a check has let it in. ``MARKUP``: as content of an XML
    element. ``CELL``: as a field of CSV that no spreadsheet takes for a formula.
    """

    AS_IS = "AS_IS"
    MARKUP = "MARKUP"
    CELL = "CELL"


class Piece(NamedTuple):
    """A field of a line, or none, and what stands before and after it.

    ``only_with``: a field without which all of the piece is left out. ``between``
    stands for each blank inside of the field, which is :attr:`Writing.AS_IS` then.
    """

    field: str
    before: str = ""
    after: str = ""
    writing: Writing = Writing.AS_IS
    only_with: str = ""
    between: str = " "


#: The pieces of a line in order. Fields are those of a statement's line, and its
#: ``number``, ``role``, ``counterparty``, ``claimed``, ``net`` and ``vat_rate`` as
#: texts.
Layout = tuple[Piece, ...]
