"""Rules that compare an SDR with others: S-205 to S-207.

They pass a record over that is refused: an answer that costs its sender nothing must
not tell of other SDRs.
"""

from __future__ import annotations

from datetime import timedelta

from clearinghouse.domain import sdr_catalogue as catalogue
from clearinghouse.domain.clock import seconds_between
from clearinghouse.domain.sdr_catalogue import SESSION_PATH
from clearinghouse.domain.sdr_facts import Case, Neighbour
from clearinghouse.domain.sdrs import ServiceDetailRecord
from clearinghouse.domain.travel import distance_m

#: Two EVSEs nearer than this are one place: no travel lies between them.
_SAME_PLACE_M = 1_000

_PPM = 1_000_000

#: All that is said of another submitter's SDR.
_FOREIGN = "an SDR of another submitter"


def among_others(case: Case) -> None:
    """S-205 to S-207: compare a record that is not refused with those around it."""
    if case.facts.agreement is not None and not case.is_refused():
        _overlap(case)
        _travel(case)
        if case.facts.on_evse:
            _near_duplicate(case)


def _overlap(case: Case) -> None:
    record = case.record
    for other in case.facts.on_evse:
        name = other.sdr_id
        if name is not None and name.upper() == record.sdr_id.upper():
            continue
        start = max(record.started_at, other.started_at)
        end = min(record.ended_at, other.ended_at)
        seconds = seconds_between(start, end)
        if seconds > case.terms.overlap_seconds_max:
            expected = f"at most {case.terms.overlap_seconds_max} s shared on the EVSE"
            # How long would tell, over some tries, when the other began and ended.
            found = f"{seconds} s shared with {name}" if name else _FOREIGN
            case.hit(catalogue.S205, f"{SESSION_PATH}/startedAt", expected, found)


def _travel(case: Case) -> None:
    evse = case.facts.evse
    if evse is None or evse.latitude_u is None or evse.longitude_u is None:
        return
    here = (evse.latitude_u, evse.longitude_u)
    told: set[str] = set()
    for other in case.facts.of_subject:
        if other.latitude_u is None or other.longitude_u is None:
            continue
        if other.evse_key == evse.evse_key:
            continue
        metres = distance_m(here, (other.latitude_u, other.longitude_u))
        seconds = _gap_seconds(case.record, other)
        limit_kmh = case.terms.travel_kmh_max
        if metres > _SAME_PLACE_M and metres * 3600 > limit_kmh * 1000 * seconds:
            # Of another submitter's SDR nothing is told, not even that there is one:
            # who knows a card's number could ask where and when it was used.
            own = other.sdr_id is not None
            rule = catalogue.S206 if own else catalogue.S206_FOREIGN
            expected = f"at most {limit_kmh} km/h between two sessions"
            found = f"{metres // 1000} km in {seconds} s" if own else _FOREIGN
            # The same words again would tell how many others there are.
            if found not in told:
                told.add(found)
                case.hit(rule, f"{SESSION_PATH}/startedAt", expected, found)


def _near_duplicate(case: Case) -> None:
    record, facts, terms = case.record, case.facts, case.terms
    within = timedelta(seconds=terms.near_duplicate_seconds)
    told: set[str] = set()
    for other in facts.on_evse:
        name = other.sdr_id
        if name is not None and name.upper() == record.sdr_id.upper():
            continue
        if other.csp_id != facts.csp_id or other.subject_id != facts.user_id:
            continue
        difference_wh = abs(other.energy_wh - case.energy_wh)
        is_near = abs(other.started_at - record.started_at) <= within
        if (
            is_near
            and difference_wh * _PPM <= terms.near_duplicate_ppm * case.energy_wh
        ):
            # That the user is the same is not told of another submitter's SDR.
            rule = catalogue.S207 if name else catalogue.S207_FOREIGN
            found = f"nearly the same as {name}" if name else _FOREIGN
            if found not in told:
                told.add(found)
                case.hit(rule, f"{SESSION_PATH}/startedAt", "another session", found)


def _gap_seconds(record: ServiceDetailRecord, other: Neighbour) -> int:
    after = seconds_between(other.ended_at, record.started_at)
    before = seconds_between(record.ended_at, other.started_at)
    return max(0, after, before)
