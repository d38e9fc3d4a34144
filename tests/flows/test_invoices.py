"""An invoice over SOAP: listed to both sides, fetched, refused to all others."""

from __future__ import annotations

import base64
from hashlib import sha256
from typing import TYPE_CHECKING

import pytest
from lxml import etree

from tests.services.test_invoices import NUMBER, make_billed_world

if TYPE_CHECKING:
    from collections.abc import Callable

    from clearinghouse.domain.participants import Participant
    from clearinghouse.services.environment import Environment
    from tests.fixtures.engine import Speaker
    from tests.services.sdr_world import World


@pytest.fixture
def world(env: Environment) -> World:
    return make_billed_world(env)


def wanted(number: str = NUMBER, fmt: str = "UBL", part: int = 1) -> str:
    """Ask for a document."""
    return (
        f"<documentNumber>{number}</documentNumber><format>{fmt}</format>"
        f"<part>{part}</part>"
    )


@pytest.mark.clause("4.3-I3")
def test_seller_and_buyer_pull_an_invoice(
    world: World, speaker: Callable[[Participant], Speaker]
) -> None:
    seen = []
    for who in (world.cso, world.csp):
        speaking = speaker(who)
        listed = speaking.call("settlement", "ListInvoices")
        got = speaking.call("settlement", "GetInvoice", wanted())

        assert (listed.code, got.code) == (0, 0)
        assert listed.required("documentNumber") == NUMBER
        assert listed.required("kind") == "INVOICE"
        assert listed.required("gross") == "13.67"
        content = base64.b64decode(got.required("content"))
        assert got.required("digest") == sha256(content).hexdigest()
        assert etree.QName(etree.fromstring(content)).localname == "Invoice"
        cursor = f"<cursor>{listed.required('nextCursor')}</cursor>"
        later = speaking.call("settlement", "ListInvoices", cursor)
        assert not later.has("documentNumber")
        seen.append(content)
    assert seen[0] == seen[1]


def test_other_partners_and_wrong_parts_are_refused(
    world: World, speaker: Callable[[Participant], Speaker]
) -> None:
    other, seller = speaker(world.other_csp), speaker(world.cso)

    assert not other.call("settlement", "ListInvoices").has("documentNumber")
    assert other.call("settlement", "GetInvoice", wanted()).code == 744
    assert seller.call("settlement", "GetInvoice", wanted(part=2)).code == 745
    unknown = wanted("IN-CHREP-2026-000009")
    assert seller.call("settlement", "GetInvoice", unknown).code == 744
