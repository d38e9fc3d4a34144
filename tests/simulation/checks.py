"""What must hold after each day, whatever happened on it."""

from __future__ import annotations

from decimal import Decimal
from hashlib import sha256
from typing import TYPE_CHECKING

from sqlalchemy import text

from clearinghouse.domain.money import currency_of, minor_to_decimal
from clearinghouse.domain.settlement import PairTotal, compare
from clearinghouse.services import balances as ledger_balances
from clearinghouse.services import seals, settlement
from clearinghouse.storage import balances, ledger, participants
from clearinghouse.storage import settlement as store
from tests.simulation.books import Books, Owed, Pair

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from sqlalchemy import Connection

    from clearinghouse.services.environment import Environment

_POSITIONS = text("""
    SELECT currency, sum(p.net_minor)::bigint AS net
    FROM clearing.settlement JOIN clearing.settlement_position AS p
        USING (settlement_id)
    GROUP BY currency HAVING sum(p.net_minor) <> 0
""")

_ROOTS = text("SELECT root FROM clearing.audit_block ORDER BY seq")


def check_closed(env: Environment, window_id: int, label: str, books: Books) -> None:
    """Check a closed window: proved anew, and what the bystander says is owed.

    Raises :class:`AssertionError` with what differs.
    """
    broken = settlement.prove(env, window_id)
    if broken:
        raise AssertionError(f"{label}: {broken}")
    with env.database.begin_read_only() as tx:
        claim = store.claim_of(tx, window_id)
        found = _owed(tx, claim)
    wanted = books.of(label)
    if found != wanted:
        raise AssertionError(f"{label}: the house says {found}, the books {wanted}")


def check_house(env: Environment, books: Books, label: str) -> None:
    """Check the whole house: positions, ledger, and the window that is open.

    The open window has this label; what it owes must be what the bystander says.

    Raises :class:`AssertionError` with what differs.
    """
    ledger_balances.snapshot(env)
    with env.database.begin_read_only() as tx:
        off = [str(row) for row in tx.execute(_POSITIONS)]
        if off:
            raise AssertionError(f"positions do not sum to zero: {off}")
        off = balances.differences(tx)
        if off:
            raise AssertionError(f"balances are not what the postings give: {off}")
        sums: dict[str, int] = {}
        for (_, currency), balance in ledger.balances(tx).items():
            sums[currency] = sums.get(currency, 0) + balance
        if any(sums.values()):
            raise AssertionError(f"the ledger does not sum to zero: {sums}")
        opened = store.open_window(tx)
        if opened is None:
            raise AssertionError("no window is open")
        claim = store.claim_of(tx, opened.window_id)
        proof = store.proof_of(tx, opened.window_id)
        found = _owed(tx, claim)
    differences = compare(claim, proof)
    if differences:
        raise AssertionError(f"{opened.label}: {differences}")
    wanted = books.of(label)
    if opened.label != label or found != wanted:
        raise AssertionError(f"{label}: the house says {found}, the books {wanted}")


def check_settled(env: Environment, left: Mapping[tuple[str, str], int]) -> None:
    """Derive the whole ledger anew after a settlement, with every settled run.

    ``left`` is what may stand on accounts. Raises :class:`AssertionError` with what
    differs.
    """
    verified = ledger_balances.verify(env)
    if verified.differences:
        raise AssertionError(f"the ledger is not proved: {verified.differences}")
    with env.database.begin_read_only() as tx:
        found = {key: minor for key, minor in ledger.balances(tx).items() if minor}
    if found != left:
        raise AssertionError(f"after all is settled there is {found}, not {left}")


def final_root(env: Environment) -> str:
    """Return the digest over the roots of all closed windows.

    The same for the same seed: what is signed is, though not by which key.
    """
    seals.seal_pending(env)
    digest = sha256()
    with env.database.begin_read_only() as tx:
        for root in tx.execute(_ROOTS).scalars():
            digest.update(root)
    return digest.hexdigest()


def _owed(tx: Connection, totals: Iterable[PairTotal]) -> dict[Pair, Owed]:
    party_ids = participants.party_ids(tx)
    found: dict[Pair, Owed] = {}
    for total in totals:
        pair = (
            party_ids[total.debtor_id],
            party_ids[total.creditor_id],
            total.currency,
        )
        owed = found.setdefault(pair, Owed(net=Decimal(0)))
        owed.count += total.sdr_count
        owed.energy_wh += total.energy_wh
        owed.net += minor_to_decimal(total.net_minor, currency_of(total.currency))
    return dict(sorted(found.items()))
