"""The HTTP side of a message: content type, action, and a body read under bounds.

What is wrong here is answered by HTTP status alone, before anything is parsed.
"""

from __future__ import annotations

import re
import zlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any, Protocol

from clearinghouse.soap.versions import SOAP_11, SOAP_12, Version

# Pieces in which a body is read and handed on; bounds memory per read.
CHUNK_BYTES = 65_536
# A content type or an action longer than this is no real one.
FIELD_CHARACTERS_MAX = 1_024
# Parsed content types that are kept; a client sends the same one each time.
_MEDIA_TYPES_MAX = 256
# Once the first seconds are over, a body must come at least this fast on average.
BODY_BYTES_PER_SECOND_MIN = 65_536

Environ = Mapping[str, Any]

_PARAMETER = re.compile(
    r';\s*([A-Za-z0-9!#$%&\'*+.^_`|~-]+)\s*=\s*("[^"\\]*"|[^\s;"]*)\s*'
)
_VERSIONS = {"text/xml": SOAP_11, "application/soap+xml": SOAP_12}
_NO_ENCODING = frozenset({"", "identity"})
# A length with more digits than this is no length.
_DIGITS_MAX = 18


class Refusal(Exception):  # noqa: N818  # a status, not an error of ours
    """Raised to answer with an HTTP status alone.

    The text is the status's own phrase; ``headers`` go out with it.
    """

    def __init__(
        self, status: HTTPStatus, headers: tuple[tuple[str, str], ...] = ()
    ) -> None:
        super().__init__(status)
        self.status = status
        self.headers = headers


class Input(Protocol):
    """What a WSGI server hands over as ``wsgi.input``, as far as we use it."""

    def read(self, size: int, /) -> bytes:
        """Return up to ``size`` bytes; fewer or none at the end."""


@dataclass(frozen=True, slots=True)
class MediaType:
    """What a content type says: the SOAP version and, in SOAP 1.2, the action."""

    version: Version
    action: str


_media_types: dict[str, MediaType] = {}


def media_type(environ: Environ) -> MediaType:
    """Return what the content type says.

    Raises :class:`Refusal` 415 for any but ``text/xml`` and
    ``application/soap+xml`` in UTF-8.
    """
    value = environ.get("CONTENT_TYPE") or ""
    known = _media_types.get(value)
    if known is None:
        known = _parse_media_type(value)
        if len(_media_types) < _MEDIA_TYPES_MAX:
            _media_types[value] = known
    return known


def _parse_media_type(value: str) -> MediaType:
    unsupported = Refusal(HTTPStatus.UNSUPPORTED_MEDIA_TYPE)
    if len(value) > FIELD_CHARACTERS_MAX:
        raise unsupported
    kind, _, _ = value.partition(";")
    version = _VERSIONS.get(kind.strip().lower())
    rest = value[len(kind) :]
    parameters: dict[str, str] = {}
    position = 0
    while version is not None and (match := _PARAMETER.match(rest, position)):
        position = match.end()
        parameters.setdefault(match[1].lower(), match[2].strip('"'))
    if version is None or rest[position:].strip("; \t"):
        raise unsupported
    if parameters.get("charset", "utf-8").lower() not in {"utf-8", "utf8"}:
        raise unsupported
    action = parameters.get("action", "") if version is SOAP_12 else ""
    return MediaType(version, action)


def action_of(environ: Environ, media: MediaType) -> str:
    """Return the action that the sender names, or an empty text."""
    if media.action:
        return media.action
    value: str = environ.get("HTTP_SOAPACTION") or ""
    return value.strip().strip('"')


@dataclass(frozen=True, slots=True)
class BodyLimits:
    """How much may come, and how long it may take; ``seconds`` None: no deadline.

    The time is kept where the body comes in (:mod:`clearinghouse.soap.reception`): a
    ``wsgi.input`` that makes its reader wait has no end in time here.
    """

    bytes_max: int
    seconds: float | None


