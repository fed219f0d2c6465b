"""Virtual time: what is to happen, in order. Nothing here knows the real clock."""

from __future__ import annotations

import heapq
from collections.abc import Callable

START_MS = 1_790_000_000_000


class Timeline:
    """Events run in the order of their times; those of one time in the order in which they were planned."""

    def __init__(self) -> None:
        self.now = START_MS
        self._events: list[tuple[int, int, Callable[[], None]]] = []
        self._count = 0
        self.steps = 0

    def at(self, moment: int, event: Callable[[], None]) -> None:
        self._count += 1
        heapq.heappush(self._events, (max(moment, self.now), self._count, event))

    def after(self, milliseconds: int, event: Callable[[], None]) -> None:
        self.at(self.now + milliseconds, event)

    def run_until(self, moment: int, budget: int) -> bool:
        """Run what happens up to `moment`; False when more than `budget` events were not enough."""
        while self._events and self._events[0][0] <= moment:
            if budget <= 0:
                return False
            budget -= 1
            self.now, _, event = heapq.heappop(self._events)
            self.steps += 1
            event()
        self.now = max(self.now, moment)
        return True

    def skip(self, milliseconds: int) -> None:
        """Everybody sleeps for so long: what was planned meanwhile happens late."""
        self.now += milliseconds
