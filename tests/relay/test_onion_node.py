"""Onion nodes: packets through several, what is dropped, sessions, floods, restarts. Every node is a whole relay."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from msgspec.structs import replace

from roost.crypto import solve_work
from roost.relay import load_config, run_relay
from roost.relay.onion.part import OnionPart
from roost.wire.codec import decode
from roost.wire.mailbox import (
    Done,
    Entries,
    Get,
    Put,
    Refusal,
    RefusalCode,
    Response,
    Stored,
    WorkChallenge,
)
from roost.wire.onion import admission_hash
from tests.relay.onion_helpers import Traveller, World, travelling
from tests.relay.onion_local import LocalSwarm
from tests.relay.relay_core import capability, create, envelope


@pytest.fixture(autouse=True)
def local(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(OnionPart, "_swarms", lambda self, peers: LocalSwarm())


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


async def admitted(traveller: Traveller, host: int, name: str) -> Response:
    """Make a mailbox, with the work that is asked for."""
    request = replace(create(name), place=capability(f"{name} get")[:16])
    asked = await traveller.call(host, request)
    assert isinstance(asked, Refusal)
    assert asked.code is RefusalCode.WORK_NEEDED
    challenge = decode(WorkChallenge, asked.detail)
    proof = solve_work(challenge.nonce, bytes(32), admission_hash(request), challenge.bits)
    return await traveller.call(host, replace(request, admission=proof))


async def test_a_mailbox_behind_three_hops(tmp_path: Path) -> None:
    world = World(tmp_path, 4)
    async with relays(world), travelling(world, 0) as client:
        assert await admitted(client, 3, "a") == Done()
        stored = await client.call(3, Put(capability("a put"), envelope("hello")))
        assert isinstance(stored, Stored)
        page = await client.call(3, Get(capability("a get"), 0, 1))
        assert isinstance(page, Entries)
        assert [entry.envelope for entry in page.entries] == [envelope("hello")]
