"""What tests on bundles that are none have in common."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from clearinghouse.storage.signing import PublicKey, Signer
from tests.builders import NOW

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture
def key(tmp_path: Path) -> Path:
    """Give the public key of nobody in particular."""
    path, made = tmp_path / "public.pem", Signer().key()
    known = PublicKey(key_id=made.key_id, public_key=made.public_key, valid_from=NOW)
    path.write_text(known.pem, encoding="ascii")
    return path
