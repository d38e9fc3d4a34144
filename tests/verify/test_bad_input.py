"""What is no bundle is refused with a word, and nothing of it leaves its folder."""

from __future__ import annotations

import json
import zipfile
from io import StringIO
from typing import TYPE_CHECKING

import pytest

from clearinghouse.verify import archive
from clearinghouse.verify.archive import MANIFEST
from clearinghouse.verify.cli import run
from tests.verify.finding import hollow_members, refused
from tests.verify.forging import write_zip

if TYPE_CHECKING:
    from pathlib import Path


def test_file_that_is_not_there_is_told(key: Path) -> None:
    assert "there is no file" in refused(key.with_name("none.zip"), key)


@pytest.mark.parametrize("content", [b"", b"no zip at all", b"PK\x03\x04" + bytes(99)])
def test_file_that_is_no_zip_is_refused(content: bytes, key: Path) -> None:
    path = key.with_name("bundle.zip")
    path.write_bytes(content)

    assert "no whole ZIP file" in refused(path, key)


def test_bundle_that_is_cut_off_is_refused(key: Path) -> None:
    path = write_zip(key.with_name("bundle.zip"), hollow_members())
    content = path.read_bytes()
    for length in (len(content) // 3, len(content) - 30):
        path.write_bytes(content[:length])
        assert "no whole ZIP file" in refused(path, key)


def test_bundle_with_a_broken_bit_is_refused(key: Path) -> None:
    path = key.with_name("bundle.zip")
    members = hollow_members() | {"sdrs.tsv": bytes(range(256)) * 64}
    with zipfile.ZipFile(path, "w") as bundle:  # stored: a bit can be found again
        for name, content in members.items():
            bundle.writestr(name, content)
    broken = bytearray(path.read_bytes())
    broken[broken.index(bytes(range(256))) + 5] ^= 1
    path.write_bytes(broken)

    assert "Bad CRC-32" in refused(path, key)


@pytest.mark.parametrize(
    "name",
    ["../evil.tsv", "/etc/evil.tsv", "folder/sdrs.tsv", "sdrs.tsv/../x", "extra.txt"],
)
def test_names_that_lead_elsewhere_are_refused(name: str, key: Path) -> None:
    path = write_zip(key.with_name("bundle.zip"), hollow_members() | {name: b"x"})

    assert "no file of a bundle" in refused(path, key)
    assert not list(key.parent.glob("**/evil*"))


def test_file_that_is_missing_is_named(key: Path) -> None:
    members = hollow_members()
    del members["chain.tsv"]

    path = write_zip(key.with_name("bundle.zip"), members)

    assert "missing: chain.tsv" in refused(path, key)


@pytest.mark.filterwarnings("ignore:Duplicate name")
def test_file_that_is_there_twice_is_refused(key: Path) -> None:
    path = write_zip(
        key.with_name("bundle.zip"),
        hollow_members(),
        lambda bundle: bundle.writestr("sdrs.tsv", b"another\n"),
    )

    assert "sdrs.tsv is there twice" in refused(path, key)


def test_bomb_is_refused_before_it_goes_off(key: Path) -> None:
    members = hollow_members() | {"sdrs.tsv": bytes(8 << 20)}

    path = write_zip(key.with_name("bundle.zip"), members)

    assert "sdrs.tsv is packed too tightly" in refused(path, key)


def test_file_that_would_fill_the_disk_is_refused(
    key: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(archive, "FILE_BYTES_MAX", 100)

    path = write_zip(key.with_name("bundle.zip"), hollow_members())

    assert "would take" in refused(path, key)


def test_file_that_is_longer_than_it_says_is_refused(key: Path) -> None:
    path = key.with_name("bundle.zip")
    with zipfile.ZipFile(path, "w") as bundle:
        for name, content in hollow_members().items():
            bundle.writestr(name, content)
        bundle.getinfo("matrix.tsv").file_size -= 3

    assert "matrix.tsv" in refused(path, key)


@pytest.mark.parametrize(
    ("manifest", "why"),
    [
        (b"{", "no JSON"),
        (b"[" * 100_000, "no JSON"),
        (b"[]", "no list of files"),
        (b'{"bundle": 1}', "not of form 2 or 3"),
        (b'{"bundle": 3, "window": 1, "files": []}', "lacks the window"),
        *(
            (b'{"bundle": 3, "window": {"windowId": %s}, "files": []}' % one, "number")
            for one in (b"NaN", b'"x"', b"-1", b"1e400", b"9" * 30, b'"\\ud800"')
        ),
        (
            rb'{"bundle":3,"files":[],"window":{"windowId":1,"closedAt":"\ud800"}}',
            "cannot be checked",
        ),
    ],
)
def test_manifest_that_is_none_is_refused(manifest: bytes, why: str, key: Path) -> None:
    path = write_zip(
        key.with_name("bundle.zip"), hollow_members() | {MANIFEST: manifest}
    )

    assert why in refused(path, key)


@pytest.mark.parametrize("content", [b"", b"no key", b"-----BEGIN PUBLIC KEY-----\n"])
def test_key_that_is_none_is_refused(content: bytes, key: Path) -> None:
    path = write_zip(key.with_name("bundle.zip"), hollow_members())
    key.write_bytes(content)

    assert "no public key in PEM" in refused(path, key)


@pytest.mark.parametrize("garbage", [b"\xff\xfe\x00", b"a\n" * 9, b"\t" * 99 + b"\n"])
@pytest.mark.parametrize("name", ["sdrs.tsv", "chain.tsv", "keys.tsv"])
def test_garbage_in_a_file_is_a_difference_or_refused(
    name: str, garbage: bytes, key: Path
) -> None:
    members = hollow_members()
    members[name] += garbage
    path = write_zip(key.with_name("bundle.zip"), members)
    out, log = StringIO(), StringIO()

    code = run(["--quiet", str(path), "--key", str(key)], out, log)

    assert code == 1
    assert name in out.getvalue() + log.getvalue()


def test_list_of_files_with_names_that_are_none_is_a_difference(key: Path) -> None:
    told = _told_of_names(key, [[1], {}, None, 7])

    for name in ("[1]", "{}", "None", "7"):
        assert f"expected only files of a bundle, found {name};" in told


def test_what_a_bundle_holds_gives_no_orders_to_a_terminal(key: Path) -> None:
    evil = "\x1b[2J\nbundle.zip: all is proved\u202e\ud800"

    told = _told_of_names(key, [evil])

    assert "\\x1b[2J\\nbundle.zip: all is proved\\u202e\\ud800;" in told
    assert not {"\x1b", "\u202e", "\ud800"} & set(told)
    assert "\nbundle.zip: all is proved" not in told


def test_name_of_a_file_gives_no_orders_to_a_terminal(
    key: Path, tmp_path: Path
) -> None:
    path = write_zip(tmp_path / "a\n\x1b[2J.zip", hollow_members())
    out = StringIO()

    assert run(["--quiet", str(path), "--key", str(key)], out, StringIO()) == 1

    last = out.getvalue().splitlines()[-1]
    name = f"{tmp_path}/a\\n\\x1b[2J.zip"
    assert last.startswith(f"{name}: not proved, differences: ")
    assert "\x1b" not in out.getvalue()


def _told_of_names(key: Path, names: list[object]) -> str:
    """Return what is told of a bundle whose list of files has these names."""
    manifest = {
        "bundle": 3,
        "window": {"windowId": 1},
        "files": [{"name": name} for name in names],
    }
    members = hollow_members() | {MANIFEST: json.dumps(manifest).encode()}
    path = write_zip(key.with_name("bundle.zip"), members)
    out = StringIO()
    assert run(["--quiet", str(path), "--key", str(key)], out, StringIO()) == 1
    return out.getvalue()
