"""A simulated onion network of which many nodes are away at one time, for longer than they are listed, from one seed.

Whole swarms go at once, or one node after the other while people write; the others make the mailbox again, or go on
with what they have; and those who went come back, listed or not, with what they hold. No disk is lost. In the end
everything that was acknowledged is there, once, and a reader who only went forward has had it.
"""

from __future__ import annotations

import asyncio
import random

import virtual_time
from swarm_hosts import REPLICAS, Network, Node
from swarm_people import Box, Person
from swarm_world import Broken

from roost.wire.mailbox import Done, Entries, Get, MailboxKind, Put, Request, Response, Stored
from roost.wire.onion import swarm_of
from roost.wire.sizes import ENVELOPE_SIZE

PATIENCE_S = 90.0
_LEFT = 4  # nodes that stay
_ALL = 64


class Exodus:
    def __init__(self, seed: int) -> None:
        self.rng = random.Random(seed)
        self.acknowledged: set[bytes] = set()
        self.seen: set[bytes] = set()
        self.cursor = 0
        self.count = 0

    async def play(self) -> int:
        rng = self.rng
        network = self.network = Network(rng, rng.randint(7, 9))
        self.box = Box(network, MailboxKind.SHARED)
        network.weather.loss = rng.choice((0.0, 0.0, 0.02, 0.05))
        network.weather.twice = rng.choice((0.0, 0.0, 0.1))
        network.weather.delay = rng.choice((0.01, 0.05, 0.3))
        for node in network.nodes.values():
            await node.start()
        await self._create()
        for _ in range(rng.randint(2, 4)):
            await self._put(rng.randint(1, 6))
            await self._follow()
            await asyncio.sleep(rng.uniform(0.0, 30.0))
            await self._round()
        await self._peace()
        await self._check()
        for node in network.nodes.values():
            node.crash()
        for future in tuple(network.background):
            future.cancel()
        return len(self.acknowledged)

    # --- what happens -----------------------------------------------------------------------------------------------

    async def _round(self) -> None:
        rng, network = self.rng, self.network
        up = [node for node in network.nodes.values() if node.up]
        if len(up) <= _LEFT + 1:
            await asyncio.sleep(60.0)
            await self._agree([node.key for node in up], 60.0)
            return
        gone = await self._go(up)
        left = [node.key for node in network.nodes.values() if node.up]
        for _ in range(rng.randint(1, 3)):
            await self._agree(left, rng.uniform(20.0, 70.0))
        if rng.random() < 0.7 and await self._create():
            await self._put(rng.randint(0, 4))
            await self._follow()
        within = rng.choice((1.0, 20.0, 60.0))
        for node in gone:
            network.background.add(asyncio.ensure_future(self._back(node, rng.uniform(0.0, within))))
        if rng.random() < 0.6:
            await self._agree(left + [node.key for node in gone], rng.uniform(0.0, within))
        await asyncio.sleep(rng.uniform(0.0, 90.0))

    async def _go(self, up: list[Node]) -> list[Node]:
        """Some nodes, or the whole swarm, at once or one after the other."""
        rng, most = self.rng, len(up) - _LEFT
        swarm = [self.network.nodes[node.key] for node in swarm_of(self.network.current, self.box.place, REPLICAS)]
        there = [node for node in swarm if node.up]
        some = rng.sample(up, rng.randint(1, most))
        gone = list(dict.fromkeys([*there, *some] if rng.random() < 0.5 else some))[:most]
        gap = rng.choice((0.0, 0.0, 5.0, 20.0))
        for node in gone:
            node.crash()
            await asyncio.sleep(rng.uniform(0.0, gap))
            if gap and rng.random() < 0.5:
                await self._put(1)
        return gone

    async def _back(self, node: Node, after: float) -> None:
        await asyncio.sleep(after)
        if not node.up:
            await node.start()

    async def _agree(self, keys: list[bytes], wait: float) -> None:
        self.network.agree(keys)
        await asyncio.sleep(wait)

    async def _peace(self) -> None:
        network = self.network
        network.weather.loss = network.weather.twice = 0.0
        await asyncio.sleep(120.0)
        for node in network.nodes.values():
            if not node.up:
                await node.start()
        await self._agree(list(network.nodes), 150.0)

    # --- people -----------------------------------------------------------------------------------------------------

    async def _ask(self, request: Request, *kinds: type) -> Response | None:
        """None: it is not said."""
        try:
            async with asyncio.timeout(PATIENCE_S):
                response = await Person(self.network, self.box.place).ask(request)
        except TimeoutError:
            return None
        if not isinstance(response, kinds):
            raise Broken(f"{response!r} to {type(request).__name__}")
        return response

    async def _create(self) -> bool:
        return await self._ask(self.box.create(), Done) is not None

    async def _put(self, count: int) -> None:
        for _ in range(count):
            self.count += 1
            envelope = b"%d" % self.count
            if await self._ask(Put(self.box.put, envelope.ljust(ENVELOPE_SIZE, b"\0")), Stored) is not None:
                self.acknowledged.add(envelope)

    async def _follow(self) -> None:
        page = await self._ask(Get(self.box.get, self.cursor), Entries)
        if isinstance(page, Entries):
            for entry in page.entries:
                self.seen.add(entry.envelope.rstrip(b"\0"))
                self.cursor = entry.number

    async def _check(self) -> None:
        await self._follow()
        await self._follow()
        page = await self._ask(Get(self.box.get, 0, _ALL), Entries)
        if not isinstance(page, Entries) or page.more:
            raise Broken("the mailbox cannot be read")
        there = [entry.envelope.rstrip(b"\0") for entry in page.entries]
        for envelope in self.acknowledged:
            if there.count(envelope) != 1:
                raise Broken(f"{envelope!r} is there {there.count(envelope)} times")
            if envelope not in self.seen:
                raise Broken(f"the reader missed {envelope!r}")


def play(seed: int) -> dict[str, int]:
    """Raises Broken, or whatever went wrong."""
    return {"acknowledged": virtual_time.run(Exodus(seed).play())}
