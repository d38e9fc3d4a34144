"""Agreements: who may roam with whom, from when, in which mode, on which terms.

The *visited* partner (CSO or visited CSP) submits the SDRs and is paid; the *home* CSP
owns the contract with the EV user and owes (clause 4.2-visited). Modes after clause 5.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from types import MappingProxyType

from clearinghouse.domain.clock import is_within

_DAY_SECONDS = 86_400


class Mode(StrEnum):
    """The roaming modes of clause 5."""

    A = "A"
    B1 = "B1"
    B2 = "B2"
    C1 = "C1"
    C2 = "C2"


class Module(StrEnum):
    """The functions that go through the clearing house or directly between partners."""

    DIRECTORY = "DIRECTORY"
    CREDENTIAL = "CREDENTIAL"
    AUTHORIZATION = "AUTHORIZATION"
    SESSION_CONTROL = "SESSION_CONTROL"
    SESSION_REPORT = "SESSION_REPORT"
    EVSE = "EVSE"
    TARIFF = "TARIFF"
    SDR = "SDR"
    SETTLEMENT = "SETTLEMENT"


class SilentCsp(StrEnum):
    """What an agreement says to do when the home CSP gives no answer in time."""

    REFUSE = "REFUSE"
    ALLOW_FROM_LIST = "ALLOW_FROM_LIST"


_ALL_MODULES = frozenset(Module)
_MODULES_OF_MODE = MappingProxyType(
    {
        Mode.A: frozenset({Module.DIRECTORY}),
        Mode.B1: _ALL_MODULES,
        Mode.B2: _ALL_MODULES,
        # Mixed mode: start and control go RE to RE for speed; what happened is still
        # reported here, because SDRs are matched against it.
        Mode.C1: _ALL_MODULES - {Module.SESSION_CONTROL},
        Mode.C2: _ALL_MODULES - {Module.SESSION_CONTROL},
    }
)

#: Net of one SDR, in minor units, above which a person looks at it: about 150 EUR.
#: Coarse on purpose and pinned: a daily rate would make the same record pass today and
#: stop tomorrow. A currency that is not here has no ceiling unless the terms set one.
NET_CEILING_MINOR = MappingProxyType(
    {
        "EUR": 150_00,
        "BGN": 300_00,
        "CHF": 150_00,
        "CZK": 3_700_00,
        "DKK": 1_100_00,
        "GBP": 130_00,
        "HUF": 60_000_00,
        "ISK": 22_000,
        "JPY": 25_000,
        "KWD": 50_000,
        "NOK": 1_750_00,
        "PLN": 650_00,
        "RON": 750_00,
        "SEK": 1_700_00,
        "USD": 160_00,
    }
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Terms:
    """The thresholds of one agreement; defaults are those of the rule catalogue.

    ``tolerance_minor`` and ``tolerance_ppm`` bound the difference of claim and rating
    (S-208: the larger of the two counts). ``list_age_limit_seconds`` is the age up to
    which a credential list decides at all; up to ``list_fresh_seconds`` it decides
    without asking the CSP. ``net_ceiling_minor`` overrides the ceiling of the currency.
    ``payment_days``: how long the home CSP may take to pay an invoice.
    ``collects``: the home CSP, as visited CSP, submits SDRs for this CSO and is paid
    for them (clause 4.2-visited). ``signed_meter_required``: the relation is under
    calibration law, and meter values come signed (S-111, S-305). ``offline_allowed``:
    an SDR without a session counts as authorized when its credential stood on the home
    CSP's list at the start. ``held_days`` and ``confirm_days``: how long a held SDR
    waits for a decision, and a delivered one for the home CSP's word. The other
    thresholds are those of the rules that
    :mod:`clearinghouse.domain.sdr_catalogue` names with them. ``dispute_days``: from
    the close of a window on; the other days are the terms of a dispute.
    ``dispute_carried``: a disputed SDR leaves a window that is open still.
    """

    silent_csp: SilentCsp = SilentCsp.REFUSE
    list_age_limit_seconds: int = 7 * _DAY_SECONDS
    list_fresh_seconds: int = _DAY_SECONDS
    match_required: bool = True
    tolerance_minor: int = 1
    tolerance_ppm: int = 5_000
    late_limit_days: int = 30
    energy_wh_max: int = 200_000
    duration_seconds_max: int = 48 * 3600
    power_percent_max: int = 105
    overlap_seconds_max: int = 60
    travel_kmh_max: int = 200
    net_ceiling_minor: int | None = None
    net_mean_factor: int = 5
    collects: bool = False
    signed_meter_required: bool = False
    offline_allowed: bool = False
    match_seconds: int = 300
    held_days: int = 30
    confirm_days: int = 10
    registry_lag_hours: int = 24
    ahead_seconds: int = 300
    meter_slack_wh: int = 1
    elapsed_slack_seconds: int = 60
    near_duplicate_seconds: int = 60
    near_duplicate_ppm: int = 10_000
    tiny_wh: int = 100
    zero_energy_seconds: int = 120
    late_notice_hours: int = 24
    late_notice_days: int = 7
    payment_days: int = 30
    dispute_days: int = 60
    dispute_answer_days: int = 15
    dispute_evidence_days: int = 10
    dispute_decision_days: int = 10
    dispute_stop_days: int = 120
    dispute_carried: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Agreement:
    """One version of an agreement, in force in a half-open period."""

    agreement_id: int
    version: int
    visited_id: int
    home_id: int
    mode: Mode
    currency: str
    valid_from: datetime
    valid_until: datetime | None = None
    terms: Terms = Terms()

    def in_force(self, at: datetime) -> bool:
        """Say whether the agreement is in force at an instant."""
        return is_within(at, self.valid_from, self.valid_until)

    @property
    def net_ceiling_minor(self) -> int | None:
        """Net above which an SDR is held, in minor units; ``None``: no ceiling."""
        if self.terms.net_ceiling_minor is not None:
            return self.terms.net_ceiling_minor
        return NET_CEILING_MINOR.get(self.currency)


def goes_through(mode: Mode, module: Module) -> bool:
    """Say whether a module goes through the clearing house in this mode (clause 5)."""
    return module in _MODULES_OF_MODE[mode]


def issued_by_clearing_house(mode: Mode) -> bool:
    """Say whether the clearing house issues the credentials itself (B1 and C1)."""
    return mode in (Mode.B1, Mode.C1)


def in_force(agreements: Iterable[Agreement], at: datetime) -> Agreement | None:
    """Return the agreement in force at an instant; of several the newest version."""
    found: Agreement | None = None
    for agreement in agreements:
        newer = found is None or agreement.version > found.version
        if newer and agreement.in_force(at):
            found = agreement
    return found
