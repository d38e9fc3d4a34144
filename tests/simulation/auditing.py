"""An auditor at the end: bundles of some windows, recomputed without the house."""

from __future__ import annotations

from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

from clearinghouse.services import bundles, seals
from clearinghouse.verify.bundle import verify

if TYPE_CHECKING:
    from collections.abc import Iterable

    from clearinghouse.services.environment import Environment


def audit(env: Environment, window_ids: Iterable[int]) -> None:
    """Write the bundles of windows and verify them.

    Raises :class:`AssertionError` with what the auditor's tool finds.
    """
    seals.seal_pending(env)
    with TemporaryDirectory() as folder:
        for window_id in window_ids:
            path, key = Path(folder, f"{window_id}.zip"), Path(folder, "key.pem")
            written = bundles.write_bundle(env, window_id, path)
            (pem,) = (
                one.pem for one in seals.keys(env) if one.key_id == written.key_id
            )
            key.write_text(pem, encoding="ascii")
            report = verify(path, key)
            if report.count:
                told = "; ".join(str(one) for one in report.told)
                raise AssertionError(f"the bundle of window {window_id}: {told}")
