"""Uploads the real EVSEs of the national file as their operators' backends would."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from xml.sax.saxutils import escape

from tests.replay.source import national_evses
from tests.running.house import House
from tests.running.soap import Speaker

PARTIES: Mapping[str, str] = {
    "CH*SWISSCHARGE": "CHSWI",
    "CH*REP": "CHREP",
    "CH-REP": "CHREP",
    "CH*CCC": "CHCCC",
    "CH*IBA": "CHIBA",
}


EVSES_PER_MESSAGE = 400
"""So that every refused one is explained: an answer has room for 1,000 remarks."""


@dataclass(slots=True)
class Upload:
    """What became of the EVSEs; ``reasons`` counts refusals by (code, expected)."""

    accepted: int = 0
    refused: int = 0
    reasons: Counter[tuple[int, str]] = field(default_factory=Counter)
    unexplained: list[str] = field(default_factory=list)


def _evse(row: Mapping[str, str]) -> str:
    optional = "".join(
        f"<{name}>{escape(value)}</{name}>"
        for name, value in (
            ("latitude", row["latitude"]),
            ("longitude", row["longitude"]),
            ("street", row["street"]),
            ("houseNumber", row["house_number"]),
            ("city", row["city"]),
        )
        if value
    )
    return (
        f"<upsert><evseId>{escape(row['evse_id'])}</evseId>"
        f"<operatorId>{escape(row['operator_id'])}</operatorId>{optional}"
        "<country>CH</country><timeZone>Europe/Zurich</timeZone></upsert>"
    )


def upload(house: House, folder: Path) -> Upload:
    """Admit each operator of the file and send its EVSEs, so many a message."""
    by_party: dict[str, list[Mapping[str, str]]] = defaultdict(list)
    for row in national_evses(folder):
        by_party[PARTIES[row["operator_id"]]].append(row)
    result = Upload()
    for party_id, rows in sorted(by_party.items()):
        cso = house.admit(party_id, "CSO").login()
        for first in range(0, len(rows), EVSES_PER_MESSAGE):
            _send(cso, rows[first : first + EVSES_PER_MESSAGE], result)
    return result


def _send(cso: Speaker, rows: Sequence[Mapping[str, str]], result: Upload) -> None:
    answer = cso.call("evse", "updateEvses", "".join(_evse(row) for row in rows))
    explained = set()
    for item in answer.all("result", "item"):
        explained.add(int(item.findtext("{*}index") or -1))
        code = int(item.findtext("{*}code") or 0)
        result.reasons[code, item.findtext("{*}expected") or ""] += 1
    result.accepted += int(answer.text("accepted") or 0)
    result.refused += int(answer.text("refused") or 0)
    if len(explained) != int(answer.text("refused") or 0):
        result.unexplained.append(cso.party_id)
