"""The canonical row of an SDR: one line of text to which the house commits.

Its leaf enters the Merkle tree of the batch at intake, and those of pair and window
when a closed window is sealed; the same line stands in the audit bundle and in a proof.
It names no person: neither credential nor contract nor a digest over them is in it, so
that forgetting somebody leaves every leaf as it is (8-forget, 8-min).

The database writes the same line from a stored row (``clearing.sdr_row``): two
computations of one thing. Whoever adds a column of money to the SDRs adds it to both.
"""

from __future__ import annotations

from datetime import UTC, datetime
from functools import lru_cache
from typing import NamedTuple, Protocol
from uuid import UUID

from clearinghouse.domain.merkle import leaf_of

#: Begins every line: another order of fields gets another number.
ROW_VERSION = 1

#: The fields of a line in order, apart by tabs; the heading of an export. Amounts are
#: minor units, instants UTC, ``intervals`` the charging sessions as JSON.
FIELDS = (
    "row",
    "windowId",
    "sdrNo",
    "submitterId",
    "sdrId",
    "cspId",
    "csoId",
    "batchId",
    "recordNo",
    "status",
    "sessionId",
    "evseKey",
    "zone",
    "startedAt",
    "endedAt",
    "startOffsetMinutes",
    "energyWh",
    "chargeSeconds",
    "idleSeconds",
    "parkingSeconds",
    "tariffVersionId",
    "engineVersion",
    "currency",
    "claimedMinor",
    "netMinor",
    "rules",
    "kind",
    "refWindowId",
    "refSdrNo",
    "vatCategory",
    "vatRateBp",
    "vatRuleId",
    "placeCountry",
    "connectors",
    "receivedAt",
    "intervals",
)

#: Characters of an instant in ISO 8601 in front of its offset.
_WITHOUT_OFFSET = 26

_UTC_OFFSET = "+00:00"
_WHOLE_SECONDS = len("2026-11-23T06:30:00+00:00")

#: Instants whose text is remembered: those of a few thousand SDRs.
_TEXTS_REMEMBERED_MAX = 8_192


class Facts(Protocol):
    """What a line takes from an SDR as it is stored."""

    @property
    def window_id(self) -> int: ...  # noqa: D102 -- as in the table
    @property
    def sdr_no(self) -> int: ...  # noqa: D102 -- as in the table
    @property
    def sdr_uid(self) -> str: ...  # noqa: D102 -- as in the table
    @property
    def batch_id(self) -> UUID | str: ...  # noqa: D102 -- as in the table
    @property
    def record_no(self) -> int: ...  # noqa: D102 -- as in the table
    @property
    def status(self) -> str: ...  # noqa: D102 -- as in the table
    @property
    def session_id(self) -> UUID | str | None: ...  # noqa: D102 -- as in the table
    @property
    def evse_key(self) -> str: ...  # noqa: D102 -- as in the table
    @property
    def started_at(self) -> datetime: ...  # noqa: D102 -- as in the table
    @property
    def ended_at(self) -> datetime: ...  # noqa: D102 -- as in the table
    @property
    def start_offset_minutes(self) -> int: ...  # noqa: D102 -- as in the table
    @property
    def energy_wh(self) -> int: ...  # noqa: D102 -- as in the table
    @property
    def charge_seconds(self) -> int: ...  # noqa: D102 -- as in the table
    @property
    def idle_seconds(self) -> int: ...  # noqa: D102 -- as in the table
    @property
    def parking_seconds(self) -> int: ...  # noqa: D102 -- as in the table
    @property
    def tariff_version_id(self) -> int: ...  # noqa: D102 -- as in the table
    @property
    def engine_version(self) -> int: ...  # noqa: D102 -- as in the table
    @property
    def currency(self) -> str: ...  # noqa: D102 -- as in the table
    @property
    def claimed_minor(self) -> int: ...  # noqa: D102 -- as in the table
    @property
    def net_minor(self) -> int: ...  # noqa: D102 -- as in the table
    @property
    def rule_codes(self) -> str: ...  # noqa: D102 -- as in the table
    @property
    def kind(self) -> str: ...  # noqa: D102 -- as in the table
    @property
    def ref_window_id(self) -> int | None: ...  # noqa: D102 -- as in the table
    @property
    def ref_sdr_no(self) -> int | None: ...  # noqa: D102 -- as in the table
    @property
    def vat_category(self) -> str: ...  # noqa: D102 -- as in the table
    @property
    def vat_rate_bp(self) -> int: ...  # noqa: D102 -- as in the table
    @property
    def vat_rule_id(self) -> int: ...  # noqa: D102 -- as in the table
    @property
    def place_country(self) -> str: ...  # noqa: D102 -- as in the table
    @property
    def received_at(self) -> datetime: ...  # noqa: D102 -- as in the table


