"""Two reference partners, connected to a running clearing house: the whole way round.

A CSP starts a session at a CSO's station; the CSO reports and submits the SDR; it is
delivered and confirmed; the CSO hears of it. All in processes of their own.
"""

from __future__ import annotations

import contextlib
import json
import shutil
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path

import pytest

from clearinghouse.endpoint.client import ClearingHouse, pages
from clearinghouse.endpoint.connection import Account
from clearinghouse.endpoint.messages.common import Credential
from clearinghouse.endpoint.messages.credential import CredentialEntry
from clearinghouse.endpoint.messages.directory import Endpoint, EndpointService
from clearinghouse.endpoint.messages.evse import Connector, Evse
from clearinghouse.endpoint.messages.tariff import Tariff, TariffComponent
from tests.fixtures.database import make_state_dir
from tests.running.house import House
from tests.waiting import eventually

TOKEN = "the-token-of-the-partner"
EVSE = "DE*BEN*E000001"
CARD = Credential(kind="RFID", value="04A2B3C4D5E680")
CONTRACT = "NLCSPC00000001"


@dataclass(frozen=True, slots=True, kw_only=True)
class Roaming:
    """The partners' clients, and the folders of their endpoints."""

    csp: ClearingHouse
    cso: ClearingHouse
    folder: Path

    def journal(self, role: str, kind: str) -> list[dict[str, str]]:
        """Return the entries of one kind in a partner's journal."""
        text = (self.folder / role / f"{role}.jsonl").read_text()
        entries = [json.loads(line) for line in text.splitlines()]
        return [entry for entry in entries if entry["kind"] == kind]


@contextlib.contextmanager
def _endpoint(
    house: House, folder: Path, account: Account, role: str, *options: str
) -> Iterator[str]:
    """Run a reference partner and give the address of its service."""
    folder.mkdir()
    (folder / "token").write_text(TOKEN)
    (folder / "password").write_text(account.password)
    command = [sys.executable, "-m", "clearinghouse.endpoint", "serve", "--role", role]
    command += ["--party-id", account.party_id, "--username", account.username]
    command += ["--password-file", str(folder / "password"), "--url", house.url]
    command += ["--access-token-file", str(folder / "token"), "--state", str(folder)]
    with (
        (folder / "log").open("w") as log,
        subprocess.Popen(
            [*command, *options], stdout=subprocess.PIPE, stderr=log, text=True
        ) as process,
    ):
        assert process.stdout is not None
        url = process.stdout.readline().removeprefix("listening on ").strip()
        try:
            yield f"{url}/services/{role}-endpoint"
        finally:
            process.terminate()


def _admit(house: House, party_id: str, role: str) -> Account:
    speaker = house.admit(party_id, role)
    return Account(
        party_id=party_id, username=speaker.username, password=speaker.password
    )


def _register(client: ClearingHouse, service: EndpointService, url: str) -> None:
    client.put_endpoints([Endpoint(service=service, url=url, access_token=TOKEN)])


def _equip(csp: ClearingHouse, cso: ClearingHouse) -> None:
    """Upload what roaming needs: EVSEs, a tariff, credentials."""
    since = datetime.now(UTC) - timedelta(days=1)
    connector = Connector(kind="CCS2", power_w=150_000)
    evse = Evse(
        evse_id=EVSE, country="DE", time_zone="Europe/Berlin", connector=(connector,)
    )
    price = TariffComponent(type="ENERGY", price=Decimal("0.49"))
    tariff = Tariff(
        tariff_id="STANDARD", currency="EUR", valid_from=since, component=(price,)
    )
    cso.put_evses([evse])
    cso.put_tariffs([tariff])
    csp.put_credentials(
        [CredentialEntry(credential=CARD, contract_id=CONTRACT, status="VALID")]
    )


@pytest.fixture
def roaming() -> Iterator[Roaming]:
    folder = make_state_dir()
    with contextlib.ExitStack() as stack:
        stack.callback(shutil.rmtree, folder, ignore_errors=True)
        house = stack.enter_context(House(folder / "house"))
        csp_account = _admit(house, "NLCSP", "CSP")
        cso_account = _admit(house, "DEBEN", "CSO")
        agreement = ["agreement", "add", "DEBEN", "NLCSP", "--currency", "EUR"]
        house.command(*agreement, "--from", "2020-01-01")
        house.start_worker()
        csp = ClearingHouse(house.url, csp_account)
        cso = ClearingHouse(house.url, cso_account)
        stack.callback(csp.close)
        stack.callback(cso.close)
        _equip(csp, cso)
        csp_url = stack.enter_context(
            _endpoint(
                house,
                folder / "csp",
                csp_account,
                "csp",
                *["--contract", f"{CARD.kind}:{CARD.value}={CONTRACT}"],
            )
        )
        cso_url = stack.enter_context(
            _endpoint(
                house,
                folder / "cso",
                cso_account,
                "cso",
                *["--evse", EVSE, "--power-w", "150000", "--charge-seconds", "2"],
            )
        )
        _register(csp, "csp-endpoint", csp_url)
        _register(cso, "cso-endpoint", cso_url)
        yield Roaming(csp=csp, cso=cso, folder=folder)


@pytest.mark.slow
@pytest.mark.timeout(300)
@pytest.mark.clause("4.2-visited", "4.3-I3", "4.3-I4", "5-B2")
def test_a_remote_start_comes_back_as_a_confirmed_sdr(roaming: Roaming) -> None:
    started = roaming.csp.start_session(EVSE, CONTRACT, partner_session_id="APP-1")
    assert started.session_id is not None

    eventually(lambda: bool(roaming.journal("cso", "verdict")))

    [verdict] = roaming.journal("cso", "verdict")
    assert verdict["status"] == "CONFIRMED"
    events = [entry["event"] for entry in roaming.journal("csp", "event")]
    assert sorted(events) == ["ENDED", "STARTED"]
    [page] = pages(lambda cursor: roaming.csp.get_sdrs(role="HOME_CSP", cursor=cursor))
    [sdr] = page.sdr
    assert sdr.status == "CONFIRMED"
    assert sdr.service_detail_record.service_session.session_id == started.session_id
    assert sdr.rated_net == sdr.service_detail_record.claimed_net
    [position] = roaming.cso.get_positions().position
    assert (position.counterparty_id, position.receivable) == ("NLCSP", sdr.rated_net)
    view = roaming.csp.get_session(started.session_id).session
    assert view is not None
    assert view.state == "SDR_RECEIVED"
