"""The memory at the gate: rates, the hashing queue, tokens seen a moment ago."""

from __future__ import annotations

from datetime import timedelta
from queue import SimpleQueue
from threading import Event, Semaphore, Thread

import pytest

from clearinghouse import codes
from clearinghouse.domain.errors import ClearingHouseError
from clearinghouse.domain.exchange import Role, Sender
from clearinghouse.services import gate
from clearinghouse.services.gate import (
    HashingQueue,
    Logins,
    Rate,
    RecentTokens,
    SlowLane,
    TooManyError,
)
from clearinghouse.storage.access import Token, TokenHolder
from tests.builders import NOW, seconds
from tests.waiting import PATIENCE_SECONDS


def holder(*, expires_after_seconds: int = 1200) -> TokenHolder:
    return TokenHolder(
        sender=Sender(
            participant_id=1,
            party_id="CHREP",
            roles=frozenset({Role.CSO}),
            account_id=1,
        ),
        token=Token(
            token_hash=b"h" * 32,
            account_id=1,
            participant_id=1,
            issued_at=NOW,
            expires_at=seconds(expires_after_seconds),
            chain_started_at=NOW,
        ),
    )


def test_rate_says_when_the_next_attempt_may_come() -> None:
    rate = Rate(2, window_seconds=60)
    rate.count("a", NOW)
    rate.count("a", seconds(10))

    with pytest.raises(TooManyError) as refused:
        rate.count("a", seconds(20))

    assert refused.value.code is codes.RATE
    assert refused.value.retry_after_seconds == 41


def test_refused_attempts_do_not_prolong_the_wait() -> None:
    rate = Rate(1, window_seconds=60)
    rate.count("a", NOW)
    for second in range(1, 60):
        with pytest.raises(TooManyError):
            rate.count("a", seconds(second))

    rate.count("a", seconds(60))


def test_rate_of_one_caller_leaves_the_others_alone() -> None:
    rate = Rate(1, window_seconds=60)
    rate.count("a", NOW)

    rate.count("b", NOW)


def test_rate_forgets_the_longest_silent_caller_when_full() -> None:
    rate = Rate(1, window_seconds=60)
    for number in range(gate.CALLERS_REMEMBERED_MAX + 1):
        rate.count(f"caller {number}", NOW)

    rate.count("caller 0", NOW)
    with pytest.raises(TooManyError):
        rate.count(f"caller {gate.CALLERS_REMEMBERED_MAX}", NOW)


def fail(logins: Logins, username: str, address: str, second: int = 0) -> None:
    with (
        pytest.raises(ClearingHouseError),
        logins.attempt(username, address, seconds(second)),
    ):
        raise ClearingHouseError(codes.LOGIN_FAILED)


def succeed(logins: Logins, username: str, address: str, second: int = 0) -> None:
    with logins.attempt(username, address, seconds(second)):
        pass


def test_failed_logins_shut_out_their_own_address_only() -> None:
    logins = Logins()
    for _ in range(gate.FAILURES_PER_CALLER_MAX):
        fail(logins, "machine", "192.0.2.1")

    with pytest.raises(TooManyError) as refused:
        succeed(logins, "machine", "192.0.2.1", 20)
    succeed(logins, "machine", "192.0.2.2", 20)
    succeed(logins, "machine", "192.0.2.1", 60)

    assert refused.value.retry_after_seconds == 41


def test_logins_that_succeed_are_not_counted_for_the_account() -> None:
    logins = Logins()
    for number in range(gate.FAILURES_PER_CALLER_MAX * 3):
        succeed(logins, "machine", "192.0.2.1", number)


def test_an_attempt_that_was_not_judged_is_not_counted() -> None:
    logins = Logins()
    for number in range(gate.FAILURES_PER_CALLER_MAX * 2):
        with (
            pytest.raises(ClearingHouseError),
            logins.attempt("machine", "192.0.2.1", seconds(number)),
        ):
            raise ClearingHouseError(codes.OVERLOAD)

    succeed(logins, "machine", "192.0.2.1", 30)


def test_an_account_that_the_world_guesses_at_is_slow_and_stays_open() -> None:
    pauses: list[int] = []
    logins = Logins(SlowLane(pauses.append))
    succeed(logins, "machine", "192.0.2.1")
    for number in range(gate.FAILURES_PER_ACCOUNT_MAX):
        fail(logins, "machine", f"198.51.100.{number}", 1)
    assert not pauses

    succeed(logins, "machine", "192.0.2.1", 2)
    assert not pauses, "who logged in from there before does not wait"
    succeed(logins, "machine", "192.0.2.2", 2)
    assert pauses == [gate.SLOW_SECONDS]
    succeed(logins, "machine", "192.0.2.3", 61)
    assert pauses == [gate.SLOW_SECONDS]


def test_few_attempts_wait_at_once() -> None:
    release, arrived = Event(), Semaphore(0)

    def pause(_seconds: int) -> None:
        arrived.release()
        release.wait(PATIENCE_SECONDS)

    lane = SlowLane(pause)
    waiting = [Thread(target=lane.wait) for _ in range(gate.SLOW_MAX)]
    for thread in waiting:
        thread.start()
        assert arrived.acquire(timeout=PATIENCE_SECONDS)

    with pytest.raises(TooManyError):
        lane.wait()

    release.set()
    for thread in waiting:
        thread.join()
    lane.wait()


def test_hashing_queue_refuses_the_tenth_at_once() -> None:
    queue = HashingQueue()
    release = Event()
    turns, refused = SimpleQueue[None](), SimpleQueue[codes.Code]()

    def wait() -> None:
        try:
            with queue.turn():
                release.wait(2 * PATIENCE_SECONDS)
                turns.put(None)
        except ClearingHouseError as refusal:
            refused.put(refusal.code)

    allowed = gate.HASHING_MAX + gate.HASHING_QUEUE_MAX
    waiting = [Thread(target=wait) for _ in range(allowed + 1)]
    for thread in waiting:
        thread.start()

    # All others still wait: the one too many has its answer before anyone is done.
    assert refused.get(timeout=PATIENCE_SECONDS) is codes.OVERLOAD
    assert turns.empty()

    release.set()
    for thread in waiting:
        thread.join()
    assert turns.qsize() == allowed
    assert refused.empty()
    with queue.turn():
        pass


def test_token_is_believed_for_less_than_five_seconds() -> None:
    tokens = RecentTokens()
    tokens.remember(b"t", holder(), NOW)

    assert tokens.holder(b"t", NOW + timedelta(seconds=4.999)) is not None
    assert tokens.holder(b"t", seconds(5)) is None


def test_token_that_expires_meanwhile_is_not_believed() -> None:
    tokens = RecentTokens()
    tokens.remember(b"t", holder(expires_after_seconds=2), NOW)

    assert tokens.holder(b"t", seconds(1)) is not None
    assert tokens.holder(b"t", seconds(2)) is None


def test_token_is_not_believed_when_the_clock_goes_back() -> None:
    tokens = RecentTokens()
    tokens.remember(b"t", holder(), seconds(60))

    assert tokens.holder(b"t", NOW) is None


def test_forgotten_token_is_not_believed() -> None:
    tokens = RecentTokens()
    tokens.remember(b"t", holder(), NOW)

    tokens.forget(b"t")

    assert tokens.holder(b"t", NOW) is None
