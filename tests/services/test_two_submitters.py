"""A CSO and a CSP that collects for it, at the same moment: a charge is paid once."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from decimal import Decimal
from typing import TYPE_CHECKING, Any
from uuid import UUID

import pytest
from sqlalchemy import text

from clearinghouse import codes
from clearinghouse.domain.agreements import Terms
from clearinghouse.domain.errors import ClearingHouseError
from clearinghouse.services import held_sdrs
from tests.services.sdr_world import World, make_sdr, make_world, session_id_of

if TYPE_CHECKING:
    from collections.abc import Callable
    from concurrent.futures import Future

    from clearinghouse.domain.sdrs import ServiceDetailRecord
    from clearinghouse.services.environment import Environment
    from clearinghouse.services.sdr_batch import Counts
    from tests.fixtures.database import Site

pytestmark = pytest.mark.clause("4.2-visited")


@pytest.fixture
def world(env: Environment) -> World:
    return make_world(env)


def _collected(world: World, record: ServiceDetailRecord) -> ServiceDetailRecord:
    """Return the same charge as the visited CSP tells it."""
    return replace(record, sdr_id=f"{record.sdr_id}-V", cso_id=world.cso.party_id)


def _at_once(site: Site, hold: str, *calls: Callable[[], Any]) -> list[Future[Any]]:
    """Make calls that are all in their transactions before one is done.

    ``hold``: a statement whose locks the first of them waits for.
    """
    made = []
    with (
        ThreadPoolExecutor(len(calls)) as pool,
        site.superuser() as holder,
        holder.transaction(),
    ):
        holder.execute(hold)
        for call in calls:
            made.append(pool.submit(call))
            site.until_locked_out(*made)
    return made


def _both_sent(
    world: World, site: Site, own: ServiceDetailRecord, collected: ServiceDetailRecord
) -> list[Counts]:
    """Let the CSO and the visited CSP send an SDR of one session at the same time."""
    both = _at_once(
        site,
        _row_of(session_id_of(own)),
        lambda: world.submit([own]),
        lambda: world.submit([collected], sender=world.visited_csp),
    )
    return [one.result().counts for one in both]


def _row_of(session_id: UUID) -> str:
    return f"SELECT FROM clearing.session WHERE session_id = '{session_id}' FOR UPDATE"


def _paid(world: World) -> list[int]:
    """Return the net amounts that the claim of the window holds."""
    with world.env.database.begin_read_only() as tx:
        query = "SELECT net_minor FROM clearing.batch_total"
        return list(tx.execute(text(query)).scalars())


def test_session_of_which_both_send_an_sdr_is_paid_once(
    world: World, site: Site
) -> None:
    own = world.session()
    collected = _collected(world, own)

    sent = _both_sent(world, site, own, collected)

    assert [(one.accepted, one.held) for one in sent] == [(1, 0), (0, 1)]
    assert _paid(world) == [1149]


def test_charge_without_a_session_of_which_both_send_an_sdr_is_paid_once(
    env: Environment, site: Site
) -> None:
    world = make_world(env, terms=Terms(match_required=False))
    own = make_sdr()
    collected = _collected(world, own)

    both = _at_once(
        site,
        "LOCK TABLE clearing.sdr_key IN SHARE MODE",
        lambda: world.submit([collected], sender=world.visited_csp),
        lambda: world.submit([own]),
    )

    counts = [(one.result().counts.accepted, one.result().counts.held) for one in both]
    assert counts == [(1, 0), (0, 1)]
    assert _paid(world) == [1149]


@pytest.mark.parametrize("first", ["release", "batch"])
def test_session_whose_held_sdr_is_released_meanwhile_is_paid_once(
    world: World, site: Site, first: str
) -> None:
    own = world.session()
    collected = replace(_collected(world, own), claimed_net=Decimal("20.00"))
    assert world.submit([collected], sender=world.visited_csp).counts.held == 1
    calls: dict[str, Callable[[], Any]] = {
        "release": lambda: held_sdrs.release(world.env, "ATVIS", collected.sdr_id),
        "batch": lambda: world.submit([own]),
    }
    second = "batch" if first == "release" else "release"

    won, lost = _at_once(site, _row_of(session_id_of(own)), calls[first], calls[second])

    won.result()
    with pytest.raises(ClearingHouseError) as refused:
        lost.result()
    assert refused.value.code is (
        codes.UNAVAILABLE if second == "batch" else codes.SDR_DECIDED
    )
    assert _paid(world) == [1149]
    # Its sender repeats what was refused for the moment, and is told of the other one.
    assert world.submit([replace(own, sdr_id="AGAIN")]).counts.accepted == 0


def test_session_that_waits_for_another_sdr_takes_one_of_two(
    world: World, site: Site
) -> None:
    own = world.session(claimed_net=Decimal("20.00"))
    assert world.submit([own]).counts.held == 1
    held_sdrs.reject(world.env, "CHREP", own.sdr_id)
    anew = replace(own, sdr_id="ANEW", claimed_net=Decimal("11.49"))
    collected = _collected(world, anew)

    sent = _both_sent(world, site, anew, collected)

    assert [one.accepted for one in sent] == [1, 0]
    assert _paid(world) == [1149]
