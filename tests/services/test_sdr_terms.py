"""Terms of a batch's records: found once for a stretch of time, as if asked anew."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta, timezone
from typing import NamedTuple
from unittest import mock
from zoneinfo import ZoneInfo

from hypothesis import given
from hypothesis import strategies as st

from clearinghouse.domain.agreements import Agreement, in_force
from clearinghouse.domain.clock import is_within
from clearinghouse.domain.sdr_facts import EvseFacts, SdrFacts
from clearinghouse.domain.tariffs import (
    ComponentType,
    Tariff,
    TariffVersion,
    version_in_force,
)
from clearinghouse.identifiers.zones import zone_named
from clearinghouse.services import sdr_terms
from clearinghouse.services.sdr_candidates import Candidate
from clearinghouse.services.sdr_terms import TermsDesk, stretch
from tests.domain.builders import (
    OTHER_ID,
    component,
    make_agreement,
    make_record,
    make_tariff,
)

_BEGIN = datetime(2026, 11, 23, tzinfo=UTC)
_ZONES = (UTC, timezone(timedelta(hours=1)), timezone(timedelta(hours=-5)))

_instants = st.builds(
    lambda hours, zone: (_BEGIN + timedelta(hours=hours)).astimezone(zone),
    st.integers(0, 12),
    st.sampled_from(_ZONES),
)
_periods = st.lists(st.tuples(_instants, st.none() | _instants), max_size=4)


@given(periods=_periods, at=_instants, other=_instants)
def test_within_a_stretch_the_same_versions_are_in_force(
    periods: list[tuple[datetime, datetime | None]], at: datetime, other: datetime
) -> None:
    bounds = [edge for period in periods for edge in period if edge is not None]

    since, until = stretch(bounds, at)

    assert since <= at < until
    if since <= other < until:
        assert _in_force(periods, other) == _in_force(periods, at)


@given(periods=_periods, at=_instants)
def test_a_stretch_reaches_to_the_next_bound_and_no_further(
    periods: list[tuple[datetime, datetime | None]], at: datetime
) -> None:
    bounds = [edge for period in periods for edge in period if edge is not None]

    since, until = stretch(bounds, at)

    assert all(bound <= since or bound >= until for bound in bounds)
    assert {since, until} - set(bounds) <= {
        datetime.min.replace(tzinfo=UTC),
        datetime.max.replace(tzinfo=UTC),
    }


def _in_force(
    periods: list[tuple[datetime, datetime | None]], at: datetime
) -> list[bool]:
    return [is_within(at, begins, ends) for begins, ends in periods]


# What follows has few values of each kind, so that the records of a batch often ask the
# same on both sides of an instant at which a version comes or goes, and right at it.
_HOMES = (1, 1, OTHER_ID)
_CURRENCIES = ("EUR", "CHF")
_TARIFFS = ("T1", "T1", "T2")
_HOURS = 6
_SUBMITTER_ID = 2
_EVSES = tuple(
    EvseFacts("CHVISE11", _SUBMITTER_ID, 50_000, zone, connectors=kinds)
    for zone in ("Europe/Berlin", "Europe/Lisbon")
    for kinds in (["CCS2"], ["CHADEMO", "CCS2"])
)


_starts = st.builds(
    lambda hours, zone: (_BEGIN + timedelta(hours=hours)).astimezone(zone),
    st.integers(0, _HOURS),
    st.sampled_from(_ZONES),
)
_terms = st.builds(
    lambda begins, hours: (
        begins,
        None if hours is None else begins + timedelta(hours=hours),
    ),
    _starts,
    st.none() | st.integers(0, _HOURS),
)


@dataclass(frozen=True)
class _Compiled:
    """What a tariff was compiled of, in place of the function that rates."""

    tariff: Tariff
    zone: ZoneInfo
    connectors: frozenset[str]


class _Stored(NamedTuple):
    """All versions of agreements and tariffs, as storage gives them."""

    agreements: tuple[Agreement, ...]
    versions: tuple[TariffVersion, ...]

    def agreements_with_homes(
        self, _tx: object, visited_id: int, home_ids: Collection[int]
    ) -> tuple[Agreement, ...]:
        assert visited_id == _SUBMITTER_ID
        return tuple(one for one in self.agreements if one.home_id in home_ids)

    def versions_of(
        self, _tx: object, publisher_id: int, tariff_ids: Collection[str]
    ) -> tuple[TariffVersion, ...]:
        assert publisher_id == _SUBMITTER_ID
        return tuple(one for one in self.versions if one.tariff.tariff_id in tariff_ids)

    @contextmanager
    def in_place(self) -> Iterator[None]:
        """Answer for the storage."""
        with (
            mock.patch.object(sdr_terms, "agreements", self),
            mock.patch.object(sdr_terms, "tariffs", self),
            mock.patch.object(sdr_terms, "compile_tariff", _Compiled),
        ):
            yield


@st.composite
def _stored(draw: st.DrawFn) -> _Stored:
    agreed = draw(
        st.lists(
            st.builds(
                lambda home_id, currency, period: replace(
                    make_agreement(currency=currency),
                    home_id=home_id,
                    valid_from=period[0],
                    valid_until=period[1],
                ),
                st.sampled_from(_HOMES),
                st.sampled_from(_CURRENCIES),
                _terms,
            ),
            max_size=4,
        )
    )
    published = draw(
        st.lists(
            st.builds(
                lambda tariff_id, receiver_id, connector, period: (
                    replace(
                        make_tariff(
                            component(ComponentType.ENERGY, "0.49", **connector)
                        ),
                        tariff_id=tariff_id,
                        valid_from=period[0],
                        valid_until=period[1],
                    ),
                    receiver_id,
                ),
                st.sampled_from(_TARIFFS),
                st.sampled_from((None, *_HOMES)),
                st.sampled_from(({}, {"connector": "CCS2"})),
                _terms,
            ),
            max_size=4,
        )
    )
    return _Stored(
        tuple(replace(one, version=at) for at, one in enumerate(agreed, start=1)),
        tuple(
            TariffVersion(
                tariff_version_id=at,
                publisher_id=_SUBMITTER_ID,
                version=at,
                tariff=tariff,
                receiver_id=receiver_id,
            )
            for at, (tariff, receiver_id) in enumerate(published, start=1)
        ),
    )


def _candidate(
    *,
    csp_id: int | None,
    currency: str,
    tariff_id: str,
    started_at: datetime,
    hours: int,
    evse: EvseFacts | None,
) -> Candidate:
    record = make_record(
        currency=currency,
        started_at=started_at,
        ended_at=started_at + timedelta(hours=hours),
    )
    record.tariff_id = tariff_id
    facts = SdrFacts(
        now=_BEGIN,
        submitter_id=_SUBMITTER_ID,
        cso_id=_SUBMITTER_ID,
        csp_id=csp_id,
        evse_key="CHVISE11",
        evse=evse,
    )
    return Candidate(index=0, record=record, uid_hash=b"", facts=facts, period=("", ""))


_candidates = st.builds(
    _candidate,
    csp_id=st.sampled_from((*_HOMES, None)),
    currency=st.sampled_from((*_CURRENCIES, "USD")),
    tariff_id=st.sampled_from((*_TARIFFS, "T3")),
    started_at=_starts,
    hours=st.integers(0, _HOURS),
    evse=st.sampled_from((*_EVSES, None)),
)


@given(
    stored=_stored(),
    chunks=st.lists(
        st.lists(_candidates, min_size=1, max_size=9), min_size=2, max_size=3
    ),
)
def test_each_record_of_a_batch_gets_the_terms_it_would_get_alone(
    stored: _Stored, chunks: list[list[Candidate]]
) -> None:
    """Whatever the records before it asked, in its chunk and in those before."""
    with stored.in_place():
        desk = TermsDesk(mock.Mock(), _SUBMITTER_ID)
        for chunk in chunks:
            desk.add(chunk)

    for candidate in (one for chunk in chunks for one in chunk):
        facts = candidate.facts
        assert facts.agreement == _agreement_of(candidate, stored.agreements)
        assert facts.tariff == _tariff_of(candidate, stored.versions)
        assert facts.tariff_changed_at == _change_of(candidate, stored.versions)


def _agreement_of(
    candidate: Candidate, agreements: tuple[Agreement, ...]
) -> Agreement | None:
    """Return the one in the record's currency, or else any that is in force."""
    record = candidate.record
    every = [one for one in agreements if one.home_id == candidate.facts.csp_id]
    same = [one for one in every if one.currency == record.currency]
    return in_force(same, record.started_at) or in_force(every, record.started_at)


