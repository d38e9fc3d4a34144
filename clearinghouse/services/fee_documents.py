"""Invoices of the house for its fees, booked by runs and taken back by reversals.

Numbers are drawn here, in the transaction that posts the fees; rendering comes after
it, as with other documents. A billing profile that is missing stops nothing: the
document waits for it.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from datetime import datetime, timedelta

from sqlalchemy import Connection

from clearinghouse import codes
from clearinghouse.domain.billing import profile_in_force
from clearinghouse.domain.errors import ClearingHouseError
from clearinghouse.domain.numbering import DocumentKind, series_of
from clearinghouse.services.environment import Environment
from clearinghouse.storage import billing, fee_documents, fees, statements
from clearinghouse.storage.fees import FeeDocument, RunFee
from clearinghouse.storage.runs import Run


def book(tx: Connection, env: Environment, run: Run, charged: Sequence[RunFee]) -> None:
    """Book an invoice for each fee of a run whose fees are posted.

    Raises :class:`ClearingHouseError` (``RUN_PROOF``) when fees, invoices, postings and
    numbers differ.
    """
    now = env.clock.now()
    house = env.limits.party_id
    days = fees.payment_days(tx, run.run_id)
    versions = _versions(tx, {house, *(one.party_id for one in charged)}, now)
    numbers = statements.draw_numbers(
        tx,
        series=series_of(DocumentKind.INVOICE, house),
        year=now.year,
        count=len(charged),
    )
    issued = [
        FeeDocument(
            str(number),
            DocumentKind.INVOICE,
            run.run_id,
            one.party_id,
            run.currency,
            one.fee.net_minor,
            one.vat_minor,
            None,
            versions.get(house),
            versions.get(one.party_id),
            now.date() + timedelta(days=days[one.party_id]),
        )
        for number, one in zip(numbers, charged, strict=True)
    ]
    fees.insert_documents(tx, issued, at=now)
    _prove(tx, run.run_id)


def credit(tx: Connection, env: Environment, run: Run, reversal_id: int) -> None:
    """Book a credit note for each invoice of the house in a run that is reversed.

    Under the profiles and days of payment of the invoices. Raises as :func:`book` does.
    """
    now = env.clock.now()
    invoices = fees.documents_of(tx, run.run_id)
    days = fees.payment_days(tx, run.run_id)
    numbers = statements.draw_numbers(
        tx,
        series=series_of(DocumentKind.CREDIT_NOTE, env.limits.party_id),
        year=now.year,
        count=len(invoices),
    )
    notes = [
        invoice._replace(
            number=str(number),
            kind=DocumentKind.CREDIT_NOTE,
            run_id=reversal_id,
            refers_to=invoice.number,
            due_on=now.date() + timedelta(days=days[invoice.party_id]),
        )
        for number, invoice in zip(numbers, invoices, strict=True)
    ]
    fees.insert_documents(tx, notes, at=now)
    _prove(tx, reversal_id)


def lacks_profile(env: Environment) -> bool:
    """Say whether the house charges fees and cannot invoice them: it has no profile."""
    with env.database.begin_read_only() as tx:
        if not fee_documents.is_anything_charged(tx):
            return False
        today = env.clock.now().date()
        return billing.profile_on(tx, env.limits.party_id, today) is None


def _versions(
    tx: Connection, party_ids: Collection[str], at: datetime
) -> dict[str, int]:
    """Return the versions of the profiles in force, of those who have one."""
    found = {
        party_id: profile_in_force(versions, at.date())
        for party_id, versions in billing.versions_by_party(tx, party_ids).items()
    }
    return {
        party_id: profile.version
        for party_id, profile in found.items()
        if profile is not None
    }


def _prove(tx: Connection, run_id: int) -> None:
    broken = fee_documents.faults(tx, run_id)
    if broken:
        raise ClearingHouseError(codes.RUN_PROOF, "; ".join(broken))
