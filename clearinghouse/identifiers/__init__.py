"""Identifiers of the field: EVSE ids, contract ids, party ids, credentials.

Purpose: turn received text into a canonical key and keep the text; one module per
format with ``compact``, ``validate`` and ``is_valid``. May import ``codes`` only. To
add a format: one file with its source, real examples as doctests, and a property test.
"""
