"""What is disputed stands in suspense until it is decided or counted (2.7, 2.9).

A hold books the claim ahead of its window and puts it aside at once: accepted between
the two, then out of RECV and PAY into the SUSP of either side. So RECV and PAY stay
empty, and SUSP says what each may still get or owe. A release is the mirror: what then
counts is accepted with its window, like every SDR. Amounts are without VAT, which is
that of a document and not of an SDR.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple
from uuid import UUID

from clearinghouse.domain.ledger import Account, Posting, PostingCode, account_name

#: The codes of a hold, each with that of its mirror.
MIRRORS = {
    PostingCode.HOLD_ACCEPT: PostingCode.RELEASE_ACCEPT,
    PostingCode.HOLD: PostingCode.RELEASE,
    PostingCode.HOLD_OWED: PostingCode.RELEASE_OWED,
}


class Held(NamedTuple):
    """A disputed amount above nothing, between who gets it and who owes it."""

    dispute_id: UUID
    window_id: int
    creditor: str
    debtor: str
    currency: str
    amount_minor: int


def key_of(dispute_id: UUID, code: PostingCode) -> str:
    """Return the key of a posting of a dispute.

    It names no window: a dispute is held once and released once, whoever does it.

    >>> key_of(UUID(int=1), PostingCode.HOLD)
    'D00000000-0000-0000-0000-000000000001:HOLD'
    """
    return f"D{dispute_id}:{code.value}"


def hold_postings(held: Held) -> tuple[Posting, ...]:
    """Return the legs that put a disputed amount aside; none for nothing."""
    if held.amount_minor <= 0:
        return ()
    pays = account_name(held.debtor, Account.PAY)
    gets = account_name(held.creditor, Account.RECV)
    return tuple(
        Posting(
            posting_key=key_of(held.dispute_id, code),
            window_id=held.window_id,
            debit_account=debit,
            credit_account=credit,
            currency=held.currency,
            amount_minor=held.amount_minor,
            code=code,
        )
        for code, debit, credit in (
            (PostingCode.HOLD_ACCEPT, pays, gets),
            (PostingCode.HOLD, gets, account_name(held.creditor, Account.SUSP)),
            (PostingCode.HOLD_OWED, account_name(held.debtor, Account.SUSP), pays),
        )
    )


def release_postings(holds: Iterable[Posting], window_id: int) -> tuple[Posting, ...]:
    """Return the mirrors of the legs of holds, in the window that releases them.

    Raises :class:`KeyError` for a posting that is none of a hold.
    """
    return tuple(
        Posting(
            posting_key=f"{one.posting_key.partition(':')[0]}:{mirror.value}",
            window_id=window_id,
            debit_account=one.credit_account,
            credit_account=one.debit_account,
            currency=one.currency,
            amount_minor=one.amount_minor,
            code=mirror,
        )
        for one in holds
        for mirror in (MIRRORS[one.code],)
    )
