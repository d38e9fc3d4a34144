"""The operator's commands: one group of verbs per file.

Purpose: read arguments, call a service, print a table or JSON. May import ``app``,
everything below it and, for the demo, ``endpoint``. To add a verb: a function in
the file of its noun, its ``--json`` form, and a test of both.
"""
