"""What tests on bundles, and on files that are none, have in common."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from clearinghouse.storage.signing import PublicKey, Signer
from tests.builders import NOW
from tests.verify.worlds import Made, make_rich_bundle

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture
def key(tmp_path: Path) -> Path:
    """Give the public key of nobody in particular."""
    path, made = tmp_path / "public.pem", Signer().key()
    known = PublicKey(key_id=made.key_id, public_key=made.public_key, valid_from=NOW)
    path.write_text(known.pem, encoding="ascii")
    return path


#: A bundle is made once and forged many times.
_MADE: dict[str, Made] = {}


@pytest.fixture
def made(request: pytest.FixtureRequest, tmp_path: Path) -> Made:
    """Give a bundle with VAT, credits and disputes; some files have their own."""
    if "bundle" not in _MADE:
        env = request.getfixturevalue("env")
        _MADE["bundle"] = make_rich_bundle(env, tmp_path)
    return _MADE["bundle"]
