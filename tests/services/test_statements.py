"""Statements: issued once, the same bytes again, adding up, handed out in parts."""

from __future__ import annotations

import csv
import functools
import io
from dataclasses import replace
from decimal import Decimal
from hashlib import sha256
from threading import Event, current_thread
from typing import TYPE_CHECKING

import pytest
from lxml import etree
from sqlalchemy import text

from clearinghouse import codes
from clearinghouse.contract.catalogue import Contract
from clearinghouse.domain.errors import ClearingHouseError
from clearinghouse.domain.sdrs import SdrKind, Verdict
from clearinghouse.domain.statements import StatementFormat
from clearinghouse.services import sdrs, settlement, statements
from clearinghouse.services.sdrs import Word
from clearinghouse.services.statement_signatures import made_with
from clearinghouse.soap.parser import parse_own
from clearinghouse.storage.statements import NewStatement
from clearinghouse.storage.tables import settlement as books
from tests.builders import make_sender
from tests.services.sdr_world import World, count_of, make_world, message
from tests.services.settling import Debt, book_debts
from tests.waiting import PATIENCE_SECONDS

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from sqlalchemy import Connection

    from clearinghouse.domain.participants import Participant
    from clearinghouse.reports.xml_signature import Sign
    from clearinghouse.services.environment import Environment
    from clearinghouse.storage.statements import Issued

NAMESPACE = {"s": "urn:clearinghouse:iec63119:statement:1"}


@pytest.fixture
def world(env: Environment) -> World:
    return make_world(env)


@pytest.fixture(scope="module")
def schema() -> etree.XMLSchema:
    return Contract.load().schema("statement")


def _listed(world: World, who: Participant) -> tuple[Issued, ...]:
    page = statements.list_statements(
        world.env, make_sender(who), cursor=None, limit=200
    )
    return page.items


def _fetch(
    world: World, who: Participant, fmt: StatementFormat, place: int = 0
) -> bytes:
    issued = _listed(world, who)[place]
    whole, part = b"", 0
    while True:
        part += 1
        got = statements.get_statement(
            world.env, make_sender(who), issued.statement_id, fmt=fmt, part=part
        )
        whole += got.content
        if part == got.parts:
            assert sha256(whole).digest() == got.digest
            return whole


def _amounts(root: etree._Element, path: str) -> list[Decimal]:
    found = root.findall(path, NAMESPACE)
    return [Decimal(element.text or "") for element in found]


@pytest.mark.clause("4.3-I3")
def test_a_statement_is_valid_and_its_lines_sum_to_its_totals(
    world: World, schema: etree.XMLSchema
) -> None:
    world.submit([world.session(), world.session(), world.session(world.other_csp)])
    world.close()

    root = etree.fromstring(_fetch(world, world.cso, StatementFormat.XML))

    schema.assertValid(root)
    net = sum(_amounts(root, "s:line/s:net"))
    assert net == Decimal("34.47")
    assert _amounts(root, "s:totals/s:receivable") == [net]
    assert _amounts(root, "s:totals/s:net") == [net]
    assert sum(_amounts(root, "s:position/s:net")) == net
    assert sum(_amounts(root, "s:sessionMonth/s:net")) == net
    assert sum(_amounts(root, "s:line/s:energyWh")) == sum(
        _amounts(root, "s:totals/s:energyWh")
    )
    numbers = _amounts(root, "s:line/s:lineNo")
    assert numbers == [1, 2, 3]


def test_the_digest_in_the_document_is_that_of_its_lines(world: World) -> None:
    world.submit([world.session(), world.session()])
    world.close()

    root = etree.fromstring(_fetch(world, world.csp, StatementFormat.XML))

    names = [
        "lineNo",
        "role",
        "counterpartyId",
        "submitterId",
        "sdrId",
        "energyWh",
        "net",
    ]
    lines = "".join(
        ";".join(line.findtext(f"s:{name}", "", NAMESPACE) for name in names) + "\n"
        for line in root.findall("s:line", NAMESPACE)
    )
    stated = root.findtext("s:digest/s:value", None, NAMESPACE)
    assert stated == sha256(lines.encode()).hexdigest()


