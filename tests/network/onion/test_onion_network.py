"""`Network` and an onion network of real nodes: every node is a whole relay."""

from __future__ import annotations

import asyncio
import math
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from roost.crypto import capability_hash, try_work
from roost.errors import Refused, Unreachable
from roost.network import SYSTEM_ENTROPY as ENTROPY
from roost.network import Network, check_relay, connect_relay
from roost.network.onion import keeper as keeper_module
from roost.network.onion import work
from roost.network.onion.keeper import OnionKeeper
from roost.network.onion.memory import Forgetful
from roost.relay.core import onion_packets
from roost.relay.onion.memory import FileMemory
from roost.wire.addresses import OnionHost
from roost.wire.links import parse_relay_link
from roost.wire.mailbox import (
    BlobData,
    CardData,
    Create,
    Done,
    Entries,
    Get,
    GetBlob,
    GetCard,
    Grant,
    MailboxKind,
    Needs,
    OnionPacket,
    Put,
    PutBlob,
    PutCard,
    RefusalCode,
    Response,
    Right,
    Stored,
)
from roost.wire.sizes import BLOB_SIZE, CARD_SIZE, ENVELOPE_SIZE, ONION_PACKET_SIZE
from tests.network.relay_process import relay_process
from tests.relay.onion_helpers import World, refused, run_all
from tests.relay.onion_network import OnionNetwork, onion_network

PLACE = b"a place of sixte"
ADMIN, GET, PUT = (PLACE + name.ljust(16, b".") for name in (b"admin", b"get", b"put"))
CREATE = Create(
    MailboxKind.ORDINARY,
    (
        Grant(capability_hash(ADMIN), Right.ADMIN),
        Grant(capability_hash(GET), Right.GET),
        Grant(capability_hash(PUT), Right.PUT),
    ),
    place=PLACE,
)

STEPS = ("directory", "entry", "create", "subscribe", "put", "deliver", "trim", "delete")


def envelope(number: int) -> bytes:
    return number.to_bytes(8, "big").ljust(ENVELOPE_SIZE, b"e")


def known(world: World) -> Forgetful:
    """A memory in which the directory is."""
    memory, kept = Forgetful(), FileMemory(world.data(0) / "onion")
    for name in ("document", "consensus"):
        key = f"{world.document.id.hex()}/{name}"
        found = kept.load(key)
        assert found is not None
        memory.save(key, found)
    return memory


def host(world: World) -> OnionHost:
    address = parse_relay_link(world.link).address
    assert isinstance(address, OnionHost)
    return address


@asynccontextmanager
async def networked(world: World) -> AsyncIterator[Network]:
    async with Network(ENTROPY, lambda *_: None, memory=known(world)) as network:
        network.set_relays((parse_relay_link(world.link),))
        yield network


async def test_put_get_and_deliveries(tmp_path: Path) -> None:
    world = World(tmp_path, 7)
    delivered: asyncio.Queue[tuple[int, bytes]] = asyncio.Queue()
    async with run_all(world), networked(world) as reader, networked(world) as writer:
        assert reader.route(host(world)) == "onion"
        assert await reader.call(host(world), CREATE) == Done()
        reader.subscribe(host(world), GET, lambda: 0, lambda *one: delivered.put_nowait(one))
        for number in range(5):
            stored = await writer.call(host(world), Put(PUT, envelope(number)))
            assert isinstance(stored, Stored)
            assert await delivered.get() == (stored.entry, envelope(number))
        page = await writer.call(host(world), Get(GET, 0))
        assert isinstance(page, Entries)
        assert [entry.envelope for entry in page.entries] == [envelope(number) for number in range(5)]


