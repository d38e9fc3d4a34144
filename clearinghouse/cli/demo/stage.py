"""The demo's processes: clearing house, worker, partners' roaming endpoints."""

from __future__ import annotations

import json
import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path

from clearinghouse import app
from clearinghouse.cli.demo import world
from clearinghouse.cli.demo.players import Calendar, Player, Tally
from clearinghouse.cli.demo.world import CARDS, PARTNERS, PRICES, STATIONS, Partner
from clearinghouse.cli.processes import Child, free_port
from clearinghouse.domain.agreements import Mode, SilentCsp, Terms
from clearinghouse.domain.exchange import Role
from clearinghouse.endpoint.client import ClearingHouse
from clearinghouse.endpoint.connection import Account
from clearinghouse.endpoint.messages.common import Credential
from clearinghouse.endpoint.messages.credential import CredentialEntry
from clearinghouse.endpoint.messages.directory import Endpoint
from clearinghouse.endpoint.messages.evse import Connector, Evse
from clearinghouse.endpoint.messages.tariff import Tariff, TariffComponent
from clearinghouse.services import agreements, participants
from clearinghouse.services.environment import Environment
from clearinghouse.settings import Settings, environment_for

FIRST_ENDPOINT_PORT = 8071
"""Where the search for the partners' ports begins."""
ACCESS_TOKEN_BYTES = 24
"""Randomness of the token that the clearing house shows to an endpoint."""
VALID_FROM = datetime(2026, 1, 1, tzinfo=UTC)
"""When the demo's agreements and tariffs begin."""


@dataclass(slots=True)
class Stage:
    """Everything that runs, and the partners' clients."""

    settings: Settings
    env: Environment
    children: dict[str, Child] = field(default_factory=dict)
    players: dict[str, Player] = field(default_factory=dict)
    secrets: dict[str, str] = field(default_factory=dict)
    tally: Tally = field(default_factory=Tally)

    @property
    def folder(self) -> Path:
        """Where the demo keeps what it must not forget."""
        return self.settings.state_dir

    def player(self, party_id: str) -> Player:
        """Return a partner's backend."""
        return self.players[party_id]

    def stop_endpoint(self, party_id: str) -> None:
        """Kill a partner's endpoint as a power cut would."""
        self.children[party_id].kill()

    def start_endpoint(self, party_id: str) -> None:
        """Start a partner's endpoint and wait until it answers."""
        child = self.children[party_id].start()
        child.wait_until_ready(f"{self.secrets[f'url {party_id}']}?wsdl")

    # Setting up: each step is repeatable, a second run finds it done.

    def remember(self) -> None:
        """Store passwords and addresses, readable by this user only."""
        path = self.folder / "demo-secrets.json"
        path.touch(mode=0o600)
        path.write_text(json.dumps(self.secrets, indent=1), encoding="utf-8")

    def recall(self) -> None:
        """Read what an earlier run stored."""
        path = self.folder / "demo-secrets.json"
        if path.exists():
            self.secrets = json.loads(path.read_text(encoding="utf-8"))

    def admit_all(self) -> None:
        """Admit the partners, give them accounts, conclude their agreements."""
        known = {p.party_id for p in participants.all_participants(self.env)}
        agreed = {(a.visited, a.home) for a in agreements.all_agreements(self.env)}
        for partner in PARTNERS:
            if partner.party_id not in known:
                self._admit(partner)
        for relation in world.RELATIONS:
            if (relation.visited, relation.home) not in agreed:
                self._agree(relation)

    def _admit(self, partner: Partner) -> None:
        participants.admit(
            self.env,
            participants.Admission(
                party_id=partner.party_id,
                name=partner.name,
                country=partner.country,
                roles=frozenset(Role(role) for role in partner.roles),
            ),
        )
        password = secrets.token_urlsafe(world.PASSWORD_BYTES)
        self.secrets[partner.party_id] = password
        self.remember()
        participants.add_account(
            self.env,
            participants.NewAccount(
                party_id=partner.party_id,
                username=partner.username,
                password=password,
            ),
        )

    def _agree(self, relation: world.Relation) -> None:
        agreements.conclude(
            self.env,
            agreements.Conclusion(
                visited=relation.visited,
                home=relation.home,
                mode=Mode.B2,
                currency=relation.currency,
                valid_from=VALID_FROM,
                terms=Terms(
                    silent_csp=SilentCsp(relation.silent_csp),
                    match_required=relation.match_required,
                ),
            ),
        )

    def connect_all(self, run: str) -> None:
        """Give each partner its client and let it log in."""
        for partner in PARTNERS:
            account = Account(
                party_id=partner.party_id,
                username=partner.username,
                password=self.secrets[partner.party_id],
            )
            self.players[partner.party_id] = Player(
                partner=partner,
                house=ClearingHouse(self.settings.url, account),
                notebook=self.folder / f"{partner.party_id}.json",
                calendar=Calendar(self.folder / "calendar.json"),
                run=run,
                tally=self.tally,
            )
            self.players[partner.party_id].house.heartbeat()

    def upload_all(self) -> None:
        """Upload EVSEs, tariffs and credential lists of all partners."""
        for party_id, player in self.players.items():
            roles = player.partner.roles
            if "CSO" in roles:
                player.house.put_evses(_evses(party_id))
            if any(price.cso == party_id for price in PRICES):
                player.house.put_tariffs(_tariffs(party_id))
            entries = _entries(party_id)
            if entries:
                player.house.put_credentials(entries)

    def open_endpoints(self) -> None:
        """Start each partner's roaming endpoint and register its address."""
        port = FIRST_ENDPOINT_PORT
        for party_id, player in self.players.items():
            role = "cso" if party_id == "NLBRA" else "csp"
            if role == "csp" and "CSP" not in player.partner.roles:
                continue
            port = free_port(port)
            self.secrets.setdefault(
                f"token {party_id}", secrets.token_urlsafe(ACCESS_TOKEN_BYTES)
            )
            url = f"http://127.0.0.1:{port}/services/{role}-endpoint"
            self.secrets[f"url {party_id}"] = url
            self.children[party_id] = self._endpoint(party_id, role, port)
            self.start_endpoint(party_id)
            endpoint = Endpoint(
                service=f"{role}-endpoint",  # type: ignore[arg-type]  # the contract's two words
                url=url,
                access_token=self.secrets[f"token {party_id}"],
            )
            player.house.put_endpoints([endpoint])
            port += 1
        self.remember()

    def _endpoint(self, party_id: str, role: str, port: int) -> Child:
        partner = self.players[party_id].partner
        home = self.folder / "endpoints" / party_id
        home.mkdir(parents=True, exist_ok=True)
        command = ["clearinghouse.endpoint", "serve", "--role", role]
        options = {
            "--party-id": party_id,
            "--state": str(home),
            "--port": str(port),
            "--url": self.settings.url,
            "--username": partner.username,
            "--password-file": self._file(home, "password", party_id),
            "--access-token-file": self._file(home, "token", f"token {party_id}"),
        }
        command += [word for option in options.items() for word in option]
        command += _csp_words(party_id) if role == "csp" else _cso_words(party_id)
        return Child(name=party_id, command=command, log_path=home / "log")

    def _file(self, home: Path, name: str, secret: str) -> str:
        path = home / name
        path.touch(mode=0o600)
        path.write_text(self.secrets[secret] + "\n", encoding="utf-8")
        return str(path)


