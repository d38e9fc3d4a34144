"""Statements for partners and auditors: same input, same bytes.

Purpose: pure rendering of stored settlements to XML and CSV. May import ``domain``,
``identifiers`` and the leaves. To add a format: one file with a ``render`` function
and a test that its bytes do not change.
"""
