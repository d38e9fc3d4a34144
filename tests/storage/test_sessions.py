"""Sessions, partner ids and events as stored."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING
from uuid import uuid4

import pytest
from sqlalchemy import text

from clearinghouse.domain.authorization import DecisionSource
from clearinghouse.domain.sessions import Origin, SessionEventKind, SessionState
from clearinghouse.storage import sdr_intake, sessions
from clearinghouse.storage.sessions import PartnerSessionId, StoredEvent
from tests.builders import (
    NOW,
    make_agreement,
    make_cso,
    make_csp,
    make_event,
    make_session,
    seconds,
)

if TYPE_CHECKING:
    from clearinghouse.domain.participants import Participant
    from clearinghouse.storage.database import Database


#: Sessions changed by this transaction, and those of them that stayed in their place.
_UPDATES = text("""
    SELECT n_tup_upd, n_tup_hot_upd FROM pg_stat_xact_all_tables
    WHERE schemaname = 'clearing' AND relname = 'session'
""")


@pytest.fixture
def cso(database: Database) -> Participant:
    with database.begin() as tx:
        return make_cso(tx)


def test_session_comes_back_as_it_was_saved(
    database: Database, cso: Participant
) -> None:
    with database.begin() as tx:
        csp = make_csp(tx)
        agreed = make_agreement(tx, cso, csp)
        begun = make_session(
            cso, state=SessionState.REQUESTED, origin=Origin.REMOTE, valid_until=None
        )
        sessions.insert_session(tx, begun)
        inserted = sessions.session_by_id(tx, begun.session_id)
        changed = replace(
            begun,
            state=SessionState.STARTING,
            home_id=csp.participant_id,
            agreement_id=agreed.agreement_id,
            subject_id=7,
            decision_source=DecisionSource.LIVE,
            list_version=3,
            refusal_code=0,
            valid_until=seconds(300),
            started_at=seconds(10),
            ended_at=seconds(20),
            energy_wh=12_345,
            last_event_at=seconds(20),
        )
        sessions.save_session(tx, changed)

        assert inserted == begun
        assert sessions.session_by_id(tx, begun.session_id, for_update=True) == changed
        assert sessions.session_by_id(tx, uuid4()) is None


def test_saving_a_session_that_was_never_inserted_fails(
    database: Database, cso: Participant
) -> None:
    with database.begin() as tx, pytest.raises(LookupError):
        sessions.save_session(tx, make_session(cso))


def test_partner_id_names_one_session_for_ever(
    database: Database, cso: Participant
) -> None:
    one, other = make_session(cso), make_session(cso)
    named = PartnerSessionId(cso.participant_id, "A-1")
    with database.begin() as tx:
        sessions.insert_session(tx, one)
        sessions.insert_session(tx, other)

        assert sessions.name_session(tx, one.session_id, named)
        assert sessions.name_session(tx, one.session_id, named)
        assert not sessions.name_session(tx, other.session_id, named)
        assert sessions.session_by_partner_id(tx, named) == one
        assert sessions.session_by_partner_id(tx, named, for_update=True) == one
        assert sessions.partner_ids_of(tx, one.session_id) == (named,)


def test_timer_takes_sessions_whose_time_is_up_and_skips_busy_ones(
    database: Database, cso: Participant
) -> None:
    due, busy = make_session(cso), make_session(cso)
    later = make_session(cso, valid_until=seconds(301))
    active = make_session(cso, state=SessionState.ACTIVE)
    with database.begin() as tx:
        for one in (due, busy, later, active):
            sessions.insert_session(tx, one)

    with database.begin() as other, database.begin() as tx:
        sessions.session_by_id(other, busy.session_id, for_update=True)
        taken = sessions.sessions_due(tx, now=seconds(300))

    assert taken == (due,)


def test_session_that_is_past_its_timed_states_has_no_time(
    database: Database, cso: Participant
) -> None:
    started, served = make_session(cso), make_session(cso)
    with database.begin() as tx:
        for one in (started, served):
            sessions.insert_session(tx, one)

        sessions.save_session(tx, replace(started, state=SessionState.ACTIVE))
        sdr_intake.mark_sessions(tx, [served.session_id])

        for one in (started, served):
            stored = sessions.session_by_id(tx, one.session_id)
            assert stored is not None
            assert stored.valid_until is None
        assert sessions.sessions_due(tx, now=seconds(300)) == ()


def test_sdr_ends_its_session_without_a_new_index_entry(
    database: Database, cso: Participant
) -> None:
    ended = make_session(cso, state=SessionState.ENDED)
    with database.begin() as tx:
        sessions.insert_session(tx, ended)

    with database.begin() as tx:
        sdr_intake.mark_sessions(tx, [ended.session_id])
        updates = tx.execute(_UPDATES).one()

    assert tuple(updates) == (1, 1)


def test_candidates_for_an_sdr_are_found_by_evse_and_time(
    database: Database, cso: Participant
) -> None:
    near = make_session(cso)
    far = make_session(cso, created_at=seconds(1000))
    elsewhere = make_session(cso, evse_key="CHREPE9")
    with database.begin() as tx:
        for one in (near, far, elsewhere):
            sessions.insert_session(tx, one)

        found = sessions.sessions_near(
            tx, ["CHREPE00011"], earliest=seconds(-300), latest=seconds(300)
        )

    assert found == (near,)


def test_event_is_kept_once_and_listed_by_its_own_time(
    database: Database, cso: Participant
) -> None:
    session = make_session(cso)
    late = make_event(cso, occurred_at=NOW, energy_wh=1, reason="PLUGGED")
    early = make_event(cso, event=SessionEventKind.ENDED, occurred_at=seconds(9))
    with database.begin() as tx:
        sessions.insert_session(tx, session)
        stored = [
            StoredEvent(
                event=event,
                state_before=SessionState.AUTHORIZED,
                state_after=SessionState.ACTIVE,
            )
            for event in (early, late)
        ]

        fresh = [
            sessions.insert_event(tx, session.session_id, one)
            for one in (*stored, stored[0])
        ]

        assert fresh == [True, True, False]
        assert sessions.events_of(tx, session.session_id) == (stored[1], stored[0])
        assert sessions.event_by_id(tx, session.session_id, late.event_id) == stored[1]
        assert sessions.event_by_id(tx, session.session_id, uuid4()) is None
