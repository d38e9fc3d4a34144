"""The catalogue of codes: every answer, warning, refusal and fault of the house.

Purpose: one entry has a stable number, a name, a fixed text and a word on whether the
caller may repeat the same message. The documentation page is made from this
file. A published number never changes its meaning.

Ranges: 0 done; 1xx accepted with a warning; 2xx agreement and partner; 3xx
credential; 4xx session; 5xx EVSE; 6xx service detail record; 7xx settlement;
8xx security, message and limits; 9xx clearing house.

May import nothing of the house. To add a code, write it here in the order of its
number; what a code is stands in ``entries``.
"""

from __future__ import annotations

from clearinghouse.codes.entries import CATALOGUE, Code, Kind, by_number
from clearinghouse.codes.entries import entry as _code

__all__ = ("CATALOGUE", "Code", "Kind", "by_number")

_R = Kind.REFUSED
_W = Kind.WARNING
_NF = Kind.NOT_FOUND
_NP = Kind.NOT_PERMITTED

OK = _code(0, "OK", Kind.DONE, "Done.")

# 1xx: accepted with a warning
PARTLY = _code(100, "PARTLY", _W, "Some items were not taken; see the items.")
ALREADY_DONE = _code(101, "ALREADY_DONE", _W, "This was already done; nothing changed.")
LIST_STAGED = _code(102, "LIST_STAGED", _W, "Part of a list stored; send the others.")
LIST_HELD = _code(
    103,
    "LIST_HELD",
    _W,
    "The list would remove most entries; the operator must confirm.",
)
CLOCK_SKEW = _code(104, "CLOCK_SKEW", _W, "Your clock differs from ours.")
EVENT_LATE = _code(
    105, "EVENT_LATE", _W, "An older event; kept, the state did not change."
)
STATUS_OLDER = _code(
    106, "STATUS_OLDER", _W, "A newer status is known; this one was not used."
)
SDR_WARNING = _code(160, "SDR_WARNING", _W, "Accepted with remarks.")
SDR_DUPLICATE = _code(161, "SDR_DUPLICATE", _W, "The same SDR was accepted before.")
SDR_WITHIN_TOLERANCE = _code(
    162, "SDR_WITHIN_TOLERANCE", _W, "Claim and rating differ within the tolerance."
)
SDR_TINY = _code(163, "SDR_TINY", _W, "No or hardly any energy.")
SDR_CLOCK = _code(164, "SDR_CLOCK", _W, "The times look imprecise or ambiguous.")
SDR_LATE_NOTICE = _code(165, "SDR_LATE_NOTICE", _W, "Submitted late.")
SDR_METER_MISSING = _code(166, "SDR_METER_MISSING", _W, "Meter values are missing.")
SDR_TARIFF_CHANGED = _code(
    167,
    "SDR_TARIFF_CHANGED",
    _W,
    "The tariff changed during the session; the first counts.",
)
SDR_AGREED = _code(
    168, "SDR_AGREED", _W, "The amount was agreed or decided in a dispute, not rated."
)
SDR_EVSE_FORM = _code(180, "SDR_EVSE_FORM", _W, "The EVSE id is in a form of the past.")
SDR_BATCH_LATE = _code(181, "SDR_BATCH_LATE", _W, "No batch came for long.")

SDR_UNSIGNED = _code(170, "SDR_UNSIGNED", _W, "Meter values should come signed.")
SDR_KEY_UNREGISTERED = _code(171, "SDR_KEY_UNREGISTERED", _W, "Meter key unregistered.")
SDR_KEY_OTHER = _code(172, "SDR_KEY_OTHER", _W, "Another key than the registered one.")
SDR_METER_CLOCK = _code(173, "SDR_METER_CLOCK", _W, "The meter's clock was not set.")
SDR_SIGNED_OTHER = _code(174, "SDR_SIGNED_OTHER", _W, "Signed, but not verified here.")

