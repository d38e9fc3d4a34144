"""Agreements: which terms bind two partners at an instant (clause 5)."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import asdict, dataclass, field, fields
from datetime import datetime
from typing import Any

from sqlalchemy import (
    ColumnElement,
    Connection,
    Row,
    and_,
    func,
    insert,
    or_,
    select,
    update,
)
from sqlalchemy.dialects.postgresql import distinct_on

from clearinghouse.domain.agreements import Agreement, Mode, SilentCsp, Terms
from clearinghouse.storage.participants import touch_participants
from clearinghouse.storage.tables.columns import among, touched
from clearinghouse.storage.tables.participants import agreement

#: Agreements of one list. It stops an unbounded list from being held in memory.
AGREEMENTS_MAX = 100_000

#: The terms that a row holds as they are: each in a column of its name.
_TERMS = tuple(term.name for term in fields(Terms) if term.name != "silent_csp")


@dataclass(frozen=True, slots=True, kw_only=True)
class NewAgreement:
    """Terms that two partners agreed upon, from an instant on."""

    visited_id: int
    home_id: int
    mode: Mode
    currency: str
    valid_from: datetime
    valid_until: datetime | None = None
    terms: Terms = field(default_factory=Terms)


def agree(tx: Connection, new: NewAgreement, *, at: datetime) -> Agreement:
    """Store a first agreement, or the next version of one, made at an instant.

    Terms in force for the same two partners and currency end where the new ones begin;
    those that would only have begun later are an error. Raises
    :class:`sqlalchemy.exc.IntegrityError` for that.
    """
    same = and_(
        agreement.c.visited_id == new.visited_id,
        agreement.c.home_id == new.home_id,
        agreement.c.currency == new.currency,
    )
    tx.execute(
        update(agreement)
        .where(
            same,
            agreement.c.valid_from <= new.valid_from,
            or_(
                agreement.c.valid_until.is_(None),
                agreement.c.valid_until > new.valid_from,
            ),
        )
        .values(valid_until=new.valid_from, **touched())
    )
    last = select(func.coalesce(func.max(agreement.c.version), 0)).where(same)
    values = asdict(new.terms) | {
        "version": last.scalar_subquery() + 1,
        "visited_id": new.visited_id,
        "home_id": new.home_id,
        "mode": new.mode,
        "currency": new.currency,
        "valid_from": new.valid_from,
        "valid_until": new.valid_until,
        "concluded_at": at,
    }
    row = tx.execute(insert(agreement).values(values).returning(*agreement.c)).one()
    announce_turns(tx, now=at)
    return agreement_of(row)


def announce_turns(tx: Connection, *, now: datetime) -> int:
    """Tell partners of agreements that have begun or ended since the last call.

    Time passes without a write; so both partners of such an agreement move to the end
    of the directory's feed. Called by a timer; returns how many agreements turned.
    """
    turned = or_(
        *(
            and_(
                turn <= now,
                or_(
                    agreement.c.announced_at.is_(None), agreement.c.announced_at < turn
                ),
            )
            for turn in (agreement.c.valid_from, agreement.c.valid_until)
        )
    )
    rows = tx.execute(
        update(agreement)
        .where(turned)
        .values(announced_at=now, **touched())
        .returning(agreement.c.visited_id, agreement.c.home_id)
    ).all()
    touch_participants(tx, {side for row in rows for side in row})
    return len(rows)


def end_agreement(tx: Connection, agreement_id: int, *, at: datetime) -> bool:
    """End an agreement at an instant; ``False`` when it ends before anyway."""
    ended = (
        update(agreement)
        .where(
            agreement.c.agreement_id == agreement_id,
            agreement.c.valid_from <= at,
            or_(agreement.c.valid_until.is_(None), agreement.c.valid_until > at),
        )
        .values(valid_until=at, **touched())
        .returning(agreement.c.visited_id, agreement.c.home_id)
    )
    sides = tx.execute(ended).one_or_none()
    if sides is not None:
        touch_participants(tx, sides)
    return sides is not None


def agreement_between(
    tx: Connection,
    visited_id: int,
    home_id: int,
    *,
    at: datetime,
    currency: str | None = None,
) -> Agreement | None:
    """Return the agreement in force between two partners at an instant.

    Partners may have one per currency: without ``currency`` the oldest is meant.
    """
    query = (
        select(agreement)
        .where(
            agreement.c.visited_id == visited_id,
            agreement.c.home_id == home_id,
            in_force(at),
        )
        .order_by(agreement.c.agreement_id)
        .limit(1)
    )
    if currency is not None:
        query = query.where(agreement.c.currency == currency)
    row = tx.execute(query).one_or_none()
    return None if row is None else agreement_of(row)


def agreements_of(
    tx: Connection, participant_id: int, *, at: datetime | None = None
) -> tuple[Agreement, ...]:
    """Return a partner's agreements on either side; with ``at`` those in force."""
    query = (
        select(agreement)
        .where(
            or_(
                agreement.c.visited_id == participant_id,
                agreement.c.home_id == participant_id,
            )
        )
        .order_by(agreement.c.agreement_id)
        .limit(AGREEMENTS_MAX)
    )
    if at is not None:
        query = query.where(in_force(at))
    return tuple(agreement_of(row) for row in tx.execute(query))


