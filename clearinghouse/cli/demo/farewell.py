"""What the demo leaves behind to try: addresses, logins, calls to paste."""

from __future__ import annotations

import shlex
import sys
import threading
from typing import TYPE_CHECKING

from clearinghouse.cli.demo.crew import OPERATOR, SECOND_OPERATOR

if TYPE_CHECKING:
    from clearinghouse.cli.demo.closing import Day
    from clearinghouse.cli.demo.stage import Stage
    from clearinghouse.cli.output import Output

PARTY = "DEALF"
"""The partner whose login the calls use: a CSO."""

OURS = """\
from clearinghouse.endpoint.client import ClearingHouse
from clearinghouse.endpoint.connection import Account
from clearinghouse.endpoint.messages.common import Credential

me = Account(party_id="{party}", username="{username}", password="{password}")
house = ClearingHouse("{url}", me)
card = Credential(kind="RFID", value="04A1B2C3D4E5F6")
print(house.authorize_start("DE*ALF*E1001*1", card))
"""

WHO = """\
url, party = {url!r}, {party!r}
username, password = {username!r}, {password!r}
"""

# docs/partners.rst shows this text as it stands here, below a WHO of its own.
PLAIN = """\
import datetime, uuid, zeep

def call(service, operation, token=None, **body):
    client = zeep.Client(url + "/wsdl/" + service + ".wsdl")
    header = {"messageId": uuid.uuid4(), "senderId": party,
              "createdAt": datetime.datetime.now(datetime.timezone.utc),
              "sessionToken": token}
    return client.service[operation](**body, _soapheaders={"header": header})

login = call("access", "Login", username=username, password=password)
card = {"kind": "RFID", "value": "04A1B2C3D4E5F6"}
print(call("authorization", "AuthorizeStart", login.sessionToken,
           evseId="DE*ALF*E1001*1", credential=card))
"""


def summary(stage: Stage, day: Day) -> dict[str, object]:
    """Return the day, the address and the logins for machines."""
    return {
        "line": day.line,
        "sessions": day.sessions,
        "sdrs_accepted": day.accepted,
        "sdrs_refused": day.refused,
        "sdrs_held": day.held,
        "statements": day.statements,
        "net_sum": day.net_sum,
        "invoices": day.aftermath.invoices,
        "payment_files": day.aftermath.payment_files,
        "bundle": str(day.aftermath.bundle),
        "folder": str(day.folder),
        "url": stage.url,
        "logins": _logins(stage),
    }


def _logins(stage: Stage) -> list[dict[str, object]]:
    return [
        {
            "partner": found.partner.party_id,
            "roles": list(found.partner.roles),
            "user_name": found.partner.username,
            "password": stage.crew.secrets[found.partner.party_id],
        }
        for found in stage.players.values()
    ]


def stay(output: Output, stage: Stage) -> None:
    """Print what to try, then wait for Ctrl-C."""
    if not output.as_json:
        output.rows("Logins", _logins(stage), empty="No partners.")
        _print_calls(output, stage)
    output.remark("running; Ctrl-C stops everything")
    try:
        threading.Event().wait()
    except KeyboardInterrupt:
        output.remark("")


def _print_calls(output: Output, stage: Stage) -> None:
    values = {
        "url": stage.url,
        "party": PARTY,
        "username": stage.player(PARTY).partner.username,
        "password": stage.crew.secrets[PARTY],
    }
    output.remark(f"Services and their WSDLs: {stage.url}/services/")
    # A demo has a state of its own: where this was typed there may be another one.
    state = shlex.quote(f"CLEARINGHOUSE_STATE_DIR={stage.folder}")
    python = shlex.quote(sys.executable)
    output.remark("\nThe held SDR waits for the operator, who sees it with:\n")
    output.remark(f"env {state} {python} -m clearinghouse sdr held")
    output.remark(
        "\nAll other verbs go the same way. Two operators act, each with a password:"
    )
    for name in (OPERATOR, SECOND_OPERATOR):
        output.remark(f"  --operator {name}  {stage.crew.secrets[name]}")
    output.remark(f"\nA call to paste into {sys.executable}:\n")
    output.remark(OURS.format(**values))
    output.remark("The same without this package, wherever zeep is installed:\n")
    output.remark(WHO.format(**values) + PLAIN)