@pytest.mark.clause("4.3-I3")
def test_the_statements_of_all_participants_sum_to_zero(world: World) -> None:
    world.submit([world.session(), world.session(), world.session(world.other_csp)])
    book_debts(world, [Debt(world.cso, world.visited_csp, 3_33)])
    world.close()

    nets = [
        sum(
            _amounts(
                etree.fromstring(_fetch(world, who, StatementFormat.XML)),
                "s:totals/s:net",
            )
        )
        for who in (world.cso, world.csp, world.other_csp, world.visited_csp)
    ]

    assert nets == [
        Decimal("31.14"),
        Decimal("-22.98"),
        Decimal("-11.49"),
        Decimal("3.33"),
    ]
    assert sum(nets) == 0


def test_rendered_again_it_is_the_same_to_the_byte(world: World) -> None:
    world.submit([world.session(), world.session(world.other_csp)])
    world.close()
    issued = {fmt: _fetch(world, world.cso, fmt) for fmt in statements.DOCUMENTS}
    (listed,) = _listed(world, world.cso)

    again = dict.fromkeys(statements.DOCUMENTS, b"")
    with world.env.database.begin_read_only() as tx:
        sign = made_with(world.env.signer.key())
        for fmt, data in statements.render(tx, listed.statement_id, sign):
            again[fmt] += data

    assert again == issued
    assert statements.verify(world.env, listed.statement_id) == ()


@pytest.mark.parametrize("fmt", [StatementFormat.PDF, StatementFormat.HTML])
def test_a_form_for_people_is_made_once_when_it_is_asked_for(
    world: World, fmt: StatementFormat
) -> None:
    world.submit([world.session()])
    world.close()
    before = count_of(world, books.statement_rendering)

    first = _fetch(world, world.cso, fmt)

    assert _fetch(world, world.cso, fmt) == first
    assert count_of(world, books.statement_rendering) == before + 1
    (listed,) = _listed(world, world.cso)
    assert statements.verify(world.env, listed.statement_id) == ()


def test_a_later_change_of_name_does_not_change_the_statement(world: World) -> None:
    world.submit([world.session()])
    world.close()
    with world.env.database.begin() as tx:
        tx.execute(
            text("UPDATE clearing.participant SET name = 'Renamed', status = status")
        )

    for who in (world.cso, world.csp):
        (listed,) = _listed(world, who)
        assert statements.verify(world.env, listed.statement_id) == ()


def test_a_rejected_sdr_is_on_no_statement(world: World) -> None:
    kept, gone = world.session(), world.session()
    world.submit([kept, gone])
    sdrs.confirm_sdrs(
        world.env,
        message(make_sender(world.csp), operation="ConfirmSdrs"),
        [Word(submitter_party="CHREP", sdr_id=gone.sdr_id, verdict=Verdict.REJECTED)],
        lambda _: b"",
    )
    world.close()

    root = etree.fromstring(_fetch(world, world.csp, StatementFormat.XML))

    ids = [line.text for line in root.findall("s:line/s:sdrId", NAMESPACE)]
    assert ids == [kept.sdr_id]


def test_a_statement_that_does_not_add_up_is_not_issued(world: World) -> None:
    world.submit([world.session()])
    settlement.close_window(world.env, next_label="2026-12")
    _add_behind_our_back(world)

    with pytest.raises(ClearingHouseError) as caught:
        statements.issue_pending(world.env)

    assert caught.value.code is codes.PROOF_FAILED
    assert _listed(world, world.cso) == ()


