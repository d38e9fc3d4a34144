"""Payments of SEPA: what can be paid, in which letters, and in which file."""

from __future__ import annotations

import re
from dataclasses import replace
from datetime import date

import pytest
from hypothesis import given
from hypothesis import strategies as st

from clearinghouse.domain.payments import (
    BankAccount,
    Mandate,
    PaymentInstruction,
    by_file,
    obstacles,
    sepa_text,
)

HUB = BankAccount(
    party_id="HUB",
    name="Clearing & Roaming",
    iban="DE89370400440532013000",
    bic="COBADEFFXXX",
)
OTHER = BankAccount(
    party_id="FRXYZ", name="Mobilité SA", iban="FR1420041010050500013M02606"
)
PAYMENT = PaymentInstruction(
    end_to_end_id="R1-FRXYZ-1",
    payer=HUB,
    payee=OTHER,
    currency="EUR",
    amount_minor=35_026,
    remittance="Settlement run 1",
)
MANDATE = Mandate(
    mandate_id="M-1", signed_on=date(2026, 1, 2), creditor_id="DE98ZZZ09999999999"
)


def test_payment_that_sepa_carries_has_no_obstacle() -> None:
    assert obstacles([PAYMENT]) == ()
    assert obstacles([replace(PAYMENT, mandate=MANDATE)]) == ()


@pytest.mark.parametrize(
    ("changed", "told"),
    [
        (
            replace(PAYMENT, payee=replace(OTHER, iban="")),
            "FRXYZ: the IBAN in its billing profile",
        ),
        (
            replace(PAYMENT, payee=replace(OTHER, iban="FR1420041010050500013M02607")),
            "FRXYZ: an IBAN whose check digits fit",
        ),
        (
            replace(PAYMENT, payee=replace(OTHER, iban="TR330006100519786457841326")),
            "FRXYZ: an account in a SEPA country",
        ),
        (
            replace(PAYMENT, payer=replace(HUB, bic="COBA")),
            "HUB: a BIC of 8 or 11 characters",
        ),
        (
            replace(PAYMENT, payer=replace(HUB, name="//")),
            "HUB: a name in Latin letters",
        ),
        (
            replace(PAYMENT, currency="SEK"),
            "R1-FRXYZ-1: SEK is not paid by SEPA, only EUR",
        ),
        (replace(PAYMENT, amount_minor=0), "R1-FRXYZ-1: an amount above zero"),
        (
            replace(PAYMENT, end_to_end_id="/R1"),
            "/R1: an end-to-end id of at most 35 SEPA letters",
        ),
        (
            replace(PAYMENT, mandate=replace(MANDATE, creditor_id="")),
            "HUB: the creditor identifier of who collects",
        ),
        (
            replace(PAYMENT, mandate=replace(MANDATE, mandate_id="ü")),
            "HUB: a mandate id of at most 35 SEPA letters",
        ),
    ],
)
def test_what_keeps_a_payment_from_sepa_is_named(
    changed: PaymentInstruction, told: str
) -> None:
    assert obstacles([changed]) == (told,)


def test_every_obstacle_is_told_once() -> None:
    bad = replace(OTHER, iban="")
    found = obstacles(
        [
            replace(PAYMENT, payee=bad),
            replace(PAYMENT, payee=bad, currency="SEK"),
        ]
    )

    assert found == (
        "FRXYZ: the IBAN in its billing profile",
        "R1-FRXYZ-1: SEK is not paid by SEPA, only EUR",
        "an end-to-end id stands twice",
    )


def test_each_payer_has_a_file_and_the_collector_one_for_its_mandates() -> None:
    back = replace(PAYMENT, end_to_end_id="R1-HUB-2", payer=OTHER, payee=HUB)
    collected = replace(back, end_to_end_id="R1-FRXYZ-3", mandate=MANDATE)

    files = by_file([back, PAYMENT, collected])

    assert list(files) == [("FRXYZ", False), ("HUB", False), ("HUB", True)]
    assert files["HUB", True] == [collected]


@given(text=st.text(max_size=60), longest=st.integers(1, 140))
def test_any_text_becomes_one_that_banks_take(text: str, longest: int) -> None:
    found = sepa_text(text, longest)

    assert re.fullmatch(r"[A-Za-z0-9/?:().,'+ -]*", found)
    assert len(found) <= longest
    assert "//" not in found
    assert not found.startswith("/")
    assert sepa_text(found, longest) == found
