"""The rule catalogue of SDRs: which rules there are, and how grave a hit is.

F refuses the batch, R the record, H holds it, W remarks, N notes. :data:`CATALOGUE` is
what partners read, and the documentation is made of it; what a rule looks at is in the
module of its kind: ``refusing_rules``, ``holding_rules``, ``neighbour_rules``,
``claim_rules``, ``meter_rules``, ``remarking_rules``. Whoever changes what a rule hits
raises :data:`~clearinghouse.domain.sdrs.RULE_VERSION`.
"""

from __future__ import annotations

from typing import NamedTuple

from clearinghouse import codes
from clearinghouse.codes import Code
from clearinghouse.domain.sdrs import Severity

#: The element of a record that holds most of what rules look at.
SESSION_PATH = "serviceSession"

_F, _R, _H, _W, _N = Severity.F, Severity.R, Severity.H, Severity.W, Severity.N


class Rule(NamedTuple):
    """A rule of the catalogue: its id, how grave a hit is, and the code it gives."""

    rule: str
    severity: Severity
    code: Code


class Described(NamedTuple):
    """What partners read of a rule; ``terms``: thresholds that an agreement may set."""

    rule: str
    severities: str
    text: str
    terms: tuple[str, ...] = ()


S101 = Rule("S-101", _R, codes.SDR_OTHER_CONTENT)
S102 = Rule("S-102", _R, codes.SDR_NO_RELATION)
S103 = Rule("S-103", _R, codes.SDR_EVSE)
S103_LAG = Rule("S-103", _H, codes.SDR_EVSE)
S104 = Rule("S-104", _R, codes.SDR_CURRENCY)
S104_LARGE = Rule("S-104", _R, codes.SDR_FIELD)
S105 = Rule("S-105", _R, codes.SDR_TARIFF)
S106 = Rule("S-106", _R, codes.SDR_TIMES)
S107 = Rule("S-107", _R, codes.SDR_AGE)
S108 = Rule("S-108", _R, codes.SDR_NEGATIVE)
S109 = Rule("S-109", _R, codes.SDR_REFERENCE)
S110 = Rule("S-110", _R, codes.SDR_METER)
S110_LARGE = Rule("S-110", _R, codes.SDR_FIELD)
S111 = Rule("S-111", _R, codes.SDR_SIGNED)
S111_HELD = Rule("S-111", _H, codes.SDR_SIGNED)
S111_UNCHECKED = Rule("S-111", _H, codes.SDR_SIGNED_UNCHECKED)
S111_LARGE = Rule("S-111", _R, codes.SDR_FIELD)
S201 = Rule("S-201", _H, codes.SDR_UNMATCHED)
S202 = Rule("S-202", _H, codes.SDR_POWER)
S203 = Rule("S-203", _H, codes.SDR_ENERGY)
S204 = Rule("S-204", _H, codes.SDR_DURATION)
S205 = Rule("S-205", _H, codes.SDR_OVERLAP)
S206 = Rule("S-206", _H, codes.SDR_TRAVEL)
S206_FOREIGN = Rule("S-206", _N, codes.SDR_TRAVEL)
S207 = Rule("S-207", _H, codes.SDR_NEAR_DUPLICATE)
S207_FOREIGN = Rule("S-207", _N, codes.SDR_NEAR_DUPLICATE)
S208 = Rule("S-208", _H, codes.SDR_AMOUNT)
S209 = Rule("S-209", _H, codes.SDR_HIGH_AMOUNT)
S210 = Rule("S-210", _H, codes.SDR_CREDENTIAL)
S211 = Rule("S-211", _H, codes.SDR_DEBIT_CAP)
S212 = Rule("S-212", _H, codes.SDR_VAT)
S213 = Rule("S-213", _H, codes.SDR_BELOW_INTERMEDIATE)
S301 = Rule("S-301", _W, codes.SDR_WITHIN_TOLERANCE)
S302 = Rule("S-302", _W, codes.SDR_TINY)
S303 = Rule("S-303", _W, codes.SDR_CLOCK)
S304 = Rule("S-304", _W, codes.SDR_LATE_NOTICE)
S305 = Rule("S-305", _W, codes.SDR_EVSE_FORM)
S305_MISSING = Rule("S-305", _W, codes.SDR_METER_MISSING)
S305_UNSIGNED = Rule("S-305", _W, codes.SDR_UNSIGNED)
S305_KEY = Rule("S-305", _W, codes.SDR_KEY_UNREGISTERED)
S305_KEY_OTHER = Rule("S-305", _W, codes.SDR_KEY_OTHER)
S305_CLOCK = Rule("S-305", _W, codes.SDR_METER_CLOCK)
S305_FORMAT = Rule("S-305", _W, codes.SDR_SIGNED_OTHER)
S306 = Rule("S-306", _W, codes.SDR_TARIFF_CHANGED)
S307 = Rule("S-307", _W, codes.SDR_LATE_NOTICE)
S308 = Rule("S-308", _W, codes.SDR_AGREED)

