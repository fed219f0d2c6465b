"""`Network` and an onion network of real nodes: every node is a whole relay."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from roost.crypto import capability_hash
from roost.network import SYSTEM_ENTROPY as ENTROPY
from roost.network import Network
from roost.network.onion.memory import Forgetful
from roost.relay import load_config, run_relay
from roost.relay.onion.memory import FileMemory
from roost.wire.addresses import OnionHost
from roost.wire.links import parse_relay_link
from roost.wire.mailbox import (
    Create,
    Done,
    Entries,
    Get,
    Grant,
    MailboxKind,
    Put,
    Right,
    Stored,
)
from roost.wire.sizes import ENVELOPE_SIZE
from tests.relay.onion_helpers import World

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


def envelope(number: int) -> bytes:
    return number.to_bytes(8, "big").ljust(ENVELOPE_SIZE, b"e")


@asynccontextmanager
async def relays(world: World) -> AsyncIterator[None]:
    """All relays of the world, in this process."""
    stop = asyncio.Event()
    async with asyncio.TaskGroup() as group:
        ready = [asyncio.Event() for _ in world.nodes]
        for number, event in enumerate(ready):
            config = load_config(None, data=world.data(number), **world.settings(number))
            group.create_task(run_relay(config, lambda _, event=event: event.set(), stop=stop))
        for event in ready:
            await event.wait()
        try:
            yield
        finally:
            stop.set()


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
    async with relays(world), networked(world) as reader, networked(world) as writer:
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
