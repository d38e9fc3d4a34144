"""Rules on meter values: readings (S-110), signed values (S-111), what is missing.

A signed value that does not hold refuses the record where the agreement puts the
relation under calibration law, and holds it elsewhere. One that cannot be checked is
never taken for right: it holds the record, or where nobody requires signatures and the
format is one of those that we do not read, it is remarked on (S-305).
"""

from __future__ import annotations

from collections.abc import Callable
from itertools import pairwise

from clearinghouse.domain import sdr_catalogue as catalogue
from clearinghouse.domain.meters import SLACK_WH, SignedFormat
from clearinghouse.domain.sdr_catalogue import SESSION_PATH
from clearinghouse.domain.sdr_facts import Case
from clearinghouse.domain.sdrs import ChargingTransaction
from clearinghouse.domain.signed_transactions import (
    Claim,
    Doubt,
    Evidence,
    check,
)

#: Readings of one record in all. With the next two it keeps an SDR within a delivery.
READINGS_MAX = 1_000

#: Signed values of one record in all.
SIGNED_VALUES_MAX = 100

#: Characters of all signed values of one record and of their keys.
SIGNED_CHARACTERS_MAX = 40_000

_DOUBTS = {
    Doubt.KEY_UNREGISTERED: (
        catalogue.S305_KEY,
        "a key that is registered with the EVSE",
        "a key that the record itself names",
    ),
    Doubt.KEY_OTHER: (
        catalogue.S305_KEY_OTHER,
        "the key that is registered with the EVSE",
        "another key, which was not used",
    ),
    Doubt.CLOCK: (catalogue.S305_CLOCK, "a meter whose clock is set", "another"),
}


def readings(case: Case) -> None:
    """Check that readings are in order and add up to the transaction (S-110)."""
    split = _those(case, lambda transaction: bool(transaction.readings))
    total = sum([len(transaction.readings) for _, transaction in split])
    for path, transaction in split:
        _readings(case, path, transaction)
    if total > READINGS_MAX:
        expected = f"at most {READINGS_MAX} readings in one record"
        path = f"{SESSION_PATH}/chargingSession"
        case.hit(catalogue.S110_LARGE, path, expected, total)


def _readings(case: Case, path: str, transaction: ChargingTransaction) -> None:
    found = transaction.readings
    for place, (earlier, later) in enumerate(pairwise(found), start=2):
        at = f"{path}/meterReading[{place}]"
        if later.at < earlier.at:
            expected = f"not before {earlier.at.isoformat()}"
            case.hit(catalogue.S110, f"{at}/at", expected, later.at.isoformat())
        if later.register_wh < earlier.register_wh:
            expected = f"{earlier.register_wh} or more"
            case.hit(catalogue.S110, f"{at}/registerWh", expected, later.register_wh)
    first, last = found[0], found[-1]
    if first.at < transaction.started_at:
        expected = f"not before {transaction.started_at.isoformat()}"
        at = f"{path}/meterReading[1]/at"
        case.hit(catalogue.S110, at, expected, first.at.isoformat())
    if last.at > transaction.ended_at:
        expected = f"not after {transaction.ended_at.isoformat()}"
        at = f"{path}/meterReading[{len(found)}]/at"
        case.hit(catalogue.S110, at, expected, last.at.isoformat())
    drawn_wh = last.register_wh - first.register_wh
    if abs(drawn_wh - transaction.energy_wh) > SLACK_WH:
        expected = f"{drawn_wh} Wh, as between the first and the last reading"
        case.hit(catalogue.S110, f"{path}/energyWh", expected, transaction.energy_wh)


def signed_values(case: Case) -> None:
    """Check signed values (S-111), and note what is remarked on them later."""
    signed = _those(case, lambda transaction: bool(transaction.signed_values))
    if not signed or _is_too_much(case, [transaction for _, transaction in signed]):
        return
    evse = case.facts.evse
    key = None if evse is None else evse.meter_key
    for path, transaction in signed:
        claim = Claim(
            started_at=transaction.started_at,
            ended_at=transaction.ended_at,
            energy_wh=transaction.energy_wh,
        )
        evidence = check(claim, transaction.signed_values, key)
        case.evidence.append(evidence)
        _note(case, path, transaction, evidence)


def _is_too_much(case: Case, signed: list[ChargingTransaction]) -> bool:
    values = [one for transaction in signed for one in transaction.signed_values]
    characters = sum(len(one.data) + len(one.public_key or "") for one in values)
    path = f"{SESSION_PATH}/chargingSession"
    if len(values) > SIGNED_VALUES_MAX:
        expected = f"at most {SIGNED_VALUES_MAX} signed values in one record"
        case.hit(catalogue.S111_LARGE, path, expected, len(values))
        return True
    if characters > SIGNED_CHARACTERS_MAX:
        expected = f"at most {SIGNED_CHARACTERS_MAX} characters of signed values"
        case.hit(catalogue.S111_LARGE, path, expected, characters)
        return True
    return False


def _note(
    case: Case, path: str, transaction: ChargingTransaction, evidence: Evidence
) -> None:
    required = case.terms.signed_meter_required
    for problem in evidence.problems:
        at = f"{path}/signedMeterValue[{problem.place}]"
        rule = catalogue.S111 if required else catalogue.S111_HELD
        if problem.is_unchecked:
            value = transaction.signed_values[problem.place - 1]
            if value.format is SignedFormat.OTHER and not required:
                case.later(catalogue.S305_FORMAT, at, problem.expected, problem.found)
                continue
            rule = catalogue.S111_UNCHECKED
        case.hit(rule, at, problem.expected, problem.found)
    for doubt in evidence.doubts:
        doubt_rule, expected, found = _DOUBTS[doubt]
        case.later(doubt_rule, f"{path}/signedMeterValue", expected, found)


def missing(case: Case) -> None:
    """Remark on meter values that are not there, or not signed (S-305)."""
    unmetered = _those(case, _is_unmetered)
    if unmetered:
        expected = "meterStartWh and meterStopWh, or meterReading"
        case.hit(catalogue.S305_MISSING, unmetered[0][0], expected, "neither")
    if case.terms.signed_meter_required:
        unsigned = _those(case, _is_unsigned)
        if unsigned:
            path = unsigned[0][0]
            case.hit(catalogue.S305_UNSIGNED, path, "signedMeterValue", "none")
    case.hits += case.remarks


def _is_unsigned(transaction: ChargingTransaction) -> bool:
    return transaction.energy_wh > 0 and not transaction.signed_values


def _is_unmetered(transaction: ChargingTransaction) -> bool:
    is_bare = transaction.meter_start_wh is None or transaction.meter_stop_wh is None
    return is_bare and not transaction.readings and _is_unsigned(transaction)


def _those(
    case: Case, wanted: Callable[[ChargingTransaction], bool]
) -> list[tuple[str, ChargingTransaction]]:
    """Return some transactions with their paths; most records have none of them."""
    return [
        (f"{SESSION_PATH}/chargingSession[{at}]/chargingTransaction[{place}]", one)
        for at, session in enumerate(case.record.charging_sessions, start=1)
        for place, one in enumerate(session.transactions, start=1)
        if wanted(one)
    ]
