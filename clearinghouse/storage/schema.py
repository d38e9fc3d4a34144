"""Bring a database to the schema of this version, and tell whether it is there."""

from __future__ import annotations

import re
from functools import cache
from pathlib import Path

from sqlalchemy import Connection, create_engine, text
from sqlalchemy.exc import ProgrammingError
from sqlalchemy.pool import NullPool

from clearinghouse.codes import UNAVAILABLE
from clearinghouse.domain.errors import ClearingHouseError
from clearinghouse.storage.database import address
from clearinghouse.storage.failures import as_unavailable
from clearinghouse.storage.roles import make_missing_roles

#: Key of the lock that lets one migration run at a time, whoever starts it.
MIGRATION_LOCK = 7_311_901_001

#: Milliseconds a step may take and may wait: an index over a large table needs hours,
#: and a migration that gives up half-way helps nobody.
STEP_MS = 14_400_000

_HERE = Path(__file__).parent / "migrations"
_STEP = re.compile(r"(\d{4}_\d\d_\d\d_\d\d_(?:pre|post))_\w+\.py")
_LOCK = text("SELECT pg_advisory_xact_lock(:key)")
_PATIENCE = text(
    "SELECT set_config('statement_timeout', :ms, true),"
    " set_config('lock_timeout', :ms, true)"
)
_ENCODING = text("SHOW server_encoding")
_REVISION = text("SELECT version_num FROM clearing.alembic_version")


def upgrade(owner_url: str) -> list[str]:
    """Apply all missing steps in one transaction; return the roles made on the way.

    The URL is the owner's (``database_owner_url``), or that of any user who may create
    schemas in the database. Two processes may call it at once: the second waits and
    finds nothing to do. Raises :class:`ClearingHouseError` (``CH.UNAVAILABLE``) when
    the database cannot be reached, holds texts otherwise than in UTF-8, or lacks roles
    that this user may not create.
    """
    engine = create_engine(address(owner_url, role=None), poolclass=NullPool)
    try:
        with as_unavailable(), engine.begin() as connection:
            connection.execute(_PATIENCE, {"ms": str(STEP_MS)})
            connection.execute(_LOCK, {"key": MIGRATION_LOCK})
            _require_utf8(connection)
            made = make_missing_roles(connection)
            _migrate(connection)
    finally:
        engine.dispose()
    return made


def _require_utf8(connection: Connection) -> None:
    """Refuse a database that has no place for names of all countries.

    Its documents could not be written, which would be found out at the first close.
    """
    found = connection.execute(_ENCODING).scalar_one()
    if found != "UTF8":
        raise ClearingHouseError(
            UNAVAILABLE,
            f"the database has the encoding {found}: make it anew with ENCODING 'UTF8'"
            " TEMPLATE template0",
        )


def _migrate(connection: Connection) -> None:
    # Loaded here: most processes only ask whether the schema is there.
    from alembic import command  # noqa: PLC0415
    from alembic.config import Config  # noqa: PLC0415

    config = Config()
    config.set_main_option("script_location", str(_HERE))
    config.set_main_option("path_separator", "os")
    config.attributes["connection"] = connection
    command.upgrade(config, "head")


@cache
def head() -> str:
    """Return the newest revision that this version of the program knows.

    The steps' files are dated and their names begin with their revision.
    """
    names = (_STEP.fullmatch(path.name) for path in (_HERE / "versions").iterdir())
    found = [name[1] for name in names if name is not None]
    if not found:
        raise LookupError("there are no migrations")
    return max(found)


def current(tx: Connection) -> str | None:
    """Return the revision of a database, ``None`` when it has no schema yet."""
    try:
        with tx.begin_nested():
            return tx.execute(_REVISION).scalar_one_or_none()
    except ProgrammingError:
        return None
