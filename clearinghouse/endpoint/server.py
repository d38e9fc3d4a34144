"""The partner services, hosted by spyne under the authored contract.

spyne keeps what it is good at: the application, the service classes and their
dispatch. Its protocol is replaced, so that the authored schema is what is checked
and the authored WSDL is what is served, byte for byte. To offer an operation: the
contract first, then a method here and in the behaviour.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TypeVar, cast
from uuid import UUID, uuid4
from wsgiref.types import WSGIApplication

from lxml import etree

from clearinghouse import codes
from clearinghouse.contract.loader import AuthoredFiles
from clearinghouse.endpoint import operations
from clearinghouse.endpoint.behaviour import CsoBehaviour, CspBehaviour
from clearinghouse.endpoint.codec import namespace
from clearinghouse.endpoint.compat import (
    AnyXml,
    Application,
    Fault,
    MethodContext,
    ServiceBase,
    Soap11,
    WsgiApplication,
    rpc,
)
from clearinghouse.endpoint.envelope import (
    Envelope,
    Version,
    parse,
    take_apart,
    wrap,
    write_fault,
)
from clearinghouse.endpoint.exchange import (
    HEADER,
    Access,
    RecentAnswers,
    Schema,
    read_header,
)
from clearinghouse.endpoint.front import BODY_BYTES_MAX, Front
from clearinghouse.endpoint.messages.common import ExchangeHeader
from clearinghouse.endpoint.operations import Script
from clearinghouse.endpoint.refusal import RefusalError

B = TypeVar("B")
Q = TypeVar("Q")
R = TypeVar("R")


class ContractFault(Fault):
    """A refusal on its way through spyne, which lets only its own faults pass."""

    def __init__(self, refusal: RefusalError) -> None:
        super().__init__("Client", refusal.code.text)
        self.refusal = refusal


@contextmanager
def _as_spyne_faults() -> Iterator[None]:
    try:
        yield
    except RefusalError as refusal:
        raise ContractFault(refusal) from refusal


@dataclass(slots=True, kw_only=True)
class Exchange:
    """What is known of one message while spyne carries it."""

    correlation_id: UUID = field(default_factory=uuid4)
    version: Version = Version.V11
    header: ExchangeHeader = field(init=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class Host:
    """What a service needs beside its class: schema, access, behaviour."""

    schema: Schema
    access: Access
    answers: RecentAnswers
    behaviour: CspBehaviour | CsoBehaviour


class ContractSoap11(Soap11):
    """spyne's protocol with our envelope, our schema and our types."""

    def create_in_document(
        self, ctx: MethodContext, charset: str | None = None
    ) -> None:
        """Parse what came; the front has bounded it."""
        _ = charset
        ctx.udc = Exchange()
        with _as_spyne_faults():
            ctx.in_document = parse(b"".join(ctx.in_string))

    def decompose_incoming_envelope(
        self, ctx: MethodContext, message: str = Soap11.REQUEST
    ) -> None:
        """Take the envelope apart, check access and schema, name the operation."""
        _ = message
        with _as_spyne_faults():
            envelope = take_apart(ctx.in_document, frozenset({HEADER}))
            ctx.udc.version = envelope.version
            ctx.udc.header = self._admit(envelope)
        ctx.in_header_doc = list(envelope.headers)
        ctx.in_body_doc = envelope.body
        ctx.method_request_string = envelope.body.tag

    def _admit(self, envelope: Envelope) -> ExchangeHeader:
        host: Host = self.app.config
        header = read_header(envelope, host.schema)
        host.access.check(header)
        if envelope.body.tag not in self.app.interface.service_method_map:
            raise RefusalError(codes.UNKNOWN_OPERATION)
        host.schema.check(envelope.body)
        return header

    def deserialize(self, ctx: MethodContext, message: str) -> None:
        """Hand the checked element on; the service reads it."""
        _ = message
        ctx.in_object = ctx.in_body_doc

    def serialize(self, ctx: MethodContext, message: str) -> None:
        """Write the answer or the fault, in the SOAP version of the request."""
        _ = message
        exchange: Exchange = ctx.udc
        if ctx.out_error is None:
            text = wrap(ctx.out_object[0], exchange.version)
        else:
            refusal = _refusal_of(ctx.out_error)
            text = write_fault(refusal, exchange.version, exchange.correlation_id)
        ctx.out_string = [text]
        ctx.transport.resp_headers["Content-Type"] = exchange.version.content_type

    def create_out_string(self, ctx: MethodContext, charset: str | None = None) -> None:
        """Leave what :meth:`serialize` wrote."""


