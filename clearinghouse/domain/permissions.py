"""Who may call which operation: one table, default deny.

An operation that is not in the table is refused. The roles say who may call; the row
rule says on which rows, and the service keeps it. What the operator does (admit,
suspend, close a window) has no operation: it is done at the command line.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from types import MappingProxyType

from clearinghouse.codes import NOT_AUTHORISED
from clearinghouse.domain.errors import ClearingHouseError
from clearinghouse.domain.exchange import Role


class RowRule(StrEnum):
    """Which rows a sender may reach with an operation."""

    ANYONE = "ANYONE"  #: no rows; before a login
    SELF = "SELF"  #: its own entries: endpoints, lists, status, tariffs, batches
    AGREED = "AGREED"  #: entries of partners with an agreement in force
    OWN_EVSE = "OWN_EVSE"  #: an EVSE of its own
    VISITED_OF_SESSION = "VISITED_OF_SESSION"  #: sessions on its own EVSEs
    HOME_OF_SESSION = "HOME_OF_SESSION"  #: sessions of its own EV users
    PARTY_OF_SESSION = "PARTY_OF_SESSION"  #: either of these
    HOME_OF_SDR = "HOME_OF_SDR"  #: SDRs that it has to pay
    PARTY_OF_SDR = "PARTY_OF_SDR"  #: SDRs that it has to pay or has submitted


@dataclass(frozen=True, slots=True)
class Permission:
    """The roles that may call an operation, and the rows they reach by it."""

    roles: frozenset[Role]
    row_rule: RowRule
    needs_token: bool = True


_CSP = frozenset({Role.CSP})
_CSO = frozenset({Role.CSO})
_BOTH = frozenset({Role.CSP, Role.CSO})

PERMISSIONS: Mapping[str, Permission] = MappingProxyType(
    {
        # access
        "Login": Permission(_BOTH, RowRule.ANYONE, needs_token=False),
        "RenewToken": Permission(_BOTH, RowRule.SELF),
        "Logout": Permission(_BOTH, RowRule.SELF),
        "Heartbeat": Permission(_BOTH, RowRule.SELF),
        # directory
        "GetParticipants": Permission(_BOTH, RowRule.AGREED),
        "PutEndpoints": Permission(_BOTH, RowRule.SELF),
        # credential
        "PutCredentials": Permission(_CSP, RowRule.SELF),
        "UpdateCredentials": Permission(_CSP, RowRule.SELF),
        "GetCredentials": Permission(_CSO, RowRule.AGREED),
        # authorization: a visited CSP speaks for the CSO it collects from (4.2-visited)
        "AuthorizeStart": Permission(_BOTH, RowRule.OWN_EVSE),
        "AuthorizeStop": Permission(_BOTH, RowRule.VISITED_OF_SESSION),
        # session
        "StartSession": Permission(_CSP, RowRule.AGREED),
        "StopSession": Permission(_CSP, RowRule.HOME_OF_SESSION),
        "ReportSession": Permission(_BOTH, RowRule.VISITED_OF_SESSION),
        "GetSession": Permission(_BOTH, RowRule.PARTY_OF_SESSION),
        # evse
        "PutEvses": Permission(_CSO, RowRule.SELF),
        "UpdateEvses": Permission(_CSO, RowRule.SELF),
        "GetEvses": Permission(_CSP, RowRule.AGREED),
        "PutStatus": Permission(_CSO, RowRule.OWN_EVSE),
        "GetStatus": Permission(_CSP, RowRule.AGREED),
        # tariff: whoever submits SDRs publishes the tariffs they name
        "PutTariffs": Permission(_BOTH, RowRule.SELF),
        "GetTariffs": Permission(_BOTH, RowRule.AGREED),
        # sdr
        "SubmitSdrs": Permission(_BOTH, RowRule.SELF),
        "GetSdrs": Permission(_BOTH, RowRule.PARTY_OF_SDR),
        "ConfirmSdrs": Permission(_CSP, RowRule.HOME_OF_SDR),
        "GetSdrStatus": Permission(_BOTH, RowRule.PARTY_OF_SDR),
        "GetDigest": Permission(_BOTH, RowRule.PARTY_OF_SDR),
        "DisputeSdr": Permission(_CSP, RowRule.HOME_OF_SDR),
        "AnswerDispute": Permission(_BOTH, RowRule.PARTY_OF_SDR),
        "GetDisputes": Permission(_BOTH, RowRule.PARTY_OF_SDR),
        # settlement
        "GetPositions": Permission(_BOTH, RowRule.SELF),
        "ListStatements": Permission(_BOTH, RowRule.SELF),
        "GetStatement": Permission(_BOTH, RowRule.SELF),
        "GetProof": Permission(_BOTH, RowRule.PARTY_OF_SDR),
        "GetSigningKeys": Permission(_BOTH, RowRule.SELF),
        "ListInvoices": Permission(_BOTH, RowRule.SELF),
        "GetInvoice": Permission(_BOTH, RowRule.SELF),
    }
)


def require(operation: str, roles: frozenset[Role]) -> Permission:
    """Return the permission of an operation for a sender with these roles.

    Raises :class:`ClearingHouseError` (``CH.NOT_AUTHORISED``) when the operation is not
    in the table or none of the roles may call it (clause 7.2-token).
    """
    permission = PERMISSIONS.get(operation)
    if permission is None or permission.roles.isdisjoint(roles):
        raise ClearingHouseError(NOT_AUTHORISED, f"{operation} for {sorted(roles)}")
    return permission
