"""The rules that each SDR meets at intake: S-101 to S-304 of the rule catalogue.

The rules run in the order of their numbers; none stops at the first hit and none
raises. Those that look at other SDRs pass a record over that is refused: an answer that
costs its sender nothing must not tell of them. Thresholds come from the agreement. R
refuses, H holds, W remarks, N notes. The hot path makes nothing for a rule that is
kept. A pattern of whole minutes, a part of S-303
elsewhere, shows only over many records and is no matter of one.
"""

from __future__ import annotations

from datetime import timedelta

from clearinghouse import codes
from clearinghouse.domain.agreements import Module, goes_through
from clearinghouse.domain.clock import seconds_between
from clearinghouse.domain.energy import (
    ENERGY_WH_MAX,
    average_power_w,
    exceeds_power,
)
from clearinghouse.domain.money import (
    AMOUNT_MINOR_MAX,
    CURRENCIES,
    minor_or_none,
    minor_text,
)
from clearinghouse.domain.sdr_facts import (
    Case,
    EvseFacts,
    Judgement,
    Neighbour,
    Outcome,
    Rule,
    SdrFacts,
    SessionFacts,
    TariffFacts,
)
from clearinghouse.domain.sdrs import (
    ServiceDetailRecord,
    Severity,
    content_digest,
)
from clearinghouse.domain.sessions import SDR_STATES
from clearinghouse.domain.travel import distance_m
from clearinghouse.identifiers.zones import zone_named

__all__ = [
    "EvseFacts",
    "Judgement",
    "Neighbour",
    "Outcome",
    "SdrFacts",
    "SessionFacts",
    "TariffFacts",
    "judge",
]

#: Age in days at which an SDR is refused whatever the agreement says (S-107).
LATE_DAYS_MAX = 60

#: Seconds of charging in one record, a year. It stops a slip in a year from becoming a
#: number that no column holds, which would cost the whole batch.
CHARGE_SECONDS_MAX = 31_622_400

#: How far an SDR may lie in the future: clocks differ (S-106, S-303).
_AHEAD = timedelta(minutes=5)
_LATE_NOTICE = timedelta(hours=24)
_LATE_NOTICE_SECOND = timedelta(days=7)
_REGISTRY_LAG = timedelta(hours=24)
_SLACK_SECONDS = 60
_METER_SLACK_WH = 1
_TINY_WH = 100
_ZERO_ENERGY_SECONDS = 120
_PPM = 1_000_000

#: Two EVSEs nearer than this are one place: no travel lies between them.
_SAME_PLACE_M = 1_000

_SESSION = "serviceSession"

#: All that is said of another submitter's SDR.
_FOREIGN = "an SDR of another submitter"

_R, _H, _W, _N = Severity.R, Severity.H, Severity.W, Severity.N
_S101 = Rule("S-101", _R, codes.SDR_OTHER_CONTENT)
_S102 = Rule("S-102", _R, codes.SDR_NO_RELATION)
_S103 = Rule("S-103", _R, codes.SDR_EVSE)
_S103_LAG = Rule("S-103", _H, codes.SDR_EVSE)
_S104 = Rule("S-104", _R, codes.SDR_CURRENCY)
_S104_LARGE = Rule("S-104", _R, codes.SDR_FIELD)
_S105 = Rule("S-105", _R, codes.SDR_TARIFF)
_S106 = Rule("S-106", _R, codes.SDR_TIMES)
_S107 = Rule("S-107", _R, codes.SDR_AGE)
_S108 = Rule("S-108", _R, codes.SDR_NEGATIVE)
_S110 = Rule("S-110", _R, codes.SDR_METER)
_S110_LARGE = Rule("S-110", _R, codes.SDR_FIELD)
_S201 = Rule("S-201", _H, codes.SDR_UNMATCHED)
_S202 = Rule("S-202", _H, codes.SDR_POWER)
_S203 = Rule("S-203", _H, codes.SDR_ENERGY)
_S204 = Rule("S-204", _H, codes.SDR_DURATION)
_S205 = Rule("S-205", _H, codes.SDR_OVERLAP)
_S206 = Rule("S-206", _H, codes.SDR_TRAVEL)
_S206_FOREIGN = Rule("S-206", _N, codes.SDR_TRAVEL)
_S208 = Rule("S-208", _H, codes.SDR_AMOUNT)
_S209 = Rule("S-209", _H, codes.SDR_HIGH_AMOUNT)
_S301 = Rule("S-301", _W, codes.SDR_WITHIN_TOLERANCE)
_S302 = Rule("S-302", _W, codes.SDR_TINY)
_S303 = Rule("S-303", _W, codes.SDR_CLOCK)
_S304 = Rule("S-304", _W, codes.SDR_LATE_NOTICE)


