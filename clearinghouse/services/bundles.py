"""The audit bundle of a sealed window: all that proves it, in one file (2.10).

A ZIP of text files, of which an auditor recomputes every figure without access to the
house, and a signed list of their digests. Written in one pass with flat memory; the
same window gives the same bytes as long as the signing key is the same and no
settlement run of it went on.
"""

from __future__ import annotations

import json
import os
import zipfile
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from hashlib import sha256
from itertools import islice
from pathlib import Path

from sqlalchemy import Connection

from clearinghouse import codes
from clearinghouse.domain.errors import ClearingHouseError
from clearinghouse.domain.sdr_rows import utc_text
from clearinghouse.services import seals as sealing
from clearinghouse.services.environment import Environment
from clearinghouse.services.statements import issue_window
from clearinghouse.storage import bundles, seals, settlement
from clearinghouse.storage.bundle_files import BundleFile
from clearinghouse.storage.settlement import Window

#: The form of a bundle: another set or order of files gets another number.
BUNDLE_VERSION = 3

MANIFEST = "manifest.json"
SIGNATURE = "manifest.sig"

#: Lines that are written at a time: the memory of a bundle.
LINES_PER_WRITE = 2_000

#: The first instant that a ZIP can name: no bundle hangs on the clock.
_NO_TIME = (1980, 1, 1, 0, 0, 0)
_READABLE = 0o644 << 16
_COMPRESSION = 1


@dataclass(frozen=True, slots=True, kw_only=True)
class Written:
    """A bundle that was written."""

    path: Path
    window: Window
    files: int
    size: int
    digest: bytes
    key_id: str


def write_bundle(env: Environment, window_id: int, path: Path) -> Written:
    """Write the audit bundle of a closed window; the window is sealed if it is not.

    The file is complete or not there. Raises :class:`ClearingHouseError`:
    ``WINDOW_UNKNOWN``, ``WINDOW_STATE`` for one that is not closed, ``SEAL_BROKEN`` as
    sealing does; :class:`OSError` when it cannot be written.
    """
    with env.database.begin_read_only() as tx:
        window = settlement.window_by_id(tx, window_id)
    if window is None:
        raise ClearingHouseError(codes.WINDOW_UNKNOWN, str(window_id))
    if window.closed_at is None:
        raise ClearingHouseError(codes.WINDOW_STATE, f"{window.label} is not closed")
    issue_window(env, window_id)
    sealing.seal_pending(env)
    draft = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        with env.database.begin_read_only("closing") as tx:
            files, key_id = _write(env, tx, window, draft)
        size, digest = draft.stat().st_size, _digest_of(draft)
        draft.replace(path)
    finally:
        draft.unlink(missing_ok=True)
    return Written(
        path=path, window=window, files=files, size=size, digest=digest, key_id=key_id
    )


def _write(
    env: Environment, tx: Connection, window: Window, path: Path
) -> tuple[int, str]:
    block = seals.block_of(tx, window.window_id)
    if block is None or window.closed_at is None:
        raise ClearingHouseError(codes.WINDOW_STATE, f"{window.label} is not sealed")
    key = env.signer.key()
    with zipfile.ZipFile(path, "w") as bundle:
        entries = [
            _add(
                bundle,
                file,
                bundles.lines_of(tx, file, window.window_id, house=env.limits.party_id),
            )
            for file in bundles.FILES
        ]
        manifest = {
            "bundle": BUNDLE_VERSION,
            "issuer": {"partyId": env.limits.party_id, "name": env.limits.name},
            "window": {
                "windowId": window.window_id,
                "label": window.label,
                "openedAt": utc_text(window.opened_at),
                "cutoverAt": utc_text(window.cutover_at or window.closed_at),
                "closedAt": utc_text(window.closed_at),
            },
            "block": block.hash.hex(),
            "keyId": key.key_id,
            "files": entries,
        }
        text = json.dumps(manifest, ensure_ascii=False, indent=1).encode()
        _member(bundle, MANIFEST, [text])
        _member(bundle, SIGNATURE, [f"{key.sign(text).hex()}\n".encode()])
    return len(entries), key.key_id


def _add(
    bundle: zipfile.ZipFile, file: BundleFile, lines: Iterator[str]
) -> dict[str, object]:
    """Write a file and return its entry in the list: lines without the heading."""
    counted = _Counted(file, lines)
    _member(bundle, file.name, counted.blocks())
    return {
        "name": file.name,
        "lines": counted.lines,
        "bytes": counted.bytes,
        "sha256": counted.hash.hexdigest(),
    }


class _Counted:
    """Counts and digests a file while it is written."""

    def __init__(self, file: BundleFile, lines: Iterator[str]) -> None:
        self.lines = 0
        self.bytes = 0
        self.hash = sha256()
        self._head = "\t".join(file.fields)
        self._lines = lines

    def blocks(self) -> Iterator[bytes]:
        yield self._counted([self._head])
        while batch := list(islice(self._lines, LINES_PER_WRITE)):
            self.lines += len(batch)
            yield self._counted(batch)

    def _counted(self, batch: list[str]) -> bytes:
        data = "".join([f"{line}\n" for line in batch]).encode()
        self.hash.update(data)
        self.bytes += len(data)
        return data


def _member(bundle: zipfile.ZipFile, name: str, blocks: Iterable[bytes]) -> None:
    member = zipfile.ZipInfo(name, _NO_TIME)
    member.compress_type = zipfile.ZIP_DEFLATED
    member.external_attr = _READABLE
    member.create_system = 3
    member._compresslevel = _COMPRESSION  # type: ignore[attr-defined]  # noqa: SLF001 -- ZipFile.open knows no other way to say it
    with bundle.open(member, "w", force_zip64=True) as file:
        for block in blocks:
            file.write(block)


def _digest_of(path: Path) -> bytes:
    hashed = sha256()
    with path.open("rb") as file:
        while block := file.read(1 << 20):
            hashed.update(block)
    return hashed.digest()
