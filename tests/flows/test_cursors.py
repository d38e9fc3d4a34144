"""Cursors and parts that are none of ours: refused by element, and tell of nobody."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from clearinghouse import codes
from tests.services.test_invoices import NUMBER, make_billed_world

if TYPE_CHECKING:
    from collections.abc import Callable

    from clearinghouse.domain.participants import Participant
    from clearinghouse.services.environment import Environment
    from tests.fixtures.engine import Speaker
    from tests.services.sdr_world import World

    Speaking = Callable[[Participant], Speaker]

FEEDS = (
    ("settlement", "ListStatements", "statement"),
    ("settlement", "ListInvoices", "invoice"),
    ("sdr", "GetSdrs", "sdr"),
    ("sdr", "GetDisputes", "dispute"),
)


@pytest.fixture
def world(env: Environment) -> World:
    return make_billed_world(env)


@pytest.mark.parametrize(
    ("service", "operation", "cursor"),
    [
        *((*feed[:2], cursor) for feed in FEEDS for cursor in ("..", "1.EUR.CHREP")),
        ("settlement", "GetPositions", "1.1"),
        ("settlement", "GetPositions", "9999999999.EUR.CHREP"),
    ],
)
def test_cursor_of_another_operation_is_refused_with_what_is_expected(
    world: World, speaker: Speaking, service: str, operation: str, cursor: str
) -> None:
    answer = speaker(world.csp).call(service, operation, f"<cursor>{cursor}</cursor>")

    assert (answer.is_fault, answer.code) == (True, codes.CURSOR.number)
    (item,) = answer.items
    assert item["path"] == "cursor"
    assert "nextCursor" in item["expected"]


@pytest.mark.parametrize(("service", "operation", "entry"), FEEDS)
def test_cursor_of_another_partner_tells_own_things_only(
    world: World, speaker: Speaking, service: str, operation: str, entry: str
) -> None:
    theirs = speaker(world.csp).call(service, operation)
    stranger = speaker(world.visited_csp)

    for cursor in ("0.1", theirs.required("nextCursor")):
        page = stranger.call(service, operation, f"<cursor>{cursor}</cursor>")

        assert page.code == 0
        assert not page.has(entry)


def test_part_behind_the_last_one_is_refused_with_how_many_there_are(
    world: World, speaker: Speaking
) -> None:
    seller = speaker(world.cso)
    number = f"<documentNumber>{NUMBER}</documentNumber><format>UBL</format>"
    statement = seller.call("settlement", "ListStatements").required("statementId")

    invoice = seller.call("settlement", "GetInvoice", f"{number}<part>2</part>")
    other = seller.call(
        "settlement",
        "GetStatement",
        f"<statementId>{statement}</statementId><format>XML</format><part>2</part>",
    )

    for answer, code in (
        (invoice, codes.DOCUMENT_PART),
        (other, codes.STATEMENT_PART),
    ):
        (item,) = answer.items
        assert answer.code == code.number
        assert (item["path"], item["expected"], item["found"]) == (
            "part",
            "1 to 1",
            "2",
        )
