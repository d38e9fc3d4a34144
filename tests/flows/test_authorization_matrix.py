"""Who may call what: every operation with every kind of caller, through the engine.

The expected answers come from the table of permissions, written out once more by hand
here for the cells that must never open by mistake.
"""

from __future__ import annotations

import re
from dataclasses import replace
from datetime import timedelta
from enum import StrEnum
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING
from uuid import uuid4

import pytest

from clearinghouse import codes
from clearinghouse.domain.exchange import Role
from clearinghouse.domain.participants import ParticipantStatus
from clearinghouse.domain.permissions import PERMISSIONS
from clearinghouse.facades import iec63119
from clearinghouse.facades.iec63119.access import Authenticator
from clearinghouse.soap.binding import Bindings
from clearinghouse.soap.faults import SoapFault
from clearinghouse.storage import participants
from tests.builders import make_participant
from tests.fixtures.engine import issue_token, post

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from clearinghouse.contract.catalogue import Contract, OperationContract
    from clearinghouse.domain.participants import Participant
    from clearinghouse.services.environment import Environment
    from tests.fixtures.engine import Answer, Speaker
    from tests.fixtures.partners import StillClock

EXAMPLES = Path(__file__).parents[1] / "examples"

#: Operations of one role only; both lists together with the shared ones are all.
OF_CSPS = frozenset(
    {
        "ConfirmSdrs",
        "DisputeSdr",
        "GetEvses",
        "GetStatus",
        "PutCredentials",
        "StartSession",
        "StopSession",
        "UpdateCredentials",
    }
)
OF_CSOS = frozenset({"GetCredentials", "PutEvses", "PutStatus", "UpdateEvses"})
WITHOUT_TOKEN = frozenset({"Login"})


class Caller(StrEnum):
    """Who calls."""

    CSP = "CSP"
    CSO = "CSO"
    BOTH = "BOTH"
    NOBODY = "NOBODY"  #: without a token
    INVENTED = "INVENTED"  #: with a token that never was
    EXPIRED = "EXPIRED"
    SUSPENDED = "SUSPENDED"
    PRETENDER = "PRETENDER"  #: a good token, and the name of another


class Cell(StrEnum):
    """What becomes of a call."""

    REACHED = "REACHED"
    NOT_AUTHORISED = "NOT_AUTHORISED"
    NO_TOKEN = "NO_TOKEN"
    BROKEN = "BROKEN"  #: an error of our own: never expected


ROLES = {
    Caller.CSP: frozenset({Role.CSP}),
    Caller.CSO: frozenset({Role.CSO}),
}


def offered(contract: Contract) -> list[OperationContract]:
    return [
        operation
        for service in contract.services.values()
        if not service.offered_by_partners
        for operation in service.operations
    ]


def expected(operation: str, caller: Caller) -> Cell:
    if operation in WITHOUT_TOKEN:
        return Cell.REACHED
    if caller in (Caller.NOBODY, Caller.INVENTED, Caller.EXPIRED, Caller.SUSPENDED):
        return Cell.NO_TOKEN
    if caller is Caller.PRETENDER:
        return Cell.NOT_AUTHORISED
    closed = {Caller.CSP: OF_CSOS, Caller.CSO: OF_CSPS, Caller.BOTH: frozenset()}
    return Cell.NOT_AUTHORISED if operation in closed[caller] else Cell.REACHED


def cell(answer: Answer) -> Cell:
    if answer.is_fault and answer.code == codes.NOT_AUTHORISED.number:
        return Cell.NOT_AUTHORISED
    if answer.is_fault and answer.code == codes.TOKEN.number:
        return Cell.NO_TOKEN
    if answer.code == codes.INTERNAL.number:
        return Cell.BROKEN
    return Cell.REACHED


