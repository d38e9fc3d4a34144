"""Our own contract (IEC 63119, interface I3) as a façade like any other.

Purpose: one module per noun with its ``OPERATIONS``; ``mount.py`` joins them to the
engine. May import ``soap``, ``contract``, ``services`` and everything below. To add an
operation: contract and examples first, then a handler in the module of its noun.
"""

from __future__ import annotations

from clearinghouse.facades.iec63119.gateway import gateway
from clearinghouse.facades.iec63119.mount import engine, operations, specs

__all__ = ["engine", "gateway", "operations", "specs"]
