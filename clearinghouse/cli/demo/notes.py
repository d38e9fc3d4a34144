"""What the demo writes down for its next run, whole at any moment."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any


def read(path: Path) -> dict[str, Any]:
    """Return what was noted in a file; nothing when there is none yet."""
    if not path.exists():
        return {}
    found: dict[str, Any] = json.loads(path.read_text(encoding="utf-8") or "{}")
    return found


def write(path: Path, noted: Mapping[str, object]) -> None:
    """Put a file in the place of the old one: a stop leaves one of them, never half.

    It is ours to read only: there may be passwords in it.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    fresh = path.with_name(f"{path.name}.new")
    fresh.touch(mode=0o600)
    fresh.write_text(json.dumps(noted, indent=1), encoding="utf-8")
    fresh.replace(path)
