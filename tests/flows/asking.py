"""What stations ask and report, and what is in the answers."""

from __future__ import annotations

from typing import TYPE_CHECKING
from uuid import UUID, uuid4

from clearinghouse.domain.authorization import Verdict
from clearinghouse.services.ports import Answered, AuthorizeAnswer
from clearinghouse.storage import sessions
from tests.builders import seconds
from tests.fixtures.engine import credential
from tests.fixtures.roaming import CARD, EVSE

if TYPE_CHECKING:
    from clearinghouse.domain.sessions import Session
    from clearinghouse.services.environment import Environment
    from tests.fixtures.engine import Answer, Speaker

YES = Answered(AuthorizeAnswer(verdict=Verdict.AUTHORIZED))
NO = Answered(AuthorizeAnswer(verdict=Verdict.REFUSED, reason="NO_MONEY"))


def start(
    speaker: Speaker,
    value: str = CARD,
    *,
    kind: str = "RFID",
    secret: str | None = None,
    evse: str = EVSE,
    own_id: str | None = None,
    message_id: UUID | None = None,
) -> Answer:
    own = "" if own_id is None else f"<partnerSessionId>{own_id}</partnerSessionId>"
    return speaker.call(
        "authorization",
        "AuthorizeStart",
        f"<evseId>{evse}</evseId>{credential(value, kind, secret)}{own}",
        message_id=message_id,
    )


def decision(answer: Answer) -> tuple[str | None, str | None, str | None]:
    return (
        answer.text("decision"),
        answer.text("reason"),
        answer.text("decisionSource"),
    )


def stored(env: Environment, answer: Answer) -> Session:
    with env.database.begin_read_only() as tx:
        session = sessions.session_by_id(tx, UUID(answer.required("sessionId")))
    assert session is not None
    return session


def stop(
    speaker: Speaker,
    session_id: str,
    value: str = CARD,
    *,
    kind: str = "RFID",
    secret: str | None = None,
    message_id: UUID | None = None,
) -> Answer:
    return speaker.call(
        "authorization",
        "AuthorizeStop",
        f"<sessionId>{session_id}</sessionId>{credential(value, kind, secret)}",
        message_id=message_id,
    )


def report(
    speaker: Speaker,
    session_id: str,
    event: str = "STARTED",
    *,
    at: int = 0,
    energy_wh: int | None = None,
    event_id: UUID | None = None,
    own_id: str | None = None,
    message_id: UUID | None = None,
    more: str = "",
) -> Answer:
    own = "" if own_id is None else f"<partnerSessionId>{own_id}</partnerSessionId>"
    energy = "" if energy_wh is None else f"<energyWh>{energy_wh}</energyWh>"
    return speaker.call(
        "session",
        "ReportSession",
        f"<sessionId>{session_id}</sessionId>{own}<event>{event}</event>"
        f"<eventId>{event_id or uuid4()}</eventId>"
        f"<occurredAt>{seconds(at).isoformat()}</occurredAt>{energy}{more}",
        message_id=message_id,
    )


def seen(speaker: Speaker, session_id: str) -> Answer:
    return speaker.call("session", "GetSession", f"<sessionId>{session_id}</sessionId>")
