"""Advisory locks of the database: each key guards one thing."""

from __future__ import annotations

import ast
import re
from collections import defaultdict

from tests.conventions import source

LOCK = re.compile(r"(^|_)LOCK(_|$)")


def _lock_keys() -> dict[int, list[str]]:
    """Return where each key of a lock, or first half of one, is named."""
    found: dict[int, list[str]] = defaultdict(list)
    for module in source.package():
        if module.floor != "storage":
            continue
        for node in module.tree.body:
            if (
                isinstance(node, ast.Assign)
                and isinstance(node.value, ast.Constant)
                and isinstance(node.value.value, int)
                and any(LOCK.search(source.dotted(name)) for name in node.targets)
            ):
                found[node.value.value] += module.places([node])
    return found


def test_no_two_locks_have_the_same_key() -> None:
    keys = _lock_keys()

    assert len(keys) >= 20
    assert [places for places in keys.values() if len(places) > 1] == []
