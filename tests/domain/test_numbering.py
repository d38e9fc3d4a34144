"""Document numbers: gapless, and read back as written."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from clearinghouse.domain.numbering import (
    STATEMENT_SERIES,
    DocumentKind,
    DocumentNumber,
    block,
    parse,
    series_key,
    series_of,
)


def test_block_ends_at_the_counter() -> None:
    numbers = block(STATEMENT_SERIES, 2026, last=3, count=2)

    assert [str(number) for number in numbers] == ["ST-2026-000002", "ST-2026-000003"]
    assert series_key(STATEMENT_SERIES, 2026) == "ST-2026"


def test_each_seller_has_series_of_its_own() -> None:
    invoices = series_of(DocumentKind.INVOICE, "DEABC")
    credit_notes = series_of(DocumentKind.CREDIT_NOTE, "DEABC")
    (number,) = block(invoices, 2026, last=1, count=1)

    assert str(number) == "IN-DEABC-2026-000001"
    assert parse("IN-DEABC-2026-000001") == number
    assert credit_notes == "CN-DEABC"
    assert (DocumentKind.INVOICE.value, DocumentKind.INVOICE.sign) == ("380", 1)
    assert (DocumentKind.CREDIT_NOTE.value, DocumentKind.CREDIT_NOTE.sign) == (
        "381",
        -1,
    )


def test_empty_window_takes_no_number() -> None:
    assert block(STATEMENT_SERIES, 2026, last=3, count=0) == []


@pytest.mark.parametrize(("last", "count"), [(1, 2), (3, -1), (10**8, 1)])
def test_impossible_block_is_refused(last: int, count: int) -> None:
    with pytest.raises(ValueError, match="no block"):
        block(STATEMENT_SERIES, 2026, last=last, count=count)


@pytest.mark.parametrize(
    "text", ["", "ST-26-000001", "ST-2026-1", "ST-2026-000001 ", "IN-2026-000001"]
)
def test_other_text_is_no_number(text: str) -> None:
    assert parse(text) is None


@given(st.integers(1, 9_999_999), st.integers(2000, 2999))
def test_numbers_survive_being_written(number: int, year: int) -> None:
    written = DocumentNumber(STATEMENT_SERIES, year, number)

    assert parse(str(written)) == written


@given(st.lists(st.integers(0, 50), max_size=20))
def test_blocks_leave_no_gap(counts: list[int]) -> None:
    last = 0
    numbers: list[int] = []
    for count in counts:
        last += count
        drawn = block(STATEMENT_SERIES, 2026, last=last, count=count)
        numbers.extend(number.number for number in drawn)

    assert numbers == list(range(1, last + 1))
