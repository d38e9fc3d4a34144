"""Rules that only remark: S-301 to S-304."""

from __future__ import annotations

from datetime import timedelta

from clearinghouse.domain import sdr_catalogue as catalogue
from clearinghouse.domain.claim_rules import claim_within
from clearinghouse.domain.sdr_catalogue import SESSION_PATH
from clearinghouse.domain.sdr_facts import AHEAD, Case
from clearinghouse.domain.sdrs import SdrKind
from clearinghouse.identifiers.zones import zone_named

_LATE_NOTICE = timedelta(hours=24)
_LATE_NOTICE_SECOND = timedelta(days=7)
_TINY_WH = 100
_ZERO_ENERGY_SECONDS = 120


def _tiny(case: Case) -> None:
    energy_wh = case.energy_wh
    is_zero = energy_wh == 0 and case.elapsed_seconds > _ZERO_ENERGY_SECONDS
    if is_zero or 0 < energy_wh < _TINY_WH:
        expected = f"{_TINY_WH} Wh or more"
        case.hit(
            catalogue.S302,
            f"{SESSION_PATH}/chargingSession",
            expected,
            f"{energy_wh} Wh",
        )


def _clock(case: Case) -> None:
    record, now = case.record, case.facts.now
    if now < record.ended_at <= now + AHEAD:
        expected = f"before {now.isoformat(timespec='seconds')}"
        found = record.ended_at.isoformat()
        case.hit(catalogue.S303, f"{SESSION_PATH}/endedAt", expected, found)
    offset = record.started_at.utcoffset()
    if offset and case.facts.evse is not None:
        # Z says nothing of local time; another offset must be the zone's, or the
        # sender's clock did not follow the change to or from summer time.
        zone = zone_named(case.facts.evse.zone)
        local = record.started_at.astimezone(zone)
        if local.utcoffset() != offset:
            expected = f"{local.isoformat()} or UTC"
            found = record.started_at.isoformat()
            case.hit(catalogue.S303, f"{SESSION_PATH}/startedAt", expected, found)


def _late_notice(case: Case) -> None:
    age = case.facts.now - case.record.ended_at
    if case.record.kind is SdrKind.REPLACEMENT:
        return  # a correction is late by nature
    if age > _LATE_NOTICE:
        second = age > _LATE_NOTICE_SECOND
        expected = "within 7 days" if second else "within 24 hours"
        hours = age // timedelta(hours=1)
        case.hit(
            catalogue.S304, f"{SESSION_PATH}/endedAt", expected, f"after {hours} hours"
        )


REMARKING = (
    claim_within,
    _tiny,
    _clock,
    _late_notice,
)
