"""Net debit caps of CSPs: put by the operator, watched by a chore (settlement 2.9)."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace

from clearinghouse.codes import SEMANTIC
from clearinghouse.domain import debit_caps as rules
from clearinghouse.domain.debit_caps import DebitCap, Debits
from clearinghouse.domain.errors import ClearingHouseError, Item
from clearinghouse.domain.exchange import Role
from clearinghouse.services.environment import Environment
from clearinghouse.services.participants import note, participant_named
from clearinghouse.storage import debit_caps
from clearinghouse.storage.debit_caps import CapInForce
from clearinghouse.telemetry import logging
from clearinghouse.telemetry.metrics import DEBIT_CAPS

_log = logging.logger(__name__)

#: Caps that are written to the log in one look; the metrics count all.
LOGGED_MAX = 100

NEAR, FULL = "NEAR", "FULL"

_NO_CSP = Item(
    code=SEMANTIC,
    path="party",
    expected="a partner in the role CSP: only home CSPs owe for SDRs",
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Use:
    """A cap in force, and what its CSP owes against it, with VAT."""

    cap: CapInForce
    owed_minor: int

    @property
    def percent(self) -> int | None:
        """How much of the cap is used, rounded down; ``None`` of a cap of nothing."""
        limit_minor = self.cap.limit_minor
        return self.owed_minor * 100 // limit_minor if limit_minor else None

    @property
    def alarm(self) -> str | None:
        """``NEAR`` from 80 % on, ``FULL`` when nothing more fits; else ``None``."""
        if self.owed_minor >= self.cap.limit_minor:
            return FULL
        return NEAR if rules.is_near(self.owed_minor, self.cap.limit_minor) else None


def put_cap(env: Environment, cap: DebitCap) -> DebitCap:
    """Put a cap in force from its instant on, or lift it; older versions stay.

    Where there is none to lift nothing is written, and the answer has no ``cap_id``.
    Raises :class:`ClearingHouseError`: ``UNKNOWN_PARTICIPANT``; ``CH.SEMANTIC`` with
    all that is wrong with the cap.
    """
    problems = rules.problems(cap)
    if problems:
        raise ClearingHouseError(SEMANTIC, items=problems)
    with env.database.begin() as tx:
        found = participant_named(tx, cap.party_id)
        if cap.limit_minor is not None and Role.CSP not in found.roles:
            raise ClearingHouseError(SEMANTIC, items=(_NO_CSP,))
        party_id = found.party_id
        named = replace(cap, party_id=party_id)
        if cap.limit_minor is None:
            now_so = debit_caps.cap_at(tx, party_id, cap.currency, cap.valid_from)
            if now_so is None or now_so.limit_minor is None:
                return replace(named, cap_id=0)
        cap_id = debit_caps.add_cap(tx, named, at=env.clock.now())
        limit = "lifted" if cap.limit_minor is None else f"{cap.limit_minor} minor"
        note(tx, env, "put debit cap", f"{party_id} {cap.currency} {limit}")
    return replace(named, cap_id=cap_id)


def all_caps(env: Environment) -> list[DebitCap]:
    """Return all versions by party, older and lifted ones too."""
    with env.database.begin_read_only() as tx:
        return debit_caps.caps(tx)


def uses(env: Environment) -> Sequence[Use]:
    """Return the caps in force with what is owed against them, by party."""
    with env.database.begin_read_only() as tx:
        return [
            Use(cap=cap, owed_minor=_owed(cap, debit_caps.owed(tx, cap)))
            for cap in debit_caps.caps_in_force(tx, env.clock.now())
        ]


def watch(env: Environment) -> int:
    """Raise an alarm for each cap that is nearly used up, in metrics and log."""
    alarmed = [use for use in uses(env) if use.alarm is not None]
    counted = Counter(use.alarm for use in alarmed)
    for alarm in (NEAR, FULL):
        DEBIT_CAPS.labels(alarm).set(counted[alarm])
    for use in alarmed[:LOGGED_MAX]:
        _log.warning(
            "debit_cap_nearly_used",
            party_id=use.cap.party_id,
            currency=use.cap.currency,
            alarm=use.alarm,
            owed_minor=use.owed_minor,
            limit_minor=use.cap.limit_minor,
        )
    return 0


def _owed(cap: CapInForce, charges: Sequence[rules.Charge]) -> int:
    return Debits(cap.limit_minor, charges).owed_minor
