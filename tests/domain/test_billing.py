"""Billing profiles: what is refused, which version counts, what an invoice lacks."""

from __future__ import annotations

from dataclasses import replace
from datetime import date
from typing import Any

import pytest

from clearinghouse.domain import billing
from tests.builders import make_profile


def test_whole_profile_has_no_problem_and_no_gap() -> None:
    profile = make_profile()

    assert billing.problems(profile) == ()
    assert billing.gaps(profile) == ()


@pytest.mark.parametrize(
    ("override", "path"),
    [
        ({"legal_name": ""}, "legalName"),
        ({"legal_name": "two\nlines"}, "legalName"),
        ({"street": " "}, "street"),
        ({"city": "x" * 101}, "city"),
        ({"postcode": "1" * 17}, "postcode"),
        ({"country": "de"}, "country"),
        ({"country": "ZZ"}, "country"),
        ({"contact_email": "nobody"}, "contactEmail"),
        ({"contact_email": "a@b@c.example"}, "contactEmail"),
        ({"contact_email": "x" * 250 + "@a.example"}, "contactEmail"),
        ({"vat_id": "DE136695977"}, "vatId"),
        ({"vat_id": "136695976"}, "vatId"),
        ({"vat_id": "ZZ136695976"}, "vatId"),
        ({"vat_id": None}, "vatId"),
        ({"tax_number": "a\u202eb"}, "taxNumber"),
        ({"iban": "DE89370400440532013001"}, "iban"),
        ({"iban": "DE89 3704 0044 0532 0130 00"}, "iban"),
        ({"iban": None}, "iban"),
        ({"bic": "COBA"}, "bic"),
    ],
)
def test_wrong_field_is_named_with_what_it_should_be(
    override: dict[str, Any], path: str
) -> None:
    (problem,) = billing.problems(make_profile(**override))

    assert problem.path == path
    assert problem.expected


def test_all_that_is_wrong_is_told_at_once() -> None:
    profile = make_profile(city="", iban="x", vat_id="y", contact_email="z")

    paths = {problem.path for problem in billing.problems(profile)}

    assert paths == {"city", "iban", "vatId", "contactEmail"}


@pytest.mark.parametrize(
    "vat_id",
    [
        "DE136695976",
        "ATU13585627",
        "BE0428759497",
        "NL004495445B01",
        "FR40303265045",
        "EL094259216",
        "CHE107787577MWST",
        "NO995525828MVA",
        "GB980780684",
        "LI12345",
    ],
)
def test_vat_id_of_its_country_is_known(vat_id: str) -> None:
    assert billing.is_vat_id(vat_id)


def test_vat_id_names_its_country_also_where_the_letters_differ() -> None:
    assert billing.vat_country("EL094259216") == "GR"
    assert billing.vat_country("XI980780684") == "GB"
    assert billing.vat_country("ATU13585627") == "AT"


def test_version_stored_last_counts_from_its_day_on() -> None:
    first = make_profile(version=1)
    moved = replace(first, version=2, valid_from=date(2026, 7, 1), city="Bonn")
    corrected = replace(first, version=3, valid_from=date(2026, 6, 1), city="Ulm")
    versions = [first, moved, corrected]

    def city_on(on: date) -> str | None:
        found = billing.profile_in_force(versions, on)
        return None if found is None else found.city

    assert city_on(date(2019, 12, 31)) is None
    assert city_on(date(2026, 5, 31)) == "Berlin"
    assert city_on(date(2026, 6, 1)) == "Ulm"
    assert city_on(date(2026, 8, 1)) == "Ulm"


def test_gaps_say_what_an_invoice_waits_for() -> None:
    poor = make_profile(vat_id=None, is_taxable_dealer=False, iban=None, bic=None)

    assert billing.gaps(None) == ("billing profile",)
    assert billing.gaps(poor) == ("VAT id or tax number", "IBAN")
    assert billing.gaps(replace(poor, tax_number="30/123/45678")) == ("IBAN",)


IBAN, OTHER = "DE89370400440532013000", "DE75512108001245126199"
TODAY, NEXT_YEAR = date(2026, 12, 1), date(2027, 1, 1)


@pytest.mark.parametrize(
    ("known", "following", "moves"),
    [
        ([], (OTHER, TODAY), True),
        ([], (None, TODAY), False),
        ([(None, TODAY)], (OTHER, TODAY), True),
        ([(IBAN, TODAY)], (OTHER, TODAY), True),
        ([(IBAN, TODAY), (OTHER, TODAY)], (OTHER, TODAY), False),
        ([(IBAN, TODAY), (OTHER, TODAY)], (OTHER, date(2020, 1, 1)), False),
        # approved for next year, and wanted today or next year
        ([(IBAN, TODAY), (OTHER, NEXT_YEAR)], (OTHER, TODAY), True),
        ([(IBAN, TODAY), (OTHER, NEXT_YEAR), (None, TODAY)], (OTHER, TODAY), True),
        ([(IBAN, TODAY), (OTHER, NEXT_YEAR)], (IBAN, TODAY), True),
        ([(IBAN, TODAY), (OTHER, NEXT_YEAR)], (OTHER, NEXT_YEAR), False),
        ([(IBAN, NEXT_YEAR)], (IBAN, TODAY), True),
        ([(IBAN, NEXT_YEAR)], (IBAN, NEXT_YEAR), False),
    ],
)
def test_account_moves_when_it_is_the_first_another_or_comes_earlier(
    known: list[tuple[str | None, date]],
    following: tuple[str | None, date],
    moves: bool,  # noqa: FBT001 - a case
) -> None:
    versions = [
        make_profile(iban=iban, valid_from=begins, version=number)
        for number, (iban, begins) in enumerate(known, 1)
    ]
    iban, begins = following
    wanted = make_profile(iban=iban, valid_from=begins)

    assert billing.moves_account(versions, wanted, today=TODAY) is moves


@pytest.mark.parametrize(
    ("known", "begins", "named"),
    [
        ([], TODAY, "none"),
        ([(None, TODAY)], TODAY, "none"),
        ([(IBAN, TODAY)], TODAY, f"{IBAN} COBADEFFXXX"),
        ([(IBAN, TODAY)], date(2020, 1, 1), f"{IBAN} COBADEFFXXX"),
        ([(IBAN, TODAY), (IBAN, TODAY)], TODAY, f"{IBAN} COBADEFFXXX"),
        ([(IBAN, TODAY), (None, TODAY)], TODAY, "none (change 1)"),
        (
            [(IBAN, TODAY), (OTHER, TODAY), (OTHER, TODAY), (IBAN, TODAY)],
            TODAY,
            f"{IBAN} COBADEFFXXX (change 2)",
        ),
        (
            [(IBAN, TODAY), (OTHER, NEXT_YEAR)],
            TODAY,
            f"{IBAN} COBADEFFXXX, later {OTHER} COBADEFFXXX (change 1)",
        ),
        (
            [(IBAN, TODAY), (OTHER, NEXT_YEAR)],
            NEXT_YEAR,
            f"{OTHER} COBADEFFXXX (change 1)",
        ),
        ([(IBAN, NEXT_YEAR)], TODAY, f"none, later {IBAN} COBADEFFXXX"),
    ],
)
def test_account_that_is_replaced_is_named_and_one_agreed_for_later_too(
    known: list[tuple[str | None, date]], begins: date, named: str
) -> None:
    versions = [
        make_profile(iban=iban, bic="COBADEFFXXX", valid_from=day, version=number)
        for number, (iban, day) in enumerate(known, 1)
    ]

    found = billing.replaced_account(versions, begins=begins, today=TODAY)

    assert found == named
