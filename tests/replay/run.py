"""Sends the real year through SOAP: sessions and SDRs day by day, twelve closings.

The clock of the clearing house is set to the early morning after each day, so that
nothing is late that was not late in 2017.
"""

from __future__ import annotations

import hashlib
import itertools
import uuid
from base64 import b64decode
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from multiprocessing.pool import ThreadPool
from pathlib import Path

from tests.replay.source import CSPS, HUB_PARTNER, UNNAMED_CSP, ZONE, Row
from tests.running.house import House
from tests.running.sdr import Sdr, batch
from tests.running.soap import COMMON, Answer, Speaker, instant, parse
from tests.running.world import done

CSO = "CHAIL"
CURRENCY = "CHF"
SPEAKERS = 4
"""Connections of the CSO's backend: as many calls go at once."""
_LIST_PART = 500
_SDR_CODES = range(600, 700)


@dataclass(slots=True)
class Outcome:
    """What the clearing house did with the SDRs of one CSP and month."""

    sessions: int = 0
    energy_wh: int = 0
    claimed: Decimal = Decimal(0)
    settled: Decimal = Decimal(0)
    by_rule: Counter[str] = field(default_factory=Counter)


@dataclass(slots=True)
class Replay:
    """One run against a house; ``table`` is filled per (CSP, month)."""

    house: House
    clock: Path
    rows: Sequence[Row]
    table: dict[tuple[str, str], Outcome] = field(
        default_factory=lambda: defaultdict(Outcome)
    )
    authorized: int = 0
    sequence: itertools.count[int] = field(default_factory=lambda: itertools.count(1))
    speakers: list[Speaker] = field(default_factory=list)
    lead: timedelta = timedelta(0)

    def set_clock(self, at: datetime) -> None:
        """Let the clearing house believe that it is ``at``, and log in anew."""
        self.lead = at.astimezone(UTC) - datetime.now(UTC)
        self.clock.write_text(f"{self.lead.total_seconds():.0f}\n", encoding="ascii")

    def log_in(self) -> None:
        """Log the CSO's connections in: the old tokens are a day old."""
        first = self.speakers[0]
        first.lead = self.lead
        first.login()
        for speaker in self.speakers[1:]:
            speaker.token, speaker.lead = first.token, self.lead

    def admit(self) -> None:
        """Admit the CSO, its CSPs and what they agreed on; upload master data."""
        self.set_clock(min(row.started_at for row in self.rows) - timedelta(days=1))
        first = self.house.admit(CSO, "CSO")
        self.speakers = [
            Speaker(first.url, first.party_id, first.username, first.password)
            for _ in range(SPEAKERS)
        ]
        self.house.speakers.extend(self.speakers)
        csps = {code: self.house.admit(code, "CSP") for code in self._csps()}
        for code in csps:
            self.house.command(
                "agreement",
                "add",
                CSO,
                code,
                "--currency",
                CURRENCY,
                "--from",
                "2016-12-01",
                # The file has no lists: one upload has to last the whole year.
                "--term",
                f"list_age_limit_seconds={400 * 86_400}",
            )
        self.log_in()
        self._put_evses()
        self._put_tariffs()
        for code, speaker in csps.items():
            speaker.lead = self.lead
            self._put_credentials(speaker.login(), code)

    @staticmethod
    def _csps() -> list[str]:
        return [*CSPS.values(), HUB_PARTNER]

    def _put_evses(self) -> None:
        kinds = {row.evse_id: row.plug_kind for row in self.rows}
        entries = "".join(
            f"<evse><evseId>{evse_id}</evseId><country>CH</country>"
            f"<timeZone>{ZONE.key}</timeZone><connector><kind>{kind}</kind>"
            "<powerW>22000</powerW></connector></evse>"
            for evse_id, kind in sorted(kinds.items())
        )
        done(
            self.speakers[0].call(
                "evse",
                "putEvses",
                f"<expectedCount>{len(kinds)}</expectedCount>{entries}<part>1</part>"
                f"<parts>1</parts><listId>{uuid.uuid4()}</listId>",
            )
        )

    def _put_tariffs(self) -> None:
        prices = {row.tariff_id: row for row in self.rows}
        tariffs = "".join(
            f"<tariff><tariffId>{tariff_id}</tariffId><currency>{CURRENCY}</currency>"
            "<validFrom>2016-12-01T00:00:00+01:00</validFrom>"
            f"{_components(row)}</tariff>"
            for tariff_id, row in sorted(prices.items())
        )
        answer = self.speakers[0].call("tariff", "putTariffs", tariffs)
        # Two rows of the file have a negative price: no tariff says that.
        refused = {item.findtext("{*}path") for item in answer.all("result", "item")}
        if not refused <= {"component[1]/price"}:
            raise RuntimeError(f"tariffs refused for {refused}")

    def _put_credentials(self, csp: Speaker, code: str) -> None:
        users = sorted({card_user(row) for row in self.rows if row.csp == code})
        parts = [users[i : i + _LIST_PART] for i in range(0, len(users), _LIST_PART)]
        list_id = uuid.uuid4()
        serial = itertools.count(1)
        for number, part in enumerate(parts, 1):
            entries = "".join(
                f'<entry><credential><kind xmlns="{COMMON}">RFID</kind>'
                f'<value xmlns="{COMMON}">{uid_of(code, user)}</value></credential>'
                f"<contractId>{code}C{next(serial):08d}</contractId>"
                "<status>VALID</status></entry>"
                for user in part
            )
            done(
                csp.call(
                    "credential",
                    "putCredentials",
                    f"<expectedCount>{len(users)}</expectedCount>{entries}"
                    f"<part>{number}</part><parts>{len(parts)}</parts>"
                    f"<listId>{list_id}</listId>",
                )
            )

    def play(self, advance: Callable[[int], None]) -> None:
        """Send all days and close all months; fills ``table``."""
        month = None
        for day, rows in by_day(self.rows):
            if month is not None and f"{day:%Y-%m}" != month:
                self.close(month)
            month = f"{day:%Y-%m}"
            morning = day + timedelta(days=1, hours=3)
            latest = max(row.ended_at for row in rows) + timedelta(hours=1)
            self.set_clock(max(morning, latest))
            self.log_in()
            self._send_day(rows)
            advance(len(rows))
        if month is not None:
            self.close(month)

    def _send_day(self, rows: Sequence[Row]) -> None:
        shares = [rows[n::SPEAKERS] for n in range(SPEAKERS)]
        with ThreadPool(SPEAKERS) as pool:
            found = pool.starmap(_sessions, zip(self.speakers, shares, strict=True))
        session_ids = {uid: value for part in found for uid, value in part.items()}
        self.authorized += len(session_ids)
        sdrs = [_sdr(row, session_ids.get(row.uid)) for row in rows]
        answer = self.speakers[0].call(
            "sdr", "submitSdrs", batch(next(self.sequence), sdrs)
        )
        self._book(rows, answer)

    def _book(self, rows: Sequence[Row], answer: Answer) -> None:
        if answer.code >= 200:
            raise RuntimeError(f"batch refused: {answer.code}")
        decided = _deciding_rules(answer)
        for number, row in enumerate(rows):
            outcome = self.table[row.csp, row.month]
            outcome.sessions += 1
            outcome.energy_wh += row.energy_wh
            outcome.claimed += row.claimed
            if number in decided:
                outcome.by_rule[decided[number]] += 1

    def close(self, month: str) -> None:
        """Close the window and book what the CSO's statement says was settled."""
        words = ("close", self._open_window(), "--next", f"after {month}")
        closed = self.house.command("settlement", *words)
        if not isinstance(closed, dict):
            raise TypeError("settlement close printed no object")
        for statement_id in self._statements(str(closed["window_id"])):
            document = statement_xml(self.speakers[0], statement_id)
            for position in document.all("position"):
                csp = position.findtext("{*}counterpartyId") or ""
                net = Decimal(position.findtext("{*}net") or "0")
                self.table[csp, month].settled += net

    def _open_window(self) -> str:
        windows = self.house.command("settlement", "list")
        if not isinstance(windows, list):
            raise TypeError("settlement list printed no list")
        return next(str(row["window"]) for row in windows if row["state"] == "OPEN")

    def _statements(self, window_id: str) -> list[str]:
        found: list[str] = []
        cursor = ""
        while True:
            page = done(self.speakers[0].call("settlement", "listStatements", cursor))
            found += [
                statement.findtext("{*}statementId") or ""
                for statement in page.all("statement")
                if statement.findtext("{*}windowId") == window_id
            ]
            if page.text("more") != "true":
                return found
            cursor = f"<cursor>{page.text('nextCursor')}</cursor>"


