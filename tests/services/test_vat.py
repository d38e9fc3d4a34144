"""The table of VAT as it is shipped, and what it makes of SDRs at intake."""

from __future__ import annotations

from datetime import date
from typing import TYPE_CHECKING

import pytest
from sqlalchemy import select, text

from clearinghouse import codes
from clearinghouse.domain.errors import ClearingHouseError
from clearinghouse.domain.vat import (
    ServiceClass,
    Supply,
    VatCategory,
    VatRule,
    problems,
    resolve,
)
from clearinghouse.services import held_sdrs, vat
from clearinghouse.storage import billing
from clearinghouse.storage.tables.sdrs import batch_total, sdr
from tests.builders import NOW, make_profile
from tests.services.sdr_world import World, make_sdr, make_world

if TYPE_CHECKING:
    from clearinghouse.services.environment import Environment

AE, OUT, S = VatCategory.REVERSE_CHARGE, VatCategory.OUTSIDE, VatCategory.STANDARD

CH_VAT = "CHE107787577MWST"


@pytest.fixture
def world(env: Environment) -> World:
    return make_world(env)


def profile(world: World, party_id: str, **override: object) -> None:
    with world.env.database.begin() as tx:
        billing.add_profile(tx, make_profile(party_id, **override), at=NOW)


def taxed(world: World) -> list[tuple[str, int, str, int]]:
    """Return category, rate, place and rule of the stored SDRs in order."""
    columns = (sdr.c.vat_category, sdr.c.vat_rate_bp, sdr.c.place_country)
    with world.env.database.begin_read_only() as tx:
        query = select(*columns, sdr.c.vat_rule_id).order_by(sdr.c.sdr_no)
        return [tuple(row) for row in tx.execute(query)]


@pytest.mark.parametrize(
    ("asked", "given"),
    [
        (("NL", "NL", True, "NL"), (S, 2100)),
        (("DE", "DE", True, "DE"), (AE, 0)),  # domestic reverse charge
        (("DE", "NL", True, "DE"), (AE, 0)),
        (("DE", "NL", False, "DE"), (S, 1900)),
        (("DE", "NL", False, "FR"), (S, 2000)),
        (("DE", "CH", True, "DE"), (OUT, 0)),
        (("CH", "DE", True, "CH"), (AE, 0)),
        (("CH", "CH", True, "CH"), (S, 810)),
        (("CH", "LI", True, "LI"), (S, 810)),
        (("CH", "CH", False, "CH"), (S, 810)),
        (("NO", "NO", True, "NO"), (S, 2500)),
        (("GB", "GB", True, "GB"), (S, 2000)),
        (("FI", "FI", True, "FI"), (S, 2550)),
        (("US", "US", True, "US"), (OUT, 0)),
    ],
)
def test_shipped_table_taxes_electricity_by_seller_buyer_and_place(
    env: Environment, asked: tuple[str, str, bool, str], given: tuple[VatCategory, int]
) -> None:
    supply = Supply(*asked, ServiceClass.ENERGY, NOW.date())

    found = resolve(vat.table(env), supply)

    assert (found.category, found.rate_bp) == given


def test_shipped_table_taxes_fees_as_services(env: Environment) -> None:
    def fee(seller: str, buyer: str) -> tuple[VatCategory, int]:
        asked = Supply(seller, buyer, False, seller, ServiceClass.FEE, NOW.date())  # noqa: FBT003
        found = resolve(vat.table(env), asked)
        return found.category, found.rate_bp

    assert fee("CH", "CH") == (S, 810)
    assert fee("DE", "DE") == (S, 1900)
    assert fee("DE", "AT") == (AE, 0)
    assert fee("CH", "DE") == (AE, 0)
    assert fee("DE", "CH") == (OUT, 0)


def test_every_shipped_rule_would_be_taken_from_the_operator(env: Environment) -> None:
    shipped = vat.table(env)

    assert len(shipped) > 100
    assert [rule for rule in shipped if problems(rule)] == []


