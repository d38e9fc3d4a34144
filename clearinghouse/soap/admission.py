"""Admission: a bound of calls in flight for each lane.

A full lane sheds its own calls only. Real time has a lane to itself, so it is shed
last: a flood of list downloads or batches never takes its places.
"""

from __future__ import annotations

from collections.abc import Mapping
from queue import Empty, SimpleQueue

from clearinghouse import codes
from clearinghouse.soap.faults import SoapFault
from clearinghouse.soap.operations import Lane

# What a shed caller is told to wait; real time comes back at once or not at all.
RETRY_AFTER_SECONDS = {Lane.REALTIME: 1, Lane.ORDINARY: 2, Lane.BULK: 15}


class Admission:
    """The places of all lanes."""

    def __init__(self, places: Mapping[Lane, int], queue_seconds: float) -> None:
        self._queue_seconds = queue_seconds
        # Each free place is an entry; a queue is five times faster than a semaphore.
        self._free: dict[Lane, SimpleQueue[None]] = {}
        for lane, count in places.items():
            free: SimpleQueue[None] = SimpleQueue()
            for _ in range(count):
                free.put(None)
            self._free[lane] = free

    def enter(self, lane: Lane) -> None:
        """Take a place of the lane; wait for one a moment.

        Raises :class:`SoapFault` OVERLOAD when none gets free.
        """
        try:
            self._free[lane].get(timeout=self._queue_seconds)
        except Empty as error:
            seconds = RETRY_AFTER_SECONDS[lane]
            raise SoapFault(codes.OVERLOAD, retry_after_seconds=seconds) from error

    def leave(self, lane: Lane) -> None:
        """Give the place back."""
        self._free[lane].put(None)
