"""One file per migration: ``<date>_<number>_<pre|post>_<what>.py``.

*pre* runs before the new code is rolled out and must work with the old code
(add, widen); *post* runs after it (drop, narrow). A step changes the schema or
the rows, never both. To add one: next number of the day, ``down_revision`` =
the newest file, plain SQL through ``op.execute``, the GRANTs beside the table.
"""
