"""Rules that refuse an SDR: S-101 to S-111."""

from __future__ import annotations

from datetime import timedelta

from clearinghouse.domain import meter_rules
from clearinghouse.domain import sdr_catalogue as catalogue
from clearinghouse.domain.agreements import Module, goes_through
from clearinghouse.domain.energy import ENERGY_WH_MAX
from clearinghouse.domain.money import (
    AMOUNT_MINOR_MAX,
    CURRENCIES,
    minor_or_none,
    minor_text,
)
from clearinghouse.domain.sdr_catalogue import SESSION_PATH
from clearinghouse.domain.sdr_facts import Case
from clearinghouse.domain.sdrs import SdrKind

#: Age in days at which an SDR is refused whatever the agreement says (S-107).
LATE_DAYS_MAX = 60

#: Age in days at which a replacement is refused: its original was in time, its window
#: may have been disputed for two months, and a dispute ends after four (2.7).
REPLACEMENT_DAYS_MAX = 240

#: Seconds of charging in one record, a year. It stops a slip in a year from becoming a
#: number that no column holds, which would cost the whole batch.
CHARGE_SECONDS_MAX = 31_622_400


def _identity(case: Case) -> None:
    if case.facts.known_digest is not None:
        case.hit(
            catalogue.S101,
            "sdrId",
            "the content first sent, or a new id",
            "other content",
        )


def _relation(case: Case) -> None:
    csp, agreement = case.record.csp_id, case.facts.agreement
    path = f"{SESSION_PATH}/cspId"
    if agreement is None:
        # Whether there is such a CSP is not for somebody without an agreement to know.
        at = case.record.started_at.isoformat()
        case.hit(catalogue.S102, path, f"a CSP with an agreement in force at {at}", csp)
    elif not goes_through(agreement.mode, Module.SDR):
        case.hit(
            catalogue.S102,
            path,
            "a mode with settlement here",
            f"mode {agreement.mode}",
        )


def _evse(case: Case) -> None:
    facts, record = case.facts, case.record
    path = f"{SESSION_PATH}/evseId"
    if facts.evse_key is None:
        case.hit(
            catalogue.S103, path, facts.evse_problem or "an EVSE id", record.evse_id
        )
    elif facts.evse is None:
        # A station may be younger than our registry: its data have a day to arrive.
        lag = timedelta(hours=case.terms.registry_lag_hours)
        recent = facts.now - record.started_at < lag
        rule = (
            catalogue.S103_LAG if recent and facts.evse_prefix_owned else catalogue.S103
        )
        case.hit(rule, path, "an EVSE that this CSO has registered", record.evse_id)


def _currency(case: Case) -> None:
    facts, record = case.facts, case.record
    currency = CURRENCIES.get(record.currency)
    if currency is None:
        case.hit(
            catalogue.S104, "currency", "a currency code of ISO 4217", record.currency
        )
        return
    for term in (facts.agreement, facts.tariff):
        if term is not None and term.currency != record.currency:
            case.hit(catalogue.S104, "currency", term.currency, record.currency)
            break
    claimed_minor = minor_or_none(record.claimed_net, currency)
    if claimed_minor is None:
        expected = f"at most {currency.exponent} decimals in {currency.code}"
        case.hit(catalogue.S104, "claimedNet", expected, record.claimed_net)
        return
    if abs(claimed_minor) > AMOUNT_MINOR_MAX:
        expected = f"at most {minor_text(AMOUNT_MINOR_MAX, currency)}"
        case.hit(catalogue.S104_LARGE, "claimedNet", expected, record.claimed_net)
        return
    case.claimed_minor = claimed_minor


def _tariff(case: Case) -> None:
    if case.facts.tariff is None:
        at = case.record.started_at.isoformat()
        case.hit(
            catalogue.S105,
            "tariffId",
            f"a tariff in force at {at}",
            case.record.tariff_id,
        )


def _times(case: Case) -> None:
    record, now = case.record, case.facts.now
    if record.ended_at <= record.started_at:
        expected = f"after {record.started_at.isoformat()}"
        found = record.ended_at.isoformat()
        case.hit(catalogue.S106, f"{SESSION_PATH}/endedAt", expected, found)
    if record.ended_at > now:
        _note_future(case)
    if case.charge_seconds > CHARGE_SECONDS_MAX:
        expected = f"at most {CHARGE_SECONDS_MAX} s of charging"
        found = f"{case.charge_seconds} s"
        case.hit(catalogue.S106, f"{SESSION_PATH}/chargingSession", expected, found)


