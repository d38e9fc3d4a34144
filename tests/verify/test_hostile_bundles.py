"""Bundles and documents made to do harm: each ends with a word, soon, and small."""

from __future__ import annotations

import os
import random
import stat
import struct
import zipfile
from io import StringIO
from pathlib import Path
from tempfile import TemporaryDirectory
from types import SimpleNamespace
from typing import TYPE_CHECKING

import duckdb
import pytest
from hypothesis import given
from hypothesis import strategies as st

from clearinghouse.verify import archive, bundle, cli
from clearinghouse.verify.archive import unpack
from clearinghouse.verify.cli import run
from clearinghouse.verify.digests import DOCUMENT_BYTES_MAX
from clearinghouse.verify.report import BundleError, Report
from tests.verify.finding import hollow_members, refused
from tests.verify.forging import write_zip

if TYPE_CHECKING:
    from collections.abc import Callable

#: Where the directory of a ZIP file says how an entry is packed, and how large it is.
_FLAGS, _SIZE, _NAME = 8, 24, 46


def _entry(content: bytes | bytearray, name: bytes) -> int:
    """Return where the directory of a ZIP file describes a member."""
    at = content.index(b"PK\1\2")
    while content[at + _NAME : at + _NAME + len(name)] != name:
        at = content.index(b"PK\1\2", at + 1)
    return at


def _link(path: Path) -> None:
    with zipfile.ZipFile(path, "w") as made:
        for name, content in hollow_members().items():
            member = zipfile.ZipInfo(name)
            if name == "sdrs.tsv":
                member.external_attr = (stat.S_IFLNK | 0o777) << 16
            made.writestr(member, b"/etc/passwd" if member.external_attr else content)


def _crowd(path: Path) -> None:
    """Write some thousand names that are none of a bundle's."""
    with zipfile.ZipFile(path, "w") as made:
        for name, content in hollow_members().items():
            made.writestr(name, content)
        for number in range(20_000):
            made.writestr(f"{number}.tsv", b"")


def _before(path: Path) -> None:
    path.write_bytes(b"#!/bin/sh\n" + path.read_bytes())


def _after(path: Path) -> None:
    with zipfile.ZipFile(path, "a") as made:
        made.comment = b"all is proved"


def _encrypted(path: Path) -> None:
    content = bytearray(path.read_bytes())
    content[_entry(content, b"sdrs.tsv") + _FLAGS] |= 1
    path.write_bytes(content)


def _sized(size: int) -> Callable[[Path], None]:
    """Let the directory lie about the size of a file."""

    def change(path: Path) -> None:
        content = bytearray(path.read_bytes())
        struct.pack_into("<I", content, _entry(content, b"sdrs.tsv") + _SIZE, size)
        path.write_bytes(content)

    return change


def _huge(path: Path) -> None:
    """Let the directory say 10 GB, in the form that ZIP has for it."""
    content = bytearray(path.read_bytes())
    at = _entry(content, b"sdrs.tsv")
    extra = struct.pack("<HHQ", 1, 8, 10 << 30)
    struct.pack_into("<I", content, at + _SIZE, 0xFFFFFFFF)
    struct.pack_into("<H", content, at + 30, len(extra))
    behind = at + _NAME + len(b"sdrs.tsv")
    content[behind:behind] = extra
    (directory,) = struct.unpack_from("<I", content, len(content) - 10)
    struct.pack_into("<I", content, len(content) - 10, directory + len(extra))
    path.write_bytes(content)


def _filled(line: bytes) -> Callable[[Path], None]:
    def change(path: Path) -> None:
        members = hollow_members()
        members["sdrs.tsv"] += line
        with zipfile.ZipFile(path, "w") as made:
            for name, content in members.items():
                made.writestr(name, content)

    return change


#: What is done to a bundle, and the word with which it is refused.
ATTACKS: dict[str, tuple[Callable[[Path], None], str]] = {
    "link": (_link, "sdrs.tsv is no plain file"),
    "thousands of members": (_crowd, "its directory is too long"),
    "data before it": (_before, "does not begin with what it holds"),
    "comment": (_after, "ends with a comment"),
    "encrypted member": (_encrypted, "sdrs.tsv is packed in a way"),
    "10 GB": (_huge, "sdrs.tsv is packed too tightly"),
    "size too small": (_sized(3), "sdrs.tsv"),
    "size too large": (_sized(9_999), "sdrs.tsv is shorter than it says"),
    "line of megabytes": (
        _filled(b"x" * (archive.LINE_BYTES_MAX + 1)),
        "sdrs.tsv line 2 is too long",
    ),
    "line of tabs": (_filled(b"\t" * 50_000), "sdrs.tsv line 2 has too many fields"),
}


