"""The engine: the WSGI callable that turns SOAP messages into calls and back.

One message: HTTP checks, body under bounds, byte filter, parser, envelope, schema,
reader, authentication, handler, writer. Each step is a module beside this one. The
callable never raises: whatever goes wrong becomes a status or a fault.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from http import HTTPStatus
from time import perf_counter
from uuid import UUID, uuid4

from prometheus_client import Counter, Histogram

from clearinghouse import codes
from clearinghouse.contract.catalogue import Contract
from clearinghouse.soap import replies
from clearinghouse.soap.admission import Admission
from clearinghouse.soap.binding import Bindings
from clearinghouse.soap.dispatch import Arrival, Dispatcher
from clearinghouse.soap.faults import SoapFault
from clearinghouse.soap.http import (
    BodyLimits,
    Environ,
    Refusal,
    action_of,
    media_type,
    read_body,
    read_chunks,
)
from clearinghouse.soap.limits import ORDINARY_BYTES_MAX, REALTIME_BYTES_MAX
from clearinghouse.soap.operations import EngineSettings, Lane, Operation
from clearinghouse.soap.replies import Reply, StartResponse
from clearinghouse.soap.security import Authenticate
from clearinghouse.soap.spool import Spool
from clearinghouse.telemetry import metrics
from clearinghouse.telemetry.logging import logger

_LOG = logger(__name__)
_NO_SETTINGS = EngineSettings()
# Paths under which the engine answers; whoever mounts it needs no more.
PREFIXES = ("/services/", "/wsdl/", "/xsd/")


@dataclass(frozen=True, slots=True)
class _Service:
    """How messages to one address are taken in."""

    name: str
    lane: Lane
    limits: BodyLimits


class Engine:
    """The WSGI callable of all services the clearing house offers.

    ``authenticate`` takes the exchange header and the operation's name and returns
    the sender or raises :class:`SoapFault`; ``now`` is the clock.
    """

    def __init__(
        self,
        contract: Contract,
        operations: Iterable[Operation],
        *,
        authenticate: Authenticate,
        now: Callable[[], datetime],
        settings: EngineSettings = _NO_SETTINGS,
    ) -> None:
        """Compile the contract.

        Raises :class:`ValueError` or :class:`KeyError` when an operation does not
        fit it, :class:`ContractError` when the contract is broken.
        """
        self.bindings = Bindings(contract.model)
        self._settings = settings
        self._dispatcher = Dispatcher(
            contract,
            self.bindings,
            authenticate=authenticate,
            now=now,
            validate_responses=settings.validate_responses,
        )
        lanes: dict[str, list[Lane]] = {}
        for operation in operations:
            self._dispatcher.add(operation)
            lanes.setdefault(operation.service, []).append(operation.lane)
        self._services = {
            contract.services[name].path: _service(name, found, settings)
            for name, found in lanes.items()
        }
        self._documents = _documents(contract, settings.public_url)
        self._counters = _Counters()
        self._admission = Admission(
            {
                Lane.REALTIME: settings.realtime_calls_max,
                Lane.ORDINARY: settings.ordinary_calls_max,
                Lane.BULK: settings.bulk_calls_max,
            },
            settings.queue_seconds,
        )

    def __call__(self, environ: Environ, start_response: StartResponse) -> list[bytes]:
        """Answer one request."""
        correlation_id = uuid4()
        try:
            reply = self._reply(environ, correlation_id)
        except Refusal as refusal:
            reply = replies.refused(refusal)
        return reply.send(environ, start_response, correlation_id)

    def _reply(self, environ: Environ, correlation_id: UUID) -> Reply:
        path = environ.get("PATH_INFO", "")
        method = environ["REQUEST_METHOD"]
        service = self._services.get(path)
        if service is not None and method == "POST":
            return self._post(service, environ, correlation_id)
        query = environ.get("QUERY_STRING", "")
        if query.lower() in {"wsdl", "wsdl="}:
            path = f"{path}?wsdl"
        document = self._documents.get(path)
        if document is not None and method in {"GET", "HEAD"}:
            return document
        if document is not None:
            raise Refusal(HTTPStatus.METHOD_NOT_ALLOWED, (("Allow", "GET, HEAD"),))
        if service is not None and not query:
            raise Refusal(HTTPStatus.METHOD_NOT_ALLOWED, (("Allow", "POST"),))
        raise Refusal(HTTPStatus.NOT_FOUND)

    def _post(self, service: _Service, environ: Environ, correlation_id: UUID) -> Reply:
        media = media_type(environ)
        arrival = Arrival(
            service.name,
            media.version,
            action_of(environ, media),
            correlation_id,
            environ.get("REMOTE_ADDR") or "",
        )
        started = perf_counter()
        code = codes.OK
        try:
            message = self._answer(service, environ, arrival)
            return Reply(200, message, media.version.content_type)
        except Refusal:
            raise
        except SoapFault as fault:
            code = fault.code
            _LOG.info(
                "message_refused",
                operation=arrival.operation,
                code=code.name,
                detail=fault.detail,
                correlation_id=str(correlation_id),
            )
            return replies.faulted(fault, media.version, correlation_id)
        except Exception:  # noqa: BLE001  # the top of the process
            code = codes.INTERNAL
            _LOG.exception(
                "message_failed",
                operation=arrival.operation,
                correlation_id=str(correlation_id),
            )
            internal = SoapFault(codes.INTERNAL)
            return replies.faulted(internal, media.version, correlation_id)
        finally:
            self._counters.count(arrival.operation, code.name, perf_counter() - started)

    def _answer(self, service: _Service, environ: Environ, arrival: Arrival) -> bytes:
        if service.lane is Lane.BULK:
            return self._answer_stream(service, environ, arrival)
        data = read_body(environ, service.limits)
        self._admission.enter(service.lane)
        try:
            return self._dispatcher.answer(data, arrival)
        finally:
            self._admission.leave(service.lane)

    def _answer_stream(
        self, service: _Service, environ: Environ, arrival: Arrival
    ) -> bytes:
        with Spool.receive(read_chunks(environ, service.limits)) as spool:
            # A short batch is no burden; a long message of another operation of the
            # service is refused soon.
            is_long = spool.length > ORDINARY_BYTES_MAX
            lane = Lane.BULK if is_long else Lane.ORDINARY
            self._admission.enter(lane)
            try:
                return self._dispatcher.answer_stream(spool, arrival)
            finally:
                self._admission.leave(lane)


def _service(name: str, lanes: Iterable[Lane], settings: EngineSettings) -> _Service:
    """Return how messages to a service come in: by the most demanding operation.

    Which operation it is shows only in the Body, so the bounds before parsing are
    those of the service; the operation's own bound is checked after it.
    """
    found = set(lanes)
    if Lane.BULK in found:
        lane, bytes_max = Lane.BULK, settings.bulk_bytes_max
    elif found == {Lane.REALTIME}:
        lane, bytes_max = Lane.REALTIME, REALTIME_BYTES_MAX
    else:
        bytes_max = ORDINARY_BYTES_MAX
        lane = Lane.REALTIME if Lane.REALTIME in found else Lane.ORDINARY
    return _Service(name, lane, BodyLimits(bytes_max, settings.read_seconds))


def _documents(contract: Contract, public_url: str | None) -> Mapping[str, Reply]:
    """Return everything that is published, by path: a fixed map, no file is opened."""
    found: dict[str, Reply] = {}
    for path in contract.paths():
        content = contract.published(path, public_url)
        if content is not None:
            found[path] = replies.document(content)
    for service in contract.services.values():
        found[f"{service.path}?wsdl"] = found[f"/wsdl/{service.name}.wsdl"]
    return found


class _Counters:
    """The metrics of answered messages; their names are looked up once each."""

    def __init__(self) -> None:
        self._messages: dict[tuple[str, str], Counter] = {}
        self._seconds: dict[str, Histogram] = {}

    def count(self, operation: str, code: str, seconds: float) -> None:
        messages = self._messages.get((operation, code))
        if messages is None:
            messages = metrics.MESSAGES.labels(operation, code)
            self._messages[operation, code] = messages
            self._seconds[operation] = metrics.MESSAGE_SECONDS.labels(operation)
        messages.inc()
        self._seconds[operation].observe(seconds)