def _version_at(
    candidate: Candidate, versions: tuple[TariffVersion, ...], at: datetime
) -> TariffVersion | None:
    named = [
        one for one in versions if one.tariff.tariff_id == candidate.record.tariff_id
    ]
    return version_in_force(named, receiver_id=candidate.facts.csp_id or 0, at=at)


def _tariff_of(
    candidate: Candidate, versions: tuple[TariffVersion, ...]
) -> tuple[object, ...] | None:
    """Return the facts of the version at the start, compiled for the EVSE."""
    found = _version_at(candidate, versions, candidate.record.started_at)
    if found is None:
        return None
    tariff, evse = found.tariff, candidate.facts.evse
    kinds: frozenset[str] = frozenset()
    if evse is not None and any(one.connector for one in tariff.components):
        kinds = frozenset(evse.connectors)
    rater = _Compiled(tariff, zone_named(candidate.facts.zone), kinds)
    return found.tariff_version_id, tariff.currency, rater, kinds


def _change_of(
    candidate: Candidate, versions: tuple[TariffVersion, ...]
) -> datetime | None:
    """Return when another version, or none, came to hold during the session."""
    first = _version_at(candidate, versions, candidate.record.started_at)
    last = _version_at(candidate, versions, candidate.record.ended_at)
    if first is None or first == last:
        return None
    return first.tariff.valid_until if last is None else last.tariff.valid_from
