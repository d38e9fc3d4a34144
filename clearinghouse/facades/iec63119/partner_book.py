"""Where partners are reached, and with which key, as they registered it."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime

from clearinghouse.domain.participants import EndpointService
from clearinghouse.services.directory import token_purpose
from clearinghouse.storage import directory, participants
from clearinghouse.storage.database import Database
from clearinghouse.storage.vault import Vault


@dataclass(frozen=True, slots=True, kw_only=True)
class Address:
    """One partner's service; the access token is the key it wants to see.

    ``registered_at``: when the partner said so last, be it the same address again.
    """

    party_id: str
    url: str
    registered_at: datetime
    access_token: str | None = field(default=None, repr=False)


class Book:
    """Reads an address for each call: a partner that moves is reached at once."""

    def __init__(self, database: Database, vault: Vault) -> None:
        self._database = database
        self._vault = vault
        # Party ids never change; there are as many as participants.
        self._party_ids: dict[int, str] = {}

    def address(self, participant_id: int, service: EndpointService) -> Address | None:
        """Return where a service is reached, ``None`` when nobody registered it.

        Raises :class:`ClearingHouseError` when our own database cannot say.
        """
        with self._database.begin_read_only("realtime") as tx:
            endpoint = directory.endpoint_of(tx, participant_id, service)
            if endpoint is None:
                return None
            party_id = self._party_ids.get(participant_id)
            if party_id is None:
                found = participants.participant_by_id(tx, participant_id)
                if found is None:
                    return None
                party_id = self._party_ids[participant_id] = found.party_id
        sealed = endpoint.access_token_sealed
        purpose = token_purpose(participant_id, service)
        token = None if sealed is None else self._vault.unseal(sealed, purpose=purpose)
        return Address(
            party_id=party_id,
            url=endpoint.url,
            registered_at=endpoint.registered_at,
            access_token=token,
        )
