"""AuthorizeStart declared in spyne's own way: the peer of the engine benchmark."""

# spyne has no types to inherit or to keep.
# mypy: disable-error-code="misc,untyped-decorator"

from __future__ import annotations

from datetime import datetime
from typing import Any

from spyne import (
    Application,
    Boolean,
    ComplexModel,
    DateTime,
    Int,
    Long,
    ServiceBase,
    Unicode,
    rpc,
)
from spyne.protocol.soap import Soap11
from spyne.server.wsgi import WsgiApplication

COMMON = "urn:clearinghouse:iec63119:common:1"
AUTHORIZATION = "urn:clearinghouse:iec63119:authorization:1"

Uuid = Unicode(
    min_len=36, max_len=36, pattern="[0-9A-Fa-f]{8}(-[0-9A-Fa-f]{4}){3}-[0-9A-Fa-f]{12}"
)
PartyId = Unicode(min_len=5, max_len=5, pattern="[A-Z]{2}[A-Z0-9]{3}")
Kind = Unicode(
    values=["RFID", "STATIC_QR", "DYNAMIC_QR", "USERNAME", "PNC_CERTIFICATE"]
)


class ExchangeHeader(ComplexModel):
    __namespace__ = COMMON
    __type_name__ = "exchangeHeader"
    _type_info = [  # noqa: RUF012  # as spyne wants it
        ("messageId", Uuid(min_occurs=1)),
        ("senderId", PartyId(min_occurs=1)),
        ("receiverId", PartyId),
        ("createdAt", DateTime(min_occurs=1)),
        ("sessionToken", Unicode(max_len=128)),
    ]


class Credential(ComplexModel):
    __namespace__ = COMMON
    _type_info = [  # noqa: RUF012
        ("kind", Kind(min_occurs=1)),
        (
            "value",
            Unicode(min_len=1, max_len=255, pattern="[!-~]{1,255}", min_occurs=1),
        ),
        ("secret", Unicode(min_len=1, max_len=64)),
    ]


class AuthorizeStartRequest(ComplexModel):
    __namespace__ = AUTHORIZATION
    __type_name__ = "authorizeStartRequest"
    _type_info = [  # noqa: RUF012
        ("evseId", Unicode(min_len=1, max_len=64, pattern="[ -~]{1,64}", min_occurs=1)),
        ("credential", Credential.customize(min_occurs=1)),
        ("partnerSessionId", Unicode(min_len=1, max_len=64, pattern="[!-~]{1,64}")),
        ("requestedService", Unicode(values=["CHARGING"])),
    ]


class Result(ComplexModel):
    __namespace__ = COMMON
    _type_info = [  # noqa: RUF012
        ("code", Int(min_occurs=1)),
        ("text", Unicode(min_occurs=1)),
        ("retryable", Boolean(min_occurs=1)),
        ("correlationId", Uuid(min_occurs=1)),
    ]


class AuthorizeStartResponse(ComplexModel):
    __namespace__ = AUTHORIZATION
    __type_name__ = "authorizeStartResponse"
    _type_info = [  # noqa: RUF012
        ("result", Result.customize(min_occurs=1)),
        ("decision", Unicode),
        ("reason", Unicode),
        ("sessionId", Uuid),
        ("cspId", PartyId),
        ("decisionSource", Unicode),
        ("listVersion", Int),
        ("validUntil", DateTime),
        ("maxEnergyWh", Long),
        ("maxDurationSeconds", Int),
    ]


def application(*, answer_id: str, now: datetime) -> Any:  # noqa: ANN401  # no types
    """Return the WSGI application that answers as the engine's handler does."""

    class Service(ServiceBase):
        __in_header__ = ExchangeHeader

        @rpc(
            AuthorizeStartRequest,
            _returns=AuthorizeStartResponse,
            _body_style="bare",
            _in_message_name="authorizeStartRequest",
            _out_message_name="authorizeStartResponse",
        )
        def authorize_start(self: Any, _request: Any) -> Any:  # noqa: ANN401
            return AuthorizeStartResponse(
                result=Result(
                    code=0, text="Done.", retryable=False, correlationId=answer_id
                ),
                decision="AUTHORIZED",
                sessionId=answer_id,
                cspId="NLTNM",
                decisionSource="LIST",
                listVersion=12,
                validUntil=now,
                maxEnergyWh=50_000,
                maxDurationSeconds=28_800,
            )

    protocol = Soap11(validator="lxml")
    return WsgiApplication(
        Application(
            [Service], AUTHORIZATION, in_protocol=protocol, out_protocol=Soap11()
        )
    )
