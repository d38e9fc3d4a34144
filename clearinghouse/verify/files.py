"""Opening files that may be anything: a device, a pipe, a folder, one without end."""

from __future__ import annotations

import os
import stat
from io import FileIO
from pathlib import Path

from clearinghouse.verify.report import BundleError

#: Bytes of one read: what a ZIP says of its own directory is asked for in one go.
READ_BYTES_MAX = 1 << 20


class PlainFile(FileIO):
    """A file on a disk that gives no more than :data:`READ_BYTES_MAX` at once."""

    def read(self, size: int | None = -1, /) -> bytes:
        """Read as files do; raises :class:`BundleError` for what has no bound."""
        wanted = READ_BYTES_MAX + 1 if size is None or size < 0 else size
        found = super().read(min(wanted, READ_BYTES_MAX + 1)) or b""
        if len(found) > READ_BYTES_MAX:
            raise BundleError("no whole ZIP file: its directory is too long")
        return found


def open_plain(path: Path, bytes_max: int) -> PlainFile:
    """Open a file for reading, if it is one, and not longer than so many bytes.

    Raises :class:`BundleError` for all else. Never waits: a pipe is not opened.
    """
    try:
        file = PlainFile(os.open(path, os.O_RDONLY | os.O_NONBLOCK), closefd=True)
    except FileNotFoundError as error:
        raise BundleError(f"there is no file {path}") from error
    except (OSError, ValueError) as error:
        why = getattr(error, "strerror", None) or "no name of a file"
        raise BundleError(f"{path} cannot be read: {why}") from error
    found = os.fstat(file.fileno())
    if stat.S_ISREG(found.st_mode) and found.st_size <= bytes_max:
        return file
    file.close()
    if not stat.S_ISREG(found.st_mode):
        raise BundleError(f"{path} cannot be read: it is no plain file")
    raise BundleError(f"{path} has {found.st_size} bytes, more than {bytes_max}")
