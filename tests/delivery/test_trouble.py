"""Real processes that hang and die: nobody else waits, and nothing is taken twice."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from uuid import UUID

import pytest

from clearinghouse.delivery import attempts
from clearinghouse.delivery import worker as module
from clearinghouse.delivery.worker import Worker
from clearinghouse.domain.outbox import DeliveryState
from clearinghouse.domain.participants import EndpointService
from clearinghouse.domain.sdrs import SdrStatus
from clearinghouse.endpoint.behaviour import Authorization
from clearinghouse.endpoint.csp import Contracts, ReferenceCsp
from clearinghouse.endpoint.journal import Journal
from clearinghouse.endpoint.messages.csp_endpoint import (
    AuthorizeRequest,
    DeliverSdrsRequest,
    NotifySessionRequest,
    NotifySettlementRequest,
)
from clearinghouse.facades.iec63119.gateway import Gateway
from clearinghouse.services import sdrs
from clearinghouse.services.environment import Environment
from clearinghouse.services.sdrs import StatusQuery
from clearinghouse.storage import evses, outbox
from clearinghouse.storage.outbox import Claim
from tests.builders import make_agreement, make_cso, make_csp, make_evse, make_sender
from tests.delivery.stage import (
    RecordingPartner,
    connected,
    delivery,
    enqueue_notice,
    join_deliveries,
    register,
    serving,
    state,
)
from tests.fixtures.database import Site
from tests.services.sdr_world import World, make_world
from tests.waiting import PATIENCE_SECONDS, eventually

NO_CONTRACTS = Contracts(by_credential={})
HANGING = """
import socket
with socket.create_server(("127.0.0.1", 0), backlog=128) as listener:
    print(listener.getsockname()[1], flush=True)
    held = []
    while True:
        held.append(listener.accept())
"""


@contextlib.contextmanager
def _hanging_endpoint() -> Iterator[str]:
    """Run a process that takes every connection and never answers."""
    command = [sys.executable, "-c", HANGING]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        port = int(process.stdout.readline())
        try:
            yield f"http://127.0.0.1:{port}"
        finally:
            process.kill()


@contextlib.contextmanager
def _working(env: Environment) -> Iterator[None]:
    worker = Worker(env, chores=())
    thread = threading.Thread(target=worker.run)
    thread.start()
    try:
        yield
    finally:
        worker.stop()
        thread.join(PATIENCE_SECONDS)


@pytest.mark.slow
def test_a_partner_that_hangs_delays_nobody_else(
    env: Environment, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    live = connected(env, tmp_path)
    with live.database.begin() as tx:
        hanging, healthy = make_csp(tx, "DEHNG"), make_csp(tx, "DEOKY")
        cso = make_cso(tx)
        make_agreement(tx, cso, healthy)
        evses.apply_delta(tx, cso.participant_id, upserts=[make_evse()], removals=[])
    partner = RecordingPartner()

    # The calls to the hanging partner end when its process does, and not before.
    monkeypatch.setattr(attempts, "CALL_MILLISECONDS", 3_600_000)
    monkeypatch.setattr(module, "Claim", partial(Claim, lease_seconds=3_600))
    with serving(csp=partner) as url, _working(live), _hanging_endpoint() as silent:
        register(live, hanging, silent)
        register(live, healthy, url)
        stuck = [enqueue_notice(live, hanging, cso) for _ in range(20)]
        eventually(lambda: _running(live, stuck) == 2)
        waiting = [enqueue_notice(live, healthy, cso) for _ in range(40)]
        eventually(
            lambda: all(state(live, one) is DeliveryState.DONE for one in waiting)
        )
        with live.database.begin_read_only() as tx:
            [queue] = outbox.queues(tx)
        ended = [one for one in stuck if delivery(live, one).last_error_code]
    join_deliveries()

    assert len(partner.told) == len(waiting)
    assert not ended, "the calls to the hanging partner still ran"
    assert (queue.participant_id, queue.running) == (hanging.participant_id, 2)
    assert queue.ready + queue.running == len(stuck)
    _close(live)


@dataclass
class Partner:
    """A reference CSP that takes deliveries; it may hang before it answers."""

    csp: ReferenceCsp
    hangs: bool = False
    taken: threading.Event = field(default_factory=threading.Event)
    ended: threading.Event = field(default_factory=threading.Event)
    deliveries: list[UUID] = field(default_factory=list)

    def authorize(self, request: AuthorizeRequest) -> Authorization:
        """Decide as the reference does."""
        return self.csp.authorize(request)

    def notify_session(self, request: NotifySessionRequest) -> None:
        """Take note as the reference does."""
        self.csp.notify_session(request)

    def deliver_sdrs(self, request: DeliverSdrsRequest) -> None:
        """Take a delivery, and then perhaps hang."""
        self.deliveries.append(request.delivery_id)
        self.csp.deliver_sdrs(request)
        self.taken.set()
        if self.hangs:
            self.ended.wait()

    def notify_settlement(self, request: NotifySettlementRequest) -> None:
        """Take note as the reference does."""
        self.csp.notify_settlement(request)


@contextlib.contextmanager
def _partner(env: Environment, world: World, partner: Partner) -> Iterator[None]:
    """Serve a CSP and register its address."""
    with serving(csp=partner) as url:
        register(env, world.csp, url, EndpointService.CSP_ENDPOINT)
        yield
        partner.ended.set()
    partner.csp.close()


@contextlib.contextmanager
def _worker_process(
    site: Site, folder: Path, *, ahead_seconds: int = 0
) -> Iterator[subprocess.Popen[bytes]]:
    """Run ``clearinghouse worker`` on the test's database, its clock moved ahead."""
    clock_file = folder / f"ahead-{ahead_seconds}"
    clock_file.write_text(str(ahead_seconds))
    settings = {
        "CLEARINGHOUSE_STATE_DIR": str(folder),
        "CLEARINGHOUSE_KEY_FILE": str(folder / "kek.key"),
        "CLEARINGHOUSE_CLOCK_FILE": str(clock_file),
        "CLEARINGHOUSE_DATABASE_URL": site.business_url,
        "CLEARINGHOUSE_DATABASE_PRIVACY_URL": site.privacy_url,
        "CLEARINGHOUSE_DATABASE_OWNER_URL": site.owner_url,
        "CLEARINGHOUSE_ALLOW_HTTP_ENDPOINTS": "true",
        "CLEARINGHOUSE_ALLOW_PRIVATE_ENDPOINTS": "true",
    }
    with (
        (folder / "worker.log").open("ab") as log,
        subprocess.Popen(
            [sys.executable, "-m", "clearinghouse", "worker"],
            env={**os.environ, **settings},
            stdin=subprocess.DEVNULL,
            stderr=log,
        ) as process,
    ):
        try:
            yield process
        finally:
            process.kill()


