"""A whole swarm is exchanged between two consensuses while nobody can speak with those who were in it."""

from __future__ import annotations

import asyncio
import random
import sys
from collections.abc import Awaitable, Callable
from types import FrameType

import pytest
import virtual_time
from swarm_hosts import REPLICAS, Network, Node, SeededEntropy
from swarm_people import Box, Person
from swarm_world import expect

from roost.crypto.kdf import hash32
from roost.crypto.labels import Label
from roost.relay.core.places import FormerNetwork
from roost.relay.onion.colleagues import Colleagues
from roost.relay.onion.replica import decode_record
from roost.wire.mailbox import (
    BlobData,
    CardData,
    Done,
    Entries,
    Get,
    GetBlob,
    GetCard,
    MailboxKind,
    Needs,
    Put,
    PutBlob,
    PutCard,
    Refusal,
    RefusalCode,
    Request,
    Response,
    Stored,
)
from roost.wire.onion import swarm_of
from roost.wire.sizes import BLOB_SIZE, ENVELOPE_SIZE

NODES = 7
PATIENCE_S = 90.0
OLD = [b"%d" % number for number in range(5)]


class Story:
    """A mailbox on a network, told on virtual time."""

    def __init__(self) -> None:
        self.network = Network(random.Random(5), NODES)
        self.box = Box(self.network, MailboxKind.SHARED)
        self.locator, self.writer = self.box.place + b"l" * 16, b"w" * 32

    def swarm(self) -> list[Node]:
        return [self.network.nodes[node.key] for node in swarm_of(self.network.current, self.box.place, REPLICAS)]

    async def start(self, *nodes: Node) -> None:
        for node in nodes or self.network.nodes.values():
            await node.start()

    async def fill(self) -> None:
        expect(await self.ask(self.box.create()), Done)
        expect(await self.ask(PutBlob(self.box.put, b"h" * 16, b"b" * 32, b"x" * BLOB_SIZE)), Done)
        for number, text in enumerate(OLD):
            needs = (Needs(b"h" * 16, 1),) if number == 3 else ()
            expect(await self.ask(Put(self.box.put, envelope(text), needs=needs)), Stored)
        expect(await self.ask(self.card(2)), Done)
        await asyncio.sleep(5.0)

    def card(self, version: int) -> PutCard:
        return PutCard(self.locator, self.writer, version, b"%d" % version, 2_000_000_000)

    async def exchange(self, turns: int) -> list[Node]:
        """The swarm is gone, and was not listed for a few consensuses; who was in it."""
        old = self.swarm()
        for node in old:
            node.crash()
        for _ in range(turns):
            await self.agree([key for key in self.network.nodes if self.network.nodes[key] not in old])
        return old

    async def agree(self, keys: list[bytes]) -> None:
        self.network.agree(keys)
        await asyncio.sleep(70.0)

    async def begin_anew(self) -> tuple[list[Node], int]:
        """The mailbox is made again where nobody can ask who kept it before; them, and the last entry's number."""
        old = await self.exchange(2)
        expect(await self.ask(self.box.create()), Done)
        expect(await self.ask(Put(self.box.put, envelope(OLD[0]))), Stored)  # once more: it is there already
        expect(await self.ask(self.card(1)), Done)
        return old, expect(await self.ask(Put(self.box.put, envelope(b"new"))), Stored).entry

    async def ask(self, request: Request) -> Response | None:
        """None: it is not said."""
        try:
            async with asyncio.timeout(PATIENCE_S):
                return await Person(self.network, self.box.place).ask(request)
        except TimeoutError:
            return None

    async def read(self, after: int = 0) -> list[bytes]:
        entries = expect(await self.ask(Get(self.box.get, after)), Entries).entries
        return [entry.envelope.rstrip(b"\0") for entry in entries]

    async def all_is_there(self, last: int) -> None:
        """A reader who has had what is new gets the rest, once."""
        await asyncio.sleep(90.0)
        assert await self.read(last) == OLD[1:]
        assert await self.read() == [OLD[0], b"new", *OLD[1:]]
        assert expect(await self.ask(GetBlob(self.box.get, b"b" * 32)), BlobData).data == b"x" * BLOB_SIZE
        assert expect(await self.ask(GetCard(self.locator)), CardData).card == b"2"
        assert expect(await self.ask(Put(self.box.put, envelope(OLD[1]))), Stored).entry > last

    def holders(self) -> list[Node]:
        found = []
        for node in self.network.nodes.values():
            records = [decode_record(data) for place, data in node.engine.places(b"", 10) if place == self.box.place]
            found += [node for record in records if record.present]
        return found


