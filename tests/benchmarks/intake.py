"""SubmitSdrs over HTTP: parsed, checked, rated, stored, acknowledged after commit.

Several CSOs send batches at once to two server processes. Each SDR names a session that
was authorized here, which it ends, for one of many CSPs; it has times and an amount of
its own, two registers of a meter, and VAT of a supply across a border. The tariff has
four components. All rules are asked, and none hits: whatever else comes would be less
work for the rating and more for the answer. The database syncs to disk. Memory is what
a server process needs above what it had before the first batch. Below the target it
says where the CPU time of a server goes, from one more batch in this process.
"""

from __future__ import annotations

import http.client
import json as json_text
import os
import tempfile
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from decimal import Decimal
from pathlib import Path
from urllib.parse import urlsplit
from uuid import uuid4

from sqlalchemy import Connection

from clearinghouse import app
from clearinghouse.domain.evses import Connector
from clearinghouse.domain.exchange import Role
from clearinghouse.domain.participants import Participant
from clearinghouse.domain.sessions import Origin, SessionState
from clearinghouse.domain.tariffs import Component, ComponentType
from clearinghouse.services import passwords
from clearinghouse.services.environment import Environment
from clearinghouse.settings import Settings
from clearinghouse.soap.server import Engine
from clearinghouse.storage import access, billing, evses, tariffs
from clearinghouse.storage.database import Database
from clearinghouse.storage.tables.sessions import session
from clearinghouse.storage.tariffs import Publication
from tests.benchmarks._figures import Figure
from tests.benchmarks._processes import cpu_seconds, split
from tests.benchmarks._stages import Sampler, answered_here
from tests.builders import (
    make_agreement,
    make_evse,
    make_participant,
    make_profile,
    make_tariff,
)
from tests.fixtures.engine import PASSWORD, issue_token, username
from tests.running import sdr as wire
from tests.running.house import House
from tests.running.soap import Speaker

NAME = "intake"
DESCRIPTION = "SubmitSdrs over HTTP: SDRs a second, memory (INTAKE_SDRS=n)"

SDRS = 60_000
BATCH = 5_000
#: SDRs a second on two cores, unsigned and with all rules.
TARGET = 30_000
RUNS = 3
SUBMITTERS = 4
CSPS = 40
EVSES_MIN = 1_000
#: SDRs of one EVSE: a day's, so that none is late.
PER_EVSE = 20
_MIB = 1_048_576
_KIB = 1_024
_PATH = "/services/sdr"
_DONE = b"<common:code>0<"
_PAUSE_SECONDS = 0.05
_KWH_CENTS = 45
_MINUTE_CENTS = 5
_CHARGING = timedelta(minutes=40)
_BETWEEN = timedelta(minutes=50)
_VAT_IDS = {"DE": "DE136695976", "NL": "NL004495445B01"}
_COMPONENTS = (
    Component(type=ComponentType.ENERGY, price_u=450_000),
    Component(type=ComponentType.TIME, price_u=50_000),
    Component(type=ComponentType.IDLE, price_u=100_000, grace_seconds=600),
    Component(type=ComponentType.PARKING, price_u=20_000, tier_from=3_600),
)


@dataclass(slots=True)
class Sending:
    """One CSO with the batches it sends."""

    speaker: Speaker
    batches: list[bytes]
    later: list[bytes]


@dataclass(slots=True)
class Measured:
    """What one run took."""

    sdrs: int
    seconds: float
    server_cpu_seconds: float
    database_cpu_seconds: float
    bytes_above_base: int
    stages: dict[str, float] = field(default_factory=dict)

    @property
    def rate(self) -> float:
        """SDRs a second."""
        return self.sdrs / self.seconds

    @property
    def server_us(self) -> float:
        """CPU of the server for an SDR, in microseconds."""
        return self.server_cpu_seconds / self.sdrs * 1e6

    @property
    def database_us(self) -> float:
        """CPU of the database for an SDR, in microseconds."""
        return self.database_cpu_seconds / self.sdrs * 1e6


def measure(number: int) -> Measured:
    """Run the whole path once and return what it took."""
    with tempfile.TemporaryDirectory(prefix="ch-bench-") as name:
        folder = Path(name)
        folder.chmod(0o755)
        with House(folder / "var") as house:
            settings = Settings(state_dir=house.folder)
            with app.environment(settings) as env:
                senders = list(sendings(env, house.url, number))
            found = _run(house, senders, number)
            if found.rate < TARGET:
                with app.environment(settings) as env:
                    found.stages = _stages(app.engine(env, settings), senders[0])
            return found


