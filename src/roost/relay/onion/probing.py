"""Which nodes answer: an authority connects to each of them several times a period, and lets it prove its key.

The nodes of the consensus have a room of their own, so whatever newcomers do, they are tried in time. Newcomers wait
for theirs, each key once; whose turn it is is drawn among the networks that they were brought from, then among the
addresses there, so that a flood from one place keeps nobody of another waiting.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections import deque
from collections.abc import Callable, Coroutine
from typing import Any

from roost.crypto import Entropy
from roost.errors import Unreachable
from roost.network.onion.chance import fraction, pick
from roost.relay.core.refusal import RefusedRequest
from roost.relay.onion.peers import Dial
from roost.wire.addresses import RelayAddress

_AT_ONCE = 32  # nodes of the consensus, and as many newcomers
_KEPT = 8  # attempts that count
_SHORTEST_S = 2.0  # between two attempts
_TRY_S = 10.0
_PAUSE_S = 0.25  # after a newcomer: an authority is no scanner of whatever addresses strangers bring

Origin = tuple[str, str]
"""The network and the address from which a node's descriptor was brought."""


class _Watched:
    def __init__(self, address: RelayAddress, origin: Origin) -> None:
        self.address = address
        self.origin = origin
        self.results: deque[bool] = deque(maxlen=_KEPT)


class Probing:
    """Attempts follow each other by a share of the network's period. `listed` gives the keys of the consensus's nodes.
    `start` and `close` once each."""

    def __init__(
        self, dial: Dial, period_s: float, entropy: Entropy, listed: Callable[[], frozenset[bytes]] = frozenset
    ) -> None:
        self._dial = dial
        self._interval_s = max(_SHORTEST_S, period_s / _KEPT)
        self._try_s = min(_TRY_S, max(_SHORTEST_S, period_s / 2))
        self._entropy = entropy
        self._listed = listed
        self._watched: dict[bytes, _Watched] = {}
        self._due: set[bytes] = set()  # those that wait for an attempt, or are being tried
        self._newcomers: dict[bytes, None] = {}  # those of them that wait for the newcomers' room, in order
        self._trying = 0  # newcomers
        self._room = asyncio.Semaphore(_AT_ONCE)
        self._tasks: set[asyncio.Task[None]] = set()

    def start(self) -> None:
        self._begin(self._run())

    async def close(self) -> None:
        self._watched.clear()
        self._newcomers.clear()
        for task in tuple(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    def watch(self, address: RelayAddress, origin: Origin) -> None:
        """Try this node as soon as may be, and from now on; one that moved starts anew."""
        watched = self._watched.get(address.key)
        if watched is None or watched.address != address:
            self._watched[address.key] = _Watched(address, origin)
            self._want(address.key)

    def forget(self, key: bytes) -> None:
        """Of this node nothing is known any more."""
        self._watched.pop(key, None)
        if key in self._newcomers:
            del self._newcomers[key]
            self._due.discard(key)

    def live(self, key: bytes) -> int:
        """How many of the latest attempts reached this node, per mille."""
        watched = self._watched.get(key)
        return 1_000 * sum(watched.results) // len(watched.results) if watched and watched.results else 0

    def dead(self, key: bytes) -> bool:
        """Whether it was tried and never answered."""
        watched = self._watched.get(key)
        return watched is not None and bool(watched.results) and not any(watched.results)

    # --- inside -----------------------------------------------------------------------------------------------------

    async def _run(self) -> None:
        while True:
            await asyncio.sleep(self._interval_s * (0.75 + fraction(self._entropy) / 2))
            for key in tuple(self._watched):
                self._want(key, self._interval_s / 4 * fraction(self._entropy))

    def _want(self, key: bytes, within_s: float = 0.0) -> None:
        """An attempt at this node, unless one is due."""
        if key in self._due or key not in self._watched:
            return
        self._due.add(key)
        if key in self._listed():
            self._begin(self._soon(key, within_s))
        else:
            self._newcomers[key] = None
            self._fill()

    async def _soon(self, key: bytes, within_s: float) -> None:
        """At a moment of its own, so that many nodes are not tried at once."""
        await asyncio.sleep(within_s)
        async with self._room:
            await self._probe(key)

    def _fill(self) -> None:
        """As many newcomers as there is room for."""
        while self._newcomers and self._trying < _AT_ONCE:
            key = self._drawn()
            del self._newcomers[key]
            self._trying += 1
            self._begin(self._newcomer(key))

    async def _newcomer(self, key: bytes) -> None:
        try:
            await self._probe(key)
            await asyncio.sleep(_PAUSE_S)
        finally:
            self._trying -= 1
            self._fill()

    def _drawn(self) -> bytes:
        """One of those that wait: of any network, then of any address there the first."""
        waiting = {key: self._watched[key].origin for key in self._newcomers}
        network = pick(self._entropy, list(dict.fromkeys(network for network, _ in waiting.values())))
        origin = pick(self._entropy, [origin for origin in dict.fromkeys(waiting.values()) if origin[0] == network])
        return next(key for key, brought in waiting.items() if brought == origin)

    async def _probe(self, key: bytes) -> None:
        watched = self._watched.get(key)
        try:
            if watched is not None:
                watched.results.append(await self._reached(watched.address))
        finally:
            self._due.discard(key)
            if self._watched.get(key) is not watched:  # it moved meanwhile
                self._want(key)

    async def _reached(self, address: RelayAddress) -> bool:
        try:
            async with asyncio.timeout(self._try_s):
                link = await self._dial(address)
        except (Unreachable, RefusedRequest, TimeoutError):
            return False
        with contextlib.suppress(Unreachable):
            await link.close()
        return True

    def _begin(self, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
