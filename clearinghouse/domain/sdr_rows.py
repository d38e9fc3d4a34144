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


def row_of(sdr: Facts, around: Around) -> str:
    """Return the canonical row of an SDR, without a line feed."""
    session_id, window_id, number = sdr.session_id, sdr.ref_window_id, sdr.ref_sdr_no
    return (
        f"{ROW_VERSION}\t{sdr.window_id}\t{sdr.sdr_no}\t{around.submitter}\t"
        f"{sdr.sdr_uid}\t{around.csp}\t{around.cso}\t{sdr.batch_id}\t"
        f"{sdr.record_no}\t{sdr.status}\t{'' if session_id is None else session_id}\t"
        f"{sdr.evse_key}\t{around.zone}\t{utc_text(sdr.started_at)}\t"
        f"{utc_text(sdr.ended_at)}\t{sdr.start_offset_minutes}\t{sdr.energy_wh}\t"
        f"{sdr.charge_seconds}\t{sdr.idle_seconds}\t{sdr.parking_seconds}\t"
        f"{sdr.tariff_version_id}\t{sdr.engine_version}\t{sdr.currency}\t"
        f"{sdr.claimed_minor}\t{sdr.net_minor}\t{sdr.rule_codes}\t{sdr.kind}\t"
        f"{'' if window_id is None else window_id}\t"
        f"{'' if number is None else number}\t{sdr.vat_category}\t{sdr.vat_rate_bp}\t"
        f"{sdr.vat_rule_id}\t{sdr.place_country}\t{around.connectors}\t"
        f"{utc_text(sdr.received_at)}\t{around.intervals}"
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