def _run(house: House, sendings: list[Sending], number: int) -> Measured:
    assert house.server is not None
    assert house.server.process is not None
    for one in sendings:
        _send(one.speaker, one.batches.pop(0))
    root = house.server.process.pid
    servers, _ = split(root)
    base = {pid: _resident(pid) for pid in servers}
    _forget_peaks(servers)
    before = cpu_seconds(root)
    began = time.perf_counter()
    with ThreadPoolExecutor(len(sendings)) as pool:
        list(pool.map(send_all, sendings))
    seconds = time.perf_counter() - began
    used = cpu_seconds(root) - before
    return Measured(
        sdrs=number,
        seconds=seconds,
        server_cpu_seconds=used.server,
        database_cpu_seconds=used.database,
        bytes_above_base=max(_peak(pid) - base[pid] for pid in servers),
    )


def _stages(engine: Engine, sending: Sending) -> dict[str, float]:
    """Return the microseconds of CPU that each stage takes for an SDR."""
    first, second = sending.later
    answered_here(engine, _PATH, first)
    with Sampler() as sampler:
        answer = answered_here(engine, _PATH, second)
    if _DONE not in answer:
        raise RuntimeError(answer.decode()[:800])
    return sampler.microseconds(BATCH)


def send_all(sending: Sending) -> None:
    """Send what one CSO has, batch after batch."""
    for message in sending.batches:
        _send(sending.speaker, message)


def _send(speaker: Speaker, message: bytes) -> None:
    """Send one batch, again when the server sheds it, as a partner does."""
    while True:
        connection = http.client.HTTPConnection(urlsplit(speaker.url).netloc)
        connection.request("POST", _PATH, message, {"Content-Type": "text/xml"})
        answer = connection.getresponse().read()
        connection.close()
        if b"CH.OVERLOAD" not in answer:
            break
        time.sleep(_PAUSE_SECONDS)
    if _DONE not in answer:
        raise RuntimeError(answer.decode()[:800])


