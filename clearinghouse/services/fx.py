"""Reference rates and agreed settlement currencies, as the operator puts them (2.6)."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

from clearinghouse.codes import SEMANTIC
from clearinghouse.domain.errors import ClearingHouseError, Item
from clearinghouse.domain.fx import BASE, RATE_U_MAX, Choice, Rate
from clearinghouse.domain.money import CURRENCIES
from clearinghouse.services.environment import Environment
from clearinghouse.services.participants import note, participant_named
from clearinghouse.storage import fx


def put_rate(env: Environment, rate: Rate) -> Rate:
    """Put a rate; for a day that has one it is the next version.

    Runs keep the version that they were proposed with. Raises
    :class:`ClearingHouseError` (``CH.SEMANTIC``).
    """
    items = list(_unknown("currency", [rate.currency]))
    if rate.currency == BASE:
        items.append(_wrong("currency", f"another one than {BASE}"))
    if not 0 < rate.rate_u <= RATE_U_MAX:
        items.append(_wrong("rate", "above 0, and at most a million"))
    _refuse(items)
    with env.database.begin() as tx:
        stored = fx.add_rate(tx, rate, at=env.clock.now())
        note(tx, env, "put rate", f"{rate.currency} {rate.day} v{stored.version}")
    return stored


def all_rates(env: Environment) -> list[Rate]:
    """Return the newest rates, newest day first."""
    with env.database.begin_read_only() as tx:
        return fx.rates(tx)


def agree(env: Environment, choice: Choice) -> Choice:
    """Note in which currency two partners, or one with all who chose it, settle.

    Raises :class:`ClearingHouseError`: ``UNKNOWN_PARTICIPANT``, ``CH.SEMANTIC``.
    """
    items = list(_unknown("currency", [choice.from_currency, choice.to_currency]))
    _refuse(items)
    with env.database.begin() as tx:
        party = participant_named(tx, choice.party).party_id
        other = participant_named(tx, choice.other).party_id if choice.other else ""
        if party == other:
            _refuse([_wrong("other", "another partner")])
        first, second = sorted((party, other)) if other else (party, "")
        named = replace(choice, party=first, other=second)
        fx.add_choice(tx, named, at=env.clock.now())
        change = f"{choice.from_currency} in {choice.to_currency}"
        note(tx, env, "agree currency", f"{first} {second or '*'} {change}")
    return named


def all_choices(env: Environment) -> list[Choice]:
    """Return all choices, oldest first; of the same parties the latest counts."""
    with env.database.begin_read_only() as tx:
        return fx.choices(tx)


def _unknown(path: str, currencies: Iterable[str]) -> Iterable[Item]:
    for currency in currencies:
        if currency not in CURRENCIES:
            yield _wrong(path, "a currency of ISO 4217", currency)


def _wrong(path: str, expected: str, found: str = "") -> Item:
    return Item(code=SEMANTIC, path=path, expected=expected, found=found)


def _refuse(items: Iterable[Item]) -> None:
    found = tuple(items)
    if found:
        raise ClearingHouseError(SEMANTIC, items=found)
