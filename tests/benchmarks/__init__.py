"""Benchmarks: each prints ratios against a peer measured in the same run.

Purpose: figures that can be compared between machines. May import everything. To add
one: a module with ``NAME``, ``DESCRIPTION`` and ``main(json)``.
"""
