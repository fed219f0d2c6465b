"""Which nodes answer: an authority connects to each of them several times a period, and lets it prove its key."""

from __future__ import annotations

import asyncio
import contextlib
from collections import deque
from collections.abc import Callable, Coroutine
from typing import Any

from roost.crypto import Entropy
from roost.errors import Unreachable
from roost.relay.core.refusal import RefusedRequest
from roost.relay.onion.peers import Dial
from roost.wire.addresses import RelayAddress

_AT_ONCE = 32
_KEPT = 8  # attempts that count
_SHORTEST_S = 2.0  # between two attempts
_TRY_S = 10.0


class Probing:
    """`interval_s` is a share of the network's period. `start` and `close` once each."""

    def __init__(self, dial: Dial, period_s: float, entropy: Entropy) -> None:
        self._dial = dial
        self._interval_s = max(_SHORTEST_S, period_s / _KEPT)
        self._try_s = min(_TRY_S, max(_SHORTEST_S, period_s / 2))
        self._entropy = entropy
        self._addresses: dict[bytes, RelayAddress] = {}
        self._results: dict[bytes, deque[bool]] = {}
        self._room = asyncio.Semaphore(_AT_ONCE)
        self._tasks: set[asyncio.Task[None]] = set()

    def start(self) -> None:
        self._begin(self._run())

    async def close(self) -> None:
        for task in tuple(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    def watch(self, address: RelayAddress) -> None:
        """Try this node at once, and from now on; one that moved starts anew."""
        if self._addresses.get(address.key) != address:
            self._addresses[address.key] = address
            self._results[address.key] = deque(maxlen=_KEPT)
            self._begin(self._probe(address))

    def forget(self, keep: Callable[[bytes], bool]) -> None:
        """Of all others nothing is known any more."""
        for key in [key for key in self._addresses if not keep(key)]:
            del self._addresses[key], self._results[key]

    def live(self, key: bytes) -> int:
        """How many of the latest attempts reached this node, per mille."""
        results = self._results.get(key)
        return 1_000 * sum(results) // len(results) if results else 0

    def dead(self, key: bytes) -> bool:
        """Whether it was tried and never answered."""
        results = self._results.get(key)
        return bool(results) and not any(results or ())

    # --- inside -----------------------------------------------------------------------------------------------------

    async def _run(self) -> None:
        while True:
            await asyncio.sleep(self._interval_s * (0.75 + self._chance() / 2))
            async with asyncio.TaskGroup() as group:
                for address in tuple(self._addresses.values()):
                    group.create_task(self._soon(address))

    async def _soon(self, address: RelayAddress) -> None:
        """At a moment of its own, so that many nodes are not tried at once."""
        await asyncio.sleep(self._interval_s / 4 * self._chance())
        await self._probe(address)

    async def _probe(self, address: RelayAddress) -> None:
        async with self._room:
            reached = await self._reached(address)
        if self._addresses.get(address.key) == address:
            self._results[address.key].append(reached)

    async def _reached(self, address: RelayAddress) -> bool:
        try:
            async with asyncio.timeout(self._try_s):
                link = await self._dial(address)
        except (Unreachable, RefusedRequest, TimeoutError):
            return False
        with contextlib.suppress(Unreachable):
            await link.close()
        return True

    def _chance(self) -> float:
        return int.from_bytes(self._entropy.bytes(4)) / 2**32

    def _begin(self, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
