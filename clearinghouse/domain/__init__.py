"""The rules of the clearing house: pure values and functions.

Purpose: every decision that needs no input or output: authorization, session steps,
SDR checks, rating, netting, double entry. May import ``identifiers`` and the leaves.
To add a rule: a pure function in the file of its noun, with a property test.
"""
