"""A guard that loses all packets, among real nodes: the client passes it by, and after a restart too."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from itertools import count
from pathlib import Path

import pytest

from roost.network import SYSTEM_ENTROPY as ENTROPY
from roost.network import connect_relay
from roost.network.onion.keeper import OnionKeeper
from roost.network.onion.memory import Forgetful
from roost.network.onion.paths import Guard, Guards
from roost.relay.onion.node import OnionNode
from roost.relay.server.service import Peer
from roost.wire.links import parse_relay_link
from roost.wire.mailbox import Done, Put, Stored
from roost.wire.onion import swarm_of
from tests.network.onion.test_onion_network import CREATE, PLACE, PUT, envelope, known
from tests.relay.onion_helpers import World, run_all

WITHIN_S = 90


@asynccontextmanager
async def client(world: World, memory: Forgetful) -> AsyncIterator[OnionKeeper]:
    keeper = OnionKeeper(parse_relay_link(world.link), connect_relay, ENTROPY, lambda *_: None, memory=memory)
    keeper.start()
    try:
        yield keeper
    finally:
        await keeper.close()


def guards(world: World, memory: Forgetful) -> list[Guard]:
    return Guards(memory.load(f"{world.document.id.hex()}/guards")).kept


async def put(keeper: OnionKeeper, number: int) -> None:
    async with asyncio.timeout(WITHIN_S):
        assert isinstance(await keeper.call(Put(PUT, envelope(number))), Stored)


async def test_a_guard_that_loses_all_packets_is_passed_by(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """It takes them, and its link stands. Found out once, it stays so when the client starts anew."""
    world = World(tmp_path, 8)
    memory, bad = known(world), set[bytes]()
    swarm = swarm_of(world.consensus, PLACE, world.document.replicas)
    first = next(node.key for node in world.consensus.nodes if node not in swarm)  # the mailbox is not what suffers
    chosen = Guards()
    chosen.kept = [Guard(first, int(time.time()))]
    memory.save(f"{world.document.id.hex()}/guards", chosen.encoded())
    real = OnionNode._take

    def take(self: OnionNode, link: Peer, packet: bytes) -> None:
        if self._self.name not in bad:
            real(self, link, packet)

    monkeypatch.setattr(OnionNode, "_take", take)
    async with run_all(world):
        async with client(world, memory) as keeper:
            assert await keeper.call(CREATE) == Done()
            assert keeper.path_to(PLACE)[0][0].key == first
            bad.add(first)
            async with asyncio.timeout(WITHIN_S):
                for number in count(1):
                    await put(keeper, number)
                    if any(guard.drops for guard in guards(world, memory)):
                        break
            assert {guard.node for guard in guards(world, memory) if guard.drops} == bad
            assert keeper.path_to(PLACE)[0][0].key != first

        async with client(world, memory) as keeper:
            for number in range(10):
                assert keeper.exchange.doubted == bad
                await put(keeper, number)
                assert keeper.path_to(PLACE)[0][0].key != first
        assert {guard.node for guard in guards(world, memory) if guard.drops} == bad
