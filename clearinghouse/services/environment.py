"""What every use case is given: the database, the vault, the clock, the partners.

Built once per process by the composition root; a test builds it over a test database
with a clock that stands still and partners that follow a script.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from decimal import Decimal

from clearinghouse.domain.clock import Clock
from clearinghouse.domain.runs import Model
from clearinghouse.services.gate import Gate
from clearinghouse.services.ports import PartnerGateway
from clearinghouse.settings import Settings
from clearinghouse.storage.database import Database
from clearinghouse.storage.signing import Signer
from clearinghouse.storage.vault import Vault

_MILLISECONDS = 1000


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """The house's own terms; the defaults are those of the settings.

    ``authorize_partner_milliseconds`` is the home CSP's share of the time a station
    waits, counted from when the request arrived.
    """

    party_id: str = "CHCLR"
    name: str = "Clearing house"
    token_seconds: int = 1200
    token_chain_seconds: int = 28_800
    heartbeat_seconds: int = 300
    batch_silence_hours: int = 30
    settlement_model: Model = Model.MULTILATERAL
    authorize_milliseconds: int = 2000
    authorize_partner_milliseconds: int = 1400
    remote_start_milliseconds: int = 10_000
    allow_private_endpoints: bool = False
    allow_http_endpoints: bool = False

    @classmethod
    def of(cls, settings: Settings) -> Limits:
        """Take over what the settings say."""
        return cls(
            party_id=settings.party_id,
            name=settings.name,
            token_seconds=settings.token_seconds,
            token_chain_seconds=settings.token_chain_seconds,
            heartbeat_seconds=settings.heartbeat_seconds,
            batch_silence_hours=settings.batch_silence_hours,
            settlement_model=Model(settings.settlement_model),
            authorize_milliseconds=_milliseconds(str(settings.authorize_seconds)),
            authorize_partner_milliseconds=_milliseconds(
                str(settings.authorize_partner_seconds)
            ),
            remote_start_milliseconds=_milliseconds(str(settings.remote_start_seconds)),
            allow_private_endpoints=settings.allow_private_endpoints,
            allow_http_endpoints=settings.allow_http_endpoints,
        )


def _milliseconds(seconds: str) -> int:
    return int(Decimal(seconds) * _MILLISECONDS)


@dataclass(frozen=True, slots=True, kw_only=True)
class Environment:
    """The surroundings of a use case; ``gate`` remembers this process's logins.

    ``signer``: without a key file, as in a test, it signs with a key of its own.
    """

    database: Database
    vault: Vault
    clock: Clock
    partners: PartnerGateway
    limits: Limits = Limits()
    gate: Gate = field(default_factory=Gate)
    signer: Signer = field(default_factory=Signer)
