"""The auditor's program needs the packages of its own extra and no other."""

from __future__ import annotations

import subprocess
import sys
from typing import TYPE_CHECKING

from tests.verify.worlds import bundle_of, make_settled_world

if TYPE_CHECKING:
    from pathlib import Path

    from clearinghouse.services.environment import Environment

#: Runs the program where nothing can be imported but Python's own, ours, and what the
#: extra ``verify`` brings: partner tools bring more (pytz), which duckdb would take.
ALONE = """
import sys

OURS = {"clearinghouse", "cryptography", "cffi", "_cffi_backend", "duckdb", "_duckdb",
        "tzdata", *sys.stdlib_module_names}

class Nothing:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] not in OURS and not name.startswith("_sysconfig"):
            raise ModuleNotFoundError(name, name=name)

sys.meta_path.insert(0, Nothing())
from clearinghouse.verify.cli import main
raise SystemExit(main(sys.argv[1:]))
"""


def test_bundle_is_proved_with_the_packages_of_the_extra_alone(
    env: Environment, tmp_path: Path
) -> None:
    four, window_id = make_settled_world(env)
    made = bundle_of(four.env, window_id, tmp_path)
    bundle, key = tmp_path / "bundle.zip", tmp_path / "house.pem"
    bundle.write_bytes(made.content)
    key.write_text(made.pem, encoding="ascii")

    done = subprocess.run(
        [sys.executable, "-c", ALONE, "--quiet", str(bundle), "--key", str(key)],
        capture_output=True,
        text=True,
        check=False,
    )

    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.endswith("all is proved\n")
