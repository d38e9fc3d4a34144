"""What the worker opens is closed again: its lines to partners as well."""

from __future__ import annotations

import socket
import threading
from typing import TYPE_CHECKING
from uuid import uuid4

from clearinghouse import app
from clearinghouse.identifiers.credential import CredentialKind
from clearinghouse.services import ports
from clearinghouse.settings import Settings
from clearinghouse.storage.connect import Addresses
from tests.builders import make_csp
from tests.delivery.stage import peer, register
from tests.waiting import PATIENCE_SECONDS

if TYPE_CHECKING:
    from pathlib import Path

    from clearinghouse.services.environment import Environment
    from tests.fixtures.database import Site

KEPT_ALIVE = b"HTTP/1.1 500 Oops\r\nContent-Length: 0\r\n\r\n"
QUESTION = ports.AuthorizeQuestion(
    session_id=uuid4(),
    evse_id="CH*REP*E0001*1",
    cso_party="CHREP",
    kind=CredentialKind.RFID,
    value="04A1B2C3D4E580",
)


def test_kept_connections_to_partners_are_closed_at_the_end(
    env: Environment, site: Site, tmp_path: Path
) -> None:
    with env.database.begin() as tx:
        csp = make_csp(tx)
    closed = threading.Event()

    def speak(connection: socket.socket) -> None:
        connection.recv(65_536)
        connection.sendall(KEPT_ALIVE)
        while connection.recv(65_536):  # the rest of the question
            pass
        closed.set()

    settings = Settings(
        state_dir=tmp_path, allow_http_endpoints=True, allow_private_endpoints=True
    )
    at = Addresses(
        business=site.business_url, privacy=site.privacy_url, owner=site.owner_url
    )
    with peer(speak) as url:
        register(env, csp, url)
        with app.environment_with_partners(settings, at) as opened:
            deadline = ports.Deadline.after(90_000)
            reply = opened.partners.authorize(
                csp.participant_id, QUESTION, deadline=deadline
            )
            assert isinstance(reply, ports.Faulted)
            assert not closed.is_set()  # it is kept for the next call

        assert closed.wait(PATIENCE_SECONDS)
