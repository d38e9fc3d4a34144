"""What is wrong with a step in a dispute: where, what may be said, what was said."""

from __future__ import annotations

from datetime import datetime

from clearinghouse import codes
from clearinghouse.codes import Code
from clearinghouse.domain.disputes import STEPS, WITH_AMOUNT, Act, Party, timed_act
from clearinghouse.domain.errors import ClearingHouseError, Item
from clearinghouse.domain.money import currency_of, minor_text
from clearinghouse.storage.disputes import Dispute, Said
from clearinghouse.storage.sdrs import StoredSdr

#: What an SDR must be to be disputed, by what speaks against it.
_DISPUTABLE = {
    codes.DISPUTE_FINAL: "no credit, and nothing that came of a dispute",
    codes.DISPUTE_RUNS: "an SDR without a dispute that runs",
    codes.DISPUTE_LATE: "an SDR of an open window, or in the days after its close",
    codes.SDR_DECIDED: "an SDR that counts",
}


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
    expected, status = _DISPUTABLE[code], found.status.value
    return Item(code=code, path="sdrId", expected=expected, found=status)


def not_to_pay(code: Code, found: str = "") -> ClearingHouseError:
    """Return the refusal of an SDR that the sender has not to pay, or not yet."""
    expected = "an SDR that you have to pay, and that is accepted"
    item = Item(code=code, path="sdrId", expected=expected, found=found)
    return ClearingHouseError(code, items=(item,))


def unknown() -> ClearingHouseError:
    """Return the refusal of a dispute that is not there, as those of others are not."""
    expected = "a dispute that you are a side of"
    item = Item(code=codes.DISPUTE_UNKNOWN, path="disputeId", expected=expected)
    return ClearingHouseError(codes.DISPUTE_UNKNOWN, items=(item,))


def require_in_time(found: Dispute, *, now: datetime) -> None:
    """Refuse a step whose term is over: what comes of it hangs on no chore's haste.

    Raises :class:`ClearingHouseError` (``DISPUTE_TERM``).
    """
    due = found.due_at
    if due is None or not timed_act(
        found.state, now=now, due=due, hard_stop_at=found.hard_stop_at
    ):
        return
    item = Item(
        code=codes.DISPUTE_TERM,
        path="answer",
        expected=f"before {due.isoformat()}",
        found=now.isoformat(),
    )
    raise ClearingHouseError(codes.DISPUTE_TERM, items=(item,))


def _acts(found: Dispute, party: Party) -> list[Act]:
    return [
        act for state, whose, act in STEPS if (state, whose) == (found.state, party)
    ]
