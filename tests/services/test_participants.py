"""Partners as the operator's own acts: admitted, suspended, let in again."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from clearinghouse import codes
from clearinghouse.domain.errors import ClearingHouseError
from clearinghouse.domain.exchange import Role
from clearinghouse.domain.participants import ParticipantStatus
from clearinghouse.services import access, participants
from clearinghouse.services.participants import Admission
from clearinghouse.storage import audit
from tests.builders import NOW, make_csp

if TYPE_CHECKING:
    from collections.abc import Callable

    from clearinghouse.domain.participants import Participant
    from clearinghouse.services.environment import Environment
    from tests.fixtures.engine import Speaker

ADMISSION = Admission(
    party_id="DEABC",
    name="Abc Mobility GmbH",
    country="DE",
    roles=frozenset({Role.CSP, Role.CSO}),
    aliases=frozenset({"NLTNM"}),
)


def acts(env: Environment) -> list[tuple[str, str, str]]:
    """Return the audit trail from its beginning."""
    with env.database.begin_read_only() as tx:
        entries = audit.entries_before(tx)
    return [(one.actor, one.action, one.object) for one in reversed(entries)]


@pytest.mark.clause("4.2-dual")
def test_admitted_partner_takes_part_under_all_its_ids(env: Environment) -> None:
    admitted = participants.admit(env, ADMISSION)

    assert participants.all_participants(env) == (admitted,)
    assert admitted.is_active
    assert admitted.roles == {Role.CSP, Role.CSO}
    assert admitted.aliases == {"DEABC", "NLTNM"}
    assert acts(env) == [("operator", "admit", "DEABC")]


@pytest.mark.parametrize(
    ("wrong", "path"),
    [
        (replace(ADMISSION, party_id="DEABCD"), "partyId"),
        (replace(ADMISSION, aliases=frozenset({"NL"})), "alias"),
        (replace(ADMISSION, name=""), "name"),
        (replace(ADMISSION, name="x" * 101), "name"),
        (replace(ADMISSION, name="two\nlines"), "name"),
        (replace(ADMISSION, name="Abc\u200b Mobility"), "name"),
        (replace(ADMISSION, name="Abc\u202eytiliboM"), "name"),
        (replace(ADMISSION, name="  "), "name"),
        (replace(ADMISSION, country="ZZ"), "country"),
        (replace(ADMISSION, country="de"), "country"),
        (replace(ADMISSION, country="DEU"), "country"),
        (replace(ADMISSION, roles=frozenset()), "role"),
    ],
)
def test_refuses_what_no_partner_can_be(
    env: Environment, wrong: Admission, path: str
) -> None:
    with pytest.raises(ClearingHouseError) as refused:
        participants.admit(env, wrong)

    assert refused.value.code is codes.SEMANTIC
    assert [item.path for item in refused.value.items] == [path]
    assert participants.all_participants(env) == ()


def test_refuses_an_id_that_another_partner_uses(env: Environment) -> None:
    participants.admit(env, ADMISSION)
    twin = replace(ADMISSION, party_id="FRXYZ", aliases=frozenset({"NLTNM"}))

    with pytest.raises(ClearingHouseError) as refused:
        participants.admit(env, twin)

    assert refused.value.code is codes.SEMANTIC
    assert refused.value.detail == "NLTNM is taken by DEABC"
    assert [one.party_id for one in participants.all_participants(env)] == ["DEABC"]
    assert len(acts(env)) == 1


def test_ids_may_be_written_with_separators_and_small_letters(
    env: Environment,
) -> None:
    written = replace(ADMISSION, party_id="de*abc", aliases=frozenset({"NL-TNM"}))

    admitted = participants.admit(env, written)
    suspended = participants.suspend(env, "DE-ABC")

    assert admitted.party_id == "DEABC"
    assert admitted.aliases == {"DEABC", "NLTNM"}
    assert suspended.party_id == "DEABC"
    assert [subject for _, _, subject in acts(env)] == ["DEABC", "DEABC"]


def test_partners_are_listed_by_party_id(env: Environment) -> None:
    for party_id in ("NLTNM", "CHREP", "DEABC"):
        participants.admit(
            env, replace(ADMISSION, party_id=party_id, aliases=frozenset())
        )

    listed = [one.party_id for one in participants.all_participants(env)]

    assert listed == ["CHREP", "DEABC", "NLTNM"]


@pytest.mark.clause("7.2-session")
def test_suspension_ends_the_partners_sessions_for_good(
    env: Environment, speaker: Callable[[Participant], Speaker]
) -> None:
    with env.database.begin() as tx:
        csp = make_csp(tx)
    token = speaker(csp).token or ""
    access.authenticate(env, token, from_database=True)

    suspended = participants.suspend(env, "DEABC")
    with pytest.raises(ClearingHouseError) as meanwhile:
        access.authenticate(env, token, from_database=True)
    resumed = participants.resume(env, "DEABC")
    with pytest.raises(ClearingHouseError) as afterwards:
        access.authenticate(env, token, from_database=True)

    assert suspended.status is ParticipantStatus.SUSPENDED
    assert resumed.is_active
    assert {meanwhile.value.code, afterwards.value.code} == {codes.TOKEN}
    assert acts(env) == [
        ("operator", "set suspended", "DEABC"),
        ("operator", "set active", "DEABC"),
    ]


def test_suspended_partner_cannot_log_in_until_it_is_resumed(
    env: Environment, speaker: Callable[[Participant], Speaker]
) -> None:
    with env.database.begin() as tx:
        csp = make_csp(tx)
    client = speaker(csp)

    participants.suspend(env, "DEABC")
    with pytest.raises(AssertionError, match="sessionToken"):
        client.logged_in()
    participants.resume(env, "DEABC")
    answer = client.logged_in().call(
        "access", "Heartbeat", f"<sentAt>{NOW.isoformat()}</sentAt>"
    )

    assert answer.code == 0


def test_further_id_is_one_partners_only(env: Environment) -> None:
    participants.admit(env, ADMISSION)
    other = replace(ADMISSION, party_id="CHREP", aliases=frozenset())
    participants.admit(env, other)

    widened = participants.add_alias(env, "CHREP", "fr*xyz")

    assert widened.aliases == {"CHREP", "FRXYZ"}
    assert acts(env)[-1] == ("operator", "add alias", "CHREP FRXYZ")
    for taken in ("FRXYZ", "NLTNM", "no id"):
        with pytest.raises(ClearingHouseError) as refused:
            participants.add_alias(env, "DEABC", taken)
        assert refused.value.code is codes.SEMANTIC
    assert len(acts(env)) == 3


@pytest.mark.parametrize("change", [participants.suspend, participants.resume])
def test_nobody_is_suspended_or_resumed_who_is_not_there(
    env: Environment, change: Callable[[Environment, str], Participant]
) -> None:
    with pytest.raises(ClearingHouseError) as refused:
        change(env, "FRXXX")

    assert refused.value.code is codes.UNKNOWN_PARTICIPANT
    assert acts(env) == []
