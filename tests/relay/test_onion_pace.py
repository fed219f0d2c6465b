"""How fast an onion node takes and opens packets: who floods it slows down, and nobody switches it off."""

from __future__ import annotations

import asyncio
from collections import Counter
from pathlib import Path

import pytest

from roost.crypto import PacketSecret
from roost.crypto.onion import Hop, Unwrapped, make_packet
from roost.errors import Refused
from roost.network import SYSTEM_ENTROPY as ENTROPY
from roost.network import Link, connect_relay
from roost.relay.core.limits import TokenBucket
from roost.relay.core.onion_packets import NODE_WEIGHT, NodeKey, NodeKeys, Source
from roost.relay.core.packets import TagSet
from roost.relay.core.tokens import Paces
from roost.relay.onion.mixing import Mixing
from roost.wire.mailbox import OnionPacket
from tests.relay.onion_helpers import World, attach
from tests.relay.onion_local import relays

PERIOD = 100
NODE = b"n" * 32


def test_each_token_has_its_pace() -> None:
    paces = Paces(10.0, 30.0)
    for _ in range(30):
        assert paces.take(b"a", 0.0) == 0
    assert paces.take(b"a", 0.0) == 100, "milliseconds"
    assert paces.take(b"b", 0.0) == 0
    assert [paces.take(b"a", 1.0) == 0 for _ in range(11)] == [True] * 10 + [False]


def test_what_a_token_sent_is_forgotten_when_it_makes_no_difference() -> None:
    paces = Paces(10.0, 30.0)
    for _ in range(30):
        paces.take(b"a", 0.0)
    paces.take(b"b", 0.0)
    paces.forget(2.9)
    assert len(paces) == 1
    assert [paces.take(b"a", 2.9) == 0 for _ in range(30)] == [True] * 29 + [False]
    paces.forget(9.0)
    assert not len(paces)


class SlowWorld(World):
    def settings(self, number: int) -> dict[str, object]:
        return {**super().settings(number), "packets_per_second": 1.0}


async def taken(link: Link, packet: bytes, count: int) -> int:
    """How many of so many packets the node takes; the others shall come later."""
    done = 0
    for _ in range(count):
        try:
            await link.call(OnionPacket(packet))
            done += 1
        except Refused as error:
            if error.code != "slow_down":
                raise
    return done


async def test_a_client_has_one_pace_over_all_its_links(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    async with relays(SlowWorld(tmp_path, 4), monkeypatch) as net:
        here = net.world.nodes[0]
        cover = make_packet(net.world.hops(0), b"", ENTROPY, cover=True)
        loop = asyncio.get_running_loop()
        links = [await connect_relay(here.address) for _ in range(3)]
        try:
            began = loop.time()
            request = await attach(links[0], ENTROPY.bytes(16), here.key)
            first = await taken(links[0], cover, 30)
            await links[1].call(request)
            total = first + await taken(links[1], cover, 30)
            assert 10 <= first <= total <= 11 + (loop.time() - began)
            await attach(links[2], ENTROPY.bytes(16), here.key)
            assert await taken(links[2], cover, 10) == 10, "another client is in time"
        finally:
            for link in links:
                await link.close()


async def test_many_floods_switch_no_node_off() -> None:
    """Every packet of theirs is good and paid for, and they are more than the node may open."""
    secret = PacketSecret.generate(ENTROPY)
    keys = NodeKeys(NODE, [NodeKey(PERIOD, secret, TagSet())], lambda _period, _tag: True)
    loop = asyncio.get_running_loop()
    bucket = TokenBucket(400.0, 100.0, loop.time())
    began = loop.time()
    opened: Counter[bytes] = Counter()
    dropped: Counter[str] = Counter()
    packets = [make_packet([Hop(NODE, secret.public, PERIOD)], b"x", ENTROPY, cover=True) for _ in range(600)]

    def hand_on(source: Source, _opened: Unwrapped) -> None:
        opened[source.name] += 1

    mixing = Mixing(
        lambda packet: keys.open(packet, PERIOD, ENTROPY),
        hand_on,
        lambda reason: dropped.update([reason]),
        lambda count: bucket.take(count, loop.time()),
    )
    mixing.start()
    floods = [Source(b"flood %d" % number) for number in range(5)]
    for number in range(500):
        assert mixing.offer(floods[number % 5], packets[number])
    honest, node = Source(b"honest"), Source(b"a node", NODE_WEIGHT)
    for number in range(20):
        mixing.offer(honest, packets[500 + number])
        mixing.offer(node, packets[520 + number])
    while opened[honest.name] < 20 or opened[node.name] < 20:
        await asyncio.sleep(0.01)
        assert keys.remembered <= 101 + 400 * (loop.time() - began)
    assert sum(opened[flood.name] for flood in floods) < 500, "they wait for themselves"
    assert not dropped
    await mixing.close()
