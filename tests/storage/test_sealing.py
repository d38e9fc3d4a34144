"""Keys and ciphers of the vault."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from clearinghouse.domain.errors import ClearingHouseError
from clearinghouse.storage.sealing import KEY_BYTES, KeyRing, make_key, read_key

if TYPE_CHECKING:
    from pathlib import Path

_RING = KeyRing(bytes(range(KEY_BYTES)))


@given(st.text(max_size=255), st.binary(max_size=60))
def test_sealed_value_opens_again(value: str, place: bytes) -> None:
    key, sealed = _RING.seal_value(value, place)

    assert _RING.open_value(key, sealed, place) == value


@given(st.integers(0, 40), st.integers(1, 255))
def test_altered_value_does_not_open(position: int, change: int) -> None:
    key, sealed = _RING.seal_value("04A1B2C3D4E5F6", b"place")
    altered = bytearray(sealed)
    altered[position % len(altered)] ^= change

    with pytest.raises(ClearingHouseError):
        _RING.open_value(key, bytes(altered), b"place")


def test_two_seals_of_one_value_differ_and_its_lookup_does_not() -> None:
    one, other = (_RING.seal_value("A", b"place") for _ in range(2))

    assert one != other
    assert _RING.lookup("RFID", "A") == _RING.lookup("RFID", "A")
    assert _RING.lookup("RFID", "A") != _RING.lookup("CONTRACT", "A")
    assert _RING.lookup("RFID", "A") != KeyRing(bytes(KEY_BYTES)).lookup("RFID", "A")


def test_truncated_secret_does_not_open() -> None:
    with pytest.raises(ClearingHouseError):
        _RING.open_secret(b"\x01short", "purpose")


def test_refuses_key_of_another_length() -> None:
    with pytest.raises(ClearingHouseError, match="31 bytes"):
        KeyRing(bytes(KEY_BYTES - 1))


def test_key_file_is_for_its_owner_alone(tmp_path: Path) -> None:
    path = tmp_path / "state" / "kek.key"

    key = make_key(path)

    assert len(key) == KEY_BYTES
    assert path.stat().st_mode & 0o777 == 0o600
    assert read_key(path) == key
    assert [one.name for one in path.parent.iterdir()] == ["kek.key"]


def test_processes_that_make_the_key_at_once_get_one(tmp_path: Path) -> None:
    path = tmp_path / "kek.key"

    with ThreadPoolExecutor(8) as pool:
        keys = set(pool.map(make_key, [path] * 8))

    assert len(keys) == 1


def test_refuses_key_file_that_others_may_read(tmp_path: Path) -> None:
    path = tmp_path / "kek.key"
    path.write_bytes(bytes(KEY_BYTES))
    path.chmod(0o640)

    with pytest.raises(ClearingHouseError, match="chmod 600"):
        read_key(path)


def test_unreadable_key_file_is_told_with_its_reason(tmp_path: Path) -> None:
    with pytest.raises(ClearingHouseError, match="cannot be read"):
        read_key(tmp_path)
