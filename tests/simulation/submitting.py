"""A CSO's evening: it sends its SDRs, in batches that are not always right at first."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from clearinghouse.codes import SDR_BATCH_CONTROL, SDR_BATCH_SEQUENCE, Code
from tests.running.sdr import Sdr, batch
from tests.simulation.chance import happens

if TYPE_CHECKING:
    from random import Random

    from tests.fixtures.engine import Answer
    from tests.simulation.books import Books
    from tests.simulation.plan import Planned

#: How often each happens, in a thousand evenings.
_TWO_BATCHES = 250
_WRONG_TOTALS = 60

_Send = Callable[[str], "Answer"]


@dataclass(slots=True)
class Due:
    """An SDR that waits for the day on which it is sent; ``of``: sent before."""

    one: Planned
    session_id: str | None
    changed: bool = False
    of: Due | None = None

    @property
    def sdr(self) -> Sdr:
        """The SDR as the CSO writes it now."""
        first = self.of or self
        return self.one.sdr(first.session_id, changed=self.changed)


def submit_day(
    send: _Send,
    waiting: Sequence[Due],
    books: Books,
    *,
    chance: Random,
    last: int,
    window: str,
) -> int:
    """Send what waits, in one batch or in two; return the last sequence number.

    Two batches go off in the wrong order, and the one that came too early goes again.
    Raises :class:`AssertionError` when the house takes what it must not, or the other
    way round.
    """
    parts = [list(waiting)]
    if len(waiting) > 1 and happens(chance, _TWO_BATCHES):
        middle = chance.randrange(1, len(waiting))
        parts = [list(waiting[:middle]), list(waiting[middle:])]
        early = send(batch(last + 2, [one.sdr for one in parts[1]]))
        _require(early, SDR_BATCH_SEQUENCE)
    for part in parts:
        last += 1
        sdrs = [one.sdr for one in part]
        if part and happens(chance, _WRONG_TOTALS):
            _require(
                send(batch(last, sdrs).replace("<energyWh>", "<energyWh>1", 1)),
                SDR_BATCH_CONTROL,
            )
        _book(send(batch(last, sdrs)), part, books, window)
    return last


def _require(answer: Answer, code: Code) -> None:
    if answer.code != code.number:
        raise AssertionError(f"answered {answer.code} instead of {code.name}")


def _book(answer: Answer, part: Sequence[Due], books: Books, window: str) -> None:
    """Book what the submitter was told of each SDR of a batch."""
    if answer.code >= 200:
        raise AssertionError(f"batch refused: {answer.code} {answer.items}")
    rules: dict[int, str] = {}
    for item in answer.items:
        index, rule = int(item["index"]), item.get("rule", "")
        rules[index] = min(rules.get(index, "~"), rule or "duplicate")
    counts = {"accepted": 0, "held": 0, "refused": 0, "duplicates": 0}
    for index, due in enumerate(part):
        rule = rules.get(index, "")
        if rule.startswith("S-1"):
            counts["refused"] += 1
        elif rule.startswith("S-2"):
            counts["held"] += 1
            books.hold(due.one)
        elif rule == "duplicate":
            counts["duplicates"] += 1
        else:
            counts["accepted"] += 1
            books.take(due.one, window)
    told = {name: int(answer.required(name)) for name in counts}
    if told != counts:
        raise AssertionError(f"the items say {counts}, the counts {told}")
    books.accepted += counts["accepted"]
    books.refused += counts["refused"]
    books.duplicates += counts["duplicates"]
