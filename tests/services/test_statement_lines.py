"""Lines of statements: what the database writes is what we write, to the byte."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from lxml import etree
from sqlalchemy import bindparam, text
from sqlalchemy.dialects.postgresql import JSONB

from clearinghouse.contract.catalogue import Contract
from clearinghouse.domain.line_layouts import Piece, Writing
from clearinghouse.domain.statements import (
    Audit,
    CounterpartyTotal,
    Direction,
    Statement,
    StatementFormat,
    TaxedShare,
    counted,
)
from clearinghouse.domain.vat import VatCategory
from clearinghouse.reports.lines import LineNumbers
from clearinghouse.reports.writers import document_writers
from clearinghouse.soap.parser import parse_own
from clearinghouse.storage import statement_lines, statements
from tests.services.sdr_world import World, make_world

if TYPE_CHECKING:
    from sqlalchemy import Connection

    from clearinghouse.services.environment import Environment

SINCE = datetime(2026, 11, 1, tzinfo=UTC)
HOSTILE = ("&<>\"'", "=1+1", "-1", "+a,b", '@"x"', "a\rb\nc\td", "é\u2028\U0001f50c")

TEXTS = st.one_of(
    st.sampled_from(HOSTILE),
    st.text(st.characters(codec="utf-8", exclude_characters="\0"), max_size=12),
    st.text("&<>\"'=+-@,;\r\n\t\x01\x1f\ufffe\uffff\\%{}a ", max_size=12),
)
NAMES = st.text("AZaz09._:*-", min_size=1, max_size=6)

#: Changes to the row of an SDR; those of a text beside.
ROWS = st.fixed_dictionaries(
    {
        "evse": TEXTS,
        "sdr_uid": NAMES,
        "second": st.integers(0, 3),
        "microsecond": st.sampled_from((0, 1, 10, 120_000, 999_999)),
        "energy_wh": st.integers(-(10**12), 10**12),
        "idle_seconds": st.integers(0, 10**9),
        "claimed_minor": st.integers(-(10**12), 10**12),
        "net_minor": st.integers(0, 10**12),
        "rule_codes": st.sampled_from(("", "S-304", "S-301 S-304 S-404")),
        "match_kind": st.sampled_from((None, "SESSION_ID")),
        "has_session": st.booleans(),
        "kind": st.sampled_from(("ORIGINAL", "CREDIT", "REPLACEMENT")),
        "corrects": st.sampled_from((1, 999)),
        "of_before": st.booleans(),
        "vat_category": st.sampled_from(("S", "AE")),
        "vat_rate_bp": st.sampled_from((0, 705, 1900)),
        "is_payable": st.booleans(),
    }
)


@pytest.fixture
def world(env: Environment) -> World:
    return make_world(env)


def _insert(tx: Connection, world: World, rows: list[dict[str, Any]]) -> None:
    """Add SDRs as no intake would let them in, like the first one but for changes."""
    for number, given_row in enumerate(rows, start=1_000):
        row = dict(given_row)
        started_at = SINCE + timedelta(
            seconds=row.pop("second"), microseconds=row.pop("microsecond")
        )
        before, corrects = row.pop("of_before"), row.pop("corrects")
        if not row.pop("has_session"):
            row["session_id"] = None
        if row["kind"] != "ORIGINAL":
            row |= {"ref_window_id": 99 if before else 1, "ref_sdr_no": corrects}
        if row["kind"] == "CREDIT":
            row["net_minor"] = -row["net_minor"]
        sides = (world.cso, world.csp)
        if row.pop("is_payable"):
            sides = (world.csp, world.cso)
        row |= {
            "sdr_no": number,
            "sdr_uid": f"{row['sdr_uid']}{number}",
            "submitter_id": sides[0].participant_id,
            "csp_id": sides[1].participant_id,
            "started_at": started_at.isoformat(),
            "ended_at": (started_at + timedelta(minutes=40)).isoformat(),
        }
        tx.execute(
            text("""
                INSERT INTO clearing.sdr
                SELECT (jsonb_populate_record(s, CAST(:row AS jsonb)
                        || jsonb_build_object('detail', s.detail || :detail))).*
                FROM clearing.sdr AS s WHERE s.sdr_no = 1
            """).bindparams(bindparam("detail", type_=JSONB)),
            {"detail": {"evse": row.pop("evse")}, "row": json.dumps(row)},
        )


def _facts(tx: Connection, world: World) -> Statement:
    """Return the CSO's statement, with documents for some of what may come."""
    numbers = tx.execute(text("SELECT statement_id FROM clearing.statement")).scalars()
    found = [statements.statement_facts(tx, number) for number in list(numbers)]
    (facts,) = [
        one for one in found if one and one.participant_id == world.cso.participant_id
    ]
    shares = (
        TaxedShare("IN-CHREP-2026-000001", VatCategory("AE"), 0, 0, 0),
        TaxedShare("CN-CHREP-2026-000002", VatCategory("AE"), 0, 0, 0),
        TaxedShare("IN-CHREP-2026-000003", VatCategory("S"), 1900, 0, 0),
    )
    totals = tuple(
        CounterpartyTotal(
            party_id=world.csp.party_id,
            name="CSP",
            direction=direction,
            sdr_count=0,
            energy_wh=0,
            net_minor=0,
            taxed=shares,
        )
        for direction in Direction
    )
    return replace(facts, counterparties=totals, window_label='a,"=<&>')


