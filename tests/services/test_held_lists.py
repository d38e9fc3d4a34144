"""Full lists that wait for the operator's word: confirmed or set aside."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING
from uuid import uuid4

import pytest

from clearinghouse import codes
from clearinghouse.domain.errors import ClearingHouseError
from clearinghouse.services import held_lists
from clearinghouse.services.held_lists import HeldList, Sort
from clearinghouse.storage import audit, credentials, evses, lists
from clearinghouse.storage.feeds import START
from tests.builders import make_cso, make_csp, make_entry, make_evse, make_list_part

if TYPE_CHECKING:
    from collections.abc import Callable
    from uuid import UUID

    from clearinghouse.domain.participants import Participant
    from clearinghouse.services.environment import Environment
    from clearinghouse.storage.lists import ListPart
    from tests.fixtures.database import Site


@pytest.fixture
def csp(env: Environment) -> Participant:
    """Admit a provider with two cards in force."""
    with env.database.begin() as tx:
        made = make_csp(tx)
        credentials.apply_delta(
            tx,
            make_list_part(made, expected_count=2),
            upserts=[make_entry(1), make_entry(2)],
            removals=[],
        )
    return made


@pytest.fixture
def cso(env: Environment) -> Participant:
    """Admit an operator with two EVSEs in force."""
    with env.database.begin() as tx:
        made = make_cso(tx)
        evses.apply_delta(
            tx,
            made.participant_id,
            upserts=[make_evse("CH*REP*E0001*1"), make_evse("CH*REP*E0001*2")],
            removals=[],
        )
    return made


def hold_cards(env: Environment, csp: Participant, *subjects: int) -> UUID:
    """Let a full list of cards wait for the operator."""
    part = make_list_part(csp, expected_count=len(subjects))
    with env.database.begin() as tx:
        credentials.stage_part(tx, part, [make_entry(one) for one in subjects])
        lists.hold(tx, credentials.STAGING, csp.participant_id, part.list_id)
    return part.list_id


def hold_evses(env: Environment, cso: Participant, *received: str) -> UUID:
    """Let a full list of EVSEs wait for the operator."""
    part: ListPart = make_list_part(cso, expected_count=len(received))
    with env.database.begin() as tx:
        evses.stage_part(tx, part, [make_evse(one) for one in received])
        lists.hold(tx, evses.STAGING, cso.participant_id, part.list_id)
    return part.list_id


def cards(env: Environment, csp: Participant) -> dict[int, str]:
    """Return the statuses of the provider's cards by pseudonym."""
    with env.database.begin_read_only() as tx:
        page = credentials.credentials_changed(
            tx, [csp.participant_id], cursor=START, limit=100
        )
    return {one.subject_id: one.status.value for one in page.items}


def acts(env: Environment) -> list[tuple[str, str]]:
    """Return the audit trail from its beginning."""
    with env.database.begin_read_only() as tx:
        entries = audit.entries_before(tx)
    return [(one.action, one.object) for one in reversed(entries)]


def test_held_lists_of_both_sorts_are_shown_with_whose_they_are(
    env: Environment, csp: Participant, cso: Participant
) -> None:
    of_cards = hold_cards(env, csp)
    of_evses = hold_evses(env, cso, "CH*REP*E0001*1")

    shown = held_lists.held_lists(env)

    assert [(one.sort, one.party_id, one.held.list_id) for one in shown] == [
        (Sort.CREDENTIALS, "DEABC", of_cards),
        (Sort.EVSES, "CHREP", of_evses),
    ]
    assert [one.held.entries for one in shown] == [0, 1]


def test_confirmed_list_of_cards_is_in_force_and_waits_no_more(
    env: Environment, csp: Participant
) -> None:
    list_id = hold_cards(env, csp, 2, 3)

    confirmed = held_lists.confirm(env, list_id)

    assert confirmed.party_id == "DEABC"
    assert cards(env, csp) == {1: "REMOVED", 2: "VALID", 3: "VALID"}
    assert held_lists.held_lists(env) == ()
    assert acts(env) == [("confirm list", f"DEABC {list_id}")]


def test_confirmed_list_of_evses_is_in_force(
    env: Environment, cso: Participant
) -> None:
    list_id = hold_evses(env, cso, "CH*REP*E0001*2")

    held_lists.confirm(env, list_id)

    with env.database.begin_read_only() as tx:
        gone = evses.evse_by_key(tx, "CHREPE00011")
        kept = evses.evse_by_key(tx, "CHREPE00012")
    assert gone is not None
    assert gone.removed
    assert kept is not None
    assert not kept.removed
    assert held_lists.held_lists(env) == ()


def test_discarded_list_changes_nothing(env: Environment, csp: Participant) -> None:
    list_id = hold_cards(env, csp)

    held_lists.discard(env, list_id)

    assert cards(env, csp) == {1: "VALID", 2: "VALID"}
    assert held_lists.held_lists(env) == ()
    assert acts(env) == [("discard list", f"DEABC {list_id}")]


@pytest.mark.parametrize("act", [held_lists.confirm, held_lists.discard])
def test_list_that_does_not_wait_is_refused(
    env: Environment, csp: Participant, act: Callable[[Environment, UUID], HeldList]
) -> None:
    list_id = hold_cards(env, csp)
    held_lists.discard(env, list_id)

    for wanted in (list_id, uuid4()):
        with pytest.raises(ClearingHouseError) as refused:
            act(env, wanted)
        assert refused.value.code is codes.NOT_FOUND

    assert cards(env, csp) == {1: "VALID", 2: "VALID"}
    assert len(acts(env)) == 1


@pytest.mark.parametrize("act", [held_lists.confirm, held_lists.discard])
def test_list_that_its_partner_replaces_at_that_moment_removes_nothing(
    env: Environment,
    site: Site,
    csp: Participant,
    act: Callable[[Environment, UUID], HeldList],
) -> None:
    """Its entries are gone: put in force, it would remove every card."""
    list_id = hold_cards(env, csp)

    with ThreadPoolExecutor() as pool:
        with env.database.begin() as tx:
            lists.lock_owner(tx, credentials.STAGING, csp.participant_id)
            doing = pool.submit(act, env, list_id)
            site.until_locked_out(doing)
            part = make_list_part(csp, expected_count=0)
            credentials.stage_part(tx, part, [])
        with pytest.raises(ClearingHouseError) as refused:
            doing.result()

    assert refused.value.code is codes.NOT_FOUND
    assert cards(env, csp) == {1: "VALID", 2: "VALID"}
    assert acts(env) == []
