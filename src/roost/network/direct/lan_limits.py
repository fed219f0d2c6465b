"""How much a neighbour can make this device do. Pure: `now` is an argument, and everything has a bound."""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import dataclass
from typing import Final, Generic, Protocol, TypeVar

MAX_SOURCES: Final = 512  # of which is known how much they used of their share; the longest silent is forgotten
HALF_OPEN: Final = 64  # streams of which nobody knows yet whether their two ends understand each other
HALF_OPEN_PER_SOURCE: Final = 8

Source = TypeVar("Source", bound=object)


@dataclass
class Allowance:
    """So many things at once, and so many a second in the long run."""

    burst: float
    per_s: float
    _left: float = -1.0
    _at: float = 0.0

    def take(self, now: float) -> bool:
        """Whether one more may be done now."""
        if self._left < 0:
            self._left, self._at = self.burst, now
        self._left = min(self.burst, self._left + (now - self._at) * self.per_s)
        self._at = now
        if self._left < 1:
            return False
        self._left -= 1
        return True


class Shares(Generic[Source]):
    """An allowance for each source. A source that is new has to share another one with all that are new, so that one
    neighbour under many names takes nothing from those that were there before."""

    def __init__(self, each: tuple[float, float], newcomers: tuple[float, float]) -> None:
        self._each = each
        self._newcomers = Allowance(*newcomers)
        self._known: OrderedDict[Source, Allowance] = OrderedDict()

    def take(self, source: Source, now: float) -> bool:
        """Whether one more thing of this source's may be done now."""
        allowance = self._known.get(source)
        if allowance is None:
            if not self._newcomers.take(now):
                return False
            allowance = self._known[source] = Allowance(*self._each)
            if len(self._known) > MAX_SOURCES:
                self._known.popitem(last=False)
        else:
            self._known.move_to_end(source)
        return allowance.take(now)


class Abortable(Protocol):
    def abort(self) -> None: ...


class Door(Generic[Source]):
    """The streams that others opened and that may come to nothing. When there are too many of one source, its oldest
    one ends; when there are too many in all, the oldest one of the source that has most of them."""

    def __init__(self) -> None:
        self._half_open: OrderedDict[Abortable, Source] = OrderedDict()

    def __len__(self) -> int:
        return len(self._half_open)

    def enter(self, stream: Abortable, source: Source) -> None:
        self._half_open[stream] = source
        mine = [known for known, its in self._half_open.items() if its == source]
        if len(mine) > HALF_OPEN_PER_SOURCE:
            self._end(mine[0])
        elif len(self._half_open) > HALF_OPEN:
            sources = list(self._half_open.values())
            worst = max(sources, key=sources.count)
            self._end(next(known for known, its in self._half_open.items() if its == worst))

    def leave(self, stream: Abortable) -> None:
        """Its two ends understand each other, or it is over."""
        self._half_open.pop(stream, None)

    def _end(self, stream: Abortable) -> None:
        self.leave(stream)
        stream.abort()