def all_agreements(tx: Connection) -> tuple[Agreement, ...]:
    """Return all agreements with their old versions, in the order of conclusion."""
    query = select(agreement).order_by(agreement.c.agreement_id).limit(AGREEMENTS_MAX)
    return tuple(agreement_of(row) for row in tx.execute(query))


def agreements_with_homes(
    tx: Connection, visited_id: int, home_ids: Iterable[int]
) -> tuple[Agreement, ...]:
    """Return all versions between one visited partner and several home CSPs.

    For a batch of SDRs: each is judged by the version in force at its own start.
    """
    query = (
        select(agreement)
        .where(
            agreement.c.visited_id == visited_id, among(agreement.c.home_id, home_ids)
        )
        .order_by(agreement.c.agreement_id)
        .limit(AGREEMENTS_MAX)
    )
    return tuple(agreement_of(row) for row in tx.execute(query))


def agreements_to_collect(tx: Connection, collector_id: int) -> tuple[Agreement, ...]:
    """Return all versions by which a CSP collects the SDRs of CSOs, ended ones too.

    For a batch of SDRs: each is judged by the version in force at its own start.
    """
    query = (
        select(agreement)
        .where(agreement.c.home_id == collector_id, agreement.c.collects)
        .order_by(agreement.c.agreement_id)
        .limit(AGREEMENTS_MAX)
    )
    return tuple(agreement_of(row) for row in tx.execute(query))


def payment_days(tx: Connection, *, at: datetime) -> dict[tuple[int, int, str], int]:
    """Return the days to pay an invoice, by visited, home and currency.

    Of the newest terms that have begun, ended ones too: what was served is paid. Terms
    that were concluded after the instant are not known yet, whenever they begin.
    """
    names = (agreement.c.visited_id, agreement.c.home_id, agreement.c.currency)
    query = (
        select(*names, agreement.c.payment_days)
        .ext(distinct_on(*names))
        .where(
            agreement.c.valid_from <= at,
            or_(agreement.c.concluded_at.is_(None), agreement.c.concluded_at <= at),
        )
        .order_by(*names, agreement.c.version.desc())
        .limit(AGREEMENTS_MAX)
    )
    return {
        (row.visited_id, row.home_id, row.currency): row.payment_days
        for row in tx.execute(query)
    }


def homes_of(tx: Connection, visited_id: int, *, at: datetime) -> frozenset[int]:
    """Return the home CSPs whose users may charge at this visited partner."""
    query = select(agreement.c.home_id).where(
        agreement.c.visited_id == visited_id, in_force(at)
    )
    return frozenset(tx.execute(query).scalars())


def visited_of(tx: Connection, home_id: int, *, at: datetime) -> frozenset[int]:
    """Return the visited partners at which this CSP's users may charge."""
    query = select(agreement.c.visited_id).where(
        agreement.c.home_id == home_id, in_force(at)
    )
    return frozenset(tx.execute(query).scalars())


def in_force(at: datetime) -> ColumnElement[bool]:
    """Return the condition that an agreement is in force at an instant."""
    return and_(
        agreement.c.valid_from <= at,
        or_(agreement.c.valid_until.is_(None), agreement.c.valid_until > at),
    )


def agreement_of(row: Row[*tuple[Any, ...]]) -> Agreement:
    """Return the agreement in a row that has the columns of the table."""
    return Agreement(
        agreement_id=row.agreement_id,
        version=row.version,
        visited_id=row.visited_id,
        home_id=row.home_id,
        mode=Mode(row.mode),
        currency=row.currency,
        valid_from=row.valid_from,
        valid_until=row.valid_until,
        terms=Terms(
            silent_csp=SilentCsp(row.silent_csp),
            **{name: getattr(row, name) for name in _TERMS},
        ),
    )
