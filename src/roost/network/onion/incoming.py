"""What comes down in a session: frames made whole from their parts, and deliveries put into their order. Pure.

What a hostile node can make a client keep is bounded: each part uses up a reply block that the client gave.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from roost.errors import WireError
from roost.wire.mailbox import Delivery, Entries, Entry
from roost.wire.onion import SessionDown

_MOST_PARTIAL = 64  # frames of which parts are missing
_MOST_HELD = 512  # frames that arrived before one that is missing


@dataclass(frozen=True)
class Hole:
    """`size` frames that are missing, the first and the last of them. The entries that were in them have numbers above
    `after` and, if that is known, below `before`; 0 where it is not."""

    first: int
    last: int
    size: int
    after: int
    before: int

    def missing(self, entries: Entries) -> tuple[list[Entry], bool]:
        """Of a page of what comes after `after`: what was missing, and whether that is all of it."""
        missing = [one for one in entries.entries if not self.before or one.number < self.before]
        met = len(missing) < len(entries.entries) or not entries.more or not missing
        return missing, met or len(missing) >= self.size


class Incoming:
    """Frames of one session with one node, which numbers them from 1."""

    def __init__(self) -> None:
        self.next = 1  # all before it were handed on or given up
        self.highest = 0
        self.guessed = 0  # what was in the frames up to this one was guessed, and no delivery came after it yet
        self._partial: dict[int, dict[int, bytes]] = {}
        self._parts: dict[int, int] = {}
        self._held: dict[int, tuple[Delivery, ...]] = {}

    @property
    def gap(self) -> bool:
        """Whether something arrived and something before it did not."""
        return bool(self._held)

    @property
    def expected(self) -> int:
        """How many parts the frames have of which some are here and some are missing."""
        return sum(self._parts.values())

    def whole(self, down: SessionDown) -> bytes | None:
        """The frame that this part completes. Raises WireError for what no honest node sends."""
        number = down.message
        self.highest = max(self.highest, number)
        if down.part >= down.parts or self._parts.setdefault(number, down.parts) != down.parts:
            raise WireError("parts that do not fit")
        parts = self._partial.setdefault(number, {})
        parts[down.part] = down.data
        if len(parts) < down.parts:
            if len(self._partial) > _MOST_PARTIAL:
                self._drop(min(self._partial))
            return None
        self._drop(number)
        return b"".join(parts[part] for part in range(down.parts))

    def _drop(self, number: int) -> None:
        del self._partial[number], self._parts[number]

    def take(self, number: int, *deliveries: Delivery) -> list[tuple[int, Delivery]]:
        """Frame `number` is whole, and is or stands for these deliveries. Returns the deliveries, with their frames'
        numbers, that are now in order. Raises WireError when far too much is held."""
        if number >= self.next:
            self._held.setdefault(number, deliveries)
        if len(self._held) > _MOST_HELD:
            raise WireError("too much out of order")
        return self._in_order()

    def holes(self) -> list[Hole]:
        """What is missing before something that came, the earliest first; one for all frames that are missing between
        the same two entries."""
        holes: list[Hole] = []
        first, after = self.next, 0
        for frame in sorted(self._held):
            number = max((one.number for one in self._held[frame]), default=0)
            if frame > first:
                last = holes[-1] if holes and not holes[-1].before else None
                if last is not None:
                    holes[-1] = Hole(last.first, frame - 1, last.size + frame - first, after, 0)
                else:
                    holes.append(Hole(first, frame - 1, frame - first, after, 0))
            if number:
                if holes and not holes[-1].before:
                    holes[-1] = replace(holes[-1], before=number)
                after = number
            first = frame + 1
        return holes

    def fill(self, hole: Hole, deliveries: Sequence[Delivery], whole: bool) -> list[tuple[int, Delivery]]:
        """These were missing there; `whole`: nothing else was. Returns as `take`."""
        first = max(hole.first, self.next)
        last = hole.last if whole else min(hole.last, hole.first + len(deliveries) - 1)
        self.guessed = max(self.guessed, last)
        for frame in range(first, last + 1):
            self._held.setdefault(frame, ())
        if last >= first:  # before all that came late: they follow each other without a gap, and what is twice is known
            self._held[first] = (*deliveries, *self._held[first])
        return self._in_order()

    def skip(self, number: int) -> list[tuple[int, Delivery]]:
        """Give up what is missing before frame `number`, and what is held of it. Returns as `take`."""
        if number > self.guessed:
            self.guessed = 0
        if number <= self.next:
            return []
        self.next = number
        self._held = {held: deliveries for held, deliveries in self._held.items() if held >= number}
        for partial in [partial for partial in self._partial if partial < number]:
            self._drop(partial)
        return self._in_order()

    def _in_order(self) -> list[tuple[int, Delivery]]:
        ready = []
        while self.next in self._held:
            deliveries = self._held.pop(self.next)
            ready += [(self.next, delivery) for delivery in deliveries]
            if deliveries and self.next > self.guessed:
                self.guessed = 0
            self.next += 1
        return ready
