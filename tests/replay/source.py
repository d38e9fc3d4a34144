"""Reads the published files: one CSO's sessions of 2017, Swiss EVSEs of 2019."""

from __future__ import annotations

import csv
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import TYPE_CHECKING

from clearinghouse.identifiers.zones import zone_named

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

ZONE = zone_named("Europe/Zurich")
SESSIONS_FILE = "sessions-ticino-2017.csv"
EVSES_FILE = "evse-switzerland-2019.csv"

CSPS: Mapping[str, str] = {
    "Emotì": "CHEMO",
    "evpass": "CHEVP",
    "Green Motion": "CHGRM",
}
HUB_PARTNER = "DEHUB"
UNNAMED_CSP = "CHXXX"
"""The file names no company for these rows: no partner has this party id."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One session as the operator published it, typed but not changed."""

    uid: str
    csp: str
    user: str
    started_at: datetime
    ended_at: datetime
    energy_wh: int
    price_text: str
    claimed: Decimal
    fee_free: bool
    evse_id: str
    plug_kind: str

    @property
    def month(self) -> str:
        """The local month the session began in, as YYYY-MM."""
        return f"{self.started_at:%Y-%m}"

    @property
    def tariff_id(self) -> str:
        """The operator's price as a tariff id."""
        return "AIL-FREE" if self.fee_free else f"AIL-E{self.price_text}"


def _local(day: str, hour: str) -> datetime:
    """Return the local instant; the file has MM.DD.YY and MM/DD/YYYY."""
    form = "%m.%d.%y %H:%M" if "." in day else "%m/%d/%Y %H:%M"
    return datetime.strptime(f"{day} {hour}", form).replace(tzinfo=ZONE)


def _csp(row: Mapping[str, str]) -> str:
    name = row["UserOperatorName"]
    if name:
        return CSPS[name]
    return HUB_PARTNER if row["TransactionType"] == "Hubject Roaming" else UNNAMED_CSP


def _evse_id(row: Mapping[str, str]) -> str:
    plug = "".join(c for c in row["Plug"].upper() if c.isalnum())
    return f"CH*AIL*E{row['ChargingStationId']}*{plug}"


def sessions(folder: Path) -> list[Row]:
    """Return all rows in the file's order.

    The end is the beginning plus ``Duration``: the file's end has whole minutes only.
    """
    with (folder / SESSIONS_FILE).open(encoding="utf-8-sig", newline="") as source:
        return [_row(row) for row in csv.DictReader(source)]


def _row(row: Mapping[str, str]) -> Row:
    began = _local(row["BeginDate"], row["BeginHour"])
    # Elapsed time is counted in UTC, else a night of the clock change is an hour off.
    ended = (
        began.astimezone(UTC) + timedelta(seconds=int(row["Duration"]))
    ).astimezone(ZONE)
    return Row(
        uid=row["ChargeLogId"],
        csp=_csp(row),
        user=row["UserId"],
        started_at=began,
        ended_at=ended,
        energy_wh=int(row["PowerConsumption"]),
        price_text=row["Tariffa"],
        claimed=Decimal(row["Debit"] or "0"),
        fee_free=row["Debit"] == "",
        evse_id=_evse_id(row),
        plug_kind=row["PlugType"],
    )


def national_evses(folder: Path) -> Iterator[Mapping[str, str]]:
    """Yield the rows of the national EVSE file as they were sent."""
    with (folder / EVSES_FILE).open(encoding="utf-8-sig", newline="") as source:
        yield from csv.DictReader(source)
