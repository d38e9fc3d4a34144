"""The line between a partner and the house: messages get lost, doubled, cut off.

A partner does what the contract asks of it: a message without an answer is unknown, so
it is sent again as it was until it is answered.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from enum import StrEnum
from typing import TYPE_CHECKING, TypeVar

from clearinghouse.codes import by_number
from clearinghouse.domain.errors import ClearingHouseError
from tests.fixtures.engine import Answer, Speaker, post
from tests.simulation.chance import happens, uuid_from

if TYPE_CHECKING:
    from random import Random

    from tests.simulation.cuts import Cuts

#: Times that a message is sent before the partner gives up, which never happens.
ATTEMPTS_MAX = 30

#: How often each trouble meets a message, in a thousand.
TROUBLE_PER_MILLE = 40

#: How often a crash meets an act of the operator, and before which statement.
CLOSING_CUT_PER_MILLE = 300
CLOSING_STATEMENTS = 60

#: A crash comes before one of so many statements of a message; later ones miss it.
CUT_WITHIN_STATEMENTS = 14


_Done = TypeVar("_Done")


class Trouble(StrEnum):
    """What may happen to a message."""

    LOST = "lost"  #: it never arrives
    UNANSWERED = "unanswered"  #: it is done, and the answer gets lost
    TWICE = "twice"  #: it arrives a second time
    CRASH = "crash"  #: the house is cut off in the midst of it


@dataclass(slots=True)
class Line:
    """The line of one day, for all partners; ``met`` counts the troubles."""

    chance: Random
    cuts: Cuts
    met: Counter[Trouble] = field(default_factory=Counter)
    sent: int = 0

    def call(
        self, speaker: Speaker, service: str, operation: str, content: str = ""
    ) -> Answer:
        """Send a message until it is answered, and return the answer.

        Raises :class:`TimeoutError` when it never is, :class:`AssertionError` when a
        repeat is answered otherwise than the first.
        """
        body = speaker.envelope(
            service, operation, content, message_id=uuid_from(self.chance)
        )
        for _ in range(ATTEMPTS_MAX):
            self.sent += 1
            answer = self._attempt(speaker, service, body)
            if answer is not None:
                return answer
        raise TimeoutError(f"{operation} of {speaker.party_id} was never answered")

    def until_done(self, act: Callable[[], _Done]) -> _Done:
        """Let the operator do something until it is done; crashes cut it off at first.

        Raises :class:`TimeoutError` when it never is.
        """
        for _ in range(ATTEMPTS_MAX):
            if happens(self.chance, CLOSING_CUT_PER_MILLE):
                self.met[Trouble.CRASH] += 1
                self.cuts.after(self.chance.randrange(1, CLOSING_STATEMENTS))
            try:
                return act()
            except ClearingHouseError as error:
                if not error.code.retryable:
                    raise
            finally:
                self.cuts.none()
        raise TimeoutError("the operator never got it done")

    def _attempt(self, speaker: Speaker, service: str, body: bytes) -> Answer | None:
        trouble = self._trouble()
        if trouble is Trouble.LOST:
            return None
        if trouble is Trouble.CRASH:
            self.cuts.after(self.chance.randrange(1, CUT_WITHIN_STATEMENTS))
        answer = post(speaker.engine, service, body)
        self.cuts.none()
        if trouble is Trouble.UNANSWERED:
            return None
        if trouble is Trouble.TWICE:
            again = post(speaker.engine, service, body)
            if again.code != answer.code:
                raise AssertionError(f"{answer.code}, and repeated {again.code}")
        return None if by_number(answer.code).retryable else answer

    def _trouble(self) -> Trouble | None:
        for trouble in Trouble:
            if happens(self.chance, TROUBLE_PER_MILLE):
                self.met[trouble] += 1
                return trouble
        return None