# 2xx: agreement and partner
NO_AGREEMENT = _code(
    200, "NO_AGREEMENT", _R, "No agreement between the two partners is in force."
)
UNKNOWN_PARTICIPANT = _code(201, "UNKNOWN_PARTICIPANT", _R, "No such partner.")
PARTICIPANT_SUSPENDED = _code(
    202, "PARTICIPANT_SUSPENDED", _R, "The partner is suspended."
)
MODE_NOT_AGREED = _code(
    203, "MODE_NOT_AGREED", _R, "The agreed mode does not allow this."
)
PARTNER_SILENT = _code(
    210, "PARTNER_SILENT", _R, "The partner gave no answer in time.", again=True
)
PARTNER_UNREACHABLE = _code(
    211, "PARTNER_UNREACHABLE", _R, "The partner cannot be reached.", again=True
)
PARTNER_REFUSED = _code(212, "PARTNER_REFUSED", _R, "The partner refused.")
PARTNER_FAULT = _code(213, "PARTNER_FAULT", _R, "The partner answered with an error.")
PARTNER_NO_ENDPOINT = _code(
    214, "PARTNER_NO_ENDPOINT", _R, "The partner registered no endpoint."
)
PARTNER_BUSY = _code(
    215, "PARTNER_BUSY", _R, "All calls to the partner are taken.", again=True
)
ENDPOINT_REFUSED = _code(
    220, "ENDPOINT_REFUSED", _R, "This endpoint address is not allowed."
)

# 3xx: credential
CREDENTIAL_UNKNOWN = _code(
    300, "CREDENTIAL_UNKNOWN", _R, "No partner of yours knows this credential."
)
CREDENTIAL_BLOCKED = _code(301, "CREDENTIAL_BLOCKED", _R, "The credential is blocked.")
CREDENTIAL_EXPIRED = _code(
    302, "CREDENTIAL_EXPIRED", _R, "The credential is no longer valid."
)
CREDENTIAL_REFUSED = _code(
    303, "CREDENTIAL_REFUSED", _R, "The home CSP refused the credential."
)
CREDENTIAL_MALFORMED = _code(
    304, "CREDENTIAL_MALFORMED", _R, "The credential has not the shape of its kind."
)
CREDENTIAL_CLAIMED = _code(
    305, "CREDENTIAL_CLAIMED", _R, "Another CSP holds this credential."
)
CREDENTIAL_RANDOM_UID = _code(
    306, "CREDENTIAL_RANDOM_UID", _R, "A random RFID number cannot be listed."
)
CREDENTIAL_SECRET = _code(
    307, "CREDENTIAL_SECRET", _R, "PIN or password is wrong or missing."
)
CONTRACT_MALFORMED = _code(
    310, "CONTRACT_MALFORMED", _R, "The contract id has not the right shape."
)
CONTRACT_CHECK_DIGIT = _code(
    311, "CONTRACT_CHECK_DIGIT", _R, "The check digit does not fit."
)
CONTRACT_NOT_YOURS = _code(
    312, "CONTRACT_NOT_YOURS", _R, "The contract id belongs to another CSP."
)
CREDENTIAL_LIST_OLD = _code(
    320, "CREDENTIAL_LIST_OLD", _R, "The stored list is too old to decide."
)
CREDENTIAL_OTHER_MEDIUM = _code(
    321, "CREDENTIAL_OTHER_MEDIUM", _R, "Only the medium that started may stop."
)
CREDENTIAL_DUPLICATE = _code(
    308, "CREDENTIAL_DUPLICATE", _R, "The credential stands in the list twice."
)
CREDENTIAL_LIST_PARTS = _code(
    322, "CREDENTIAL_LIST_PARTS", _R, "The parts of the list do not fit together."
)

