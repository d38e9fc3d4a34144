"""Hostile messages are refused with a fault; none raises out of the server."""

from __future__ import annotations

import socket
from urllib.parse import urlsplit

import pytest

from clearinghouse import codes
from clearinghouse.codes import Code
from clearinghouse.endpoint.front import BODY_BYTES_MAX
from tests.endpoint.partner import Partner, ask, example

AUTHORIZE = example("csp-endpoint", "Authorize")
SOAP = b"http://schemas.xmlsoap.org/soap/envelope/"
_HEAD, _, _REST = AUTHORIZE.partition(b"?>")
DECLARED = _HEAD + b"?>"
ENVELOPE = _REST
REQUEST = b"csp-endpoint:authorizeRequest"
EMPTY_BODY = (
    AUTHORIZE[: AUTHORIZE.index(b"<" + REQUEST)]
    + AUTHORIZE[AUTHORIZE.index(b"</" + REQUEST + b">") + len(REQUEST) + 3 :]
)
BODY = AUTHORIZE[
    AUTHORIZE.index(b"<" + REQUEST) : AUTHORIZE.index(b"</" + REQUEST + b">")
    + len(REQUEST)
    + 3
]
BILLION = b"".join(
    b'<!ENTITY e%d "%s">' % (n, b"&e%d;" % (n - 1) * 10) for n in range(1, 9)
)

MESSAGES: dict[str, tuple[bytes, Code]] = {
    "nothing": (b"", codes.XML_EMPTY),
    "blanks": (b" \n\t ", codes.XML_EMPTY),
    "text": (b"hello", codes.XML_MALFORMED),
    "cut off": (AUTHORIZE[:-30], codes.XML_MALFORMED),
    "trailing bytes": (AUTHORIZE + b"<x/>", codes.XML_MALFORMED),
    "another root": (b"<x/>", codes.SOAP),
    "another soap": (AUTHORIZE.replace(SOAP, b"urn:soap"), codes.VERSION_MISMATCH),
    "document type": (
        DECLARED + b'<!DOCTYPE x SYSTEM "file:///etc/passwd">' + ENVELOPE,
        codes.XML_DTD,
    ),
    "entity in the body": (
        DECLARED
        + b'<!DOCTYPE x [<!ENTITY e "NLTNM">]>'
        + ENVELOPE.replace(b"<csp-endpoint:csoId>", b"<csp-endpoint:csoId>&e;"),
        codes.XML_DTD,
    ),
    "billion laughs": (
        DECLARED + b'<!DOCTYPE x [<!ENTITY e0 "lol">' + BILLION + b"]>" + ENVELOPE,
        codes.XML_DTD,
    ),
    "unknown entity": (
        AUTHORIZE.replace(b"<csp-endpoint:csoId>", b"<csp-endpoint:csoId>&e;"),
        codes.XML_MALFORMED,
    ),
    "utf-16": (AUTHORIZE.decode().encode("utf-16"), codes.XML_ENCODING),
    "utf-7": (
        AUTHORIZE.replace(b'encoding="UTF-8"', b'encoding="UTF-7"'),
        codes.XML_ENCODING,
    ),
    "nul": (AUTHORIZE.replace(b"CHCLR", b"CH\x00LR"), codes.XML_MALFORMED),
    "empty body": (EMPTY_BODY, codes.SOAP),
    "no body": (
        AUTHORIZE[: AUTHORIZE.index(b"<soap:Body>")] + b"</soap:Envelope>",
        codes.SOAP,
    ),
    "two operations": (AUTHORIZE.replace(BODY, BODY + BODY), codes.SOAP),
    "second body": (
        AUTHORIZE.replace(b"<soap:Body>", b"<soap:Body><x/></soap:Body><soap:Body>"),
        codes.SOAP,
    ),
    "no header": (
        AUTHORIZE[: AUTHORIZE.index(b"<soap:Header>")]
        + AUTHORIZE[AUTHORIZE.index(b"<soap:Body>") :],
        codes.HEADER,
    ),
    "header that must be understood": (
        AUTHORIZE.replace(
            b"<soap:Header>",
            b'<soap:Header><x xmlns="urn:x" soap:mustUnderstand="1"/>',
        ),
        codes.MUST_UNDERSTAND,
    ),
    "an answer instead of a request": (
        AUTHORIZE.replace(b"authorizeRequest", b"authorizeResponse"),
        codes.UNKNOWN_OPERATION,
    ),
    "an operation of another service": (
        example("cso-endpoint", "StopSession"),
        codes.UNKNOWN_OPERATION,
    ),
    "references in a circle": (
        AUTHORIZE.replace(
            b"<csp-endpoint:csoId>", b'<csp-endpoint:csoId href="#a">'
        ).replace(b"<csp-endpoint:evseId>", b'<csp-endpoint:evseId id="a" href="#a">'),
        codes.SCHEMA,
    ),
    "deep nesting": (
        AUTHORIZE.replace(BODY, b"<a>" * 60 + b"</a>" * 60),
        codes.XML_LIMIT,
    ),
    "very deep nesting": (
        AUTHORIZE.replace(BODY, b"<a>" * 5_000 + b"</a>" * 5_000),
        codes.XML_MALFORMED,
    ),
    "many elements": (AUTHORIZE.replace(BODY, b"<a/>" * 400_001), codes.XML_LIMIT),
    "many attributes": (
        AUTHORIZE.replace(
            b"<soap:Body>",
            b"<soap:Body " + b" ".join(b'a%d="1"' % n for n in range(30_000)) + b">",
        ),
        codes.XML_LIMIT,
    ),
    "another type": (
        AUTHORIZE.replace(
            b"<csp-endpoint:credential>",
            b"<csp-endpoint:credential "
            b'xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance" '
            b'xsi:type="common:ExchangeHeaderType">',
        ),
        codes.SCHEMA,
    ),
    "a text cut by a comment": (
        AUTHORIZE.replace(b">CHCLR<", b">CH<!-- -->clr<"),
        codes.SCHEMA,
    ),
    "too large": (AUTHORIZE + b" " * BODY_BYTES_MAX, codes.SIZE),
}