def sendings(env: Environment, url: str, number: int) -> Iterator[Sending]:
    """Put partners, EVSEs, tariffs and sessions in place; write the batches."""
    now = env.clock.now()
    since = now - timedelta(days=60)
    with env.database.begin("closing") as tx:
        csps = [make_participant(tx, party_id=f"NLC{n:02d}") for n in range(CSPS)]
        for csp in csps:
            _bill(tx, csp, "NL", at=since)
    count = max(EVSES_MIN, number // SUBMITTERS // PER_EVSE)
    for place in range(SUBMITTERS):
        code = f"B{place:02d}"
        with env.database.begin("closing") as tx:
            roles = frozenset({Role.CSO})
            cso = make_participant(tx, party_id=f"DE{code}", roles=roles)
            _bill(tx, cso, "DE", at=since)
            for csp in csps:
                make_agreement(tx, cso, csp, valid_from=since)
            tariffs.publish(
                tx,
                Publication(
                    publisher_id=cso.participant_id,
                    tariff=make_tariff(valid_from=since, components=_COMPONENTS),
                ),
                at=since,
            )
            connector = (Connector(kind="CCS2", power_w=150_000),)
            upserts = [
                make_evse(
                    f"DE*{code}*E{n:06d}",
                    country="DE",
                    time_zone="Europe/Berlin",
                    connectors=connector,
                )
                for n in range(count)
            ]
            evses.apply_delta(tx, cso.participant_id, upserts=upserts, removals=[])
        own = number // SUBMITTERS + 1 + (0 if place else 2 * BATCH)
        records = list(_records(env, cso, csps, (own, count, now)))
        speaker = _speaker(env, cso, url)
        batches = _batches(speaker, records)
        cut = len(batches) if place else -2
        yield Sending(speaker, batches[:cut], batches[cut:])


def _records(
    env: Environment,
    cso: Participant,
    csps: list[Participant],
    many: tuple[int, int, datetime],
) -> Iterator[wire.Sdr]:
    """Store sessions that have ended and give an SDR for each."""
    number, evse_count, now = many
    code = cso.party_id[2:]
    rows = []
    for place in range(number):
        csp, evse = csps[place % CSPS], place % evse_count
        started_at = (
            now - _BETWEEN * (1 + place // evse_count) - timedelta(seconds=evse)
        )
        energy_wh = 5_000 + place * 7_919 % 40_000
        number_of_session = uuid4()
        rows.append(
            (
                number_of_session,
                SessionState.ENDED.value,
                cso.participant_id,
                csp.participant_id,
                f"DE{code}E{evse:06d}",
                Origin.LOCAL.value,
                started_at,
                started_at,
            )
        )
        yield wire.Sdr(
            sdr_id=f"{cso.party_id}-{place:09d}",
            csp_id=csp.party_id,
            evse_id=f"DE*{code}*E{evse:06d}",
            started_at=started_at,
            ended_at=started_at + _CHARGING,
            energy_wh=energy_wh,
            tariff_id="T-1",
            currency="EUR",
            claimed=_net(energy_wh),
            session_id=str(number_of_session),
        )
    names = (
        "session_id",
        "state",
        "visited_id",
        "home_id",
        "evse_key",
        "origin",
        "created_at",
        "authorized_at",
    )
    with env.database.begin("closing") as tx:
        Database.copy(tx, session, names, rows)


def _bill(tx: Connection, party: Participant, country: str, *, at: datetime) -> None:
    """Store what invoices say of a party, so that its supplies are taxed."""
    profile = make_profile(
        party.party_id,
        valid_from=at.date(),
        country=country,
        vat_id=_VAT_IDS[country],
        is_taxable_dealer=True,
    )
    billing.add_profile(tx, profile, at=at)


def _net(energy_wh: int) -> Decimal:
    """Return what the tariff makes of the energy and the time: 45 ct/kWh, 5 ct/min."""
    minutes = _CHARGING // timedelta(minutes=1)
    cents = (energy_wh * _KWH_CENTS + 500) // 1_000 + minutes * _MINUTE_CENTS
    return Decimal(cents).scaleb(-2)


def _batches(speaker: Speaker, records: list[wire.Sdr]) -> list[bytes]:
    """Return the messages: the first has one record and warms the server up."""
    cuts = [records[:1]]
    cuts += [records[n : n + BATCH] for n in range(1, len(records), BATCH)]
    return [
        speaker.envelope("sdr", "submitSdrs", wire.batch(sequence, cut))
        for sequence, cut in enumerate(cuts, start=1)
    ]


def _speaker(env: Environment, cso: Participant, url: str) -> Speaker:
    with env.database.begin() as tx:
        access.add_account(
            tx,
            cso.participant_id,
            username=username(cso.party_id),
            password_hash=passwords.hashed(PASSWORD),
            at=env.clock.now(),
        )
    return Speaker(url, cso.party_id, "", "", token=issue_token(env, cso.party_id))


def _resident(pid: int) -> int:
    return _status(pid, "VmRSS")


def _peak(pid: int) -> int:
    return _status(pid, "VmHWM")


def _status(pid: int, name: str) -> int:
    for line in Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith(f"{name}:"):
            return int(line.split()[1]) * _KIB
    return 0


def _forget_peaks(pids: list[int]) -> None:
    for pid in pids:
        with suppress(OSError):
            Path(f"/proc/{pid}/clear_refs").write_text("5")


def figure() -> Figure:
    """Return the median of three runs."""
    number = int(os.environ.get("INTAKE_SDRS", SDRS))
    runs = sorted((measure(number) for _ in range(RUNS)), key=lambda one: one.rate)
    found = runs[RUNS // 2]
    return Figure(
        name="intake, full rules",
        reached=found.rate,
        target=TARGET,
        unit="SDR/s",
        at_least=True,
        where=tuple(_told(found)),
    )


def _told(found: Measured) -> Iterator[str]:
    yield (
        f"{found.sdrs} SDRs in batches of {BATCH} from {SUBMITTERS} CSOs in "
        f"{found.seconds:.1f} s; CPU for each: server {found.server_us:.0f} us, "
        f"database {found.database_us:.0f} us"
    )
    if found.stages:
        stages = ", ".join(f"{name} {us:.1f}" for name, us in found.stages.items())
        yield f"in one server, us of CPU for each: {stages}"


def main(json: bool) -> None:  # noqa: FBT001  the shape all benchmarks share
    """Measure and print; the last line is the figure."""
    found = measure(int(os.environ.get("INTAKE_SDRS", SDRS)))
    above = found.bytes_above_base / _MIB
    if json:
        print(
            json_text.dumps(
                {
                    "sdrs_per_second": found.rate,
                    "server_cpu_microseconds": found.server_us,
                    "database_cpu_microseconds": found.database_us,
                    "mebibytes_above_base": above,
                    "stages_cpu_microseconds": found.stages,
                }
            )
        )
        return
    print("\n".join(_told(found)))
    print(f"intake: {found.rate:.0f} SDR/s, {above:.0f} MiB above base")
