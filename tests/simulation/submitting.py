"""A CSO's evening: it sends its SDRs, in batches that are not always right at first."""

from __future__ import annotations

from collections import defaultdict
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
    from tests.simulation.capping import Caps
    from tests.simulation.plan import Planned

#: How often each happens, in a thousand evenings.
_TWO_BATCHES = 250
_WRONG_TOTALS = 60

#: The rule that holds what a net debit cap has no room for.
_CAPPED = "S-211"

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
    caps: Caps,
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
        _book(send(batch(last, sdrs)), part, books, caps, window)
    return last


def _require(answer: Answer, code: Code) -> None:
    if answer.code != code.number:
        raise AssertionError(f"answered {answer.code} instead of {code.name}")


def _book(
    answer: Answer, part: Sequence[Due], books: Books, caps: Caps, window: str
) -> None:
    """Book what the submitter was told of each SDR of a batch."""
    if answer.code >= 200:
        raise AssertionError(f"batch refused: {answer.code} {answer.items}")
    rules: dict[int, set[str]] = defaultdict(set)
    for item in answer.items:
        rules[int(item["index"])].add(item.get("rule", "") or "duplicate")
    counts = {"accepted": 0, "held": 0, "refused": 0, "duplicates": 0}
    for index, due in enumerate(part):
        counts[_booked(due.one, rules[index], books, caps, window)] += 1
    told = {name: int(answer.required(name)) for name in counts}
    if told != counts:
        raise AssertionError(f"the items say {counts}, the counts {told}")
    books.accepted += counts["accepted"]
    books.refused += counts["refused"]
    books.duplicates += counts["duplicates"]


def _booked(
    one: Planned, rules: set[str], books: Books, caps: Caps, window: str
) -> str:
    """Book one SDR; return as what the answer must count it.

    Raises :class:`AssertionError` when there is room and the house says there is none,
    or the other way round.
    """
    if any(rule.startswith("S-1") for rule in rules):
        return "refused"
    holding = {rule for rule in rules if rule.startswith("S-2")}
    if "duplicate" in rules and not holding:
        return "duplicates"
    if (_CAPPED in holding) is caps.has_room(one, window):
        raise AssertionError(f"{one.sdr_id} met {holding}: the cap says otherwise")
    if not holding:
        books.take(one, window)
        return "accepted"
    books.hold(one)
    if holding == {_CAPPED}:
        caps.hold(one)
    return "held"
