"""Messages from the clearing house to partners: the outbox worker.

Purpose: claim, send, record; backoff and dead letters. May import ``soap``,
``contract``, ``services`` and everything below. To add a kind of delivery: its
payload in the outbox, its rendering here, its rehearsal in the tests.
"""
