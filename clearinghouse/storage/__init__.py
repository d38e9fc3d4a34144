"""PostgreSQL: statements, bulk copies, roles and migrations.

Purpose: functions of a transaction that return domain values, named as questions
or facts. May import ``domain``, ``identifiers`` and the leaves. To add a query: a
function in the file of its noun, and a test against the real database.
"""
