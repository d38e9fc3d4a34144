"""The table of VAT: rules are added and ended, never changed."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import asdict
from datetime import date, datetime
from typing import Any

from sqlalchemy import ColumnElement, Connection, Row, Select, func, insert, select

from clearinghouse.domain.vat import (
    ANY,
    EU,
    MEMBER_STATES,
    OTHER,
    ServiceClass,
    VatCategory,
    VatRule,
)
from clearinghouse.storage.tables.columns import among
from clearinghouse.storage.tables.vat import vat_rule, vat_rule_end

#: Rules of one reading. It stops an unbounded list from being held in memory.
RULES_MAX = 10_000

_UNTIL = func.least(vat_rule.c.valid_until, vat_rule_end.c.valid_until)


def add_rule(tx: Connection, rule: VatRule, *, at: datetime) -> int:
    """Store a rule; return its number."""
    values = asdict(rule)
    del values["rule_id"]
    statement = (
        insert(vat_rule).values(**values, created_at=at).returning(vat_rule.c.rule_id)
    )
    return int(tx.execute(statement).scalar_one())


def end_rule(tx: Connection, rule_id: int, *, valid_until: date, at: datetime) -> None:
    """Let a rule stand no more from a day on.

    Raises :class:`sqlalchemy.exc.IntegrityError` for one that was ended before.
    """
    tx.execute(
        insert(vat_rule_end).values(
            rule_id=rule_id, valid_until=valid_until, created_at=at
        )
    )


def rule_by_id(tx: Connection, rule_id: int) -> VatRule | None:
    """Return a rule with the day on which it ends."""
    row = tx.execute(_query().where(vat_rule.c.rule_id == rule_id)).one_or_none()
    return None if row is None else _rule(row)


def rules_by_id(tx: Connection, rule_ids: Iterable[int]) -> dict[int, VatRule]:
    """Return rules by their numbers; unknown ones are left out."""
    query = _query().where(among(vat_rule.c.rule_id, rule_ids))
    found = [_rule(row) for row in tx.execute(query)]
    return {rule.rule_id: rule for rule in found}


def all_rules(tx: Connection) -> list[VatRule]:
    """Return the whole table, ended rules too, in order of class and countries."""
    query = _query().order_by(
        vat_rule.c.service,
        vat_rule.c.seller,
        vat_rule.c.buyer,
        vat_rule.c.place,
        vat_rule.c.valid_from,
        vat_rule.c.rule_id,
    )
    return [_rule(row) for row in tx.execute(query.limit(RULES_MAX))]


def rules_for(
    tx: Connection, service: ServiceClass, *, seller: str, buyer: str, place: str
) -> list[VatRule]:
    """Return the rules that may fit supplies between countries, on whatever day."""
    query = _query().where(
        vat_rule.c.service == service,
        _names(vat_rule.c.seller, seller),
        _names(vat_rule.c.buyer, buyer),
        _names(vat_rule.c.place, place),
    )
    return [_rule(row) for row in tx.execute(query.limit(RULES_MAX))]


def _names(column: Any, country: str) -> ColumnElement[bool]:  # noqa: ANN401 -- a column of text
    group = EU if country in MEMBER_STATES else OTHER
    return among(column, (country, group, ANY))


def _query() -> Select[Any]:
    columns = [one for one in vat_rule.columns if one.name != "valid_until"]
    return select(*columns, _UNTIL.label("valid_until")).outerjoin(
        vat_rule_end, vat_rule_end.c.rule_id == vat_rule.c.rule_id
    )


def _rule(row: Row[Any]) -> VatRule:
    return VatRule(
        rule_id=row.rule_id,
        service=ServiceClass(row.service),
        seller=row.seller,
        buyer=row.buyer,
        place=row.place,
        dealer=row.dealer,
        valid_from=row.valid_from,
        valid_until=row.valid_until,
        category=VatCategory(row.category),
        rate_bp=row.rate_bp,
        reason_code=row.reason_code,
        reason=row.reason,
        priority=row.priority,
    )
