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
from uuid import UUID

from clearinghouse import codes
from clearinghouse.contract.catalogue import Contract
from clearinghouse.soap import listing, replies
from clearinghouse.soap.admission import Places
from clearinghouse.soap.binding import Bindings
from clearinghouse.soap.correlation import CorrelationId
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

# What a shed caller is told to wait; real time comes back at once or not at all.
RETRY_AFTER_SECONDS = {Lane.REALTIME: 1, Lane.ORDINARY: 2, Lane.BULK: 15}


@dataclass(frozen=True, slots=True)
class _Service:
    """How messages to one address are taken in."""

    name: str
    streams: bool
    places: Places
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
        self.bindings = Bindings.of(contract)
        self._settings = settings
        self._dispatcher = Dispatcher(
            contract,
            self.bindings,
            authenticate=authenticate,
            now=now,
            validate_responses=settings.validate_responses,
        )
        self._told: dict[tuple[str, str], Callable[[SoapFault], SoapFault]] = {}
        lanes: dict[str, list[Lane]] = {}
        for operation in operations:
            self._dispatcher.add(operation)
            if operation.told is not None:
                self._told[operation.service, operation.name] = operation.told
            lanes.setdefault(operation.service, []).append(operation.lane)
        self._places = _places(settings)
        self._services = {
            contract.services[name].path: self._service(name, frozenset(found))
            for name, found in lanes.items()
        }
        self._documents = _documents(contract, settings.public_url)
        self._observers = _Observers()

    def _service(self, name: str, lanes: frozenset[Lane]) -> _Service:
        """Return how messages to a service come in: by the most demanding operation.

        Which operation it is shows only in the Body, so the bounds before parsing are
        those of the service; the operation's own bound is checked after it.
        """
        bytes_max = ORDINARY_BYTES_MAX
        if lanes == {Lane.REALTIME}:
            bytes_max = REALTIME_BYTES_MAX
        if Lane.BULK in lanes:
            bytes_max = self._settings.bulk_bytes_max
        lane = Lane.REALTIME if Lane.REALTIME in lanes else Lane.ORDINARY
        return _Service(
            name,
            Lane.BULK in lanes,
            self._places[lane],
            BodyLimits(bytes_max, self._settings.read_seconds),
        )

    def body_limits(self, path: str) -> BodyLimits | None:
        """Return the bounds of a body sent to a path; None where none is read."""
        service = self._services.get(path)
        return service.limits if service is not None else None

    def __call__(self, environ: Environ, start_response: StartResponse) -> list[bytes]:
        """Answer one request."""
        correlation_id = CorrelationId.new()
        try:
            path = environ.get("PATH_INFO", "")
            service = self._services.get(path)
            if service is not None and environ["REQUEST_METHOD"] == "POST":
                reply = self._post(service, environ, correlation_id)
            else:
                reply = self._document(path, environ)
        except Refusal as refusal:
            reply = replies.refused(refusal)
        except Exception:  # noqa: BLE001  # the top of the process
            _LOG.exception("request_failed", correlation_id=str(correlation_id))
            reply = replies.refused(Refusal(HTTPStatus.INTERNAL_SERVER_ERROR))
        return reply.send(environ, start_response, correlation_id)

    def _document(self, path: str, environ: Environ) -> Reply:
        """Return a published file; raises :class:`Refusal` 404 or 405."""
        method = environ["REQUEST_METHOD"]
        query = environ.get("QUERY_STRING", "")
        if query.lower() in {"wsdl", "wsdl="}:
            path = f"{path}?wsdl"
        document = self._documents.get(path)
        if document is not None and method in {"GET", "HEAD"}:
            return document
        if document is not None:
            raise Refusal(HTTPStatus.METHOD_NOT_ALLOWED, (("Allow", "GET, HEAD"),))
        if path in self._services and not query:
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
            told = self._told.get((service.name, arrival.operation))
            said = fault if told is None else told(fault)
            return replies.faulted(said, media.version, correlation_id)
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
            observe = self._observers[arrival.operation, code.name]
            observe(perf_counter() - started)

    def _answer(self, service: _Service, environ: Environ, arrival: Arrival) -> bytes:
        if service.streams:
            return self._answer_stream(service, environ, arrival)
        data = read_body(environ, service.limits)
        service.places.enter()
        try:
            return self._dispatcher.answer(data, arrival)
        finally:
            service.places.leave()

    def _answer_stream(
        self, service: _Service, environ: Environ, arrival: Arrival
    ) -> bytes:
        with Spool.receive(read_chunks(environ, service.limits)) as spool:
            # A short batch is no burden; a long message of another operation of the
            # service is refused soon.
            is_long = spool.length > ORDINARY_BYTES_MAX
            places = self._places[Lane.BULK] if is_long else service.places
            places.enter()
            try:
                return self._dispatcher.answer_stream(spool, arrival)
            finally:
                places.leave()


def _places(settings: EngineSettings) -> Mapping[Lane, Places]:
    counts = {
        Lane.REALTIME: settings.realtime_calls_max,
        Lane.ORDINARY: settings.ordinary_calls_max,
        Lane.BULK: settings.bulk_calls_max,
    }
    return {
        lane: Places(
            count,
            queue_seconds=settings.queue_seconds,
            retry_after_seconds=RETRY_AFTER_SECONDS[lane],
        )
        for lane, count in counts.items()
    }


def _documents(contract: Contract, public_url: str | None) -> Mapping[str, Reply]:
    """Return everything that is published, by path: a fixed map, no file is opened."""
    found: dict[str, Reply] = {}
    for path in contract.paths():
        content = contract.published(path, public_url)
        if content is not None:
            found[path] = replies.document(content)
    for service in contract.services.values():
        found[f"{service.path}?wsdl"] = found[f"/wsdl/{service.name}.wsdl"]
    index = replies.page(listing.page(contract, public_url))
    return found | dict.fromkeys(listing.PATHS, index)


class _Observers(dict[tuple[str, str], Callable[[float], None]]):
    """What counts answered messages, by operation and code; each is made once."""

    def __missing__(self, labels: tuple[str, str]) -> Callable[[float], None]:
        observe = metrics.observer(metrics.MESSAGE_SECONDS, *labels)
        self[labels] = observe
        return observe