def _identity(case: Case) -> None:
    if case.facts.known_digest is not None:
        case.hit(_S101, "sdrId", "the content first sent, or a new id", "other content")


def _relation(case: Case) -> None:
    csp, agreement = case.record.csp_id, case.facts.agreement
    path = f"{_SESSION}/cspId"
    if agreement is None:
        # Whether there is such a CSP is not for somebody without an agreement to know.
        at = case.record.started_at.isoformat()
        case.hit(_S102, path, f"a CSP with an agreement in force at {at}", csp)
    elif not goes_through(agreement.mode, Module.SDR):
        case.hit(_S102, path, "a mode with settlement here", f"mode {agreement.mode}")


def _evse(case: Case) -> None:
    facts, record = case.facts, case.record
    path = f"{_SESSION}/evseId"
    if facts.evse_key is None:
        case.hit(_S103, path, facts.evse_problem or "an EVSE id", record.evse_id)
    elif facts.evse is None:
        # A station may be younger than our registry: its data have a day to arrive.
        recent = facts.now - record.started_at < _REGISTRY_LAG
        rule = _S103_LAG if recent and facts.evse_prefix_owned else _S103
        case.hit(rule, path, "an EVSE that this CSO has registered", record.evse_id)


def _currency(case: Case) -> None:
    facts, record = case.facts, case.record
    currency = CURRENCIES.get(record.currency)
    if currency is None:
        case.hit(_S104, "currency", "a currency code of ISO 4217", record.currency)
        return
    for term in (facts.agreement, facts.tariff):
        if term is not None and term.currency != record.currency:
            case.hit(_S104, "currency", term.currency, record.currency)
            break
    claimed_minor = minor_or_none(record.claimed_net, currency)
    if claimed_minor is None:
        expected = f"at most {currency.exponent} decimals in {currency.code}"
        case.hit(_S104, "claimedNet", expected, record.claimed_net)
        return
    if abs(claimed_minor) > AMOUNT_MINOR_MAX:
        expected = f"at most {minor_text(AMOUNT_MINOR_MAX, currency)}"
        case.hit(_S104_LARGE, "claimedNet", expected, record.claimed_net)
        return
    case.claimed_minor = claimed_minor


def _tariff(case: Case) -> None:
    if case.facts.tariff is None:
        at = case.record.started_at.isoformat()
        case.hit(_S105, "tariffId", f"a tariff in force at {at}", case.record.tariff_id)


def _times(case: Case) -> None:
    record, now = case.record, case.facts.now
    if record.ended_at <= record.started_at:
        expected = f"after {record.started_at.isoformat()}"
        found = record.ended_at.isoformat()
        case.hit(_S106, f"{_SESSION}/endedAt", expected, found)
    if record.ended_at > now + _AHEAD:
        expected = f"before {now.isoformat(timespec='seconds')}"
        late = record.started_at > now + _AHEAD
        name, at = (
            ("startedAt", record.started_at) if late else ("endedAt", record.ended_at)
        )
        case.hit(_S106, f"{_SESSION}/{name}", expected, at.isoformat())
    if case.charge_seconds > CHARGE_SECONDS_MAX:
        expected = f"at most {CHARGE_SECONDS_MAX} s of charging"
        found = f"{case.charge_seconds} s"
        case.hit(_S106, f"{_SESSION}/chargingSession", expected, found)


def _age(case: Case) -> None:
    days = min(case.terms.late_limit_days, LATE_DAYS_MAX)
    age = case.facts.now - case.record.ended_at
    if age.days >= days and age > timedelta(days=days):
        case.hit(
            _S107, f"{_SESSION}/endedAt", f"at most {days} days ago", f"{age.days} days"
        )


def _signs(case: Case) -> None:
    record = case.record
    for interval in case.usage.intervals:
        if interval.energy_wh < 0 or interval.seconds < 0:
            _note_negative_transactions(case)
            break
    if record.parking_seconds < 0:
        found = record.parking_seconds
        case.hit(_S108, f"{_SESSION}/parkingSeconds", "0 or more", found)
    if record.idle_seconds < 0:
        case.hit(_S108, f"{_SESSION}/idleSeconds", "0 or more", record.idle_seconds)
    if record.claimed_net.is_signed() and record.claimed_net:
        case.hit(_S108, "claimedNet", "0 or more", record.claimed_net)


