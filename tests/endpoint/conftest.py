"""A reference partner on a free port, and a scripted clearing house for its client."""

from __future__ import annotations

from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path

import pytest
import requests

from clearinghouse.contract.catalogue import Contract
from clearinghouse.endpoint.client import ClearingHouse
from clearinghouse.endpoint.connection import Account, Patience
from clearinghouse.endpoint.cso import ReferenceCso
from clearinghouse.endpoint.csp import Contracts, ReferenceCsp
from clearinghouse.endpoint.exchange import Access
from clearinghouse.endpoint.journal import Journal
from clearinghouse.endpoint.server import application
from clearinghouse.endpoint.serving import Address, Serving
from clearinghouse.endpoint.station import Station
from tests.endpoint.partner import ACCESS_TOKEN, Partner
from tests.endpoint.scripted_house import ScriptedHouse

ACCOUNT = Account(party_id="NLTNM", username="tnm-backend", password="correct horse")

STATION = Station(
    party_id="FRA23",
    evse_ids=frozenset({"FR*A23*E45B*78C"}),
    tariff_id="DAY-2026",
    currency="EUR",
    price_per_kwh=Decimal("0.49"),
    charge_seconds=60,
)


@pytest.fixture
def partner(tmp_path: Path) -> Iterator[Partner]:
    contracts = Contracts(
        by_credential={
            ("RFID", "04A2B3C4D5E680"): "NLTNMC00000001",
            ("RFID", "04FFFFFFFFFFFF"): "NLTNMC00000002",
        },
        blocked=frozenset({"NLTNMC00000002"}),
    )
    csp = ReferenceCsp(contracts, Journal(tmp_path / "csp.jsonl"))
    cso = ReferenceCso(STATION, Journal(tmp_path / "cso.jsonl"))
    app = application(csp=csp, cso=cso, access=Access(token=ACCESS_TOKEN))
    serving = Serving(app, Address())
    yield Partner(serving=serving, csp=csp, cso=cso, folder=tmp_path)
    serving.stop()
    csp.close()
    cso.close()


@pytest.fixture(scope="session")
def contract() -> Contract:
    return Contract.load()


@pytest.fixture
def house(contract: Contract) -> Iterator[ScriptedHouse]:
    scripted = ScriptedHouse(contract)
    scripted.start()
    yield scripted
    scripted.stop()


@pytest.fixture
def client(house: ScriptedHouse) -> Iterator[ClearingHouse]:
    with requests.Session() as session:
        yield ClearingHouse(
            house.url,
            ACCOUNT,
            patience=Patience(backoff_milliseconds=1),
            session=session,
        )
