"""What is wrong with a step in a dispute: where, what may be said, what was said."""

from __future__ import annotations

from clearinghouse import codes
from clearinghouse.codes import Code
from clearinghouse.domain.disputes import STEPS, WITH_AMOUNT, Act, Party
from clearinghouse.domain.errors import Item
from clearinghouse.domain.money import currency_of, minor_text
from clearinghouse.storage.disputes import Dispute, Said
from clearinghouse.storage.sdrs import StoredSdr


def of_amount(path: str, net_minor: int, currency: str, found: object) -> Item:
    """Say which amounts a dispute may be about: a part of what its SDR counts."""
    most = minor_text(net_minor, currency_of(currency))
    return Item(
        code=codes.DISPUTE_AMOUNT,
        path=path,
        expected=f"more than 0 and less than {most} {currency}",
        found="none" if found is None else str(found),
    )


def of_step(code: Code, found: Dispute, said: Said) -> Item:
    """Say why a step was not taken, and which ones its side has now."""
    if code is codes.DISPUTE_AMOUNT:
        given, currency = said.amount_minor, found.currency
        text = "none" if given is None else minor_text(given, currency_of(currency))
        if said.act in WITH_AMOUNT:
            return of_amount("amount", found.net_minor, currency, text)
        expected = f"none with {said.act}"
        return Item(code=code, path="amount", expected=expected, found=text)
    acts = " ".join(_acts(found, said.party)) or "nothing now"
    return Item(code=code, path="answer", expected=acts, found=found.state.value)


def of_sdr(code: Code, found: StoredSdr, asked: object) -> Item:
    """Say what speaks against disputing an SDR."""
    if code is codes.DISPUTE_AMOUNT:
        return of_amount("acceptedNet", found.net_minor, found.currency, asked)
    return Item(code=code, path="sdrId", found=found.status.value)


def _acts(found: Dispute, party: Party) -> list[Act]:
    return [
        act for state, whose, act in STEPS if (state, whose) == (found.state, party)
    ]
