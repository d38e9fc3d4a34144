"""The form of every field of a bundle: what is a number, an instant, a digest.

What cannot be read compares with nothing, so that no other check would miss it. It is
looked for by itself, in every line of every file.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import NamedTuple

from clearinghouse.verify.archive import fields_of

#: How each form is written. Fields are apart by tabs, and none holds one.
_PATTERNS: Mapping[str, str] = {
    "a whole number": "-?[0-9]{1,18}",
    "a whole number from 0": "[0-9]{1,18}",
    "an instant in UTC": (
        "[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}[.][0-9]{6}Z"
    ),
    "a day": "[0-9]{4}-[0-9]{2}-[0-9]{2}",
    "true or false": "true|false",
    "64 hexadecimal digits": "[0-9a-f]{64}",
    "digests with commas": "[0-9a-f]{64}(,[0-9a-f]{64})*",
    "hexadecimal digits": "([0-9a-f]{2})+",
    "a UUID": "[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}",
    "a currency": "[A-Z]{3}",
    "a country": "[A-Z]{2}",
    "INTERVAL or START": "INTERVAL|START",
    "rules": "[A-Z]-[0-9]{3}( [A-Z]-[0-9]{3})*",
    "JSON": "[[{][^\t]*",
    "a text": "[^\t]+",
}

#: Form by field, as fields are called in most files.
_FORMS: Mapping[str, str] = {
    "a whole number": (
        "agreedMinor amountMinor baseMinor bilateralMinor chargeSeconds claimedMinor"
        " energyWh feeMinor fromMinor grossMinor idleSeconds movedMinor"
        " multilateralMinor netMinor parkingSeconds payableMinor postedMinor priority"
        " receivableMinor sdrMinor shareMinor startOffsetMinutes toMinor turnoverMinor"
        " vatMinor"
    ),
    "a whole number from 0": (
        "accepted agreementId choiceId discountPpm duplicates durationSecondsMax"
        " elapsedSlackSeconds energyWhMax engineVersion fromSdrNo fromWindowId held"
        " heldWindowId lineCount maximumMicro maximumMinor minimumMicro minimumMinor"
        " netCeilingMinor numbersBefore pairIndex pairSize paymentDays planId rateBp"
        " rateMicro recordNo refSdrNo refWindowId refused releasedWindowId returnRule"
        " reversesRunId row ruleId ruleVersion runId sdrCount sdrNo seq sequence"
        " sharePpm successorSdrNo successorWindowId tariffVersionId toleranceMinor"
        " tolerancePpm vatRateBp vatRuleId version windowId windowIndex windowSize"
    ),
    "an instant in UTC": (
        "concludedAt createdAt endedAt issuedAt openedAt proposedAt receivedAt"
        " startedAt validFrom validUntil"
    ),
    "a day": "day dueOn endsOn",
    "true or false": "carried dealer isOutside isTaxableDealer vatIncluded",
    "64 hexadecimal digits": "csvDigest digest leaf root sha256 xmlDigest",
    "digests with commas": "pairPath windowPath",
    "hexadecimal digits": "keyId publicKey signature",
    "a UUID": "batchId disputeId sessionId",
    "a currency": "currency fromCurrency toCurrency",
    "a country": "country placeCountry",
    "INTERVAL or START": "pricedBy",
    "rules": "rules",
    "JSON": "components connectors intervals tiers",
    "a text": (
        "buyer buyerId category code cspId csoId creditAccount creditor creditorId"
        " debitAccount debtor debtorId endToEndId evseKey fees format homeId kind label"
        " matchKind model name number other outcome owner pairRow partyId party payee"
        " payer place postingKey preceding publisherId reasonCode refersTo sdrId"
        " seller sellerId series service side state statementId status submitterId"
        " tariffId text vatCategory vatId visitedId zone"
    ),
}

#: Fields that mean something else in one file than in others.
OF_FILE: Mapping[tuple[str, str], str] = {
    ("profiles.tsv", "validFrom"): "a day",
    ("vatrules.tsv", "validFrom"): "a day",
    ("vatrules.tsv", "validUntil"): "a day",
    ("choices.tsv", "validFrom"): "a day",
    ("feeplans.tsv", "validFrom"): "a day",
    ("confirmations.tsv", "number"): "a whole number from 0",
    ("runtransfers.tsv", "place"): "a whole number from 0",
    ("originals.tsv", "row"): "a text",
}

#: Fields that may be empty, and in which files.
OPTIONAL: Mapping[str, str] = {
    "tariffs.tsv": "validUntil minimumMicro maximumMicro",
    "batches.tsv": "root",
    "sdrs.tsv": "sessionId rules refWindowId refSdrNo placeCountry connectors",
    "exclusions.tsv": "successorWindowId successorSdrNo",
    "profiles.tsv": "vatId",
    "vatrules.tsv": "dealer validUntil endsOn endedAt reasonCode",
    "agreements.tsv": "netCeilingMinor",
    "judgements.tsv": "matchKind",
    "corrections.tsv": "disputeId",
    "disputes.tsv": "endedAt agreedMinor heldWindowId releasedWindowId",
    "originals.tsv": "pairPath windowPath",
    "documentlines.tsv": "placeCountry",
    "documentvat.tsv": "reasonCode",
    "paymentterms.tsv": "concludedAt",
    "runs.tsv": "reversesRunId",
    "choices.tsv": "other",
    "feeplans.tsv": "maximumMinor",
    "feedocuments.tsv": "refersTo",
}

_BY_FIELD = {field: form for form, fields in _FORMS.items() for field in fields.split()}


class Field(NamedTuple):
    """A field of a file: its place from 1, name, form in words, and as a pattern."""

    file: str
    place: int
    name: str
    form: str
    pattern: str


def forms_of(file: str, bundle_form: int) -> list[Field]:
    """Return the fields of a file in a form of bundle, with theirs."""
    optional = OPTIONAL.get(file, "").split()
    found = []
    for place, name in enumerate(fields_of(file, bundle_form), 1):
        form = OF_FILE.get((file, name)) or _BY_FIELD[name]
        told, pattern = form, _PATTERNS[form]
        if name in optional:
            told, pattern = f"{form}, or nothing", f"|{pattern}"
        found.append(Field(file, place, name, told, pattern))
    return found


def line_pattern(fields: Iterable[Field]) -> str:
    """Return how a whole line is written."""
    return "\t".join(f"({field.pattern})" for field in fields)
