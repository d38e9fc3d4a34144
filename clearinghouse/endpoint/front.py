"""What stands in front of spyne: routes, the contract's files, bounds, last resort.

spyne has no route for schema files and lets a bad length or an empty body raise out
of the server; nothing raises out of here.
"""

from __future__ import annotations

import io
import logging
from collections.abc import Iterable, Mapping
from uuid import uuid4
from wsgiref.types import StartResponse, WSGIApplication, WSGIEnvironment

from clearinghouse import codes
from clearinghouse.contract.loader import AuthoredFiles
from clearinghouse.endpoint.envelope import Version, write_fault
from clearinghouse.endpoint.refusal import RefusalError

_LOG = logging.getLogger(__name__)

# A delivery of 500 ordinary SDRs is about 1 MB; stops memory use per request.
BODY_BYTES_MAX = 8_388_608
_XML = "text/xml; charset=utf-8"
_MEDIA_TYPES = frozenset({"text/xml", "application/soap+xml"})


class Front:
    """A WSGI application over the services of one partner."""

    def __init__(
        self, services: Mapping[str, WSGIApplication], files: AuthoredFiles
    ) -> None:
        self._services = services
        self._files = files

    def __call__(
        self, environ: WSGIEnvironment, start_response: StartResponse
    ) -> Iterable[bytes]:
        """Answer one request; whatever goes wrong becomes a fault."""
        try:
            return self._route(environ, start_response)
        except RefusalError as refusal:
            return _fault(refusal, start_response)
        except Exception:  # noqa: BLE001 - the top of the server process
            _LOG.critical("request failed", exc_info=True)
            return _fault(RefusalError(codes.INTERNAL), start_response)

    def _route(
        self, environ: WSGIEnvironment, start_response: StartResponse
    ) -> Iterable[bytes]:
        path = str(environ.get("PATH_INFO", ""))
        folder, _, name = path.strip("/").partition("/")
        method = environ["REQUEST_METHOD"]
        if folder == "services" and name in self._services:
            if method == "POST":
                _bound_body(environ)
            elif method != "GET" or environ.get("QUERY_STRING", "").lower() != "wsdl":
                return _plain("405 Method Not Allowed", start_response)
            return self._services[name](environ, start_response)
        content = self._files.content.get(path.strip("/"))
        if content is None or method != "GET":
            return _plain("404 Not Found", start_response)
        start_response(
            "200 OK", [("Content-Type", _XML), ("Content-Length", str(len(content)))]
        )
        return [content]


def _bound_body(environ: WSGIEnvironment) -> None:
    """Read the body under its bound, so that spyne never waits for the network."""
    media_type = str(environ.get("CONTENT_TYPE", "")).partition(";")[0]
    if media_type.strip().lower() not in _MEDIA_TYPES:
        raise RefusalError(codes.MEDIA_TYPE)
    if environ.get("HTTP_CONTENT_ENCODING", "identity") != "identity":
        raise RefusalError(codes.MEDIA_TYPE)
    length = str(environ.get("CONTENT_LENGTH") or BODY_BYTES_MAX + 1)
    if not length.isascii() or not length.isdigit():
        raise RefusalError(codes.SOAP)
    body = environ["wsgi.input"].read(min(int(length), BODY_BYTES_MAX + 1))
    if len(body) > BODY_BYTES_MAX:
        raise RefusalError(codes.SIZE)
    environ["wsgi.input"] = io.BytesIO(body)
    environ["CONTENT_LENGTH"] = str(len(body))


def _fault(refusal: RefusalError, start_response: StartResponse) -> Iterable[bytes]:
    content = write_fault(refusal, Version.V11, uuid4())
    start_response(
        "500 Internal Server Error",
        [("Content-Type", _XML), ("Content-Length", str(len(content)))],
    )
    return [content]


def _plain(status: str, start_response: StartResponse) -> Iterable[bytes]:
    start_response(status, [("Content-Type", "text/plain"), ("Content-Length", "0")])
    return [b""]
