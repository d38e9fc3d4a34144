"""The conformance table: each clause with the tests that prove it.

The clauses stand in ``docs/clauses.toml``. A test proves one by its mark:
``@pytest.mark.clause("4.3-I3")``.
"""

from __future__ import annotations

import ast
import tomllib
from collections import defaultdict
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from docs.pages import rst

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

DOCS = Path(__file__).resolve().parents[1]
TESTS = DOCS.parent / "tests"

INTRODUCTION = """
IEC 63119-1 clause by clause, in our own words; the numbers are those of the standard,
what follows a hyphen is ours. A clause counts as proven when tests carry its mark, and
each of these tests runs with every change.
"""


@dataclass(frozen=True, slots=True)
class Clause:
    """One requirement, and why no test can prove it where none can."""

    id: str
    title: str
    text: str
    unproven: str = ""


def clauses() -> tuple[Clause, ...]:
    """Return all clauses in the order of the standard."""
    text = (DOCS / "clauses.toml").read_text(encoding="utf-8")
    return tuple(Clause(**entry) for entry in tomllib.loads(text)["clause"])


def marked(tree: ast.AST) -> Iterator[tuple[str, str]]:
    """Yield each clause id with the name of the test, class or module it marks."""
    for node in ast.walk(tree):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            for decorator in node.decorator_list:
                yield from ((found, node.name) for found in _ids(decorator))
        elif isinstance(node, ast.Assign) and _is_pytestmark(node):
            yield from ((found, "") for found in _ids(node.value))


def _is_pytestmark(node: ast.Assign) -> bool:
    return any(
        isinstance(target, ast.Name) and target.id == "pytestmark"
        for target in node.targets
    )


def _ids(node: ast.AST) -> Iterator[str]:
    for call in ast.walk(node):
        if (
            isinstance(call, ast.Call)
            and isinstance(call.func, ast.Attribute)
            and call.func.attr == "clause"
        ):
            for argument in call.args:
                if isinstance(argument, ast.Constant):
                    yield str(argument.value)


def proofs() -> Mapping[str, list[str]]:
    """Return for each clause id the tests that carry its mark."""
    found: defaultdict[str, list[str]] = defaultdict(list)
    for path in sorted(TESTS.rglob("test_*.py")):
        tree = ast.parse(path.read_text(encoding="utf-8"), filename=str(path))
        file = path.relative_to(TESTS.parent).as_posix()
        for clause, name in marked(tree):
            found[clause].append(f"{file}::{name}" if name else file)
    return found


def _proof(clause: Clause, tests: list[str]) -> str:
    if tests:
        many = f"{len(tests)} tests: " if len(tests) > 1 else ""
        return many + ", ".join(rst.literal(test) for test in sorted(set(tests)))
    return rst.escaped(clause.unproven or "No test yet.")


def pages() -> Iterator[tuple[str, str]]:
    """Yield the page, made from the clauses and the marks in the tests."""
    by_clause = proofs()
    rows = [
        (
            rst.literal(clause.id),
            f"**{rst.escaped(clause.title)}.** {rst.escaped(clause.text)}",
            _proof(clause, by_clause.get(clause.id, [])),
        )
        for clause in clauses()
    ]
    proven = sum(clause.id in by_clause for clause in clauses())
    yield (
        "conformance.rst",
        "\n".join(
            [
                rst.heading("Conformance", "="),
                INTRODUCTION,
                f"{proven} of {len(rows)} clauses are proven by tests.\n",
                rst.table(("Clause", "Requirement", "Proof"), rows, (12, 48, 40)),
            ]
        ),
    )
