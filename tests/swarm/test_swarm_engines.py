"""Swarms of nodes with real SQLite files, whose messages are handed over in memory."""

from __future__ import annotations

import asyncio
import random
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from functools import partial
from pathlib import Path

from swarm_hosts import QUORUM, REPLICAS, SeededEntropy
from swarm_people import Box, Session
from swarm_world import expect

from roost.errors import SurroundingsError, Unreachable
from roost.relay.onion.replica import decode_record
from roost.relay.onion.swarm import FILE, LIMITS, Swarm, swarm_file
from roost.relay.storage import SqliteEngine
from roost.wire.addresses import RelayAddress
from roost.wire.mailbox import (
    BlobData,
    CardData,
    ChangeGrants,
    Delete,
    DeleteCard,
    Delivery,
    Done,
    Entries,
    Get,
    GetBlob,
    GetCard,
    Grant,
    MailboxKind,
    Needs,
    Put,
    PutBlob,
    PutCard,
    Refusal,
    RefusalCode,
    Reply,
    Request,
    Response,
    Right,
    Seal,
    ServerFrame,
    Stored,
    Subscribe,
    Subscribed,
    Trim,
    Unsubscribe,
)
from roost.wire.onion import Consensus, ConsensusNode, PeriodKey, swarm_of
from roost.wire.sizes import BLOB_SIZE, ENVELOPE_SIZE

PATIENCE_S = 30.0


def envelope(text: str) -> bytes:
    return text.encode().ljust(ENVELOPE_SIZE, b"\0")


class RealNode:
    def __init__(self, net: RealNetwork, key: bytes, folder: Path) -> None:
        self.net, self.key, self.folder = net, key, folder
        self.swarm: Swarm | None = None
        self.boots = 0
        self.limits = LIMITS
        folder.mkdir()

    @property
    def up(self) -> bool:
        return self.swarm is not None

    async def start(self) -> None:
        def broken(error: SurroundingsError) -> None:
            raise AssertionError(error)

        self.boots += 1
        store = swarm_file(self.folder, broken)
        sender, entropy = self.net.sender(self), SeededEntropy(self.net.rng)
        swarm = Swarm(store, self.key, sender, REPLICAS, QUORUM, entropy, self.net.clock, self.limits)
        await swarm.open()
        swarm.on_consensus(self.net.current, self.net.previous)
        self.swarm = swarm

    async def stop(self) -> None:
        swarm, self.swarm = self.swarm, None
        if swarm is not None:
            await swarm.close()

    def lose_disk(self) -> None:
        assert not self.up
        for file in self.folder.iterdir():
            file.unlink()


class RealNetwork:
    """What swarm_people needs of a network, with real nodes."""

    def __init__(self, folder: Path, count: int) -> None:
        self.rng = random.Random(7)
        keys = sorted(self.rng.randbytes(32) for _ in range(count))
        self.nodes = {key: RealNode(self, key, folder / key.hex()[:8]) for key in keys}
        self.salts = {key: self.rng.randbytes(32) for key in keys}
        self.period = 0
        self.previous: Consensus | None = None
        self.current = self.consensus(keys)

    def clock(self) -> float:
        return 1_800_000_000.0 + 3_600 * self.period

    def consensus(self, keys: list[bytes]) -> Consensus:
        self.period += 1
        packet_keys = (PeriodKey(self.period, bytes(1_216)),)
        nodes = tuple(
            ConsensusNode(RelayAddress("127.0.0.1", 1, key), "", packet_keys, 0, self.salts[key], 1_000)
            for key in sorted(keys)
        )
        previous = bytes(32) if self.period == 1 else self.current.id
        return Consensus(bytes(32), self.period, previous, bytes(32), nodes)

    def agree(self, keys: list[bytes]) -> None:
        self.previous, self.current = self.current, self.consensus(keys)
        for node in self.nodes.values():
            if node.swarm is not None:
                node.swarm.on_consensus(self.current, self.previous)

    def swarm(self, place: bytes) -> list[RealNode]:
        return [self.nodes[node.key] for node in swarm_of(self.current, place, REPLICAS)]

    def sender(self, sender: RealNode) -> Callable[[bytes, bytes], Awaitable[bytes]]:
        async def send(key: bytes, body: bytes) -> bytes:
            await asyncio.sleep(0)
            swarm = self.nodes[key].swarm
            if swarm is None or not sender.up:
                raise Unreachable("down")
            return await swarm.message(sender.key, body)

        return send