def _refusal_of(error: object) -> RefusalError:
    if isinstance(error, ContractFault):
        return error.refusal
    # Everything else is an error in a behaviour, which spyne has logged.
    return RefusalError(codes.INTERNAL)


def operation(name: str) -> Callable[[Callable[..., etree._Element]], object]:
    """Mark a method as an operation of the contract: element in, element out."""
    decorator: Callable[[Callable[..., etree._Element]], object] = rpc(
        AnyXml,
        _returns=AnyXml,
        _body_style="bare",
        _in_message_name=f"{name}Request",
        _out_message_name=f"{name}Response",
    )
    return decorator


def _answer(
    ctx: MethodContext, element: etree._Element, script: Script[B, Q, R]
) -> etree._Element:
    """Answer a message once, check the answer, and give it again to a repeat."""
    host: Host = ctx.app.config
    exchange: Exchange = ctx.udc

    def make() -> tuple[etree._Element, bool]:
        behaviour = cast("B", host.behaviour)
        made, final = script.answer(behaviour, element, exchange.correlation_id)
        host.schema.check(made)
        return made, final

    with _as_spyne_faults():
        return host.answers.answer(exchange.header, element, make)


# spyne's methods take the context where others take self.
class CspEndpoint(ServiceBase):
    """What a CSP offers to the clearing house."""

    @operation("authorize")
    def authorize(ctx: MethodContext, element: etree._Element) -> etree._Element:  # noqa: N805
        """Decide on a credential."""
        return _answer(ctx, element, operations.AUTHORIZE)

    @operation("notifySession")
    def notify_session(ctx: MethodContext, element: etree._Element) -> etree._Element:  # noqa: N805
        """Take note of an event of a session."""
        return _answer(ctx, element, operations.NOTIFY_SESSION)

    @operation("deliverSdrs")
    def deliver_sdrs(ctx: MethodContext, element: etree._Element) -> etree._Element:  # noqa: N805
        """Take SDRs."""
        return _answer(ctx, element, operations.DELIVER_SDRS)

    @operation("notifySettlement")
    def notify_settlement(
        ctx: MethodContext,  # noqa: N805
        element: etree._Element,
    ) -> etree._Element:
        """Take news of the settlement."""
        return _answer(ctx, element, operations.NOTIFY_SETTLEMENT)


class CsoEndpoint(ServiceBase):
    """What a CSO offers to the clearing house."""

    @operation("startSession")
    def start_session(ctx: MethodContext, element: etree._Element) -> etree._Element:  # noqa: N805
        """Take or refuse a remote start."""
        return _answer(ctx, element, operations.START_SESSION)

    @operation("stopSession")
    def stop_session(ctx: MethodContext, element: etree._Element) -> etree._Element:  # noqa: N805
        """Take or refuse a remote stop."""
        return _answer(ctx, element, operations.STOP_SESSION)

    @operation("notifySdrs")
    def notify_sdrs(ctx: MethodContext, element: etree._Element) -> etree._Element:  # noqa: N805
        """Take verdicts on SDRs."""
        return _answer(ctx, element, operations.NOTIFY_SDRS)


def application(
    *,
    csp: CspBehaviour | None = None,
    cso: CsoBehaviour | None = None,
    access: Access,
) -> WSGIApplication:
    """Return the WSGI application that offers the services of a partner.

    A partner who is CSP and CSO at once gives both behaviours (clause 4.2-dual).
    """
    files = AuthoredFiles.load()
    services: dict[str, WSGIApplication] = {}
    if csp is not None:
        services["csp-endpoint"] = _mount(files, CspEndpoint, csp, access)
    if cso is not None:
        services["cso-endpoint"] = _mount(files, CsoEndpoint, cso, access)
    return Front(services, files)


def _mount(
    files: AuthoredFiles,
    service_class: type[ServiceBase],
    behaviour: CspBehaviour | CsoBehaviour,
    access: Access,
) -> WSGIApplication:
    """Return one service under spyne: one application per namespace."""
    service = "csp-endpoint" if service_class is CspEndpoint else "cso-endpoint"
    host = Host(
        schema=Schema(files, service),
        access=access,
        answers=RecentAnswers(),
        behaviour=behaviour,
    )
    mounted = WsgiApplication(
        Application(
            [service_class],
            tns=namespace(service),
            name=service,
            in_protocol=ContractSoap11(),
            out_protocol=ContractSoap11(),
            config=host,
        ),
        max_content_length=BODY_BYTES_MAX,
    )
    # spyne would make a WSDL of its own from the classes; ours is the contract.
    mounted._wsdl = files.content[  # noqa: SLF001 - spyne names no other way
        f"wsdl/{service}.wsdl"
    ]
    return cast("WSGIApplication", mounted)
