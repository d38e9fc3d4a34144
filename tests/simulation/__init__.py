"""Ninety days of roaming from one seed: the whole house under every trouble at once.

Purpose: partners that authorize, charge, bill, repeat, come late and disagree, over a
line that loses, doubles and reorders, against a house whose transactions break off.
The clock, the partners and the trouble come from the seed; the house is the real one,
engine and database. May import everything. To add a story: a module here, and a line
in ``days.py``.
"""
