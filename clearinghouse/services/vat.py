"""The table of VAT: the operator lists, adds and ends rules, and asks it why."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import date

from sqlalchemy.exc import IntegrityError

from clearinghouse.codes import SEMANTIC, VAT_RULE_ENDED, VAT_RULE_UNKNOWN
from clearinghouse.domain import vat as rules
from clearinghouse.domain.billing import profile_in_force, vat_country
from clearinghouse.domain.errors import ClearingHouseError, Item
from clearinghouse.domain.vat import ServiceClass, Supply, VatRule, VatTreatment
from clearinghouse.identifiers.countries import COUNTRIES
from clearinghouse.services.environment import Environment
from clearinghouse.services.participants import note, participant_named
from clearinghouse.storage import billing, vat
from clearinghouse.storage.failures import UNIQUE_VIOLATION, sqlstate_of


@dataclass(frozen=True, slots=True, kw_only=True)
class Explanation:
    """What was asked, what came of it, and the rules that fit; the first one counts."""

    supply: Supply
    treatment: VatTreatment
    fitting: tuple[VatRule, ...]


def table(env: Environment) -> list[VatRule]:
    """Return the whole table, ended rules too."""
    with env.database.begin_read_only() as tx:
        return vat.all_rules(tx)


def add(env: Environment, rule: VatRule) -> VatRule:
    """Store a rule and return it with its number.

    It counts for SDRs that are submitted from now on. Raises
    :class:`ClearingHouseError` (``CH.SEMANTIC``) with all that is wrong.
    """
    wrong = rules.problems(rule)
    if wrong:
        raise ClearingHouseError(SEMANTIC, items=wrong)
    with env.database.begin() as tx:
        number = vat.add_rule(tx, rule, at=env.clock.now())
        note(tx, env, "add VAT rule", f"rule {number}")
    return replace(rule, rule_id=number)


def end(env: Environment, rule_id: int, *, valid_until: date) -> VatRule:
    """Let a rule stand no more from a day on, and return it.

    Raises :class:`ClearingHouseError`: ``VAT_RULE_UNKNOWN``; ``VAT_RULE_ENDED`` for one
    that was ended before.
    """
    try:
        with env.database.begin() as tx:
            if vat.rule_by_id(tx, rule_id) is None:
                raise ClearingHouseError(VAT_RULE_UNKNOWN, f"rule {rule_id}")
            vat.end_rule(tx, rule_id, valid_until=valid_until, at=env.clock.now())
            note(tx, env, "end VAT rule", f"rule {rule_id} from {valid_until}")
            ended = vat.rule_by_id(tx, rule_id)
    except IntegrityError as error:
        if sqlstate_of(error) != UNIQUE_VIOLATION:
            raise
        raise ClearingHouseError(VAT_RULE_ENDED, f"rule {rule_id}") from error
    if ended is None:  # nothing is ever deleted
        raise ClearingHouseError(VAT_RULE_UNKNOWN, f"rule {rule_id}")
    return ended


def explain(
    env: Environment,
    seller: str,
    buyer: str,
    *,
    place: str,
    on: date,
) -> Explanation:
    """Say how a supply between two partners would be taxed, and by which rules.

    Raises :class:`ClearingHouseError`: ``UNKNOWN_PARTICIPANT``, or ``CH.SEMANTIC`` for
    a place that is no country.
    """
    if place not in COUNTRIES:
        item = Item(
            code=SEMANTIC,
            path="place",
            expected="two capital letters after ISO 3166, as DE",
            found=place,
        )
        raise ClearingHouseError(SEMANTIC, items=(item,))
    with env.database.begin_read_only() as tx:
        sells = participant_named(tx, seller)
        buys = participant_named(tx, buyer)
        profiles = billing.versions_by_party(tx, (sells.party_id, buys.party_id))
        sold = profile_in_force(profiles.get(sells.party_id, ()), on)
        bought = profile_in_force(profiles.get(buys.party_id, ()), on)
        found = vat.all_rules(tx)
    country = buys.country if bought is None else bought.country
    if bought is not None and bought.vat_id is not None:
        country = vat_country(bought.vat_id)
    supply = Supply(
        seller=None if sold is None or not sold.vat_id else vat_country(sold.vat_id),
        buyer=country,
        is_dealer=bought is not None and bought.is_taxable_dealer,
        place=place,
        service=ServiceClass.ENERGY,
        on=on,
    )
    return Explanation(
        supply=supply,
        treatment=rules.resolve(found, supply),
        fitting=tuple(rules.fitting(found, supply)),
    )
