"""Nodes without swarms: each keeps mailboxes alone, in memory."""

from __future__ import annotations

import asyncio
import time
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

import pytest

from roost.crypto import Entropy
from roost.network import SYSTEM_ENTROPY
from roost.relay.core.admission import Admission
from roost.relay.core.desk import Desk
from roost.relay.core.knocks import KnockNonces
from roost.relay.core.limits import Limits
from roost.relay.core.packets import PacketKeys
from roost.relay.onion.node import OnionNode
from roost.relay.onion.part import OnionPart
from roost.relay.onion.peers import Peers
from roost.relay.server.service import Peer, Respond, Service
from roost.relay.storage import MemoryEngine, ThreadedStorage
from roost.wire.mailbox import Request
from roost.wire.onion import Consensus, NetworkDocument
from tests.relay.onion_helpers import World, run_all


class LocalSwarm:
    """Stands in for a swarm: one node's own service."""

    def __init__(self, entropy: Entropy = SYSTEM_ENTROPY, bits: int = 4) -> None:
        self._entropy = entropy
        self._bits = bits
        self.asked: list[tuple[bytes, bytes]] = []

    async def open(self) -> None:
        engine = MemoryEngine()
        nonces = KnockNonces(self._entropy.bytes(32))
        run = engine.begin_run(int(time.time()))
        self._storage = ThreadedStorage(engine, lambda _: None)
        desk = Desk(run, engine.totals(), Limits(), Admission(None), nonces)
        nothing: Any = None
        self.service = Service(desk, self._storage, PacketKeys([]), nothing, nothing, time.time)

    async def close(self) -> None:
        await self._storage.close()

    def on_consensus(self, current: Consensus, previous: Consensus | None) -> None:
        pass

    def handle(self, session: Peer, call: int, request: Request, respond: Respond) -> None:
        self.service.handle(session, call, request, respond)

    def resume(self, session: Peer) -> None:
        self.service.deliveries.resume(session)

    def dropped(self, session: Peer) -> None:
        self.service.dropped(session)

    async def message(self, node: bytes, body: bytes) -> bytes:
        self.asked.append((node, body))
        return body[::-1]


@dataclass
class Running:
    """The relays of a world in this process, and their nodes."""

    world: World
    parts: dict[int, OnionPart] = field(default_factory=dict)

    def node(self, number: int) -> OnionNode:
        found = self.parts[self.world.nodes[number].address.port].node
        assert found is not None
        return found

    def swarm(self, number: int) -> LocalSwarm:
        found = self.node(number).swarm
        assert isinstance(found, LocalSwarm)
        return found

    def dropped(self) -> Counter[str]:
        return sum((self.node(number).dropped_packets for number in range(len(self.world.nodes))), Counter())

    async def settled(self) -> None:
        """Until no packet is under way."""
        nodes = [self.node(number) for number in range(len(self.world.nodes))]
        while any(node.mixing.waiting or node.mixing.delayed or node.peers.waiting for node in nodes):  # noqa: ASYNC110
            await asyncio.sleep(0.01)


@asynccontextmanager
async def relays(world: World, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Running]:
    started = Running(world)

    def made(part: OnionPart, _document: NetworkDocument, _peers: Peers) -> LocalSwarm:
        started.parts[part.address.port] = part
        return LocalSwarm()

    monkeypatch.setattr(OnionPart, "_swarms", made)
    async with run_all(world):
        async with asyncio.timeout(10):
            while [part.node is None for part in started.parts.values()] != [False] * len(world.nodes):  # noqa: ASYNC110
                await asyncio.sleep(0.01)
        yield started
