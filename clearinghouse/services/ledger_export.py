"""The whole ledger as a text that another program can add up (2.10)."""

from __future__ import annotations

from datetime import UTC, timedelta
from pathlib import Path

from clearinghouse.reports.beancount import BeancountWriter
from clearinghouse.services.environment import Environment
from clearinghouse.storage import ledger


def export_beancount(env: Environment, file: Path) -> int:
    """Write all postings and the balances as beancount text; return how many postings.

    Read as one snapshot, in batches: memory stays flat. Raises :class:`OSError` when
    the file cannot be written.
    """
    writer = BeancountWriter(env.limits.name)
    count = 0
    last = env.clock.now()
    with env.database.begin_read_only("closing") as tx, file.open("wb") as opened:
        balances = ledger.balances(tx)
        opened.write(writer.head(balances))
        for batch in ledger.entries(tx):
            opened.write(writer.entries(batch))
            count += len(batch)
            last = max(last, batch[-1].posted_at)
        after = last.astimezone(UTC).date() + timedelta(days=1)
        rows = ((*key, minor) for key, minor in balances.items())
        opened.write(writer.foot(rows, on=after))
    return count