# 4xx: session
SESSION_UNKNOWN = _code(400, "SESSION_UNKNOWN", _NF, "No such session.")
SESSION_STEP = _code(
    401, "SESSION_STEP", _R, "The session's state does not allow this step."
)
SESSION_FOREIGN_ID = _code(
    402, "SESSION_FOREIGN_ID", _R, "Your id names another session already."
)
SESSION_START_UNKNOWN = _code(
    403, "SESSION_START_UNKNOWN", _R, "Whether the start took effect is not known yet."
)
SESSION_EVENT_CONFLICT = _code(
    404,
    "SESSION_EVENT_CONFLICT",
    Kind.CONFLICT,
    "The event id was used for another event.",
)
SESSION_EVENT_FUTURE = _code(
    405, "SESSION_EVENT_FUTURE", _R, "The event lies in the future."
)
SESSION_EVENT_ENERGY = _code(
    406, "SESSION_EVENT_ENERGY", _R, "The energy of the event is negative."
)
SESSION_EVENT_PAST = _code(
    407, "SESSION_EVENT_PAST", _R, "The event lies too long in the past."
)
# A step that the transition table does not have: the code names the present state.
SESSION_IS_REQUESTED = _code(
    420, "SESSION_IS_REQUESTED", _R, "The session is requested only."
)
SESSION_IS_REFUSED = _code(421, "SESSION_IS_REFUSED", _R, "The session was refused.")
SESSION_IS_RESERVED = _code(
    422, "SESSION_IS_RESERVED", _R, "The session is reserved only."
)
SESSION_IS_AUTHORIZED = _code(
    423, "SESSION_IS_AUTHORIZED", _R, "The session is authorized but not started."
)
SESSION_IS_STARTING = _code(424, "SESSION_IS_STARTING", _R, "The session is starting.")
SESSION_IS_START_FAILED = _code(
    426, "SESSION_IS_START_FAILED", _R, "The session did not start."
)
SESSION_IS_ACTIVE = _code(427, "SESSION_IS_ACTIVE", _R, "The session is active.")
SESSION_IS_SUSPENDED = _code(
    428, "SESSION_IS_SUSPENDED", _R, "The session is suspended."
)
SESSION_IS_STOPPING = _code(429, "SESSION_IS_STOPPING", _R, "The session is stopping.")
SESSION_IS_ENDED = _code(430, "SESSION_IS_ENDED", _R, "The session has ended.")
SESSION_IS_EXPIRED = _code(431, "SESSION_IS_EXPIRED", _R, "The session has expired.")
SESSION_IS_CANCELLED = _code(
    432, "SESSION_IS_CANCELLED", _R, "The session was cancelled."
)
SESSION_IS_SDR_RECEIVED = _code(
    433, "SESSION_IS_SDR_RECEIVED", _R, "The session has its SDR already."
)

# 5xx: EVSE
EVSE_UNKNOWN = _code(500, "EVSE_UNKNOWN", _R, "No such EVSE.")
EVSE_MALFORMED = _code(
    501, "EVSE_MALFORMED", _R, "The EVSE id has not the right shape."
)
EVSE_NOT_YOURS = _code(
    502, "EVSE_NOT_YOURS", _R, "The EVSE id belongs to another operator."
)
EVSE_AMBIGUOUS = _code(
    503,
    "EVSE_AMBIGUOUS",
    Kind.CONFLICT,
    "Another spelling has the same key without separators.",
)
EVSE_DUPLICATE = _code(504, "EVSE_DUPLICATE", _R, "The EVSE stands in the list twice.")
EVSE_FIELD = _code(505, "EVSE_FIELD", _R, "A field of the EVSE has no valid value.")
EVSE_LIST_PARTS = _code(
    506, "EVSE_LIST_PARTS", _R, "The parts of the list do not fit together."
)
STATUS_FUTURE = _code(510, "STATUS_FUTURE", _R, "The status lies in the future.")
STATUS_PAST = _code(511, "STATUS_PAST", _R, "The status lies too long in the past.")

# 52x: tariff
TARIFF_FIELD = _code(
    520, "TARIFF_FIELD", _R, "A field of the tariff has no valid value."
)
TARIFF_PERIOD = _code(521, "TARIFF_PERIOD", _R, "The tariff's period is not valid.")
TARIFF_PAST = _code(
    522, "TARIFF_PAST", _R, "A tariff in force cannot be changed for the past."
)

