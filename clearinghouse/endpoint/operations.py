"""The operations that a partner offers: from the request to the answer.

One function per operation calls the partner's behaviour and puts its decision under
the result that every answer starts with.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import dataclass
from typing import Generic, TypeVar
from uuid import UUID

from lxml import etree

from clearinghouse import codes
from clearinghouse.codes import Code
from clearinghouse.endpoint.behaviour import CsoBehaviour, CspBehaviour
from clearinghouse.endpoint.codec import read_element, write_element
from clearinghouse.endpoint.messages import cso_endpoint as cso
from clearinghouse.endpoint.messages import csp_endpoint as csp
from clearinghouse.endpoint.messages.common import Result
from clearinghouse.endpoint.refusal import NotTakenError, RefusalError

_LOG = logging.getLogger(__name__)
_Behaviour = TypeVar("_Behaviour")
_Request = TypeVar("_Request")
_Response = TypeVar("_Response")


@dataclass(frozen=True, slots=True)
class Script(Generic[_Behaviour, _Request, _Response]):
    """One operation: its types and the function that makes the answer."""

    request: type[_Request]
    response: type[_Response]
    run: Callable[[_Behaviour, _Request, Result], _Response]

    def answer(
        self, behaviour: _Behaviour, element: etree._Element, correlation_id: UUID
    ) -> tuple[etree._Element, bool]:
        """Return the answer to a checked request, and whether it is final.

        Raises :class:`RefusalError` for a moment that no calendar has.
        """
        try:
            request = read_element(self.request, element)
        except ValueError as error:
            raise RefusalError(codes.SEMANTIC) from error
        code = codes.OK
        try:
            response = self.run(behaviour, request, _result(code, correlation_id))
        except NotTakenError as refused:
            code = refused.code
            _LOG.info("not taken: %s", code.name)
            response = self.response(result=_result(code, correlation_id))  # type: ignore[call-arg] # every answer starts with it
        name = str(element.tag).removesuffix("Request") + "Response"
        return write_element(response, name), not code.retryable


def _result(code: Code, correlation_id: UUID) -> Result:
    return Result(
        code=code.number,
        text=code.text,
        retryable=code.retryable,
        correlation_id=correlation_id,
    )


def _authorize(
    behaviour: CspBehaviour, request: csp.AuthorizeRequest, result: Result
) -> csp.AuthorizeResponse:
    made = behaviour.authorize(request)
    return csp.AuthorizeResponse(
        result=result,
        decision=made.decision,
        reason=made.reason,
        contract_id=made.contract_id,
        valid_until=made.valid_until,
        max_energy_wh=made.max_energy_wh,
    )


def _notify_session(
    behaviour: CspBehaviour, request: csp.NotifySessionRequest, result: Result
) -> csp.NotifySessionResponse:
    behaviour.notify_session(request)
    return csp.NotifySessionResponse(result=result)


def _deliver_sdrs(
    behaviour: CspBehaviour, request: csp.DeliverSdrsRequest, result: Result
) -> csp.DeliverSdrsResponse:
    behaviour.deliver_sdrs(request)
    return csp.DeliverSdrsResponse(result=result)


def _notify_settlement(
    behaviour: CspBehaviour, request: csp.NotifySettlementRequest, result: Result
) -> csp.NotifySettlementResponse:
    behaviour.notify_settlement(request)
    return csp.NotifySettlementResponse(result=result)


def _start_session(
    behaviour: CsoBehaviour, request: cso.StartSessionRequest, result: Result
) -> cso.StartSessionResponse:
    made = behaviour.start_session(request)
    return cso.StartSessionResponse(
        result=result,
        outcome=made.outcome,
        partner_session_id=made.partner_session_id,
        reason=made.reason,
    )


def _stop_session(
    behaviour: CsoBehaviour, request: cso.StopSessionRequest, result: Result
) -> cso.StopSessionResponse:
    outcome = behaviour.stop_session(request)
    return cso.StopSessionResponse(result=result, outcome=outcome)


def _notify_sdrs(
    behaviour: CsoBehaviour, request: cso.NotifySdrsRequest, result: Result
) -> cso.NotifySdrsResponse:
    behaviour.notify_sdrs(request)
    return cso.NotifySdrsResponse(result=result)


AUTHORIZE = Script(csp.AuthorizeRequest, csp.AuthorizeResponse, _authorize)
NOTIFY_SESSION = Script(
    csp.NotifySessionRequest, csp.NotifySessionResponse, _notify_session
)
DELIVER_SDRS = Script(csp.DeliverSdrsRequest, csp.DeliverSdrsResponse, _deliver_sdrs)
NOTIFY_SETTLEMENT = Script(
    csp.NotifySettlementRequest, csp.NotifySettlementResponse, _notify_settlement
)
START_SESSION = Script(
    cso.StartSessionRequest, cso.StartSessionResponse, _start_session
)
STOP_SESSION = Script(cso.StopSessionRequest, cso.StopSessionResponse, _stop_session)
NOTIFY_SDRS = Script(cso.NotifySdrsRequest, cso.NotifySdrsResponse, _notify_sdrs)
