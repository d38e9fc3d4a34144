"""State directories with a database in them, and servers that run on them."""

from __future__ import annotations

import shutil
import subprocess
from typing import TYPE_CHECKING

import pytest

from clearinghouse.storage import schema
from clearinghouse.storage.embedded.postgres import EmbeddedPostgres
from clearinghouse.storage.roles import OWNER_ROLE
from tests.fixtures.database import FAST, given_bindir, make_state_dir
from tests.running.program import Program, reap

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


@pytest.fixture(scope="session")
def stopped_database() -> Iterator[Path]:
    """Make a database with its tables once, for copies are quicker than new ones."""
    folder = make_state_dir()
    with EmbeddedPostgres(folder, bindir=given_bindir(), options=FAST) as server:
        schema.upgrade(server.url(OWNER_ROLE))
    yield folder / "postgres"
    shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture
def state_dir(stopped_database: Path) -> Iterator[Path]:
    """Give the test a state directory whose database does not run."""
    folder = make_state_dir()
    subprocess.run(["cp", "-a", str(stopped_database), str(folder)], check=True)
    yield folder
    reap(folder)
    shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture(scope="module")
def house(stopped_database: Path) -> Iterator[Program]:
    """Run one server for the tests of a module, with metrics."""
    folder = make_state_dir()
    subprocess.run(["cp", "-a", str(stopped_database), str(folder)], check=True)
    program = Program(folder, "serve", with_metrics=True)
    try:
        yield program.start().ready()
    finally:
        program.stop()
        reap(folder)
        shutil.rmtree(folder, ignore_errors=True)
