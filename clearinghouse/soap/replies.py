"""Replies: status, headers and body of what the engine answers."""

from __future__ import annotations

import gzip
import hashlib
from collections.abc import Callable
from dataclasses import dataclass
from http import HTTPStatus
from uuid import UUID

from clearinghouse.soap.faults import SoapFault, render
from clearinghouse.soap.http import Environ, Refusal
from clearinghouse.soap.versions import Version

# Smaller answers gain nothing from compression; a page of a list shrinks tenfold.
GZIP_BYTES_MIN = 8_192
_GZIP_LEVEL = 5

Headers = list[tuple[str, str]]
StartResponse = Callable[[str, Headers], object]

_NO_SNIFFING = ("X-Content-Type-Options", "nosniff")
_STATUS_LINES = {
    status.value: f"{status.value} {status.phrase}" for status in HTTPStatus
}


@dataclass(slots=True)
class Reply:
    """One answer, ready to be sent."""

    status: int
    body: bytes
    content_type: str
    headers: tuple[tuple[str, str], ...] = ()

    def send(
        self, environ: Environ, start_response: StartResponse, correlation_id: UUID
    ) -> list[bytes]:
        """Start the response and return its body, compressed when asked for."""
        body = self.body
        headers = [
            ("Content-Type", self.content_type),
            ("X-Correlation-Id", str(correlation_id)),
            _NO_SNIFFING,
            *self.headers,
        ]
        if len(body) >= GZIP_BYTES_MIN:
            headers.append(("Vary", "Accept-Encoding"))
            if _takes_gzip(environ):
                body = gzip.compress(body, _GZIP_LEVEL, mtime=0)
                headers.append(("Content-Encoding", "gzip"))
        headers.append(("Content-Length", str(len(body))))
        start_response(_STATUS_LINES[self.status], headers)
        return [] if environ["REQUEST_METHOD"] == "HEAD" else [body]


def _takes_gzip(environ: Environ) -> bool:
    """Whether the sender lists gzip and does not weigh it with zero."""
    for part in str(environ.get("HTTP_ACCEPT_ENCODING", "")).split(","):
        name, _, weight = part.partition(";")
        if name.strip().lower() == "gzip":
            return weight.replace(" ", "").rstrip("0.") != "q="
    return False


def refused(refusal: Refusal) -> Reply:
    """Return the answer that has a status and nothing of SOAP."""
    return Reply(
        refusal.status.value,
        f"{refusal.status.phrase}\n".encode(),
        "text/plain; charset=utf-8",
        refusal.headers,
    )


def faulted(fault: SoapFault, version: Version, correlation_id: UUID) -> Reply:
    """Return the answer that carries a fault."""
    headers: tuple[tuple[str, str], ...] = ()
    if fault.retry_after_seconds is not None:
        headers = (("Retry-After", str(fault.retry_after_seconds)),)
    return Reply(
        fault.status(version),
        render(fault, version, correlation_id),
        version.content_type,
        headers,
    )


def page(content: bytes) -> Reply:
    """Return a page for people; it loads nothing and runs nothing."""
    return Reply(
        200,
        content,
        "text/html; charset=utf-8",
        (("Content-Security-Policy", "default-src 'none'"),),
    )


def document(content: bytes) -> Reply:
    """Return a published file."""
    tag = f'"{hashlib.sha256(content).hexdigest()[:32]}"'
    return Reply(200, content, "text/xml; charset=utf-8", (("ETag", tag),))
