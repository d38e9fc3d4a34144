"""A process that dies after its n-th word to the database, as often as it is asked.

It is started once, so that its imports cost once, and forks for each attempt: the fork
opens connections of its own, does one act of the house, and at the n-th word (a
statement, a COPY or a COMMIT that the server has answered) either is killed with
SIGKILL or has its backend killed. Nothing of it is in the product: it wraps the driver.
"""

from __future__ import annotations

import json
import os
import pickle
import signal
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from types import MappingProxyType
from typing import Any

import psycopg

from clearinghouse.domain.approvals import Operator, OperatorStatus
from clearinghouse.domain.errors import ClearingHouseError
from clearinghouse.domain.runs import FeeMode, Model
from clearinghouse.services import (
    approvals,
    invoices,
    run_payments,
    sdr_intake,
    seals,
    settlement,
    settlement_runs,
    statements,
)
from clearinghouse.services.approved_actions import EXECUTORS
from clearinghouse.services.environment import Environment, Limits
from clearinghouse.services.settlement_runs import Wish
from clearinghouse.storage.database import Database
from clearinghouse.storage.signing import Signer
from clearinghouse.storage.vault import Vault
from tests.builders import NOW
from tests.fixtures.partners import ScriptedPartners, StillClock

#: How a fork ends: the act went through, or was refused because the database broke off.
DONE, BROKE_OFF = 0, 3

#: Whom the n-th word kills.
SELF, BACKEND, BACKEND_HARD = "self", "backend", "backend hard"


def _operator(name: str) -> Operator:
    return Operator(
        name=name, status=OperatorStatus.ACTIVE, approves_from=NOW, created_at=NOW
    )


def _submit(env: Environment, path: str) -> None:
    exchange, submission = pickle.loads(Path(path).read_bytes())  # noqa: S301 - ours
    sdr_intake.submit_sdrs(env, exchange, submission, lambda _: b"<answer/>")


def _propose(env: Environment) -> None:
    wish = Wish(currency="EUR", model=Model.MULTILATERAL, fees=FeeMode.NETTED)
    settlement_runs.propose(env, _operator("anna"), wish)


def _confirm(env: Environment, payment: str, minor: int) -> None:
    run_payments.confirm(
        env, payment, amount_minor=minor, booked_at=NOW, reference=f"B-{payment}"
    )


ACTS: Mapping[str, Callable[..., object]] = MappingProxyType(
    {
        "submit": _submit,
        "close": lambda env, label: settlement.close_window(env, next_label=label),
        "statements": statements.issue_pending,
        "seal": seals.seal_pending,
        "issue": invoices.issue_pending,
        "propose": _propose,
        "record": lambda env, run: settlement_runs.record(env, _operator("anna"), run),
        "reserve": lambda env, run: settlement_runs.reserve(
            env, _operator("anna"), run
        ),
        "commit": lambda env, run: settlement_runs.commit(env, _operator("anna"), run),
        "confirm": _confirm,
        "approve": lambda env, approval: approvals.approve(
            env, _operator("ben"), approval, EXECUTORS
        ),
    }
)


def _count_words(last: int, whom: str) -> None:
    """Let every answer of the server be counted, and the ``last`` one kill."""
    left = last

    def tell(connection: psycopg.Connection[Any]) -> None:
        nonlocal left
        left -= 1
        if left:
            return
        if whom == SELF:
            os.kill(os.getpid(), signal.SIGKILL)
        hard = whom == BACKEND_HARD
        os.kill(connection.info.backend_pid, signal.SIGKILL if hard else signal.SIGTERM)

    _tell_after(psycopg.Cursor, "execute", lambda cursor: tell(cursor.connection))
    _tell_after(psycopg.Cursor, "executemany", lambda cursor: tell(cursor.connection))
    _tell_after(psycopg.Connection, "commit", tell)
    copy = psycopg.Cursor.copy

    @contextmanager
    def copying(self: Any, *words: Any, **more: Any) -> Iterator[Any]:  # noqa: ANN401 - as it is
        with copy(self, *words, **more) as copied:
            yield copied
        tell(self.connection)

    psycopg.Cursor.copy = copying  # type: ignore[method-assign]


def _tell_after(kind: type, name: str, tell: Callable[[Any], None]) -> None:
    original = getattr(kind, name)

    def told(self: Any, *words: Any, **more: Any) -> Any:  # noqa: ANN401 - as it is
        answer = original(self, *words, **more)
        tell(self)
        return answer

    setattr(kind, name, told)


def _attempt(order: dict[str, Any], site: dict[str, str]) -> int:
    """Do an act in this fork; it may not come back."""
    env = Environment(
        database=Database(site["business"], pool_size=2),
        vault=Vault(site["privacy"], key_path=Path(site["vault_key"])),
        clock=StillClock(datetime.fromisoformat(order["at"])),
        partners=ScriptedPartners(),
        limits=Limits(allow_private_endpoints=True, allow_http_endpoints=True),
        signer=Signer(Path(site["signing_key"])),
    )
    _count_words(order["word"], order["whom"])
    try:
        ACTS[order["act"]](env, **order["given"])
    except ClearingHouseError as error:
        if not error.code.retryable:
            raise
        return BROKE_OFF
    return DONE


def main() -> None:
    """Fork for each order that comes in a line, and say how the fork ended."""
    site = json.loads(sys.argv[1])
    for line in sys.stdin:
        child = os.fork()
        if child == 0:
            ended = 1
            os.dup2(sys.stderr.fileno(), sys.stdout.fileno())  # logs are no answers
            try:
                ended = _attempt(json.loads(line), site)
            except BaseException as error:  # noqa: BLE001 - nothing may outlive the fork
                sys.stderr.write(f"{error!r}\n")
                sys.stderr.flush()
            os._exit(ended)
        _, status = os.waitpid(child, 0)
        sys.stdout.write(f"{os.waitstatus_to_exitcode(status)}\n")
        sys.stdout.flush()


if __name__ == "__main__":
    main()
