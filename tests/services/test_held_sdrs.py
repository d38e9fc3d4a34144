"""Held SDRs: taken in, put away, expired; each decided once and settled once."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import replace
from decimal import Decimal
from typing import TYPE_CHECKING

import pytest
from sqlalchemy import Engine, event

from clearinghouse import codes
from clearinghouse.domain.errors import ClearingHouseError
from clearinghouse.domain.outbox import DeliveryKind
from clearinghouse.domain.participants import EndpointService
from clearinghouse.domain.sdrs import News, SdrStatus
from clearinghouse.domain.sessions import SessionState
from clearinghouse.services import held_sdrs, sdr_delivery, sdrs, settlement
from clearinghouse.services.sdrs import SdrQuery, SdrRole, StatusQuery
from clearinghouse.storage import directory, outbox, sessions
from clearinghouse.storage.outbox import Claim
from tests.builders import NOW, make_sender
from tests.services.sdr_world import World, make_sdr, make_world, session_id_of

if TYPE_CHECKING:
    from collections.abc import Iterator

    from clearinghouse.domain.sdrs import ServiceDetailRecord
    from clearinghouse.services.environment import Environment
    from clearinghouse.services.ports import DeliveredSdr
    from clearinghouse.storage.outbox import Delivery
    from tests.fixtures.partners import StillClock


@pytest.fixture
def world(env: Environment) -> World:
    return make_world(env)


@pytest.fixture
def dear(world: World) -> ServiceDetailRecord:
    """Give an SDR that claims 20.00 for 11.49; it is held."""
    record = world.session(claimed_net=Decimal("20.00"))
    assert world.submit([record]).counts.held == 1
    return record


def _listen(world: World) -> None:
    endpoint = directory.Endpoint(
        participant_id=world.cso.participant_id,
        service=EndpointService.CSO_ENDPOINT,
        url="https://partner.example/re",
        registered_at=NOW,
    )
    with world.env.database.begin() as tx:
        directory.put_endpoint(tx, endpoint)


def _deliveries(world: World, kind: DeliveryKind) -> list[Delivery]:
    with world.env.database.begin() as tx:
        claimed = outbox.claim_due(tx, Claim(now=NOW, per_participant=100))
        outbox.release(tx, claimed, at=NOW)
    return [one for one in claimed if one.kind is kind]


def _statuses(world: World, **asked: object) -> list[tuple[str, SdrStatus]]:
    query = StatusQuery(**asked)  # type: ignore[arg-type]  # by the tests
    page = sdrs.get_sdr_status(world.env, make_sender(world.cso), query)
    return [(one.sdr_id, one.status) for one in page.standings]


def _pulled(world: World, *, by_csp: bool) -> tuple[DeliveredSdr, ...]:
    who = world.csp if by_csp else world.cso
    role = SdrRole.HOME_CSP if by_csp else SdrRole.SUBMITTER
    query = SdrQuery(role=role, cursor=None, limit=100)
    return sdrs.get_sdrs(world.env, make_sender(who), query).items


def test_what_waits_is_shown_with_the_rules_that_hold_it(
    world: World, dear: ServiceDetailRecord
) -> None:
    world.submit([world.session()])

    (waiting,) = held_sdrs.held(world.env)

    assert waiting.stored.sdr_uid == dear.sdr_id
    assert [item.rule for item in waiting.remarks] == ["S-208"]


def test_a_released_sdr_is_settled_as_it_was_rated(
    world: World, dear: ServiceDetailRecord
) -> None:
    held_sdrs.release(world.env, "CHREP", dear.sdr_id)

    assert held_sdrs.held(world.env) == ()
    positions = settlement.positions(world.env, make_sender(world.cso), None)
    assert positions.net == {"EUR": 1149}
    closing = world.close()
    (settled,) = closing.settlements
    assert (settled.sdr_count, settled.gross_minor) == (1, 1149)
    assert settlement.prove(world.env, closing.window.window_id) == ()
    assert _statuses(world, sdr_ids=[dear.sdr_id]) == [(dear.sdr_id, SdrStatus.SETTLED)]


def test_a_sdr_held_in_a_closed_window_is_settled_in_the_open_one(
    world: World, dear: ServiceDetailRecord
) -> None:
    first = world.close("2026-12")

    held_sdrs.release(world.env, "CHREP", dear.sdr_id)
    second = world.close("2027-01")

    assert first.settlements == ()
    assert [one.gross_minor for one in second.settlements] == [1149]
    for closing in (first, second):
        assert settlement.prove(world.env, closing.window.window_id) == ()


def test_a_released_sdr_goes_to_its_home_csp_and_its_submitter_is_told(
    world: World, dear: ServiceDetailRecord
) -> None:
    _listen(world)

    held_sdrs.release(world.env, "CHREP", dear.sdr_id)

    (delivery,) = _deliveries(world, DeliveryKind.DELIVER_SDRS)
    (view,) = sdr_delivery.to_deliver(world.env, delivery)
    sdr_delivery.record_delivered(world.env, delivery)
    assert view.record == replace(dear, claimed_net=view.record.claimed_net)
    assert view.rated_net_minor == 1149
    assert [item.rule for item in view.remarks] == ["S-208"]
    (told,) = _deliveries(world, DeliveryKind.NOTIFY_SDRS)
    (notice,) = sdr_delivery.notices(world.env, told)
    assert (notice.sdr_id, notice.news) == (dear.sdr_id, News.ACCEPTED)
    assert _statuses(world, sdr_ids=[dear.sdr_id]) == [
        (dear.sdr_id, SdrStatus.DELIVERED)
    ]


def test_a_released_sdr_is_one_sdr_to_both_sides(
    world: World, dear: ServiceDetailRecord
) -> None:
    plain = world.session()
    world.submit([plain, world.session(claimed_net=Decimal("30.00"))])
    before = [one.record.sdr_id for one in _pulled(world, by_csp=False)]

    held_sdrs.release(world.env, "CHREP", dear.sdr_id)

    assert len(before) == 3
    mine = _pulled(world, by_csp=False)
    assert sorted(one.record.sdr_id for one in mine) == sorted(before)
    last = mine[-1]
    assert (last.record.sdr_id, last.status) == (dear.sdr_id, SdrStatus.ACCEPTED)
    theirs = [one.record.sdr_id for one in _pulled(world, by_csp=True)]
    assert theirs == [plain.sdr_id, dear.sdr_id]
    assert _statuses(world, batch_sequence=1) == [(dear.sdr_id, SdrStatus.ACCEPTED)]
    assert [status for _, status in _statuses(world, batch_sequence=2)] == [
        SdrStatus.ACCEPTED,
        SdrStatus.HELD,
    ]
    assert world.submit([dear]).counts.duplicates == 1


def test_a_rejected_sdr_frees_its_session_and_is_never_settled(
    world: World, dear: ServiceDetailRecord
) -> None:
    _listen(world)

    held_sdrs.reject(world.env, "CHREP", dear.sdr_id)

    (told,) = _deliveries(world, DeliveryKind.NOTIFY_SDRS)
    (notice,) = sdr_delivery.notices(world.env, told)
    assert (notice.news, notice.reason) == (News.REJECTED, "HELD_REJECTED")
    assert _statuses(world, sdr_ids=[dear.sdr_id]) == [
        (dear.sdr_id, SdrStatus.REJECTED)
    ]
    right = replace(dear, sdr_id="RIGHT", claimed_net=Decimal("11.49"))
    assert world.submit([right]).counts.accepted == 1
    (settled,) = world.close().settlements
    assert (settled.sdr_count, settled.gross_minor) == (1, 1149)


@pytest.mark.parametrize("first", [held_sdrs.release, held_sdrs.reject])
@pytest.mark.parametrize("then", [held_sdrs.release, held_sdrs.reject])
def test_the_first_decision_counts(
    world: World, dear: ServiceDetailRecord, first: object, then: object
) -> None:
    first(world.env, "CHREP", dear.sdr_id)  # type: ignore[operator]  # one of two verbs

    with pytest.raises(ClearingHouseError) as refused:
        then(world.env, "CHREP", dear.sdr_id)  # type: ignore[operator]

    assert refused.value.code is codes.SDR_DECIDED


def test_two_who_release_at_once_release_once(
    world: World, dear: ServiceDetailRecord
) -> None:
    def release(_: int) -> object:
        try:
            held_sdrs.release(world.env, "CHREP", dear.sdr_id)
        except ClearingHouseError as error:
            return error.code
        return codes.OK

    with ThreadPoolExecutor(4) as pool:
        done = list(pool.map(release, range(4)))

    assert done.count(codes.OK) == 1
    assert done.count(codes.SDR_DECIDED) == 3
    assert world.close().settlements[0].gross_minor == 1149


def test_a_session_is_not_paid_twice(world: World) -> None:
    good = world.session()
    world.submit([good])
    world.submit([replace(good, sdr_id="SECOND")])
    assert [one.stored.sdr_uid for one in held_sdrs.held(world.env)] == ["SECOND"]

    with pytest.raises(ClearingHouseError) as refused:
        held_sdrs.release(world.env, "CHREP", "SECOND")

    assert refused.value.code is codes.SDR_DECIDED
    assert world.close().settlements[0].gross_minor == 1149


def test_a_released_sdr_of_a_visited_csp_ends_its_session(world: World) -> None:
    record = world.session(claimed_net=Decimal("20.00"), cso_id="CHREP")
    assert world.submit([record], sender=world.visited_csp).counts.held == 1

    held_sdrs.release(world.env, "ATVIS", record.sdr_id)

    with world.env.database.begin_read_only() as tx:
        session = sessions.session_by_id(tx, session_id_of(record))
    assert session is not None
    assert session.state is SessionState.SDR_RECEIVED


@pytest.mark.parametrize(
    ("submitter", "code"),
    [
        ("CHREP", codes.SDR_UNKNOWN),
        ("DEABC", codes.SDR_UNKNOWN),
        ("XXNOT", codes.UNKNOWN_PARTICIPANT),
    ],
)
def test_what_is_not_there_cannot_be_decided(
    world: World, submitter: str, code: object
) -> None:
    with pytest.raises(ClearingHouseError) as refused:
        held_sdrs.release(world.env, submitter, "NEVER-SENT")

    assert refused.value.code is code


def test_what_nobody_decided_of_expires_after_its_term(
    world: World, dear: ServiceDetailRecord, clock: StillClock
) -> None:
    clock.forward(seconds=30 * 86_400)
    assert held_sdrs.expire_due(world.env) == 0

    clock.forward(seconds=1)
    young = make_sdr()
    world.submit([young])

    assert held_sdrs.expire_due(world.env) == 1
    assert held_sdrs.expire_due(world.env) == 0
    assert _statuses(world, sdr_ids=[dear.sdr_id, young.sdr_id])[0] == (
        dear.sdr_id,
        SdrStatus.REJECTED,
    )
    assert world.close().settlements == ()


def test_held_sdrs_are_counted_by_window(
    world: World, dear: ServiceDetailRecord
) -> None:
    window = settlement.ensure_window(world.env, "unused").window_id

    assert held_sdrs.held_by_window(world.env) == {window: 1}
    held_sdrs.reject(world.env, "CHREP", dear.sdr_id)
    assert held_sdrs.held_by_window(world.env) == {}


@contextmanager
def _released_meanwhile(world: World, sdr_id: str) -> Iterator[None]:
    """Release an SDR when its place was found, and it is not read yet."""
    released: list[str] = []

    def before(*words: object) -> None:
        if "submitter_party" in str(words[2]) and not released:
            released.append(sdr_id)
            held_sdrs.release(world.env, "CHREP", sdr_id)

    event.listen(Engine, "before_cursor_execute", before)
    try:
        yield
    finally:
        event.remove(Engine, "before_cursor_execute", before)
    assert released


def test_what_is_released_while_it_is_looked_up_stands_where_it_came_to(
    world: World, dear: ServiceDetailRecord
) -> None:
    with _released_meanwhile(world, dear.sdr_id):
        told = _statuses(world, sdr_ids=[dear.sdr_id])

    assert told == [(dear.sdr_id, SdrStatus.ACCEPTED)]


def test_what_is_released_while_a_feed_is_read_comes_again_at_its_later_place(
    world: World, dear: ServiceDetailRecord
) -> None:
    with _released_meanwhile(world, dear.sdr_id):
        (first,) = _pulled(world, by_csp=False)

    assert first.status is SdrStatus.HELD
    (later,) = _pulled(world, by_csp=False)
    assert later.status is SdrStatus.ACCEPTED


def test_page_that_is_cut_says_so_though_one_is_released_meanwhile(
    world: World, dear: ServiceDetailRecord
) -> None:
    others = [world.session() for _ in range(4)]
    world.submit(others)
    query = SdrQuery(role=SdrRole.SUBMITTER, cursor=None, limit=2)
    with _released_meanwhile(world, dear.sdr_id):
        page = sdrs.get_sdrs(world.env, make_sender(world.cso), query)
    told = [one.record.sdr_id for one in page.items]
    assert (told, page.more) == ([dear.sdr_id, others[0].sdr_id], True)

    while page.more:
        query = replace(query, cursor=str(page.cursor))
        page = sdrs.get_sdrs(world.env, make_sender(world.cso), query)
        told += [one.record.sdr_id for one in page.items]
    assert told[2:] == [one.sdr_id for one in (*others[1:], dear)]


def test_what_is_released_meanwhile_is_not_shown_as_waiting(
    world: World, dear: ServiceDetailRecord
) -> None:
    with _released_meanwhile(world, dear.sdr_id):
        assert held_sdrs.held(world.env) == ()
