"""Files and functions stay short enough to be read in one go."""

from __future__ import annotations

import ast

from tests.conventions import source

MODULE_LINES_MAX = 500
FUNCTION_LINES_MAX = 60


def test_no_module_is_longer_than_500_lines() -> None:
    long = {
        module.path: count
        for module in (*source.package(), *source.tests())
        if (count := module.text.count("\n")) > MODULE_LINES_MAX
    }

    assert not long, f"split by noun: {long}"


def test_no_function_is_longer_than_60_lines() -> None:
    long = {
        f"{module.path}:{node.lineno} {node.name}": count
        for module in (*source.package(), *source.tests())
        for node in ast.walk(module.tree)
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
        and (count := (node.end_lineno or 0) - node.lineno + 1) > FUNCTION_LINES_MAX
    }

    assert not long, f"split into named steps: {long}"
