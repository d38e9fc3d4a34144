"""Signed meter values for the transparency software: what an EV user checks by itself.

The container of S.A.F.E.: one ``value`` for each signed value, in order, each with the
public key to check it with. Values of one charging transaction have one number. What
was sent stands in it as it was sent, to the byte, with no white space around it.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

from clearinghouse.reports.text import escape


class TransparencyValue(NamedTuple):
    """One signed value: text and encoding as they were sent.

    ``transaction``: number of the charging transaction in the SDR, from one.
    ``context``: ``Transaction.Begin``, ``Transaction.End``, or nothing for a value that
    holds both or none of them.
    """

    transaction: int
    context: str
    format: str
    encoding: str
    data: str
    public_key: str | None


def render(values: Iterable[TransparencyValue]) -> bytes:
    """Return the document in UTF-8; the same values give the same bytes."""
    parts = ['<?xml version="1.0" encoding="UTF-8"?>\n<values>\n']
    for one in values:
        context = f' context="{one.context}"' if one.context else ""
        parts.append(f'  <value transactionId="{one.transaction}"{context}>\n')
        parts.append(
            f'    <signedData format="{one.format}" encoding="{one.encoding}">'
            f"{escape(one.data)}</signedData>\n"
        )
        if one.public_key is not None:
            parts.append(
                f'    <publicKey encoding="plain">{one.public_key}</publicKey>\n'
            )
        parts.append("  </value>\n")
    parts.append("</values>\n")
    return "".join(parts).encode()