async def test_a_client_pays_its_guards_by_itself(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Once for each of the two links that stand; nodes carry nothing for who did not."""
    worked_for: set[bytes] = set()

    def counted(nonce: bytes, node: bytes, subject: bytes, bits: int, *given: int) -> bytes | None:
        proof = try_work(nonce, node, subject, bits, *given)
        if proof is not None and any(node):
            assert node not in worked_for
            worked_for.add(node)
        return proof

    monkeypatch.setattr(work, "try_work", counted)
    world = World(tmp_path, 7)
    async with run_all(world):
        link = await connect_relay(world.nodes[0].address)
        assert await refused(link, OnionPacket(bytes(ONION_PACKET_SIZE))) == RefusalCode.WORK_NEEDED
        await link.close()
        async with networked(world) as network:
            assert await network.call(host(world), CREATE) == Done()
            assert 1 <= len(worked_for) <= 2
            for number in range(5):
                assert isinstance(await network.call(host(world), Put(PUT, envelope(number))), Stored)
        assert worked_for <= {node.key for node in world.nodes}
        assert len(worked_for) <= 2


async def test_a_new_period_brings_new_tokens_and_nothing_stops(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(keeper_module, "_RENEWED", (0.0, 0.0))  # of hours
    monkeypatch.setattr(onion_packets, "CLOCKS_S", math.inf)  # the nodes' clocks stand at the period's end, so to speak
    world, ahead_s = World(tmp_path, 7), 0.0
    link = parse_relay_link(world.link)
    async with run_all(world):
        keeper = OnionKeeper(
            link, connect_relay, ENTROPY, lambda *_: None, memory=known(world), clock=lambda: time.time() + ahead_s
        )
        keeper.start()
        try:
            assert await keeper.call(CREATE) == Done()
            async with asyncio.timeout(60):
                while len(keeper._entries.attached()) < 2:  # noqa: ASYNC110
                    await asyncio.sleep(0.01)
            before = dict(keeper._entries.attached())
            ahead_s = world.document.period_s
            async with asyncio.timeout(60):
                while set(before.values()) & set(dict(keeper._entries.attached()).values()):
                    assert isinstance(await keeper.call(Put(PUT, envelope(1))), Stored)
            assert before.keys() == dict(keeper._entries.attached()).keys()
            assert isinstance(await keeper.call(Put(PUT, envelope(2))), Stored)
        finally:
            await keeper.close()


async def test_mixed(tmp_path: Path) -> None:
    world = World(tmp_path, 7)
    delivered: asyncio.Queue[tuple[int, bytes]] = asyncio.Queue()
    async with run_all(world), networked(world) as reader, networked(world) as writer:
        assert await reader.call(host(world), CREATE) == Done()
        reader.subscribe(host(world), GET, lambda: 0, lambda *one: delivered.put_nowait(one), mixed=True)
        stored = await writer.call(host(world), Put(PUT, envelope(1)), mixed=True)
        assert isinstance(stored, Stored)
        assert await delivered.get() == (stored.entry, envelope(1))


async def test_blobs_cards_and_the_way_to_a_relay_outside(tmp_path: Path) -> None:
    world = World(tmp_path / "nodes", 7)
    async with relay_process(tmp_path / "relay") as outside, run_all(world), networked(world) as network:
        there = host(world)
        assert await network.call(there, CREATE) == Done()
        hold, data = bytes(16), [bytes([number]) * BLOB_SIZE for number in range(4)]
        blobs = [PutBlob(PUT, hold, bytes([number]) * 32, part) for number, part in enumerate(data)]
        assert await asyncio.gather(*(network.call(there, blob) for blob in blobs)) == [Done()] * len(blobs)
        assert isinstance(await network.call(there, Put(PUT, envelope(1), needs=(Needs(hold, len(blobs)),))), Stored)
        found = await asyncio.gather(*(network.call(there, GetBlob(GET, blob.blob)) for blob in blobs))
        assert found == [BlobData(part) for part in data]
        card = PutCard(b"l" * 32, b"w" * 32, 1, b"c" * CARD_SIZE, int(time.time()) + 86_400)
        assert await network.call(there, card) == Done()
        assert await network.call(there, GetCard(card.locator)) == CardData(card.card)
        address = outside.link.address
        assert network.route(address) == "federated"
        with pytest.raises(Refused) as refusal:
            await network.call(address, Get(b"g" * 32, 0))
        assert refusal.value.code == RefusalCode.DENIED  # said by the relay itself, sealed


@asynccontextmanager
async def joined(network: OnionNetwork) -> AsyncIterator[Network]:
    """Somebody who has nothing but the link, once there are nodes that keep mailboxes."""
    async with Network(ENTROPY, lambda *_: None) as made:
        made.set_relays((parse_relay_link(network.link),))
        async with asyncio.timeout(240):
            while True:
                try:
                    if await made.call(network.host, CREATE) == Done():
                        break
                except (Refused, Unreachable):
                    await asyncio.sleep(0.2)
        yield made


@pytest.mark.timeout(900)  # ten processes on what may be a busy machine
async def test_an_entry_node_is_killed_while_messages_flow_and_a_long_absence_drains(tmp_path: Path) -> None:
    with onion_network(tmp_path, nodes=7, period_s=10) as network:
        await flow(network)


async def flow(network: OnionNetwork) -> None:
    delivered: list[tuple[int, bytes]] = []

    def stored() -> int:
        return delivered[-1][0] if delivered else 0

    async with joined(network) as reader:
        report = await check_relay(parse_relay_link(network.link))
        assert report.problem is None
        assert list(report.steps_ms) == [*STEPS]
        reading = reader.subscribe(network.host, GET, stored, lambda *one: delivered.append(one))
        async with joined(network) as writer:
            for number in range(60):
                if number == 20:
                    entry = reader.path_to(network.host, PLACE)[0][0]
                    running = network.running.items()
                    guard = next(name for name, relay in running if relay.link.address.endpoint == entry)
                    await asyncio.to_thread(network.kill, guard)
                assert isinstance(await put(writer, network, number), Stored)
            await until(lambda: len(delivered) == 60, 180)
            assert sorted(data for _, data in delivered) == [envelope(number) for number in range(60)]
            reading.close()
            async with asyncio.TaskGroup() as group:
                for number in range(60, 500):
                    group.create_task(put(writer, network, number))
        delivered.clear()
        reader.subscribe(network.host, GET, stored, lambda *one: delivered.append(one))
        await until(lambda: len(delivered) == 500, 180)
        assert [number for number, _ in delivered] == sorted(number for number, _ in delivered)
        assert sorted(data for _, data in delivered) == [envelope(number) for number in range(500)]


async def put(writer: Network, network: OnionNetwork, number: int) -> Response:
    """As the outbox does: until it is stored."""
    while True:
        try:
            return await writer.call(network.host, Put(PUT, envelope(number)))
        except (Refused, Unreachable):
            await asyncio.sleep(0.5)


async def until(done: Callable[[], bool], seconds: float) -> None:
    async with asyncio.timeout(seconds):
        while not done():  # noqa: ASYNC110 - what is waited for happens in other processes
            await asyncio.sleep(0.05)