# 6xx: service detail record. Rule ids (B-, S-) are those of the rule catalogue.
SDR_BATCH_SCHEMA = _code(
    601, "SDR_BATCH_SCHEMA", Kind.MALFORMED, "The batch has not the right shape."
)
SDR_BATCH_CONTROL = _code(603, "SDR_BATCH_CONTROL", _R, "The control totals differ.")
SDR_BATCH_SEQUENCE = _code(
    604, "SDR_BATCH_SEQUENCE", _R, "The batch sequence has a gap or a repeat."
)
SDR_BATCH_ENTITLED = _code(
    605, "SDR_BATCH_ENTITLED", _R, "You may not submit this batch."
)
SDR_OTHER_CONTENT = _code(
    611, "SDR_OTHER_CONTENT", Kind.CONFLICT, "The SDR id was used with other content."
)
SDR_NO_RELATION = _code(
    612, "SDR_NO_RELATION", _R, "No agreement with this CSP at the start."
)
SDR_EVSE = _code(613, "SDR_EVSE", _R, "The EVSE was not the operator's at the start.")
SDR_CURRENCY = _code(
    614, "SDR_CURRENCY", _R, "The currency or its decimals are not agreed."
)
SDR_TARIFF = _code(
    615, "SDR_TARIFF", _R, "The tariff is unknown or not valid at the start."
)
SDR_TIMES = _code(616, "SDR_TIMES", _R, "The times are impossible.")
SDR_AGE = _code(617, "SDR_AGE", _R, "The SDR is too old.")
SDR_NEGATIVE = _code(618, "SDR_NEGATIVE", _R, "Energy, duration or amount is negative.")
SDR_REFERENCE = _code(
    619, "SDR_REFERENCE", _R, "What it corrects is not there, or other than it says."
)
SDR_METER = _code(620, "SDR_METER", _R, "The meter values do not fit the energy.")
SDR_FIELD = _code(
    622, "SDR_FIELD", Kind.MALFORMED, "A field of the SDR has no valid value."
)
SDR_UNMATCHED = _code(631, "SDR_UNMATCHED", _R, "Held: no session fits.")
SDR_POWER = _code(632, "SDR_POWER", _R, "Held: more power than the EVSE gives.")
SDR_ENERGY = _code(633, "SDR_ENERGY", _R, "Held: implausibly much energy.")
SDR_DURATION = _code(634, "SDR_DURATION", _R, "Held: implausible duration.")
SDR_OVERLAP = _code(635, "SDR_OVERLAP", _R, "Held: overlaps another SDR on the EVSE.")
SDR_TRAVEL = _code(636, "SDR_TRAVEL", _R, "Held: impossible travel.")
SDR_NEAR_DUPLICATE = _code(
    637, "SDR_NEAR_DUPLICATE", _R, "Held: nearly the same SDR is known."
)
SDR_AMOUNT = _code(638, "SDR_AMOUNT", _R, "Held: the claim differs from the rating.")
SDR_HIGH_AMOUNT = _code(639, "SDR_HIGH_AMOUNT", _R, "Held: an unusually high amount.")
SDR_CREDENTIAL = _code(640, "SDR_CREDENTIAL", _R, "Held: the credential was not valid.")
SDR_DEBIT_CAP = _code(641, "SDR_DEBIT_CAP", _R, "Held: the CSP owes as much as it may.")
SDR_VAT = _code(642, "SDR_VAT", _R, "Held: place and VAT do not fit together.")
SDR_WAITS = _code(643, "SDR_WAITS", _R, "Held for now; decide when it is accepted.")
INTERMEDIATE_FIELD = _code(
    646,
    "INTERMEDIATE_FIELD",
    _R,
    "An element of the intermediate SDR is wrong.",
)
INTERMEDIATE_ORDER = _code(
    647, "INTERMEDIATE_ORDER", _R, "Intermediate SDRs contradict each other."
)
INTERMEDIATE_LIMIT = _code(
    648, "INTERMEDIATE_LIMIT", _R, "Too many intermediate SDRs, or too close together."
)
SDR_BELOW_INTERMEDIATE = _code(
    649, "SDR_BELOW_INTERMEDIATE", _R, "Held: less than its last intermediate SDR told."
)
SDR_UNKNOWN = _code(650, "SDR_UNKNOWN", _NF, "No such SDR.")
SDR_DECIDED = _code(651, "SDR_DECIDED", _R, "The SDR is decided already.")
SDR_WINDOW_CLOSED = _code(
    652, "SDR_WINDOW_CLOSED", _R, "The SDR's window is closed; dispute it."
)
SDR_DAYS = _code(653, "SDR_DAYS", Kind.MALFORMED, "No days, or more than 31.")
SDR_SIGNED = _code(660, "SDR_SIGNED", _R, "The signed meter values do not hold.")
SDR_SIGNED_UNCHECKED = _code(661, "SDR_SIGNED_UNCHECKED", _R, "Held: unchecked values.")