@asynccontextmanager
async def running(folder: Path, count: int = 5) -> AsyncIterator[RealNetwork]:
    net = RealNetwork(folder, count)
    try:
        for node in net.nodes.values():
            await node.start()
        yield net
    finally:
        for node in net.nodes.values():
            await node.stop()


class RealPerson:
    """Asks the node that leads, and asks again."""

    def __init__(self, net: RealNetwork, place: bytes) -> None:
        self.net, self.place = net, place
        self.frames: list[ServerFrame] = []
        self.session: Session | None = None
        self.call = 0
        self.at = 0

    async def ask(self, request: Request) -> Response:
        async with asyncio.timeout(PATIENCE_S):
            while True:
                node = self.net.swarm(self.place)[self.at % REPLICAS]
                answer = await self.once(node, request) if node.up else None
                if answer is None:
                    self.at += 1
                elif not isinstance(answer, Refusal) or answer.code not in _AGAIN:
                    return answer
                elif answer.code == RefusalCode.MOVED:
                    self.at = [one.key for one in self.net.swarm(self.place)].index(answer.detail)
                else:
                    self.at += 1
                    await asyncio.sleep(0.05)

    async def once(self, node: RealNode, request: Request) -> Response | None:
        if self.session is None or not self.session.alive or self.session.node.key != node.key:
            self.session = Session(self.net, node, self.frames.append)  # type: ignore[arg-type]
        self.call += 1
        assert node.swarm is not None
        answered: asyncio.Future[Response] = asyncio.get_running_loop().create_future()
        node.swarm.handle(self.session, self.call, request, lambda answer: _set(answered, answer))
        try:
            async with asyncio.timeout(5.0):
                return await answered
        except TimeoutError:
            return None


_AGAIN = (RefusalCode.MOVED, RefusalCode.SLOW_DOWN, RefusalCode.INTERNAL)


def _set(future: asyncio.Future[Response], answer: Response) -> None:
    if not future.done():
        future.set_result(answer)


def holding(net: RealNetwork, place: bytes) -> int:
    """How many of the place's nodes have everything: the newest view and batch."""
    found = []
    for node in net.swarm(place):
        engine = SqliteEngine(node.folder / FILE)
        reader = engine.reader()
        stored = reader.place(place)
        reader.close()
        engine.close()
        record = None if stored is None else decode_record(stored)
        found.append((record.view, record.sequence) if record is not None and record.present else (0, 0))
    return found.count(max(found))