def envelope(text: bytes) -> bytes:
    return text.ljust(ENVELOPE_SIZE, b"\0")


def told(story: Callable[[Story], Awaitable[None]]) -> None:
    async def tell() -> None:
        scene = Story()
        await scene.start()
        await story(scene)
        for node in scene.network.nodes.values():
            node.crash()

    virtual_time.run(tell())


def test_what_former_nodes_may_hold_is_not_denied() -> None:
    async def story(scene: Story) -> None:
        await scene.fill()
        old = await scene.exchange(3)
        assert await scene.ask(Get(scene.box.get, 0)) is None
        for node in scene.swarm():
            node.crash()
            await node.start()  # it knows still how the network was
        assert await scene.ask(Get(scene.box.get, 0)) is None
        assert await scene.ask(GetCard(scene.locator)) is None
        await scene.start(*old[:2])
        assert await scene.read() == OLD

    told(story)


def test_where_former_nodes_say_that_there_is_nothing_it_is_denied() -> None:
    async def story(scene: Story) -> None:
        old = await scene.exchange(3)
        assert await scene.ask(Get(scene.box.get, 0)) is None
        await scene.start(*old[:2])
        assert expect(await scene.ask(Get(scene.box.get, 0)), Refusal).code == RefusalCode.DENIED
        assert expect(await scene.ask(GetCard(scene.locator)), Refusal).code == RefusalCode.NOT_FOUND

    told(story)


def test_what_former_nodes_might_hold_is_denied_in_the_end() -> None:
    async def story(scene: Story) -> None:
        await scene.exchange(3)
        left = [node for node in scene.network.nodes.values() if node.up]
        for node in left:
            node.crash()
        await asyncio.sleep(8 * 86_400)
        await scene.start(*left)
        assert expect(await scene.ask(Get(scene.box.get, 0)), Refusal).code == RefusalCode.DENIED

    told(story)


def test_a_new_mailbox_needs_no_word_of_nodes_that_are_gone() -> None:
    async def story(scene: Story) -> None:
        await scene.exchange(2)
        assert await scene.ask(scene.box.create()) == Done()

    told(story)


def test_what_began_anew_takes_in_what_was_there() -> None:
    """Those who kept it are not listed any more, but can be spoken with again."""

    async def story(scene: Story) -> None:
        await scene.fill()
        old, last = await scene.begin_anew()
        await scene.start(*old)
        await scene.all_is_there(last)
        assert set(scene.holders()) == set(scene.swarm())

    told(story)


def test_who_kept_it_before_and_is_to_keep_it_again_loses_nothing() -> None:
    async def story(scene: Story) -> None:
        await scene.fill()
        old, last = await scene.begin_anew()
        await scene.start(*old)
        await scene.agree(list(scene.network.nodes))
        assert scene.swarm() == old
        await scene.all_is_there(last)
        assert set(scene.holders()) == set(scene.swarm())

    told(story)


def test_one_of_those_who_kept_it_is_enough() -> None:
    async def story(scene: Story) -> None:
        await scene.fill()
        old, last = await scene.begin_anew()
        await scene.start(old[1])
        await scene.all_is_there(last)
        assert set(scene.holders()) == {*scene.swarm(), old[0], old[2]}

    told(story)