def _delivery_state(env: Environment) -> DeliveryState:
    with env.database.begin_read_only() as tx:
        row = tx.exec_driver_sql("SELECT state FROM clearing.outbox").one()
    return DeliveryState(row.state)


@pytest.mark.slow
@pytest.mark.clause("3.10")
def test_a_delivery_cut_off_by_a_kill_comes_again_and_is_taken_once(
    site: Site, env: Environment, tmp_path: Path
) -> None:
    world = make_world(env)
    records = [world.session(), world.session()]
    world.submit(records)
    path = tmp_path / "csp.jsonl"
    before = Partner(ReferenceCsp(NO_CONTRACTS, Journal(path)), hangs=True)

    with _partner(env, world, before), _worker_process(site, tmp_path) as worker:
        assert before.taken.wait(PATIENCE_SECONDS), "the worker delivered"
        worker.send_signal(signal.SIGKILL)
        worker.wait()
        assert _delivery_state(env) is DeliveryState.RUNNING
    journal = Journal(path)
    after = Partner(ReferenceCsp(NO_CONTRACTS, journal))
    over = outbox.LEASE_SECONDS + 1
    with (
        _partner(env, world, after),
        _worker_process(site, tmp_path, ahead_seconds=over) as worker,
    ):
        eventually(lambda: _delivery_state(env) is DeliveryState.DONE)
        worker.send_signal(signal.SIGTERM)
        assert worker.wait(PATIENCE_SECONDS) == 0, "it ends cleanly when it is asked to"

    assert before.deliveries == after.deliveries, "the id is the same each time"
    taken = sorted(entry["sdr_id"] for entry in journal.entries("sdr"))
    assert taken == sorted(record.sdr_id for record in records)
    lines = path.read_text().splitlines()
    assert len(lines) == len(records) + 1, "nothing was taken twice"
    assert _statuses(world, taken) == {SdrStatus.DELIVERED}


def _statuses(world: World, sdr_ids: list[str]) -> set[SdrStatus]:
    query = StatusQuery(sdr_ids=tuple(sdr_ids), submitter_party=None)
    page = sdrs.get_sdr_status(world.env, make_sender(world.cso), query)
    return {one.status for one in page.standings}


def _running(env: Environment, deliveries: list[UUID]) -> int:
    return sum(state(env, one) is DeliveryState.RUNNING for one in deliveries)


def _close(env: Environment) -> None:
    assert isinstance(env.partners, Gateway)
    env.partners.close()
