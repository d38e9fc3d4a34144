"""The usual record, on which no rule has a word: shown by a few comparisons.

Nine in ten records of a batch end as they should: one charging transaction, at a known
session, in time, and claimed to the cent. For such a record each rule of the catalogue
is kept, and its condition is a comparison of two numbers or a look at a field. Here
they stand side by side, without anything that a rule would need to speak.

This may be too careful and must never be too bold: ``None`` says nothing, and the rules
themselves judge then. What it returns is what they would have returned. A test draws
records at and around every threshold and compares; and a rule that is not in
:data:`PROVEN` keeps this from speaking at all, until somebody has looked at it here.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, timedelta
from typing import NamedTuple

from clearinghouse.domain.agreements import Agreement, Module, Terms, goes_through
from clearinghouse.domain.clock import seconds_between
from clearinghouse.domain.debit_caps import supply_of
from clearinghouse.domain.energy import ENERGY_WH_MAX, exceeds_power
from clearinghouse.domain.money import (
    AMOUNT_MINOR_MAX,
    CURRENCIES,
    Currency,
    minor_or_none,
)
from clearinghouse.domain.refusing_rules import CHARGE_SECONDS_MAX, LATE_DAYS_MAX
from clearinghouse.domain.sdr_facts import (
    EvseFacts,
    Neighbour,
    SdrFacts,
    SessionFacts,
    SoFar,
    TariffFacts,
)
from clearinghouse.domain.sdrs import (
    ChargingSession,
    ChargingTransaction,
    SdrKind,
    ServiceDetailRecord,
)
from clearinghouse.domain.sessions import SDR_STATES
from clearinghouse.domain.usage import Interval, Usage

#: Names of the rules whose conditions are looked at here.
PROVEN = frozenset(
    {
        *("_identity", "_relation", "_evse", "_currency", "_tariff", "_times", "_age"),
        *("_signs", "_meters", "readings", "signed_values"),
        *("_match", "_power", "_energy", "_duration", "among_others", "claim"),
        *("high_amount", "_credential", "_debit_cap", "_vat", "_so_far"),
        *("claim_within", "_tiny", "_clock", "_late_notice", "_evse_form", "missing"),
        *("_tariff_change", "_very_late_notice"),
    }
)

#: Agreements of which it is remembered what they say: more than a batch meets.
AGREED_REMEMBERED_MAX = 1_024

_DAY_SECONDS = 86_400
_HOUR_SECONDS = 3_600


class Figures(NamedTuple):
    """What a silent record comes to; the net is claimed and rated alike."""

    net_minor: int
    energy_wh: int
    charge_seconds: int


class _Known(NamedTuple):
    """The facts without which some rule speaks."""

    agreed: _Agreed
    tariff: TariffFacts
    evse: EvseFacts
    session: SessionFacts


class _Agreed(NamedTuple):
    """What an agreement says to all its records, looked up once.

    ``in_time_seconds``: an SDR that comes sooner after its end is late by no rule.
    """

    agreement: Agreement
    terms: Terms
    passes_sdrs: bool
    currency: Currency | None
    ceiling_minor: int | None
    in_time_seconds: int
    near: timedelta


#: By the identity of the agreement, which stands in the value and so lives on.
_agreed: dict[int, _Agreed] = {}


def figures_if_silent(record: ServiceDetailRecord, facts: SdrFacts) -> Figures | None:
    """Return what a record comes to when no rule hits it; ``None`` when one might."""
    known = _known(record, facts)
    if known is None:
        return None
    transaction = _only_transaction(record)
    if transaction is None:
        return None
    session, terms = record.charging_sessions[0], known.agreed.terms
    elapsed = seconds_between(record.started_at, record.ended_at)
    seconds = _seconds(transaction, record, elapsed)
    figures = Figures(_claimed_minor(record, known), transaction.energy_wh, seconds)
    if (
        figures.net_minor >= 0
        and _is_in_time(record, facts, known.agreed)
        and _is_plausible(record, figures, elapsed, terms)
        and _lies_within(session, record, terms)
        and _is_metered(transaction, terms)
        and not _is_too_strong(figures, known)
        and (facts.so_far is None or _is_as_told(record, figures, facts.so_far, terms))
        and (not facts.on_evse or _stands_alone(record, facts.on_evse, known.agreed))
        and _rated_minor(record, transaction, seconds, facts) == figures.net_minor
        and _is_low(figures, known.agreed)
        and (facts.debits is None or _has_room(figures, facts))
    ):
        return figures
    return None


def _known(record: ServiceDetailRecord, facts: SdrFacts) -> _Known | None:
    """Return what is known of a first SDR of its session (S-101 to S-105, S-201)."""
    agreement, tariff = facts.agreement, facts.tariff
    evse, session = facts.evse, facts.session
    if agreement is None or tariff is None or evse is None or session is None:
        return None
    if (
        record.kind is SdrKind.ORIGINAL
        and record.ref_sdr_id is None
        and facts.known_digest is None
        and session.state in SDR_STATES
        and session.home_id == facts.csp_id
        and session.evse_key == facts.evse_key
        and record.currency == agreement.currency == tariff.currency
        # S-206, S-209, S-210, S-212, S-305 and S-306 have nothing to look at.
        and not facts.of_subject
        and not facts.mean_net_minor
        and not facts.listed
        and record.evse_id[:1].isalpha()
        and facts.tariff_changed_at is None
        and facts.vat_doubt is None
    ):
        agreed = _agreed_by(agreement)
        return _Known(agreed, tariff, evse, session) if agreed.passes_sdrs else None
    return None


def _agreed_by(agreement: Agreement) -> _Agreed:
    """Return what an agreement says to all its records."""
    known = _agreed.get(id(agreement))
    if known is None or known.agreement is not agreement:
        if len(_agreed) >= AGREED_REMEMBERED_MAX:
            _agreed.clear()
        terms = agreement.terms
        days = min(terms.late_limit_days, LATE_DAYS_MAX, terms.late_notice_days)
        hours = terms.late_notice_hours
        known = _agreed[id(agreement)] = _Agreed(
            agreement,
            terms,
            passes_sdrs=goes_through(agreement.mode, Module.SDR),
            currency=CURRENCIES.get(agreement.currency),
            ceiling_minor=agreement.net_ceiling_minor,
            in_time_seconds=min(days * _DAY_SECONDS, hours * _HOUR_SECONDS),
            near=timedelta(seconds=terms.near_duplicate_seconds),
        )
    return known


def _only_transaction(record: ServiceDetailRecord) -> ChargingTransaction | None:
    """Return the charging transaction of a record with one, told by two registers."""
    if len(record.charging_sessions) != 1:
        return None
    transactions = record.charging_sessions[0].transactions
    if len(transactions) != 1:
        return None
    one = transactions[0]
    return None if one.readings or one.signed_values else one


def _seconds(
    part: ChargingTransaction, whole: ServiceDetailRecord, elapsed: int
) -> int:
    if part.started_at is whole.started_at and part.ended_at is whole.ended_at:
        return elapsed
    return seconds_between(part.started_at, part.ended_at)


def _claimed_minor(record: ServiceDetailRecord, known: _Known) -> int:
    """Return the claim; a negative number for one that S-104 or S-108 looks at."""
    currency = known.agreed.currency
    if currency is None:
        return -1
    claimed_minor = minor_or_none(record.claimed_net, currency)
    if claimed_minor is None or claimed_minor > AMOUNT_MINOR_MAX:
        return -1
    return claimed_minor


def _is_in_time(record: ServiceDetailRecord, facts: SdrFacts, agreed: _Agreed) -> bool:
    """S-106, S-107, S-303, S-304, S-307: past, in UTC, and not late at all."""
    started_at, ended_at = record.started_at, record.ended_at
    if started_at.tzinfo is not UTC or ended_at.tzinfo is not UTC:
        return False  # another offset is compared with the zone of the EVSE
    age = facts.now - ended_at
    return (
        started_at < ended_at
        and age.days >= 0
        and age.days * _DAY_SECONDS + age.seconds < agreed.in_time_seconds
    )


def _is_plausible(
    record: ServiceDetailRecord, figures: Figures, elapsed: int, terms: Terms
) -> bool:
    """S-106, S-108, S-110, S-203, S-204, S-302: amounts of energy and time."""
    energy_wh, seconds = figures.energy_wh, figures.charge_seconds
    idle_seconds = record.idle_seconds
    is_enough = (
        energy_wh >= terms.tiny_wh
        if energy_wh
        else elapsed <= terms.zero_energy_seconds
    )
    return (
        is_enough
        and 0 <= energy_wh <= terms.energy_wh_max
        and energy_wh <= ENERGY_WH_MAX
        and 0 <= seconds <= CHARGE_SECONDS_MAX
        and idle_seconds >= 0
        and record.parking_seconds >= 0
        and elapsed <= terms.duration_seconds_max
        and seconds + idle_seconds <= elapsed + terms.elapsed_slack_seconds
    )


def _lies_within(
    session: ChargingSession, record: ServiceDetailRecord, terms: Terms
) -> bool:
    """S-204: the charging session lies within the service session."""
    if session.started_at is record.started_at and session.ended_at is record.ended_at:
        return terms.elapsed_slack_seconds >= 0
    before = seconds_between(session.started_at, record.started_at)
    after = seconds_between(record.ended_at, session.ended_at)
    return max(before, after) <= terms.elapsed_slack_seconds


def _is_metered(transaction: ChargingTransaction, terms: Terms) -> bool:
    """S-110, S-305: two registers that hold the energy, and no signature is asked."""
    start_wh, stop_wh = transaction.meter_start_wh, transaction.meter_stop_wh
    return (
        start_wh is not None
        and stop_wh is not None
        and start_wh <= stop_wh
        and transaction.energy_wh <= stop_wh - start_wh + terms.meter_slack_wh
        and not terms.signed_meter_required
    )


def _is_too_strong(figures: Figures, known: _Known) -> bool:
    """S-202: more than the EVSE gives."""
    energy_wh, power_w = figures.energy_wh, known.evse.power_w
    if power_w <= 0 or energy_wh <= 0:
        return False
    percent, seconds = known.agreed.terms.power_percent_max, figures.charge_seconds
    return exceeds_power(energy_wh, seconds, power_w=power_w, percent=percent)


def _is_as_told(
    record: ServiceDetailRecord, figures: Figures, told: SoFar, terms: Terms
) -> bool:
    """S-213: not less than the newest intermediate SDR of the session told."""
    late_seconds = seconds_between(record.ended_at, told.occurred_at)
    return (
        figures.energy_wh + terms.meter_slack_wh >= told.energy_wh
        and late_seconds <= terms.elapsed_slack_seconds
    )


def _stands_alone(
    record: ServiceDetailRecord, on_evse: Iterable[Neighbour], agreed: _Agreed
) -> bool:
    """S-205, S-207: nothing on the EVSE shares a second or starts at nearly the same.

    Whose it is and how much it took does not matter here.
    """
    started_at, ended_at = record.started_at, record.ended_at
    near = agreed.near
    if agreed.terms.overlap_seconds_max < 0:
        return False
    for other in on_evse:
        if other.started_at < ended_at and started_at < other.ended_at:
            return False
        if abs(other.started_at - started_at) <= near:
            return False
    return True


def _rated_minor(
    record: ServiceDetailRecord,
    transaction: ChargingTransaction,
    seconds: int,
    facts: SdrFacts,
) -> int | None:
    """Return our rating, which S-208 and S-301 compare with the claim."""
    if facts.tariff is None:
        return None
    charged = Interval(transaction.started_at, transaction.energy_wh, seconds)
    usage = Usage(
        record.started_at,
        record.ended_at,
        (charged,),
        record.parking_seconds,
        record.idle_seconds,
    )
    return facts.tariff.rater(usage, facts.vat_rate_bp)


def _is_low(figures: Figures, agreed: _Agreed) -> bool:
    """S-209: the net is below the ceiling; there is no mean to compare it with."""
    ceiling_minor = agreed.ceiling_minor
    return ceiling_minor is None or figures.net_minor <= ceiling_minor


def _has_room(figures: Figures, facts: SdrFacts) -> bool:
    """S-211: there is room under the net debit cap of the CSP."""
    if facts.debits is None:
        return True
    vat = (facts.vat.category.value, facts.vat.rate_bp)
    charge = supply_of(facts.window_id, facts.submitter_id, vat, figures.net_minor)
    return facts.debits.has_room(charge)