def _note_negative_transactions(case: Case) -> None:
    for at, session in enumerate(case.record.charging_sessions, start=1):
        for place, transaction in enumerate(session.transactions, start=1):
            path = f"{_SESSION}/chargingSession[{at}]/chargingTransaction[{place}]"
            if transaction.energy_wh < 0:
                case.hit(_S108, f"{path}/energyWh", "0 or more", transaction.energy_wh)
            if transaction.ended_at < transaction.started_at:
                expected = f"not before {transaction.started_at.isoformat()}"
                found = transaction.ended_at.isoformat()
                case.hit(_S108, f"{path}/endedAt", expected, found)


def _meters(case: Case) -> None:
    if case.energy_wh > ENERGY_WH_MAX:
        expected, found = f"at most {ENERGY_WH_MAX} Wh", f"{case.energy_wh} Wh"
        case.hit(_S110_LARGE, f"{_SESSION}/chargingSession", expected, found)
    for at, session in enumerate(case.record.charging_sessions, start=1):
        for place, transaction in enumerate(session.transactions, start=1):
            start_wh, stop_wh = transaction.meter_start_wh, transaction.meter_stop_wh
            if start_wh is None or stop_wh is None:
                continue
            limit_wh = stop_wh - start_wh + _METER_SLACK_WH
            path = f"{_SESSION}/chargingSession[{at}]/chargingTransaction[{place}]"
            if stop_wh < start_wh:
                expected = f"{start_wh} or more"
                case.hit(_S110, f"{path}/meterStopWh", expected, stop_wh)
            elif transaction.energy_wh > limit_wh:
                found = str(transaction.energy_wh)
                case.hit(_S110, f"{path}/energyWh", f"at most {limit_wh}", found)


def _match(case: Case) -> None:
    facts, session = case.facts, case.facts.session
    path = f"{_SESSION}/sessionId"
    if session is None:
        if case.terms.match_required:
            found = case.record.session_id or "no session id, and none fits"
            case.hit(_S201, path, "a session authorized here", found)
        return
    if session.state not in SDR_STATES:
        case.hit(_S201, path, "an authorized session without SDR", session.state)
    elif session.home_id != facts.csp_id:
        case.hit(_S201, path, "a session of this CSP", "another CSP's session")
    elif session.evse_key != facts.evse_key:
        case.hit(_S201, path, f"a session at {session.evse_key}", facts.evse_key)


def _power(case: Case) -> None:
    evse = case.facts.evse
    if evse is None or evse.power_w <= 0 or case.energy_wh <= 0:
        return
    percent = case.terms.power_percent_max
    seconds = case.charge_seconds
    if exceeds_power(case.energy_wh, seconds, power_w=evse.power_w, percent=percent):
        case.hit(
            _S202,
            f"{_SESSION}/chargingSession",
            f"at most {percent} % of {evse.power_w} W",
            f"{average_power_w(case.energy_wh, seconds)} W over {seconds} s",
        )


def _energy(case: Case) -> None:
    limit_wh = case.terms.energy_wh_max
    if case.energy_wh > limit_wh:
        expected, found = f"at most {limit_wh} Wh", f"{case.energy_wh} Wh"
        case.hit(_S203, f"{_SESSION}/chargingSession", expected, found)


def _duration(case: Case) -> None:
    limit_seconds = case.terms.duration_seconds_max
    elapsed = case.elapsed_seconds
    if elapsed > limit_seconds:
        expected, found = f"at most {limit_seconds} s", f"{elapsed} s"
        case.hit(_S204, f"{_SESSION}/endedAt", expected, found)
    used = case.charge_seconds + case.record.idle_seconds
    if used > elapsed + _SLACK_SECONDS:
        expected = f"charging and idle time of at most {elapsed} s"
        case.hit(_S204, f"{_SESSION}/idleSeconds", expected, f"{used} s")
    for place, session in enumerate(case.record.charging_sessions, start=1):
        before = seconds_between(session.started_at, case.record.started_at)
        after = seconds_between(case.record.ended_at, session.ended_at)
        if before > _SLACK_SECONDS or after > _SLACK_SECONDS:
            path = f"{_SESSION}/chargingSession[{place}]"
            found = f"{session.started_at.isoformat()}/{session.ended_at.isoformat()}"
            case.hit(_S204, path, "within the service session", found)


def _among_others(case: Case) -> None:
    if case.facts.agreement is not None and not case.is_refused():
        _overlap(case)
        _travel(case)


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
            case.hit(_S205, f"{_SESSION}/startedAt", expected, found)


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
            rule = _S206 if own else _S206_FOREIGN
            expected = f"at most {limit_kmh} km/h between two sessions"
            found = f"{metres // 1000} km in {seconds} s" if own else _FOREIGN
            # The same words again would tell how many others there are.
            if found not in told:
                told.add(found)
                case.hit(rule, f"{_SESSION}/startedAt", expected, found)


