"""The rule catalogue of SDRs: which rules there are, and how grave a hit is.

R refuses the record, H holds it, W remarks, N notes. What a rule looks at is in the
module of its kind: ``refusing_rules``, ``holding_rules``, ``neighbour_rules``,
``remarking_rules``.
"""

from __future__ import annotations

from typing import NamedTuple

from clearinghouse import codes
from clearinghouse.codes import Code
from clearinghouse.domain.sdrs import Severity

#: The element of a record that holds most of what rules look at.
SESSION_PATH = "serviceSession"

_R, _H, _W, _N = Severity.R, Severity.H, Severity.W, Severity.N


class Rule(NamedTuple):
    """A rule of the catalogue: its id, how grave a hit is, and the code it gives."""

    rule: str
    severity: Severity
    code: Code


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
S201 = Rule("S-201", _H, codes.SDR_UNMATCHED)
S202 = Rule("S-202", _H, codes.SDR_POWER)
S203 = Rule("S-203", _H, codes.SDR_ENERGY)
S204 = Rule("S-204", _H, codes.SDR_DURATION)
S205 = Rule("S-205", _H, codes.SDR_OVERLAP)
S206 = Rule("S-206", _H, codes.SDR_TRAVEL)
S206_FOREIGN = Rule("S-206", _N, codes.SDR_TRAVEL)
S208 = Rule("S-208", _H, codes.SDR_AMOUNT)
S209 = Rule("S-209", _H, codes.SDR_HIGH_AMOUNT)
S301 = Rule("S-301", _W, codes.SDR_WITHIN_TOLERANCE)
S302 = Rule("S-302", _W, codes.SDR_TINY)
S303 = Rule("S-303", _W, codes.SDR_CLOCK)
S304 = Rule("S-304", _W, codes.SDR_LATE_NOTICE)
