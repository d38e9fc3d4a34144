"""Agreements: conclude, list, end. The operator's acts (clause 5)."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from datetime import datetime
from types import MappingProxyType

from sqlalchemy.exc import IntegrityError

from clearinghouse.codes import NO_AGREEMENT, SEMANTIC
from clearinghouse.domain import money
from clearinghouse.domain.agreements import Agreement, Mode, Terms
from clearinghouse.domain.errors import ClearingHouseError, Item
from clearinghouse.domain.exchange import Role
from clearinghouse.domain.participants import Participant
from clearinghouse.services.environment import Environment
from clearinghouse.services.participants import note, participant_named
from clearinghouse.storage import agreements as rows
from clearinghouse.storage import participants as participant_rows

_DAY_SECONDS = 86_400

TERMS = MappingProxyType(
    {
        "list_age_limit_seconds": range(3_650 * _DAY_SECONDS + 1),
        "list_fresh_seconds": range(3_650 * _DAY_SECONDS + 1),
        "tolerance_minor": range(1_000_001),
        "tolerance_ppm": range(1_000_001),
        "late_limit_days": range(3_651),
        "energy_wh_max": range(1, 10_000_001),
        "duration_seconds_max": range(1, 365 * _DAY_SECONDS + 1),
        "power_percent_max": range(1, 1_001),
        "overlap_seconds_max": range(_DAY_SECONDS + 1),
        "travel_kmh_max": range(1, 10_001),
        "net_ceiling_minor": range(10**12 + 1),
        "net_mean_factor": range(1, 1_001),
        "match_seconds": range(3_601),
        "held_days": range(1, 366),
        "confirm_days": range(1, 366),
        "registry_lag_hours": range(721),
        "ahead_seconds": range(3_601),
        "meter_slack_wh": range(1_001),
        "elapsed_slack_seconds": range(3_601),
        "near_duplicate_seconds": range(3_601),
        "near_duplicate_ppm": range(1_000_001),
        "tiny_wh": range(10_001),
        "zero_energy_seconds": range(_DAY_SECONDS + 1),
        "late_notice_hours": range(1, 8_761),
        "late_notice_days": range(1, 366),
        "dispute_days": range(3_651),
        "dispute_answer_days": range(1, 366),
        "dispute_evidence_days": range(1, 366),
        "dispute_decision_days": range(1, 366),
        "dispute_stop_days": range(1, 3_651),
        "dispute_carried": range(2),
    }
)
"""What each threshold of the terms may be; a slip of the pen is none of these."""


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
            note(tx, env, "conclude agreement", f"{visited.party_id} {home.party_id}")
    except IntegrityError as error:
        detail = "newer terms of the same two partners begin later already"
        raise ClearingHouseError(SEMANTIC, detail) from error
    return Listed(visited=visited.party_id, home=home.party_id, agreement=agreed)


def _wrong(new: Conclusion, visited: Participant, home: Participant) -> list[Item]:
    items = []
    if Role.CSP not in home.roles:
        items.append(
            Item(code=SEMANTIC, path="home", expected="a partner in the role CSP")
        )
    if new.terms.collects and Role.CSO not in visited.roles:
        items.append(
            Item(code=SEMANTIC, path="visited", expected="a partner in the role CSO")
        )
    if visited.participant_id == home.participant_id:
        items.append(Item(code=SEMANTIC, path="home", expected="another partner"))
    if new.currency not in money.CURRENCIES:
        items.append(Item(code=SEMANTIC, path="currency", expected="an ISO 4217 code"))
    if new.valid_until is not None and new.valid_until <= new.valid_from:
        items.append(Item(code=SEMANTIC, path="until", expected="later than from"))
    return items + _wrong_terms(new.terms)


def _wrong_terms(terms: Terms) -> list[Item]:
    return [
        Item(
            code=SEMANTIC,
            path=name,
            expected=f"{allowed[0]} to {allowed[-1]}",
            found=str(value),
        )
        for name, allowed in TERMS.items()
        if (value := getattr(terms, name)) is not None and value not in allowed
    ]


def end(
    env: Environment, visited: str, home: str, *, currency: str | None = None
) -> tuple[Listed, ...]:
    """End what is in force between two partners now; in one currency when it is named.

    What was submitted under it stays. Raises :class:`ClearingHouseError`:
    ``UNKNOWN_PARTICIPANT``, or ``NO_AGREEMENT`` when nothing is in force.
    """
    now = env.clock.now()
    with env.database.begin() as tx:
        server, payer = participant_named(tx, visited), participant_named(tx, home)
        between = rows.agreements_with_homes(
            tx, server.participant_id, (payer.participant_id,)
        )
        found = [
            one
            for one in between
            if one.in_force(now) and currency in (None, one.currency)
        ]
        if not found:
            detail = f"nothing is in force between {visited} and {home}"
            raise ClearingHouseError(NO_AGREEMENT, detail)
        for one in found:
            rows.end_agreement(tx, one.agreement_id, at=now)
        note(tx, env, "end agreement", f"{server.party_id} {payer.party_id}")
    return tuple(
        Listed(
            visited=server.party_id,
            home=payer.party_id,
            agreement=replace(one, valid_until=now),
        )
        for one in found
    )


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
