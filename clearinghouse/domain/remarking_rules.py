"""Rules that only remark: S-301 to S-307."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from clearinghouse.domain import meter_rules
from clearinghouse.domain import sdr_catalogue as catalogue
from clearinghouse.domain.claim_rules import claim_within
from clearinghouse.domain.sdr_catalogue import SESSION_PATH
from clearinghouse.domain.sdr_facts import Case
from clearinghouse.domain.sdrs import SdrKind
from clearinghouse.identifiers import evse_id
from clearinghouse.identifiers.zones import zone_named

_DAY_SECONDS = 86_400
_HOUR_SECONDS = 3_600
_WHOLE_HOURS = timedelta(hours=1)


def _tiny(case: Case) -> None:
    energy_wh, terms = case.energy_wh, case.terms
    is_zero = energy_wh == 0 and case.elapsed_seconds > terms.zero_energy_seconds
    if is_zero or 0 < energy_wh < terms.tiny_wh:
        expected = f"{terms.tiny_wh} Wh or more"
        case.hit(
            catalogue.S302,
            f"{SESSION_PATH}/chargingSession",
            expected,
            f"{energy_wh} Wh",
        )


def _clock(case: Case) -> None:
    record, now = case.record, case.facts.now
    ahead_seconds = case.terms.ahead_seconds
    if now < record.ended_at <= now + timedelta(seconds=ahead_seconds):
        expected = f"before {now.isoformat(timespec='seconds')}"
        found = record.ended_at.isoformat()
        case.hit(catalogue.S303, f"{SESSION_PATH}/endedAt", expected, found)
    if case.facts.evse is not None:
        # Z says nothing of local time; another offset must be the zone's, or the
        # sender's clock did not follow the change to or from summer time.
        for name, at in (
            ("startedAt", record.started_at),
            ("endedAt", record.ended_at),
        ):
            is_local = at.tzinfo is not UTC and at.utcoffset()
            if is_local and _is_strange(case, name, at, case.facts.evse.zone):
                break


def _is_strange(case: Case, name: str, at: datetime, zone: str) -> bool:
    """Remark an offset that is not the zone's, and a local time that comes twice.

    A station that writes local time knows the hour that summer time gives back only if
    its clock was told of the change.
    """
    local = at.astimezone(zone_named(zone))
    if local.utcoffset() != at.utcoffset():
        expected = f"{local.isoformat()} or UTC"
        case.hit(catalogue.S303, f"{SESSION_PATH}/{name}", expected, at.isoformat())
        return True
    if local.replace(fold=1 - local.fold).utcoffset() != local.utcoffset():
        found = f"{at.isoformat()}, a local time that comes twice"
        case.hit(catalogue.S303, f"{SESSION_PATH}/{name}", "UTC", found)
        return True
    return False


def _late_notice(case: Case) -> None:
    age = case.facts.now - case.record.ended_at
    if case.record.kind is SdrKind.REPLACEMENT:
        return  # a correction is late by nature
    age_seconds, terms = age.days * _DAY_SECONDS + age.seconds, case.terms
    if age_seconds < terms.late_notice_hours * _HOUR_SECONDS:
        return
    path, found = f"{SESSION_PATH}/endedAt", f"after {age // _WHOLE_HOURS} hours"
    if age > timedelta(hours=terms.late_notice_hours):
        expected = f"within {terms.late_notice_hours} hours"
        case.hit(catalogue.S304, path, expected, found)


def _very_late_notice(case: Case) -> None:
    age, days = case.facts.now - case.record.ended_at, case.terms.late_notice_days
    is_late = age.days >= days and age > timedelta(days=days)
    if is_late and case.record.kind is not SdrKind.REPLACEMENT:
        found = f"after {age // _WHOLE_HOURS} hours"
        expected = f"within {days} days"
        case.hit(catalogue.S307, f"{SESSION_PATH}/endedAt", expected, found)


def _evse_form(case: Case) -> None:
    received = case.record.evse_id
    if not received[:1].isalpha() and case.facts.evse_key is not None:
        form = received.lstrip()[:1]
        if form == "+" or form.isdigit():
            expected = evse_id.format(received)
            case.hit(catalogue.S305, f"{SESSION_PATH}/evseId", expected, received)


def _tariff_change(case: Case) -> None:
    changed_at = case.facts.tariff_changed_at
    if changed_at is not None:
        expected = f"no change before {case.record.ended_at.isoformat()}"
        found = f"changed or ended at {changed_at.isoformat()}"
        case.hit(catalogue.S306, "tariffId", expected, found)


REMARKING = (
    claim_within,
    _tiny,
    _clock,
    _late_notice,
    _evse_form,
    meter_rules.missing,
    _tariff_change,
    _very_late_notice,
)
