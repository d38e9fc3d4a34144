"""The documentation builds without a warning and keeps to its form."""

from __future__ import annotations

import ast
import doctest
import importlib
import itertools
import re
import subprocess
import sys
from pathlib import Path

import pytest

from clearinghouse.contract.catalogue import Contract
from docs.pages import conformance
from tests.conventions import source

DOCS = source.ROOT / "docs"
DECISIONS = sorted((DOCS / "adr").glob("0*.rst"))
DECISION_LINES_MAX = 60  # a page
CHECKED_ALONE = ("README.rst", "CHANGELOG.rst", "deploy/runbook.rst")


def _run(*command: str) -> str:
    done = subprocess.run(
        [sys.executable, "-m", *command],
        cwd=source.ROOT,
        capture_output=True,
        check=False,
        text=True,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@pytest.mark.slow
def test_documentation_builds_without_warning(tmp_path: Path) -> None:
    _run("sphinx", "-W", "--keep-going", "-q", "docs", str(tmp_path))

    assert (tmp_path / "generated" / "operations" / "sdr.html").is_file()


def test_pages_that_are_shown_alone_are_valid() -> None:
    _run("rstcheck.__main__", *CHECKED_ALONE)


def test_authored_pages_have_a_tidy_style() -> None:
    _run("doc8", "--quiet", *CHECKED_ALONE, "docs")


@pytest.mark.parametrize("page", DECISIONS, ids=lambda page: page.stem)
def test_decision_has_its_four_parts_on_one_page(page: Path) -> None:
    lines = page.read_text(encoding="utf-8").splitlines()
    number = int(page.name.partition("-")[0])
    parts = [
        line
        for line, below in itertools.pairwise(lines)
        if re.fullmatch("-{4,}", below)
    ]

    assert lines[0].startswith(f"{number}. ")
    assert parts == ["Context", "Decision", "Alternatives", "Price"]
    assert any(line.startswith("Libraries: ") for line in lines)
    assert len(lines) <= DECISION_LINES_MAX


def test_decisions_are_numbered_without_gap() -> None:
    numbers = [int(page.name[:4]) for page in DECISIONS]

    assert numbers == list(range(1, len(numbers) + 1))


def test_every_mark_names_a_known_clause() -> None:
    known = {clause.id for clause in conformance.clauses()}

    unknown = {
        clause: tests
        for clause, tests in conformance.proofs().items()
        if clause not in known
    }

    assert not unknown, f"add to docs/clauses.toml or correct the mark: {unknown}"


def test_every_term_of_clause_3_is_in_the_glossary() -> None:
    glossary = (DOCS / "glossary.rst").read_text(encoding="utf-8")

    missing = [
        clause.id
        for clause in conformance.clauses()
        if clause.id.startswith("3.") and f"({clause.id})" not in glossary
    ]

    assert not missing


def test_partners_are_told_of_every_service() -> None:
    page = (DOCS / "partners.rst").read_text(encoding="utf-8")

    missing = [name for name in Contract.load().services if f"``{name}``  " not in page]

    assert not missing


def _with_examples() -> list[str]:
    return [
        module.path.removesuffix(".py").replace("/", ".").removesuffix(".__init__")
        for module in source.package()
        if module.path != "clearinghouse/__main__.py"
        and any(
            ">>> " in (ast.get_docstring(node) or "")
            for node in ast.walk(module.tree)
            if isinstance(node, ast.Module | ast.FunctionDef | ast.ClassDef)
        )
    ]


@pytest.mark.parametrize("name", _with_examples())
def test_examples_in_docstrings_hold(name: str) -> None:
    result = doctest.testmod(importlib.import_module(name))

    assert result.attempted
    assert not result.failed