def _add_behind_our_back(world: World) -> None:
    insert = text("""
        INSERT INTO clearing.sdr
        SELECT window_id, sdr_no + 1000, submitter_id, sdr_uid || 'x', csp_id, cso_id,
               batch_id, record_no, status, session_id, subject_id, evse_key,
               started_at, ended_at, start_offset_minutes, energy_wh, charge_seconds,
               idle_seconds, parking_seconds, tariff_version_id, engine_version,
               currency, net_minor, claimed_minor, rule_codes, content_digest, detail,
               received_at
        FROM clearing.sdr
    """)
    with world.env.database.begin() as tx:
        tx.execute(insert)


def test_the_csv_has_one_line_for_each_sdr(world: World) -> None:
    records = [world.session(), world.session()]
    world.submit(records)
    world.close()

    data = _fetch(world, world.cso, StatementFormat.CSV).decode()
    rows = list(csv.DictReader(io.StringIO(data, newline="")))

    assert "\r\n" in data
    assert sorted(row["sdrId"] for row in rows) == sorted(r.sdr_id for r in records)
    assert {row["net"] for row in rows} == {"11.49"}
    assert {row["role"] for row in rows} == {"RECEIVABLE"}


def test_a_line_says_what_it_corrects_and_how_its_session_was_found(
    world: World,
) -> None:
    record = world.session()
    world.submit([record])
    first_window = world.close().window.window_id
    credit = replace(
        record, sdr_id="CREDIT-1", kind=SdrKind.CREDIT, ref_sdr_id=record.sdr_id
    )
    world.submit([credit])
    world.close("2027-01")

    xml = parse_own(_fetch(world, world.cso, StatementFormat.XML, -1))
    text = _fetch(world, world.cso, StatementFormat.CSV, -1).decode()

    (line,) = csv.DictReader(io.StringIO(text, newline=""))
    names = ("kind", "reference", "referenceWindow", "matchKind")
    expected = ["CREDIT", record.sdr_id, str(first_window), "SESSION_ID"]
    assert [line[name] for name in names] == expected
    in_xml = [xml.findtext(f"s:line/s:{name}", None, NAMESPACE) for name in names]
    assert in_xml == expected


