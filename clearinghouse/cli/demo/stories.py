"""The stories of the day, each a function of the stage."""

from __future__ import annotations

import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace
from datetime import timedelta
from decimal import Decimal
from typing import TYPE_CHECKING
from uuid import UUID, uuid4

from clearinghouse.cli.demo import notes
from clearinghouse.cli.demo.players import Charge, Player
from clearinghouse.cli.demo.world import CARDS, REMOTE_CSO, STATIONS, Card
from clearinghouse.endpoint.errors import CallError, RefusedError

if TYPE_CHECKING:
    from clearinghouse.cli.demo.stage import Stage

WAIT_SECONDS_MAX = 60.0
"""Longest wait for something that other processes do."""
ENERGY_SECONDS = 1.0
"""How long the remote session lasts, so that some energy flows."""
_LOOK_SECONDS = 0.1


class StoryError(Exception):
    """A story did not end as it must; the text says which and how."""


def card(contract_id: str) -> Card:
    """Return the card with this contract id."""
    return next(c for c in CARDS if c.contract_id == contract_id)


def station(cso: str, number: int = 0) -> str:
    """Return the id of one of a CSO's EVSEs."""
    return [s.evse_id for s in STATIONS if s.cso == cso][number]


def expect(story: str, found: object, wanted: object) -> None:
    """Raise :class:`StoryError` unless both are equal."""
    if found != wanted:
        raise StoryError(f"{story}: {found!r} instead of {wanted!r}")


def wait_for(story: str, condition: Callable[[], bool]) -> None:
    """Wait until the condition holds.

    Raises :class:`StoryError` when it does not in time.
    """
    deadline = time.monotonic() + WAIT_SECONDS_MAX
    while time.monotonic() < deadline:
        if condition():
            return
        time.sleep(_LOOK_SECONDS)
    raise StoryError(f"{story}: waited {WAIT_SECONDS_MAX:.0f} s in vain")


def from_the_list(stage: Stage) -> str:
    """Charge with RFID cards of three CSPs, decided from the uploaded lists."""
    plan = (
        ("DEALF", 0, "DEECHC00000001", 48, 31_456),
        ("DEALF", 1, "DEECHC00000001", 95, 18_250),
        ("CHCHA", 0, "CHDELC00000001", 22, 52_345),
        ("CHDEL", 0, "NLFOXC00000001", 61, 17_600),
    )
    for cso, number, contract, minutes, energy_wh in plan:
        player, holder = stage.player(cso), card(contract)
        evse_id = station(cso, number)
        session_id = player.authorize(evse_id, holder.kind, holder.value)
        if session_id is None:
            raise StoryError(f"{contract} was refused at {evse_id}")
        charge = Charge(
            csp=holder.csp,
            evse_id=evse_id,
            minutes=minutes,
            energy_wh=energy_wh,
            session_id=session_id,
        )
        expect("from the list", player.submit([player.charge(charge)]).accepted, 1)
    return f"{len(plan)} sessions with RFID cards from the CSPs' lists"


def asked_live(stage: Stage) -> str:
    """Ask the home CSP about a contract that no list holds (plug and charge)."""
    cso, holder = stage.player("CHCHA"), card("CHGOLC00000001")
    evse_id = station("CHCHA")
    session_id = cso.authorize(evse_id, holder.kind, holder.value)
    if session_id is None:
        raise StoryError("the home CSP was asked and did not say yes")
    charge = Charge(
        csp=holder.csp,
        evse_id=evse_id,
        minutes=17,
        energy_wh=41_300,
        session_id=session_id,
    )
    expect("asked live", cso.submit([cso.charge(charge)]).accepted, 1)
    return "1 session after a live question to the home CSP"


def refused(stage: Stage) -> str:
    """Refuse a blocked card and an unknown one."""
    cso, evse_id = stage.player("DEALF"), station("DEALF")
    blocked = next(c for c in CARDS if c.blocked)
    expect("blocked", cso.authorize(evse_id, blocked.kind, blocked.value), None)
    expect("unknown", cso.authorize(evse_id, "RFID", "04FFFFFFFFFFFF"), None)
    return "2 credentials refused: one blocked, one unknown"


_NOT_STARTED = {
    None,
    "REFUSED",
    "START_FAILED",
    "EXPIRED",
    "CANCELLED",
    "ENDED",
    "SDR_RECEIVED",
}
"""States of a remote start that came to nothing, or is over: that of a day before."""


def remote(stage: Stage) -> str:
    """Start and stop a session from a CSP's app at another operator's EVSE."""
    csp, note = stage.player("DEECH"), stage.folder / "remote-start.json"
    noted = notes.read(note)
    left = [noted[name] for name in ("left", "message_id") if name in noted]
    session_id: UUID | None = None

    def state() -> str | None:
        seen = session_id and csp.house.get_session(session_id).session
        return seen.state if seen else None

    def is_active() -> bool:
        nonlocal session_id
        if state() in _NOT_STARTED:
            # Again, while the EVSE is getting free of a day that was cut off: for some
            # seconds the house says of its start that it is being handled.
            for one in left:
                _stop_left(csp, UUID(one))
            message_id = uuid4()
            kept = {"left": left[0]} if left else {}
            notes.write(note, {"message_id": str(message_id), **kept})
            with suppress(RefusedError):
                session_id = _start(csp, message_id)
        return state() == "ACTIVE"

    wait_for("remote start", is_active)
    if session_id is None:
        raise StoryError("the remote start brought no session")
    time.sleep(ENERGY_SECONDS)
    csp.house.stop_session(session_id)
    notes.write(note, {})
    wait_for("remote stop", lambda: state() == "SDR_RECEIVED")
    stage.tally.sessions += 1
    stage.tally.accepted += 1
    return "1 session started and stopped from an app, its SDR by the CSO itself"


