"""``clearinghouse demo``: plays a day, closes a window, hands out the statements."""

from __future__ import annotations

import signal
import threading
from pathlib import Path
from typing import TYPE_CHECKING

import typer

from clearinghouse.cli.context import output_of, refuse
from clearinghouse.cli.context import settings as read_settings
from clearinghouse.cli.output import Output
from clearinghouse.cli.processes import ChildError, free_port
from clearinghouse.codes import PROOF_FAILED
from clearinghouse.domain.clock import SystemClock
from clearinghouse.domain.errors import ClearingHouseError
from clearinghouse.settings import Settings

if TYPE_CHECKING:
    from clearinghouse.cli.demo.stage import Stage


def demo(
    context: typer.Context,
    once: bool = typer.Option(False, "--once", help="Play one day and stop."),
    port: int | None = typer.Option(None, help="First port to try."),
) -> None:
    """Start a whole roaming world here and watch it do its main job.

    Without --once it keeps running afterwards, prints addresses, logins and a call to
    paste, and stops with Ctrl-C.
    """
    output = output_of(context)
    try:
        from clearinghouse.cli.demo import stage, stories
    except ImportError:
        refuse(output, "the demo needs the endpoint extra: clearinghouse[endpoint]")
    # A stop asked for while children start must still stop them all.
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    run = f"{SystemClock().now():%Y%m%d-%H%M%S}"
    try:
        own = _own_settings(output, port)
        output.remark("[1/4] starting the clearing house and eight partners")
        with stage.raised(own, run) as raised:
            output.remark("[2/4] a day of roaming")
            stories.play(raised, output.remark)
            output.remark("[3/4] closing the window")
            line = _close(raised, run, output)
            if not once:
                _stay(output, raised)
            output.remark("[4/4] stopping")
    except (ChildError, stories.StoryError, ClearingHouseError) as error:
        refuse(output, f"demo: {error}")
    except KeyboardInterrupt:
        output.remark("demo: stopped")
        raise typer.Exit from None
    output.value({"line": line}, line)


def _own_settings(output: Output, port: int | None) -> Settings:
    given = read_settings()
    wanted = port or given.port
    free = free_port(wanted, host=given.host)
    if free != wanted:
        output.remark(f"port {wanted} is taken; using {free}")
    return given.model_copy(
        update={
            "state_dir": (given.state_dir / "demo").absolute(),
            "port": free,
            "allow_http_endpoints": True,
            "allow_private_endpoints": True,
        }
    )


def _close(stage: Stage, run: str, output: Output) -> str:
    from clearinghouse.services import settlement, statements

    closed = settlement.close(stage.env, next_label=f"demo-{run}")
    window = closed.window
    folder = stage.folder / "statements" / window.label
    files = statements.export_statements(stage.env, window.window_id, folder)
    output.remark(f"  {len(files)} files in {_short(folder)}")
    differences = settlement.prove(stage.env, window.window_id)
    if differences:
        raise ClearingHouseError(PROOF_FAILED, "; ".join(differences))
    tally = stage.tally
    return (
        f"demo: {tally.sessions} sessions, {tally.accepted} SDRs accepted, "
        f"{tally.refused} refused, {closed.statements} statements, "
        f"net sum {_net_sum(stage, window.window_id)}"
    )


def _net_sum(stage: Stage, window_id: int) -> int:
    """Add up the nets of all partners in all currencies, in minor units."""
    from clearinghouse.domain.exchange import Role, Sender
    from clearinghouse.services import participants, settlement

    return sum(
        sum(
            settlement.positions(
                stage.env,
                Sender(
                    participant_id=found.participant_id,
                    party_id=found.party_id,
                    roles=frozenset(Role),
                    account_id=None,
                ),
                window_id,
            ).net.values()
        )
        for found in participants.all_participants(stage.env)
    )


def _short(folder: Path) -> str:
    try:
        return str(folder.relative_to(Path.cwd()))
    except ValueError:
        return str(folder)


def _stay(output: Output, stage: Stage) -> None:
    """Print what to try, then wait for Ctrl-C."""
    player = stage.player("DEALF")
    password = stage.secrets["DEALF"]
    url = stage.settings.url
    rows = [
        {
            "partner": found.partner.party_id,
            "roles": " ".join(found.partner.roles),
            "user name": found.partner.username,
            "password": stage.secrets[found.partner.party_id],
        }
        for found in stage.players.values()
    ]
    output.rows("Logins", rows, empty="No partners.")
    output.remark(f"WSDLs: {url}/services/access?wsdl (and the other services)")
    output.remark("A call to paste into Python (it uses zeep):")
    output.remark(
        "\n".join(
            (
                "",
                "from clearinghouse.endpoint.client import ClearingHouse",
                "from clearinghouse.endpoint.connection import Account",
                "from clearinghouse.endpoint.messages.common import Credential",
                f'me = Account(party_id="DEALF", username="{player.partner.username}",',
                f'             password="{password}")',
                f'house = ClearingHouse("{url}", me)',
                'card = Credential(kind="RFID", value="04A1B2C3D4E5F6")',
                'print(house.authorize_start("DE*ALF*E1001*1", card))',
                "",
            )
        )
    )
    output.remark("running; Ctrl-C stops everything")
    try:
        threading.Event().wait()
    except KeyboardInterrupt:
        output.remark("")