def test_a_leader_hears_of_what_began_apart_though_another_is_asked_first() -> None:
    async def story(scene: Story) -> None:
        await scene.fill()
        old = await scene.exchange(2)
        first = scene.swarm()[0]
        first.crash()
        expect(await scene.ask(scene.box.create()), Done)
        expect(await scene.ask(Put(scene.box.put, envelope(OLD[0]))), Stored)
        last = expect(await scene.ask(Put(scene.box.put, envelope(b"new"))), Stored).entry
        await scene.start(first)
        await asyncio.sleep(10.0)
        await scene.start(*old)
        await scene.all_is_there(last)
        assert set(scene.holders()) == set(scene.swarm())

    told(story)


def test_what_went_on_without_those_who_had_more_takes_that_in() -> None:
    """Two of three keep what they acknowledge, while the third is away; then they are gone, and the third is back."""

    async def story(scene: Story) -> None:
        await scene.fill()
        *kept, third = scene.swarm()
        third.crash()
        more = [b"%d" % number for number in range(10, 15)]
        for text in more:
            expect(await scene.ask(Put(scene.box.put, envelope(text))), Stored)
        for node in kept:
            node.crash()
        await scene.start(third)
        for _ in range(3):
            await scene.agree([key for key in scene.network.nodes if scene.network.nodes[key] not in kept])
        last = expect(await scene.ask(Put(scene.box.put, envelope(b"new"))), Stored).entry
        assert await scene.read() == [*OLD, b"new"]
        await scene.start(*kept)
        await asyncio.sleep(120.0)
        assert await scene.read(last) == more
        assert await scene.read() == [*OLD, b"new", *more]

    told(story)


def test_what_is_remembered_of_networks_is_bounded() -> None:
    async def send(_node: bytes, _body: bytes) -> bytes:
        raise AssertionError

    network = Network(random.Random(5), 9)
    keys = list(network.nodes)
    known = Colleagues(keys[0], send, REPLICAS, 2, SeededEntropy(network.rng))
    place, swarms = b"p" * 16, []
    for number in range(40):
        current = network._consensus([key for key in keys if key != keys[number % 9]])
        swarms.append(tuple(node.key for node in swarm_of(current, place, REPLICAS)))
        known.on_consensus(current, None, 100 + number // 20)
    assert len(known.former) == 9
    assert set(known.all_before(place)) == set(swarms)
    assert known.all_before(place)[0] == swarms[-2]
    known.remember([FormerNetwork(101, (bytes([number]) * 64,)) for number in range(50)], 101)
    assert len(known.former) == 24
    known.remember([], 109)
    assert known.former == ()


def former_networks(count: int, nodes: int) -> Colleagues:
    """What a node knows that saw one node in each network come and one go."""

    async def send(_node: bytes, _body: bytes) -> bytes:
        raise AssertionError

    rng = random.Random(11)
    keys = [rng.randbytes(64) for _ in range(nodes + count)]
    known = Colleagues(keys[0][:32], send, REPLICAS, 2, SeededEntropy(rng))
    known.remember([FormerNetwork(100, tuple(sorted(keys[at : at + nodes]))) for at in range(count)], 100)
    return known


@pytest.mark.parametrize("nodes", [1, 2, 40])
def test_who_was_to_keep_a_place_is_by_rank_in_each_network(nodes: int) -> None:
    known = former_networks(24, nodes)
    for place in (bytes([number]) * 16 for number in range(20)):
        best = [
            tuple(node[:32] for node in sorted(one.nodes, key=lambda node: hash32(Label.ONION_RANK, place + node))[:3])
            for one in known.former
        ]
        assert known.all_before(place) == list(dict.fromkeys(best))


def steps(known: Colleagues, place: bytes) -> int:
    """Instructions of Python that `all_before` takes."""
    count = 0

    def traced(frame: FrameType, event: str, _argument: object) -> object:
        nonlocal count
        frame.f_trace_opcodes = True
        count += event == "opcode"
        return traced

    before = sys.gettrace()
    sys.settrace(traced)
    try:
        known.all_before(place)
    finally:
        sys.settrace(before)
    return count


def test_many_former_networks_cost_little_more_than_one() -> None:
    assert steps(former_networks(24, 300), bytes(16)) < 2 * steps(former_networks(1, 300), bytes(16))
