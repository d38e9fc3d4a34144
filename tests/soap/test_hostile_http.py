"""Hostile HTTP: refused by status alone, before anything is parsed."""

from __future__ import annotations

import gzip
import io
import zlib
from typing import Any

import pytest

from clearinghouse.contract.catalogue import Contract
from clearinghouse.soap.operations import EngineSettings
from tests.soap.house import (
    XML,
    XML_12,
    House,
    as_soap_12,
    authorize,
    build,
    check_hostile,
    message,
)

pytestmark = pytest.mark.clause("7.1-protect")

GOOD = authorize()


class Endless:
    """A body without an end."""

    def __init__(self) -> None:
        self.taken = 0

    def read(self, size: int) -> bytes:
        self.taken += size
        return (b"<a/>" * (size // 4 + 1))[:size]


class Untouchable:
    """A body that must not be read."""

    def read(self, size: int) -> bytes:
        raise AssertionError(size)


@pytest.mark.parametrize("service", ["authorization", "credential", "sdr"])
def test_refuses_announced_length_without_reading(house: House, service: str) -> None:
    """H29: ten gigabytes announced."""
    more = {"CONTENT_LENGTH": "10000000000", "wsgi.input": Untouchable()}

    answer = house.post(service, b"", **more)

    assert answer.status == 413
    check_hostile(house, answer)


@pytest.mark.parametrize(
    ("service", "bytes_max"), [("authorization", 65_536), ("credential", 2_097_152)]
)
def test_stops_reading_endless_body(house: House, service: str, bytes_max: int) -> None:
    """H29: chunked, and no end."""
    body = Endless()
    more = {"CONTENT_LENGTH": "", "wsgi.input": body, "wsgi.input_terminated": True}

    answer = house.post(service, b"", **more)

    assert answer.status == 413
    assert body.taken <= bytes_max + 65_536
    check_hostile(house, answer)


def test_stops_reading_endless_batch(contract: Contract) -> None:
    own = build(contract, settings=EngineSettings(bulk_bytes_max=4_000_000))
    body = Endless()
    more = {"CONTENT_LENGTH": "", "wsgi.input": body, "wsgi.input_terminated": True}

    answer = own.post("sdr", b"", **more)

    assert answer.status == 413
    assert body.taken <= 4_000_000 + 65_536
    check_hostile(own, answer)


LENGTHS = ["-1", "+5", "0x10", "1e3", "5,5", "9" * 30, "\u0665", " 5"]


@pytest.mark.parametrize("length", LENGTHS, ids=ascii)
def test_refuses_odd_length(house: House, length: str) -> None:
    answer = house.post("authorization", GOOD, CONTENT_LENGTH=length)

    assert answer.status == 400
    check_hostile(house, answer)


def test_refuses_body_that_ends_too_early(house: House) -> None:
    for service in ("authorization", "sdr"):
        answer = house.post(service, GOOD, CONTENT_LENGTH=str(len(GOOD) + 1))

        assert answer.status == 400
        check_hostile(house, answer)


def zipped(data: bytes) -> dict[str, Any]:
    return {"HTTP_CONTENT_ENCODING": "gzip", "CONTENT_LENGTH": str(len(data))}


BOMBS = {
    "spaces": gzip.compress(b" " * 300_000_000, 9),
    "elements": gzip.compress(b"<a/>" * 20_000_000, 9),
}


@pytest.mark.parametrize("service", ["authorization", "credential"])
@pytest.mark.parametrize("bomb", BOMBS.values(), ids=BOMBS)
def test_stops_inflating_bomb(house: House, service: str, bomb: bytes) -> None:
    """H30: the cap holds while inflating."""
    data = bomb[:60_000]
    answer = house.post(service, data, **zipped(data))

    assert answer.status == 413
    check_hostile(house, answer)


def test_stops_inflating_bomb_in_bulk_lane(contract: Contract) -> None:
    own = build(contract, settings=EngineSettings(bulk_bytes_max=3_000_000))
    data = BOMBS["elements"]

    answer = own.post("sdr", data, **zipped(data))

    assert answer.status == 413
    check_hostile(own, answer)


GZIPPED = gzip.compress(GOOD)
BROKEN = {
    "not gzip": GOOD,
    "zlib": zlib.compress(GOOD),
    "cut": GZIPPED[:-9],
    "trailing": GZIPPED + b"MARKER",
    "two members": GZIPPED + GZIPPED,
    "wrong checksum": GZIPPED[:-8] + b"\x00" * 8,
}


@pytest.mark.parametrize("data", BROKEN.values(), ids=BROKEN)
def test_refuses_broken_gzip(house: House, data: bytes) -> None:
    answer = house.post("authorization", data, **zipped(data))

    assert answer.status == 400
    check_hostile(house, answer)


@pytest.mark.parametrize("encoding", ["deflate", "br", "gzip, gzip", "zstd", "MARKER"])
def test_refuses_other_content_encoding(house: House, encoding: str) -> None:
    answer = house.post("authorization", GOOD, HTTP_CONTENT_ENCODING=encoding)

    assert answer.status == 415
    check_hostile(house, answer)


@pytest.mark.parametrize("encoding", ["gzip", "x-gzip", "GZIP"])
def test_takes_message_in_gzip(house: House, encoding: str) -> None:
    more = {**zipped(GZIPPED), "HTTP_CONTENT_ENCODING": encoding}

    assert house.post("authorization", GZIPPED, **more).status == 200


def test_takes_gzip_of_a_batch(house: House) -> None:
    data = gzip.compress(message("sdr", "SubmitSdrs"))

    assert house.post("sdr", data, **zipped(data)).status == 200


TYPES = [
    "application/json",
    "text/plain",
    "",
    "text/xml; charset=utf-7",
    "text/xml; charset=utf-16",
    "text/xml; charset=iso-8859-1",
    'multipart/related; type="text/xml"; start="<x>"; boundary=MARKER',
    "application/xop+xml",
    "application/xml",
    "text/xml, text/plain",
    "text/xml; charset=utf-8; charset",
    "text/xml;" + "a" * 2_000,
    "MARKER",
]


@pytest.mark.parametrize("content_type", TYPES, ids=lambda text: text[:40] or "none")
def test_refuses_content_type(house: House, content_type: str) -> None:
    """H55: what is not SOAP is not parsed."""
    more = {"CONTENT_TYPE": content_type, "wsgi.input": Untouchable()}

    answer = house.post("authorization", GOOD, **more)

    assert answer.status == 415
    check_hostile(house, answer)


@pytest.mark.parametrize(
    "content_type",
    [
        "text/xml",
        "TEXT/XML",
        "text/xml; charset=UTF-8",
        'text/xml;charset="utf-8"',
        'text/xml; charset=utf-8; action="urn:ignored-in-1.1"',
    ],
)
def test_takes_content_type(house: House, content_type: str) -> None:
    assert house.post("authorization", GOOD, CONTENT_TYPE=content_type).status == 200


def test_takes_soap_12(house: House) -> None:
    answer = house.post("authorization", as_soap_12(GOOD), CONTENT_TYPE=XML_12)

    assert answer.status == 200
    assert answer.headers["Content-Type"] == XML_12


METHODS = ["GET", "PUT", "TRACE", "HEAD", "DELETE", "OPTIONS", "PATCH", "MARKER"]


@pytest.mark.parametrize("method", METHODS)
def test_refuses_other_methods_on_endpoint(house: House, method: str) -> None:
    """H56: and nothing of the request is sent back."""
    more = {
        "method": method,
        "HTTP_X_HTTP_METHOD_OVERRIDE": "POST",
        "HTTP_COOKIE": "MARKER",
        "wsgi.input": Untouchable(),
    }

    answer = house.send("/services/authorization", GOOD, **more)

    assert answer.status == 405
    assert answer.headers["Allow"] == "POST"
    check_hostile(house, answer)


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE"])
def test_published_files_can_only_be_read(house: House, method: str) -> None:
    answer = house.send("/wsdl/sdr.wsdl", method=method)

    assert answer.status == 405
    assert answer.headers["Allow"] == "GET, HEAD"
    check_hostile(house, answer)


PATHS = [
    ("/services/authorization", "xsd=../../setup.cfg"),
    ("/services/authorization", "wsdl=../../setup.cfg"),
    ("/services/authorization", "xsd=common.xsd"),
    ("/xsd/../setup.cfg", ""),
    ("/xsd/..%2fsetup.cfg", ""),
    ("/xsd//etc/passwd", ""),
    ("/xsd/common.xsd/", ""),
    ("/xsd/common.xsd\x00", ""),
    ("/wsdl/MARKER.wsdl", ""),
    ("/services/csp-endpoint", ""),
    ("/services/", "wsdl"),
    ("/services/nobody", ""),
    ("", ""),
]


@pytest.mark.parametrize(("path", "query"), PATHS)
def test_serves_only_its_own_files(house: House, path: str, query: str) -> None:
    """H45: a fixed map, no path of a file."""
    answer = house.send(path, method="GET", QUERY_STRING=query)

    assert answer.status == 404
    check_hostile(house, answer)


def test_address_in_wsdl_does_not_follow_host_header(contract: Contract) -> None:
    """H45: the address is the operator's."""
    own = build(contract, settings=EngineSettings(public_url="https://ch.example:8443"))

    for path, query in (
        ("/services/authorization", "wsdl"),
        ("/services/authorization", "WSDL"),
        ("/wsdl/authorization.wsdl", ""),
    ):
        answer = own.send(
            path, method="GET", QUERY_STRING=query, HTTP_HOST="MARKER.example"
        )

        assert answer.status == 200
        assert b"https://ch.example:8443/services/authorization" in answer.body
        assert b"MARKER" not in answer.body


def test_serves_files_as_authored(house: House, contract: Contract) -> None:
    for path in sorted(contract.paths()):
        answer = house.send(path, method="GET")

        assert answer.status == 200
        assert answer.body == contract.files.content[path.removeprefix("/")]
        head = house.send(path, method="HEAD")
        assert head.body == b""
        assert head.headers == answer.headers | {
            "X-Correlation-Id": head.headers["X-Correlation-Id"]
        }


def test_compresses_long_answers_when_asked(house: House) -> None:
    more: dict[str, Any] = {
        "method": "GET",
        "HTTP_ACCEPT_ENCODING": "deflate, gzip;q=0.5",
    }

    answer = house.send("/xsd/common.xsd", **more)

    assert answer.headers["Content-Encoding"] == "gzip"
    assert answer.headers["Vary"] == "Accept-Encoding"
    assert (
        gzip.decompress(answer.body) == house.send("/xsd/common.xsd", method="GET").body
    )
    for refusal in ("identity", "gzip;q=0", "gzip; q=0.000", ""):
        more["HTTP_ACCEPT_ENCODING"] = refusal
        assert "Content-Encoding" not in house.send("/xsd/common.xsd", **more).headers


def test_every_answer_names_its_correlation_id(house: House) -> None:
    for answer in (
        house.post("authorization", GOOD),
        house.post("authorization", b"<"),
        house.send("/nowhere", method="GET"),
    ):
        assert len(answer.headers["X-Correlation-Id"]) == 36
        if answer.code:
            assert answer.texts("correlationId") == [answer.headers["X-Correlation-Id"]]


def test_survives_broken_environment(house: House) -> None:
    """Nothing is raised out of the callable, whatever a server hands over."""
    for more in ({"method": None}, {"CONTENT_TYPE": None}, {"wsgi.input": None}):
        answer = house.post("authorization", GOOD, **more)

        assert answer.status >= 400
        check_hostile(house, answer)


class Breaking(io.RawIOBase):
    """A body whose connection breaks."""

    def read(self, size: int = -1) -> bytes:
        raise ConnectionResetError(size)


def test_broken_connection_is_no_error_of_ours(house: House) -> None:
    for service in ("authorization", "sdr"):
        answer = house.post(service, GOOD, **{"wsgi.input": Breaking()})

        assert answer.status == 400
        assert answer.headers["Content-Type"] != XML
        check_hostile(house, answer)