CATALOGUE = (
    Described(
        "B-001",
        "F",
        "The message is not what the schema says. A single record that the schema"
        " refuses is refused alone, and the others go on. With another namespace it is"
        " no SubmitSdrs at all (808).",
    ),
    Described(
        "B-002", "F", "The signature, the token or the sender of the message is wrong."
    ),
    Described(
        "B-003",
        "F",
        "The control totals differ from what the batch holds: count, energy, net per"
        " currency, first and last end.",
    ),
    Described(
        "B-004",
        "F",
        "The batch sequence is not the last one plus 1. The same batch again is"
        " answered as before; other content under a known number is refused.",
    ),
    Described(
        "B-005",
        "F",
        "The sender may not submit for this CSO, or the batch holds too many records.",
    ),
    Described("S-101", "R", "The SDR id was used with other content."),
    Described("S-102", "R", "No agreement with this CSP was in force at the start."),
    Described(
        "S-103",
        "R H",
        "The EVSE is not one of the CSO's. Held where the id is the CSO's and the"
        " registry may be late.",
        ("registry_lag_hours",),
    ),
    Described(
        "S-104",
        "R",
        "The currency is not agreed or unknown, or the amount has more decimals than"
        " it.",
    ),
    Described("S-105", "R", "The tariff is unknown or was not in force at the start."),
    Described(
        "S-106",
        "R",
        "The session ends at or before its start, or lies in the future.",
        ("ahead_seconds",),
    ),
    Described(
        "S-107",
        "R",
        "The session ended too long ago; 60 days whatever the agreement says.",
        ("late_limit_days",),
    ),
    Described("S-108", "R", "Energy, duration or amount is negative."),
    Described(
        "S-109",
        "R",
        "A credit or replacement refers to no SDR that can be corrected, or a credit"
        " has other figures than what it cancels.",
    ),
    Described(
        "S-110",
        "R",
        "More energy than the meter counted, or a meter that ran backwards; readings"
        " that are out of order or do not add up to the energy.",
        ("meter_slack_wh",),
    ),
    Described(
        "S-111",
        "R H",
        "A signed meter value does not hold: its signature, its order, what it says of"
        " the transaction. Refused where the agreement requires signed values, held"
        " elsewhere, and held where it cannot be checked.",
        ("signed_meter_required",),
    ),
    Described(
        "S-201",
        "H",
        "No session fits, and no list entry that the agreement accepts instead.",
        ("match_required", "match_seconds", "offline_allowed", "held_days"),
    ),
    Described(
        "S-202", "H", "More power than the EVSE is rated for.", ("power_percent_max",)
    ),
    Described("S-203", "H", "Implausibly much energy.", ("energy_wh_max",)),
    Described(
        "S-204",
        "H",
        "Implausibly long; or charging and idle time exceed the time between start and"
        " end; or a charging session lies outside the service session.",
        ("duration_seconds_max", "elapsed_slack_seconds"),
    ),
    Described(
        "S-205", "H", "Overlaps another SDR on the EVSE.", ("overlap_seconds_max",)
    ),
    Described(
        "S-206",
        "H N",
        "The same user at two places faster than one travels. A note for the home CSP"
        " alone where the other SDR is another submitter's.",
        ("travel_kmh_max",),
    ),
    Described(
        "S-207",
        "H N",
        "Nearly the same SDR is known: same EVSE and user, nearly the same start and"
        " energy. A note where the other SDR is another submitter's.",
        ("near_duplicate_seconds", "near_duplicate_ppm"),
    ),
    Described(
        "S-208",
        "H",
        "The claimed net differs from our rating by more than both tolerances.",
        ("tolerance_minor", "tolerance_ppm"),
    ),
    Described(
        "S-209",
        "H",
        "An unusually high amount: above the ceiling, or far above the EVSE's mean of"
        " 90 days.",
        ("net_ceiling_minor", "net_mean_factor"),
    ),
    Described(
        "S-210",
        "H",
        "On the home CSP's list the credential was blocked or had expired at the"
        " start, and no session of it was authorized here.",
    ),
    Described(
        "S-211",
        "H",
        "The CSP would owe more than it may before a settlement: its net debit cap,"
        " which the operator of the house sets per currency. Debts count with VAT until"
        " the run that took them is settled. The SDR goes to its home CSP all the same,"
        " as HELD, and is taken in by itself when there is room.",
    ),
    Described(
        "S-212",
        "H",
        "The country of the EVSE and the VAT profiles do not fit together, where the"
        " submitter has a VAT id: no rule of the table says how the supply is taxed; or"
        " the CSP is to owe the VAT and has no VAT id; or VAT of the EVSE's country is"
        " to be charged with a VAT id of another territory of VAT. Let the profile or"
        " the table be corrected, then submit it again under a new id: taken in, it"
        " stays taxed as it was.",
    ),
    Described(
        "S-213",
        "H",
        "Less energy than the newest intermediate SDR of its session told, or an end"
        " before it.",
        ("meter_slack_wh", "elapsed_slack_seconds"),
    ),
    Described(
        "S-301",
        "W",
        "The claimed net differs from our rating within the tolerances; our rating"
        " counts.",
    ),
    Described(
        "S-302",
        "W",
        "No energy in some time, or hardly any.",
        ("zero_energy_seconds", "tiny_wh"),
    ),
    Described(
        "S-303",
        "W",
        "The clock: an end a little in the future; an offset that is not the EVSE's;"
        " a local time that comes twice because summer time ends. Of a batch of 20"
        " records and more: all times are whole minutes.",
        ("ahead_seconds",),
    ),
    Described("S-304", "W", "Submitted late: first flag.", ("late_notice_hours",)),
    Described(
        "S-305",
        "W",
        "The EVSE id is written in the DIN form; write ISO 15118. Meter values are"
        " missing, or unsigned where signed ones are required, or signed with a key"
        " that is not the registered one, by a meter without a clock, or in a format"
        " that we do not read.",
        ("signed_meter_required",),
    ),
    Described(
        "S-306",
        "W",
        "The tariff changed during the session; the version at the start counts.",
    ),
    Described("S-307", "W", "Submitted very late: second flag.", ("late_notice_days",)),
    Described(
        "S-308",
        "W",
        "The amount was agreed or decided in a dispute; it is nobody's rating.",
    ),
)
"""All rules, by id; an SDR that meets several is told of all of them."""
