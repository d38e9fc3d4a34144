"""Reference rates, chosen settlement currencies, conversions of runs (2.6)."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from datetime import date, datetime

from sqlalchemy import Connection, insert, select, text

from clearinghouse.domain.fx import Choice, Rate
from clearinghouse.domain.run_postings import Conversion
from clearinghouse.storage.database import Database
from clearinghouse.storage.tables.run_terms import (
    fx_rate,
    run_conversion,
    run_rate,
    settlement_choice,
)

#: Key of the lock under which rates get their version.
RATES_LOCK = 7_311_901_016

#: Rates and choices of one view.
RATES_MAX = 10_000

_LOCK = text("SELECT pg_advisory_xact_lock(:key)")
_NEXT = text("""
    SELECT coalesce(max(version), 0) + 1 FROM clearing.fx_rate
    WHERE currency = :currency AND day = :day
""")
_NEWEST = text("""
    SELECT DISTINCT ON (currency) currency, day, version, rate_u
    FROM clearing.fx_rate
    WHERE currency = ANY (CAST(:currencies AS text[])) AND day <= :day
    ORDER BY currency, day DESC, version DESC
""")


def add_rate(tx: Connection, rate: Rate, *, at: datetime) -> Rate:
    """Store a rate as the next version of its day and return it."""
    tx.execute(_LOCK, {"key": RATES_LOCK})
    place = {"currency": rate.currency, "day": rate.day}
    stored = replace(rate, version=int(tx.execute(_NEXT, place).scalar_one()))
    tx.execute(
        insert(fx_rate).values(
            currency=stored.currency,
            day=stored.day,
            version=stored.version,
            rate_u=stored.rate_u,
            created_at=at,
        )
    )
    return stored


def rates(tx: Connection) -> list[Rate]:
    """Return the newest rates, newest day first."""
    query = select(fx_rate).order_by(
        fx_rate.c.day.desc(), fx_rate.c.currency, fx_rate.c.version.desc()
    )
    return [
        Rate(currency=row.currency, day=row.day, rate_u=row.rate_u, version=row.version)
        for row in tx.execute(query.limit(RATES_MAX))
    ]


def rates_on(tx: Connection, currencies: Iterable[str], day: date) -> list[Rate]:
    """Return for each currency the last rate told up to a day; none where none was."""
    place = {"currencies": sorted(currencies), "day": day}
    return [
        Rate(currency=row.currency, day=row.day, rate_u=row.rate_u, version=row.version)
        for row in tx.execute(_NEWEST, place)
    ]


def add_choice(tx: Connection, choice: Choice, *, at: datetime) -> None:
    """Store in which currency two parties, or one with everybody, settle."""
    tx.execute(
        insert(settlement_choice).values(
            party=choice.party,
            other=choice.other,
            from_currency=choice.from_currency,
            to_currency=choice.to_currency,
            valid_from=choice.valid_from,
            created_at=at,
        )
    )


def choices(tx: Connection) -> list[Choice]:
    """Return all choices, oldest first."""
    table = settlement_choice
    query = select(table).order_by(table.c.choice_id).limit(RATES_MAX)
    return [
        Choice(
            party=row.party,
            other=row.other,
            from_currency=row.from_currency,
            to_currency=row.to_currency,
            valid_from=row.valid_from,
            choice_id=row.choice_id,
        )
        for row in tx.execute(query)
    ]


def freeze(
    tx: Connection,
    run_id: int,
    used: Iterable[Rate],
    conversions: Iterable[Conversion],
) -> None:
    """Store the rates that a run uses and what it converts with them."""
    Database.copy(
        tx,
        run_rate,
        ("run_id", "currency", "day", "version"),
        ((run_id, one.currency, one.day, one.version) for one in used),
    )
    Database.copy(
        tx,
        run_conversion,
        ("run_id", "debtor", "creditor", "currency", "from_minor", "to_minor"),
        ((run_id, *one) for one in conversions),
    )


def rates_of(tx: Connection, run_id: int) -> dict[str, int]:
    """Return the frozen rates of a run, by currency."""
    query = (
        select(fx_rate)
        .join(
            run_rate,
            (run_rate.c.currency == fx_rate.c.currency)
            & (run_rate.c.day == fx_rate.c.day)
            & (run_rate.c.version == fx_rate.c.version),
        )
        .where(run_rate.c.run_id == run_id)
    )
    return {row.currency: row.rate_u for row in tx.execute(query)}


def conversions_of(tx: Connection, run_id: int) -> list[Conversion]:
    """Return what a run converts, in order."""
    table = run_conversion
    query = select(table).where(table.c.run_id == run_id)
    return sorted(
        Conversion(row.debtor, row.creditor, row.currency, row.from_minor, row.to_minor)
        for row in tx.execute(query)
    )