def statement_xml(speaker: Speaker, statement_id: str) -> Answer:
    """Return a statement document, put together from its parts."""
    content, part, parts = b"", 1, 1
    while part <= parts:
        answer = done(
            speaker.call(
                "settlement",
                "getStatement",
                f"<statementId>{statement_id}</statementId><format>XML</format>"
                f"<part>{part}</part>",
            )
        )
        content += b64decode(answer.text("content") or "")
        parts = int(answer.text("parts") or "1")
        part += 1
    return Answer(parse(content))


def by_day(rows: Iterable[Row]) -> list[tuple[datetime, list[Row]]]:
    """Return the rows by the local day they began on, in order."""
    days: dict[datetime, list[Row]] = defaultdict(list)
    for row in rows:
        day = row.started_at.replace(hour=0, minute=0)
        days[day].append(row)
    return sorted(days.items())


def card_user(row: Row) -> str:
    """Return who charged; a nameless user of a row is one-time."""
    return row.uid if row.user == "Sconosciuto" else f"u{row.user}"


def uid_of(csp: str, user: str) -> str:
    """Return a made-up RFID UID for a user of the file: the file has none."""
    digest = hashlib.sha256(f"{csp}:{user}".encode()).hexdigest()
    return "04" + digest[:12].upper()


def _components(row: Row) -> str:
    if row.fee_free:
        return "<component><type>ENERGY</type><price>0</price></component>"
    return (
        f"<component><type>ENERGY</type><price>{row.price_text}</price></component>"
        "<component><type>TIME</type><price>0.008333</price></component>"
    )


