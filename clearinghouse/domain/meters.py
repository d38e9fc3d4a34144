"""Meter values of a charging transaction: readings of the register, and signed values.

A reading says what the register showed at an instant, in Wh; several split a
transaction into intervals, so that a price by time of day takes what was used in its
own window. A signed value is kept as it was sent, to the byte, and only looked at: its
text may name the EV user, so that it is personal and stays out of ``repr``.
"""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from hashlib import sha256
from itertools import pairwise
from typing import NamedTuple

from clearinghouse.domain.clock import seconds_between
from clearinghouse.domain.usage import Interval, average_power_w

#: How far the register may differ from the energy that is claimed, in Wh: both are
#: rounded.
SLACK_WH = 1

_HEX = re.compile(r"(?:[0-9A-Fa-f]{2})+")
_BASE64 = re.compile(r"[A-Za-z0-9+/]+={0,2}")


class SignedFormat(StrEnum):
    """How a signed value is made: by the open charge metering format, or otherwise."""

    OCMF = "OCMF"
    OTHER = "OTHER"


class Encoding(StrEnum):
    """How the bytes that the meter gave stand in the text that was sent."""

    PLAIN = "PLAIN"
    BASE64 = "BASE64"
    HEX = "HEX"


class EncodingError(ValueError):
    """A text is not of the encoding that it claims."""


class MeterReading(NamedTuple):
    """What the register of energy drawn showed, in Wh."""

    at: datetime
    register_wh: int


@dataclass(frozen=True, slots=True, kw_only=True)
class SignedMeterValue:
    """A signed value as it was sent; ``data`` is personal.

    ``public_key``: what the sender says the meter's key is.
    """

    format: SignedFormat
    encoding: Encoding
    data: str = field(repr=False)
    public_key: str | None = None

    def text(self) -> str:
        """Return what the meter gave, out of its encoding.

        Raises :class:`EncodingError`.
        """
        if self.encoding is Encoding.PLAIN:
            return self.data
        raw = bytes_of(self.data, self.encoding)
        try:
            return raw.decode("utf-8")
        except UnicodeDecodeError as error:
            raise EncodingError("not UTF-8") from error


def digest_of(data: str) -> bytes:
    """Return the SHA-256 of a signed value as it was sent, in UTF-8."""
    return sha256(data.encode()).digest()


def bytes_of(text: str, encoding: Encoding) -> bytes:
    """Return bytes that stand in a text as base64 or in hexadecimal digits.

    Neither has room for white space. Raises :class:`EncodingError`.
    """
    if encoding is Encoding.HEX:
        if _HEX.fullmatch(text) is None:
            raise EncodingError("not hexadecimal")
        return bytes.fromhex(text)
    if _BASE64.fullmatch(text) is None:
        raise EncodingError("not base64")
    try:
        return base64.b64decode(text, validate=True)
    except binascii.Error as error:
        raise EncodingError("not base64") from error


def split(
    whole: Interval, ended_at: datetime, readings: Sequence[MeterReading]
) -> list[Interval]:
    """Return a transaction as the intervals between its readings.

    Together they hold what the transaction holds, energy and time alike: the first
    begins and the last ends with it, and what the register differs by, a Wh at most,
    goes to the last interval that used some. Readings that do not add up to the
    transaction split nothing; :mod:`clearinghouse.domain.meter_rules` refuses them.
    All of them have the power of the whole: how often a meter is read moves no price.
    """
    if len(readings) < 3 or not is_consistent(whole, ended_at, readings):  # noqa: PLR2004
        return [whole]
    starts = [whole.started_at, *(one.at for one in readings[1:-1])]
    # From the beginning each, so that no part of a second is lost between them.
    marks = [seconds_between(whole.started_at, start) for start in starts]
    used_wh = [
        later.register_wh - earlier.register_wh for earlier, later in pairwise(readings)
    ]
    last = max((place for place, wh in enumerate(used_wh) if wh), default=-1)
    used_wh[last] += whole.energy_wh - sum(used_wh)
    lengths = [end - start for start, end in pairwise([*marks, whole.seconds])]
    power_w = average_power_w(whole.energy_wh, whole.seconds)
    return [
        Interval(start, energy_wh, seconds, power_w)
        for start, energy_wh, seconds in zip(starts, used_wh, lengths, strict=True)
    ]


def is_consistent(
    whole: Interval, ended_at: datetime, readings: Sequence[MeterReading]
) -> bool:
    """Say whether readings are in order, within a transaction, and add up to it."""
    if whole.energy_wh < 0 or ended_at < whole.started_at:
        return False
    previous = MeterReading(whole.started_at, 0)
    for reading in readings:
        if reading.at < previous.at or reading.register_wh < previous.register_wh:
            return False
        previous = reading
    if previous.at > ended_at:
        return False
    drawn_wh = readings[-1].register_wh - readings[0].register_wh if readings else 0
    return abs(drawn_wh - whole.energy_wh) <= SLACK_WH
