"""The directory: agreed partners, and where a partner is reached."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import TYPE_CHECKING
from uuid import uuid4

import pytest

from clearinghouse import codes
from clearinghouse.domain.agreements import Mode
from clearinghouse.domain.exchange import Role
from clearinghouse.domain.link import Link, LinkState
from clearinghouse.domain.outbox import DeliveryState, NextStep
from clearinghouse.domain.participants import EndpointService, ParticipantStatus
from clearinghouse.services.directory import token_purpose
from clearinghouse.storage import (
    agreements,
    audit,
    directory,
    links,
    outbox,
    participants,
)
from clearinghouse.storage.outbox import Claim
from tests.builders import (
    make_agreement,
    make_cso,
    make_csp,
    make_delivery,
    make_participant,
)
from tests.stored import stored_delivery

if TYPE_CHECKING:
    from collections.abc import Callable

    from clearinghouse.domain.participants import Participant
    from clearinghouse.services.environment import Environment
    from tests.fixtures.engine import Answer, Speaker
    from tests.fixtures.partners import StillClock
    from tests.fixtures.roaming import Roaming


def endpoint(
    url: str = "https://127.0.0.1:8443/services/csp-endpoint",
    service: str = "csp-endpoint",
    token: str | None = None,
) -> str:
    key = "" if token is None else f"<accessToken>{token}</accessToken>"
    return f"<endpoint><service>{service}</service><url>{url}</url>{key}</endpoint>"


def pulled(speaker: Speaker, cursor: str = "", limit: int | None = None) -> Answer:
    bound = "" if limit is None else f"<limit>{limit}</limit>"
    return speaker.call(
        "directory", "GetParticipants", f"<cursor>{cursor}</cursor>{bound}"
    )


def names(answer: Answer) -> list[str]:
    return [one.text or "" for one in answer.all("partyId")]


@pytest.mark.clause("5-A")
def test_partner_sees_the_partners_it_has_an_agreement_with(
    roaming: Roaming, env: Environment
) -> None:
    with env.database.begin() as tx:
        make_csp(tx, "DEXYZ")  # nobody agreed with it

    answer = pulled(roaming.cso_speaks)

    assert answer.code == 0
    (partner,) = answer.all("participant")
    told = answer.children(partner)
    assert told["partyId"] == "DEABC"
    assert told["role"] == "CSP"
    assert told["mode"] == "B2"
    assert told["connection"] == "UNKNOWN"
    assert "ended" not in told
    assert names(pulled(roaming.csp_speaks)) == ["CHREP"]


def test_directory_feed_ends_and_goes_on_with_what_changes(
    roaming: Roaming, env: Environment, clock: StillClock
) -> None:
    first = pulled(roaming.cso_speaks)
    cursor = first.required("nextCursor")
    nothing_new = pulled(roaming.cso_speaks, cursor)
    with env.database.begin() as tx:
        agreements.end_agreement(tx, roaming.agreement.agreement_id, at=clock.now())

    changed = pulled(roaming.cso_speaks, cursor)

    assert first.required("more") == "false"
    assert names(nothing_new) == []
    assert nothing_new.required("nextCursor") == cursor
    assert names(changed) == ["DEABC"]
    assert changed.required("ended") == "true"


def test_directory_feed_comes_in_pages(roaming: Roaming, env: Environment) -> None:
    with env.database.begin() as tx:
        for party_id in ("DEP01", "DEP02"):
            make_agreement(tx, roaming.cso, make_csp(tx, party_id))

    first = pulled(roaming.cso_speaks, limit=2)
    second = pulled(roaming.cso_speaks, first.required("nextCursor"), limit=2)

    assert first.required("more") == "true"
    assert second.required("more") == "false"
    assert sorted(names(first) + names(second)) == ["DEABC", "DEP01", "DEP02"]


def test_suspended_partner_counts_as_ended(roaming: Roaming, env: Environment) -> None:
    with env.database.begin() as tx:
        participants.set_status(
            tx, roaming.csp.participant_id, ParticipantStatus.SUSPENDED
        )

    assert pulled(roaming.cso_speaks).required("ended") == "true"


def test_heartbeat_shows_partners_online_until_three_are_missed(
    roaming: Roaming, clock: StillClock
) -> None:
    roaming.csp_speaks.call(
        "access", "Heartbeat", f"<sentAt>{clock.at.isoformat()}</sentAt>"
    )

    online = pulled(roaming.cso_speaks).required("connection")
    clock.forward(seconds=901)
    offline = pulled(roaming.cso_speaks).required("connection")

    assert (online, offline) == ("ONLINE", "OFFLINE")


def test_refuses_a_cursor_that_is_not_ours(roaming: Roaming) -> None:
    answer = pulled(roaming.cso_speaks, "2026-11-22")

    assert answer.is_fault
    assert answer.code == codes.CURSOR.number


def test_registers_an_endpoint_with_its_key_sealed(
    roaming: Roaming, env: Environment
) -> None:
    key = "k" * 40

    answer = roaming.csp_speaks.call("directory", "PutEndpoints", endpoint(token=key))

    with env.database.begin_read_only() as tx:
        stored = directory.endpoint_of(
            tx, roaming.csp.participant_id, EndpointService.CSP_ENDPOINT
        )
        trail = audit.entries_before(tx)
    assert answer.code == 0
    assert stored is not None
    assert stored.url == "https://127.0.0.1:8443/services/csp-endpoint"
    assert stored.access_token_sealed is not None
    assert key.encode() not in stored.access_token_sealed
    purpose = token_purpose(roaming.csp.participant_id, EndpointService.CSP_ENDPOINT)
    assert env.vault.unseal(stored.access_token_sealed, purpose=purpose) == key
    assert [entry.action for entry in trail] == ["put_endpoints"]
    assert trail[0].actor == "DEABC"


def test_repeated_endpoints_get_the_stored_answer_and_change_nothing(
    roaming: Roaming, env: Environment
) -> None:
    message_id = uuid4()
    speaker = roaming.csp_speaks

    first = speaker.call("directory", "PutEndpoints", endpoint(), message_id=message_id)
    repeat = speaker.call(
        "directory", "PutEndpoints", endpoint(), message_id=message_id
    )
    other = speaker.call(
        "directory",
        "PutEndpoints",
        endpoint("https://127.0.0.1:8443/other"),
        message_id=message_id,
    )

    with env.database.begin_read_only() as tx:
        assert len(audit.entries_before(tx)) == 1
    assert repeat.raw == first.raw
    assert other.is_fault
    assert other.code == codes.DUPLICATE_CONFLICT.number


def test_refuses_all_endpoints_when_one_is_not_allowed(
    roaming: Roaming, env: Environment
) -> None:
    answer = roaming.csp_speaks.call(
        "directory",
        "PutEndpoints",
        endpoint() + endpoint("https://user:pw@127.0.0.1/x"),
    )

    with env.database.begin_read_only() as tx:
        stored = directory.endpoints_of(tx, roaming.csp.participant_id)
    assert answer.code == codes.ENDPOINT_REFUSED.number
    assert not answer.is_fault
    assert answer.items[0]["index"] == "1"
    assert not stored


def test_refuses_an_endpoint_of_a_role_that_the_sender_has_not(
    roaming: Roaming,
) -> None:
    answer = roaming.csp_speaks.call(
        "directory", "PutEndpoints", endpoint(service="cso-endpoint")
    )

    assert answer.code == codes.ENDPOINT_REFUSED.number
    assert answer.items[0]["path"] == "endpoint/service"
    assert answer.items[0]["expected"] == "a service of the role CSP"


@pytest.mark.clause("4.2-dual")
def test_partner_of_both_roles_registers_both_endpoints(
    env: Environment, speaker: Callable[[Participant], Speaker]
) -> None:
    with env.database.begin() as tx:
        dual = make_participant(
            tx, party_id="DEDUA", roles=frozenset({Role.CSP, Role.CSO})
        )
        cso = make_cso(tx)
        make_agreement(tx, cso, dual)
        make_agreement(tx, dual, make_csp(tx), mode=Mode.C2)

    answer = speaker(dual).call(
        "directory", "PutEndpoints", endpoint() + endpoint(service="cso-endpoint")
    )

    assert answer.code == 0
    assert sorted(names(pulled(speaker(dual)))) == ["CHREP", "DEABC"]


def test_what_waited_for_a_partner_is_due_as_soon_as_it_registers(
    roaming: Roaming, env: Environment, clock: StillClock
) -> None:
    csp_id, service = roaming.csp.participant_id, EndpointService.CSP_ENDPOINT
    wait = NextStep(
        state=DeliveryState.READY,
        attempts=5,
        run_at=clock.at + timedelta(minutes=10),
        error=codes.PARTNER_NO_ENDPOINT,
    )
    broken = Link(state=LinkState.OPEN, open_until=wait.run_at, open_seconds=60)
    with env.database.begin() as tx:
        outbox.enqueue(tx, make_delivery(roaming.csp), at=clock.at)
        (claimed,) = outbox.claim_due(tx, Claim(now=clock.at))
        outbox.record_attempt(tx, claimed, wait, now=clock.at)
        links.save_link(tx, replace(links.link_of(tx, csp_id, service), link=broken))

    refused = roaming.csp_speaks.call(
        "directory", "PutEndpoints", endpoint("https://user:pw@127.0.0.1/x")
    )
    with env.database.begin_read_only() as tx:
        still = stored_delivery(tx, claimed.delivery_id)
        still_broken = links.link_of(tx, csp_id, service).link
    registered = roaming.csp_speaks.call("directory", "PutEndpoints", endpoint())
    with env.database.begin() as tx:
        due = outbox.claim_due(tx, Claim(now=clock.at))
        renewed = links.link_of(tx, csp_id, service).link

    assert (refused.code, registered.code) == (codes.ENDPOINT_REFUSED.number, 0)
    assert (still.run_at, still_broken) == (wait.run_at, broken)
    assert [one.delivery_id for one in due] == [claimed.delivery_id]
    assert renewed == Link()
