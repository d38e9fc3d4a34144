"""S-109: a credit mirrors what it cancels, a replacement comes behind a credit.

One chain for each service session: original, credit, replacement, credit ... Each names
the one before it, so that at most one version counts (settlement 2.7).
"""

from __future__ import annotations

from clearinghouse.domain import sdr_catalogue as catalogue
from clearinghouse.domain.money import CURRENCIES, minor_text
from clearinghouse.domain.sdr_catalogue import SESSION_PATH
from clearinghouse.domain.sdr_facts import Case, Version
from clearinghouse.domain.sdrs import SdrKind, SdrStatus

_REFERENCE = "refSdrId"

#: Where a version stands that can be corrected: it counts, or was settled.
_COUNTS = frozenset(
    {
        SdrStatus.ACCEPTED,
        SdrStatus.DELIVERED,
        SdrStatus.CONFIRMED,
        SdrStatus.AUTO_CONFIRMED,
        SdrStatus.SETTLED,
    }
)


def reference(case: Case) -> None:
    """S-109: what a credit or a replacement refers to is there and can be corrected.

    An SDR of the same submitter that counts: an original or a replacement for a credit,
    a credit for a replacement.
    """
    record = case.record
    if record.kind is SdrKind.ORIGINAL:
        if record.ref_sdr_id is not None:
            case.hit(catalogue.S109, _REFERENCE, "nothing, in an original", "an SDR id")
        return
    expected = "an SDR of yours"
    if record.ref_sdr_id is None:
        case.hit(catalogue.S109, _REFERENCE, expected, "nothing")
        return
    found = case.facts.reference
    if found is None:
        case.hit(catalogue.S109, _REFERENCE, expected, record.ref_sdr_id)
        return
    is_credit = record.kind is SdrKind.CREDIT
    if is_credit is (found.kind is SdrKind.CREDIT):
        wanted = "an original or a replacement" if is_credit else "a credit"
        case.hit(catalogue.S109, _REFERENCE, wanted, found.kind.value)
    if found.status not in _COUNTS:
        expected = "one that counts and has no correction yet"
        case.hit(catalogue.S109, _REFERENCE, expected, found.status.value)
    if not is_credit and record.csp_id != found.csp_party:
        path = f"{SESSION_PATH}/cspId"
        case.hit(catalogue.S109, path, found.csp_party, record.csp_id)


def mirrored(case: Case) -> None:
    """S-109: a credit has the figures of what it cancels, all of them and no others.

    The amount is what was claimed or what was rated: both are known to the submitter,
    and what counts is the rating in any case.
    """
    found = case.facts.reference
    if found is None:
        return
    record, facts = case.record, case.facts
    pairs: list[tuple[str, object, object]] = [
        (f"{SESSION_PATH}/cspId", found.csp_party, record.csp_id),
        (f"{SESSION_PATH}/evseId", found.evse_key, facts.evse_key),
        (f"{SESSION_PATH}/startedAt", found.started_at, record.started_at),
        (f"{SESSION_PATH}/endedAt", found.ended_at, record.ended_at),
        (f"{SESSION_PATH}/chargingSession", found.energy_wh, case.energy_wh),
        (f"{SESSION_PATH}/chargingSession", found.charge_seconds, case.charge_seconds),
        (
            f"{SESSION_PATH}/parkingSeconds",
            found.parking_seconds,
            record.parking_seconds,
        ),
        (f"{SESSION_PATH}/idleSeconds", found.idle_seconds, record.idle_seconds),
        ("tariffId", found.tariff_id, record.tariff_id),
        ("currency", found.currency, record.currency),
    ]
    for path, expected, seen in pairs:
        if expected != seen:
            case.hit(catalogue.S109, path, expected, seen)
    if found.cso_id != facts.cso_id:
        path = f"{SESSION_PATH}/csoId"
        case.hit(catalogue.S109, path, "the CSO of what it cancels", record.cso_id)
    if case.claimed_minor not in (found.claimed_minor, found.net_minor):
        case.hit(catalogue.S109, "claimedNet", _amount(found), record.claimed_net)


def _amount(found: Version) -> str:
    return minor_text(found.claimed_minor, CURRENCIES[found.currency])
