"""The log of an error says where and what kind, and quotes no row of the database."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import psycopg
import pytest
import structlog
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError

from clearinghouse.telemetry import logging

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from clearinghouse.storage.database import Database
    from tests.fixtures.database import Site

VALUE = "04A1B2C3D4E5F6"


@pytest.fixture(autouse=True)
def _configured() -> Iterator[None]:
    logging.configure("INFO")
    yield
    structlog.reset_defaults()


def _unique(site: Site, _database: Database) -> None:
    with site.superuser() as connection:
        connection.execute("CREATE TEMP TABLE card (uid text UNIQUE)")
        for _ in range(2):
            connection.execute("INSERT INTO card VALUES (%s)", (VALUE,))


def _copied(site: Site, _database: Database) -> None:
    with site.superuser() as connection:
        connection.execute("CREATE TEMP TABLE amount (minor int)")
        with connection.cursor() as cursor, cursor.copy("COPY amount FROM STDIN") as to:
            to.write_row((VALUE,))


def _executed(_site: Site, database: Database) -> None:
    with database.begin() as tx:
        tx.execute(text("SELECT CAST(:uid AS integer)"), {"uid": VALUE})


def _led_to_another(_site: Site, database: Database) -> None:
    try:
        _executed(_site, database)
    except DBAPIError as error:
        raise RuntimeError(f"a helpful text: {error}") from error


@pytest.mark.clause("8-min")
@pytest.mark.parametrize(
    ("breaks", "state"),
    [
        (_unique, "23505"),
        (_copied, "22P02"),
        (_executed, "22P02"),
        (_led_to_another, "22P02"),
    ],
)
def test_value_in_a_database_error_stays_out_of_the_log(
    breaks: Callable[[Site, Database], None],
    state: str,
    site: Site,
    database: Database,
    capsys: pytest.CaptureFixture[str],
) -> None:
    with pytest.raises((psycopg.Error, DBAPIError, RuntimeError)) as caught:
        breaks(site, database)
    assert VALUE in f"{caught.value} {caught.value.__cause__}"  # it would be told

    try:
        raise caught.value
    except type(caught.value):
        logging.logger("tests").exception("broke", correlation_id="7")

    logged = capsys.readouterr().err
    event = json.loads(logged)
    assert VALUE not in logged
    assert f"(SQLSTATE {state})" in event["exception"]
    assert f"in {breaks.__name__}" in event["exception"]  # our own line
    assert (event["event"], event["correlation_id"]) == ("broke", "7")


def _convert(found: dict[str, str]) -> str:
    try:
        return found["the first"]
    except KeyError as error:
        raise ValueError("the second") from error


def test_other_errors_are_told_with_their_words_and_causes(
    capsys: pytest.CaptureFixture[str],
) -> None:
    try:
        _convert({})
    except ValueError:
        logging.logger("tests").exception("broke")

    told = json.loads(capsys.readouterr().err)["exception"]
    first, second = told.split("That led to:")
    assert "the first" in first
    assert "the second" in second
    assert told.count("Traceback (most recent call last):") == 2


def test_event_without_an_error_has_no_trace(
    capsys: pytest.CaptureFixture[str],
) -> None:
    logging.logger("tests").warning("odd", count=3)

    event = json.loads(capsys.readouterr().err)
    assert event.keys() == {"event", "count", "module", "level", "timestamp"}


def test_line_break_in_a_value_makes_no_second_event(
    capsys: pytest.CaptureFixture[str],
) -> None:
    logging.logger("tests").warning("odd", name='x\n{"event": "forged"}')

    assert len(capsys.readouterr().err.splitlines()) == 1