async def test_a_mailbox_does_what_it_does_on_a_relay(tmp_path: Path) -> None:
    async with running(tmp_path) as net:
        box = Box(net, MailboxKind.ORDINARY)  # type: ignore[arg-type]
        me = RealPerson(net, box.place)
        refused = await me.ask(Get(box.get, 0))
        assert isinstance(refused, Refusal)
        assert refused.code == RefusalCode.DENIED
        assert await me.ask(box.create()) == Done()
        assert await me.ask(box.create()) == Done()
        other = Box(net, MailboxKind.ORDINARY)  # type: ignore[arg-type]
        other.place = box.place
        assert expect(await me.ask(other.create()), Refusal).code == RefusalCode.DENIED
        hold, blob = b"h" * 16, b"b" * 32
        assert await me.ask(PutBlob(box.put, hold, blob, b"x" * BLOB_SIZE)) == Done()
        first = expect(await me.ask(Put(box.put, envelope("one"), needs=(Needs(hold, 1),))), Stored).entry
        assert await me.ask(Put(box.put, envelope("one"))) == Stored(first)
        assert await me.ask(GetBlob(box.get, blob)) == BlobData(b"x" * BLOB_SIZE)
        assert expect(await me.ask(Subscribe(box.get, 0)), Subscribed).end == first
        second = expect(await me.ask(Put(box.put, envelope("two"))), Stored).entry

        async def two_came() -> bool:
            return sum(isinstance(frame, Delivery) for frame in me.frames) == 2

        await until(two_came)
        given = [(frame.number, frame.envelope) for frame in me.frames if isinstance(frame, Delivery)]
        assert given == [(first, envelope("one")), (second, envelope("two"))]
        assert await me.ask(Unsubscribe(me.call - 1)) == Done()
        assert await me.ask(Trim(box.admin, first)) == Done()
        assert [entry.number for entry in expect(await me.ask(Get(box.get, 0)), Entries).entries] == [second]
        assert expect(await me.ask(GetBlob(box.get, blob)), Refusal).code == RefusalCode.NOT_FOUND
        extra = Grant(b"e" * 32, Right.PUT)
        assert await me.ask(ChangeGrants(box.admin, add=(extra,))) == Done()
        assert await me.ask(Seal(box.admin)) == Done()
        assert expect(await me.ask(Put(box.put, envelope("three"))), Refusal).code == RefusalCode.SEALED
        assert await me.ask(Delete(box.admin)) == Done()
        assert expect(await me.ask(Get(box.get, 0)), Refusal).code == RefusalCode.DENIED
        assert await me.ask(box.create()) == Done()
        third = expect(await me.ask(Put(box.put, envelope("one"))), Stored).entry
        assert third > second
        for node in net.swarm(box.place):
            await until(partial(whole, node, box.place, third))
    assert holding(net, box.place) == REPLICAS


async def test_a_card_lies_at_its_place(tmp_path: Path) -> None:
    async with running(tmp_path) as net:
        locator, writer = b"l" * 32, b"w" * 32
        me = RealPerson(net, locator[:16])
        assert expect(await me.ask(GetCard(locator)), Refusal).code == RefusalCode.NOT_FOUND
        assert await me.ask(DeleteCard(locator, writer)) == Done()
        assert await me.ask(PutCard(locator, writer, 1, b"card", 2_000_000_000)) == Done()
        await me.net.swarm(me.place)[me.at % REPLICAS].stop()
        assert await me.ask(GetCard(locator)) == CardData(b"card")
        assert expect(await me.ask(DeleteCard(locator, b"x" * 32)), Refusal).code == RefusalCode.DENIED
        assert await me.ask(DeleteCard(locator, writer)) == Done()


async def test_a_leader_dies_loses_its_disk_and_gets_everything_back(tmp_path: Path) -> None:
    async with running(tmp_path) as net:
        box = Box(net, MailboxKind.SHARED)  # type: ignore[arg-type]
        me = RealPerson(net, box.place)
        expect(await me.ask(box.create()), Done)
        expect(await me.ask(PutBlob(box.put, b"h" * 16, b"b" * 32, b"x" * BLOB_SIZE)), Done)
        expect(await me.ask(Put(box.put, envelope("0"), needs=(Needs(b"h" * 16, 1),))), Stored)
        numbers = [expect(await me.ask(Put(box.put, envelope(str(n)))), Stored).entry for n in range(1, 40)]
        for turn in range(REPLICAS):
            assert me.session is not None
            leader = net.nodes[me.session.node.key]
            await leader.stop()
            numbers.append(expect(await me.ask(Put(box.put, envelope(f"turn {turn}"))), Stored).entry)
            leader.lose_disk()
            await leader.start()
            await until(partial(whole, leader, box.place, numbers[-1]))
        assert numbers == sorted(set(numbers))
        found: list[int] = []
        while (page := expect(await me.ask(Get(box.get, found[-1] if found else 0)), Entries)).entries:
            found += [entry.number for entry in page.entries]
        assert found[1:] == numbers
        assert await me.ask(GetBlob(box.get, b"b" * 32)) == BlobData(b"x" * BLOB_SIZE)
    assert holding(net, box.place) >= QUORUM


