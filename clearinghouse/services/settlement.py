"""Settlement: windows cut over, proved and closed; positions (4.3-I3, settlement).

A close is two transactions and then the documents. The cutover is short: it ends one
window and opens the next. The closing takes the claim from the batch totals, proves it
by a scan of every SDR, nets, posts and numbers the statements, all or nothing. Killed
anywhere, it is run again and goes on from the state that it finds.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Connection

from clearinghouse import codes
from clearinghouse.domain import documents as document_rules
from clearinghouse.domain import ledger as ledger_rules
from clearinghouse.domain import numbering
from clearinghouse.domain import settlement as rules
from clearinghouse.domain.errors import ClearingHouseError, Item
from clearinghouse.domain.exchange import Sender
from clearinghouse.domain.settlement import Pair, PairTotal, Settlement, WindowState
from clearinghouse.services import documents as booking
from clearinghouse.services import invoices, settlement_notices, suspense
from clearinghouse.services.environment import Environment
from clearinghouse.services.statements import issue_window
from clearinghouse.storage import (
    audit,
    documents,
    ledger,
    participants,
    settlement,
    statements,
)
from clearinghouse.storage.audit import AuditEntry
from clearinghouse.storage.settlement import Settled, Window
from clearinghouse.storage.statements import NewStatement
from clearinghouse.telemetry import logging

#: Differences between claim and proof that an error names; the first show the pattern.
DIFFERENCES_MAX = 100

#: Who closes, in the audit trail: it is done at the command line or by its timer.
_OPERATOR = "operator"

_log = logging.logger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class Closing:
    """A closed window: what was settled in each currency, and how many statements."""

    window: Window
    next_window: Window | None
    settlements: tuple[Settled, ...]
    statements: int


@dataclass(frozen=True, slots=True, kw_only=True)
class CounterpartyPosition:
    """What stands between a participant and one other in one currency.

    ``receivable_minor`` and ``payable_minor`` are without VAT.
    """

    currency: str
    counterparty: str
    receivable_minor: int
    payable_minor: int
    receivable_gross_minor: int
    payable_gross_minor: int
    sdr_count: int
    energy_wh: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Positions:
    """A participant's positions in a window, in minor units per currency.

    ``net`` is without VAT; ``gross`` is with it, and is what will be paid.
    """

    window: Window
    positions: tuple[CounterpartyPosition, ...]
    net: Mapping[str, int]
    gross: Mapping[str, int]


def ensure_window(env: Environment, label: str) -> Window:
    """Return the open window; when there is none, open one with this label."""
    with env.database.begin() as tx:
        settlement.lock_windows(tx)
        window = settlement.open_window(tx)
        if window is None:
            settlement.start_window(tx, label, at=env.clock.now())
            window = _opened(tx)
    return window


def close(env: Environment, *, next_label: str) -> Closing:
    """Close the open window, open the next, issue statements and invoices.

    Idempotent: a close that broke off is finished, and nothing else is done; a next
    label whose window is open already means that this close was done. Raises
    :class:`ClearingHouseError`: ``WINDOW_STATE`` when no window is open or the label
    was used before, ``PROOF_FAILED`` when claim and proof differ; then the window stays
    FAILED until its cause is found and it is closed again.
    """
    closed = close_window(env, next_label=next_label)
    count = issue_window(env, closed.window_id)
    invoices.issue_pending(env)
    with env.database.begin_read_only() as tx:
        return Closing(
            window=closed,
            next_window=settlement.open_window(tx),
            settlements=tuple(settlement.settlements_of(tx, closed.window_id)),
            statements=count,
        )


def close_window(env: Environment, *, next_label: str) -> Window:
    """Close the open window and open the next, without the documents.

    Raises as :func:`close` does.
    """
    closed = _close_pending(env)
    if closed is None:
        _cut_over(env, next_label)
        closed = _close_pending(env)
    if closed is not None:
        return closed
    with env.database.begin_read_only() as tx:
        return _last_closed(tx)


def windows(env: Environment) -> list[Window]:
    """Return the newest windows, newest first."""
    with env.database.begin_read_only() as tx:
        return settlement.windows(tx)


def window_named(env: Environment, label: str) -> Window | None:
    """Return the window with this label, ``None`` when there is none."""
    with env.database.begin_read_only() as tx:
        return settlement.window_by_label(tx, label)


def settlements(env: Environment, window_id: int) -> tuple[Settled, ...]:
    """Return what was settled in a window, by currency.

    Raises :class:`ClearingHouseError` (``WINDOW_UNKNOWN``).
    """
    with env.database.begin_read_only() as tx:
        _window(tx, window_id)
        return tuple(settlement.settlements_of(tx, window_id))


def prove(env: Environment, window_id: int) -> tuple[str, ...]:
    """Prove a closed window again: claim, SDRs, matrix, positions, ledger.

    Returns what differs; empty proves it. Raises :class:`ClearingHouseError`
    (``WINDOW_UNKNOWN``).
    """
    with env.database.begin_read_only("closing") as tx:
        window = _window(tx, window_id)
        claim = settlement.claim_of(tx, window_id)
        proof = settlement.proof_of(tx, window_id)
        broken = [str(found) for found in rules.compare(claim, proof)]
        if rules.totals_digest(proof) != window.proof_digest:
            broken.append("the digest of the proof is not the one of the close")
        broken.extend(settlement.disagreements(tx, window_id))
        broken.extend(documents.faults(tx, window_id))
    return tuple(broken)


def positions(env: Environment, sender: Sender, window_id: int | None) -> Positions:
    """Return a participant's positions in a window; without a number in the open one.

    Raises :class:`ClearingHouseError` (``WINDOW_UNKNOWN``).
    """
    participant_id = sender.participant_id
    with env.database.begin_read_only() as tx:
        window = _opened(tx) if window_id is None else _window(tx, window_id)
        pairs = _share(tx, window, participant_id)
        party_ids = participants.party_ids(tx)
    return _positions(window, pairs, participant_id, party_ids)


def _cut_over(env: Environment, next_label: str) -> None:
    """End the open window and open the next, unless that was done before."""
    with env.database.begin("closing") as tx:
        settlement.lock_windows(tx)
        current = settlement.open_window(tx)
        if current is not None and current.label == next_label:
            return
        if current is None or settlement.window_by_label(tx, next_label) is not None:
            raise ClearingHouseError(codes.WINDOW_STATE, f"next label {next_label}")
        now = env.clock.now()
        settlement.mark_cutover(tx, current.window_id, at=now)
        settlement.start_window(tx, next_label, at=now)
        _trail(tx, current, "cut_over", at=now)
    _log.info("window_cut_over", window=current.label, next=next_label)


def _close_pending(env: Environment) -> Window | None:
    """Close the oldest window that was cut over; ``None`` when there is none."""
    with env.database.begin("closing") as tx:
        settlement.lock_closing(tx)
        window = settlement.window_to_close(tx)
        if window is None:
            return None
        claim = settlement.claim_of(tx, window.window_id)
        proof = settlement.proof_of(tx, window.window_id)
        differences = rules.compare(claim, proof)
        now = env.clock.now()
        if not differences:
            _book(env, tx, window, claim, at=now)
            closed = _window(tx, window.window_id)
        else:
            claimed, proved = rules.totals_digest(claim), rules.totals_digest(proof)
            settlement.mark_failed(tx, window.window_id, claim=claimed, proof=proved)
            _trail(tx, window, "close", at=now, outcome="claim and proof differ")
    if differences:
        _log.error("window_failed", window=window.label, differences=len(differences))
        raise _proof_failed(differences)
    _log.info("window_closed", window=closed.label)
    return closed


def _book(
    env: Environment,
    tx: Connection,
    window: Window,
    claim: Sequence[PairTotal],
    *,
    at: datetime,
) -> None:
    """Net, post, number the statements and close: the rest of the transaction."""
    party_ids = participants.party_ids(tx)
    if window.state is WindowState.FAILED:
        # Its cause was found: it goes on from where it failed.
        settlement.mark_cutover(tx, window.window_id, at=window.cutover_at or at)
    drafts = document_rules.drafts_of(claim)
    settled = rules.settle(claim, document_rules.vat_by_pair(drafts))
    counts = Counter(draft.currency for draft in drafts)
    for draft in drafts:
        if broken := document_rules.violations(draft):
            raise ClearingHouseError(codes.PROOF_FAILED, "; ".join(broken))
    for one in settled:
        postings = ledger_rules.postings_of(window.window_id, one, party_ids)
        broken = rules.violations(one)
        broken += ledger_rules.violations(postings, one, party_ids)
        if broken:
            raise ClearingHouseError(codes.PROOF_FAILED, "; ".join(broken))
        count = counts[one.currency]
        settlement.insert_settlement(tx, window.window_id, one, documents=count)
        ledger.append(tx, postings, at=at)
    suspense.release_counted(tx, window.window_id, at=at)
    booking.book(tx, window.window_id, drafts, at=at)
    disagreements = settlement.disagreements(tx, window.window_id)
    disagreements += documents.faults(tx, window.window_id)
    if disagreements:
        raise ClearingHouseError(codes.PROOF_FAILED, "; ".join(disagreements))
    _number_statements(env, tx, window, settled, at=at)
    digest = rules.totals_digest(claim)
    settlement.mark_closed(tx, window.window_id, digest=digest, at=at)
    involved = {p.participant_id for one in settled for p in one.positions}
    settlement_notices.queue_window(tx, window.window_id, involved, at=at)
    _trail(tx, window, "close", at=at, outcome="closed")


def _number_statements(
    env: Environment,
    tx: Connection,
    window: Window,
    settled: Sequence[Settlement],
    *,
    at: datetime,
) -> None:
    """Book a statement for each participant and currency that has an SDR.

    The order is fixed: by currency, then by party id. Numbers are drawn last, since the
    counter stays locked until the commit.
    """
    involved = {p.participant_id for one in settled for p in one.positions}
    people = participants.participants_by_id(tx, involved)
    wanted = [
        (one, position, people[position.participant_id])
        for one in settled
        for position in sorted(
            one.positions, key=lambda p: people[p.participant_id].party_id
        )
    ]
    lines = {one.currency: _lines_of(one) for one in settled}
    nets = {one.currency: _nets_of(one) for one in settled}
    numbers = statements.draw_numbers(
        tx, series=numbering.STATEMENT_SERIES, year=at.year, count=len(wanted)
    )
    statements.insert_statements(
        tx,
        [
            NewStatement(
                statement_id=str(number),
                window_id=window.window_id,
                participant_id=person.participant_id,
                participant_name=person.name,
                participant_country=person.country,
                issuer_party_id=env.limits.party_id,
                issuer_name=env.limits.name,
                currency=one.currency,
                net_minor=nets[one.currency][person.participant_id],
                gross_minor=position.net_minor,
                line_count=lines[one.currency][person.participant_id],
            )
            for number, (one, position, person) in zip(numbers, wanted, strict=True)
        ],
        at=at,
    )


def _lines_of(settled: Settlement) -> Counter[int]:
    """Count the SDRs of each participant, on either side."""
    lines: Counter[int] = Counter()
    for pair in settled.pairs:
        lines[pair.debtor_id] += pair.sdr_count
        lines[pair.creditor_id] += pair.sdr_count
    return lines


def _nets_of(settled: Settlement) -> Counter[int]:
    """Return what each participant gets less what it owes, without VAT."""
    nets: Counter[int] = Counter()
    for pair in settled.pairs:
        nets[pair.debtor_id] -= pair.net_minor
        nets[pair.creditor_id] += pair.net_minor
    return nets


def _share(tx: Connection, window: Window, participant_id: int) -> Sequence[Pair]:
    """Return the pairs of a participant: booked, or as they would be booked now."""
    if window.state is WindowState.CLOSED:
        return settlement.share_of_settlement(tx, window.window_id, participant_id)
    claim = settlement.share_of_claim(tx, window.window_id, participant_id)
    drafts = document_rules.drafts_of(claim)
    return rules.pairs_of(claim, document_rules.vat_by_pair(drafts))


def _positions(
    window: Window,
    pairs: Sequence[Pair],
    participant_id: int,
    party_ids: Mapping[int, str],
) -> Positions:
    sums: dict[tuple[str, str], list[int]] = {}
    net: Counter[str] = Counter()
    gross: Counter[str] = Counter()
    for pair in pairs:
        receives = pair.creditor_id == participant_id
        other = pair.debtor_id if receives else pair.creditor_id
        entry = sums.setdefault((pair.currency, party_ids[other]), [0] * 6)
        side = 0 if receives else 1
        entry[side] += pair.net_minor
        entry[side + 2] += pair.gross_minor
        entry[4] += pair.sdr_count
        entry[5] += pair.energy_wh
        sign = 1 if receives else -1
        net[pair.currency] += sign * pair.net_minor
        gross[pair.currency] += sign * pair.gross_minor
    return Positions(
        window=window,
        positions=tuple(
            CounterpartyPosition(
                currency=currency,
                counterparty=other,
                receivable_minor=entry[0],
                payable_minor=entry[1],
                receivable_gross_minor=entry[2],
                payable_gross_minor=entry[3],
                sdr_count=entry[4],
                energy_wh=entry[5],
            )
            for (currency, other), entry in sorted(sums.items())
        ),
        net=dict(sorted(net.items())),
        gross=dict(sorted(gross.items())),
    )


def _proof_failed(differences: Sequence[rules.Difference]) -> ClearingHouseError:
    items = tuple(
        Item(
            code=codes.PROOF_FAILED,
            index=index,
            expected=str(difference.claim),
            found=str(difference.proof),
        )
        for index, difference in enumerate(differences[:DIFFERENCES_MAX])
    )
    return ClearingHouseError(codes.PROOF_FAILED, f"{len(differences)} pairs", items)


def _window(tx: Connection, window_id: int) -> Window:
    window = settlement.window_by_id(tx, window_id)
    if window is None:
        raise ClearingHouseError(codes.WINDOW_UNKNOWN, str(window_id))
    return window


def _opened(tx: Connection) -> Window:
    window = settlement.open_window(tx)
    if window is None:
        raise ClearingHouseError(codes.WINDOW_UNKNOWN, "no window is open")
    return window


def _last_closed(tx: Connection) -> Window:
    window = settlement.window_before(tx, _opened(tx).window_id)
    if window is None:
        raise ClearingHouseError(codes.WINDOW_STATE, "nothing was ever closed")
    return window


def _trail(
    tx: Connection, window: Window, action: str, *, at: datetime, outcome: str = "done"
) -> None:
    audit.record(
        tx,
        AuditEntry(
            at=at,
            actor=_OPERATOR,
            action=f"settlement_{action}",
            object=f"window {window.label}",
            outcome=outcome,
        ),
    )
