"""What a settlement run posts: fees, conversions, money in and out, and mirrors.

A run begins with the positions that closed windows left on the POS accounts, and ends
with all of them at zero; so does the account of money in transit. Keys are made of the
run and the document, so that nothing can be posted twice.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping
from typing import NamedTuple

from clearinghouse.domain.ledger import (
    CLEARING,
    FX_RESIDUE,
    HUB_POSITION,
    Account,
    Posting,
    PostingCode,
    account_name,
    balances,
)
from clearinghouse.domain.runs import HUB, Transfer, TransferKind


class Conversion(NamedTuple):
    """What is left between two in one currency, converted into the run's.

    Amounts in minor units of their own currencies.
    """

    debtor: str
    creditor: str
    currency: str
    from_minor: int
    to_minor: int


class ChargedFee(NamedTuple):
    """The fee of one participant in a run: net, and the VAT on it."""

    party_id: str
    net_minor: int
    vat_minor: int


class _Leg(NamedTuple):
    code: PostingCode
    debit: str
    credit: str
    currency: str
    amount_minor: int


def position_account(owner: str) -> str:
    """Return the account of a position: ``P:DEABC:POS``, ``HUB:POS`` for the hub."""
    return HUB_POSITION if owner == HUB else account_name(owner, Account.POS)


def _exchange_account(currency: str) -> str:
    return f"FX:{currency}"


def fee_postings(
    run_id: int, currency: str, fees: Iterable[ChargedFee]
) -> tuple[Posting, ...]:
    """Return the legs of the house's fees: net and VAT apart."""
    return tuple(
        _posting(run_id, f"FEE-{fee.party_id}", _Leg(code, debit, HUB_POSITION, *paid))
        for fee in sorted(fees)
        for debit in (position_account(fee.party_id),)
        for code, paid in (
            (PostingCode.FEE, (currency, fee.net_minor)),
            (PostingCode.FEE_VAT, (currency, fee.vat_minor)),
        )
        if paid[1]
    )


def conversion_postings(
    run_id: int, currency: str, conversions: Iterable[Conversion]
) -> tuple[Posting, ...]:
    """Return the legs that take debts out of one currency and into ``currency``.

    In either currency the exchange account stands between the two, and these legs leave
    it as it was. What rounding left is taken out of it by :func:`residue_postings`: it
    ends at minus the residue.
    """
    return tuple(
        _posting(run_id, f"FX-{one.currency}-{one.debtor}-{one.creditor}", leg)
        for one in sorted(conversions)
        for leg in _conversion_legs(one, currency)
        if leg.amount_minor
    )


def _conversion_legs(one: Conversion, currency: str) -> tuple[_Leg, ...]:
    debtor, creditor = position_account(one.debtor), position_account(one.creditor)
    left, entered = _exchange_account(one.currency), _exchange_account(currency)
    out, taken = (one.currency, one.from_minor), (currency, one.to_minor)
    return (
        _Leg(PostingCode.FX_OUT_CREDITOR, creditor, left, *out),
        _Leg(PostingCode.FX_OUT_DEBTOR, left, debtor, *out),
        _Leg(PostingCode.FX_IN_DEBTOR, debtor, entered, *taken),
        _Leg(PostingCode.FX_IN_CREDITOR, entered, creditor, *taken),
    )


def residue_postings(
    run_id: int, currency: str, residues: Mapping[str, int]
) -> tuple[Posting, ...]:
    """Return the legs of what rounding pair by pair left, by the currency it left.

    Above zero: the sum of the debts is worth more than their conversions.
    """
    exchange = _exchange_account(currency)
    return tuple(
        _posting(
            run_id,
            f"FX-{left}",
            _Leg(
                PostingCode.FX_RESIDUE,
                exchange if residue > 0 else FX_RESIDUE,
                FX_RESIDUE if residue > 0 else exchange,
                currency,
                abs(residue),
            ),
        )
        for left, residue in sorted(residues.items())
        if residue
    )


def confirmation_postings(
    run_id: int, currency: str, transfer: Transfer, *, posted_minor: int, number: int
) -> tuple[Posting, ...]:
    """Return the legs of money that moved; below zero it came back.

    ``number`` counts the confirmations of this payment. A payment between two goes in
    and out of the account of money in transit at once.
    """
    document = f"{transfer.end_to_end_id}-{number}"
    payer, payee = position_account(transfer.payer), position_account(transfer.payee)
    returned = posted_minor < 0
    legs = []
    if transfer.kind is not TransferKind.PAY_OUT:
        code = PostingCode.PAY_IN_RETURNED if returned else PostingCode.PAY_IN
        legs.append((code, CLEARING, payer))
    if transfer.kind is not TransferKind.COLLECT:
        code = PostingCode.PAY_OUT_RETURNED if returned else PostingCode.PAY_OUT
        legs.append((code, payee, CLEARING))
    return tuple(
        _posting(
            run_id,
            document,
            _Leg(
                code,
                credit if returned else debit,
                debit if returned else credit,
                currency,
                abs(posted_minor),
            ),
        )
        for code, debit, credit in legs
        if posted_minor
    )


#: Postings that record a run, before any money moves; a reversal mirrors them.
RECORDING = frozenset(
    {
        PostingCode.FEE,
        PostingCode.FEE_VAT,
        PostingCode.FX_OUT_CREDITOR,
        PostingCode.FX_OUT_DEBTOR,
        PostingCode.FX_IN_DEBTOR,
        PostingCode.FX_IN_CREDITOR,
        PostingCode.FX_RESIDUE,
    }
)


def mirror_postings(run_id: int, originals: Iterable[Posting]) -> tuple[Posting, ...]:
    """Return the mirrors of what an earlier run recorded: debit and credit swapped."""
    return tuple(
        Posting(
            posting_key=f"R{run_id}:{one.posting_key}:{PostingCode.MIRROR.value}",
            window_id=None,
            run_id=run_id,
            debit_account=one.credit_account,
            credit_account=one.debit_account,
            currency=one.currency,
            amount_minor=one.amount_minor,
            code=PostingCode.MIRROR,
        )
        for one in originals
        if one.code in RECORDING
    )


def settled_violations(
    opening: Mapping[tuple[str, str], int], postings: Iterable[Posting]
) -> tuple[str, ...]:
    """Return what a run that ends leaves behind; empty when all is zero.

    ``opening``: the position of each owner per currency that the windows left with the
    run. After its postings all positions and the money in transit are zero.
    """
    left: dict[tuple[str, str], int] = defaultdict(int)
    for (owner, currency), minor in opening.items():
        left[position_account(owner), currency] += minor
    for key, minor in balances(postings).items():
        left[key] += minor
    return tuple(
        f"{account} holds {minor} {currency} at the end"
        for (account, currency), minor in sorted(left.items())
        if minor and (account == CLEARING or account.endswith(f":{Account.POS.value}"))
    )


def _posting(run_id: int, document: str, leg: _Leg) -> Posting:
    return Posting(
        posting_key=f"R{run_id}:{document}:{leg.code.value}",
        window_id=None,
        run_id=run_id,
        debit_account=leg.debit,
        credit_account=leg.credit,
        currency=leg.currency,
        amount_minor=leg.amount_minor,
        code=leg.code,
    )
