"""What is between a packet's arrival at a node and its leaving: turns among sources, opening, the delay it asks for.

A source (a client's link, another node) that sends faster than its turns come is asked to slow down; nobody else
notices.
All together are opened at the pace of `pace`, which is what the node can remember (relay.core.onion_packets).
Opening costs a fraction of a millisecond of the one event loop, so it happens in short rounds with links served in
between. It decides nothing about packets: `open` and `hand_on` are given.
"""

from __future__ import annotations

import asyncio
import logging
from collections import Counter
from collections.abc import Callable

from roost.crypto.onion import Unwrapped
from roost.relay.core.fair_queue import FairQueue
from roost.relay.core.onion_packets import Dropped, Refused, Source

_log = logging.getLogger("roost.relay")

CAPACITY = 4_096  # packets that wait to be opened: 50 MB
SHARE = 128  # of one client's link
DELAYED = 8_192  # packets that wait for their time: 100 MB
_ROUND = 8  # packets opened before links are served again


class Mixing:
    """`start` and `close` once. `dropped` is told each packet's reason; `pace` says for so many packets 0, or how many
    milliseconds they must wait."""

    def __init__(
        self,
        open_: Callable[[bytes], Unwrapped],
        hand_on: Callable[[Source, Unwrapped], None],
        dropped: Callable[[str], None],
        pace: Callable[[float], int],
    ) -> None:
        self._open = open_
        self._hand_on = hand_on
        self._dropped = dropped
        self._pace = pace
        self._queue: FairQueue[Source, bytes] = FairQueue(CAPACITY, SHARE, self._crowded)
        self._delayed: Counter[Source] = Counter()
        self._timers: set[asyncio.TimerHandle] = set()
        self._filled = asyncio.Event()
        self._task: asyncio.Task[None] | None = None

    def start(self) -> None:
        self._task = asyncio.create_task(self._work(), name="onion packets")

    async def close(self) -> None:
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)
        for timer in self._timers:
            timer.cancel()
        self._timers.clear()

    def offer(self, source: Source, packet: bytes) -> bool:
        """Whether the packet was taken in; False when its source must slow down."""
        self._filled.set()
        return self._queue.offer(source, packet, source.weight)

    @property
    def waiting(self) -> int:
        """Packets that were not opened yet."""
        return len(self._queue)

    @property
    def delayed(self) -> int:
        return len(self._timers)

    # --- inside -----------------------------------------------------------------------------------------------------

    async def _work(self) -> None:
        while True:
            await self._filled.wait()
            self._filled.clear()
            while self._queue:
                count = min(_ROUND, len(self._queue))
                if wait_ms := self._pace(count):
                    await asyncio.sleep(wait_ms / 1_000)
                    continue
                for _ in range(count):
                    try:
                        self._one()
                    except Exception:  # noqa: BLE001 - a fault of ours loses this packet, not the node
                        _log.exception("internal error with an onion packet")
                await asyncio.sleep(0)

    def _one(self) -> None:
        taken = self._queue.take()
        if taken is None:
            return
        source, packet = taken
        try:
            opened = self._open(packet)
        except Refused as error:
            self._dropped(error.reason)
            return
        if not opened.delay_ms:
            self._hand_on(source, opened)
        elif len(self._timers) >= DELAYED or self._delayed[source] >= SHARE * 4 * source.weight:
            self._dropped(Dropped.CROWDED)
        else:
            self._delay(source, opened)

    def _delay(self, source: Source, opened: Unwrapped) -> None:
        def due() -> None:
            self._timers.discard(timer)
            self._delayed[source] -= 1
            if not self._delayed[source]:
                del self._delayed[source]
            self._hand_on(source, opened)

        self._delayed[source] += 1
        timer = asyncio.get_running_loop().call_later(opened.delay_ms / 1_000, due)
        self._timers.add(timer)

    def _crowded(self, _packet: bytes) -> None:
        self._dropped(Dropped.CROWDED)
