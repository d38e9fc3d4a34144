"""What stands in the tree, and what no file may mention."""

from __future__ import annotations

import re
import shutil
import subprocess
from functools import cache
from pathlib import Path

import pytest

from tests.conventions.source import PACKAGE, ROOT

TOP_LEVEL = frozenset(
    {
        ".ci",
        ".gitignore",
        "CHANGELOG.rst",
        "LICENSE",
        "README.rst",
        "clearinghouse",
        "deploy",
        "docs",
        "pyproject.toml",
        "run",
        "setup.cfg",
        "tests",
        "wsdl",
        "xsd",
    }
)

FORBIDDEN = {
    "a path of one machine": re.compile(r"(?<![\w.])/(work|root|home/\w+|opt/wheels)/"),
    "a package host": re.compile(
        r"pypi\.org|pythonhosted|registry\.npmjs|(deb|snapshot)\.debian\.org"
    ),
    "a package index": re.compile(
        r"(extra-)?index[-_]url|find-links|trusted-host", re.IGNORECASE
    ),
    "a working paper": re.compile(r"DESIGN\.md|/tmp/design"),
    "who or what wrote it": re.compile(
        r"generated (by|with) an? (AI|LLM)|\bsub-?agents?\b|co-authored-by",
        re.IGNORECASE,
    ),
    "an unfinished place without a ticket": re.compile(
        r"\b(TODO|FIXME|HACK)\b(?!\(#\d+\))"
    ),
}


@cache
def project_files() -> tuple[Path, ...]:
    """Return the files that belong to the project, as git sees them."""
    git = shutil.which("git")
    if git is None or not (ROOT / ".git").exists():
        pytest.fail("the tree is checked in a git checkout; run the tests there")
    listed = subprocess.run(
        [
            git,
            "-c",
            f"safe.directory={ROOT}",
            "ls-files",
            "--cached",
            "--others",
            "--exclude-standard",
            "-z",
        ],
        cwd=ROOT,
        capture_output=True,
        check=True,
        text=True,
    )
    paths = (ROOT / name for name in listed.stdout.split("\0") if name)
    return tuple(path for path in paths if path.exists() or path.is_symlink())


def test_top_level_holds_only_what_is_on_the_list() -> None:
    found = {path.relative_to(ROOT).parts[0] for path in project_files()}

    assert found == TOP_LEVEL


@pytest.mark.parametrize("what", FORBIDDEN)
def test_no_file_mentions(what: str) -> None:
    places = []
    for path in project_files():
        if path.is_symlink() or path == Path(__file__):
            continue
        # bytes that are not text hold no mention that a reader could see
        text = path.read_bytes().decode("utf-8", "ignore")
        places += [
            f"{path.relative_to(ROOT)}:{text.count(chr(10), 0, hit.start()) + 1}"
            for hit in FORBIDDEN[what].finditer(text)
        ]

    assert not places, f"{what}: {places}"


@pytest.mark.parametrize("name", ["wsdl", "xsd"])
def test_package_carries_the_contract_by_link(name: str) -> None:
    link = PACKAGE / name

    assert link.is_symlink()
    assert link.readlink() == Path("..") / name


def test_text_files_end_with_one_newline_and_hold_no_tabs_at_line_ends() -> None:
    sloppy = []
    for path in project_files():
        if path.is_symlink() or path.suffix not in {".py", ".rst", ".cfg", ".toml"}:
            continue
        text = path.read_text(encoding="utf-8")
        # alembic and type markers may be empty
        if text and (not text.endswith("\n") or re.search(r"[ \t]\n", text)):
            sloppy.append(path.relative_to(ROOT).as_posix())

    assert not sloppy
