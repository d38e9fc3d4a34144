"""The directory: partners as a feed, endpoints, links."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from clearinghouse.domain.link import Link, LinkState
from clearinghouse.domain.participants import EndpointService, ParticipantStatus
from clearinghouse.storage import agreements, directory, links, participants
from clearinghouse.storage.feeds import START, Cursor
from tests.builders import NOW, make_agreement, make_cso, make_csp, seconds

if TYPE_CHECKING:
    from clearinghouse.storage.database import Database


def _names(
    database: Database, participant_id: int, cursor: Cursor
) -> tuple[list[str], Cursor]:
    with database.begin_read_only() as tx:
        page = directory.partners_changed(tx, participant_id, cursor=cursor, limit=100)
    return [entry.partner.party_id for entry in page.items], page.cursor


def test_directory_shows_partners_only(database: Database) -> None:
    with database.begin() as tx:
        cso, csp, stranger = make_cso(tx), make_csp(tx), make_csp(tx, "FRXYZ")
        made = make_agreement(tx, cso, csp)

    with database.begin_read_only() as tx:
        page = directory.partners_changed(
            tx, cso.participant_id, cursor=START, limit=100
        )
    alone, _ = _names(database, stranger.participant_id, START)

    assert [entry.partner for entry in page.items] == [csp]
    assert page.items[0].agreements == (made,)
    assert alone == []


def test_suspension_is_news_for_partners_and_a_heartbeat_is_not(
    database: Database,
) -> None:
    with database.begin() as tx:
        cso, csp = make_cso(tx), make_csp(tx)
        make_agreement(tx, cso, csp)
    _, cursor = _names(database, cso.participant_id, START)

    with database.begin() as tx:
        participants.hear_heartbeat(tx, csp.participant_id, at=NOW, skew_ms=0)
    quiet, cursor = _names(database, cso.participant_id, cursor)
    with database.begin() as tx:
        participants.set_status(tx, csp.participant_id, ParticipantStatus.SUSPENDED)
    news, _ = _names(database, cso.participant_id, cursor)

    assert (quiet, news) == ([], ["DEABC"])


def test_beginning_of_an_agreement_is_news_when_its_time_comes(
    database: Database,
) -> None:
    with database.begin() as tx:
        cso, csp = make_cso(tx), make_csp(tx)
        make_agreement(tx, cso, csp, valid_from=seconds(60), valid_until=seconds(90))
    _, cursor = _names(database, cso.participant_id, START)

    turned = []
    news = []
    for second in (59, 60, 61, 90, 91):
        with database.begin() as tx:
            turned.append(agreements.announce_turns(tx, now=seconds(second)))
        names, cursor = _names(database, cso.participant_id, cursor)
        news.append(names)

    assert turned == [0, 1, 0, 1, 0]
    assert news == [[], ["DEABC"], [], ["DEABC"], []]


def test_endpoint_is_replaced(database: Database) -> None:
    service = EndpointService.CSP_ENDPOINT
    with database.begin() as tx:
        csp = make_csp(tx)
        old = directory.Endpoint(
            participant_id=csp.participant_id,
            service=service,
            url="https://a.example",
            registered_at=NOW,
        )
        new = replace(
            old,
            url="https://b.example",
            registered_at=seconds(1),
            access_token_sealed=b"sealed",
        )

        directory.put_endpoint(tx, old)
        directory.put_endpoint(tx, new)

        assert directory.endpoint_of(tx, csp.participant_id, service) == new
        assert directory.endpoints_of(tx, csp.participant_id) == (new,)
        assert (
            directory.endpoint_of(tx, csp.participant_id, EndpointService.CSO_ENDPOINT)
            is None
        )


def test_link_comes_back_as_saved(database: Database) -> None:
    service = EndpointService.CSP_ENDPOINT
    with database.begin() as tx:
        csp = make_csp(tx)
        fresh = links.link_of(tx, csp.participant_id, service)
        opened = Link(
            state=LinkState.OPEN,
            consecutive_failures=5,
            recent=((NOW, True), (seconds(1), False)),
            open_until=seconds(6),
            open_seconds=5,
        )
        failed = fresh.after_failure(opened, seconds(1), 210)
        links.save_link(tx, failed)
        links.save_link(tx, failed)

        assert fresh.link == Link()
        stored = links.link_of(tx, csp.participant_id, service, for_update=True)
        assert stored == failed
        assert links.all_links(tx) == (failed,)
        assert stored.after_success(Link(), seconds(9)).last_success_at == seconds(9)


def test_renewed_link_lets_calls_pass_and_keeps_what_happened(
    database: Database,
) -> None:
    service = EndpointService.CSP_ENDPOINT
    with database.begin() as tx:
        csp = make_csp(tx)
        links.renew_link(tx, csp.participant_id, service)
        assert links.all_links(tx) == (), "nothing broke, nothing to store"
        broken = Link(state=LinkState.OPEN, open_until=seconds(60), open_seconds=60)
        fresh = links.link_of(tx, csp.participant_id, service)
        links.save_link(tx, fresh.after_failure(broken, NOW, 210))

        links.renew_link(tx, csp.participant_id, service)

        (renewed,) = links.all_links(tx)
    assert renewed.link == Link()
    assert (renewed.last_failure_at, renewed.last_error_code) == (NOW, 210)
