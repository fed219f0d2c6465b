"""An onion network of real processes: three authorities that vote, nodes that are killed and come back."""

from __future__ import annotations

import asyncio
from pathlib import Path

from msgspec.structs import replace

from roost.wire.mailbox import Create, Done, Entries, Get, Put, Stored
from tests.relay.onion_network import client_of, onion_network
from tests.relay.relay_core import capability, create, envelope


def box(name: str) -> Create:
    """A mailbox whose capabilities begin with its place."""
    assert len(name) > 15, "all capabilities share 16 bytes"
    return replace(create(name), place=capability(f"{name} get")[:16])


async def test_mailboxes_outlive_the_node_that_answers_for_them(tmp_path: Path) -> None:
    name = "a place of sixteen"
    async with onion_network(tmp_path) as network, client_of(network) as client:
        await client.ready(4)
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
