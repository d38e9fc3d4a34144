"""News of the settlement, from what happened to a real partner that takes it."""

from __future__ import annotations

import contextlib
from collections import deque
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest
from sqlalchemy import select

from clearinghouse.delivery.attempts import attempt
from clearinghouse.domain.outbox import Attempt, DeliveryKind
from clearinghouse.domain.participants import EndpointService
from clearinghouse.endpoint.csp import Contracts, ReferenceCsp
from clearinghouse.endpoint.journal import Journal
from clearinghouse.endpoint.messages.csp_endpoint import (
    NotifySettlementRequest,
    SettlementNotice,
)
from clearinghouse.facades.iec63119.gateway import Gateway
from clearinghouse.services import ports
from clearinghouse.services.ports import Reply, Taken
from clearinghouse.storage import outbox
from clearinghouse.storage.outbox import Claim, Delivery
from clearinghouse.storage.tables.messages import outbox as table
from tests.builders import NOW
from tests.delivery.stage import (
    RecordingPartner,
    connected,
    nobody,
    register,
    says,
    serving,
)
from tests.fixtures.partners import ScriptedPartners
from tests.fixtures.two_sides import DAY, Stage
from tests.services.run_world import make_run_world
from tests.services.sdr_world import make_world
from tests.services.test_invoices import NUMBER, bill, close

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from clearinghouse.services.environment import Environment

_KIND = DeliveryKind.NOTIFY_SETTLEMENT
_CSO = EndpointService.CSO_ENDPOINT


def _waiting(env: Environment) -> deque[Delivery]:
    """Take what is to be told of the settlement, in the order in which it happened."""
    with env.database.begin() as tx:
        claimed = outbox.claim_due(
            tx, Claim(now=env.clock.now(), per_participant=outbox.CLAIM_MAX)
        )
    return deque(one for one in claimed if one.kind is _KIND)


@contextlib.contextmanager
def _line(env: Environment, folder: Path) -> Iterator[Environment]:
    """Give the environment with a gateway to real partners."""
    line = connected(env, folder)
    assert isinstance(line.partners, Gateway)
    with contextlib.closing(line.partners):
        yield replace(line, clock=env.clock)


def _said(partner: RecordingPartner) -> list[SettlementNotice]:
    return [
        notice
        for one in partner.told
        if isinstance(one, NotifySettlementRequest)
        for notice in one.notice
    ]


@pytest.mark.clause("4.3-I3")
def test_participant_is_told_of_its_closed_window_statement_and_invoice(
    env: Environment, tmp_path: Path
) -> None:
    world = make_world(env)
    bill(world, world.csp, world.cso)
    partner = RecordingPartner()
    with serving(csp=partner, cso=partner) as url:
        register(env, world.csp, url)
        register(env, world.cso, url, _CSO)
        window_id = close(world)
        waiting = _waiting(env)
        with _line(env, tmp_path) as line:
            ended = [attempt(line, one) for one in waiting]

    assert ended == [Attempt.TAKEN] * 3
    assert {one.participant_id for one in waiting} == {world.csp.participant_id}
    told = {one.news: one for one in _said(partner)}
    assert list(told) == ["WINDOW_CLOSED", "STATEMENT_READY", "INVOICE_READY"]
    assert {one.window_id for one in told.values()} == {window_id}
    assert {one.window_label for one in told.values()} == {"2026-11"}
    assert {one.occurred_at for one in told.values()} == {NOW}
    assert told["WINDOW_CLOSED"].currency is None
    assert told["STATEMENT_READY"].statement_id in {"ST-2026-000001", "ST-2026-000002"}
    assert told["INVOICE_READY"].document_number == NUMBER
    assert told["INVOICE_READY"].currency == "EUR"


def test_participants_of_a_run_are_told_when_all_is_paid(env: Environment) -> None:
    four = make_run_world(env)
    for person in ("A", "B"):
        register(env, four.people[person], nobody())
    four.close_with()
    run_id = four.propose().run_id
    four.advance(run_id)
    before = [one.payload["news"] for one in _waiting(env)]

    four.pay(run_id)

    told = _waiting(env)
    assert "RUN_SETTLED" not in before
    assert {one.participant_id for one in told} == {
        four.people[person].participant_id for person in ("A", "B")
    }
    assert {(one.payload["news"], one.payload["name"]) for one in told} == {
        ("RUN_SETTLED", run_id)
    }


