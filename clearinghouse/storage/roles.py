"""The three database roles, and what to do where they are missing.

``clearinghouse_owner`` owns the schema and runs migrations, ``clearinghouse_app`` does
business, ``clearinghouse_privacy`` alone reads personal data (clause 8-separate).
"""

from __future__ import annotations

from sqlalchemy import Connection, text
from sqlalchemy.exc import ProgrammingError

from clearinghouse.codes import UNAVAILABLE
from clearinghouse.domain.errors import ClearingHouseError

OWNER_ROLE = "clearinghouse_owner"
APP_ROLE = "clearinghouse_app"
PRIVACY_ROLE = "clearinghouse_privacy"

_MISSING = text("""
    SELECT wanted FROM unnest(CAST(:wanted AS text[])) AS wanted
    WHERE NOT EXISTS (SELECT FROM pg_roles WHERE rolname = wanted)
    ORDER BY wanted
""")

# Fixed statements: role names are never put together from text.
_CREATE = {
    APP_ROLE: text("CREATE ROLE clearinghouse_app NOLOGIN"),
    PRIVACY_ROLE: text("CREATE ROLE clearinghouse_privacy NOLOGIN"),
}
_ADVICE = {
    APP_ROLE: "CREATE ROLE clearinghouse_app LOGIN;",
    PRIVACY_ROLE: "CREATE ROLE clearinghouse_privacy LOGIN;",
}
_JOIN = {
    APP_ROLE: text("GRANT clearinghouse_app TO CURRENT_USER"),
    PRIVACY_ROLE: text("GRANT clearinghouse_privacy TO CURRENT_USER"),
}


def missing_roles(tx: Connection) -> list[str]:
    """Return which of the roles that the schema grants to do not exist."""
    rows = tx.execute(_MISSING, {"wanted": [APP_ROLE, PRIVACY_ROLE]})
    return [row.wanted for row in rows]


def make_missing_roles(tx: Connection) -> list[str]:
    """Create missing roles and join them, as far as the given user may.

    They get no login: our sessions step into them (``SET ROLE``) from the one user of
    the DSN. Returns the roles made. Raises :class:`ClearingHouseError`
    (``CH.UNAVAILABLE``) that names the missing roles and the statements to run when the
    user may not create roles.
    """
    missing = missing_roles(tx)
    for role in missing:
        try:
            with tx.begin_nested():
                tx.execute(_CREATE[role])
                tx.execute(_JOIN[role])
        except ProgrammingError as error:
            raise ClearingHouseError(UNAVAILABLE, _advice(missing)) from error
    return missing


def _advice(missing: list[str]) -> str:
    statements = " ".join(_ADVICE[role] for role in missing)
    return (
        "the database lacks roles that this user may not create; let an administrator "
        f"run: {statements}"
    )
