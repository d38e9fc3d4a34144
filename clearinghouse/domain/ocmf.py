"""The open charge metering format: what a meter signed, read strictly.

A record is ``OCMF|{payload}|{signature}``. The signature is over the bytes of the
payload as they were sent, so these are kept beside what is read of them. Only what is
asked for later is read: the person's identification (field ``ID``) never is. Texts come
from outside; whatever is wrong with one ends in :class:`OcmfError`, which repeats
nothing of it.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal
from enum import StrEnum
from typing import NoReturn

from clearinghouse.domain.meters import Encoding, EncodingError, bytes_of

#: Characters of one record. Real ones have a few thousand at most.
TEXT_MAX = 8_192

#: Readings of one record. It stops a record from costing more than its bytes do.
READINGS_MAX = 500

#: How deep the values of a record nest; those of the format nest three deep. It stops
#: recursion in the reader.
DEPTH_MAX = 8

#: Bytes of a signature: two numbers of 384 bits and what holds them are far fewer.
SIGNATURE_BYTES_MAX = 256

#: Characters of a number, so that it stays exact in thousandths too.
_NUMBER_MAX = 24
_TEXT_FIELD_MAX = 256
#: A register of a terawatt-hour: more is not a meter.
_REGISTER_WH_MAX = Decimal(10**12)
_MARK = "OCMF|"

# All but brackets: strings, ended or not, and what stands between.
_FLAT = re.compile(r'"(?:[^"\\]|\\.)*"?|[^]["{}]+', re.DOTALL)
_NUMBER = re.compile(r"-?[0-9]+(?:\.[0-9]+)?(?:[eE][+-]?[0-9]{1,2})?")
_PAGE = re.compile(r"([TF])([0-9]{1,15})")
_TIME = re.compile(
    r"(2[01][0-9]{2}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2})"
    r"(?:[,.]([0-9]{1,6}))?(Z|[+-][0-9]{2}):?([0-9]{2})? ([UISR])"
)
# Import of active energy: 1.8, or a total or transaction register of imported energy.
_IMPORT = re.compile(
    r"(?:[0-9]{1,2}-[0-9A-Za-z]{1,2}:)?(?:0?1|[Bb][0-3])\.0?8(?:\.[0-9A-Za-z]{1,2})?"
    r"(?:\*[0-9A-Za-z]{1,3})?"
)
_ENCODINGS = {"hex": Encoding.HEX, "base64": Encoding.BASE64}
_WH_PER = {"Wh": Decimal(1), "kWh": Decimal(1000)}

#: Fields that hold for the readings behind as well, until one says otherwise.
_CARRIED_ON = ("TM", "TX", "RI", "RU", "EF", "ST")


class OcmfError(ValueError):
    """A text is not a record of the format; ``expected`` says what it should be."""

    def __init__(self, expected: str, found: str = "something else") -> None:
        super().__init__(f"expected {expected}, found {found}")
        self.expected = expected
        self.found = found


class Moment(StrEnum):
    """What a reading is to its transaction (field ``TX``)."""

    BEGIN = "BEGIN"
    WITHIN = "WITHIN"
    END = "END"


class ClockState(StrEnum):
    """How the meter's clock was set (the letter behind ``TM``)."""

    UNKNOWN = "U"
    INFORMATIVE = "I"
    SYNCHRONIZED = "S"
    RELATIVE = "R"


