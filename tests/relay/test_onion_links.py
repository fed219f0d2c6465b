"""Clients' links to an onion node: tokens, and who has which share of it. Every node is a whole relay."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from itertools import pairwise
from pathlib import Path

import pytest
from msgspec.structs import replace

from roost.crypto.onion import make_packet
from roost.errors import Refused
from roost.network import SYSTEM_ENTROPY as ENTROPY
from roost.network import Link, connect_relay
from roost.relay.core.tokens import MAX_TOKENS
from roost.relay.onion.mixing import SHARE
from roost.wire.mailbox import Done, OnionPacket, Ping
from roost.wire.sizes import ONION_PACKET_SIZE
from tests.relay.onion_helpers import World, attach, refused, travelling
from tests.relay.onion_local import Running, relays


@pytest.fixture
async def net(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Running]:
    async with relays(World(tmp_path, 4), monkeypatch) as started:
        yield started


async def test_a_token_ends_with_its_link(net: Running) -> None:
    async with travelling(net.world, 0) as client:
        assert await client.call(3, Ping()) == Done()
        late = client.packets(3, Ping())
    async with travelling(net.world, 0) as other:
        await other.send(late)
        await net.settled()
        assert net.dropped() == {"no_client": 1}
        assert not other.frames


async def test_a_link_may_be_a_websocket(net: Running) -> None:
    async with travelling(net.world, 0, raw=False) as client:
        assert client.link.carrier == "websocket"
        assert await client.call(3, Ping()) == Done()


async def test_a_link_has_so_many_tokens(net: Running) -> None:
    async with travelling(net.world, 0) as client:
        node = net.world.nodes[0].key
        for _ in range(MAX_TOKENS - 1):
            await attach(client.link, ENTROPY.bytes(16), node)
        await attach(client.link, client.token, node)  # its own again
        with pytest.raises(Refused) as caught:
            await attach(client.link, ENTROPY.bytes(16), node)
        assert caught.value.code == "full"


async def test_without_a_token_nothing_is_carried(net: Running) -> None:
    cover = make_packet(net.world.hops(0), b"", ENTROPY, cover=True)
    here, there = net.world.nodes[:2]
    link, other = await connect_relay(here.address), await connect_relay(here.address)
    try:
        assert await refused(link, OnionPacket(cover)) == "work_needed"
        request = await attach(link, ENTROPY.bytes(16), here.key)
        assert await link.call(OnionPacket(cover)) == Done()
        await link.call(request)  # shown again, it costs nothing
        await other.call(request)  # and has gone to the newest link
        assert await refused(link, OnionPacket(cover)) == "work_needed"
        assert await other.call(OnionPacket(cover)) == Done()
        await net.settled()
        assert net.node(0).packets["cover"] == 1
        assert net.dropped() == {"replayed": 1}
    finally:
        await link.close()
        await other.close()
    elsewhere = await connect_relay(there.address)
    try:
        assert await refused(elsewhere, request) == "work_needed"
    finally:
        await elsewhere.close()


async def test_a_token_that_is_passed_on_brings_no_other_share(net: Running) -> None:
    here, mixing = net.world.nodes[0], net.node(0).mixing
    assert mixing._task is not None
    mixing._task.cancel()  # what is taken in stays in line
    cover = OnionPacket(make_packet(net.world.hops(0), b"", ENTROPY, cover=True))
    links = [await connect_relay(here.address) for _ in range(3)]
    try:
        request = await attach(links[0], ENTROPY.bytes(16), here.key)
        for link in links:
            await link.call(request)
            for _ in range(SHARE // 2):
                if mixing.waiting < SHARE:
                    assert await link.call(cover) == Done()
        assert mixing.waiting == SHARE
        assert await refused(links[2], cover) == "slow_down"
        await attach(links[2], ENTROPY.bytes(16), here.key)
        assert await refused(links[2], cover) == "slow_down", "nor does another token on the same link"
        await attach(links[1], ENTROPY.bytes(16), here.key)
        assert await links[1].call(cover) == Done()
    finally:
        for link in links:
            await link.close()


async def test_a_token_is_good_for_its_period_and_the_next(net: Running) -> None:
    world, node = net.world, net.node(0)
    periods = [
        replace(world.consensus, period=world.period + number, shared_random=bytes([number]) * 32)
        for number in range(3)
    ]
    async with travelling(world, 0) as client:
        for before, now in pairwise(periods):
            assert await client.call(3, Ping()) == Done()
            node.on_consensus(now, before)
        packets = client.packets(3, Ping())
        assert await refused(client.link, OnionPacket(packets[0])) == "work_needed"
        await attach(client.link, ENTROPY.bytes(16), world.nodes[0].key)
        await client.send(packets)
        assert await client.reply(client.calls) == Done(), "by the token of before"


async def test_who_floods_waits_and_others_do_not(net: Running) -> None:
    async with travelling(net.world, 0) as flooder, travelling(net.world, 0) as client:
        junk = bytes([net.world.period & 0xFF, 3]) + ENTROPY.bytes(ONION_PACKET_SIZE - 2)
        stop = asyncio.Event()
        answers: Counter[str] = Counter()

        async def flood() -> None:
            while not stop.is_set():
                try:
                    await flooder.link.call(OnionPacket(junk))
                except Refused as error:
                    answers[error.code] += 1

        async with asyncio.TaskGroup() as group:
            for _ in range(300):
                group.create_task(flood())
            for _ in range(20):
                assert await client.call(3, Ping(), timeout_s=60) == Done()
            stop.set()
        assert answers["slow_down"] > 0
        assert set(net.dropped()) == {"header"}


async def test_links_without_tokens_have_no_share_and_those_with_have_one_each(net: Running) -> None:
    """Somebody with many links, most of which nothing was paid for, and somebody with one."""
    junk = bytes([net.world.period & 0xFF, 3]) + ENTROPY.bytes(ONION_PACKET_SIZE - 2)
    stop = asyncio.Event()
    answers: dict[bool, Counter[str]] = {True: Counter(), False: Counter()}

    async def flood(link: Link, paid: bool) -> None:
        while not stop.is_set():
            try:
                await link.call(OnionPacket(junk))
                answers[paid]["done"] += 1
            except Refused as error:
                answers[paid][error.code] += 1

    async with AsyncExitStack() as links, travelling(net.world, 0) as client:
        unpaid = [await connect_relay(net.world.nodes[0].address) for _ in range(30)]
        for link in unpaid:
            links.push_async_callback(link.close)
        flooders = [await links.enter_async_context(travelling(net.world, 0)) for _ in range(3)]
        for flooder in flooders:
            for _ in range(4):
                await attach(flooder.link, ENTROPY.bytes(16), net.world.nodes[0].key)
        async with asyncio.TaskGroup() as group:
            for link in unpaid:
                for _ in range(4):
                    group.create_task(flood(link, False))
            for flooder in flooders:
                for _ in range(SHARE + 20):
                    group.create_task(flood(flooder.link, True))
            for _ in range(10):
                assert await client.call(3, Ping(), timeout_s=60) == Done()
            assert len(net.node(0).mixing._queue._lines) <= 4
            stop.set()
    await net.settled()
    assert set(answers[False]) == {"work_needed"}
    assert answers[True]["slow_down"] > 0
    assert net.dropped() == {"header": answers[True]["done"]}
