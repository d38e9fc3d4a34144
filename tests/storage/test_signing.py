"""The signing key: made once, closed to others, rotated while servers run."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa

from clearinghouse import codes
from clearinghouse.domain.errors import ClearingHouseError
from clearinghouse.storage import signing
from clearinghouse.storage.signing import Signer
from tests.builders import NOW

if TYPE_CHECKING:
    from pathlib import Path

    from clearinghouse.storage.database import Database


def test_first_use_makes_the_key_that_only_its_owner_reads(tmp_path: Path) -> None:
    path = tmp_path / "state" / "signing.key"

    first = Signer(path).key()

    assert path.stat().st_mode & 0o777 == 0o600
    assert Signer(path).key().key_id == first.key_id
    assert [one.name for one in path.parent.iterdir()] == ["signing.key"]


def test_processes_that_make_it_at_once_have_one_key(tmp_path: Path) -> None:
    path = tmp_path / "signing.key"

    with ThreadPoolExecutor(8) as pool:
        ids = set(pool.map(lambda _: Signer(path).key().key_id, range(8)))

    assert len(ids) == 1


def test_same_text_has_the_same_signature_and_no_other_text_has_it() -> None:
    key = Signer().key()

    signature = key.sign(b"text")

    assert signature == key.sign(b"text")
    assert signing.is_signed(key.public_key, b"text", signature)
    assert not signing.is_signed(key.public_key, b"another", signature)
    assert not signing.is_signed(Signer().key().public_key, b"text", signature)
    assert not signing.is_signed(key.public_key, b"text", b"no signature at all")
    assert signing.as_der(signing.as_numbers(signature)) == signature


def test_running_server_signs_with_the_new_key_after_a_rotation(tmp_path: Path) -> None:
    path = tmp_path / "signing.key"
    server = Signer(path)
    old = server.key().key_id

    new = Signer(path).rotate().key_id

    assert server.key().key_id == new != old
    assert path.stat().st_mode & 0o777 == 0o600


def test_key_that_others_may_read_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "signing.key"
    Signer(path).key()
    path.chmod(0o640)

    with pytest.raises(ClearingHouseError) as caught:
        Signer(path).key()

    assert caught.value.code is codes.UNAVAILABLE
    assert "chmod 600" in caught.value.detail


def _pem(key: rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey) -> bytes:
    return key.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    )


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"no key",
        _pem(rsa.generate_private_key(65537, 2048)),
        _pem(ec.generate_private_key(ec.SECP384R1())),
    ],
    ids=["empty", "text", "rsa", "another curve"],
)
def test_file_that_is_no_key_of_ours_is_refused(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "signing.key"
    path.write_bytes(content)
    path.chmod(0o600)

    with pytest.raises(ClearingHouseError) as caught:
        Signer(path).key()

    assert caught.value.code is codes.UNAVAILABLE


def test_public_keys_are_kept_in_the_order_of_their_use(database: Database) -> None:

    first, second = Signer().key(), Signer().key()
    for at, key in enumerate((first, second, first)):
        with database.begin() as tx:
            signing.note_key(tx, key, at=NOW.replace(microsecond=at))

    with database.begin_read_only() as tx:
        known = signing.known_keys(tx)
    assert [one.key_id for one in known] == [first.key_id, second.key_id]
    assert known[0].pem.startswith("-----BEGIN PUBLIC KEY-----")