def example(operation: OperationContract, speaker: Speaker) -> bytes:
    """Return the published example of a request with the speaker's own header."""
    path = EXAMPLES / operation.service / "valid" / f"{operation.name}.xml"
    text = path.read_text(encoding="utf-8")
    token = speaker.token
    header = (
        f"<common:messageId>{uuid4()}</common:messageId>"
        f"<common:senderId>{speaker.party_id}</common:senderId>"
        f"<common:createdAt>{speaker.clock.now().isoformat()}</common:createdAt>"
    )
    if token is not None:
        header += f"<common:sessionToken>{token}</common:sessionToken>"
    pattern = re.compile(
        r"(<common:exchangeHeader[^>]*>).*?(</common:exchangeHeader>)", re.DOTALL
    )
    return pattern.sub(rf"\g<1>{header}\g<2>", text).encode()


def client_now(env: Environment, caller: Caller, client: Speaker) -> Speaker:
    """Return the client for the next call."""
    match caller:
        case Caller.NOBODY:
            return replace(client, token=None)
        case Caller.INVENTED:
            return replace(client, token="ch1_" + "A" * 43)
        case Caller.EXPIRED | Caller.SUSPENDED:
            return client
        case _:
            # a token for each call: Logout must not end the others'
            token = issue_token(env, client.party_id)
            other = caller is Caller.PRETENDER
            return replace(
                client, party_id="DEOTH" if other else client.party_id, token=token
            )


@pytest.fixture
def caller_of(
    env: Environment,
    clock: StillClock,
    speaker: Callable[[Participant], Speaker],
) -> Callable[[Caller], Callable[[], Speaker]]:
    """Give a function from a kind of caller to a maker of its clients."""

    def of(caller: Caller) -> Callable[[], Speaker]:
        roles = ROLES.get(caller, frozenset(Role))
        with env.database.begin() as tx:
            participant = make_participant(tx, party_id="DEWHO", roles=roles)
        client = speaker(participant)
        if caller is Caller.EXPIRED:
            clock.forward(seconds=1200)
        if caller is Caller.SUSPENDED:
            with env.database.begin() as tx:
                suspended = ParticipantStatus.SUSPENDED
                participants.set_status(tx, participant.participant_id, suspended)

        return partial(client_now, env, caller, client)

    return of


@pytest.mark.clause("7.2-token")
@pytest.mark.clause("7.1-source")
@pytest.mark.parametrize("caller", list(Caller))
def test_every_cell_of_the_matrix_is_as_written(
    contract: Contract,
    caller_of: Callable[[Caller], Callable[[], Speaker]],
    caller: Caller,
) -> None:
    make = caller_of(caller)

    found: Mapping[str, Cell] = {
        operation.name: cell(
            post(client.engine, operation.service, example(operation, client))
        )
        for operation in offered(contract)
        for client in [make()]
    }

    assert found == {name: expected(name, caller) for name in found}


def test_every_operation_has_a_handler_and_a_permission(contract: Contract) -> None:
    names = {operation.name for operation in offered(contract)}
    handled = [spec.name for spec in iec63119.specs()]

    assert names == set(PERMISSIONS)
    assert names == set(handled)
    assert len(handled) == len(set(handled))


def test_table_says_what_the_matrix_says() -> None:
    for name, permission in PERMISSIONS.items():
        assert (Role.CSP in permission.roles) == (name not in OF_CSOS), name
        assert (Role.CSO in permission.roles) == (name not in OF_CSPS), name
        assert permission.needs_token == (name not in WITHOUT_TOKEN), name


def test_operation_without_a_permission_is_closed_to_all(
    env: Environment, contract: Contract
) -> None:
    header = Bindings(contract.model).new(
        "common:ExchangeHeader",
        message_id=str(uuid4()),
        sender_id="DEWHO",
        created_at=env.clock.now() - timedelta(seconds=1),
    )

    with pytest.raises(SoapFault) as refused:
        Authenticator(env)(header, "OpenTheVault")

    assert refused.value.code is codes.NOT_AUTHORISED
