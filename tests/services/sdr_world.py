"""A small world of roaming for stories about SDRs: partners, EVSEs, tariffs, sessions.

One visited CSO, two home CSPs, and a visited CSP that collects for the CSO; everything
in force since a month.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from decimal import Decimal
from hashlib import sha256
from itertools import count
from typing import TYPE_CHECKING, Any
from uuid import uuid4

from sqlalchemy import func, select

from clearinghouse.domain.agreements import Terms
from clearinghouse.domain.exchange import Exchange, Sender
from clearinghouse.domain.sdrs import (
    ChargingSession,
    ChargingTransaction,
    ControlTotals,
    ServiceDetailRecord,
    TotalsCounter,
)
from clearinghouse.domain.sessions import SessionState
from clearinghouse.services import sdr_intake, settlement
from clearinghouse.services.environment import Environment
from clearinghouse.services.sdr_batch import Unreadable
from clearinghouse.services.sdr_intake import Submission, Submitted
from clearinghouse.storage import evses, sessions, tariffs
from clearinghouse.storage.tariffs import Publication
from tests.builders import (
    NOW,
    make_agreement,
    make_cso,
    make_csp,
    make_evse,
    make_exchange,
    make_participant,
    make_sender,
    make_session,
    make_tariff,
)

if TYPE_CHECKING:
    from uuid import UUID

    from sqlalchemy import Table

    from clearinghouse.domain.errors import Item
    from clearinghouse.domain.participants import Participant
    from clearinghouse.domain.tariffs import Tariff
    from clearinghouse.storage.settlement import Window

#: When everything came into force.
SINCE = NOW - timedelta(days=40)

#: When charging began, unless a test says otherwise: three hours ago.
STARTED_AT = NOW - timedelta(hours=3)

EVSE_ID = "CH*REP*E0001*1"

_numbers = count(1)


@dataclass
class World:
    """All partners of the stories, and what they do."""

    env: Environment
    cso: Participant
    csp: Participant
    other_csp: Participant
    visited_csp: Participant
    sequences: dict[int, int] = field(default_factory=dict)
    made: int = 0

    def session(
        self,
        home: Participant | None = None,
        **override: Any,  # noqa: ANN401 -- as in the builders
    ) -> ServiceDetailRecord:
        """Store an ended session and return the SDR that fits it.

        Each began an hour before the one made last, so that none overlaps another.
        """
        csp = home or self.csp
        started_at = STARTED_AT - timedelta(hours=self.made)
        self.made += 1
        session = make_session(
            self.cso,
            csp,
            state=SessionState.ENDED,
            evse_key="CHREPE00011",
            created_at=started_at,
            authorized_at=started_at,
        )
        with self.env.database.begin() as tx:
            sessions.insert_session(tx, session)
        record = make_sdr(csp_id=csp.party_id, session_id=session.session_id)
        spanned = spanning(record, started_at, minutes=40)
        return replace(spanned, **override)

    def submit(
        self,
        records: Iterable[ServiceDetailRecord | Unreadable],
        *,
        sender: Participant | None = None,
        control: ControlTotals | None = None,
    ) -> Submitted:
        """Submit a batch under the next sequence number; return what became of it."""
        told: list[Submitted] = []

        def render(outcome: Submitted) -> bytes:
            told.append(outcome)
            return b"<answer/>"

        self.submit_raw(records, sender=sender, control=control, render=render)
        return told[0]

    def submit_raw(
        self,
        records: Iterable[ServiceDetailRecord | Unreadable],
        *,
        sender: Participant | None = None,
        sequence: int | None = None,
        control: ControlTotals | None = None,
        exchange: Exchange | None = None,
        render: Callable[[Submitted], bytes] = lambda _: b"<answer/>",
    ) -> bytes:
        """Submit a batch; return the bytes of the answer."""
        submitter = sender or self.cso
        listed = list(records)
        number = sequence
        if number is None:
            number = self.sequences.get(submitter.participant_id, 0) + 1
        submission = Submission(
            batch_sequence=number,
            control=control or totals_of(listed),
            records=iter(listed),
        )
        whole = exchange or message(make_sender(submitter))
        answer = sdr_intake.submit_sdrs(self.env, whole, submission, render)
        self.sequences[submitter.participant_id] = number
        return answer

    def close(self, next_label: str = "next") -> settlement.Closing:
        return settlement.close(self.env, next_label=next_label)


def message(sender: Sender, **override: object) -> Exchange:
    """Make a message with a body of its own."""
    digest = sha256(uuid4().bytes).digest()
    return make_exchange(
        sender, **{"operation": "SubmitSdrs", "digest": digest} | override
    )


def totals_of(records: Sequence[ServiceDetailRecord | Unreadable]) -> ControlTotals:
    """Count a batch as its sender does."""
    counter = TotalsCounter()
    for record in records:
        if isinstance(record, ServiceDetailRecord):
            counter.add(record)
    return replace(counter.totals(), count=len(records))


def make_sdr(**override: object) -> ServiceDetailRecord:
    """Make an SDR of 23.456 kWh in 40 minutes at 0.49 a kWh: 11.49 EUR."""
    record = ServiceDetailRecord(
        sdr_id=f"SDR-{next(_numbers):06d}",
        csp_id="DEABC",
        evse_id=EVSE_ID,
        started_at=STARTED_AT,
        ended_at=STARTED_AT + timedelta(minutes=40),
        charging_sessions=[],
        tariff_id="T-1",
        currency="EUR",
        claimed_net=Decimal("11.49"),
    )
    spanned = spanning(record, STARTED_AT, minutes=40)
    return replace(spanned, **override)  # type: ignore[arg-type]  # by the tests


def spanning(
    record: ServiceDetailRecord,
    started_at: datetime,
    *,
    minutes: int,
    energy_wh: int = 23_456,
) -> ServiceDetailRecord:
    """Return the record with one charging transaction over its whole time."""
    ended_at = started_at + timedelta(minutes=minutes)
    transaction = ChargingTransaction(
        charging_transaction_id="1",
        started_at=started_at,
        ended_at=ended_at,
        energy_wh=energy_wh,
        meter_start_wh=1_000_000,
        meter_stop_wh=max(1_000_000, 1_000_000 + energy_wh),
    )
    session = ChargingSession(
        charging_session_id="1",
        started_at=started_at,
        ended_at=ended_at,
        transactions=[transaction],
    )
    return replace(
        record,
        started_at=started_at,
        ended_at=ended_at,
        charging_sessions=[session],
    )


def make_world(
    env: Environment, *, window: str = "2026-11", terms: Terms | None = None
) -> World:
    """Admit the partners and put everything in force that an SDR needs."""
    given = {} if terms is None else {"terms": terms}
    with env.database.begin() as tx:
        cso = make_cso(tx)
        csp = make_csp(tx)
        other = make_participant(tx, party_id="FRXYZ", country="FR")
        visited = make_participant(tx, party_id="ATVIS", country="AT")
        for visiting in (cso, visited):
            for home in (csp, other):
                make_agreement(tx, visiting, home, valid_from=SINCE, **given)
            published = Publication(
                publisher_id=visiting.participant_id, tariff=price(490_000)
            )
            tariffs.publish(tx, published, at=SINCE)
        collecting = Terms(collects=True)
        make_agreement(tx, cso, visited, valid_from=SINCE, terms=collecting)
        for number in range(1, 4):
            evse = make_evse(f"CH*REP*E000{number}*1")
            evses.apply_delta(tx, cso.participant_id, upserts=[evse], removals=[])
    settlement.ensure_window(env, window)
    return World(env, cso, csp, other, visited)


def price(price_u: int, **override: object) -> Tariff:
    """Make a tariff with one price per kWh."""
    tariff = make_tariff(valid_from=SINCE, **override)
    component = replace(tariff.components[0], price_u=price_u)
    return replace(tariff, components=(component,))


def window_of(world: World) -> Window:
    """Return the open window."""
    return settlement.ensure_window(world.env, "unused")


def put_evse(world: World, received: str, **override: object) -> None:
    """Register one more EVSE of the CSO."""
    with world.env.database.begin() as tx:
        evses.apply_delta(
            tx,
            world.cso.participant_id,
            upserts=[make_evse(received, **override)],
            removals=[],
        )


def count_of(world: World, table: Table) -> int:
    """Return the number of rows of a table."""
    with world.env.database.begin_read_only() as tx:
        query = select(func.count()).select_from(table)
        return int(tx.execute(query).scalar_one())


def rules_of(items: Iterable[Item]) -> list[str | None]:
    """Return the rules that items name."""
    return [item.rule for item in items]


def session_id_of(record: ServiceDetailRecord) -> UUID:
    """Return the session that a record names."""
    assert record.session_id is not None
    return record.session_id
