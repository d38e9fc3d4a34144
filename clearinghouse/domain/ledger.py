"""The ledger: accounts, postings with deterministic keys, and the balance rule.

Double entry by construction: a posting takes from one account what it gives to another.
A pair is accepted (debtor's PAY to creditor's RECV, net and VAT apart) and closed into
positions (RECV and PAY to POS, gross). Afterwards each RECV and PAY is zero, POS is the
net position. Keys repeat when a close is run again, so that nothing is posted twice.
What a settlement run posts afterwards is in :mod:`clearinghouse.domain.run_postings`,
what is disputed in :mod:`clearinghouse.domain.suspense`.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import NamedTuple

from clearinghouse.domain.settlement import Pair, Settlement


class Account(StrEnum):
    """The accounts of a participant, per currency."""

    RECV = "RECV"  #: what others owe it, until the window closes
    PAY = "PAY"  #: what it owes, until the window closes
    POS = "POS"  #: its position, until a run is settled
    SETTLE = "SETTLE"  #: mirror of its bank account
    COLL = "COLL"  #: its collateral
    SUSP = "SUSP"  #: what is disputed


#: The house's own accounts: its fees, money in transit, residues of conversion.
HUB_POSITION = "HUB:POS"
CLEARING = "CH:CLEARING"
FX_RESIDUE = "CH:FXDIFF"


class PostingCode(StrEnum):
    """Why a posting was made: the leg in its key."""

    ACCEPT = "ACCEPT"
    ACCEPT_VAT = "ACCEPT-VAT"
    CLOSE_RECV = "CLOSE-RECV"
    CLOSE_PAY = "CLOSE-PAY"
    FEE = "FEE"
    FEE_VAT = "FEE-VAT"
    FX_OUT_CREDITOR = "FX-OUT-CREDITOR"
    FX_OUT_DEBTOR = "FX-OUT-DEBTOR"
    FX_IN_DEBTOR = "FX-IN-DEBTOR"
    FX_IN_CREDITOR = "FX-IN-CREDITOR"
    FX_RESIDUE = "FX-RESIDUE"
    PAY_IN = "PAY-IN"
    PAY_OUT = "PAY-OUT"
    PAY_IN_RETURNED = "PAY-IN-RETURNED"
    PAY_OUT_RETURNED = "PAY-OUT-RETURNED"
    MIRROR = "MIRROR"
    HOLD_ACCEPT = "HOLD-ACCEPT"
    HOLD = "HOLD"
    HOLD_OWED = "HOLD-OWED"
    RELEASE_ACCEPT = "RELEASE-ACCEPT"
    RELEASE = "RELEASE"
    RELEASE_OWED = "RELEASE-OWED"


@dataclass(frozen=True, slots=True, kw_only=True)
class Posting:
    """One movement of ``amount_minor`` > 0 from the debit to the credit account.

    It belongs to a window that closed or to a settlement run, never to both.
    """

    posting_key: str
    window_id: int | None
    debit_account: str
    credit_account: str
    currency: str
    amount_minor: int
    code: PostingCode
    run_id: int | None = None


class LedgerEntry(NamedTuple):
    """One posting with its instant; ``amount_minor`` goes from debit to credit."""

    posting_key: str
    posted_at: datetime
    debit_account: str
    credit_account: str
    currency: str
    amount_minor: int
    code: str


def account_name(party_id: str, account: Account) -> str:
    """Return the name of an account, as ``P:DEABC:RECV``."""
    return f"P:{party_id}:{account.value}"


def posting_key(window_id: int, document: str, leg: PostingCode) -> str:
    """Return the key of a posting, as ``W12:EUR-CHHOM-DEVIS:ACCEPT``."""
    return f"W{window_id}:{document}:{leg.value}"


def postings_of(
    window_id: int, settlement: Settlement, party_ids: Mapping[int, str]
) -> tuple[Posting, ...]:
    """Return the postings of a closing settlement, in fixed order.

    Raises :class:`KeyError` when a participant has no party id.
    """
    return tuple(
        posting
        for pair in settlement.pairs
        for posting in _legs(window_id, pair, party_ids)
    )


def _legs(
    window_id: int, pair: Pair, party_ids: Mapping[int, str]
) -> Iterable[Posting]:
    """Give the postings of a pair: net and VAT accepted apart, closed as one gross.

    A leg below nothing is posted the other way round; a leg of nothing is none.
    """
    debtor, creditor = party_ids[pair.debtor_id], party_ids[pair.creditor_id]
    document = f"{pair.currency}-{debtor}-{creditor}"
    pays, gets = (debtor, Account.PAY), (creditor, Account.RECV)
    for code, debit, credit, amount_minor in (
        (PostingCode.ACCEPT, pays, gets, pair.net_minor),
        (PostingCode.ACCEPT_VAT, pays, gets, pair.vat_minor),
        (PostingCode.CLOSE_RECV, gets, (creditor, Account.POS), pair.gross_minor),
        (PostingCode.CLOSE_PAY, (debtor, Account.POS), pays, pair.gross_minor),
    ):
        if not amount_minor:
            continue
        sides = (debit, credit) if amount_minor > 0 else (credit, debit)
        yield Posting(
            posting_key=posting_key(window_id, document, code),
            window_id=window_id,
            debit_account=account_name(*sides[0]),
            credit_account=account_name(*sides[1]),
            currency=pair.currency,
            amount_minor=abs(amount_minor),
            code=code,
        )


def balances(postings: Iterable[Posting]) -> dict[tuple[str, str], int]:
    """Return credit minus debit per (account, currency)."""
    sums: dict[tuple[str, str], int] = defaultdict(int)
    for posting in postings:
        sums[posting.debit_account, posting.currency] -= posting.amount_minor
        sums[posting.credit_account, posting.currency] += posting.amount_minor
    return dict(sums)


def violations(
    postings: Iterable[Posting], settlement: Settlement, party_ids: Mapping[int, str]
) -> tuple[str, ...]:
    """Return which rules the postings of one settlement break; empty when none.

    Amounts are positive, keys differ, the ledger sums to zero, RECV and PAY are empty,
    and POS is the net position of each participant.
    """
    entries = list(postings)
    broken: list[str] = []
    if any(posting.amount_minor <= 0 for posting in entries):
        broken.append("a posting has no positive amount")
    if len({posting.posting_key for posting in entries}) != len(entries):
        broken.append("a posting key stands twice")
    sums = balances(entries)
    if sum(sums.values()) != 0:
        broken.append("the ledger does not sum to zero")
    currency = settlement.currency
    for position in settlement.positions:
        party_id = party_ids[position.participant_id]
        for account, expected in (
            (Account.RECV, 0),
            (Account.PAY, 0),
            (Account.POS, position.net_minor),
        ):
            name = account_name(party_id, account)
            found = sums.pop((name, currency), 0)
            if found != expected:
                broken.append(f"{name} holds {found}, expected {expected}")
    broken.extend(f"{name} belongs to no position" for name, _ in sorted(sums))
    return tuple(broken)
