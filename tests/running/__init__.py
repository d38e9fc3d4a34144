"""A running clearing house for flows, replay and benchmarks: real processes, real HTTP.

Purpose: start ``clearinghouse serve`` and ``worker`` on a folder of their own, admit
partners with the command line, talk SOAP in raw XML. May import everything. To add a
kind of process, write it beside ``house.py``.
"""
