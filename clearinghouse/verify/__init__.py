"""The auditor's tools: they recompute what the clearing house states.

Purpose: stand-alone programs that take published files and prove every figure again.
May import: nothing of this package, so that no fault of the house can hide itself here;
only the standard library and, where a file says so, ``duckdb`` and ``cryptography``. To
add a tool: one file with its own computation, and a test that it and the house agree
and that it finds an error of one minor unit.
"""
