"""The end of the demo's day: the window closes, is invoiced, paid and proved."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from clearinghouse.cli.demo.aftermath import Aftermath, settle
from clearinghouse.codes import PROOF_FAILED
from clearinghouse.domain.errors import ClearingHouseError
from clearinghouse.domain.exchange import Role, Sender
from clearinghouse.services import participants, settlement, statements

if TYPE_CHECKING:
    from clearinghouse.cli.demo.stage import Stage


@dataclass(frozen=True, slots=True, kw_only=True)
class Day:
    """What the day came to; ``net_sum`` adds up all nets in minor units: nothing."""

    sessions: int
    accepted: int
    refused: int
    held: int
    statements: int
    net_sum: int
    folder: Path
    files: int
    aftermath: Aftermath

    @property
    def line(self) -> str:
        """The day in one line."""
        return (
            f"demo: {self.sessions} sessions, {self.accepted} SDRs accepted, "
            f"{self.refused} refused, {self.statements} statements, "
            f"net sum {self.net_sum}"
        )


def close(stage: Stage, run: str) -> Day:
    """Close the window, write its documents, pay what is owed, and prove it all.

    Raises :class:`ClearingHouseError` (``PROOF_FAILED``) when a sum differs.
    """
    label = f"demo-{run}"
    todays = settlement.ensure_window(stage.env, label)
    closed = settlement.close(stage.env, next_label=label)
    while closed.window.window_id < todays.window_id:  # one was cut off before
        closed = settlement.close(stage.env, next_label=label)
    window = closed.window
    folder = stage.folder / "statements" / window.label
    files = statements.export_statements(stage.env, window.window_id, folder)
    differences = settlement.prove(stage.env, window.window_id)
    if differences:
        raise ClearingHouseError(PROOF_FAILED, "; ".join(differences))
    aftermath = settle(stage, window.window_id, window.label, folder)
    tally = stage.tally
    return Day(
        sessions=tally.sessions,
        accepted=tally.accepted,
        refused=tally.refused,
        held=tally.held,
        statements=closed.statements,
        net_sum=_net_sum(stage, window.window_id),
        folder=folder,
        files=len(files),
        aftermath=aftermath,
    )


def _net_sum(stage: Stage, window_id: int) -> int:
    """Add up the nets of all partners in all currencies, in minor units."""
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
