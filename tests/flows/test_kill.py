"""Power cuts during a bulk submit: what was acknowledged is there, once."""

from __future__ import annotations

import http.client
import os
import random
import signal
import threading
import time
from collections import Counter
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path

import pytest

from clearinghouse.storage.embedded.postgres import EmbeddedPostgres
from tests.fixtures.database import given_bindir, make_state_dir
from tests.running import world
from tests.running.house import House
from tests.running.sdr import Sdr, batch
from tests.running.soap import Answer, SoapFaultError, Speaker

BATCHES = 24
RECORDS = 150
KILLS = 8
SEED = 20_261_122
PATIENCE_SECONDS = 90.0
FIRST_REFUSAL = 200


def _sdr(batch_number: int, number: int) -> Sdr:
    ended = datetime.now(UTC).replace(microsecond=0) - timedelta(hours=1)
    ended -= timedelta(hours=batch_number * 2)
    return Sdr(
        sdr_id=f"S-{batch_number:04d}-{number:06d}",
        csp_id="NLCSP",
        evse_id=world.evse_id(number % world.EVSES),
        started_at=ended - timedelta(minutes=30),
        ended_at=ended,
        energy_wh=10_000 + number,
        tariff_id=world.TARIFF_ID,
        currency=world.CURRENCY,
        claimed=(Decimal(10_000 + number) * Decimal("0.00049")).quantize(
            Decimal("0.01")
        ),
        uid=world.uid(number),
    )


def _until_acknowledged(speaker: Speaker, message: bytes) -> Answer:
    """Repeat the same bytes until the clearing house says what became of them."""
    deadline = time.monotonic() + PATIENCE_SECONDS
    trouble: object = None
    while time.monotonic() < deadline:
        try:
            return speaker.send("sdr", message)
        except SoapFaultError as fault:
            if b"true</" not in bytes(str(fault), "utf-8"):
                raise
            trouble = fault
        except (OSError, http.client.HTTPException) as error:
            trouble = error
        time.sleep(0.2)
    raise TimeoutError(str(trouble))


def _all_ids(speaker: Speaker) -> list[str]:
    """Pull every SDR that the speaker submitted."""
    found: list[str] = []
    cursor = ""
    while True:
        page = world.done(
            speaker.call("sdr", "getSdrs", f"<role>SUBMITTER</role>{cursor}")
        )
        ids = page.all("sdr", "serviceDetailRecord", "sdrId")
        found += [element.text or "" for element in ids]
        if page.text("more") != "true":
            return found
        cursor = f"<cursor>{page.text('nextCursor')}</cursor>"


class _Killer(threading.Thread):
    """Kills the server, the worker or the database at random moments."""

    def __init__(self, house: House) -> None:
        super().__init__(name="killer")
        self.house = house
        self.chance = random.Random(SEED)  # noqa: S311 - repeatable, not secret
        self.killed: Counter[str] = Counter()

    def run(self) -> None:
        targets = ["server", "worker", "database"] * KILLS
        for target in targets[:KILLS]:
            time.sleep(self.chance.uniform(0.3, 1.5))
            getattr(self, f"kill_{target}")()
            self.killed[target] += 1

    def kill_server(self) -> None:
        assert self.house.server is not None
        self.house.server.kill()
        self.house.start_server()

    def kill_worker(self) -> None:
        assert self.house.worker is not None
        self.house.worker.kill()
        self.house.start_worker()

    def kill_database(self) -> None:
        pid = EmbeddedPostgres(self.house.folder, bindir=given_bindir()).pid
        if pid is not None:
            os.kill(pid, signal.SIGKILL)


@pytest.mark.slow
@pytest.mark.timeout(400)
@pytest.mark.clause("3.10", "4.3-I3")
def test_acknowledged_sdrs_survive_kill_9_exactly_once() -> None:
    folder = make_state_dir() / "var"
    acknowledged: list[str] = []
    with House(Path(folder)) as house:
        pair = world.pair(house, match_required=False)
        house.start_worker()
        killer = _Killer(house)
        killer.start()
        sequence = 0
        while killer.is_alive() or sequence < BATCHES:
            sequence += 1
            sdrs = [_sdr(sequence, number) for number in range(RECORDS)]
            message = pair.cso.envelope("sdr", "submitSdrs", batch(sequence, sdrs))
            answer = _until_acknowledged(pair.cso, message)
            assert answer.code < FIRST_REFUSAL, answer.code
            assert answer.text("refused") == "0"
            acknowledged += [sdr.sdr_id for sdr in sdrs]
        killer.join()
        stored = _all_ids(pair.cso)

    assert killer.killed.keys() == {"server", "worker", "database"}
    assert Counter(stored) == Counter(acknowledged)
