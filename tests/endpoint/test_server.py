"""The partner services answer as the contract says, once for each message."""

from __future__ import annotations

import re
from pathlib import Path
from uuid import uuid4

import pytest

from clearinghouse import codes
from clearinghouse.contract.loader import AuthoredFiles
from clearinghouse.endpoint.behaviour import Authorization
from clearinghouse.endpoint.exchange import Access
from clearinghouse.endpoint.messages.csp_endpoint import (
    AuthorizeRequest,
    DeliverSdrsRequest,
    NotifySessionRequest,
    NotifySettlementRequest,
)
from clearinghouse.endpoint.refusal import NotTakenError
from clearinghouse.endpoint.server import application
from clearinghouse.endpoint.serving import Address, Serving
from tests.endpoint.partner import SERVICES, Answer, Partner, example, examples, post

AUTHORIZE = example("csp-endpoint", "Authorize")


class ScriptedCsp:
    """Does what a test says and counts the calls."""

    def __init__(self, error: Exception | None = None) -> None:
        self.error = error
        self.calls = 0

    def authorize(self, request: AuthorizeRequest) -> Authorization:
        """Authorize, or raise what the test says."""
        _ = request
        self.calls += 1
        if self.error is not None:
            raise self.error
        return Authorization(decision="AUTHORIZED")

    def notify_session(self, request: NotifySessionRequest) -> None:
        """Do nothing."""

    def deliver_sdrs(self, request: DeliverSdrsRequest) -> None:
        """Do nothing."""

    def notify_settlement(self, request: NotifySettlementRequest) -> None:
        """Do nothing."""


def _answers(csp: ScriptedCsp, *messages: bytes, access: Access) -> list[Answer]:
    serving = Serving(application(csp=csp, access=access), Address())
    try:
        return [post(serving.url, "csp-endpoint", message) for message in messages]
    finally:
        serving.stop()


def _renamed(message: bytes) -> bytes:
    """Give a message another message id."""
    return re.sub(
        b"(<common:messageId>).*?(</)",
        b"\\g<1>" + str(uuid4()).encode() + b"\\g<2>",
        message,
    )


def _name(path: Path) -> str:
    return f"{path.parts[-3]}-{path.stem}"


@pytest.mark.clause("4.3-I3", "4.3-I4", "6-L6")
@pytest.mark.parametrize("path", examples("valid"), ids=_name)
def test_answers_each_valid_example_as_the_schema_says(
    partner: Partner, path: Path
) -> None:
    answer = partner.post(path.parts[-3], path.read_bytes())

    assert answer.status == 200
    assert answer.text("code") == "0"
    answer.assert_valid()


@pytest.mark.parametrize("path", examples("invalid"), ids=_name)
def test_refuses_each_invalid_example_with_the_declared_fault(
    partner: Partner, path: Path
) -> None:
    answer = partner.post(path.parts[-3], path.read_bytes())

    assert answer.status == 500
    assert answer.fault_code == codes.SCHEMA.name
    answer.assert_valid()


@pytest.mark.parametrize("service", SERVICES)
def test_serves_the_authored_files_byte_for_byte(
    partner: Partner, service: str
) -> None:
    files = AuthoredFiles.load().content
    wsdl = files[f"wsdl/{service}.wsdl"]

    assert partner.get(f"/services/{service}?wsdl") == (200, wsdl)
    assert partner.get(f"/wsdl/{service}.wsdl") == (200, wsdl)
    assert partner.get("/xsd/common.xsd") == (200, files["xsd/common.xsd"])


def test_answers_soap_12_with_soap_12(partner: Partner) -> None:
    message = AUTHORIZE.replace(
        b"http://schemas.xmlsoap.org/soap/envelope/",
        b"http://www.w3.org/2003/05/soap-envelope",
    )
    broken = _renamed(message).replace(b"csoId", b"otherId")

    answer = partner.post("csp-endpoint", message, "application/soap+xml")
    fault = partner.post("csp-endpoint", broken, "application/soap+xml")

    assert b"http://www.w3.org/2003/05/soap-envelope" in answer.content
    assert answer.text("decision") is not None
    assert fault.fault_code == codes.SCHEMA.name
    assert fault.text("Value") == "soap:Sender"


@pytest.mark.clause("7.1-source")
@pytest.mark.parametrize("token", [b"", b"another", b"k9Jw2nVb7XqLs4Tz8Rf"])
def test_refuses_a_caller_without_our_token(partner: Partner, token: bytes) -> None:
    element = b"<common:sessionToken>" + token + b"</common:sessionToken>"
    message = re.sub(
        b"<common:sessionToken>.*?</common:sessionToken>",
        element if token else b"",
        AUTHORIZE,
    )

    assert partner.post("csp-endpoint", message).fault_code == codes.TOKEN.name


@pytest.mark.clause("7.1-source")
def test_refuses_a_sender_that_is_not_the_clearing_house() -> None:
    message = AUTHORIZE.replace(b">CHCLR<", b">DEABC<")

    [answer] = _answers(ScriptedCsp(), message, access=Access(sender_id="CHCLR"))

    assert answer.fault_code == codes.NOT_AUTHORISED.name


def test_gives_a_repeat_the_same_answer_and_does_nothing_twice() -> None:
    csp = ScriptedCsp()

    first, repeat, other = _answers(
        csp, AUTHORIZE, AUTHORIZE, _renamed(AUTHORIZE), access=Access()
    )

    assert first.content == repeat.content
    assert first.content != other.content
    assert csp.calls == 2


def test_refuses_a_message_id_that_comes_with_another_body() -> None:
    changed = AUTHORIZE.replace(b">FR*A23*E45B*78C<", b">FR*A23*E1<")

    _, answer = _answers(ScriptedCsp(), AUTHORIZE, changed, access=Access())

    assert answer.fault_code == codes.DUPLICATE_CONFLICT.name


def test_answers_with_the_result_of_a_behaviour_that_takes_nothing() -> None:
    csp = ScriptedCsp(NotTakenError(codes.UNAVAILABLE))

    first, repeat = _answers(csp, AUTHORIZE, AUTHORIZE, access=Access())

    assert (first.status, first.text("code")) == (200, "901")
    assert first.text("retryable") == "true"
    first.assert_valid()
    assert csp.calls == 2, "an answer that asks for a repeat is not kept"
    assert repeat.text("code") == "901"


def test_turns_an_error_in_a_behaviour_into_a_fault_without_its_words() -> None:
    csp = ScriptedCsp(RuntimeError("the password is swordfish"))

    [answer] = _answers(csp, AUTHORIZE, access=Access())

    assert answer.fault_code == codes.INTERNAL.name
    assert answer.text("faultcode") == "soap:Server"
    assert b"swordfish" not in answer.content
    answer.assert_valid()