def _sdr(row: Row, session_id: str | None) -> Sdr:
    return Sdr(
        sdr_id=row.uid,
        csp_id=row.csp,
        evse_id=row.evse_id,
        started_at=row.started_at,
        ended_at=row.ended_at,
        energy_wh=row.energy_wh,
        tariff_id=row.tariff_id,
        currency=CURRENCY,
        claimed=row.claimed,
        session_id=session_id,
    )


def _sessions(speaker: Speaker, rows: Sequence[Row]) -> dict[str, str]:
    """Authorize, start and end the sessions of some rows; returns their ids."""
    found = {}
    for row in rows:
        uid = uid_of(row.csp, card_user(row))
        answer = speaker.call(
            "authorization",
            "authorizeStart",
            f"<evseId>{row.evse_id}</evseId><credential>"
            f'<kind xmlns="{COMMON}">RFID</kind><value xmlns="{COMMON}">{uid}</value>'
            "</credential>",
        )
        if answer.text("decision") != "AUTHORIZED":
            if row.csp != UNNAMED_CSP:
                raise RuntimeError(f"{row.uid} refused: {answer.text('reason')}")
            continue
        session_id = answer.text("sessionId") or ""
        report(speaker, session_id, "STARTED", row.started_at)
        report(speaker, session_id, "ENDED", row.ended_at, energy_wh=row.energy_wh)
        found[row.uid] = session_id
    return found


def report(
    speaker: Speaker,
    session_id: str,
    event: str,
    at: datetime,
    *,
    energy_wh: int | None = None,
) -> None:
    """Report one event of a session."""
    energy = "" if energy_wh is None else f"<energyWh>{energy_wh}</energyWh>"
    answer = speaker.call(
        "session",
        "reportSession",
        f"<sessionId>{session_id}</sessionId><event>{event}</event>"
        f"<eventId>{uuid.uuid4()}</eventId><occurredAt>{instant(at)}</occurredAt>"
        f"{energy}",
    )
    if answer.code >= 200:
        raise RuntimeError(f"{event} of {session_id}: {answer.code}")


def _deciding_rules(answer: Answer) -> dict[int, str]:
    """Return per record the first rule that holds or refuses it."""
    decided: dict[int, str] = {}
    for item in answer.all("result", "item"):
        if int(item.findtext("{*}code") or 0) in _SDR_CODES:
            index = int(item.findtext("{*}index") or -1)
            decided.setdefault(index, item.findtext("{*}rule") or "")
    return decided
