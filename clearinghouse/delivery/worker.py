"""The delivery worker: claims what is due, lets it be delivered, records what became.

A claim commits before the network is touched; a delivery runs in a thread of its own
under a lease. A partner that hangs holds its two deliveries and no others. Killed at
any moment, the worker leaves deliveries whose lease ends; they go out again under the
same id, and the partner takes them once.
"""

from __future__ import annotations

import secrets
import threading
import time
from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime
from uuid import UUID

import psycopg
from sqlalchemy import Connection

from clearinghouse import codes
from clearinghouse.delivery.attempts import attempt
from clearinghouse.delivery.chores import CHORES, Chore
from clearinghouse.domain.errors import ClearingHouseError
from clearinghouse.domain.link import LinkState
from clearinghouse.domain.outbox import (
    AWAY,
    SERVICE_OF,
    Attempt,
    DeliveryState,
    NextStep,
    next_step,
)
from clearinghouse.domain.outbox import Delivery as DeliveryAge
from clearinghouse.services.environment import Environment
from clearinghouse.storage import directory, links, outbox
from clearinghouse.storage.outbox import Claim, Delivery
from clearinghouse.telemetry.logging import logger
from clearinghouse.telemetry.metrics import DELIVERIES

_LOG = logger(__name__)

#: Deliveries of this worker that run at once; sixteen partners may hang together.
RUNNING_MAX = 32
#: How long a new delivery waits at most when its ring was not heard.
POLL_SECONDS = 1
#: Longest wait for deliveries in flight when the worker is asked to stop.
STOP_SECONDS = 10
#: Pause after the database failed us, so that it is not asked a thousand times.
TROUBLE_SECONDS = 1