def test_sdr_of_a_seller_without_a_profile_is_not_taxed(world: World) -> None:
    world.submit([world.session()])

    assert taxed(world) == [("O", 0, "CH", 0)]


@pytest.mark.clause("4.3-I3")
def test_sdr_is_stored_with_its_vat_and_claimed_under_it(world: World) -> None:
    profile(world, "CHREP", vat_id=CH_VAT, country="CH")
    profile(world, "FRXYZ", vat_id="FR40303265045", country="FR")

    world.submit([world.session(), world.session(world.other_csp)])

    # a German CSP without a profile is no dealer: taxed where the EVSE stands
    (first, second) = taxed(world)
    assert first[:3] == ("S", 810, "CH")
    assert second[:3] == ("AE", 0, "CH")
    assert first[3] != second[3]
    with world.env.database.begin_read_only() as tx:
        rows = tx.execute(select(batch_total).order_by(batch_total.c.csp_id)).all()
    assert {
        (row.vat_category, row.vat_rate_bp, row.place_country, row.vat_rule_id)
        for row in rows
    } == set(taxed(world))
    assert {row.kind for row in rows} == {"380"}


def test_profile_in_force_when_the_session_ended_counts(world: World) -> None:
    profile(world, "CHREP", vat_id=CH_VAT, country="CH", valid_from=date(2026, 11, 23))

    world.submit([world.session()])

    assert taxed(world)[0][:2] == ("O", 0)


def test_held_sdr_keeps_its_vat_when_it_is_released(world: World) -> None:
    profile(world, "CHREP", vat_id=CH_VAT, country="CH")
    world.submit([make_sdr()])
    (held,) = held_sdrs.held(world.env)

    held_sdrs.release(world.env, "CHREP", held.stored.sdr_uid)

    first, released = taxed(world)
    assert first == released
    with world.env.database.begin_read_only() as tx:
        rate = tx.execute(text("SELECT vat_rate_bp FROM clearing.batch_total"))
        assert rate.scalar_one() == 810


def new_rule() -> VatRule:
    return VatRule(
        service=ServiceClass.ENERGY,
        seller="CH",
        buyer="DE",
        place="CH",
        dealer=None,
        valid_from=date(2026, 1, 1),
        category=S,
        rate_bp=250,
    )


def test_rule_of_the_operator_counts_from_the_next_batch_on(world: World) -> None:
    profile(world, "CHREP", vat_id=CH_VAT, country="CH")
    world.submit([world.session()])

    added = vat.add(world.env, new_rule())
    world.submit([world.session()])
    vat.end(world.env, added.rule_id, valid_until=date(2026, 11, 1))
    world.submit([world.session()])

    assert [row[1] for row in taxed(world)] == [810, 250, 810]


def test_rule_is_ended_once(env: Environment) -> None:
    added = vat.add(env, new_rule())

    ended = vat.end(env, added.rule_id, valid_until=date(2026, 12, 1))

    assert ended.valid_until == date(2026, 12, 1)
    with pytest.raises(ClearingHouseError) as again:
        vat.end(env, added.rule_id, valid_until=date(2027, 12, 1))
    with pytest.raises(ClearingHouseError) as unknown:
        vat.end(env, 10**6, valid_until=date(2027, 12, 1))
    assert again.value.code is codes.VAT_RULE_ENDED
    assert unknown.value.code is codes.VAT_RULE_UNKNOWN


def test_explanation_names_what_was_asked_and_the_rules_that_fit(world: World) -> None:
    profile(world, "CHREP", vat_id=CH_VAT, country="CH")
    profile(world, "DEABC")

    found = vat.explain(world.env, "ch*rep", "DEABC", place="CH", on=NOW.date())

    assert (found.supply.seller, found.supply.buyer) == ("CH", "DE")
    assert found.supply.is_dealer
    assert found.treatment.category is AE
    assert found.fitting[0].rule_id == found.treatment.rule_id
    with pytest.raises(ClearingHouseError) as caught:
        vat.explain(world.env, "CHREP", "DEABC", place="ch", on=NOW.date())
    assert caught.value.code is codes.SEMANTIC