async def until(true: Callable[[], Awaitable[bool]]) -> None:
    async with asyncio.timeout(PATIENCE_S):
        while not await true():  # noqa: ASYNC110 - nobody tells
            await asyncio.sleep(0.05)


async def retired(node: RealNode, place: bytes) -> bool:
    assert node.swarm is not None
    return not (await node.swarm.replica.record(place)).present


async def whole(node: RealNode, place: bytes, number: int) -> bool:
    """The node has the place, with this entry, and knows that it forgot nothing."""
    assert node.swarm is not None
    replica = node.swarm.replica
    record = await replica.record(place)
    found = await replica.ask(lambda reader: reader.envelopes(record.mailbox, [number]))
    return record.present and bool(found) and bool(replica.identity.sure)


async def test_who_leaves_the_network_hands_its_places_over(tmp_path: Path) -> None:
    async with running(tmp_path) as net:
        box = Box(net, MailboxKind.SHARED)  # type: ignore[arg-type]
        me = RealPerson(net, box.place)
        expect(await me.ask(box.create()), Done)
        last = [expect(await me.ask(Put(box.put, envelope(str(n)))), Stored).entry for n in range(60)][-1]
        gone = net.swarm(box.place)[0]
        net.agree([key for key in net.nodes if key != gone.key])
        for node in net.swarm(box.place):
            await until(partial(whole, node, box.place, last))
        await until(partial(retired, gone, box.place))
        entries = expect(await me.ask(Get(box.get, last - 1)), Entries).entries
        assert [entry.envelope for entry in entries] == [envelope("59")]


async def test_two_who_race_through_a_change_of_leaders_agree_who_was_first(tmp_path: Path) -> None:
    """Two members of a group each want their commit to be the next; both, and a reader who only listens, must see the
    same one first, though the leader dies while both put."""
    async with running(tmp_path) as net:
        box = Box(net, MailboxKind.SHARED)  # type: ignore[arg-type]
        reader = RealPerson(net, box.place)
        expect(await reader.ask(box.create()), Done)
        winners: list[list[str]] = []
        for epoch in range(6):
            expect(await reader.ask(Subscribe(box.get, 0)), Subscribed)
            assert reader.session is not None
            leader = net.nodes[reader.session.node.key]
            writers = [RealPerson(net, box.place) for _ in range(2)]
            puts = [
                asyncio.create_task(one.ask(Put(box.put, envelope(f"{epoch} {name}"))))
                for name, one in enumerate(writers)
            ]
            for _ in range(epoch):
                await asyncio.sleep(0.001)
            await leader.stop()
            for put in puts:
                expect(await put, Stored)
            await leader.start()
            seen = []
            for person in (*writers, reader):
                log: list[str] = []
                after = 0
                while (page := expect(await person.ask(Get(box.get, after)), Entries)).entries:
                    log += [entry.envelope.rstrip(b"\0").decode() for entry in page.entries]
                    after = page.entries[-1].number
                seen.append(next(line for line in log if line.startswith(str(epoch))))
            live = [f.envelope.rstrip(b"\0").decode() for f in reader.frames if isinstance(f, Delivery)]
            seen += [line for line in live if line.startswith(str(epoch))][:1]
            winners.append(seen)
        assert all(len(set(seen)) == 1 for seen in winners)


async def test_a_subscription_ends_with_the_lead(tmp_path: Path) -> None:
    async with running(tmp_path) as net:
        box = Box(net, MailboxKind.ORDINARY)  # type: ignore[arg-type]
        me = RealPerson(net, box.place)
        expect(await me.ask(box.create()), Done)
        expect(await me.ask(Subscribe(box.get, 0)), Subscribed)
        assert me.session is not None
        leader = net.nodes[me.session.node.key]
        assert leader.swarm is not None
        for node in net.swarm(box.place):
            if node is not leader:
                await node.stop()

        async def told() -> bool:
            return any(isinstance(frame, Reply) for frame in me.frames)

        await until(told)
        assert not me.session.subscriptions
        answer = await me.once(leader, Put(box.put, envelope("x")))
        assert answer is None or expect(answer, Refusal).code == RefusalCode.SLOW_DOWN