class Worker:
    """Delivers until :meth:`stop`; any number of workers may run side by side."""

    def __init__(self, env: Environment, *, chores: Sequence[Chore] = CHORES) -> None:
        self._env = env
        self._chores = chores
        self._stopping = threading.Event()
        # Set when there may be something to claim: a ring, or a place that is free.
        self._wanted = threading.Event()
        self._running: dict[UUID, Delivery] = {}
        self._lock = threading.Lock()

    def run(self) -> None:
        """Work until the stop; then finish what is in flight and give back the rest."""
        helpers = [
            threading.Thread(target=self._listen, name="outbox-ring", daemon=True),
            threading.Thread(target=self._do_chores, name="chores", daemon=True),
        ]
        for helper in helpers:
            helper.start()
        while not self._stopping.is_set():
            self._wanted.clear()
            if not self._claim():
                self._wanted.wait(POLL_SECONDS)
        self._finish()
        for helper in helpers:
            helper.join(POLL_SECONDS + TROUBLE_SECONDS)

    def stop(self) -> None:
        """Ask the worker to stop; from another thread, for it takes a lock."""
        self._stopping.set()
        self._wanted.set()

    def _claim(self) -> bool:
        """Take what is due and start it; say whether there may be more at once."""
        with self._lock:
            free = RUNNING_MAX - len(self._running)
        if free == 0:
            return False
        try:
            with self._env.database.begin() as tx:
                now = self._env.clock.now()
                claim = Claim(now=now, limit=free, skip=_unreachable(tx, now))
                claimed = outbox.claim_due(tx, claim)
        except ClearingHouseError as error:
            _LOG.warning("claim_failed", code=error.code.name)
            self._stopping.wait(TROUBLE_SECONDS)
            return False
        for delivery in claimed:
            self._start(delivery)
        return len(claimed) == free

    def _start(self, delivery: Delivery) -> None:
        with self._lock:
            self._running[delivery.delivery_id] = delivery
        # A daemon: at the stop, a call that nobody answers does not keep the process.
        threading.Thread(
            target=self._deliver, args=(delivery,), name="delivery", daemon=True
        ).start()

    def _deliver(self, delivery: Delivery) -> None:
        began_at = self._env.clock.now()
        try:
            self._record(delivery, self._step(delivery), began_at)
        except ClearingHouseError as error:
            # Our own trouble. The lease ends, and the delivery goes out again.
            _LOG.warning(
                "delivery_not_recorded",
                delivery_id=str(delivery.delivery_id),
                code=error.code.name,
            )
        finally:
            with self._lock:
                self._running.pop(delivery.delivery_id, None)
            self._wanted.set()

    def _step(self, delivery: Delivery) -> NextStep:
        """Make an attempt and return what becomes of the delivery."""
        try:
            return self._next(delivery, attempt(self._env, delivery))
        except ClearingHouseError:
            raise
        except Exception:  # noqa: BLE001 - the top of the worker: one delivery fails
            _LOG.exception("delivery_broke", delivery_id=str(delivery.delivery_id))
            # Not sent again at once for ever: it ages like any other.
            step = self._next(delivery, Attempt.FAULTED)
            return replace(step, error=codes.INTERNAL)

    def _next(self, delivery: Delivery, outcome: Attempt) -> NextStep:
        DELIVERIES.labels(delivery.kind, outcome).inc()
        return next_step(
            outcome,
            DeliveryAge(attempts=delivery.attempts, created_at=delivery.created_at),
            now=self._env.clock.now(),
            randbelow=secrets.randbelow,
        )

    def _record(self, delivery: Delivery, step: NextStep, began_at: datetime) -> None:
        with self._env.database.begin() as tx:
            now = self._env.clock.now()
            ours = outbox.record_attempt(tx, delivery, step, now=now)
            if _is_back(tx, delivery, step, began_at):
                service = SERVICE_OF[delivery.kind]
                outbox.bring_forward(tx, delivery.participant_id, service, at=now)
        note = _LOG.warning if step.state is DeliveryState.DEAD else _LOG.info
        note(
            "delivery_attempted" if ours else "delivery_lease_lost",
            delivery_id=str(delivery.delivery_id),
            kind=delivery.kind,
            state=step.state,
            attempts=step.attempts,
            error=None if step.error is None else step.error.name,
        )

    def _finish(self) -> None:
        """Wait for what is in flight, then give back what does not end."""
        ends = time.monotonic() + STOP_SECONDS
        while time.monotonic() < ends:
            with self._lock:
                if not self._running:
                    return
            self._wanted.clear()
            self._wanted.wait(max(0.0, min(POLL_SECONDS, ends - time.monotonic())))
        with self._lock:
            left = list(self._running.values())
        try:
            with self._env.database.begin() as tx:
                outbox.release(tx, left, at=self._env.clock.now())
        except ClearingHouseError as error:
            _LOG.warning("leases_not_released", code=error.code.name)

    def _listen(self) -> None:
        """Hear the rings of new deliveries; without them the poll finds them later."""
        while not self._stopping.is_set():
            try:
                listener = self._env.database.listen(outbox.CHANNEL)
                with listener:
                    self._hear(listener)
            except (ClearingHouseError, psycopg.OperationalError) as error:
                _LOG.warning("ring_not_heard", error=type(error).__name__)
                self._stopping.wait(TROUBLE_SECONDS)

    def _hear(self, listener: psycopg.Connection[tuple[object, ...]]) -> None:
        while not self._stopping.is_set():
            if outbox.wait_for_ring(listener, timeout_seconds=POLL_SECONDS):
                self._wanted.set()

    def _do_chores(self) -> None:
        due_at = dict.fromkeys((chore.name for chore in self._chores), 0.0)
        while not self._stopping.wait(POLL_SECONDS):
            for chore in self._chores:
                if time.monotonic() < due_at[chore.name]:
                    continue
                due_at[chore.name] = time.monotonic() + chore.every_seconds
                self._do(chore)

    def _do(self, chore: Chore) -> None:
        try:
            count = chore.run(self._env)
        except Exception as error:  # noqa: BLE001 - the top of the worker
            _LOG.warning("chore_failed", chore=chore.name, error=type(error).__name__)
        else:
            if count:
                _LOG.info("chore_done", chore=chore.name, count=count)


def _is_back(
    tx: Connection, delivery: Delivery, step: NextStep, began_at: datetime
) -> bool:
    """Say whether an attempt showed that a partner is back which was away.

    It took what it had not taken before; or it registered while the attempt was on its
    way to where it had been. One that takes what is new shows nothing: what waits may
    be the very thing that it cannot take.
    """
    if step.reached:
        return delivery.last_error_code in AWAY
    if step.error is None or step.error.number not in AWAY:
        return False
    service = SERVICE_OF[delivery.kind]
    endpoint = directory.endpoint_of(tx, delivery.participant_id, service)
    return endpoint is not None and endpoint.registered_at > began_at


def _unreachable(tx: Connection, now: datetime) -> frozenset[int]:
    """Return the participants none of whose services lets a call pass now.

    Their deliveries rest in the outbox instead of going round in it.
    """
    open_links: dict[int, bool] = {}
    for record in links.all_links(tx):
        link = record.link
        rests = (
            link.state is LinkState.OPEN
            and link.open_until is not None
            and now < link.open_until
        )
        known = open_links.get(record.participant_id, True)
        open_links[record.participant_id] = known and rests
    return frozenset(number for number, rests in open_links.items() if rests)