def _csp_words(party_id: str) -> list[str]:
    words = []
    for card in CARDS:
        if card.csp == party_id:
            words += ["--contract", f"{card.kind}:{card.value}={card.contract_id}"]
            words += ["--blocked", card.contract_id] if card.blocked else []
    return words


def _cso_words(party_id: str) -> list[str]:
    price = next(found for found in PRICES if found.cso == party_id)
    stations = [found for found in STATIONS if found.cso == party_id]
    words = [word for found in stations for word in ("--evse", found.evse_id)]
    options = {
        "--tariff": price.tariff_id,
        "--currency": price.currency,
        "--price-per-kwh": str(price.per_kwh),
        "--power-w": str(stations[0].power_w),
        "--charge-seconds": "3600",
    }
    return [*words, *(word for option in options.items() for word in option)]


def _evses(party_id: str) -> list[Evse]:
    return [
        Evse(
            evse_id=station.evse_id,
            city=station.city,
            country=station.country,
            time_zone=station.time_zone,
            connector=(Connector(kind="Combo2", power_w=station.power_w),),
        )
        for station in STATIONS
        if station.cso == party_id
    ]


def _tariffs(party_id: str) -> list[Tariff]:
    return [
        Tariff(
            tariff_id=price.tariff_id,
            currency=price.currency,
            valid_from=VALID_FROM,
            component=tuple(
                TariffComponent(type=kind, price=amount)  # type: ignore[arg-type]  # the contract's words
                for kind, amount in (
                    ("ENERGY", price.per_kwh),
                    ("TIME", price.per_minute),
                    ("FLAT", price.per_session),
                )
                if isinstance(amount, Decimal)
            ),
        )
        for price in PRICES
        if price.cso == party_id
    ]


def _entries(party_id: str) -> list[CredentialEntry]:
    return [
        CredentialEntry(
            credential=Credential(kind=card.kind, value=card.value),  # type: ignore[arg-type]  # the contract's words
            contract_id=card.contract_id,
            status="BLOCKED" if card.blocked else "VALID",
        )
        for card in CARDS
        if card.csp == party_id and card.listed
    ]


@contextmanager
def raised(settings: Settings, run: str) -> Iterator[Stage]:
    """Start everything, fill it with master data, stop it all at the end."""
    server = _house("serve", settings)
    children: dict[str, Child] = {}
    try:
        server.start().wait_until_ready(f"{settings.url}/readyz")
        with app.environment(settings) as env:
            stage = Stage(settings, env, children)
            stage.recall()
            children["worker"] = _house("worker", settings).start()
            stage.admit_all()
            stage.connect_all(run)
            stage.open_endpoints()
            stage.upload_all()
            yield stage
    finally:
        for child in reversed(children.values()):
            child.stop()
        server.stop()


def _house(verb: str, settings: Settings) -> Child:
    return Child(
        name=verb,
        command=["clearinghouse", verb],
        log_path=settings.state_dir / f"{verb}.log",
        environment=environment_for(settings),
    )
