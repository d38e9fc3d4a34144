"""The schema's history: dated alembic steps in plain SQL.

Purpose: bring any database to the schema of this version, under one advisory
lock, as the owner role. May import: alembic and nothing of ours. To add a step,
see :mod:`clearinghouse.storage.migrations.versions`.
"""
