"""The page of the settings."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from clearinghouse.settings import Settings
from docs.pages import rst

if TYPE_CHECKING:
    from collections.abc import Iterator

INTRODUCTION = """
Sources, the first that names a setting wins: the environment (the name in capitals
with ``CLEARINGHOUSE_`` before it), then the TOML file that ``CLEARINGHOUSE_CONFIG``
names (``clearinghouse.toml`` in the working directory when it is there). An unknown
key in the file stops the start, and so does a file that ``CLEARINGHOUSE_CONFIG`` names
and that is not there. A variable that is no setting is told at the start and by
``clearinghouse doctor``. ``clearinghouse config show`` prints what is in force, without
secrets, and ``clearinghouse config explain`` what may be set, also while something is
wrong. Wrong settings end a command with the exit code 3.
"""


def _default(value: object) -> str:
    if value is None:
        return "none"
    text = value.as_posix() if isinstance(value, Path) else str(value)
    return rst.literal(text) if text else "empty"


def pages() -> Iterator[tuple[str, str]]:
    """Yield the page, made from :class:`clearinghouse.settings.Settings`."""
    rows = [
        (
            rst.literal(name),
            _default(field.get_default(call_default_factory=True)),
            rst.escaped(field.description or ""),
        )
        for name, field in Settings.model_fields.items()
    ]
    yield (
        "settings.rst",
        "\n".join(
            [
                rst.heading("Settings", "="),
                INTRODUCTION,
                rst.table(("Setting", "Default", "Meaning"), rows, (30, 20, 50)),
            ]
        ),
    )
