"""Packets for other nodes: those that take nothing lose what waits for them, and are in nobody's way."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

import pytest

from roost.crypto import SigningKey
from roost.network import SYSTEM_ENTROPY as ENTROPY
from roost.network import Link
from roost.relay.core.onion_packets import NODE_WEIGHT, Source
from roost.relay.onion import peers as peers_module
from roost.relay.onion.peers import Peers
from roost.wire.addresses import RelayAddress
from roost.wire.codec import decode
from roost.wire.mailbox import Call, Done, OnionPacket, ProveNode, Refusal, RefusalCode, Request, Response
from roost.wire.onion import Consensus, ConsensusNode
from roost.wire.sizes import ONION_PACKET_SIZE
from tests.network.tiny_relay import Client, TinyRelay, eventually

PACKET = bytes(ONION_PACKET_SIZE)
SOURCE = Source(b"a node", NODE_WEIGHT)


class Other(TinyRelay):
    """Another node. Silent, it takes packets' frames and never says so, but answers everything else."""

    def __init__(self, *, silent: bool = False, answer: Response | None = None) -> None:
        super().__init__()
        self.silent = silent
        self.got = 0
        self.answer_to_packets = answer or Done()
        self.reply = self._reply

    async def handle(self, client: Client, body: bytes) -> None:
        if isinstance(decode(Call, body).request, OnionPacket):
            self.got += 1
            if self.silent:
                return
        await super().handle(client, body)

    def _reply(self, request: Request) -> Response | None:
        match request:
            case ProveNode():
                return Done()
            case OnionPacket():
                return self.answer_to_packets
        return None


@dataclass
class Neighbours:
    others: list[Other]
    dropped: Counter[str] = field(default_factory=Counter)

    def __post_init__(self) -> None:
        own = SigningKey.generate(ENTROPY)
        self.peers = Peers(own, self._dial, lambda: 1_000.0, lambda reason: self.dropped.update([reason]))
        nodes = tuple(ConsensusNode(other.address, "", (), 1, bytes(32), 1_000) for other in self._sorted())
        self.peers.on_directory(Consensus(bytes(32), 1, bytes(32), bytes(32), nodes), None)

    def _sorted(self) -> list[Other]:
        return sorted(self.others, key=lambda other: other.address.key)

    async def _dial(self, address: RelayAddress) -> Link:
        return await next(other for other in self.others if other.address == address).connect(address)

    def forward(self, other: Other, count: int = 1) -> None:
        for _ in range(count):
            self.peers.forward(other.address.key, PACKET, SOURCE)


@asynccontextmanager
async def neighbours(*others: Other) -> AsyncIterator[Neighbours]:
    made = Neighbours(list(others))
    try:
        yield made
    finally:
        await made.peers.close()


async def test_silent_nodes_are_in_nobodys_way(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(peers_module, "_LINES", 100)
    good, silent = Other(), [Other(silent=True) for _ in range(4)]
    async with neighbours(good, *silent) as net:
        for each in silent:
            net.forward(each, 200)
        await eventually(lambda: all(each.got for each in silent))
        for each in silent:
            net.forward(each, 200)
        assert net.dropped["crowded"]
        net.forward(good, 10)
        await eventually(lambda: good.got == 10)
        assert net.peers.waiting <= 100 + 4 * 128


async def test_a_node_that_answers_no_packets_loses_what_waits(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(peers_module, "_PATIENCE_S", 0.3)
    monkeypatch.setattr(peers_module, "_LOOK_S", 0.05)
    silent = Other(silent=True)
    async with neighbours(silent) as net:
        net.forward(silent, 300)
        await eventually(lambda: not net.peers.waiting)
        assert net.dropped == {"node_down": 300}
        assert net.peers.links == 1
        silent.silent = False
        before = silent.got
        net.forward(silent, 300)
        await eventually(lambda: silent.got == before + 300 and not net.peers.waiting)
        assert net.dropped == {"node_down": 300}


async def test_no_node_holds_packets_by_asking_for_a_long_pause(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(peers_module, "_LONGEST_PAUSE_S", 0.1)
    busy = Other(answer=Refusal(RefusalCode.SLOW_DOWN, retry_after_ms=2**53 - 1))
    async with neighbours(busy) as net:
        net.forward(busy)
        await eventually(lambda: busy.got >= 1)
        busy.answer_to_packets = Done()
        await eventually(lambda: not net.peers.waiting)
        assert not net.dropped
    assert not [task for task in asyncio.all_tasks() if task.get_name() == "onion peer"]
