"""The real year: replays published sessions of one CSO through the clearing house.

Purpose: ``python -m tests.replay DIR`` (or ``./run replay DIR``) with the files that
DIR's README names. May import everything. To add a source, write a reader beside
``source.py`` that yields the same rows.
"""
