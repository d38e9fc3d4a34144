"""Run the steps on the connection that :mod:`clearinghouse.storage.schema` hands over.

Never run by alembic's own command line: there is no ini file, so that a DSN has
one way in.
"""

from __future__ import annotations

from alembic import context
from sqlalchemy import text

connection = context.config.attributes["connection"]
# The version table lives beside what it versions, not in anybody's ``public``.
connection.execute(text("CREATE SCHEMA IF NOT EXISTS clearing"))
context.configure(
    connection=connection,
    version_table_schema="clearing",
    transaction_per_migration=False,
)
with context.begin_transaction():
    context.run_migrations()
    # Every process asks at its start whether the schema is of its version.
    connection.execute(
        text("GRANT SELECT ON clearing.alembic_version TO clearinghouse_app")
    )
