"""Service access: login, tokens, heartbeat; and who may call what at all.

The answers of Login and RenewToken hold a token and are never stored, so these two do
not replay: a repeat gets another token. A repeated Heartbeat is another heartbeat.
"""

from __future__ import annotations

from clearinghouse import codes
from clearinghouse.domain import permissions
from clearinghouse.domain.errors import ClearingHouseError
from clearinghouse.domain.exchange import Sender
from clearinghouse.facades.iec63119 import faults, results
from clearinghouse.facades.iec63119.operations import Desk, OperationSpec, sender_of
from clearinghouse.facades.iec63119.vocabulary import ROLE
from clearinghouse.services import access
from clearinghouse.services.access import Credentials, Pulse
from clearinghouse.services.environment import Environment
from clearinghouse.services.outcomes import Done
from clearinghouse.soap.binding import Record
from clearinghouse.soap.operations import Call

#: Operations that move money, open doors, change keys or lists: their token is read
#: from the database each time, so that a revoked one dies at once (clause 7.2-token).
CHECKED_EACH_TIME = frozenset(
    {
        "ConfirmSdrs",
        "GetInvoice",
        "GetStatement",
        "Logout",
        "PutCredentials",
        "PutEndpoints",
        "PutEvses",
        "PutTariffs",
        "RenewToken",
        "StartSession",
        "StopSession",
        "SubmitSdrs",
        "UpdateCredentials",
        "UpdateEvses",
    }
)


class Authenticator:
    """Says who sends a message, before any handler sees it: default deny."""

    def __init__(self, env: Environment) -> None:
        self._env = env

    def __call__(self, header: Record, operation: str) -> Sender | None:
        """Return the sender; ``None`` for an operation that needs no token (Login).

        Raises :class:`~clearinghouse.soap.faults.SoapFault`: ``CH.TOKEN`` without a
        good token, ``CH.NOT_AUTHORISED`` when the header names another sender, or the
        operation is not for the sender's roles, ``CH.HEADER`` when the message is for
        somebody else.
        """
        try:
            return self._sender(header, operation)
        except ClearingHouseError as error:
            raise faults.fault_of(error) from error

    def _sender(self, header: Record, operation: str) -> Sender | None:
        permission = permissions.PERMISSIONS.get(operation)
        if permission is None:
            raise ClearingHouseError(codes.NOT_AUTHORISED, operation)
        if header.receiver_id not in (None, self._env.limits.party_id):
            raise ClearingHouseError(codes.HEADER, "for another receiver")
        if not permission.needs_token:
            return None
        if header.session_token is None:
            raise ClearingHouseError(codes.TOKEN, "no token")
        sender = access.authenticate(
            self._env,
            header.session_token,
            from_database=operation in CHECKED_EACH_TIME,
        )
        if header.sender_id != sender.party_id:
            why = f"as {header.sender_id}"
            access.note_refusal(self._env, sender, operation, why)
            raise ClearingHouseError(codes.NOT_AUTHORISED, why)
        try:
            permissions.require(operation, sender.roles)
        except ClearingHouseError:
            access.note_refusal(self._env, sender, operation, "not for its role")
            raise
        return sender


def _login(desk: Desk, call: Call) -> bytes:
    presented = Credentials(
        party_id=call.header.sender_id,
        username=call.body.username,
        password=call.body.password,
        address=call.remote_address,
    )
    issued = access.login(desk.env, presented)
    return results.answer(
        desk.bindings,
        call,
        Done(),
        session_token=issued.token,
        expires_at=issued.expires_at,
        role=[ROLE.write(role) for role in sorted(issued.roles)],
        heartbeat_seconds=desk.env.limits.heartbeat_seconds,
    )


def _renew_token(desk: Desk, call: Call) -> bytes:
    issued = access.renew_token(desk.env, call.header.session_token)
    return results.answer(
        desk.bindings,
        call,
        Done(),
        session_token=issued.token,
        expires_at=issued.expires_at,
    )


def _logout(desk: Desk, call: Call) -> bytes:
    access.logout(desk.env, call.header.session_token)
    return results.answer(desk.bindings, call, Done())


def _heartbeat(desk: Desk, call: Call) -> bytes:
    pulse: Pulse = access.heartbeat(
        desk.env,
        sender_of(call),
        sent_at=call.body.sent_at,
        received_at=call.received_at,
    )
    return results.answer(
        desk.bindings,
        call,
        Done(code=pulse.code),
        clearing_house_time=pulse.now,
        period_seconds=pulse.period_seconds,
        skew_milliseconds=pulse.skew_ms,
    )


OPERATIONS = (
    OperationSpec(service="access", name="Login", handle=_login, changes=False),
    OperationSpec(
        service="access", name="RenewToken", handle=_renew_token, changes=False
    ),
    OperationSpec(service="access", name="Logout", handle=_logout, changes=False),
    OperationSpec(service="access", name="Heartbeat", handle=_heartbeat, changes=False),
)
