"""Where the database is: the settings' DSNs, or an embedded server meanwhile."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

from pydantic import SecretStr

from clearinghouse.settings import Settings
from clearinghouse.storage.embedded.postgres import EmbeddedPostgres
from clearinghouse.storage.roles import APP_ROLE, OWNER_ROLE, PRIVACY_ROLE


@dataclass(frozen=True, slots=True, kw_only=True)
class Addresses:
    """The DSNs of the three roles; not printed, for they may hold passwords."""

    business: str = field(repr=False)
    privacy: str = field(repr=False)
    owner: str = field(repr=False)
    embedded: EmbeddedPostgres | None = None


@contextmanager
def addresses(settings: Settings) -> Iterator[Addresses]:
    """Give the DSNs of the settings; without one, run the embedded server meanwhile.

    A DSN that is not set for privacy or owner is the business DSN: its user steps into
    the privacy role, and migrates as itself. Raises :class:`ClearingHouseError`
    (``CH.UNAVAILABLE``) when the embedded server does not start.
    """
    if settings.database_url is not None:
        business = settings.database_url.get_secret_value()
        yield Addresses(
            business=business,
            privacy=_revealed(settings.database_privacy_url, business),
            owner=_revealed(settings.database_owner_url, business),
        )
        return
    with EmbeddedPostgres(settings.state_dir, bindir=settings.pg_bindir) as server:
        yield Addresses(
            business=server.url(APP_ROLE),
            privacy=server.url(PRIVACY_ROLE),
            owner=server.url(OWNER_ROLE),
            embedded=server,
        )


def _revealed(secret: SecretStr | None, otherwise: str) -> str:
    return otherwise if secret is None else secret.get_secret_value()
