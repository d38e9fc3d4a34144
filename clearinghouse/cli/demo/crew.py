"""The demo's processes: clearing house, worker, the partners' roaming endpoints.

They are started together and stopped together, whatever happens in between.
"""

from __future__ import annotations

import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from clearinghouse.cli.demo import notes, world
from clearinghouse.cli.demo.world import CARDS, PARTNERS, PRICES, STATIONS, Partner
from clearinghouse.cli.processes import Child, free_port, stop_all
from clearinghouse.settings import Settings, environment_for
from clearinghouse.storage.embedded.uncut import uncut

FIRST_ENDPOINT_PORT = 8071
"""Where the search for the partners' ports begins."""
OPERATOR = "demo-operator"
"""Who settles for the house."""
SECOND_OPERATOR = "demo-second-operator"
"""Who approves what takes two."""
SECRET_BYTES = 18
"""Randomness of a password, and of the token that we show to an endpoint."""


@dataclass(slots=True)
class Crew:
    """All processes by name, and the secrets they share.

    ``secrets`` holds a partner's password under its party id, and the token that its
    endpoint wants to see under ``token`` and its party id; those of the house's
    operators are under their names.
    """

    settings: Settings
    children: dict[str, Child] = field(default_factory=dict)
    urls: dict[str, str] = field(default_factory=dict)
    secrets: dict[str, str] = field(default_factory=dict)

    @property
    def folder(self) -> Path:
        """Where the demo keeps what it must not forget."""
        return self.settings.state_dir

    def start_house(self, verb: str) -> Child:
        """Start ``serve`` or ``worker``."""
        child = Child(
            name=verb,
            command=["clearinghouse", verb],
            log_path=self.folder / f"{verb}.log",
            environment=environment_for(self.settings),
            isolated=True,
        )
        self.children[verb] = child
        return child.start()

    def start_endpoints(self) -> None:
        """Start the roaming endpoint of each partner that has one; wait for none."""
        port = FIRST_ENDPOINT_PORT
        for partner in PARTNERS:
            if partner.endpoint is not None:
                port = free_port(port)
                self._start_endpoint(partner, partner.endpoint, port)
                port += 1

    def await_endpoint(self, party_id: str) -> None:
        """Wait until a partner's endpoint answers."""
        self.children[party_id].wait_until_ready(f"{self.urls[party_id]}?wsdl")

    def _start_endpoint(self, partner: Partner, role: str, port: int) -> None:
        party_id = partner.party_id
        home = self.folder / "endpoints" / party_id
        home.mkdir(parents=True, exist_ok=True)
        self.urls[party_id] = f"http://127.0.0.1:{port}/services/{role}-endpoint"
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
        child = Child(name=party_id, command=command, log_path=home / "log")
        self.children[party_id] = child
        child.start()

    def _file(self, home: Path, name: str, secret: str) -> str:
        path = home / name
        path.touch(mode=0o600)
        path.write_text(self.secrets[secret] + "\n", encoding="utf-8")
        return str(path)

    def agree_on_secrets(self) -> None:
        """Take over an earlier run's secrets, make those that are missing."""
        path = self.folder / "demo-secrets.json"
        self.secrets = notes.read(path)
        for partner in PARTNERS:
            for name in (partner.party_id, f"token {partner.party_id}"):
                self.secrets.setdefault(name, secrets.token_urlsafe(SECRET_BYTES))
        for name in (OPERATOR, SECOND_OPERATOR):
            self.secrets.setdefault(name, secrets.token_urlsafe(SECRET_BYTES))
        notes.write(path, self.secrets)


@contextmanager
def hired(settings: Settings) -> Iterator[Crew]:
    """Give a crew whose processes are all stopped at the end, the server last."""
    crew = Crew(settings)
    crew.agree_on_secrets()
    try:
        yield crew
    finally:
        with uncut():
            server = crew.children.pop("serve", None)
            stop_all(crew.children.values())
            if server is not None:
                server.stop()


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
        "--charge-seconds": str(world.CHARGE_SECONDS),
    }
    return [*words, *(word for option in options.items() for word in option)]