def _gap_seconds(record: ServiceDetailRecord, other: Neighbour) -> int:
    after = seconds_between(other.ended_at, record.started_at)
    before = seconds_between(record.ended_at, other.started_at)
    return max(0, after, before)


def _claim(case: Case) -> None:
    if _differs_beyond(case):
        _note_claim(case, _S208)


def _claim_within(case: Case) -> None:
    if case.claimed_minor != case.net_minor and not _differs_beyond(case):
        _note_claim(case, _S301)


def _differs_beyond(case: Case) -> bool:
    """Say whether claim and rating differ by more than both tolerances."""
    difference = abs(case.claimed_minor - case.net_minor)
    terms = case.terms
    return (
        difference > terms.tolerance_minor
        and difference * _PPM > terms.tolerance_ppm * case.net_minor
    )


def _note_claim(case: Case, rule: Rule) -> None:
    if case.is_rated:
        expected = case.money(case.net_minor)
        case.hit(rule, "claimedNet", expected, case.money(case.claimed_minor))


def _high_amount(case: Case) -> None:
    if not case.is_rated or case.facts.agreement is None or case.is_refused():
        return
    ceiling = case.facts.agreement.net_ceiling_minor
    mean = case.facts.mean_net_minor
    if ceiling is not None and case.net_minor > ceiling:
        expected = f"at most {case.money(ceiling)}"
        case.hit(_S209, "claimedNet", expected, case.money(case.net_minor))
    elif mean and case.net_minor > case.terms.net_mean_factor * mean:
        expected = f"at most {case.terms.net_mean_factor} times the EVSE's mean"
        case.hit(_S209, "claimedNet", expected, case.money(case.net_minor))


def _tiny(case: Case) -> None:
    energy_wh = case.energy_wh
    is_zero = energy_wh == 0 and case.elapsed_seconds > _ZERO_ENERGY_SECONDS
    if is_zero or 0 < energy_wh < _TINY_WH:
        expected = f"{_TINY_WH} Wh or more"
        case.hit(_S302, f"{_SESSION}/chargingSession", expected, f"{energy_wh} Wh")


def _clock(case: Case) -> None:
    record, now = case.record, case.facts.now
    if now < record.ended_at <= now + _AHEAD:
        expected = f"before {now.isoformat(timespec='seconds')}"
        found = record.ended_at.isoformat()
        case.hit(_S303, f"{_SESSION}/endedAt", expected, found)
    offset = record.started_at.utcoffset()
    if offset and case.facts.evse is not None:
        # Z says nothing of local time; another offset must be the zone's, or the
        # sender's clock did not follow the change to or from summer time.
        zone = zone_named(case.facts.evse.zone)
        local = record.started_at.astimezone(zone)
        if local.utcoffset() != offset:
            expected = f"{local.isoformat()} or UTC"
            found = record.started_at.isoformat()
            case.hit(_S303, f"{_SESSION}/startedAt", expected, found)


def _late_notice(case: Case) -> None:
    age = case.facts.now - case.record.ended_at
    if age > _LATE_NOTICE:
        second = age > _LATE_NOTICE_SECOND
        expected = "within 7 days" if second else "within 24 hours"
        hours = age // timedelta(hours=1)
        case.hit(_S304, f"{_SESSION}/endedAt", expected, f"after {hours} hours")


_REFUSING = (
    _identity,
    _relation,
    _evse,
    _currency,
    _tariff,
    _times,
    _age,
    _signs,
    _meters,
)
_HOLDING = (
    _match,
    _power,
    _energy,
    _duration,
    _among_others,
    _claim,
    _high_amount,
    _claim_within,
    _tiny,
    _clock,
    _late_notice,
)


def judge(record: ServiceDetailRecord, facts: SdrFacts) -> Judgement:
    """Judge one record: all rules, in fixed order, without raising."""
    case = Case(record, facts)
    digest = content_digest(
        record,
        subject_id=facts.subject_id,
        contract_subject_id=facts.contract_subject_id,
    )
    if facts.known_digest == digest:
        outcome = Outcome.DUPLICATE
    else:
        for rule in _REFUSING:
            rule(case)
        case.rate()
        for rule in _HOLDING:
            rule(case)
        outcome = case.outcome()
    return Judgement(
        outcome,
        tuple(case.hits),
        case.net_minor,
        case.claimed_minor,
        case.energy_wh,
        case.charge_seconds,
        digest,
    )
