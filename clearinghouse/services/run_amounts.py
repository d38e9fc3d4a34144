"""What a run takes: pair totals, conversions that were agreed, the house's fees."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date

from sqlalchemy import Connection

from clearinghouse import codes
from clearinghouse.domain import fx as fx_rules
from clearinghouse.domain import runs as rules
from clearinghouse.domain.billing import profile_in_force, vat_country
from clearinghouse.domain.errors import ClearingHouseError
from clearinghouse.domain.fees import FeePlan, Usage, fee_of, plan_in_force
from clearinghouse.domain.fx import BASE, Choice, Rate
from clearinghouse.domain.run_postings import ChargedFee, Conversion
from clearinghouse.domain.runs import HUB, Debt, DebtKind
from clearinghouse.domain.vat import (
    UNTAXED,
    ServiceClass,
    Supply,
    VatTreatment,
    resolve,
    vat_of,
)
from clearinghouse.services.environment import Environment
from clearinghouse.storage import billing, fees, fx, participants, runs, vat
from clearinghouse.storage.fees import RunFee
from clearinghouse.storage.runs import Pair


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """What to take: a currency, some windows or all, without these parties."""

    currency: str
    window_ids: Collection[int] | None
    excluded: Collection[str]
    with_fees: bool
    on: date


@dataclass(frozen=True, slots=True, kw_only=True)
class Taken:
    """What a run takes and what it makes of it; all amounts in minor units."""

    pairs: Sequence[Pair]
    conversions: Sequence[Conversion]
    rates: Sequence[Rate]
    fees: Sequence[RunFee]
    debts: Sequence[Debt]


def gather(tx: Connection, env: Environment, wanted: Wanted) -> Taken:
    """Take what closed windows left owing, as the two sides of each pair settle it.

    Raises :class:`ClearingHouseError` (``FX_RATE_MISSING``) when something is to be
    converted and there is no rate up to the day.
    """
    party_ids = participants.party_ids(tx)
    choices = fx.choices(tx)
    pairs = [
        pair
        for pair in runs.unsettled_pairs(
            tx, _sources(choices, wanted.currency), wanted.window_ids
        )
        if _is_taken(pair, party_ids, choices, wanted)
    ]
    own = [pair for pair in pairs if pair.currency == wanted.currency]
    rates, conversions = _converted(tx, pairs, party_ids, wanted)
    debts = [*_debts(own, party_ids, DebtKind.PAIRS)]
    debts += [
        Debt(one.debtor, one.creditor, DebtKind.CONVERTED, one.to_minor)
        for one in conversions
        if one.to_minor
    ]
    charged: Sequence[RunFee] = ()
    if wanted.with_fees:
        charged = _fees(tx, env, _usage(pairs, party_ids, debts), wanted)
        debts += fee_debts(charged)
    return Taken(
        pairs=pairs, conversions=conversions, rates=rates, fees=charged, debts=debts
    )


def fee_debts(charged: Iterable[RunFee]) -> list[Debt]:
    """Return fees as debts to the hub, with VAT."""
    return [
        Debt(one.party_id, HUB, DebtKind.FEE, one.fee.net_minor + one.vat_minor)
        for one in charged
    ]


def charged_fees(charged: Iterable[RunFee]) -> list[ChargedFee]:
    """Return fees as the ledger posts them."""
    return [
        ChargedFee(one.party_id, one.fee.net_minor, one.vat_minor) for one in charged
    ]


def residues(
    conversions: Iterable[Conversion], currency: str, rates: Mapping[str, int]
) -> dict[str, int]:
    """Return by currency what its whole is worth above its conversions pair by pair."""
    whole: dict[str, int] = defaultdict(int)
    parts: dict[str, int] = defaultdict(int)
    for one in conversions:
        whole[one.currency] += one.from_minor
        parts[one.currency] += one.to_minor
    return {
        left: fx_rules.convert(minor, left, currency, rates) - parts[left]
        for left, minor in whole.items()
    }


def _sources(choices: Iterable[Choice], currency: str) -> set[str]:
    """Return the currencies of which a run in ``currency`` may take something."""
    return {currency} | {
        choice.from_currency for choice in choices if choice.to_currency == currency
    }


def _is_taken(
    pair: Pair,
    party_ids: Mapping[int, str],
    choices: Sequence[Choice],
    wanted: Wanted,
) -> bool:
    sides = (party_ids[pair.debtor_id], party_ids[pair.creditor_id])
    if any(side in wanted.excluded for side in sides):
        return False
    return wanted.currency == fx_rules.settled_in(
        choices, sides, pair.currency, wanted.on
    )


def _debts(
    pairs: Iterable[Pair], party_ids: Mapping[int, str], kind: DebtKind
) -> list[Debt]:
    return [
        Debt(
            party_ids[pair.debtor_id],
            party_ids[pair.creditor_id],
            kind,
            pair.amount_minor,
        )
        for pair in pairs
    ]


def _converted(
    tx: Connection,
    pairs: Iterable[Pair],
    party_ids: Mapping[int, str],
    wanted: Wanted,
) -> tuple[list[Rate], list[Conversion]]:
    """Convert what is left between each two, by the last rates up to the day."""
    foreign: dict[str, list[Pair]] = defaultdict(list)
    for pair in pairs:
        if pair.currency != wanted.currency:
            foreign[pair.currency].append(pair)
    if not foreign:
        return [], []
    needed = ({*foreign, wanted.currency}) - {BASE}
    rates = fx.rates_on(tx, needed, wanted.on)
    missing = needed - {rate.currency for rate in rates}
    if missing:
        raise ClearingHouseError(codes.FX_RATE_MISSING, " ".join(sorted(missing)))
    by_currency = {rate.currency: rate.rate_u for rate in rates}
    conversions = []
    for currency, left in sorted(foreign.items()):
        owed = rules.owed_between(_debts(left, party_ids, DebtKind.PAIRS))
        conversions += [
            Conversion(
                debt.debtor,
                debt.creditor,
                currency,
                debt.amount_minor,
                fx_rules.convert(
                    debt.amount_minor, currency, wanted.currency, by_currency
                ),
            )
            for debt in owed
        ]
    return rates, conversions


def _usage(
    pairs: Iterable[Pair], party_ids: Mapping[int, str], debts: Iterable[Debt]
) -> dict[str, Usage]:
    """Return what each party did: SDRs of all pairs, turnover in the run's currency."""
    found: dict[str, Usage] = defaultdict(Usage)
    for pair in pairs:
        debtor, creditor = party_ids[pair.debtor_id], party_ids[pair.creditor_id]
        usage = found[debtor]
        found[debtor] = usage._replace(received=usage.received + pair.sdr_count)
        usage = found[creditor]
        found[creditor] = usage._replace(submitted=usage.submitted + pair.sdr_count)
    for debt in debts:
        usage = found[debt.debtor]
        found[debt.debtor] = usage._replace(
            owed_minor=usage.owed_minor + debt.amount_minor
        )
        usage = found[debt.creditor]
        found[debt.creditor] = usage._replace(
            paid_minor=usage.paid_minor + debt.amount_minor
        )
    return dict(found)