def test_csp_is_told_of_the_steps_of_the_others_in_a_dispute(
    stage: Stage, tmp_path: Path
) -> None:
    env, partner = stage.world.env, RecordingPartner()
    with serving(csp=partner) as url:
        register(env, stage.world.csp, url)
        _waiting(env)
        dispute_id = stage.opened()
        own = _waiting(env)
        stage.says(stage.cso, dispute_id, "OFFER", "<amount>7.00</amount>")
        with _line(env, tmp_path) as line:
            ended = [attempt(line, one) for one in _waiting(env)]
            stage.pass_days(11)
            ended.append(attempt(line, _waiting(env)[-1]))

    assert not own
    assert ended == [Attempt.TAKEN] * 2
    offered, lapsed = _said(partner)
    assert (offered.news, offered.dispute_state) == ("DISPUTE_MOVED", "OFFERED")
    assert (offered.turn_of, str(offered.dispute_id)) == ("CSP", dispute_id)
    assert offered.sdr_id == stage.record.sdr_id
    assert offered.due_at is not None
    assert 10 * DAY <= (offered.due_at - NOW).total_seconds() <= 16 * DAY
    assert (lapsed.dispute_state, lapsed.turn_of, lapsed.due_at) == (
        "SPLIT",
        None,
        None,
    )


@pytest.mark.parametrize("has_cso_endpoint", [False, True])
def test_submitter_is_told_once_of_a_dispute_where_it_listens(
    stage: Stage,
    has_cso_endpoint: bool,  # noqa: FBT001 - a case
) -> None:
    env, submitter = stage.world.env, stage.world.cso
    register(env, submitter, nobody())
    if has_cso_endpoint:
        register(env, submitter, nobody(), _CSO)

    stage.opened()

    with env.database.begin_read_only() as tx:
        kinds = tx.execute(
            select(table.c.kind).where(
                table.c.participant_id == submitter.participant_id
            )
        ).scalars()
        wanted = DeliveryKind.NOTIFY_SDRS if has_cso_endpoint else _KIND
        assert list(kinds) == [wanted]


_FAULTED = ports.Faulted(took_effect_unknown=False)


@pytest.mark.parametrize(
    ("reply", "ended"),
    [
        (_FAULTED, Attempt.MOOT),
        (ports.Faulted(took_effect_unknown=True), Attempt.FAULTED),
        (ports.Unreachable(), Attempt.UNREACHABLE),
        (ports.Refused(901, retryable=True), Attempt.REFUSED_FOR_NOW),
    ],
)
def test_partner_of_an_older_contract_leaves_no_dead_letter(
    stage: Stage, reply: Reply[Taken], ended: Attempt
) -> None:
    env = stage.world.env
    register(env, stage.world.csp, nobody())
    dispute_id = stage.opened()
    stage.says(stage.cso, dispute_id, "REJECT")
    partners = ScriptedPartners()
    partners.will_take(reply)

    (one,) = _waiting(env)

    assert attempt(replace(env, partners=partners), one) is ended


_HTML = (
    b"HTTP/1.1 200 OK\r\nContent-Type: text/html\r\nContent-Length: 7\r\n\r\n<html/>"
)
_BOMB = b"<!DOCTYPE a [<!ENTITY b 'c'>]><a>&b;</a>"
_DTD = b"HTTP/1.1 200 OK\r\nContent-Type: text/xml\r\nContent-Length: %d\r\n\r\n%b" % (
    len(_BOMB),
    _BOMB,
)
_AWAY = b"HTTP/1.1 307 Temporary Redirect\r\nLocation: %b/\r\nContent-Length: 0\r\n\r\n"


@pytest.mark.parametrize("answer", [_HTML, _DTD, _AWAY, b"", b"\0" * 100])
def test_csp_that_answers_nonsense_is_told_again_and_nobody_else_is_told(
    stage: Stage, tmp_path: Path, answer: bytes
) -> None:
    env, elsewhere = stage.world.env, RecordingPartner()
    with serving(csp=elsewhere) as other:
        said = answer % other.encode() if b"%b" in answer else answer
        with says(said) as url:
            register(env, stage.world.csp, url)
            dispute_id = stage.opened()
            stage.says(stage.cso, dispute_id, "REJECT")
            (one,) = _waiting(env)
            with _line(env, tmp_path) as line:
                ended = attempt(line, one)

    assert ended in (Attempt.FAULTED, Attempt.TIMED_OUT, Attempt.UNREACHABLE), ended
    assert elsewhere.told == []


def test_reference_csp_takes_note_of_news_once(stage: Stage, tmp_path: Path) -> None:
    env = stage.world.env
    journal = Journal(tmp_path / "journal")
    reference = ReferenceCsp(Contracts(by_credential={}), journal)
    with serving(csp=reference) as url:
        register(env, stage.world.csp, url)
        dispute_id = stage.opened()
        stage.says(stage.cso, dispute_id, "REJECT")
        # Two lines: as if the answer to the first attempt had been lost.
        (one,) = _waiting(env)
        with _line(env, tmp_path) as line, _line(env, tmp_path) as other:
            ended = [attempt(line, one), attempt(other, one)]

    assert ended == [Attempt.TAKEN] * 2
    (entry,) = journal.entries("settlement")
    assert (entry["news"], entry["name"]) == ("DISPUTE_MOVED", dispute_id)
    assert (entry["state"], entry["turn_of"]) == ("ANSWERED", "CSP")
    reference.close()
