"""The list of fixture plugins: every module of ``tests/fixtures``, nothing else."""

from pathlib import Path

pytest_plugins = [
    f"tests.fixtures.{path.stem}"
    for path in sorted((Path(__file__).parent / "fixtures").glob("[a-z]*.py"))
]
