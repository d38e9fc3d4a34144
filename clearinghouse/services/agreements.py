"""Agreements: conclude, list, end. The operator's acts (clause 5)."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime

from sqlalchemy.exc import IntegrityError

from clearinghouse.codes import SEMANTIC
from clearinghouse.domain import money
from clearinghouse.domain.agreements import Agreement, Mode, Terms
from clearinghouse.domain.errors import ClearingHouseError, Item
from clearinghouse.domain.exchange import Role
from clearinghouse.domain.participants import Participant
from clearinghouse.services.environment import Environment
from clearinghouse.services.participants import note, participant_named
from clearinghouse.storage import agreements as rows
from clearinghouse.storage import participants as participant_rows


@dataclass(frozen=True, slots=True, kw_only=True)
class Conclusion:
    """Two partners, named by party id, and what they agreed upon.

    ``visited`` serves and is paid (a CSO or a visited CSP); ``home`` owes.
    """

    visited: str
    home: str
    mode: Mode
    currency: str
    valid_from: datetime
    valid_until: datetime | None = None
    terms: Terms = field(default_factory=Terms)


@dataclass(frozen=True, slots=True, kw_only=True)
class Listed:
    """An agreement with the party ids of its sides."""

    visited: str
    home: str
    agreement: Agreement


def conclude(env: Environment, new: Conclusion) -> Listed:
    """Put an agreement in force; terms in force before end where it begins.

    Raises :class:`ClearingHouseError`: ``UNKNOWN_PARTICIPANT``, or ``CH.SEMANTIC`` with
    all that is wrong.
    """
    try:
        with env.database.begin() as tx:
            visited = participant_named(tx, new.visited)
            home = participant_named(tx, new.home)
            items = tuple(_wrong(new, visited, home))
            if items:
                raise ClearingHouseError(SEMANTIC, items=items)
            agreed = rows.agree(
                tx,
                rows.NewAgreement(
                    visited_id=visited.participant_id,
                    home_id=home.participant_id,
                    mode=new.mode,
                    currency=new.currency,
                    valid_from=new.valid_from,
                    valid_until=new.valid_until,
                    terms=new.terms,
                ),
                at=env.clock.now(),
            )
            note(tx, env, "conclude agreement", f"{new.visited} {new.home}")
    except IntegrityError as error:
        detail = "newer terms of the same two partners begin later already"
        raise ClearingHouseError(SEMANTIC, detail) from error
    return Listed(visited=new.visited, home=new.home, agreement=agreed)


def _wrong(new: Conclusion, visited: Participant, home: Participant) -> list[Item]:
    items = []
    if Role.CSP not in home.roles:
        items.append(
            Item(code=SEMANTIC, path="home", expected="a partner in the role CSP")
        )
    if visited.participant_id == home.participant_id:
        items.append(Item(code=SEMANTIC, path="home", expected="another partner"))
    if new.currency not in money.CURRENCIES:
        items.append(Item(code=SEMANTIC, path="currency", expected="an ISO 4217 code"))
    if new.valid_until is not None and new.valid_until <= new.valid_from:
        items.append(Item(code=SEMANTIC, path="until", expected="later than from"))
    return items


def announce_turns(env: Environment) -> int:
    """Tell the partners of agreements that began or ended; return how many turned."""
    with env.database.begin() as tx:
        return rows.announce_turns(tx, now=env.clock.now())


def all_agreements(env: Environment) -> tuple[Listed, ...]:
    """Return all agreements, old versions too, in the order they were concluded."""
    with env.database.begin_read_only() as tx:
        names = participant_rows.party_ids(tx)
        return tuple(
            Listed(
                visited=names[found.visited_id],
                home=names[found.home_id],
                agreement=found,
            )
            for found in rows.all_agreements(tx)
        )
