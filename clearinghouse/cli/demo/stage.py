"""The demo's stage: partners admitted, agreed, connected, their data uploaded."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from clearinghouse import app
from clearinghouse.cli.demo import offices, uploads, world
from clearinghouse.cli.demo.crew import Crew, hired
from clearinghouse.cli.demo.players import Calendar, Player, Tally
from clearinghouse.cli.demo.world import PARTNERS, Partner
from clearinghouse.codes import SEMANTIC
from clearinghouse.domain.agreements import Mode, SilentCsp, Terms
from clearinghouse.domain.errors import ClearingHouseError
from clearinghouse.domain.exchange import Role
from clearinghouse.endpoint.client import ClearingHouse
from clearinghouse.endpoint.connection import Account
from clearinghouse.endpoint.messages.directory import Endpoint
from clearinghouse.services import accounts, agreements, participants
from clearinghouse.services.environment import Environment
from clearinghouse.settings import Settings


@dataclass(slots=True)
class Stage:
    """Everything that runs, and the partners' clients."""

    crew: Crew
    env: Environment
    players: dict[str, Player] = field(default_factory=dict)
    tally: Tally = field(default_factory=Tally)

    @property
    def folder(self) -> Path:
        """Where the demo keeps what it must not forget."""
        return self.crew.folder

    @property
    def url(self) -> str:
        """Where the clearing house answers."""
        return self.crew.settings.url

    def player(self, party_id: str) -> Player:
        """Return a partner's backend."""
        return self.players[party_id]

    def stop_endpoint(self, party_id: str) -> None:
        """Kill a partner's endpoint as a power cut would."""
        self.crew.children[party_id].kill()

    def start_endpoint(self, party_id: str) -> None:
        """Start a partner's endpoint again; the partner says that it is back."""
        self.crew.children[party_id].start()
        self.crew.await_endpoint(party_id)
        self.register(party_id)

    def register(self, party_id: str) -> None:
        """Tell the clearing house where a partner's endpoint is."""
        player = self.player(party_id)
        endpoint = Endpoint(
            service=f"{player.partner.endpoint}-endpoint",  # type: ignore[arg-type]  # the contract's two words
            url=self.crew.urls[party_id],
            access_token=self.crew.secrets[f"token {party_id}"],
        )
        player.house.put_endpoints([endpoint])

    # Setting up: each step is repeatable, a second run finds it done.

    def admit_all(self) -> None:
        """Admit the partners, give them accounts, conclude their agreements."""
        known = {p.party_id for p in participants.all_participants(self.env)}
        agreed = {(a.visited, a.home) for a in agreements.all_agreements(self.env)}
        for partner in PARTNERS:
            if partner.party_id not in known:
                self._admit(partner)
            self._give_account(partner)
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

    def _give_account(self, partner: Partner) -> None:
        password = self.crew.secrets[partner.party_id]
        account = accounts.NewAccount(
            party_id=partner.party_id, username=partner.username, password=password
        )
        try:
            accounts.add_account(self.env, account)
        except ClearingHouseError as error:
            if error.code is not SEMANTIC:
                raise
            # It is there; the file with its password may have been lost meanwhile.
            accounts.change_password(self.env, partner.username, password)

    def _agree(self, relation: world.Relation) -> None:
        agreements.conclude(
            self.env,
            agreements.Conclusion(
                visited=relation.visited,
                home=relation.home,
                mode=Mode.B2,
                currency=relation.currency,
                valid_from=uploads.VALID_FROM,
                terms=Terms(
                    silent_csp=SilentCsp(relation.silent_csp),
                    match_required=relation.match_required,
                    collects=relation.collects,
                ),
            ),
        )

    def connect_all(self, run: str) -> None:
        """Give each partner its client and let it log in."""
        for partner in PARTNERS:
            account = Account(
                party_id=partner.party_id,
                username=partner.username,
                password=self.crew.secrets[partner.party_id],
            )
            self.players[partner.party_id] = Player(
                partner=partner,
                house=ClearingHouse(self.url, account),
                notebook=self.folder / f"{partner.party_id}.json",
                calendar=Calendar(self.folder / "calendar.json"),
                run=run,
                tally=self.tally,
            )
            self.players[partner.party_id].house.heartbeat()

    def upload_all(self) -> None:
        """Upload EVSEs, tariffs and credential lists, and register the endpoints."""
        for party_id, player in self.players.items():
            if evses := uploads.evses(party_id):
                player.house.put_evses(evses)
            if tariffs := uploads.tariffs(party_id):
                player.house.put_tariffs(tariffs)
            if entries := uploads.entries(party_id):
                player.house.put_credentials(entries)
            if party_id in self.crew.urls:
                self.crew.await_endpoint(party_id)
                self.register(party_id)


@contextmanager
def raised(settings: Settings, run: str) -> Iterator[Stage]:
    """Start everything, fill it with master data, stop it all at the end."""
    with hired(settings) as crew:
        server = crew.start_house("serve")
        crew.start_endpoints()  # they take seconds to load, as the server does
        server.wait_until_ready(f"{settings.url}/readyz")
        crew.start_house("worker")
        with app.environment(settings) as env:
            stage = Stage(crew, env)
            stage.admit_all()
            offices.open_all(env, crew.secrets)
            stage.connect_all(run)
            stage.upload_all()
            yield stage
