"""The SOAP engine: limits, parser, envelope, binding, dispatch, faults, client.

Purpose: turn bytes into validated records and back; knows the contract and no
business. May import ``contract`` and the leaves. To add a step: one file, called
by name from ``server.py``, with the hostile messages it must survive.
"""
