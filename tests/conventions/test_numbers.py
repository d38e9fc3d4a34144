"""Money, energy, time and rating are integers and decimals, never floats."""

from __future__ import annotations

import ast
from typing import TYPE_CHECKING

import pytest

from tests.conventions import source

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

# Whole floors that handle amounts, and by noun the files of floors that also
# handle paths and timeouts.
FLOORS = frozenset({"domain", "facades", "identifiers", "reports", "services"})
NOUNS = frozenset(
    {
        "energy",
        "ledger",
        "money",
        "netting",
        "postings",
        "pricing",
        "rating",
        "sdrs",
        "settlement",
        "statements",
        "tariffs",
    }
)


def amount_modules() -> Iterator[source.Module]:
    """Yield the modules that handle amounts."""
    for module in source.package():
        if module.floor in FLOORS or module.noun in NOUNS:
            yield module


def _float_literals(tree: ast.AST) -> list[ast.AST]:
    return [
        node
        for node in ast.walk(tree)
        if isinstance(node, ast.Constant) and isinstance(node.value, float | complex)
    ]


def _float_names(tree: ast.AST) -> list[ast.AST]:
    return [
        node
        for node in ast.walk(tree)
        if isinstance(node, ast.Name) and node.id == "float"
    ]


def _joins_a_path(node: ast.BinOp | ast.AugAssign) -> bool:
    right = node.right if isinstance(node, ast.BinOp) else node.value
    return isinstance(right, ast.JoinedStr) or (
        isinstance(right, ast.Constant) and isinstance(right.value, str)
    )


def _true_divisions(tree: ast.AST) -> list[ast.AST]:
    return [
        node
        for node in ast.walk(tree)
        if isinstance(node, ast.BinOp | ast.AugAssign)
        and isinstance(node.op, ast.Div)
        and not _joins_a_path(node)
    ]


def _float_seconds(tree: ast.AST) -> list[ast.AST]:
    """Find ``total_seconds()``: write ``span // timedelta(seconds=1)``."""
    return [
        node
        for node in ast.walk(tree)
        if isinstance(node, ast.Attribute) and node.attr == "total_seconds"
    ]


def _bankers_rounding(tree: ast.AST) -> list[ast.AST]:
    """Find ``round()``, which rounds halves to even; ours is in domain.money."""
    return [node for node, name in source.calls(tree) if name == "round"]


@pytest.mark.parametrize(
    "find",
    [_float_literals, _float_names, _true_divisions, _float_seconds, _bankers_rounding],
)
def test_no_float_where_amounts_are(
    find: Callable[[ast.AST], list[ast.AST]],
) -> None:
    places = [
        place
        for module in amount_modules()
        for place in module.places(find(module.tree))
    ]

    assert not places
