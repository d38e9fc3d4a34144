"""One file per migration: ``<date>_<number>_<pre|post>_<what>.py``.

Purpose: *pre* runs before the new code is rolled out and must work with the old code
(add, widen); *post* runs after it (drop, narrow). A step changes the schema or the
rows, never both. May import: alembic only, for a step must mean the same for ever. To
add a step: the next number of the day, ``down_revision`` = the newest file, plain SQL
through ``op.execute``, the GRANTs beside the table.
"""
