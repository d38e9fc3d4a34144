"""The facts of an authorization."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from clearinghouse.domain.participants import EndpointService, ParticipantStatus
from clearinghouse.identifiers.credential import CredentialKind
from clearinghouse.storage import authorization, credentials, directory, participants
from tests.builders import (
    NOW,
    make_agreement,
    make_cso,
    make_csp,
    make_entry,
    make_list_part,
)

if TYPE_CHECKING:
    from clearinghouse.domain.participants import Participant
    from clearinghouse.storage.database import Database


def _question(
    visited: Participant, subject_id: int | None, provider: Participant | None
) -> authorization.Question:
    return authorization.Question(
        kind=CredentialKind.RFID,
        visited_id=visited.participant_id,
        evse_key="DEABCE1",
        subject_id=subject_id,
        provider_id=None if provider is None else provider.participant_id,
        at=NOW,
    )


@pytest.mark.clause("5-B2")
def test_list_entry_names_the_home_csp_and_its_agreement(database: Database) -> None:
    with database.begin() as tx:
        cso, csp, other = make_cso(tx), make_csp(tx), make_csp(tx, "FRXYZ")
        agreed = make_agreement(tx, cso, csp)
        credentials.apply_delta(
            tx, make_list_part(csp), upserts=[make_entry(1)], removals=[]
        )
        endpoint = directory.Endpoint(
            participant_id=csp.participant_id,
            service=EndpointService.CSP_ENDPOINT,
            url="https://csp.example",
            registered_at=NOW,
        )
        directory.put_endpoint(tx, endpoint)

        facts = authorization.station(tx, _question(cso, 1, other)).facts

    assert facts.home is not None
    assert facts.home.participant_id == csp.participant_id
    assert facts.home.agreement == agreed
    assert (facts.home.is_active, facts.home.can_be_asked) == (True, True)
    assert facts.listed is not None


def test_provider_of_the_value_is_asked_when_no_list_holds_it(
    database: Database,
) -> None:
    with database.begin() as tx:
        cso, csp = make_cso(tx), make_csp(tx)
        participants.set_status(tx, csp.participant_id, ParticipantStatus.SUSPENDED)

        facts = authorization.station(tx, _question(cso, None, csp)).facts
        stranger = authorization.station(tx, _question(cso, 77, None))

    assert facts.listed is None
    assert facts.home is not None
    assert facts.home.agreement is None
    assert (facts.home.is_active, facts.home.can_be_asked) == (False, False)
    assert stranger.facts.home is None
    assert stranger.operator_id is None