def read_body(environ: Environ, limits: BodyLimits) -> bytes:
    """Read the whole body, inflated.

    Raises :class:`Refusal` 400, 413 or 415.
    """
    length = declared_length(environ)
    if length is None or length > CHUNK_BYTES or "HTTP_CONTENT_ENCODING" in environ:
        return b"".join(read_chunks(environ, limits))
    if length > limits.bytes_max:
        raise Refusal(HTTPStatus.REQUEST_ENTITY_TOO_LARGE)
    if not length:
        return b""
    # One piece, as nearly every message is.
    data = _read(environ["wsgi.input"], length)
    if len(data) < length:
        raise Refusal(HTTPStatus.BAD_REQUEST)
    return data


def read_chunks(environ: Environ, limits: BodyLimits) -> Iterator[bytes]:
    """Read the body piece by piece, inflated, and never more than allowed.

    Raises :class:`Refusal`: 413 when it is longer than allowed, before or after
    inflating; 415 for another encoding than gzip; 400 when it ends too early.
    """
    encoding = (environ.get("HTTP_CONTENT_ENCODING") or "").strip().lower()
    length = declared_length(environ)
    if length is not None and length > limits.bytes_max:
        raise Refusal(HTTPStatus.REQUEST_ENTITY_TOO_LARGE)
    raw = _raw_chunks(environ["wsgi.input"], length, limits)
    if encoding in _NO_ENCODING:
        return raw
    if encoding in {"gzip", "x-gzip"}:
        return _inflate(raw, limits.bytes_max)
    raise Refusal(HTTPStatus.UNSUPPORTED_MEDIA_TYPE, (("Accept-Encoding", "gzip"),))


def declared_length(environ: Environ) -> int | None:
    """Return the length of the body; None when only its end will tell.

    Raises :class:`Refusal` 400 when the header is no length.
    """
    text = environ.get("CONTENT_LENGTH") or ""
    if text:
        if not (text.isascii() and text.isdecimal()) or len(text) > _DIGITS_MAX:
            raise Refusal(HTTPStatus.BAD_REQUEST)
        return int(text)
    return None if environ.get("wsgi.input_terminated") else 0


def _raw_chunks(
    stream: Input, length: int | None, limits: BodyLimits
) -> Iterator[bytes]:
    got = 0
    while length is None or got < length:
        size = CHUNK_BYTES if length is None else min(CHUNK_BYTES, length - got)
        chunk = _read(stream, size)
        if not chunk:
            break
        got += len(chunk)
        if got > limits.bytes_max:
            raise Refusal(HTTPStatus.REQUEST_ENTITY_TOO_LARGE)
        yield chunk
    if length is not None and got < length:
        raise Refusal(HTTPStatus.BAD_REQUEST)


def _inflate(chunks: Iterator[bytes], bytes_max: int) -> Iterator[bytes]:
    """Inflate without ever holding more than one piece of output."""
    inflater = zlib.decompressobj(wbits=zlib.MAX_WBITS | 16)
    total = 0
    for chunk in chunks:
        pending = chunk
        while pending:
            if inflater.eof:
                raise Refusal(HTTPStatus.BAD_REQUEST)
            try:
                piece = inflater.decompress(pending, CHUNK_BYTES)
            except zlib.error as error:
                raise Refusal(HTTPStatus.BAD_REQUEST) from error
            total += len(piece)
            if total > bytes_max:
                raise Refusal(HTTPStatus.REQUEST_ENTITY_TOO_LARGE)
            pending = inflater.unconsumed_tail or inflater.unused_data
            yield piece
    if not inflater.eof:
        raise Refusal(HTTPStatus.BAD_REQUEST)


def _read(stream: Input, size: int) -> bytes:
    """Read one piece; a connection that breaks meanwhile is no error of ours."""
    try:
        return stream.read(size)
    except (OSError, ValueError, RuntimeError) as error:
        raise Refusal(HTTPStatus.BAD_REQUEST) from error
