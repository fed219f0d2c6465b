"""A bounded queue that serves its sources in turn, so that who sends much waits for itself and not others for it.

Each source has a line of its own with room for a share; sources take turns, `weight` items each. When the whole queue
is full the longest line gives way. Deficit round robin (Shreedhar & Varghese, SIGCOMM 1995) with items of one size.
"""

from __future__ import annotations

from collections import OrderedDict, deque
from collections.abc import Callable, Hashable
from typing import Generic, TypeVar

S = TypeVar("S", bound=Hashable)
T = TypeVar("T")


class _Line(Generic[T]):
    __slots__ = ("credit", "items", "weight")

    def __init__(self, weight: int) -> None:
        self.items: deque[T] = deque()
        self.weight = weight
        self.credit = weight


class FairQueue(Generic[S, T]):
    """`capacity` items in all, `share` for each unit of a source's weight. `evicted` is told of what gave way."""

    def __init__(self, capacity: int, share: int, evicted: Callable[[T], None]) -> None:
        self._capacity = capacity
        self._share = share
        self._evicted = evicted
        self._lines: OrderedDict[S, _Line[T]] = OrderedDict()  # those with items, in the order of their turns
        self._count = 0

    def offer(self, source: S, item: T, weight: int = 1) -> bool:
        """Whether it was taken; False when the source's share is full."""
        line = self._lines.get(source)
        if line is None:
            line = self._lines[source] = _Line(weight)
        elif len(line.items) >= self._share * weight:
            return False
        line.items.append(item)
        self._count += 1
        if self._count > self._capacity:
            self.evict()
        return True

    def take(self) -> tuple[S, T] | None:
        """The next item in turn, with its source."""
        if not self._lines:
            return None
        source, line = next(iter(self._lines.items()))
        item = line.items.popleft()
        self._count -= 1
        line.credit -= 1
        if not line.items:
            del self._lines[source]
        elif line.credit == 0:
            line.credit = line.weight
            self._lines.move_to_end(source)
        return source, item

    def remove(self, unwanted: Callable[[T], bool]) -> int:
        """Drop all such items without telling `evicted`; how many they were."""
        before = self._count
        for source, line in tuple(self._lines.items()):
            line.items = deque(item for item in line.items if not unwanted(item))
            if not line.items:
                del self._lines[source]
        self._count = sum(len(line.items) for line in self._lines.values())
        return before - self._count

    def __len__(self) -> int:
        return self._count

    def evict(self) -> None:
        """The newest item of the line that is longest for its weight goes. The queue must not be empty."""
        source, line = max(self._lines.items(), key=lambda entry: len(entry[1].items) / entry[1].weight)
        evicted = line.items.pop()
        self._count -= 1
        if not line.items:
            del self._lines[source]
        self._evicted(evicted)
