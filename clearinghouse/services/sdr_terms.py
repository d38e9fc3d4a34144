"""What two partners agreed on and the tariff, for the SDRs of one submitter's batch.

Which version counts depends on when a service session began. Between two instants at
which a version comes or goes the answer is the same: so it is found once for each
stretch, and the records of a batch mostly lie in one.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from typing import NamedTuple

from sqlalchemy import Connection

from clearinghouse.domain.agreements import Agreement, in_force
from clearinghouse.domain.rating import compile_tariff
from clearinghouse.domain.sdr_facts import TariffFacts
from clearinghouse.domain.tariffs import TariffVersion, version_in_force
from clearinghouse.identifiers.zones import zone_named
from clearinghouse.services.sdr_candidates import Candidate
from clearinghouse.storage import agreements, tariffs

_NO_CONNECTORS: frozenset[str] = frozenset()

#: No participant: nobody's tariff is made for it.
_NOBODY = 0

_FIRST = datetime.min.replace(tzinfo=UTC)
_END = datetime.max.replace(tzinfo=UTC)


class _Agreed(NamedTuple):
    """The agreement from ``since`` on and before ``until``."""

    since: datetime
    until: datetime
    agreement: Agreement | None


class _Priced(NamedTuple):
    """The version of a tariff from ``since`` on and before ``until``.

    ``may_change``: another may follow it, or none. ``asks_connector``: its prices
    depend on the kinds of connectors.
    """

    since: datetime
    until: datetime
    version: TariffVersion | None
    may_change: bool
    asks_connector: bool


class TermsDesk:
    """Says what was agreed on for each SDR, and compiles its tariff."""

    def __init__(self, tx: Connection, submitter_id: int) -> None:
        self._tx = tx
        self._submitter_id = submitter_id
        self._agreements: dict[int, list[Agreement]] = {}
        self._agreed: dict[tuple[int, str], _Agreed] = {}
        self._versions: dict[str, list[TariffVersion]] = {}
        self._priced: dict[tuple[str, int], _Priced] = {}
        self._raters: dict[tuple[int, str, frozenset[str]], TariffFacts] = {}

    def add(self, candidates: Sequence[Candidate]) -> None:
        """Add agreement and tariff to records whose EVSEs have been looked up."""
        self._meet(candidates)
        for candidate in candidates:
            facts, record = candidate.facts, candidate.record
            started_at, csp_id = record.started_at, facts.csp_id
            if csp_id is not None:
                agreed = self._agreed.get((csp_id, record.currency))
                if agreed is None or not agreed.since <= started_at < agreed.until:
                    agreed = self._agree(csp_id, record.currency, started_at)
                facts.agreement = agreed.agreement
            receiver_id = csp_id or _NOBODY
            priced = self._priced.get((record.tariff_id, receiver_id))
            if priced is None or not priced.since <= started_at < priced.until:
                priced = self._price(record.tariff_id, receiver_id, started_at)
            if priced.version is not None:
                if priced.may_change:
                    self._note_change(candidate, priced.version)
                connectors = _NO_CONNECTORS
                if priced.asks_connector and facts.evse is not None:
                    connectors = frozenset(facts.evse.connectors)
                facts.tariff = self._rater(priced.version, facts.zone, connectors)

    def _meet(self, candidates: Iterable[Candidate]) -> None:
        """Look up the agreements and tariffs that are new here, all at once."""
        homes: set[int] = set()
        tariff_ids: set[str] = set()
        for candidate in candidates:
            csp_id, tariff_id = candidate.facts.csp_id, candidate.record.tariff_id
            if csp_id is not None and csp_id not in self._agreements:
                homes.add(csp_id)
            if tariff_id not in self._versions:
                tariff_ids.add(tariff_id)
        if homes:
            self._agreements |= {home_id: [] for home_id in homes}
            submitter_id = self._submitter_id
            for agreement in agreements.agreements_with_homes(
                self._tx, submitter_id, homes
            ):
                self._agreements[agreement.home_id].append(agreement)
        if tariff_ids:
            self._versions |= {tariff_id: [] for tariff_id in tariff_ids}
            for version in tariffs.versions_of(
                self._tx, self._submitter_id, tariff_ids
            ):
                self._versions[version.tariff.tariff_id].append(version)

    def _agree(self, csp_id: int, currency: str, at: datetime) -> _Agreed:
        """Find the agreement in a currency, or else any that is in force.

        With another currency the rule on currencies speaks, not the one on relations.
        """
        versions = self._agreements[csp_id]
        same = [one for one in versions if one.currency == currency]
        found = in_force(same, at) or in_force(versions, at)
        bounds = [one.valid_from for one in versions]
        bounds += [one.valid_until for one in versions if one.valid_until is not None]
        agreed = _Agreed(*stretch(bounds, at), found)
        self._agreed[csp_id, currency] = agreed
        return agreed

    def _price(self, tariff_id: str, receiver_id: int, at: datetime) -> _Priced:
        versions = self._versions[tariff_id]
        found = version_in_force(versions, receiver_id=receiver_id, at=at)
        all_tariffs = [one.tariff for one in versions]
        bounds = [one.valid_from for one in all_tariffs]
        bounds += [
            one.valid_until for one in all_tariffs if one.valid_until is not None
        ]
        tariff = None if found is None else found.tariff
        priced = _Priced(
            *stretch(bounds, at),
            found,
            may_change=len(versions) > 1
            or (tariff is not None and tariff.valid_until is not None),
            asks_connector=tariff is not None and tariff.asks_connector,
        )
        self._priced[tariff_id, receiver_id] = priced
        return priced

    def _rater(
        self, version: TariffVersion, zone: str, connectors: frozenset[str]
    ) -> TariffFacts:
        key = (version.tariff_version_id, zone, connectors)
        rater = self._raters.get(key)
        if rater is None:
            tariff = version.tariff
            rater = self._raters[key] = TariffFacts(
                version.tariff_version_id,
                tariff.currency,
                compile_tariff(tariff, zone_named(zone), connectors),
                connectors,
            )
        return rater

    def _note_change(self, candidate: Candidate, first: TariffVersion) -> None:
        """Note when the tariff changed between start and end, if it did."""
        last = version_in_force(
            self._versions[candidate.record.tariff_id],
            receiver_id=candidate.facts.csp_id or _NOBODY,
            at=candidate.record.ended_at,
        )
        if last is None:
            candidate.facts.tariff_changed_at = first.tariff.valid_until
        elif last.tariff_version_id != first.tariff_version_id:
            candidate.facts.tariff_changed_at = last.tariff.valid_from


def stretch(bounds: Iterable[datetime], at: datetime) -> tuple[datetime, datetime]:
    """Return the instants around ``at`` between which nothing comes or goes.

    ``bounds``: from when on, or until when, something holds. The first instant belongs
    to the stretch, the last one does not.
    """
    since, until = _FIRST, _END
    for bound in bounds:
        if bound <= at:
            since = max(since, bound.astimezone(UTC))
        else:
            until = min(until, bound.astimezone(UTC))
    return since, until
