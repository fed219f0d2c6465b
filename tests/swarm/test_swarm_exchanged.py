"""A whole swarm is exchanged between two consensuses while nobody can speak with those who were in it."""

from __future__ import annotations

import asyncio
from pathlib import Path

from swarm_hosts import SeededEntropy
from swarm_people import Box
from swarm_world import expect
from test_swarm_engines import RealNetwork, RealNode, RealPerson, running
from test_swarm_liars import PUTS, filled, read

from roost.relay.core.places import FormerNetwork
from roost.relay.onion.colleagues import Colleagues
from roost.wire.mailbox import Done, Get, MailboxKind, Refusal, RefusalCode
from roost.wire.onion import swarm_of

NODES = 7


async def exchanged(net: RealNetwork, box: Box, turns: int = 3) -> list[RealNode]:
    """The swarm is gone, and was not listed for a few consensuses; who was in it."""
    old = net.swarm(box.place)
    for node in old:
        await node.stop()
    others = [key for key in net.nodes if net.nodes[key] not in old]
    for _ in range(turns):
        net.agree(others)
    return old


async def refused(net: RealNetwork, box: Box) -> set[RefusalCode]:
    """What the nodes of the new swarm say of the mailbox."""
    asked = [RealPerson(net, box.place).once(node, Get(box.get, 0)) for node in net.swarm(box.place)]
    answers = await asyncio.gather(*asked)
    return {RefusalCode.SLOW_DOWN if answer is None else expect(answer, Refusal).code for answer in answers}


async def test_what_former_nodes_may_hold_is_not_denied(tmp_path: Path) -> None:
    async with running(tmp_path, NODES) as net:
        box, _ = await filled(net)
        old = await exchanged(net, box)
        assert await refused(net, box) == {RefusalCode.SLOW_DOWN}
        for node in net.swarm(box.place):
            await node.stop()
            await node.start()  # it knows still how the network was
        assert await refused(net, box) == {RefusalCode.SLOW_DOWN}
        for node in old[:2]:
            await node.start()
        assert await read(RealPerson(net, box.place), box) == PUTS


async def test_where_all_former_nodes_say_that_there_is_nothing_it_is_denied(tmp_path: Path) -> None:
    async with running(tmp_path, NODES) as net:
        box = Box(net, MailboxKind.SHARED)  # type: ignore[arg-type]
        old = await exchanged(net, box)
        for node in old[:2]:
            await node.start()
        assert expect(await RealPerson(net, box.place).ask(Get(box.get, 0)), Refusal).code == RefusalCode.DENIED


async def test_a_new_mailbox_needs_no_word_of_nodes_that_are_gone(tmp_path: Path) -> None:
    async with running(tmp_path, NODES) as net:
        box = Box(net, MailboxKind.SHARED)  # type: ignore[arg-type]
        await exchanged(net, box)
        assert await RealPerson(net, box.place).ask(box.create()) == Done()


def test_what_is_remembered_of_networks_is_bounded(tmp_path: Path) -> None:
    async def send(_node: bytes, _body: bytes) -> bytes:
        raise AssertionError

    net = RealNetwork(tmp_path, 9)
    keys = list(net.nodes)
    known = Colleagues(keys[0], send, 3, 2, SeededEntropy(net.rng))
    place, swarms = b"p" * 16, []
    for number in range(40):
        current = net.consensus([key for key in keys if key != keys[number % 9]])
        swarms.append(tuple(node.key for node in swarm_of(current, place, 3)))
        known.on_consensus(current, None, 100 + number // 20)
    assert len(known.former) == 9
    assert set(known.all_before(place)) == set(swarms)
    assert known.all_before(place)[0] == swarms[-2]
    known.remember([FormerNetwork(101, (bytes([number]) * 64,)) for number in range(50)], 101)
    assert len(known.former) == 24
    known.remember([], 109)
    assert known.former == ()
