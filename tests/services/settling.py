"""Debts booked straight into a window, and a database that breaks off on demand."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING
from uuid import uuid4

from psycopg import sql
from sqlalchemy import Connection

from clearinghouse.storage import sdr_intake, tariffs
from clearinghouse.storage.sdr_intake import NewBatch, NewSdr, NewTotal
from clearinghouse.storage.tables import documents as papers
from clearinghouse.storage.tables import settlement as books
from clearinghouse.storage.tariffs import Publication
from tests.builders import NOW
from tests.services.sdr_world import SINCE, STARTED_AT, World, price, window_of

if TYPE_CHECKING:
    import psycopg

    from clearinghouse.domain.participants import Participant

#: Energy of each SDR booked here.
ENERGY_WH = 1_000

_DETAIL = (
    '{"evse":"CH*REP*E0001*1","partner":null,"credential":null,"contract":null,'
    '"end_offset":0,"sessions":[]}'
)


#: What a closing writes, and leaves without a row when it breaks off.
BOOKS = (
    books.settlement,
    books.settlement_pair,
    books.settlement_position,
    books.posting,
    books.statement,
    books.document_series,
    papers.document,
    papers.document_line,
    papers.document_vat,
    papers.document_reference,
)


@dataclass(frozen=True)
class Debt:
    """The debtor owes the creditor this for one SDR."""

    debtor: Participant
    creditor: Participant
    amount_minor: int
    currency: str = "EUR"
    vat_category: str = "O"
    vat_rate_bp: int = 0
    place_country: str = ""


def book_debts(world: World, debts: Sequence[Debt]) -> None:
    """Book SDRs of given amounts as intake would, one batch per creditor."""
    window_id = window_of(world).window_id
    with world.env.database.begin() as tx:
        by_creditor: dict[int, list[Debt]] = {}
        for debt in debts:
            by_creditor.setdefault(debt.creditor.participant_id, []).append(debt)
        for creditor_id, owed in by_creditor.items():
            _book_batch(tx, window_id, creditor_id, owed)


def _book_batch(
    tx: Connection, window_id: int, creditor_id: int, debts: Sequence[Debt]
) -> None:
    batch = NewBatch(
        batch_id=uuid4(),
        submitter_id=creditor_id,
        batch_sequence=(sdr_intake.last_sequence(tx, creditor_id) or 0) + 1,
        message_id=uuid4(),
        digest=bytes(32),
        window_id=window_id,
        accepted=len(debts),
        held=0,
        refused=0,
        duplicates=0,
        energy_wh=ENERGY_WH * len(debts),
        received_at=NOW,
    )
    versions = {
        currency: tariffs.publish(
            tx,
            Publication(
                publisher_id=creditor_id,
                tariff=price(490_000, tariff_id=f"T-{currency}", currency=currency),
            ),
            at=SINCE,
        ).tariff_version_id
        for currency in {debt.currency for debt in debts}
    }
    numbers = sdr_intake.draw_numbers(tx, len(debts))
    rows = [
        _row(batch, debt, sdr_no, place, versions[debt.currency])
        for place, (sdr_no, debt) in enumerate(zip(numbers, debts, strict=True))
    ]
    sdr_intake.insert_batch(tx, batch)
    sdr_intake.copy_sdrs(tx, rows)
    sdr_intake.copy_totals(tx, [_total(row) for row in rows])


def _row(
    batch: NewBatch, debt: Debt, sdr_no: int, place: int, tariff_version_id: int
) -> NewSdr:
    # What takes back is a credit; of what does not matter here.
    is_credit = debt.amount_minor < 0
    sign = -1 if is_credit else 1
    return NewSdr(
        window_id=batch.window_id,
        sdr_no=sdr_no,
        submitter_id=batch.submitter_id,
        sdr_uid=f"D-{batch.submitter_id}-{sdr_no}",
        csp_id=debt.debtor.participant_id,
        cso_id=batch.submitter_id,
        batch_id=batch.batch_id,
        record_no=place,
        status="ACCEPTED",
        session_id=None,
        subject_id=None,
        evse_key="CHREPE00011",
        started_at=STARTED_AT,
        ended_at=NOW,
        start_offset_minutes=0,
        energy_wh=sign * ENERGY_WH,
        charge_seconds=sign * 60,
        idle_seconds=0,
        parking_seconds=0,
        tariff_version_id=tariff_version_id,
        engine_version=1,
        currency=debt.currency,
        net_minor=debt.amount_minor,
        claimed_minor=debt.amount_minor,
        rule_codes="",
        content_digest=bytes(32),
        detail=_DETAIL,
        received_at=NOW,
        change_id=sdr_no,
        vat_category=debt.vat_category,
        vat_rate_bp=debt.vat_rate_bp,
        place_country=debt.place_country,
        kind="CREDIT" if is_credit else "ORIGINAL",
        ref_window_id=batch.window_id if is_credit else None,
        ref_sdr_no=sdr_no if is_credit else None,
    )


def _total(row: NewSdr) -> NewTotal:
    return NewTotal(
        window_id=row.window_id,
        batch_id=row.batch_id,
        csp_id=row.csp_id,
        submitter_id=row.submitter_id,
        currency=row.currency,
        sdr_count=1,
        energy_wh=row.energy_wh,
        net_minor=row.net_minor,
        vat_category=row.vat_category,
        vat_rate_bp=row.vat_rate_bp,
        place_country=row.place_country,
    )


def kill_writers(
    admin: psycopg.Connection[tuple[object, ...]], table: str | None
) -> None:
    """Kill whoever writes to a table next, as a crash would; ``None`` ends that."""
    admin.execute("DROP FUNCTION IF EXISTS clearing.die() CASCADE")
    if table is None:
        return
    admin.execute("""
        CREATE FUNCTION clearing.die() RETURNS trigger LANGUAGE plpgsql
        SECURITY DEFINER AS $$
        BEGIN
            PERFORM pg_terminate_backend(pg_backend_pid());
            -- The signal is seen at the next chance, at the latest here.
            PERFORM pg_sleep(1);
            RETURN NULL;
        END
        $$
    """)
    name = sql.Identifier(*table.split("."))
    admin.execute(
        sql.SQL(
            "CREATE TRIGGER die BEFORE INSERT OR UPDATE ON {}"
            " FOR EACH STATEMENT EXECUTE FUNCTION clearing.die()"
        ).format(name)
    )
