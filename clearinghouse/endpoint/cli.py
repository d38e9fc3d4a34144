"""The endpoint's verbs: serve a reference partner, call one operation."""

from __future__ import annotations

import json
import logging
from decimal import Decimal
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from clearinghouse.endpoint import calls
from clearinghouse.endpoint.client import ClearingHouse
from clearinghouse.endpoint.codec import text_of, to_mapping
from clearinghouse.endpoint.connection import Account
from clearinghouse.endpoint.cso import ReferenceCso
from clearinghouse.endpoint.csp import Contracts, ReferenceCsp, reject_above
from clearinghouse.endpoint.errors import CallError
from clearinghouse.endpoint.exchange import Access
from clearinghouse.endpoint.journal import Journal
from clearinghouse.endpoint.server import application
from clearinghouse.endpoint.serving import (
    Address,
    Serving,
    end_signals,
    tls_context,
    wait_for,
)
from clearinghouse.endpoint.station import Station

app = typer.Typer(
    help="The reference roaming endpoint of a partner.", no_args_is_help=True
)


class Role(StrEnum):
    """What the partner is; both at once is allowed (clause 4.2-dual)."""

    CSP = "csp"
    CSO = "cso"


State = Annotated[Path, typer.Option(help="Folder of the journals.")]
Host = Annotated[str, typer.Option(help="Address to listen on.")]
Port = Annotated[int, typer.Option(help="Port; 0 takes a free one.")]
Certificate = Annotated[str | None, typer.Option(help="PEM chain for TLS.")]
Key = Annotated[str | None, typer.Option(help="PEM key for TLS.")]
TokenFile = Annotated[
    Path | None, typer.Option(help="File with the token the caller must show.")
]
Roles = Annotated[list[Role], typer.Option(help="csp, cso or both.")]
PartyId = Annotated[str, typer.Option(help="Our party id.")]
Url = Annotated[str | None, typer.Option(help="The clearing house's address.")]
Username = Annotated[str, typer.Option(help="Our user name.")]
PasswordFile = Annotated[
    Path | None, typer.Option(help="File whose first line is our password.")
]
ContractLines = Annotated[
    list[str] | None, typer.Option(help="CSP: KIND:VALUE=CONTRACT, may be repeated.")
]
ContractsFile = Annotated[Path | None, typer.Option(help="CSP: file of such lines.")]
Blocked = Annotated[list[str] | None, typer.Option(help="CSP: a blocked contract.")]
RejectAbove = Annotated[
    str | None, typer.Option(help="CSP: reject SDRs above this amount.")
]
Evses = Annotated[list[str] | None, typer.Option(help="CSO: an EVSE id.")]
Tariff = Annotated[str, typer.Option(help="CSO: tariff id.")]
Currency = Annotated[str, typer.Option(help="CSO: currency.")]
Price = Annotated[str, typer.Option(help="CSO: price of one kWh.")]
Power = Annotated[int, typer.Option(help="CSO: power of a charge.")]
Length = Annotated[int, typer.Option(help="CSO: length of a charge.")]


@app.command()
def serve(  # noqa: PLR0913 - the arguments are the options a person can type
    *,
    role: Roles,
    state: State,
    party_id: PartyId,
    host: Host = "127.0.0.1",
    port: Port = 0,
    certificate: Certificate = None,
    key: Key = None,
    access_token_file: TokenFile = None,
    url: Url = None,
    username: Username = "",
    password_file: PasswordFile = None,
    contract: ContractLines = None,
    contracts_file: ContractsFile = None,
    blocked: Blocked = None,
    reject_above_net: RejectAbove = None,
    evse: Evses = None,
    tariff: Tariff = "STANDARD",
    currency: Currency = "EUR",
    price_per_kwh: Price = "0.49",
    power_w: Power = 11_000,
    charge_seconds: Length = 5,
) -> None:
    """Serve a reference partner until SIGTERM; the journals survive a kill."""
    logging.basicConfig(level=logging.INFO, format="%(levelname)s %(message)s")
    house = _house(url, party_id, username, password_file)
    csp = cso = None
    if Role.CSP in role:
        csp = ReferenceCsp(
            _contracts(contract or [], contracts_file, blocked or []),
            Journal(state / "csp.jsonl"),
            house=house,
            objection=reject_above(reject_above_net),
        )
    if Role.CSO in role:
        station = Station(
            party_id=party_id,
            evse_ids=frozenset(evse or []),
            tariff_id=tariff,
            currency=currency,
            price_per_kwh=Decimal(price_per_kwh),
            power_w=power_w,
            charge_seconds=charge_seconds,
        )
        cso = ReferenceCso(station, Journal(state / "cso.jsonl"), house=house)
    tls = tls_context(certificate, key) if certificate and key else None
    access = Access(token=_first_line(access_token_file))
    _run(csp, cso, access, Address(host=host, port=port, tls=tls))


def _run(
    csp: ReferenceCsp | None, cso: ReferenceCso | None, access: Access, address: Address
) -> None:
    asked_to_end = end_signals()
    serving = Serving(application(csp=csp, cso=cso, access=access), address)
    Console().print(f"listening on {serving.url}", highlight=False)
    wait_for(asked_to_end)
    serving.stop()
    for partner in (csp, cso):
        if partner is not None:
            partner.close()


@app.command()
def call(  # noqa: PLR0913 - the arguments are the options a person can type
    operation: Annotated[str, typer.Argument(help="As in the WSDL: AuthorizeStart.")],
    body: Annotated[str, typer.Argument(help="Its elements as JSON.")] = "{}",
    *,
    url: Annotated[str, typer.Option(help="The clearing house's address.")],
    party_id: PartyId,
    username: Username,
    password_file: PasswordFile,
) -> None:
    """Call one operation and print the answer as JSON."""
    found = {known.name: known for known in calls.OPERATIONS}.get(operation)
    if found is None:
        raise typer.BadParameter(f"no operation {operation}")
    house = _house(url, party_id, username, password_file)
    if house is None:
        raise typer.BadParameter("the clearing house's address is missing")
    try:
        answer = house.call(found, json.loads(body))
    except CallError as error:
        Console(stderr=True).print(str(error), highlight=False)
        raise typer.Exit(1) from error
    Console().print_json(json.dumps(to_mapping(answer), default=text_of))


def _house(
    url: str | None, party_id: str, username: str, password_file: Path | None
) -> ClearingHouse | None:
    if url is None:
        return None
    account = Account(
        party_id=party_id,
        username=username,
        password=_first_line(password_file) or "",
    )
    return ClearingHouse(url, account)


def _first_line(path: Path | None) -> str | None:
    return None if path is None else path.read_text("utf-8").partition("\n")[0]


def _contracts(given: list[str], file: Path | None, blocked: list[str]) -> Contracts:
    lines = [*given, *(file.read_text("utf-8").split() if file else ())]
    by_credential: dict[tuple[str, str], str] = {}
    for line in lines:
        credential, equals, contract = line.rpartition("=")
        kind, colon, value = credential.partition(":")
        if not equals or not colon:
            raise typer.BadParameter(f"not KIND:VALUE=CONTRACT: {line}")
        by_credential[kind, value] = contract
    return Contracts(by_credential=by_credential, blocked=frozenset(blocked))
