"""Protocols spoken with partners: one folder each.

Purpose: turn wire records into commands of the services and answers back. A façade
may import ``soap``, ``contract``, ``services`` and everything below, never another
façade. The composition root asks each one for its engine and for its gateway to
partners; to add a protocol: one folder here with these two functions, and one of the
same name in the tests.
"""
