"""A private PostgreSQL server for the demo, the tests and a first start.

Purpose: start, recover and stop the database binaries of one folder without
touching anything else on the machine. May import what ``storage`` may. To add a
source of binaries: one step in the search order of ``postgres.py``.
"""
