"""What a node may store in all is shared by the mailboxes that it leads."""

from __future__ import annotations

import asyncio
import random
from dataclasses import replace

import virtual_time
from swarm_hosts import REPLICAS, Network
from swarm_people import Box, Person
from swarm_world import expect

from roost.relay.core.limits import ENTRY_COST
from roost.relay.onion.swarm import LIMITS
from roost.wire.mailbox import Done, MailboxKind, Put, Request, Response, Stored, Trim
from roost.wire.sizes import ENVELOPE_SIZE

PATIENCE_S = 60.0
COUNTED_S = 600.0
ROOM = 40


async def ask(network: Network, box: Box, request: Request) -> Response | None:
    """None: it is refused again and again."""
    try:
        async with asyncio.timeout(PATIENCE_S):
            return await Person(network, box.place).ask(request)
    except TimeoutError:
        return None


def put(box: Box, number: int) -> Put:
    return Put(box.put, number.to_bytes(4, "big").ljust(ENVELOPE_SIZE, b"\0"))


async def story() -> None:
    network = Network(random.Random(3), REPLICAS)
    for node in network.nodes.values():
        await node.start()
        assert node.swarm is not None
        node.swarm.limits = replace(LIMITS, total_bytes=ROOM * ENTRY_COST)
    one, other = Box(network, MailboxKind.ORDINARY), Box(network, MailboxKind.ORDINARY)
    for box in (one, other):
        expect(await ask(network, box, box.create()), Done)
    stored: list[int] = []
    while isinstance(answer := await ask(network, one, put(one, len(stored))), Stored):
        stored.append(answer.entry)
    assert ROOM * 3 // 4 < len(stored) < ROOM

    await asyncio.sleep(COUNTED_S)
    assert await ask(network, other, put(other, 0)) is None
    expect(await ask(network, one, Trim(one.admin, stored[-1])), Done)
    await asyncio.sleep(COUNTED_S)
    expect(await ask(network, other, put(other, 0)), Stored)


def test_one_mailbox_that_is_full_leaves_no_room_in_another() -> None:
    virtual_time.run(story())