# 67x: disputes. A step that the table does not have: the code names the state.
DISPUTE_UNKNOWN = _code(670, "DISPUTE_UNKNOWN", _NF, "No such dispute.")
DISPUTE_RUNS = _code(671, "DISPUTE_RUNS", _R, "The SDR is disputed already.")
DISPUTE_LATE = _code(672, "DISPUTE_LATE", _R, "The time for a dispute is over.")
DISPUTE_FINAL = _code(673, "DISPUTE_FINAL", _R, "A credit or an outcome is final.")
DISPUTE_AMOUNT = _code(674, "DISPUTE_AMOUNT", _R, "Give an amount below the SDR's net.")
DISPUTE_TERM = _code(675, "DISPUTE_TERM", _R, "The term for this step is over.")
DISPUTE_STEPS = _code(676, "DISPUTE_STEPS", _R, "The dispute has too many steps.")
DISPUTE_IS_OPEN = _code(680, "DISPUTE_IS_OPEN", _R, "The submitter is to answer.")
DISPUTE_IS_OFFERED = _code(681, "DISPUTE_IS_OFFERED", _R, "The CSP has an offer.")
DISPUTE_IS_ANSWERED = _code(682, "DISPUTE_IS_ANSWERED", _R, "The CSP is to speak.")
DISPUTE_IS_EVIDENCE = _code(683, "DISPUTE_IS_EVIDENCE", _R, "There is evidence.")
DISPUTE_IS_ESCALATED = _code(684, "DISPUTE_IS_ESCALATED", _R, "The house decides.")
DISPUTE_ENDED = _code(685, "DISPUTE_ENDED", _R, "The dispute is over.")

# 7xx: settlement
WINDOW_UNKNOWN = _code(700, "WINDOW_UNKNOWN", _NF, "No such window.")
WINDOW_STATE = _code(701, "WINDOW_STATE", _R, "The window's state does not allow this.")
PROOF_FAILED = _code(
    702, "PROOF_FAILED", Kind.INTERNAL, "Claim and proof of the window differ."
)
STATEMENT_UNKNOWN = _code(710, "STATEMENT_UNKNOWN", _NF, "No such statement.")
STATEMENT_PART = _code(711, "STATEMENT_PART", _NF, "The statement has no such part.")

VAT_RULE_UNKNOWN = _code(740, "VAT_RULE_UNKNOWN", _NF, "No such rule of VAT.")
VAT_RULE_ENDED = _code(741, "VAT_RULE_ENDED", _R, "The rule of VAT was ended before.")
DOCUMENT_UNKNOWN = _code(744, "DOCUMENT_UNKNOWN", Kind.NOT_FOUND, "No such invoice.")
DOCUMENT_PART = _code(745, "DOCUMENT_PART", Kind.NOT_FOUND, "No such part of it.")
UNPAYABLE = _code(750, "UNPAYABLE", _R, "SEPA cannot carry these payments.")
BANK_STATEMENT = _code(751, "BANK_STATEMENT", Kind.MALFORMED, "This is no camt.053.")
BANK_STATEMENT_CHANGED = _code(
    752, "BANK_STATEMENT_CHANGED", Kind.CONFLICT, "Taken in before with other entries."
)
RUN_UNKNOWN = _code(760, "RUN_UNKNOWN", _NF, "No such settlement run.")
RUN_STATE = _code(761, "RUN_STATE", _R, "The run's state does not allow this.")
RUN_NOTHING = _code(762, "RUN_NOTHING", _R, "No closed window waits for settlement.")
RUN_PROOF = _code(
    763, "RUN_PROOF", Kind.INTERNAL, "Debts, accounts, payments, ledger differ."
)
TRANSFER_UNKNOWN = _code(
    764, "TRANSFER_UNKNOWN", _NF, "No payment has this end-to-end id."
)
CONFIRMATION_CONFLICT = _code(
    765,
    "CONFIRMATION_CONFLICT",
    Kind.CONFLICT,
    "This reference was confirmed with other values.",
)
FX_RATE_MISSING = _code(
    766, "FX_RATE_MISSING", _R, "There is no exchange rate for the day."
)
ACCOUNT_FOUR_EYES = _code(
    767, "ACCOUNT_FOUR_EYES", _R, "A new bank account needs two operators."
)
ACCOUNT_CHANGED = _code(
    768, "ACCOUNT_CHANGED", Kind.CONFLICT, "The account was changed since; ask again."
)
MANDATE_CHANGED = _code(
    769, "MANDATE_CHANGED", Kind.CONFLICT, "The mandate was changed since; ask again."
)
SEAL_BROKEN = _code(
    780, "SEAL_BROKEN", Kind.INTERNAL, "An SDR is not what its intake committed to."
)
PROOF_PENDING = _code(
    781,
    "PROOF_PENDING",
    _R,
    "The SDR's window is not closed and sealed yet.",
    again=True,
)
PROOF_NONE = _code(
    782, "PROOF_NONE", _NF, "The SDR counts in no window: held or rejected."
)

