"""Rules that hold an SDR until somebody looks at it: S-201 to S-213."""

from __future__ import annotations

from clearinghouse.domain import sdr_catalogue as catalogue
from clearinghouse.domain.claim_rules import claim, high_amount
from clearinghouse.domain.clock import seconds_between
from clearinghouse.domain.debit_caps import supply_of
from clearinghouse.domain.energy import average_power_w, exceeds_power
from clearinghouse.domain.neighbour_rules import among_others
from clearinghouse.domain.sdr_catalogue import SESSION_PATH
from clearinghouse.domain.sdr_facts import Case
from clearinghouse.domain.sdrs import SdrKind
from clearinghouse.domain.sessions import SDR_STATES


def _match(case: Case) -> None:
    facts, session = case.facts, case.facts.session
    path = f"{SESSION_PATH}/sessionId"
    if session is None:
        if case.terms.match_required and not case.is_offline():
            found = case.record.session_id or "no session id, and none fits"
            case.hit(catalogue.S201, path, "a session authorized here", found)
        return
    if session.state not in SDR_STATES:
        case.hit(
            catalogue.S201, path, "an authorized session without SDR", session.state
        )
    elif session.home_id != facts.csp_id:
        case.hit(catalogue.S201, path, "a session of this CSP", "another CSP's session")
    elif session.evse_key != facts.evse_key:
        case.hit(
            catalogue.S201, path, f"a session at {session.evse_key}", facts.evse_key
        )


def _power(case: Case) -> None:
    evse = case.facts.evse
    if evse is None or evse.power_w <= 0 or case.energy_wh <= 0:
        return
    percent = case.terms.power_percent_max
    seconds = case.charge_seconds
    if exceeds_power(case.energy_wh, seconds, power_w=evse.power_w, percent=percent):
        case.hit(
            catalogue.S202,
            f"{SESSION_PATH}/chargingSession",
            f"at most {percent} % of {evse.power_w} W",
            f"{average_power_w(case.energy_wh, seconds)} W over {seconds} s",
        )


def _energy(case: Case) -> None:
    limit_wh = case.terms.energy_wh_max
    if case.energy_wh > limit_wh:
        expected, found = f"at most {limit_wh} Wh", f"{case.energy_wh} Wh"
        case.hit(catalogue.S203, f"{SESSION_PATH}/chargingSession", expected, found)


def _duration(case: Case) -> None:
    limit_seconds = case.terms.duration_seconds_max
    elapsed, slack_seconds = case.elapsed_seconds, case.terms.elapsed_slack_seconds
    if elapsed > limit_seconds:
        expected, found = f"at most {limit_seconds} s", f"{elapsed} s"
        case.hit(catalogue.S204, f"{SESSION_PATH}/endedAt", expected, found)
    used = case.charge_seconds + case.record.idle_seconds
    if used > elapsed + slack_seconds:
        expected = f"charging and idle time of at most {elapsed} s"
        case.hit(catalogue.S204, f"{SESSION_PATH}/idleSeconds", expected, f"{used} s")
    for place, session in enumerate(case.record.charging_sessions, start=1):
        before = seconds_between(session.started_at, case.record.started_at)
        after = seconds_between(case.record.ended_at, session.ended_at)
        if before > slack_seconds or after > slack_seconds:
            path = f"{SESSION_PATH}/chargingSession[{place}]"
            found = f"{session.started_at.isoformat()}/{session.ended_at.isoformat()}"
            case.hit(catalogue.S204, path, "within the service session", found)


def _credential(case: Case) -> None:
    """Compare with the list; of a refused record nothing is told of its user."""
    if not case.facts.listed or case.is_refused():
        return
    at = case.record.started_at
    for listed in case.facts.listed:
        path = f"{SESSION_PATH}/{listed.path}"
        expected = f"a credential that was valid at {at.isoformat()}"
        if listed.is_blocked(at):
            case.hit(catalogue.S210, path, expected, "blocked")
        elif listed.is_expired(at):
            case.hit(catalogue.S210, path, expected, "expired")


def _debit_cap(case: Case) -> None:
    """Ask for room under the net debit cap; how much the CSP owes is nobody's to know.

    What is refused adds no debt, and an answer that costs its sender nothing must not
    tell of the CSP.
    """
    facts, debits = case.facts, case.facts.debits
    if debits is None or case.net_minor <= 0 or case.is_refused():
        return
    vat = (facts.vat.category.value, facts.vat.rate_bp)
    charge = supply_of(facts.window_id, facts.submitter_id, vat, case.net_minor)
    if not debits.has_room(charge):
        case.hit(
            catalogue.S211,
            f"{SESSION_PATH}/cspId",
            "room under the net debit cap of the CSP",
            f"{case.money(case.net_minor)} without VAT more",
        )


def _vat(case: Case) -> None:
    doubt = case.facts.vat_doubt
    if doubt is not None:
        path = f"{SESSION_PATH}/evseId"
        case.hit(catalogue.S212, path, doubt.expected, doubt.found)


def _so_far(case: Case) -> None:
    """Compare with the newest intermediate SDR; a correction may say less."""
    told = case.facts.so_far
    if told is None or case.record.kind is not SdrKind.ORIGINAL:
        return
    of = f"as intermediate SDR {told.sequence_no} told"
    if case.energy_wh + case.terms.meter_slack_wh < told.energy_wh:
        expected, found = f"at least {told.energy_wh} Wh, {of}", f"{case.energy_wh} Wh"
        case.hit(catalogue.S213, f"{SESSION_PATH}/chargingSession", expected, found)
    late_seconds = seconds_between(case.record.ended_at, told.occurred_at)
    if late_seconds > case.terms.elapsed_slack_seconds:
        expected = f"not before {told.occurred_at.isoformat()}, {of}"
        found = case.record.ended_at.isoformat()
        case.hit(catalogue.S213, f"{SESSION_PATH}/endedAt", expected, found)


HOLDING = (
    _match,
    _power,
    _energy,
    _duration,
    among_others,
    claim,
    high_amount,
    _credential,
    _debit_cap,
    _vat,
    _so_far,
)
