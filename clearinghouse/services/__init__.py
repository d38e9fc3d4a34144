"""Use cases: one public function each, its transactions visible in it.

Purpose: check, decide, store, enqueue, answer; never a network call inside a
transaction. May import ``storage``, ``reports``, ``domain``, ``identifiers`` and the
leaves. To add a use case: one function in the file of its noun and its story test.
"""
