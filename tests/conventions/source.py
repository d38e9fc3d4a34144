"""The project's own Python files, parsed once for all conventions."""

from __future__ import annotations

import ast
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

ROOT = Path(__file__).resolve().parents[2]
PACKAGE = ROOT / "clearinghouse"


@dataclass(frozen=True, slots=True, kw_only=True)
class Module:
    """One file: its path from the root of the project, its text and its tree."""

    path: str
    text: str
    tree: ast.Module

    @property
    def floor(self) -> str:
        """The folder under the package, or the name of a module beside the floors."""
        return self.path.split("/")[1].removesuffix(".py")

    @property
    def noun(self) -> str:
        """The name of the file."""
        return Path(self.path).stem

    def places(self, nodes: Iterable[ast.AST]) -> list[str]:
        """Return ``path:line`` of each node, for the message of a failed test."""
        return [f"{self.path}:{getattr(node, 'lineno', 1)}" for node in nodes]


def _modules_under(folder: Path) -> tuple[Module, ...]:
    return tuple(
        Module(
            path=path.relative_to(ROOT).as_posix(),
            text=(text := path.read_text(encoding="utf-8")),
            tree=ast.parse(text, filename=str(path)),
        )
        for path in sorted(folder.rglob("*.py"))
        # what an interop test generates is not ours
        if "build" not in path.relative_to(ROOT).parts
    )


@cache
def package() -> tuple[Module, ...]:
    """Return the modules of the installed package."""
    return _modules_under(PACKAGE)


@cache
def tests() -> tuple[Module, ...]:
    """Return the modules of the tests."""
    return _modules_under(ROOT / "tests")


def dotted(node: ast.AST) -> str:
    """Return ``a.b.c`` for such an expression, else an empty string."""
    if isinstance(node, ast.Name):
        return node.id
    if isinstance(node, ast.Attribute):
        before = dotted(node.value)
        return f"{before}.{node.attr}" if before else f"?.{node.attr}"
    return ""


def calls(tree: ast.AST) -> Iterator[tuple[ast.Call, str]]:
    """Yield each call with the dotted name of what is called."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Call):
            yield node, dotted(node.func)


def imported_names(tree: ast.AST) -> Iterator[tuple[ast.AST, str]]:
    """Yield each imported thing with its full dotted name."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            for alias in node.names:
                yield node, alias.name
        elif isinstance(node, ast.ImportFrom):
            for alias in node.names:
                yield node, f"{node.module}.{alias.name}"
