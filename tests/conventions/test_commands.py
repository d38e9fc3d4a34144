"""What the pages tell a person to type can be typed."""

from __future__ import annotations

import re
from collections.abc import Mapping

import typer

from clearinghouse.cli.verbs import application
from tests.conventions import source

DOCS = source.ROOT / "docs"


def _commands() -> list[tuple[str, list[str]]]:
    """Return each command that a page shows, with where it stands."""
    shown = re.compile(
        r"(?:^ +|``)(?:\./run|clearinghouse) ((?:[a-z]+ ?)+)(?=[^a-z-]|$)", re.MULTILINE
    )
    return [
        (path.relative_to(source.ROOT).as_posix(), match[1].split())
        for folder in (source.ROOT, source.ROOT / "deploy", DOCS, DOCS / "adr")
        for path in sorted(folder.glob("*.rst"))
        for match in shown.finditer(path.read_text(encoding="utf-8"))
    ]


def _own_verbs() -> set[str]:
    """Return the verbs that the script handles itself."""
    script = (source.ROOT / "run").read_text(encoding="utf-8")
    patterns: list[str] = re.findall(r"^([a-z| ]+)\)$", script, re.MULTILINE)
    return {verb.strip() for pattern in patterns for verb in pattern.split("|")}


def _exists(words: list[str]) -> bool:
    below: Mapping[str, object] = vars(typer.main.get_command(application))["commands"]
    for word in words:
        if word not in below:
            return False
        below = vars(below[word]).get("commands", {})
        if not below:  # what follows are arguments
            return True
    return False  # a group alone does nothing


def test_every_command_that_is_shown_exists() -> None:
    own = _own_verbs()
    wrong = [
        f"{place}: {' '.join(words)}"
        for place, words in _commands()
        if words[0] not in own and not _exists(words)
    ]

    assert _commands()
    assert not wrong


def test_nobody_is_told_to_install_a_package_of_strangers() -> None:
    # The bare name on the public registry is somebody else's; ours is on none.
    by_name = re.compile(r"pip install[^\n]*[\s'\"]clearinghouse\b(?!/)")
    texts = [
        path
        for folder in ("", "docs", "docs/adr", "deploy")
        for path in (source.ROOT / folder).glob("*.rst")
    ] + [*source.PACKAGE.rglob("*.py"), source.ROOT / "run"]
    wrong = [
        path.relative_to(source.ROOT).as_posix()
        for path in texts
        if by_name.search(path.read_text(encoding="utf-8"))
    ]

    assert not wrong
