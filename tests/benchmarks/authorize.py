"""The whole of AuthorizeStart over HTTP: token, validation, durable decision.

The load comes from processes of its own over kept-alive connections; what is counted
as CPU is the server's processes, and apart from it the database's.
"""

from __future__ import annotations

import json as json_text
import multiprocessing
import statistics
import tempfile
import time
import uuid
from dataclasses import dataclass
from multiprocessing.pool import ThreadPool
from pathlib import Path

from tests.benchmarks._processes import cpu_seconds
from tests.running import world
from tests.running.house import House
from tests.running.soap import COMMON, Speaker

NAME = "authorize"
DESCRIPTION = "AuthorizeStart over HTTP: messages a second, CPU, p99"

SECONDS = 8.0
ROUNDS = 3
CLIENTS = 2
CONNECTIONS = 3
_MARK = "00000000-0000-4000-8000-000000000000"


@dataclass(slots=True)
class Load:
    """What one round measured."""

    messages: int
    seconds: float
    server_cpu_seconds: float
    database_cpu_seconds: float
    latencies: list[float]


def _one_connection(arguments: tuple[Speaker, int, float]) -> list[float]:
    speaker, seed, until = arguments
    speaker = Speaker(
        speaker.url,
        speaker.party_id,
        speaker.username,
        speaker.password,
        token=speaker.token,
    )
    card = (
        f'<credential><kind xmlns="{COMMON}">RFID</kind>'
        f'<value xmlns="{COMMON}">{world.uid(seed)}</value></credential>'
    )
    message = speaker.envelope(
        "authorization",
        "authorizeStart",
        f"<evseId>{world.evse_id(seed)}</evseId>{card}",
        _MARK,
    )
    latencies = []
    while time.time() < until:
        began = time.perf_counter()
        answer = speaker.post(
            "authorization", message.replace(_MARK.encode(), str(uuid.uuid4()).encode())
        )
        latencies.append(time.perf_counter() - began)
        if b">AUTHORIZED<" not in answer:
            raise RuntimeError(answer.decode()[:800])
    return latencies


def _one_client(arguments: tuple[Speaker, int, float]) -> list[float]:
    speaker, first, until = arguments
    with ThreadPool(CONNECTIONS) as pool:
        work = [(speaker, first + n, until) for n in range(CONNECTIONS)]
        return [value for part in pool.map(_one_connection, work) for value in part]


def _round(house: House, cso: Speaker, seconds: float) -> Load:
    assert house.server is not None
    assert house.server.process is not None
    root = house.server.process.pid
    before = cpu_seconds(root)
    began = time.perf_counter()
    until = time.time() + seconds
    with multiprocessing.get_context("spawn").Pool(CLIENTS) as pool:
        work = [(cso, n * CONNECTIONS, until) for n in range(CLIENTS)]
        parts = pool.map(_one_client, work)
    seconds = time.perf_counter() - began
    used = cpu_seconds(root) - before
    latencies = [value for part in parts for value in part]
    return Load(len(latencies), seconds, used.server, used.database, latencies)


def measure(seconds: float = SECONDS, rounds: int = ROUNDS) -> list[Load]:
    """Return one :class:`Load` per round, after a short warm-up."""
    with tempfile.TemporaryDirectory(prefix="ch-bench-") as folder:
        Path(folder).chmod(0o755)
        with House(Path(folder) / "var") as house:
            pair = world.pair(house)
            _round(house, pair.cso, 2.0)
            return [_round(house, pair.cso, seconds) for _ in range(rounds)]


def main(json: bool) -> None:  # noqa: FBT001  the shape all benchmarks share
    """Measure and print; the last line is the figure."""
    rounds = measure()
    rate = statistics.median(r.messages / r.seconds for r in rounds)
    cpu = statistics.median(r.server_cpu_seconds / r.messages * 1e6 for r in rounds)
    database = statistics.median(
        r.database_cpu_seconds / r.messages * 1e6 for r in rounds
    )
    p99 = statistics.median(
        statistics.quantiles(r.latencies, n=100)[98] * 1000 for r in rounds
    )
    if json:
        print(
            json_text.dumps(
                {
                    "messages_per_second": rate,
                    "server_cpu_microseconds": cpu,
                    "database_cpu_microseconds": database,
                    "p99_milliseconds": p99,
                }
            )
        )
        return
    print(f"database: {database:.0f} us CPU/msg beside the server's")
    print(f"authorize: {rate:.0f} msg/s, {cpu:.0f} us CPU/msg, p99 {p99:.1f} ms")