def _note_future(case: Case) -> None:
    record, now = case.record, case.facts.now
    latest = now + timedelta(seconds=case.terms.ahead_seconds)
    if record.ended_at > latest:
        expected = f"before {now.isoformat(timespec='seconds')}"
        late = record.started_at > latest
        name, at = (
            ("startedAt", record.started_at) if late else ("endedAt", record.ended_at)
        )
        case.hit(catalogue.S106, f"{SESSION_PATH}/{name}", expected, at.isoformat())


def _age(case: Case) -> None:
    days = min(case.terms.late_limit_days, LATE_DAYS_MAX)
    if case.record.kind is SdrKind.REPLACEMENT:
        days = REPLACEMENT_DAYS_MAX
    age = case.facts.now - case.record.ended_at
    if age.days >= days and age > timedelta(days=days):
        case.hit(
            catalogue.S107,
            f"{SESSION_PATH}/endedAt",
            f"at most {days} days ago",
            f"{age.days} days",
        )


def _signs(case: Case) -> None:
    record = case.record
    for interval in case.usage.intervals:
        if interval.energy_wh < 0 or interval.seconds < 0:
            _note_negative_transactions(case)
            break
    if record.parking_seconds < 0:
        found = record.parking_seconds
        case.hit(catalogue.S108, f"{SESSION_PATH}/parkingSeconds", "0 or more", found)
    if record.idle_seconds < 0:
        case.hit(
            catalogue.S108,
            f"{SESSION_PATH}/idleSeconds",
            "0 or more",
            record.idle_seconds,
        )
    if record.claimed_net.is_signed() and record.claimed_net:
        case.hit(catalogue.S108, "claimedNet", "0 or more", record.claimed_net)


def _note_negative_transactions(case: Case) -> None:
    for at, session in enumerate(case.record.charging_sessions, start=1):
        for place, transaction in enumerate(session.transactions, start=1):
            path = f"{SESSION_PATH}/chargingSession[{at}]/chargingTransaction[{place}]"
            if transaction.energy_wh < 0:
                case.hit(
                    catalogue.S108,
                    f"{path}/energyWh",
                    "0 or more",
                    transaction.energy_wh,
                )
            if transaction.ended_at < transaction.started_at:
                expected = f"not before {transaction.started_at.isoformat()}"
                found = transaction.ended_at.isoformat()
                case.hit(catalogue.S108, f"{path}/endedAt", expected, found)


def _meters(case: Case) -> None:
    if case.energy_wh > ENERGY_WH_MAX:
        expected, found = f"at most {ENERGY_WH_MAX} Wh", f"{case.energy_wh} Wh"
        case.hit(
            catalogue.S110_LARGE, f"{SESSION_PATH}/chargingSession", expected, found
        )
    for at, session in enumerate(case.record.charging_sessions, start=1):
        for place, transaction in enumerate(session.transactions, start=1):
            start_wh, stop_wh = transaction.meter_start_wh, transaction.meter_stop_wh
            if start_wh is None or stop_wh is None:
                continue
            limit_wh = stop_wh - start_wh + case.terms.meter_slack_wh
            path = f"{SESSION_PATH}/chargingSession[{at}]/chargingTransaction[{place}]"
            if stop_wh < start_wh:
                expected = f"{start_wh} or more"
                case.hit(catalogue.S110, f"{path}/meterStopWh", expected, stop_wh)
            elif transaction.energy_wh > limit_wh:
                found = str(transaction.energy_wh)
                case.hit(
                    catalogue.S110, f"{path}/energyWh", f"at most {limit_wh}", found
                )


REFUSING = (
    _identity,
    _relation,
    _evse,
    _currency,
    _tariff,
    _times,
    _age,
    _signs,
    _meters,
    meter_rules.readings,
    meter_rules.signed_values,
)

#: Rules that a credit can break; all else is compared with what it cancels.
CREDITED = (_identity, _currency)