def test_a_statement_that_was_booked_before_is_still_made_in_its_old_layout(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = functools.partial(NewStatement, layout=1)
    monkeypatch.setattr("clearinghouse.services.settlement.NewStatement", before)
    world.submit([world.session()])
    world.close()

    (issued,) = _listed(world, world.cso)
    xml = _fetch(world, world.cso, StatementFormat.XML)
    heading, _ = _fetch(world, world.cso, StatementFormat.CSV).split(b"\r\n", 1)

    assert b"<kind>" not in xml
    assert heading.endswith(b",vatCategory,vatRate,document")
    assert statements.verify(world.env, issued.statement_id) == ()


def test_a_long_statement_comes_in_parts_of_a_mebibyte(world: World) -> None:
    book_debts(world, [Debt(world.csp, world.cso, n) for n in range(1, 5_001)])
    world.close()
    (issued,) = _listed(world, world.cso)
    sender = make_sender(world.cso)

    first = statements.get_statement(
        world.env, sender, issued.statement_id, fmt=StatementFormat.XML, part=1
    )

    assert first.parts > 1
    assert len(first.content) == statements.PART_BYTES
    whole = _fetch(world, world.cso, StatementFormat.XML)
    assert -(-len(whole) // statements.PART_BYTES) == first.parts
    assert sha256(whole).digest() == issued.digest
    with pytest.raises(ClearingHouseError) as caught:
        statements.get_statement(
            world.env,
            sender,
            issued.statement_id,
            fmt=StatementFormat.XML,
            part=first.parts + 1,
        )
    assert caught.value.code is codes.STATEMENT_PART


@pytest.mark.clause("8-min")
def test_nobody_gets_the_statement_of_another(world: World) -> None:
    world.submit([world.session()])
    world.close()
    (mine,) = _listed(world, world.cso)

    for stranger in (world.csp, world.other_csp):
        with pytest.raises(ClearingHouseError) as caught:
            statements.get_statement(
                world.env,
                make_sender(stranger),
                mine.statement_id,
                fmt=StatementFormat.XML,
                part=1,
            )
        assert caught.value.code is codes.STATEMENT_UNKNOWN


def test_the_list_goes_on_from_its_cursor(world: World) -> None:
    sender = make_sender(world.cso)
    world.submit([world.session()])
    world.close("2026-12")
    first = statements.list_statements(world.env, sender, cursor=None, limit=1)
    world.submit([world.session()])
    world.close("2027-01")

    second = statements.list_statements(
        world.env, sender, cursor=str(first.cursor), limit=1
    )

    assert [one.window_label for one in first.items] == ["2026-11"]
    assert [one.window_label for one in second.items] == ["2026-12"]
    assert (first.more, second.more) == (False, False)


def test_issuing_twice_at_once_issues_one_document(world: World) -> None:
    world.submit([world.session()])
    world.close()
    (issued,) = _listed(world, world.cso)

    assert statements.issue(world.env, issued.statement_id) is False
    assert statements.issue_pending(world.env) == 0


def _closed_with_many_lines(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> tuple[Participant, ...]:
    """Close a window with three statements, which are rendered at once."""
    world.submit([world.session(), world.session(world.other_csp)])
    settlement.close_window(world.env, next_label="2026-12")
    monkeypatch.setattr(statements, "MANY_LINES", 1)
    return world.cso, world.csp, world.other_csp


def test_statements_with_many_lines_are_rendered_at_once_to_the_same_bytes(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    everybody = _closed_with_many_lines(world, monkeypatch)
    threads = set()
    issue = statements.issue

    def noted(env: Environment, statement_id: str, given_up: Event | None) -> bool:
        threads.add(current_thread().name)
        return issue(env, statement_id, given_up)

    monkeypatch.setattr(statements, "issue", noted)

    assert statements.issue_pending(world.env) == 3
    assert current_thread().name not in threads
    for who in everybody:
        (issued,) = _listed(world, who)
        assert statements.verify(world.env, issued.statement_id) == ()


def test_when_one_of_many_statements_fails_the_others_are_given_up(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    everybody = _closed_with_many_lines(world, monkeypatch)
    has_begun, has_failed = Event(), Event()
    render = statements.render

    def one_fails(
        tx: Connection, statement_id: str, sign: Sign | None
    ) -> Iterator[tuple[StatementFormat, bytes]]:
        if statement_id.endswith("1"):
            assert has_begun.wait(PATIENCE_SECONDS)
            raise ClearingHouseError(codes.PROOF_FAILED, statement_id)
        for piece in render(tx, statement_id, sign):
            has_begun.set()
            assert has_failed.wait(PATIENCE_SECONDS)
            yield piece

    class Told(Event):
        def set(self) -> None:
            super().set()
            has_failed.set()

    monkeypatch.setattr(statements, "render", one_fails)
    monkeypatch.setattr(statements, "Event", Told)

    with pytest.raises(ClearingHouseError) as caught:
        statements.issue_pending(world.env)

    assert caught.value.code is codes.PROOF_FAILED
    assert [_listed(world, who) for who in everybody] == [(), (), ()]


def test_exports_the_statements_of_a_window_to_files(
    world: World, tmp_path: Path
) -> None:
    world.submit([world.session()])
    window = world.close().window

    paths = statements.export_statements(
        world.env, window.window_id, tmp_path / "statements"
    )

    assert sorted(path.name for path in paths) == [
        f"{name}.{suffix}"
        for name in ("ST-2026-000001-CHREP-EUR", "ST-2026-000002-DEABC-EUR")
        for suffix in ("csv", "html", "pdf", "xml")
    ]
    xml = (tmp_path / "statements" / "ST-2026-000001-CHREP-EUR.xml").read_bytes()
    assert xml == _fetch(world, world.cso, StatementFormat.XML)


def test_refuses_to_export_an_unknown_window(world: World, tmp_path: Path) -> None:
    with pytest.raises(ClearingHouseError) as caught:
        statements.export_statements(world.env, 404, tmp_path)

    assert caught.value.code is codes.WINDOW_UNKNOWN
