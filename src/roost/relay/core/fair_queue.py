"""A bounded queue that serves its sources in turn, so that who sends much waits for itself and not others for it.

Each source has a line of its own with room for a share; sources take turns, `weight` items each. When the whole queue
is full the longest line gives way. Deficit round robin (Shreedhar & Varghese, SIGCOMM 1995) with items of one size.
Which line is longest is known at any time, so what is taken only to be thrown away costs no more with many lines.
"""

from __future__ import annotations

from collections import OrderedDict, deque
from collections.abc import Callable, Hashable
from typing import Generic, TypeVar

S = TypeVar("S", bound=Hashable)
T = TypeVar("T")


class Lengths(Generic[S]):
    """Which of many lines is the longest. Each is named with every change of its length, in steps of one or by removal,
    so that all costs the same however many there are."""

    __slots__ = ("_by_length", "_longest")

    def __init__(self) -> None:
        self._by_length: dict[int, OrderedDict[S, None]] = {}
        self._longest = 0

    def move(self, line: S, before: int, after: int) -> None:
        """Its length is another one; 0 is that of lines that are not there."""
        if before == after:
            return
        if before:
            equal = self._by_length[before]
            del equal[line]
            if not equal:
                del self._by_length[before]
        if after:
            self._by_length.setdefault(after, OrderedDict())[line] = None
        self._longest = max(self._longest, after)
        while self._longest and self._longest not in self._by_length:
            self._longest -= 1  # each step down was a step up before

    @property
    def longest(self) -> int:
        return self._longest

    def first(self) -> S:
        """The longest; of equally long ones the last that came to be so, since others have waited longer. There must be
        one."""
        return next(reversed(self._by_length[self._longest]))


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
        self._lengths: dict[int, Lengths[S]] = {}  # by weight, of which there are few
        self._count = 0

    def offer(self, source: S, item: T, weight: int = 1) -> bool:
        """Whether it was taken; False when the source's share is full."""
        line = self._lines.get(source)
        if line is None:
            line = self._lines[source] = _Line(weight)
        elif len(line.items) >= self._share * weight:
            return False
        line.items.append(item)
        self._changed(source, line, len(line.items) - 1)
        if self._count > self._capacity:
            self.evict()
        return True

    def take(self) -> tuple[S, T] | None:
        """The next item in turn, with its source."""
        if not self._lines:
            return None
        source, line = next(iter(self._lines.items()))
        item = line.items.popleft()
        line.credit -= 1
        self._changed(source, line, len(line.items) + 1)
        if line.items and line.credit == 0:
            line.credit = line.weight
            self._lines.move_to_end(source)
        return source, item

    def remove(self, unwanted: Callable[[T], bool]) -> int:
        """Drop all such items without telling `evicted`; how many they were."""
        before = self._count
        for source, line in tuple(self._lines.items()):
            length = len(line.items)
            line.items = deque(item for item in line.items if not unwanted(item))
            if len(line.items) != length:
                self._changed(source, line, length)
        return before - self._count

    def __len__(self) -> int:
        return self._count

    def evict(self) -> None:
        """The newest item of the line that is longest for its weight goes. The queue must not be empty."""
        longest = max(self._lengths, key=lambda weight: self._lengths[weight].longest / weight)
        source = self._lengths[longest].first()
        line = self._lines[source]
        evicted = line.items.pop()
        self._changed(source, line, len(line.items) + 1)
        self._evicted(evicted)

    def _changed(self, source: S, line: _Line[T], before: int) -> None:
        """It had `before` items."""
        after = len(line.items)
        self._count += after - before
        lengths = self._lengths.get(line.weight)
        if lengths is None:
            lengths = self._lengths[line.weight] = Lengths()
        lengths.move(source, before, after)
        if not after:
            del self._lines[source]
