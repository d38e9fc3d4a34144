"""What the command tells of a bundle, and of one that was forged."""

from __future__ import annotations

import json
from io import StringIO
from typing import TYPE_CHECKING

from clearinghouse.verify.archive import HEADINGS, MANIFEST, SIGNATURE
from clearinghouse.verify.cli import run
from tests.verify.forging import Forged

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from tests.verify.worlds import Made

#: What is changed in a bundle, and the place that must be named.
Forgery = tuple["Callable[[Forged], None]", str]


def told_of(made: Made, forged: Forged, folder: Path, *words: str) -> tuple[int, str]:
    """Return how the command ends, and what it tells."""
    key = folder / "public.pem"
    key.write_text(made.pem, encoding="ascii")
    path = forged.write(folder / "forged.zip")
    out = StringIO()
    code = run(["--quiet", str(path), "--key", str(key), *words], out, StringIO())
    return code, out.getvalue()


def require_found(made: Made, forgery: Forgery, folder: Path) -> None:
    """Forge as an operator who holds the key and makes all fit; the place is named."""
    forged, private = Forged.open(made.content), made.signer.key()
    change, place = forgery

    change(forged)
    forged.seal(private)
    forged.list(private)

    code, told = told_of(made, forged, folder)
    assert code == 1
    assert any(line.startswith(place) for line in told.splitlines()), told
    assert "manifest" not in told


def hollow_members() -> dict[str, bytes]:
    """Return the files of a bundle with nothing in them."""
    files = {name: heading.replace(" ", "\t") for name, heading in HEADINGS.items()}
    manifest = {"bundle": 3, "window": {"windowId": 1}, "files": []}
    return {
        **{name: f"{heading}\n".encode() for name, heading in files.items()},
        MANIFEST: json.dumps(manifest).encode(),
        SIGNATURE: b"00\n",
    }


def refused(path: Path, key: Path, *words: str) -> str:
    """Return the one line with which the command refuses a file."""
    out, log = StringIO(), StringIO()
    code = run(["--quiet", str(path), "--key", str(key), *words], out, log)
    assert (code, out.getvalue()) == (1, "")
    told = log.getvalue()
    assert told.count("\n") == 1
    assert "Traceback" not in told
    return told
