"""Participants and agreements as stored."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from sqlalchemy.exc import IntegrityError

from clearinghouse.domain.agreements import Mode, SilentCsp, Terms
from clearinghouse.domain.exchange import Role
from clearinghouse.domain.participants import ParticipantStatus
from clearinghouse.storage import agreements, participants
from tests.builders import (
    NOW,
    make_agreement,
    make_cso,
    make_csp,
    make_participant,
    seconds,
)

if TYPE_CHECKING:
    from clearinghouse.storage.database import Database


@pytest.mark.clause("4.2-dual")
def test_participant_comes_back_as_it_was_admitted(database: Database) -> None:
    with database.begin() as tx:
        admitted = make_participant(
            tx,
            party_id="DEABC",
            roles=frozenset({Role.CSP, Role.CSO}),
            aliases=frozenset({"CHSWI"}),
        )

    with database.begin_read_only() as tx:
        assert participants.participant_by_id(tx, admitted.participant_id) == admitted
        assert participants.participant_by_party_id(tx, "DEABC") == admitted
        assert participants.all_participants(tx) == (admitted,)
        assert participants.party_ids(tx) == {admitted.participant_id: "DEABC"}
        assert participants.owners_of_aliases(tx, ["CHSWI", "FRXXX"]) == {
            "CHSWI": admitted.participant_id
        }


def test_refuses_party_id_that_is_taken(database: Database) -> None:
    with database.begin() as tx:
        make_csp(tx)

    with pytest.raises(IntegrityError), database.begin() as tx:
        make_csp(tx)


def test_alias_of_another_participant_is_not_given_twice(database: Database) -> None:
    with database.begin() as tx:
        one, other = make_csp(tx), make_cso(tx)

        assert participants.add_alias(tx, one.participant_id, "CHSWI")
        assert not participants.add_alias(tx, other.participant_id, "CHSWI")
        owners = participants.owners_of_aliases(tx, ["CHSWI"])

    assert owners == {"CHSWI": one.participant_id}


def test_suspension_and_heartbeat_are_stored(database: Database) -> None:
    with database.begin() as tx:
        csp = make_csp(tx)
        participants.set_status(tx, csp.participant_id, ParticipantStatus.SUSPENDED)
        participants.hear_heartbeat(
            tx, csp.participant_id, at=seconds(5), skew_ms=-1200
        )
        stored = participants.participants_by_id(tx, [csp.participant_id])

    assert not stored[csp.participant_id].is_active
    assert stored[csp.participant_id].last_heartbeat_at == seconds(5)
    assert stored[csp.participant_id].skew_ms == -1200


def test_agreement_comes_back_with_all_terms(database: Database) -> None:
    terms = Terms(
        silent_csp=SilentCsp.ALLOW_FROM_LIST,
        list_age_limit_seconds=1,
        list_fresh_seconds=2,
        match_required=False,
        tolerance_minor=3,
        tolerance_ppm=4,
        late_limit_days=5,
        energy_wh_max=6,
        duration_seconds_max=7,
        power_percent_max=8,
        overlap_seconds_max=9,
        travel_kmh_max=10,
        net_ceiling_minor=11,
        net_mean_factor=12,
    )
    with database.begin() as tx:
        cso, csp = make_cso(tx), make_csp(tx)

        made = make_agreement(tx, cso, csp, terms=terms, mode=Mode.C2)
        stored = agreements.agreement_between(
            tx, cso.participant_id, csp.participant_id, at=NOW
        )

    assert stored == made
    assert made.terms == terms
    assert (made.version, made.mode) == (1, Mode.C2)


def test_no_agreement_in_the_other_direction(database: Database) -> None:
    with database.begin() as tx:
        cso, csp = make_cso(tx), make_csp(tx)
        make_agreement(tx, cso, csp)

        found = agreements.agreement_between(
            tx, csp.participant_id, cso.participant_id, at=NOW
        )

    assert found is None


def test_new_terms_end_the_old_ones_to_the_second(database: Database) -> None:
    with database.begin() as tx:
        cso, csp = make_cso(tx), make_csp(tx)
        first = make_agreement(tx, cso, csp)
        second = make_agreement(tx, cso, csp, valid_from=seconds(60), mode=Mode.C1)
        pair = (cso.participant_id, csp.participant_id)

        before = agreements.agreement_between(tx, *pair, at=seconds(59))
        after = agreements.agreement_between(tx, *pair, at=seconds(60))
        versions = agreements.agreements_with_homes(tx, pair[0], [pair[1]])

    assert before is not None
    assert (before.agreement_id, before.valid_until) == (
        first.agreement_id,
        seconds(60),
    )
    assert after == second
    assert [one.version for one in versions] == [1, 2]


def test_one_agreement_per_currency_is_in_force_at_once(database: Database) -> None:
    with database.begin() as tx:
        cso, csp = make_cso(tx), make_csp(tx)
        make_agreement(tx, cso, csp, currency="EUR")
        swiss = make_agreement(tx, cso, csp, currency="CHF")
        pair = (cso.participant_id, csp.participant_id)

        found = agreements.agreement_between(tx, *pair, at=NOW, currency="CHF")

    assert found == swiss


def test_refuses_terms_that_would_begin_before_coming_ones(database: Database) -> None:
    with database.begin() as tx:
        cso, csp = make_cso(tx), make_csp(tx)
        make_agreement(tx, cso, csp, valid_from=seconds(3600))

    with pytest.raises(IntegrityError), database.begin() as tx:
        make_agreement(tx, cso, csp, valid_from=seconds(60))


def test_ended_agreement_leaves_no_partners(database: Database) -> None:
    with database.begin() as tx:
        cso, csp = make_cso(tx), make_csp(tx)
        made = make_agreement(tx, cso, csp)

        assert agreements.end_agreement(tx, made.agreement_id, at=seconds(10))
        assert not agreements.end_agreement(tx, made.agreement_id, at=seconds(20))

        visited, home = cso.participant_id, csp.participant_id
        assert agreements.homes_of(tx, visited, at=seconds(9)) == {home}
        assert agreements.visited_of(tx, home, at=seconds(9)) == {visited}
        assert agreements.homes_of(tx, visited, at=seconds(10)) == frozenset()
        assert agreements.visited_of(tx, home, at=seconds(10)) == frozenset()
        assert agreements.agreements_of(tx, home, at=seconds(10)) == ()
        assert len(agreements.agreements_of(tx, home)) == 1
