"""The SDRs around a record: on its EVSE, of its user, and what they cost on average."""

from __future__ import annotations

from bisect import bisect_left, insort
from collections import defaultdict
from collections.abc import Sequence
from datetime import datetime, timedelta
from decimal import Decimal
from functools import lru_cache
from operator import attrgetter

from sqlalchemy import Connection

from clearinghouse.domain.money import CURRENCIES, minor_or_none
from clearinghouse.domain.sdr_facts import Neighbour
from clearinghouse.domain.sdrs import ServiceDetailRecord
from clearinghouse.services.sdr_candidates import Candidate, stays_of
from clearinghouse.storage import sdr_facts
from clearinghouse.storage.sdr_facts import Stay

#: Claims below this share of the ceiling are too small to ask for the EVSE's mean.
_MEAN_FROM_SHARE = 5
_MEAN_DAYS = 90
#: Ceilings are few: of a currency, or agreed on.
_CEILINGS_REMEMBERED_MAX = 256

OVERLAP = timedelta(hours=sdr_facts.OVERLAP_HOURS)
TRAVEL = timedelta(hours=sdr_facts.TRAVEL_HOURS)
#: A session that the sender's clock sets a little in the future may be stored already.
_CLOCK_SLACK = timedelta(minutes=10)

_started_at = attrgetter("started_at")


class Recent:
    """Records of this chunk that were taken, by EVSE or subject, in order of start."""

    def __init__(self, reach: timedelta) -> None:
        self._reach = reach
        self._by_key: dict[object, list[Neighbour]] = defaultdict(list)

    def add(self, key: object, taken: Neighbour) -> None:
        """Remember a record that was taken."""
        before = self._by_key[key]
        if before and taken.started_at < before[-1].started_at:
            insort(before, taken, key=_started_at)
        else:
            before.append(taken)

    def around(self, key: object, record: ServiceDetailRecord) -> list[Neighbour]:
        """Return those nearest to a record in time, within the reach."""
        taken = self._by_key.get(key)
        if not taken:
            return []
        if len(taken) > sdr_facts.NEAREST_MAX:
            middle = bisect_left(taken, record.ended_at, key=_started_at)
            first = max(0, middle - sdr_facts.NEAREST_MAX)
            taken = taken[first : middle + sdr_facts.NEAREST_MAX]
        started_at, reach = record.started_at, self._reach
        return [one for one in taken if abs(one.started_at - started_at) < reach]


def add_neighbours(
    tx: Connection, submitter_id: int, candidates: Sequence[Candidate]
) -> None:
    """Add the stored SDRs at the time of each record, on its EVSE and of its user."""
    # What will be refused anyway has no neighbours; the rules pass the rest over.
    stays: list[Stay] = []
    for candidate in candidates:
        facts = candidate.facts
        if not (facts.agreement is None or facts.evse is None or facts.tariff is None):
            stays += stays_of(candidate)
    if not stays:
        return
    since = min(stay.started_at for stay in stays) - TRAVEL - _CLOCK_SLACK
    windows = sdr_facts.windows_since(tx, since)
    on_evse = sdr_facts.neighbours_on_evse(tx, submitter_id, stays, windows)
    of_subject = sdr_facts.neighbours_of_subject(tx, submitter_id, stays, windows)
    for candidate in candidates:
        facts = candidate.facts
        facts.user_id = candidate.subject_id
        if on_evse:
            facts.on_evse = on_evse.get(candidate.index, ())
        if of_subject:
            facts.of_subject = of_subject.get(candidate.index, ())


def add_means(
    tx: Connection, submitter_id: int, candidates: Sequence[Candidate], *, now: datetime
) -> None:
    """Ask for the EVSE's mean only where the claim is not small anyway."""
    high = [candidate for candidate in candidates if _is_high(candidate)]
    if not high:
        return
    wanted = {(c.facts.evse_key or "", c.record.currency) for c in high}
    since = now - timedelta(days=_MEAN_DAYS)
    means = sdr_facts.mean_nets(tx, submitter_id, wanted, since=since)
    for candidate in high:
        candidate.facts.mean_net_minor = means.get(candidate.facts.evse_key or "")


def _is_high(candidate: Candidate) -> bool:
    record, agreement = candidate.record, candidate.facts.agreement
    currency = CURRENCIES.get(record.currency)
    if agreement is None or currency is None or candidate.facts.evse is None:
        return False
    ceiling_minor, claimed = agreement.net_ceiling_minor, record.claimed_net
    # Most claims are small, and one look at the amount as it was sent shows it.
    if not claimed.is_finite() or (
        ceiling_minor is not None
        and claimed * _MEAN_FROM_SHARE <= _amount(ceiling_minor, currency.exponent)
    ):
        return False
    return minor_or_none(claimed, currency) is not None


@lru_cache(maxsize=_CEILINGS_REMEMBERED_MAX)
def _amount(minor: int, exponent: int) -> Decimal:
    """Return minor units as an amount in units of the currency."""
    return Decimal(minor).scaleb(-exponent)
