"""Credential lists: parts, holds, deltas, the feed (clause 4.3-I3)."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from hashlib import sha256
from typing import TYPE_CHECKING
from uuid import uuid4

import pytest

from clearinghouse.codes import CREDENTIAL_LIST_PARTS
from clearinghouse.domain.credentials import CredentialStatus, ListState
from clearinghouse.domain.errors import ClearingHouseError
from clearinghouse.storage import credentials, lists
from clearinghouse.storage.feeds import START, Cursor
from tests.builders import (
    NOW,
    make_csp,
    make_entry,
    make_list_part,
    seconds,
)

if TYPE_CHECKING:
    from sqlalchemy import Connection

    from clearinghouse.domain.participants import Participant
    from clearinghouse.storage.database import Database
    from tests.fixtures.database import Site


@pytest.fixture
def csp(database: Database) -> Participant:
    with database.begin() as tx:
        return make_csp(tx)


def _put(tx: Connection, csp: Participant, *subject_ids: int) -> int:
    part = make_list_part(csp, expected_count=len(subject_ids))
    entries = [make_entry(subject_id) for subject_id in subject_ids]
    credentials.stage_part(tx, part, entries)
    return credentials.apply_list(tx, csp.participant_id, part.list_id, at=NOW)


def _pull(
    database: Database, csp: Participant, cursor: Cursor
) -> tuple[dict[int, CredentialStatus], Cursor]:
    with database.begin_read_only() as tx:
        page = credentials.credentials_changed(
            tx, [csp.participant_id], cursor=cursor, limit=100
        )
    return {one.subject_id: one.status for one in page.items}, page.cursor


def test_list_takes_effect_when_its_last_part_came(
    database: Database, csp: Participant
) -> None:
    with database.begin() as tx:
        second = make_list_part(csp, expected_count=2, part=2, parts=2)
        first = make_list_part(
            csp, expected_count=2, part=1, parts=2, list_id=second.list_id
        )

        half = credentials.stage_part(tx, second, [make_entry(2)])
        assert credentials.listed_credential(tx, 2) is None
        whole = credentials.stage_part(tx, first, [make_entry(1)])

        version = credentials.apply_list(
            tx, csp.participant_id, first.list_id, at=seconds(5)
        )
        listed = credentials.listed_credential(tx, 1)

    assert (half.is_complete, half.entries) == (False, 1)
    assert (whole.is_complete, whole.entries) == (True, 2)
    assert version == 1
    assert listed is not None
    assert (listed.csp_id, listed.status) == (
        csp.participant_id,
        CredentialStatus.VALID,
    )
    assert (listed.list_version, listed.confirmed_at) == (1, seconds(5))


def test_part_is_known_by_its_content_even_when_its_list_is_in_force(
    database: Database, csp: Participant
) -> None:
    part = make_list_part(csp)
    with database.begin() as tx:
        before = lists.has_part(tx, credentials.STAGING, part)
        credentials.stage_part(tx, part, [make_entry(1)])
        staged = lists.has_part(tx, credentials.STAGING, part)
        credentials.apply_list(tx, csp.participant_id, part.list_id, at=NOW)
        applied = lists.has_part(tx, credentials.STAGING, part)

        other = replace(part, digest=sha256(b"another").digest())
        with pytest.raises(ClearingHouseError) as caught:
            lists.has_part(tx, credentials.STAGING, other)

    assert (before, staged, applied) == (False, True, True)
    assert caught.value.code is CREDENTIAL_LIST_PARTS
    assert [item.path for item in caught.value.items] == ["part"]


def test_part_whose_content_was_never_noted_counts_as_the_same(
    database: Database, csp: Participant, site: Site
) -> None:
    part = make_list_part(csp)
    with database.begin() as tx:
        credentials.stage_part(tx, part, [make_entry(1)])
    with site.superuser() as connection:
        connection.execute("DELETE FROM clearing.credential_list_part")

    with database.begin() as tx:
        assert lists.has_part(tx, credentials.STAGING, part)


@pytest.mark.parametrize(
    "misfit", [{"parts": 3}, {"expected_count": 9}, {"part": 3}, {"part": 0}]
)
def test_refuses_part_that_does_not_fit_the_others(
    database: Database, csp: Participant, misfit: dict[str, int]
) -> None:
    first = make_list_part(csp, parts=2)
    with database.begin() as tx:
        credentials.stage_part(tx, first, [make_entry(1)])
    fitting = {"list_id": first.list_id, "parts": 2, "part": 2}
    bad = make_list_part(csp, **(fitting | misfit))

    with pytest.raises(ClearingHouseError) as caught, database.begin() as tx:
        credentials.stage_part(tx, bad, [make_entry(2)])

    assert caught.value.code is CREDENTIAL_LIST_PARTS


def test_new_list_sets_the_unfinished_one_aside(
    database: Database, csp: Participant
) -> None:
    with database.begin() as tx:
        old = make_list_part(csp, parts=2)
        credentials.stage_part(tx, old, [make_entry(1)])
        credentials.stage_part(tx, make_list_part(csp), [make_entry(2)])

    with pytest.raises(ClearingHouseError), database.begin() as tx:
        credentials.stage_part(tx, old, [make_entry(1)])


def test_full_list_removes_what_it_does_not_name(
    database: Database, csp: Participant
) -> None:
    with database.begin() as tx:
        _put(tx, csp, 1, 2, 3)
    before, cursor = _pull(database, csp, START)

    with database.begin() as tx:
        part = make_list_part(csp)
        credentials.stage_part(tx, part, [make_entry(2), make_entry(4)])
        difference = credentials.difference(tx, csp.participant_id, part.list_id)
        version = credentials.apply_list(tx, csp.participant_id, part.list_id, at=NOW)
    after, _ = _pull(database, csp, cursor)

    assert set(before) == {1, 2, 3}
    assert difference == lists.Difference(present=3, removed=2)
    assert version == 2
    # The unchanged one is no news.
    assert after == {
        1: CredentialStatus.REMOVED,
        3: CredentialStatus.REMOVED,
        4: CredentialStatus.VALID,
    }


def test_unchanged_credential_is_confirmed_by_the_newer_list(
    database: Database, csp: Participant
) -> None:
    with database.begin() as tx:
        _put(tx, csp, 1)
        part = make_list_part(csp)
        credentials.stage_part(tx, part, [make_entry(1)])
        credentials.apply_list(
            tx, csp.participant_id, part.list_id, at=NOW + timedelta(days=1)
        )
        listed = credentials.listed_credential(tx, 1)

    assert listed is not None
    assert listed.list_version == 2
    assert listed.age_seconds(NOW + timedelta(days=1)) == 0


def test_held_list_waits_and_can_be_applied_or_discarded(
    database: Database, csp: Participant
) -> None:
    with database.begin() as tx:
        _put(tx, csp, 1, 2)
        part = make_list_part(csp, expected_count=0)
        credentials.stage_part(tx, part, [])
        lists.hold(tx, credentials.STAGING, csp.participant_id, part.list_id)
        (held,) = lists.held_lists(tx, credentials.STAGING)

        assert (held.list_id, held.state) == (part.list_id, ListState.HELD)
        lists.discard(tx, credentials.STAGING, csp.participant_id, part.list_id)

        assert lists.held_lists(tx, credentials.STAGING) == ()
        assert credentials.list_version(tx, csp.participant_id) == 1


def test_delta_changes_single_entries(database: Database, csp: Participant) -> None:
    with database.begin() as tx:
        _put(tx, csp, 1, 2, 3)
    _, cursor = _pull(database, csp, START)

    with database.begin() as tx:
        delta = credentials.apply_delta(
            tx,
            make_list_part(csp, received_at=seconds(60)),
            upserts=[make_entry(1, status=CredentialStatus.BLOCKED), make_entry(9)],
            removals=[2, 77],
        )
        listed = credentials.listed_credential(tx, 3)
    changes, _ = _pull(database, csp, cursor)

    assert delta == credentials.Delta(version=2, changed=3)
    assert changes == {
        1: CredentialStatus.BLOCKED,
        2: CredentialStatus.REMOVED,
        9: CredentialStatus.VALID,
    }
    assert listed is not None
    assert (listed.list_version, listed.confirmed_at) == (2, seconds(60))


def test_csp_does_not_touch_what_another_listed(
    database: Database, csp: Participant
) -> None:
    with database.begin() as tx:
        other = make_csp(tx, "FRXYZ")
        _put(tx, csp, 1)
        _put(tx, other, 1)
        credentials.apply_delta(
            tx,
            make_list_part(other),
            upserts=[make_entry(1, status=CredentialStatus.BLOCKED)],
            removals=[1],
        )
        listed = credentials.listed_credential(tx, 1)

    assert listed is not None
    assert (listed.csp_id, listed.status) == (
        csp.participant_id,
        CredentialStatus.VALID,
    )


def test_feed_shows_only_the_csps_asked_for(
    database: Database, csp: Participant
) -> None:
    with database.begin() as tx:
        other = make_csp(tx, "FRXYZ")
        _put(tx, csp, 1)
        _put(tx, other, 2)

    changes, _ = _pull(database, other, START)

    assert set(changes) == {2}


def test_last_mention_in_a_part_counts(database: Database, csp: Participant) -> None:
    with database.begin() as tx:
        part = make_list_part(csp, list_id=uuid4(), expected_count=2)
        blocked = make_entry(1, status=CredentialStatus.BLOCKED)
        staged = credentials.stage_part(tx, part, [make_entry(1), blocked])
        credentials.apply_list(tx, csp.participant_id, part.list_id, at=NOW)
        listed = credentials.listed_credential(tx, 1)

    assert staged.entries == 1
    assert listed is not None
    assert listed.status is CredentialStatus.BLOCKED