class Around(NamedTuple):
    """What a line needs beside the row: party ids, the EVSE's zone, the intervals.

    ``intervals``: the charging sessions, ``connectors``: the kinds that the price was
    asked for, both in the text form of the database's ``jsonb``.
    """

    submitter: str
    csp: str
    cso: str
    zone: str
    intervals: str
    connectors: str = ""


class Spelled(NamedTuple):
    """Fields that stand side by side, as text, in a canonical row and in the table.

    To write numbers is what a row costs, so that they are written once for both.
    ``origin``: batch, record and status; ``figures``: from the offset of the start to
    the currency; ``vat``: category, rate, rule and place. ``period``: start and end in
    ISO 8601 with their own offsets.
    """

    origin: str
    figures: str
    vat: str
    period: tuple[str, str]


def spelled(sdr: Facts, period: tuple[str, str]) -> Spelled:
    """Write what a canonical row and the table hold alike."""
    return Spelled(
        f"{sdr.batch_id}\t{sdr.record_no}\t{sdr.status}",
        f"{sdr.start_offset_minutes}\t{sdr.energy_wh}\t{sdr.charge_seconds}\t"
        f"{sdr.idle_seconds}\t{sdr.parking_seconds}\t{sdr.tariff_version_id}\t"
        f"{sdr.engine_version}\t{sdr.currency}",
        f"{sdr.vat_category}\t{sdr.vat_rate_bp}\t{sdr.vat_rule_id}\t"
        f"{sdr.place_country}",
        period,
    )


def row_of(sdr: Facts, around: Around) -> str:
    """Return the canonical row of an SDR, without a line feed."""
    period = (sdr.started_at.isoformat(), sdr.ended_at.isoformat())
    return row_spelled(sdr, around, spelled(sdr, period))


def row_spelled(sdr: Facts, around: Around, texts: Spelled) -> str:
    """Return the canonical row of an SDR of which a part is written already."""
    session_id, window_id, number = sdr.session_id, sdr.ref_window_id, sdr.ref_sdr_no
    submitter, csp, cso, zone, intervals, connectors = around
    origin, figures, vat, (started, ended) = texts
    return (
        f"{ROW_VERSION}\t{sdr.window_id}\t{sdr.sdr_no}\t{submitter}\t"
        f"{sdr.sdr_uid}\t{csp}\t{cso}\t{origin}\t"
        f"{'' if session_id is None else session_id}\t"
        f"{sdr.evse_key}\t{zone}\t{utc_text_of(started)}\t{utc_text_of(ended)}\t"
        f"{figures}\t{sdr.claimed_minor}\t{sdr.net_minor}\t{sdr.rule_codes}\t"
        f"{sdr.kind}\t{'' if window_id is None else window_id}\t"
        f"{'' if number is None else number}\t{vat}\t{connectors}\t"
        f"{utc_text(sdr.received_at)}\t{intervals}"
    )


def leaf_of_row(row: str) -> bytes:
    """Return the Merkle leaf of a canonical row."""
    return leaf_of(row.encode())


@lru_cache(maxsize=_TEXTS_REMEMBERED_MAX)
def utc_text(at: datetime) -> str:
    """Return an instant in UTC with six digits of a second.

    >>> utc_text(datetime(2026, 11, 23, 6, 30, tzinfo=UTC))
    '2026-11-23T06:30:00.000000Z'
    """
    if at.tzinfo is not UTC:
        at = at.astimezone(UTC)
    return f"{at.isoformat('T', 'microseconds')[:_WITHOUT_OFFSET]}Z"


def utc_text_of(written: str) -> str:
    """Return an instant in ISO 8601, with any offset, as :func:`utc_text` writes it.

    Most are in UTC, and then nothing is computed.

    >>> utc_text_of("2026-11-23T06:30:00+00:00")
    '2026-11-23T06:30:00.000000Z'
    >>> utc_text_of("2026-11-23T06:30:00.500000+01:00")
    '2026-11-23T05:30:00.500000Z'
    """
    if written.endswith(_UTC_OFFSET):
        if len(written) == _WHOLE_SECONDS:
            return f"{written[:-6]}.000000Z"
        if len(written) == _WHOLE_SECONDS + 7:
            return f"{written[:-6]}Z"
    return utc_text(datetime.fromisoformat(written))