@pytest.mark.parametrize("attack", ATTACKS)
def test_bundle_that_is_made_to_do_harm_is_refused_by_name(
    attack: str, key: Path
) -> None:
    path = write_zip(key.with_name("bundle.zip"), hollow_members())
    change, word = ATTACKS[attack]

    change(path)

    assert word in refused(path, key)


def test_bundle_that_would_fill_the_disk_is_refused(
    key: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = write_zip(key.with_name("bundle.zip"), hollow_members())
    monkeypatch.setattr("shutil.disk_usage", lambda _: SimpleNamespace(free=1_000))

    assert "1000 are free" in refused(path, key)


@given(seed=st.integers(0, 1 << 32))
def test_whatever_is_changed_in_a_zip_file_ends_with_a_word(seed: int) -> None:
    change = random.Random(seed)  # noqa: S311 -- to repeat it
    with TemporaryDirectory() as folder:
        path = write_zip(Path(folder) / "bundle.zip", hollow_members())
        content = bytearray(path.read_bytes())
        begin = change.choice([0, len(content) * 3 // 4, len(content) - 22])
        for _ in range(change.choice([1, 2, 8])):
            content[change.randrange(begin, len(content))] = change.randrange(256)
        path.write_bytes(content)
        try:
            unpack(path, Path(folder), Report())
        except BundleError as error:
            assert str(error)  # noqa: PT017 -- what is harmless may be unpacked


@pytest.mark.parametrize("kind", ["device", "pipe", "folder", "nothing", "too long"])
@pytest.mark.parametrize("place", ["bundle", "key", "statement"])
def test_what_is_no_plain_file_is_refused_without_reading_it(
    kind: str, place: str, key: Path, tmp_path: Path
) -> None:
    odd = tmp_path / "odd"
    if kind == "device":
        odd = Path("/dev/zero")
    elif kind == "pipe":
        os.mkfifo(odd)
    elif kind == "folder":
        odd.mkdir()
    elif kind == "too long":
        with odd.open("wb") as file:
            file.truncate(2 * DOCUMENT_BYTES_MAX + 1)
    path = write_zip(key.with_name("bundle.zip"), hollow_members())
    words = ("--statement", str(odd)) if place == "statement" else ()

    told = refused(
        odd if place == "bundle" else path, odd if place == "key" else key, *words
    )

    assert str(odd) in told
    assert any(word in told for word in ("cannot be read", "no file", "more than"))


_BOMB = b"""<!DOCTYPE s [<!ENTITY a "aaaaaaaaaa"><!ENTITY b "&a;&a;&a;&a;&a;&a;&a;">
<!ENTITY x SYSTEM "file:///etc/passwd">]><s>&b;&x;</s>"""
_WRAPPED = b"""<x xmlns:ds="http://www.w3.org/2000/09/xmldsig#"><statement/>
<ds:Signature><ds:Object><statement/></ds:Object></ds:Signature></x>"""


@pytest.mark.parametrize("content", [_BOMB, _WRAPPED, b"", b"<" * 1_000_000])
def test_statement_is_known_by_its_bytes_alone(content: bytes, key: Path) -> None:
    path = write_zip(key.with_name("bundle.zip"), hollow_members())
    statement, out = key.with_name("statement.xml"), StringIO()
    statement.write_bytes(content)
    words = ["--quiet", str(path), "--key", str(key), "--statement", str(statement)]

    assert run(words, out, StringIO()) == 1

    assert "statement.xml, sha256: expected one of statements.tsv" in out.getvalue()
    assert "root:" not in out.getvalue()


def test_check_that_would_never_end_is_interrupted(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(bundle, "SECONDS_MAX", 1)
    endless = "SELECT count(*) FROM range(1000000000000) WHERE hash(range) = 1"

    with (
        duckdb.connect() as db,
        bundle._bounded(db),  # noqa: SLF001 -- the bundle that is slow is yet to be found
        pytest.raises(duckdb.InterruptException),
    ):
        db.execute(endless).fetchall()


def test_ctrl_c_ends_with_a_word(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def stopped(*_: object, **__: object) -> Report:
        raise KeyboardInterrupt

    monkeypatch.setattr(bundle, "verify", stopped)

    assert cli.main(["bundle.zip", "--key", "house.pem"]) == cli.EXIT_STOPPED == 130
    assert capsys.readouterr().err == "stopped\n"