def _start(csp: Player, message_id: UUID) -> UUID | None:
    contract = "DEECHC00000001"
    return csp.house.start_session(
        station(REMOTE_CSO), contract, message_id=message_id
    ).session_id


def _stop_left(csp: Player, message_id: UUID) -> None:
    """Stop the session of a day that was cut off: its EVSE is taken until then.

    Its message, sent again, tells which one it is, or starts it now.
    """
    with suppress(RefusedError):  # it is over, or not to be stopped yet
        session_id = _start(csp, message_id)
        if session_id is not None:
            csp.house.stop_session(session_id)


def csp_comes_back(stage: Stage) -> str:
    """Keep the SDR of a CSP that is down and deliver it when it is back."""
    stage.stop_endpoint("NLFOX")
    cso, holder = stage.player("DEALF"), card("NLFOXC00000001")
    session_id = cso.authorize(station("DEALF"), holder.kind, holder.value)
    if session_id is None:
        raise StoryError("a list must decide although its CSP is down")
    charge = Charge(
        csp=holder.csp,
        evse_id=station("DEALF"),
        minutes=37,
        energy_wh=23_456,
        session_id=session_id,
    )
    record = cso.charge(charge)
    expect("CSP down", cso.submit([record]).accepted, 1)
    # The first attempts fail while the endpoint starts. When it is back it registers,
    # and what waited for it goes out at once.
    stage.start_endpoint("NLFOX")

    def confirmed() -> bool:
        found = cso.house.get_sdr_status([record.sdr_id]).status
        return bool(found) and found[0].status == "CONFIRMED"

    wait_for("CSP comes back", confirmed)
    return "1 SDR waited for a CSP that was down, was delivered and confirmed"


def duplicate_and_implausible(stage: Stage) -> str:
    """Submit an SDR twice, one that claims too much, and an impossible one."""
    cso, holder = stage.player("CHDEL"), card("NLFOXC00000001")
    evse_id = station("CHDEL")
    session_id = cso.authorize(evse_id, holder.kind, holder.value)
    charge = Charge(
        csp=holder.csp,
        evse_id=evse_id,
        minutes=30,
        energy_wh=10_000,
        session_id=session_id,
    )
    record = cso.charge(charge)
    expect("first", cso.submit([record]).accepted, 1)
    expect("duplicate", cso.submit([record]).duplicates, 1)
    second = cso.authorize(evse_id, holder.kind, holder.value)
    dear = cso.charge(replace(charge, session_id=second))
    dear = replace(dear, claimed_net=dear.claimed_net + Decimal(10))
    expect("claims too much", cso.submit([dear]).held, 1)
    backwards = cso.charge(replace(charge, session_id=None))
    session = backwards.service_session
    ended = session.started_at - timedelta(minutes=5)
    session = replace(session, ended_at=ended, charging_session=())
    answer = cso.submit([replace(backwards, service_session=session)])
    expect("ends before it starts", answer.refused, 1)
    return (
        "an SDR sent twice was known, an impossible one refused; one that claims more\n"
        "  than our rating is held until the operator decides: sdr held, sdr release"
    )


def forwarded(stage: Stage) -> str:
    """Forward to the home CSP what a visited CSP collected at a CSO's EVSE."""
    visited, holder = stage.player("ATHOT"), card("DEECHC00000001")
    charge = Charge(
        csp=holder.csp,
        cso="DEALF",
        evse_id=station("DEALF"),
        minutes=25,
        energy_wh=12_800,
        card=holder,
    )
    answer = visited.submit([visited.charge(charge)])
    expect("forwarded", answer.accepted, 1)
    stage.tally.sessions += 1
    return "1 SDR forwarded by a visited CSP to the home CSP"


def delivered(stage: Stage) -> str:
    """Wait until every accepted SDR is confirmed by its home CSP."""
    submitters = ("DEALF", "NLBRA", "CHCHA", "CHDEL", "ATHOT")

    def all_decided() -> bool:
        return not any(stage.player(party).undecided() for party in submitters)

    wait_for("delivery", all_decided)
    return "all SDRs are with their home CSPs, who confirmed them"


STORIES: tuple[Callable[[Stage], str], ...] = (
    from_the_list,
    asked_live,
    refused,
    remote,
    csp_comes_back,
    duplicate_and_implausible,
    forwarded,
    delivered,
)


def play(stage: Stage, tell: Callable[[str], None]) -> None:
    """Play all stories.

    Raises :class:`StoryError` with the story's name when one does not end well.
    """
    for story in STORIES:
        try:
            tell(f"  {story(stage)}")
        except CallError as error:
            raise StoryError(f"{story.__name__}: {error}") from error
