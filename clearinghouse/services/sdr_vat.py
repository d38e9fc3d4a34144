"""VAT of the SDRs of a batch: the table asked once per pair, place and day."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import date, datetime

from sqlalchemy import Connection

from clearinghouse.domain.billing import (
    BillingProfile,
    profile_in_force,
    vat_country,
)
from clearinghouse.domain.vat import (
    UNTAXED,
    Doubt,
    ServiceClass,
    Supply,
    VatRule,
    VatTreatment,
    doubt_of,
    fitting,
    resolve,
)
from clearinghouse.identifiers.countries import COUNTRIES
from clearinghouse.identifiers.zones import zone_named
from clearinghouse.services.sdr_candidates import Candidate
from clearinghouse.storage import billing, participants, vat

#: Where an EVSE stands of which the registry knows nothing yet; the SDR is held.
_ZONE_UNKNOWN = "UTC"

_Taxed = tuple[VatTreatment, Doubt | None]


class VatDesk:
    """Says how the SDRs of one seller are taxed; remembers what it was asked.

    The day of a supply is that on which its service session ended where the EVSE
    stands. A seller without a VAT id shows no VAT, and nothing more is asked.
    """

    def __init__(
        self, tx: Connection, seller: str, party_ids: Mapping[int, str]
    ) -> None:
        self._tx = tx
        self._party_ids = party_ids
        self._sells = billing.versions_of(tx, seller)
        self._buys: dict[int, list[BillingProfile]] = {}
        self._countries: dict[int, str] = {}
        self._rules: dict[tuple[str, str, str], list[VatRule]] = {}
        self._known: dict[tuple[int, str, str, int], _Taxed] = {}

    def add(self, candidates: Sequence[Candidate]) -> None:
        """Say how each record is taxed whose CSP we know."""
        if self._sells:
            self._meet({candidate.facts.csp_id for candidate in candidates})
        for candidate in candidates:
            facts = candidate.facts
            evse = facts.evse
            facts.place = _place(facts.evse_key) if evse is None else evse.country
            if self._sells and facts.csp_id is not None:
                zone = _ZONE_UNKNOWN if evse is None else evse.zone
                facts.vat, facts.vat_doubt = self.treatment(
                    facts.csp_id, facts.place, zone, candidate.record.ended_at
                )
                facts.vat_rate_bp = facts.vat.rate_bp

    def treatment(
        self, buyer_id: int, place: str, zone: str, ended_at: datetime
    ) -> _Taxed:
        """Return how a supply that ended at an instant is taxed, and what is odd."""
        on = ended_at.astimezone(zone_named(zone))
        key = (buyer_id, place, zone, on.toordinal())
        known = self._known.get(key)
        if known is None:
            known = self._known[key] = self._resolve(buyer_id, place, on.date())
        return known

    def _resolve(self, buyer_id: int, place: str, on: date) -> _Taxed:
        sells = profile_in_force(self._sells, on)
        if sells is None or sells.vat_id is None:
            return UNTAXED, None
        buys = profile_in_force(self._profiles(buyer_id), on)
        seller = vat_country(sells.vat_id)
        supply = Supply(
            seller=seller,
            buyer=self._country(buyer_id, buys),
            is_dealer=buys is not None and buys.is_taxable_dealer,
            place=place or seller,
            service=ServiceClass.ENERGY,
            on=on,
        )
        rules = self._rules_for(supply)
        rule = next(iter(fitting(rules, supply)), None)
        has_id = buys is not None and buys.vat_id is not None
        return resolve(rules, supply), doubt_of(supply, rule, buyer_has_id=has_id)

    def _meet(self, buyer_ids: Iterable[int | None]) -> None:
        """Look up the profiles of buyers that are new here, all at once."""
        parties = {
            self._party_ids[buyer_id]: buyer_id
            for buyer_id in buyer_ids
            if buyer_id is not None and buyer_id not in self._buys
        }
        if parties:
            found = billing.versions_by_party(self._tx, parties)
            for party, buyer_id in parties.items():
                self._buys[buyer_id] = found.get(party, [])

    def _profiles(self, buyer_id: int) -> list[BillingProfile]:
        if buyer_id not in self._buys:
            self._meet((buyer_id,))
        return self._buys[buyer_id]

    def _country(self, buyer_id: int, profile: BillingProfile | None) -> str:
        """Return the country that taxes the buyer: of its VAT id, or of its seat."""
        if profile is not None:
            if profile.vat_id is not None:
                return vat_country(profile.vat_id)
            return profile.country
        if buyer_id not in self._countries:
            found = participants.participants_by_id(self._tx, (buyer_id,))
            self._countries[buyer_id] = found[buyer_id].country
        return self._countries[buyer_id]

    def _rules_for(self, supply: Supply) -> list[VatRule]:
        seller, buyer, place = supply.seller or "", supply.buyer, supply.place
        key = (seller, buyer, place)
        if key not in self._rules:
            self._rules[key] = vat.rules_for(
                self._tx, supply.service, seller=seller, buyer=buyer, place=place
            )
        return self._rules[key]


def _place(evse_key: str | None) -> str:
    """Return the country that an EVSE id names; empty where it names none."""
    country = "" if evse_key is None else evse_key[:2]
    return country if country in COUNTRIES else ""
