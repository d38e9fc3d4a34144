"""A server is stopped while partners send: what it acknowledged is there."""

from __future__ import annotations

import http.client
import shutil
import threading
from dataclasses import dataclass, field
from pathlib import Path

import psycopg
import pytest

from clearinghouse.storage.embedded.postgres import EmbeddedPostgres
from clearinghouse.storage.roles import OWNER_ROLE
from tests.fixtures.database import given_bindir, make_state_dir
from tests.running.house import House
from tests.running.soap import SoapFaultError, Speaker
from tests.waiting import PATIENCE_SECONDS, eventually

ENOUGH = 20


def _tariff(number: int) -> str:
    return (
        f"<tariff><tariffId>T-{number:05d}</tariffId><currency>EUR</currency>"
        "<validFrom>2020-01-01T00:00:00Z</validFrom>"
        "<component><type>ENERGY</type><price>0.49</price></component></tariff>"
    )


@dataclass(slots=True)
class _Publisher:
    """Publishes one tariff after the other until the server is gone."""

    speaker: Speaker
    acknowledged: list[str] = field(default_factory=list)
    ended_by: Exception | None = None

    def run(self) -> None:
        for number in range(100_000):
            try:
                answer = self.speaker.call("tariff", "putTariffs", _tariff(number))
            except (OSError, http.client.HTTPException, SoapFaultError) as error:
                self.ended_by = error
                return
            assert answer.code == 0
            self.acknowledged.append(f"T-{number:05d}")


def _stored(folder: Path) -> set[str]:
    """Return the ids of all tariffs in the database, whoever may see them."""
    with EmbeddedPostgres(folder, bindir=given_bindir()) as server:
        url = server.url(OWNER_ROLE).replace("+psycopg", "")
        with psycopg.connect(url) as connection:
            rows = connection.execute("SELECT tariff_id FROM clearing.tariff")
            return {str(row[0]) for row in rows}


@pytest.mark.slow
def test_what_was_acknowledged_before_a_stop_is_in_the_database() -> None:
    folder = make_state_dir()
    try:
        with House(folder) as house:
            speaker = house.admit("DEBEN", "CSO").login()
            publisher = _Publisher(speaker)
            thread = threading.Thread(target=publisher.run)
            thread.start()
            eventually(
                lambda: len(publisher.acknowledged) >= ENOUGH or not thread.is_alive()
            )
            assert house.server is not None
            assert house.server.process is not None
            house.server.ask_to_stop()
            code = house.server.process.wait(PATIENCE_SECONDS)
            thread.join(PATIENCE_SECONDS)
            found = _stored(folder)
    finally:
        shutil.rmtree(folder, ignore_errors=True)

    assert code == 0
    assert isinstance(publisher.ended_by, OSError | http.client.HTTPException)
    assert len(publisher.acknowledged) >= ENOUGH
    assert found >= set(publisher.acknowledged)