@pytest.mark.clause("7.1-protect")
@pytest.mark.parametrize("name", MESSAGES)
def test_answers_a_hostile_message_with_its_fault(partner: Partner, name: str) -> None:
    message, code = MESSAGES[name]

    answer = partner.post("csp-endpoint", message)

    assert answer.fault_code == code.name
    assert answer.status == 500
    answer.assert_valid()


@pytest.mark.parametrize("media_type", ["application/json", "text/html", ""])
def test_refuses_what_is_no_soap_media_type(partner: Partner, media_type: str) -> None:
    answer = partner.post("csp-endpoint", AUTHORIZE, media_type)

    assert answer.fault_code == codes.MEDIA_TYPE.name


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("GET", "/services/csp-endpoint", 405),
        ("DELETE", "/services/csp-endpoint", 405),
        ("GET", "/services/access", 404),
        ("GET", "/xsd/../../setup.cfg", 404),
        ("GET", "/xsd/%2e%2e/%2e%2e/setup.cfg", 404),
        ("POST", "/xsd/common.xsd", 404),
        ("GET", "/", 404),
    ],
)
def test_answers_other_paths_and_methods_with_a_status(
    partner: Partner, method: str, path: str, status: int
) -> None:
    assert ask(partner.serving.url, method, path)[0] == status


POST = b"POST /services/csp-endpoint HTTP/1.1\r\nHost: x\r\n"


@pytest.mark.parametrize(
    "head",
    [
        POST + b"Content-Length: -1\r\n\r\n",
        POST + b"Content-Length: 1e9\r\n\r\n",
        POST + b"Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
        b"GET /" + b"a" * 20_000 + b" HTTP/1.1\r\n\r\n",
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\r\n\r\n",
        b"no http at all\r\n\r\n",
    ],
)
def test_survives_requests_that_are_none(partner: Partner, head: bytes) -> None:
    place = urlsplit(partner.serving.url)
    with socket.create_connection((place.hostname or "", place.port or 0)) as raw:
        raw.sendall(head)
        raw.shutdown(socket.SHUT_WR)
        while raw.recv(65_536):
            pass

    assert partner.post("csp-endpoint", AUTHORIZE).status == 200