_MOMENTS = {
    "B": Moment.BEGIN,
    **dict.fromkeys(("C", "X", "S", "T"), Moment.WITHIN),
    **dict.fromkeys(("E", "L", "R", "A", "P"), Moment.END),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Reading:
    """One reading of a register of imported energy; ``register_wh`` is exact.

    ``is_good``: the meter says so, and does not call the energy wrong. ``has_time``:
    its clock was set, and it does not call the time wrong.
    """

    at: datetime
    clock: ClockState
    moment: Moment
    register: str
    register_wh: Decimal
    is_good: bool
    has_time: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Signature:
    """The signature as it was sent: its algorithm by name, its form and its bytes."""

    algorithm: str
    form: str
    value: bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class Record:
    """What a meter signed. ``signed`` are the very bytes that the signature covers.

    ``meter``: serial number of the meter, or of the gateway that stands for it.
    ``page``: number in the sequence of transactions; ``None`` for a record that belongs
    to none. ``has_foreign``: there are readings of something else than energy drawn.
    """

    signed: bytes = field(repr=False)
    meter: str
    page: int | None
    readings: tuple[Reading, ...]
    has_foreign: bool
    signature: Signature


def parse(text: str) -> Record:
    """Read a record.

    Raises :class:`OcmfError` for any text that is none, and nothing else.
    """
    if len(text) > TEXT_MAX:
        raise OcmfError(f"at most {TEXT_MAX} characters", f"{len(text)}")
    if not text.startswith(_MARK):
        raise OcmfError("a text that begins with OCMF|")
    try:
        raw = text.encode("utf-8")
    except UnicodeEncodeError as error:
        raise OcmfError("characters of Unicode", "half of one") from error
    _check_depth(text)
    payload, payload_end = _object_at(text, len(_MARK))
    if text[payload_end : payload_end + 1] != "|":
        raise OcmfError("one | behind the payload")
    signature, end = _object_at(text, payload_end + 1)
    if end != len(text):
        raise OcmfError("nothing behind the signature", "more")
    # Counted in bytes: the text may hold letters of more than one.
    start = len(_MARK)
    size = len(text[start:payload_end].encode("utf-8"))
    readings, has_foreign = _readings(payload)
    return Record(
        signed=raw[start : start + size],
        meter=_meter(payload),
        page=_page(payload),
        readings=readings,
        has_foreign=has_foreign,
        signature=_signature(signature),
    )


def _check_depth(text: str) -> None:
    depth = 0
    for sign in _FLAT.sub("", text):
        depth += 1 if sign in "{[" else -1
        if depth > DEPTH_MAX:
            raise OcmfError(f"at most {DEPTH_MAX} levels", "more")


def _object_at(text: str, at: int) -> tuple[Mapping[str, object], int]:
    try:
        found, end = _READER.raw_decode(text, at)
    except OcmfError:
        raise
    except ValueError as error:
        raise OcmfError("JSON") from error
    if not isinstance(found, dict):
        raise OcmfError("an object of JSON")
    return found, end


def _once(pairs: Sequence[tuple[str, object]]) -> dict[str, object]:
    """Return an object whose names are all different."""
    found = dict(pairs)
    if len(found) != len(pairs):
        raise OcmfError("each name once", "a name twice")
    return found


def _number(text: str) -> Decimal:
    if len(text) > _NUMBER_MAX or _NUMBER.fullmatch(text) is None:
        raise OcmfError("a number of usual length")
    return Decimal(text)


def _no_constant(_: str) -> NoReturn:
    raise OcmfError("a number")


_READER = json.JSONDecoder(
    object_pairs_hook=_once,
    parse_int=_number,
    parse_float=_number,
    parse_constant=_no_constant,
)


def _text(known: Mapping[str, object], name: str, usual: str | None = None) -> str:
    value = known.get(name, usual)
    if not isinstance(value, str) or len(value) > _TEXT_FIELD_MAX:
        raise OcmfError(f"a text as {name}")
    return value


def _meter(payload: Mapping[str, object]) -> str:
    """Return the serial number; that of the gateway where the meter has none."""
    for name in ("MS", "GS"):
        if payload.get(name):
            return f"{name} {_text(payload, name)}"
    raise OcmfError("a serial number as MS or GS", "none")


def _page(payload: Mapping[str, object]) -> int | None:
    found = _PAGE.fullmatch(_text(payload, "PG"))
    if found is None:
        raise OcmfError("T or F and a number as PG")
    return int(found[2]) if found[1] == "T" else None


def _readings(payload: Mapping[str, object]) -> tuple[tuple[Reading, ...], bool]:
    entries = payload.get("RD")
    if not isinstance(entries, list) or not 1 <= len(entries) <= READINGS_MAX:
        raise OcmfError(f"1 to {READINGS_MAX} readings as RD")
    found: list[Reading] = []
    known: dict[str, object] = {}
    for entry in entries:
        if not isinstance(entry, dict):
            raise OcmfError("objects as RD")
        known |= {name: entry[name] for name in _CARRIED_ON if name in entry}
        reading = _reading(known, entry.get("RV"))
        if reading is not None:
            found.append(reading)
    return tuple(found), len(found) < len(entries)


def _reading(known: Mapping[str, object], value: object) -> Reading | None:
    """Return a reading; ``None`` when it is of something else than energy drawn."""
    at, clock = _time(_text(known, "TM"))
    moment = _MOMENTS.get(_text(known, "TX", "C"))
    if moment is None:
        raise OcmfError("a letter of the format as TX")
    if not isinstance(value, Decimal):
        raise OcmfError("a number as RV")
    flags = _text(known, "EF", "")
    state = _text(known, "ST")
    wh_per = _WH_PER.get(_text(known, "RU"))
    register = _text(known, "RI", "")
    if wh_per is None or (register and _IMPORT.fullmatch(register) is None):
        return None
    if not 0 <= value * wh_per <= _REGISTER_WH_MAX:
        raise OcmfError("a register of 0 or more as RV")
    return Reading(
        at=at,
        clock=clock,
        moment=moment,
        register=register,
        register_wh=value * wh_per,
        is_good=state == "G" and "E" not in flags,
        has_time=clock is not ClockState.UNKNOWN and "t" not in flags,
    )


def _time(text: str) -> tuple[datetime, ClockState]:
    found = _TIME.fullmatch(text)
    if found is None:
        raise OcmfError("a time and the state of the clock as TM")
    second, fraction, hours, minutes, clock = found.groups()
    zone = "+00:00" if hours == "Z" else f"{hours}:{minutes or '00'}"
    try:
        at = datetime.fromisoformat(f"{second}.{(fraction or '0'):0<6}{zone}")
    except ValueError as error:
        raise OcmfError("a time that there is as TM") from error
    return at, ClockState(clock)


def _signature(section: Mapping[str, object]) -> Signature:
    encoding = _text(section, "SE", "hex")
    if encoding not in _ENCODINGS:
        raise OcmfError("hex or base64 as SE")
    sent = section.get("SD")
    if not isinstance(sent, str):
        raise OcmfError("a text as SD")
    try:
        value = bytes_of(sent, _ENCODINGS[encoding])
    except EncodingError as error:
        raise OcmfError(f"{encoding} as SD") from error
    if len(value) > SIGNATURE_BYTES_MAX:
        raise OcmfError(f"at most {SIGNATURE_BYTES_MAX} bytes as SD", "more")
    return Signature(
        algorithm=_text(section, "SA", "ECDSA-secp256r1-SHA256"),
        form=_text(section, "SM", "application/x-der"),
        value=value,
    )
