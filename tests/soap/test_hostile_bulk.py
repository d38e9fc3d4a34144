"""Batches that mean harm: to be something else, or to fill the memory."""

from __future__ import annotations

import pytest

from tests.soap.desk import Desk, batch

pytestmark = pytest.mark.clause("7.1-protect")


def test_envelope_in_something_else_is_none(desk: Desk) -> None:
    """H43: the root is the envelope."""
    data = batch(3)
    start = data.index(b"<soap:Envelope")

    answer = desk.post(data[:start] + b"<foo>" + data[start:] + b"</foo>")

    assert answer.code == "CH.SOAP"
    assert desk.calls == []


def test_refused_records_are_bounded_together(desk: Desk) -> None:
    """H32: their names would fill the memory."""

    def names(number: int, _record: bytes) -> bytes:
        found = b"".join(b"<n%d-%d/>" % (number, place) for place in range(15_000))
        opening = b"<sdr:serviceDetailRecord>"
        return opening + found + opening.replace(b"<", b"</")

    desk.keep = False

    answer = desk.post(batch(60, names))

    assert answer.code == "CH.XML.LIMIT"
    assert desk.count < 60
