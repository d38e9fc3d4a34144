"""The signed values of one charging transaction: do they hold, and say what it says.

Each signature is checked first; then the readings of all together: one begin and one
end, in order of time, a register that never falls, one meter with one key, pages that
follow each other, the energy that is claimed. The registered key of the EVSE's meter
counts; the one that the sender names proves only that nothing was changed since.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from itertools import pairwise
from typing import NamedTuple

from clearinghouse.domain import meter_keys, ocmf
from clearinghouse.domain.meter_keys import KeyTextError, Proof
from clearinghouse.domain.meters import (
    SLACK_WH,
    EncodingError,
    SignedFormat,
    SignedMeterValue,
)
from clearinghouse.domain.ocmf import Moment, OcmfError, Reading, Record

#: How far a meter's clock may differ from the times of the transaction.
CLOCK_SLACK = timedelta(seconds=60)


class Standing(StrEnum):
    """What is known of one signed value."""

    VERIFIED = "VERIFIED"  #: signed with the registered key
    INTACT = "INTACT"  #: signed with the key that the sender named; none is registered
    INVALID = "INVALID"
    UNCHECKED = "UNCHECKED"  #: no key, or a format or algorithm that we cannot check


class Problem(NamedTuple):
    """Why the values do not hold; ``place`` counts from one. Nothing sent is repeated.

    ``is_unchecked``: it could not be told whether they hold.
    """

    place: int
    expected: str
    found: str
    is_unchecked: bool = False


class Doubt(StrEnum):
    """What is worth a remark on values that hold, or that nobody has to check."""

    KEY_UNREGISTERED = "KEY_UNREGISTERED"
    KEY_OTHER = "KEY_OTHER"
    CLOCK = "CLOCK"


@dataclass(frozen=True, slots=True, kw_only=True)
class Claim:
    """What the sender says of the transaction that the values are to prove."""

    started_at: datetime
    ended_at: datetime
    energy_wh: int


@dataclass(slots=True, kw_only=True)
class Evidence:
    """What came of the check; ``standings`` and ``keys`` are those of the values.

    ``keys``: the keys that the signatures were checked with.
    """

    standings: list[Standing]
    keys: list[str | None]
    problems: list[Problem]
    doubts: list[Doubt]


class _Page(NamedTuple):
    """A record that verified, and the place of the value that it came from."""

    place: int
    record: Record


def check(
    claim: Claim, values: Sequence[SignedMeterValue], registered_key: str | None
) -> Evidence:
    """Check the signed values of a transaction, in the order in which they were sent.

    Never raises for what was sent.
    """
    sent_key = next((one.public_key for one in values if one.public_key), None)
    evidence = Evidence(standings=[], keys=[], problems=[], doubts=[])
    pages: list[_Page] = []
    is_whole = True
    for place, value in enumerate(values, start=1):
        key = registered_key or value.public_key or sent_key
        found = _verified(value, key)
        evidence.keys.append(key)
        if isinstance(found, Problem):
            unchecked = found.is_unchecked
            standing = Standing.UNCHECKED if unchecked else Standing.INVALID
            evidence.problems.append(found._replace(place=place))
            # What we do not read says nothing against what we do.
            is_whole &= value.format is not SignedFormat.OCMF
        else:
            standing = Standing.VERIFIED if registered_key else Standing.INTACT
            pages.append(_Page(place, found))
        evidence.standings.append(standing)
    if is_whole and pages:
        keys = [evidence.keys[page.place - 1] for page in pages]
        evidence.problems += _set_problems(claim, pages, keys)
        evidence.doubts += _doubts(values, registered_key, pages)
    return evidence


def _verified(value: SignedMeterValue, key: str | None) -> Record | Problem:
    if value.format is not SignedFormat.OCMF:
        return Problem(0, "format OCMF", value.format.value, is_unchecked=True)
    try:
        record = ocmf.parse(value.text())
    except EncodingError:
        return Problem(0, f"encoding {value.encoding.value}", "another text")
    except OcmfError as error:
        return Problem(0, error.expected, error.found)
    if key is None:
        expected = "a public key, registered or sent"
        return Problem(0, expected, "none", is_unchecked=True)
    checked = meter_keys.verify(record, key)
    if checked.proof is Proof.VALID:
        return record
    unchecked = checked.proof is Proof.UNSUPPORTED
    return Problem(0, checked.expected, checked.found, is_unchecked=unchecked)


def _set_problems(
    claim: Claim, pages: Sequence[_Page], keys: Sequence[str | None]
) -> list[Problem]:
    """Return what is wrong with records each of which is signed."""
    problems: list[Problem] = []
    for earlier, later in pairwise(pages):
        problems += _follows(earlier.record, later)
    if len({_key_bytes(key) for key in keys}) > 1:
        problems.append(Problem(len(pages), "one key", "several"))
    readings = [(page.place, one) for page in pages for one in page.record.readings]
    for page in pages:
        if page.record.page is None:
            problems.append(Problem(page.place, "a record of a transaction", "another"))
    return problems or _reading_problems(claim, readings)


def _key_bytes(key: str | None) -> bytes:
    # A key that verified is one; the bare point of another spelling counts as another.
    try:
        return meter_keys.key_bytes(key or "")
    except KeyTextError:
        return b""


def _follows(earlier: Record, later: _Page) -> list[Problem]:
    problems = []
    if later.record.meter != earlier.meter:
        problems.append(Problem(later.place, "the same meter", "another meter"))
    if (
        earlier.page is not None
        and later.record.page is not None
        and later.record.page != earlier.page + 1
    ):
        problems.append(Problem(later.place, "the next page", "another page"))
    return problems


def _reading_problems(
    claim: Claim, readings: Sequence[tuple[int, Reading]]
) -> list[Problem]:
    """Return what is wrong with the readings of all records together."""
    moments = [reading.moment for _, reading in readings]
    last = readings[-1][0] if readings else 1
    for moment in (Moment.BEGIN, Moment.END):
        count = moments.count(moment)
        if count != 1:
            expected = f"one reading of the {moment.value.lower()} of energy drawn"
            return [Problem(last, expected, str(count))]
    if moments[0] is not Moment.BEGIN or moments[-1] is not Moment.END:
        return [Problem(last, "begin first and end last", "another order")]
    problems = []
    for place, reading in readings:
        problems += _of_reading(claim, place, reading)
    for (_, earlier), (place, later) in pairwise(readings):
        problems += _between(place, earlier, later)
    drawn_wh = readings[-1][1].register_wh - readings[0][1].register_wh
    if abs(drawn_wh - claim.energy_wh) > SLACK_WH:
        expected = f"{claim.energy_wh} Wh, as claimed"
        problems.append(Problem(last, expected, f"{drawn_wh:f} Wh"))
    return problems


def _of_reading(claim: Claim, place: int, reading: Reading) -> list[Problem]:
    problems = []
    if not reading.is_good:
        expected = "a reading that the meter calls good"
        problems.append(Problem(place, expected, "another state"))
    if reading.has_time and not _is_within(claim, reading.at):
        expected = f"within the transaction, to {CLOCK_SLACK.seconds} s"
        problems.append(Problem(place, expected, "another time"))
    return problems


def _between(place: int, earlier: Reading, later: Reading) -> list[Problem]:
    problems = []
    if earlier.has_time and later.has_time and later.at < earlier.at:
        problems.append(Problem(place, "readings in order of time", "an earlier one"))
    if later.register != earlier.register:
        problems.append(Problem(place, "one register", "another register"))
    if later.register_wh < earlier.register_wh:
        problems.append(Problem(place, "a register that never falls", "a lower one"))
    return problems


def _is_within(claim: Claim, at: datetime) -> bool:
    return claim.started_at - CLOCK_SLACK <= at <= claim.ended_at + CLOCK_SLACK


def _doubts(
    values: Sequence[SignedMeterValue],
    registered_key: str | None,
    pages: Sequence[_Page],
) -> list[Doubt]:
    doubts = []
    if registered_key is None:
        doubts.append(Doubt.KEY_UNREGISTERED)
    else:
        registered = _key_bytes(registered_key)
        sent = [one.public_key for one in values if one.public_key is not None]
        if any(_key_bytes(key) != registered for key in sent):
            doubts.append(Doubt.KEY_OTHER)
    readings = [one for page in pages for one in page.record.readings]
    if not all(one.has_time for one in readings):
        doubts.append(Doubt.CLOCK)
    return doubts
