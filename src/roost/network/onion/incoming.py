"""What comes down in a session: frames made whole from their parts, and deliveries put into their order. Pure.

What a hostile node can make a client keep is bounded: each part uses up a reply block that the client gave.
"""

from __future__ import annotations

from roost.errors import WireError
from roost.wire.mailbox import Delivery
from roost.wire.onion import SessionDown

_MOST_PARTIAL = 64  # frames of which parts are missing
_MOST_HELD = 512  # frames that arrived before one that is missing


class Incoming:
    """Frames of one session with one node, which numbers them from 1."""

    def __init__(self) -> None:
        self.next = 1  # all before it were handed on or given up
        self.highest = 0
        self._partial: dict[int, dict[int, bytes]] = {}
        self._parts: dict[int, int] = {}
        self._held: dict[int, Delivery | None] = {}

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

    def take(self, number: int, delivery: Delivery | None) -> list[tuple[int, Delivery]]:
        """Frame `number` is whole; None for one that is no delivery. Returns the deliveries, with their numbers, that
        are now in order. Raises WireError when far too much is held."""
        if number >= self.next:
            self._held.setdefault(number, delivery)
        if len(self._held) > _MOST_HELD:
            raise WireError("too much out of order")
        return self._in_order()

    def skip(self, number: int) -> list[tuple[int, Delivery]]:
        """Give up what is missing before frame `number`, and what is held of it. Returns as `take`."""
        if number <= self.next:
            return []
        self.next = number
        self._held = {held: delivery for held, delivery in self._held.items() if held >= number}
        for partial in [partial for partial in self._partial if partial < number]:
            self._drop(partial)
        return self._in_order()

    def _in_order(self) -> list[tuple[int, Delivery]]:
        ready = []
        while self.next in self._held:
            delivery = self._held.pop(self.next)
            if delivery is not None:
                ready.append((self.next, delivery))
            self.next += 1
        return ready
