"""A CSO over zeep alone: log in, authorize, submit an SDR.

Arguments are name=value; what came of each step is printed in the same form. It shares
nothing with the reference endpoint and reads the WSDLs from the server.
"""

# zeep's functions are only partly annotated:
# mypy: disallow-untyped-calls=False

from __future__ import annotations

import sys
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any
from uuid import uuid4

import zeep
import zeep.exceptions

GIVEN = dict(word.split("=", 1) for word in sys.argv[1:])
COMMON = "urn:clearinghouse:iec63119:common:1"


def call(service: str, operation: str, token: str | None, **body: object) -> Any:  # noqa: ANN401 - by schema
    """Send one message and return zeep's answer."""
    client = zeep.Client(f"{GIVEN['url']}/services/{service}?wsdl")
    header = client.get_element(f"{{{COMMON}}}exchangeHeader")(
        messageId=str(uuid4()),
        senderId=GIVEN["party"],
        createdAt=datetime.now(UTC),
        sessionToken=token,
    )
    return client.service[operation](**body, _soapheaders=[header])


def submit(token: str, session_id: str) -> None:
    """Submit one SDR."""
    times = {
        "startedAt": datetime.fromisoformat(GIVEN["started"]),
        "endedAt": datetime.fromisoformat(GIVEN["ended"]),
    }
    energy, net = int(GIVEN["energy"]), Decimal(GIVEN["net"])
    transaction = {"chargingTransactionId": "1", **times, "energyWh": energy}
    charging = {"chargingSessionId": "1", **times, "chargingTransaction": [transaction]}
    session = {
        "sessionId": session_id,
        "cspId": GIVEN["csp"],
        "evseId": GIVEN["evse"],
        **times,
        "chargingSession": [charging],
    }
    record = {
        "sdrId": GIVEN["sdr"],
        "serviceSession": session,
        "tariffId": GIVEN["tariff"],
        "currency": "EUR",
        "claimedNet": net,
    }
    answer = call(
        "sdr",
        "SubmitSdrs",
        token,
        batchSequence=int(GIVEN["sequence"]),
        control={
            "count": 1,
            "energyWh": energy,
            "net": [{"currency": "EUR", "amount": net}],
        },
        serviceDetailRecord=[record],
    )
    say("submit", answer["result"]["code"])
    say("accepted", answer["accepted"])


def say(name: str, value: object) -> None:
    """Print what came of a step."""
    sys.stdout.write(f"{name}={value}\n")


def main() -> None:
    """Do all steps."""
    login = call(
        "access",
        "Login",
        None,
        username=GIVEN["username"],
        password=GIVEN["password"],
    )
    say("login", login["result"]["code"])
    token = login["sessionToken"]
    credential = {"kind": "RFID", "value": GIVEN["uid"]}
    decision = call(
        "authorization",
        "AuthorizeStart",
        token,
        evseId=GIVEN["evse"],
        credential=credential,
    )
    say("decision", decision["decision"])
    submit(token, decision["sessionId"])
    # A wrong token must come back as the declared fault.
    try:
        call("sdr", "GetSdrs", "ch1_nobody")
    except zeep.exceptions.Fault as fault:
        say("fault", fault.detail.findtext(f"{{{COMMON}}}fault/{{{COMMON}}}code"))


main()