def _both_ways(tx: Connection, facts: Statement) -> tuple[list[Any], list[Any]]:
    """Return all that the database wrote and counted, and all that we do."""
    there, here = document_writers(facts, None), document_writers(facts, None)
    layouts = [layout for writer in there.values() for layout in writer.layouts]
    theirs = {fmt: writer.head() for fmt, writer in there.items()}
    ours = dict(theirs)
    their_audit, our_audit = Audit(facts), Audit(facts)
    for batch in statement_lines.written_lines(tx, facts, layouts):
        count = len(batch.counted)
        xml, proof, csv = batch.texts
        theirs[StatementFormat.XML] += there[StatementFormat.XML].written(
            (xml, proof), count
        )
        theirs[StatementFormat.CSV] += there[StatementFormat.CSV].written((csv,), count)
        their_audit.add(batch.counted)
    numbers = LineNumbers(facts)
    for lines in statement_lines.lines_of(tx, facts):
        texts = numbers.texts(lines)
        for fmt, writer in here.items():
            ours[fmt] += writer.lines(texts)
        our_audit.add(map(counted, lines))
    ends = [
        [said[fmt] + writers[fmt].foot() for fmt in said]
        for said, writers in ((theirs, there), (ours, here))
    ]
    return (
        [*ends[0], their_audit.violations()],
        [*ends[1], our_audit.violations()],
    )


@pytest.mark.parametrize("writing", [Writing.MARKUP, Writing.CELL])
def test_text_with_something_for_its_blanks_is_never_written_unescaped(
    closed: World, writing: Writing
) -> None:
    layout = (Piece("rules", between=", ", writing=writing),)

    with closed.env.database.begin_read_only() as tx:
        facts = _facts(tx, closed)
        with pytest.raises(ValueError, match=r"rules would stand .* unescaped"):
            next(statement_lines.written_lines(tx, facts, [layout]))


PLAIN = {
    "evse": "DE*ABC*E1",
    "sdr_uid": "A",
    "second": 0,
    "microsecond": 0,
    "energy_wh": 1,
    "idle_seconds": 0,
    "claimed_minor": 5,
    "net_minor": 5,
    "rule_codes": "",
    "match_kind": None,
    "has_session": False,
    "kind": "CREDIT",
    "corrects": 1,
    "of_before": True,
    "vat_category": "AE",
    "vat_rate_bp": 0,
    "is_payable": True,
}


@settings(
    max_examples=60,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(
    rows=st.lists(ROWS, min_size=1, max_size=5),
    layout=st.sampled_from((1, 2)),
    gross_minor=st.sampled_from((None, 0)),
    currency=st.sampled_from(("EUR", "JPY", "KWD")),
)
@example(
    rows=[PLAIN | {"evse": word} for word in HOSTILE],
    layout=2,
    gross_minor=0,
    currency="EUR",
)
def test_the_database_writes_the_bytes_that_we_write(
    closed: World,
    rows: list[dict[str, Any]],
    layout: int,
    gross_minor: int | None,
    currency: str,
) -> None:
    with closed.env.database.begin() as tx:
        facts = replace(
            _facts(tx, closed),
            layout=layout,
            gross_minor=gross_minor,
            currency=currency,
        )
        inserted = tx.begin_nested()
        _insert(tx, closed, [row | {"currency": currency} for row in rows])
        theirs, ours = _both_ways(tx, facts)
        written = theirs[0].count(b"<line>")
        inserted.rollback()

    assert theirs == ours
    assert written == len(rows) + (currency == "EUR")


@pytest.fixture
def closed(world: World) -> World:
    world.submit([world.session()])
    world.close()
    return world


def test_lines_are_numbered_through_all_batches(
    closed: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(statement_lines, "LINES_PER_BATCH", 2)
    rows = [PLAIN | {"second": 9 - place} for place in range(7)]
    with closed.env.database.begin() as tx:
        _insert(tx, closed, rows)
        theirs, ours = _both_ways(tx, _facts(tx, closed))

    root = parse_own(theirs[0])
    names = {"s": "urn:clearinghouse:iec63119:statement:1"}
    numbers = root.xpath("s:line/s:lineNo/text()", namespaces=names)
    starts = root.xpath("s:line/s:startedAt/text()", namespaces=names)
    assert theirs == ours
    assert numbers == [str(number) for number in range(1, 9)]
    assert starts == sorted(starts)


def test_what_the_database_writes_is_valid_and_its_own_canonical_form(
    closed: World,
) -> None:
    hostile = {word for word in HOSTILE if word.isascii()}
    with closed.env.database.begin() as tx:
        _insert(tx, closed, [PLAIN | {"evse": word} for word in hostile])
        facts = replace(_facts(tx, closed), window_label="2026-11")
        (xml, *_), _ = _both_ways(tx, facts)

    root = parse_own(xml)

    _, _, body = xml.partition(b"\n")
    canonical = etree.tostring(root, method="c14n", exclusive=True)
    assert canonical == body.rstrip(b"\n")
    names = {"s": "urn:clearinghouse:iec63119:statement:1"}
    seen = set(root.xpath("s:line/s:evseId/text()", namespaces=names))
    assert hostile <= seen
    Contract.load().schema("statement").assertValid(root)
