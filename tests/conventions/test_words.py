"""Every file says what it is for, and names say what a thing is."""

from __future__ import annotations

import ast
import re

import pytest

from clearinghouse.settings import Settings
from tests.conventions import source

# What a good name never needs: the noun itself is missing before such a word.
EMPTY_WORDS = re.compile(
    r"(Manager|Helper|Helpers|Util|Utils|Base|Impl|Data|Info)$|^(Base|Abstract)(?=[A-Z])"
)
EMPTY_FILES = frozenset(
    {"base", "common", "data", "helpers", "info", "manager", "misc", "util", "utils"}
)
SENTENCE_WORDS_MIN = 4  # test, who, does, what
FOLDER_SAYS = ("Purpose:", "ay import", "o add a")


def test_every_module_has_a_docstring() -> None:
    silent = [
        module.path
        for module in (*source.package(), *source.tests())
        if not (ast.get_docstring(module.tree) or "").strip()
    ]

    assert not silent


def test_every_package_folder_has_an_init_file() -> None:
    folders = {path.parent for path in source.PACKAGE.rglob("*.py")}
    migrations = source.PACKAGE / "storage" / "migrations"
    bare = [
        folder.relative_to(source.ROOT).as_posix()
        for folder in sorted(folders)
        # alembic loads its scripts by path
        if not (folder / "__init__.py").is_file()
        and not folder.is_relative_to(migrations)
    ]

    assert not bare


@pytest.mark.parametrize("says", FOLDER_SAYS)
def test_every_folder_says_purpose_imports_and_how_to_add_a_file(says: str) -> None:
    silent = [
        module.path
        for module in source.package()
        if module.noun == "__init__"
        and says not in " ".join((ast.get_docstring(module.tree) or "").split())
    ]

    assert not silent, f"{says!r} is missing: {silent}"


def test_no_class_has_an_empty_word_in_its_name() -> None:
    places = [
        f"{module.path}:{node.lineno} {node.name}"
        for module in (*source.package(), *source.tests())
        for node in ast.walk(module.tree)
        if isinstance(node, ast.ClassDef) and EMPTY_WORDS.search(node.name.lstrip("_"))
    ]

    assert not places


def test_no_file_has_an_empty_name() -> None:
    empty = [
        module.path
        for module in (*source.package(), *source.tests())
        if module.noun.lstrip("_") in EMPTY_FILES
        # a file may be named after the schema that it speaks for
        and not (source.ROOT / "xsd" / f"{module.noun}.xsd").is_file()
    ]

    assert not empty


def test_every_setting_is_described() -> None:
    silent = [
        name
        for name, field in Settings.model_fields.items()
        if not (field.description or "").endswith(".")
    ]

    assert not silent


def test_test_names_are_sentences() -> None:
    short = [
        f"{module.path}:{node.lineno} {node.name}"
        for module in source.tests()
        for node in ast.walk(module.tree)
        if isinstance(node, ast.FunctionDef)
        and node.name.startswith("test_")
        and len(node.name.split("_")) < SENTENCE_WORDS_MIN
    ]

    assert not short, f"say what the house does: {short}"