# 8xx: message, security and limits. These travel as SOAP faults.
XML_DTD = _code(800, "CH.XML.DTD", Kind.MALFORMED, "A document type is not allowed.")
XML_ENCODING = _code(801, "CH.XML.ENCODING", Kind.MALFORMED, "Only UTF-8 is allowed.")
XML_MALFORMED = _code(
    802, "CH.XML.MALFORMED", Kind.MALFORMED, "This is not well-formed XML 1.0."
)
XML_EMPTY = _code(803, "CH.XML.EMPTY", Kind.MALFORMED, "The message is empty.")
XML_LIMIT = _code(
    804, "CH.XML.LIMIT", Kind.LIMIT, "The message passes a structural limit."
)
SCHEMA = _code(
    805, "CH.SCHEMA", Kind.MALFORMED, "The message does not follow the schema."
)
SOAP = _code(
    806, "CH.SOAP", Kind.MALFORMED, "This is not a SOAP message with one operation."
)
ACTION_MISMATCH = _code(
    807,
    "CH.ACTION_MISMATCH",
    Kind.MALFORMED,
    "SOAPAction and Body name different operations.",
)
UNKNOWN_OPERATION = _code(
    808, "CH.OPERATION", Kind.MALFORMED, "There is no such operation here."
)
SEMANTIC = _code(809, "CH.SEMANTIC", Kind.MALFORMED, "A value is impossible.")
SIZE = _code(810, "CH.SIZE", Kind.LIMIT, "The message is too large.")
RATE = _code(811, "CH.RATE", Kind.LIMIT, "Too many calls; wait.", again=True)
OVERLOAD = _code(
    812, "CH.OVERLOAD", Kind.UNAVAILABLE, "Too busy; try again.", again=True
)
HEADER = _code(
    813, "CH.HEADER", Kind.MALFORMED, "The exchange header is missing or wrong."
)
MUST_UNDERSTAND = _code(
    814,
    "CH.MUST_UNDERSTAND",
    Kind.MALFORMED,
    "A header that must be understood is not known.",
)
VERSION_MISMATCH = _code(
    815, "CH.VERSION", Kind.MALFORMED, "Another SOAP version is needed."
)
MEDIA_TYPE = _code(
    816, "CH.MEDIA_TYPE", Kind.MALFORMED, "The content type is not allowed."
)
SLOW = _code(817, "CH.SLOW", Kind.LIMIT, "The message came too slowly.", again=True)
LOGIN_FAILED = _code(820, "CH.LOGIN", _NP, "User name or password is wrong.")
TOKEN = _code(821, "CH.TOKEN", _NP, "The session token is not valid; log in.")
NOT_AUTHORISED = _code(822, "CH.NOT_AUTHORISED", _NP, "You may not do this.")
NOT_FOUND = _code(823, "CH.NOT_FOUND", _NF, "There is no such thing.")
DUPLICATE_CONFLICT = _code(
    824,
    "CH.DUPLICATE_CONFLICT",
    Kind.CONFLICT,
    "The message id was used with another body.",
)
IN_PROGRESS = _code(
    825,
    "CH.IN_PROGRESS",
    Kind.UNAVAILABLE,
    "The same message is being handled.",
    again=True,
)
CURSOR = _code(826, "CH.CURSOR", Kind.MALFORMED, "The cursor is not one of ours.")
RENEW_EARLY = _code(
    827, "CH.RENEW_EARLY", Kind.LIMIT, "A token is renewed in its last five minutes."
)
LOGIN_NEEDED = _code(
    828, "CH.LOGIN_NEEDED", _NP, "The token was renewed long enough; log in again."
)

# 9xx: clearing house
INTERNAL = _code(
    900, "CH.INTERNAL", Kind.INTERNAL, "An error of the clearing house.", again=True
)
UNAVAILABLE = _code(
    901,
    "CH.UNAVAILABLE",
    Kind.UNAVAILABLE,
    "The clearing house cannot answer now.",
    again=True,
)

# 91x: four eyes, for the operators of the house
APPROVAL_UNKNOWN = _code(910, "APPROVAL_UNKNOWN", _NF, "No such request.")
APPROVAL_STATE = _code(911, "APPROVAL_STATE", Kind.CONFLICT, "It waits no more.")
APPROVAL_SAME = _code(912, "APPROVAL_SAME", _NP, "Another operator must approve.")
APPROVAL_EARLY = _code(913, "APPROVAL_EARLY", _NP, "Added alone: not to approve yet.")
APPROVAL_DIGEST = _code(914, "APPROVAL_DIGEST", Kind.INTERNAL, "It was changed since.")