def _fees(
    tx: Connection, env: Environment, usage: Mapping[str, Usage], wanted: Wanted
) -> list[RunFee]:
    plans: dict[str, list[FeePlan]] = defaultdict(list)
    for plan in fees.plans(tx, party_ids=list(usage), currency=wanted.currency):
        plans[plan.party_id].append(plan)
    charged = []
    for party_id, done in sorted(usage.items()):
        current = plan_in_force(plans[party_id], wanted.on)
        if current is None:
            continue
        fee = fee_of(current, done)
        if fee.net_minor <= 0:
            continue
        vat_given = _treatment(tx, env, party_id, wanted.on)
        charged.append(
            RunFee(
                party_id,
                current.plan_id,
                fee,
                vat_given.category.value,
                vat_given.rate_bp,
                vat_given.rule_id,
                vat_of(fee.net_minor, vat_given.rate_bp),
            )
        )
    return charged


def _treatment(
    tx: Connection, env: Environment, party_id: str, on: date
) -> VatTreatment:
    """Return how the house's fee to a party is taxed: a service at the buyer's seat."""
    profiles = billing.versions_by_party(tx, (env.limits.party_id, party_id))
    house = profile_in_force(profiles.get(env.limits.party_id, ()), on)
    if house is None or house.vat_id is None:
        return UNTAXED
    buyer = profile_in_force(profiles.get(party_id, ()), on)
    if buyer is None:
        found = participants.participant_by_party_id(tx, party_id)
        country = "" if found is None else found.country
    else:
        country = vat_country(buyer.vat_id) if buyer.vat_id else buyer.country
    seller = vat_country(house.vat_id)
    supply = Supply(
        seller=seller,
        buyer=country,
        is_dealer=buyer is not None and buyer.is_taxable_dealer,
        place=country,
        service=ServiceClass.FEE,
        on=on,
    )
    found_rules = vat.rules_for(
        tx, ServiceClass.FEE, seller=seller, buyer=country, place=country
    )
    return resolve(found_rules, supply)
