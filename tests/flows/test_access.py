"""Login, tokens and heartbeat, through the engine (clause 7.2)."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

import pytest
from sqlalchemy import text

from clearinghouse import codes
from clearinghouse.domain.participants import ParticipantStatus
from clearinghouse.services import passwords
from clearinghouse.storage import access, audit, participants
from clearinghouse.storage.access import AccountStatus
from tests.fixtures.engine import PASSWORD, username

if TYPE_CHECKING:
    from clearinghouse.services.environment import Environment
    from tests.fixtures.engine import Answer, Speaker
    from tests.fixtures.partners import StillClock
    from tests.fixtures.roaming import Roaming


def login(
    speaker: Speaker, name: str | None = None, password: str = PASSWORD
) -> Answer:
    return replace(speaker, token=None).call(
        "access",
        "Login",
        f"<username>{name or username(speaker.party_id)}</username>"
        f"<password>{password}</password>",
    )


def works(speaker: Speaker) -> bool:
    return not speaker.call("directory", "GetParticipants").is_fault


def trail(roaming: Roaming) -> list[tuple[str, str, str, str]]:
    with roaming.env.database.begin_read_only() as tx:
        entries = audit.entries_before(tx)
    return [(one.actor, one.action, one.object, one.outcome) for one in entries]


def set_status(roaming: Roaming, status: ParticipantStatus) -> None:
    with roaming.env.database.begin() as tx:
        participants.set_status(tx, roaming.cso.participant_id, status)


@pytest.mark.clause("7.2-login")
@pytest.mark.clause("7.2-token")
@pytest.mark.clause("7.2-session")
def test_login_gives_a_token_that_opens_the_other_services(roaming: Roaming) -> None:
    answer = login(roaming.cso_speaks)

    token = answer.required("sessionToken")
    assert answer.code == 0
    assert token.startswith("ch1_")
    assert len(token) == len("ch1_") + 43
    assert [one.text for one in answer.all("role")] == ["CSO"]
    assert works(replace(roaming.cso_speaks, token=token))


@pytest.mark.clause("7.2-expiry")
def test_token_lives_twenty_minutes_and_not_a_second_longer(
    roaming: Roaming, clock: StillClock
) -> None:
    answer = login(roaming.cso_speaks)
    speaker = replace(roaming.cso_speaks, token=answer.required("sessionToken"))
    expires_at = datetime.fromisoformat(answer.required("expiresAt"))

    clock.forward(seconds=1199)
    before = works(speaker)
    clock.forward(seconds=1)

    assert expires_at == clock.at
    assert before
    assert speaker.call("directory", "GetParticipants").code == codes.TOKEN.number


def test_token_is_stored_as_a_digest_only(roaming: Roaming) -> None:
    token = login(roaming.cso_speaks).required("sessionToken")

    with roaming.env.database.begin_read_only() as tx:
        rows = tx.execute(text("SELECT t::text FROM clearing.token t")).scalars().all()
        answers = tx.execute(text("SELECT answer FROM clearing.message")).all()
    assert rows
    assert all(token not in row for row in rows)
    assert not answers


@pytest.mark.clause("7.2-login")
def test_every_wrong_login_gets_the_same_fault(roaming: Roaming) -> None:
    wrong_password = login(roaming.cso_speaks, password="not this one, sorry")
    unknown_user = login(roaming.cso_speaks, name="nobody.machine")
    other_sender = login(
        replace(roaming.cso_speaks, party_id="DEXXX"), username("CHREP")
    )
    set_status(roaming, ParticipantStatus.SUSPENDED)
    suspended = login(roaming.cso_speaks)

    for answer in (wrong_password, unknown_user, other_sender, suspended):
        assert answer.is_fault
        assert answer.code == codes.LOGIN_FAILED.number
        assert answer.text("faultstring") == codes.LOGIN_FAILED.text
        assert not answer.has("item")


def test_refuses_login_of_a_disabled_account(
    roaming: Roaming, clock: StillClock
) -> None:
    with roaming.env.database.begin() as tx:
        account = access.account_by_username(tx, username("CHREP"))
        assert account is not None
        access.set_account_status(
            tx, account.account_id, AccountStatus.DISABLED, at=clock.now()
        )

    assert login(roaming.cso_speaks).code == codes.LOGIN_FAILED.number


def test_after_five_wrong_passwords_the_address_waits_and_nobody_else(
    roaming: Roaming, clock: StillClock
) -> None:
    for _ in range(5):
        login(roaming.cso_speaks, password="not this one, sorry")

    sixth = login(roaming.cso_speaks)
    owner = login(replace(roaming.cso_speaks, address="192.0.2.99"))
    clock.forward(seconds=61)

    assert sixth.code == codes.RATE.number
    assert sixth.status == 429
    assert owner.code == 0
    assert login(roaming.cso_speaks).code == 0


def test_twenty_first_login_from_an_address_within_a_minute_waits(
    roaming: Roaming,
) -> None:
    for number in range(20):
        login(roaming.cso_speaks, name=f"guess.{number}", password="x" * 12)

    elsewhere = replace(roaming.cso_speaks, address="192.0.2.99")

    assert login(roaming.cso_speaks).code == codes.RATE.number
    assert login(elsewhere).code == 0


@pytest.mark.clause("7.2-expiry")
def test_token_can_be_renewed_in_its_last_five_minutes_only(
    roaming: Roaming, clock: StillClock
) -> None:
    speaker = roaming.cso_speaks.logged_in()

    clock.forward(seconds=899)
    early = speaker.call("access", "RenewToken")
    clock.forward(seconds=1)
    renewed = speaker.call("access", "RenewToken")
    clock.forward(seconds=299)

    assert early.code == codes.RENEW_EARLY.number
    assert renewed.code == 0
    assert renewed.required("sessionToken") != speaker.token
    assert works(speaker), "the old token lives to its own end"
    clock.forward(seconds=1)
    assert not works(speaker)
    assert works(replace(speaker, token=renewed.required("sessionToken")))


@pytest.mark.clause("7.2-expiry")
def test_renewal_ends_eight_hours_after_the_login(
    roaming: Roaming, clock: StillClock
) -> None:
    speaker = roaming.cso_speaks.logged_in()
    since = clock.at
    for _ in range(28):
        clock.forward(seconds=1000)
        answer = speaker.call("access", "RenewToken")
        speaker = replace(speaker, token=answer.required("sessionToken"))

    clock.forward(seconds=600)
    refused = speaker.call("access", "RenewToken")

    assert refused.code == codes.LOGIN_NEEDED.number
    assert works(speaker)
    clock.at = since + timedelta(hours=8)
    assert not works(speaker)


def test_logout_ends_the_token_at_once(roaming: Roaming) -> None:
    speaker = roaming.cso_speaks.logged_in()
    assert works(speaker)

    answer = speaker.call("access", "Logout")

    assert answer.code == 0
    assert speaker.call("directory", "GetParticipants").code == codes.TOKEN.number


def test_tokens_die_within_five_seconds_of_a_password_change(
    roaming: Roaming, clock: StillClock
) -> None:
    assert works(roaming.cso_speaks)
    with roaming.env.database.begin() as tx:
        account = access.account_by_username(tx, username("CHREP"))
        assert account is not None
        new = passwords.hashed("another long password")
        access.set_password(tx, account.account_id, new, at=clock.now())

    clock.forward(seconds=5)

    assert not works(roaming.cso_speaks)


def test_suspended_participant_is_refused_within_five_seconds(
    roaming: Roaming, clock: StillClock
) -> None:
    assert works(roaming.cso_speaks)
    set_status(roaming, ParticipantStatus.SUSPENDED)

    at_once = roaming.cso_speaks.call(
        "directory",
        "PutEndpoints",
        "<endpoint><service>cso-endpoint</service>"
        "<url>https://cso.example/x</url></endpoint>",
    )
    clock.forward(seconds=5)

    assert at_once.code == codes.TOKEN.number, "keys change under a fresh check"
    assert (
        roaming.cso_speaks.call(
            "access", "Heartbeat", f"<sentAt>{clock.at.isoformat()}</sentAt>"
        ).code
        == codes.TOKEN.number
    )


@pytest.mark.clause("7.1-source")
def test_refuses_a_header_that_names_another_sender(roaming: Roaming) -> None:
    pretender = replace(roaming.cso_speaks, party_id=roaming.csp.party_id)

    answer = pretender.call("directory", "GetParticipants")

    assert answer.is_fault
    assert answer.code == codes.NOT_AUTHORISED.number
    assert trail(roaming) == [("CHREP", "GetParticipants", "as DEABC", "refused")]


@pytest.mark.clause("7.2-token")
def test_call_beyond_the_role_is_refused_and_kept_in_the_trail(
    roaming: Roaming,
) -> None:
    answer = roaming.cso_speaks.call("evse", "GetEvses", "<cursor></cursor>")

    assert answer.code == codes.NOT_AUTHORISED.number
    assert trail(roaming) == [("CHREP", "GetEvses", "not for its role", "refused")]


def test_refuses_a_message_for_another_receiver(roaming: Roaming) -> None:
    astray = replace(roaming.cso_speaks, receiver_id="DEOTH")
    meant = replace(roaming.cso_speaks, receiver_id="CHCLR")

    assert astray.call("directory", "GetParticipants").code == codes.HEADER.number
    assert works(meant)


def test_heartbeat_tells_time_period_and_skew(
    roaming: Roaming, env: Environment, clock: StillClock
) -> None:
    ahead = (clock.at + timedelta(seconds=2)).isoformat()
    far_behind = (clock.at - timedelta(seconds=90)).isoformat()

    answer = roaming.cso_speaks.call("access", "Heartbeat", f"<sentAt>{ahead}</sentAt>")
    warned = roaming.cso_speaks.call(
        "access", "Heartbeat", f"<sentAt>{far_behind}</sentAt>"
    )

    assert answer.code == 0
    assert datetime.fromisoformat(answer.required("clearingHouseTime")) == clock.at
    assert answer.required("periodSeconds") == "300"
    assert answer.required("skewMilliseconds") == "2000"
    assert warned.code == codes.CLOCK_SKEW.number
    with env.database.begin_read_only() as tx:
        stored = participants.participant_by_party_id(tx, "CHREP")
    assert stored is not None
    assert stored.skew_ms == -90_000
    assert stored.last_heartbeat_at == clock.at
