"""Proof of settlement runs, computed by the database and not by what made them."""

from __future__ import annotations

from sqlalchemy import Connection, select, text

from clearinghouse.storage.tables import runs as tables

_LEFTOVERS = text("""
    SELECT account, currency, left_minor FROM clearing.run_leftovers(:run_id)
""")

# What the run took, what it says it owes, its accounts and its payments are four
# computations of one thing. No row comes back when all agree.
_DISAGREEMENTS = text("""
    WITH debt AS (
        SELECT side.owner, sum(side.amount)::bigint AS net
        FROM clearing.run_debt AS d
        CROSS JOIN LATERAL (
            VALUES (d.debtor, -d.amount_minor), (d.creditor, d.amount_minor)
        ) AS side (owner, amount)
        WHERE d.run_id = :run_id GROUP BY 1
    ), taken AS (
        SELECT p.party_id AS owner, sum(side.amount)::bigint AS net
        FROM clearing.run_pair AS r
        JOIN clearing.settlement_run AS run USING (run_id)
        CROSS JOIN LATERAL (
            VALUES (r.debtor_id, -r.amount_minor), (r.creditor_id, r.amount_minor)
        ) AS side (participant_id, amount)
        JOIN clearing.participant AS p USING (participant_id)
        WHERE r.run_id = :run_id AND r.currency = run.currency GROUP BY 1
    ), claimed AS (
        SELECT side.owner, sum(side.amount)::bigint AS net
        FROM clearing.run_debt AS d
        CROSS JOIN LATERAL (
            VALUES (d.debtor, -d.amount_minor), (d.creditor, d.amount_minor)
        ) AS side (owner, amount)
        WHERE d.run_id = :run_id AND d.kind = 'PAIRS' GROUP BY 1
    ), account AS (
        SELECT owner, net_minor AS net FROM clearing.run_account
        WHERE run_id = :run_id
    ), paid AS (
        SELECT side.owner, sum(side.amount)::bigint AS net
        FROM clearing.run_transfer AS t
        CROSS JOIN LATERAL (
            VALUES (CASE WHEN t.kind <> 'PAY_OUT' THEN t.payer END, -t.amount_minor),
                   (CASE WHEN t.kind <> 'COLLECT' THEN t.payee END, t.amount_minor)
        ) AS side (owner, amount)
        WHERE t.run_id = :run_id AND side.owner IS NOT NULL GROUP BY 1
    )
    SELECT owner, account.net AS account, debt.net AS debt, taken.net AS taken,
           claimed.net AS claimed, paid.net AS paid
    FROM account FULL JOIN debt USING (owner) FULL JOIN taken USING (owner)
    FULL JOIN claimed USING (owner) FULL JOIN paid USING (owner)
    WHERE coalesce(account.net, 0) <> coalesce(debt.net, 0)
       OR coalesce(taken.net, 0) <> coalesce(claimed.net, 0)
       -- In a reversal the hub's account is what it holds, and pays out of.
       OR (coalesce(account.net, 0) <> coalesce(paid.net, 0) AND NOT (
           owner = 'HUB' AND EXISTS (
               SELECT FROM clearing.settlement_run
               WHERE run_id = :run_id AND reverses_run_id IS NOT NULL)))
    ORDER BY owner COLLATE "C"
""")


def opening_of(tx: Connection, run_id: int) -> dict[tuple[int, str], int]:
    """Return the net of what a run took, by participant and currency."""
    table = tables.run_pair
    sums: dict[tuple[int, str], int] = {}
    for row in tx.execute(select(table).where(table.c.run_id == run_id)):
        for participant_id, minor in (
            (row.debtor_id, -row.amount_minor),
            (row.creditor_id, row.amount_minor),
        ):
            key = (participant_id, row.currency)
            sums[key] = sums.get(key, 0) + minor
    return sums


def leftovers(tx: Connection, run_id: int) -> list[str]:
    """Return what stands on positions and in transit after a run; empty at its end."""
    return [
        f"{row.account} holds {row.left_minor} {row.currency}"
        for row in tx.execute(_LEFTOVERS, {"run_id": run_id})
    ]


def disagreements(tx: Connection, run_id: int) -> list[str]:
    """Return where pairs, debts, accounts and payments of a run differ."""
    return [
        f"{row.owner}: account {row.account}, debts {row.debt}, payments {row.paid}, "
        f"pairs {row.taken}, as debts {row.claimed}"
        for row in tx.execute(_DISAGREEMENTS, {"run_id": run_id})
    ]
