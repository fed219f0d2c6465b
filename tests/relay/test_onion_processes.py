"""An onion network of real processes: three authorities that vote, nodes that are killed, stopped and come back."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator

import pytest
from msgspec.structs import replace

from roost.crypto.onion import make_packet
from roost.network import SYSTEM_ENTROPY as ENTROPY
from roost.wire.mailbox import Create, Done, Entries, Get, OnionPacket, Put, Stored
from tests.relay.onion_helpers import travelling
from tests.relay.onion_network import OnionNetwork, client_of, onion_network
from tests.relay.relay_core import capability, create, envelope
from tests.relay.relay_process import linked

NODES = 4


@pytest.fixture(scope="module")
def network(tmp_path_factory: pytest.TempPathFactory) -> Iterator[OnionNetwork]:
    with onion_network(tmp_path_factory.mktemp("network"), NODES) as network:
        yield network


def box(name: str) -> Create:
    """A mailbox whose capabilities begin with its place."""
    assert len(name) > 15, "all capabilities share 16 bytes"
    return replace(create(name), place=capability(f"{name} get")[:16])


async def test_mailboxes_outlive_the_node_that_answers_for_them(network: OnionNetwork) -> None:
    name = "a place of sixteen"
    async with client_of(network) as client:
        await client.ready(NODES)
        assert await client.call(box(name)) == Done()
        for number in range(3):
            stored = await client.call(Put(capability(f"{name} put"), envelope(str(number))))
            assert isinstance(stored, Stored)
        leader = network.name_of(client.leader)
        await asyncio.to_thread(network.kill, leader)
        for number in range(3, 6):
            stored = await client.call(Put(capability(f"{name} put"), envelope(str(number))))
            assert isinstance(stored, Stored)
        await asyncio.to_thread(network.start, leader)
        found: list[bytes] = []
        after = 0
        while len(found) < 6:
            page = await client.call(Get(capability(f"{name} get"), after, 1))
            assert isinstance(page, Entries)
            found += [entry.envelope for entry in page.entries]
            after = page.entries[-1].number
        assert found == [envelope(str(number)) for number in range(6)]


async def test_a_node_that_was_killed_takes_no_packet_again(network: OnionNetwork) -> None:
    async with client_of(network) as client:
        await client.ready(NODES)
        nodes = client.network
        name = network.name_of(nodes.nodes[0].key)
        packet = make_packet(nodes.hops(0), b"", ENTROPY, cover=True)
        covers = 'roost_onion_packets_total{end="cover"}'
        async with travelling(nodes, 0) as traveller:
            await traveller.link.call(OnionPacket(packet))
            while not (await asyncio.to_thread(network.metrics, name)).get(covers):  # noqa: ASYNC110
                await asyncio.sleep(0.02)
        await asyncio.to_thread(network.kill, name)
        await asyncio.to_thread(network.start, name)
        async with travelling(nodes, 0) as traveller:
            await traveller.link.call(OnionPacket(packet))
            while True:
                counted = await asyncio.to_thread(network.metrics, name)
                if any(name.startswith("roost_onion_dropped_total") for name in counted):
                    break
                await asyncio.sleep(0.02)
        assert covers not in counted


async def test_a_node_is_an_ordinary_relay_as_well(network: OnionNetwork) -> None:
    relay = network.running["node 0"]
    async with linked(relay) as link:
        assert await link.call(create("mine", admission=relay.access)) == Done()
        assert isinstance(await link.call(Put(capability("mine put"), envelope("x"))), Stored)
        page = await link.call(Get(capability("mine get"), 0))
        assert isinstance(page, Entries)
        assert [entry.envelope for entry in page.entries] == [envelope("x")]


async def test_a_node_that_is_stopped_ends_in_good_order(network: OnionNetwork) -> None:
    """With packets that are held back, and with sessions."""
    name = "another place of sixteen"
    async with client_of(network) as client:
        await client.ready(NODES)
        assert await client.call(box(name)) == Done()
        leader = network.name_of(client.leader)
        nodes = client.network
        at = next(number for number, node in enumerate(nodes.nodes) if node.key == client.leader)
        async with travelling(nodes, at) as traveller:
            await traveller.link.call(
                OnionPacket(make_packet(nodes.hops(at, delay_ms=60_000), b"", ENTROPY, cover=True))
            )
            assert await asyncio.to_thread(network.terminate, leader) == 0
        assert isinstance(await client.call(Put(capability(f"{name} put"), envelope("x"))), Stored)
        await asyncio.to_thread(network.start, leader)
