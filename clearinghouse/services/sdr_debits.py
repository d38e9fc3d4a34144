"""The debts of capped CSPs while a batch is judged, and whoever else adds to them.

Only a batch with SDRs for a capped CSP pays for it: one lock and one sum for each such
CSP. The lock is held until the commit. Two batches that wait for each other would stand
still: so a batch waits in ascending order alone, and not behind other locks; where it
may not wait and the lock is taken, it takes nothing on account of that CSP.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime

from sqlalchemy import Connection

from clearinghouse.domain.debit_caps import Charge, Debits, supply_of
from clearinghouse.services.corrections import document_of
from clearinghouse.services.sdr_candidates import Candidate
from clearinghouse.storage import debit_caps, settlement
from clearinghouse.storage.debit_caps import CapInForce
from clearinghouse.storage.sdr_intake import NewSdr
from clearinghouse.storage.sdrs import StoredSdr

_Key = tuple[int, str]


class DebitDesk:
    """Says to a batch what capped CSPs owe, its own records included."""

    def __init__(self, tx: Connection, *, now: datetime) -> None:
        self._tx = tx
        self._now = now
        self._caps: dict[_Key, CapInForce] | None = None
        self._debits: dict[_Key, Debits] = {}
        self._locked: dict[int, bool] = {}
        self._may_wait = True
        self._window_id = 0

    def add(self, candidates: Iterable[Candidate]) -> None:
        """Give each record for a capped CSP the debts that it would add to."""
        caps = self._in_force()
        if not caps:
            return
        wanted: dict[_Key, list[Candidate]] = {}
        for candidate in candidates:
            if candidate.record.ref_sdr_id is not None:
                # It waited for decisions, whose makers may wait for us.
                self._may_wait = False
            key = (candidate.facts.csp_id or 0, candidate.record.currency)
            if key in caps and candidate.facts.agreement is not None:
                wanted.setdefault(key, []).append(candidate)
        for key in sorted(wanted):
            if key not in self._debits:
                self._debits[key] = self._counted(caps[key])
            for candidate in wanted[key]:
                candidate.facts.debits = self._debits[key]
                candidate.facts.window_id = self._window_id

    def take(self, row: NewSdr) -> None:
        """Count an SDR that was accepted, a credit too."""
        if not self._debits:
            return
        debits = self._debits.get((row.csp_id, row.currency))
        if debits is not None:
            charge = Charge(
                row.window_id,
                row.submitter_id,
                document_of(row),
                row.vat_category,
                row.vat_rate_bp,
                row.net_minor,
            )
            debits.add(charge)

    def _in_force(self) -> dict[_Key, CapInForce]:
        if self._caps is None:
            found = debit_caps.caps_in_force(self._tx, self._now)
            self._caps = {(cap.csp_id, cap.currency): cap for cap in found}
            window = settlement.open_window(self._tx) if found else None
            self._window_id = 0 if window is None else window.window_id
        return self._caps

    def _counted(self, cap: CapInForce) -> Debits:
        if not self._lock(cap.csp_id):
            return Debits(cap.limit_minor, counted=False)
        return Debits(cap.limit_minor, debit_caps.owed(self._tx, cap))

    def _lock(self, csp_id: int) -> bool:
        if csp_id not in self._locked:
            if self._may_wait and csp_id > max(self._locked, default=0):
                debit_caps.lock_debits(self._tx, csp_id)
                self._locked[csp_id] = True
            else:
                locked = debit_caps.try_lock_debits(self._tx, csp_id)
                self._locked[csp_id] = locked
        return self._locked[csp_id]


def has_room(
    tx: Connection, stored: StoredSdr, window_id: int, *, at: datetime
) -> bool:
    """Say whether a held SDR may be taken into a window, and let nobody else add to it.

    The caller holds locks that others may wait for: where somebody adds just now, there
    is no room.
    """
    for cap in debit_caps.caps_in_force(tx, at):
        if (cap.csp_id, cap.currency) == (stored.csp_id, stored.currency):
            if not debit_caps.try_lock_debits(tx, cap.csp_id):
                return False
            vat = (stored.vat_category, stored.vat_rate_bp)
            charge = supply_of(window_id, stored.submitter_id, vat, stored.net_minor)
            return Debits(cap.limit_minor, debit_caps.owed(tx, cap)).has_room(charge)
    return True
