"""Logs and metrics.

Purpose: one place that sets up structured logs and names every metric. May import
nothing of the house; everything may import it. To add a metric, name it in
``metrics.py`` with its unit as the last word.
"""
