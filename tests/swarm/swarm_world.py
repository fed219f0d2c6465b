"""A simulated onion network under people who use it, from one seed, and what must be true of it whatever happens.

Nodes crash at any step and come back with what was durable, a few lose their disks, messages are lost, late, double and
out of order, the network falls apart and heals, and nodes leave and join the consensus. Then everything is left in
peace, and what was acknowledged must be there.
"""

from __future__ import annotations

import asyncio
import random
from dataclasses import dataclass, field
from typing import TypeVar

import virtual_time
from swarm_hosts import EPOCH, QUORUM, REPLICAS, Network, Node
from swarm_people import Box, Person, delivered, ended

from roost.relay.onion.replica import decode_record
from roost.relay.onion.serving import Serving
from roost.relay.onion.swarm import Swarm
from roost.wire.mailbox import (
    BlobData,
    CardData,
    Delivery,
    Done,
    Entries,
    Entry,
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
    ServerFrame,
    Stored,
    Subscribe,
    Subscribed,
    Trim,
)
from roost.wire.onion import swarm_of
from roost.wire.sizes import BLOB_SIZE, ENVELOPE_SIZE

T = TypeVar("T")

SETTLE_S = 90.0
_CALL = 1_000_000


class Broken(AssertionError):
    """The world is not as it must be."""


@dataclass
class Ledger:
    """What people were told of one mailbox."""

    box: Box
    acknowledged: dict[bytes, set[int]] = field(default_factory=dict)
    numbers: dict[int, bytes] = field(default_factory=dict)
    blobs: list[bytes] = field(default_factory=list)
    trimmed: int = 0

    def saw(self, number: int, envelope: bytes) -> None:
        known = self.numbers.setdefault(number, envelope)
        if known != envelope:
            raise Broken(f"number {number} is of two envelopes")


class Writer(Person):
    """Puts envelopes, some with blobs."""

    def __init__(self, network: Network, ledger: Ledger, name: int) -> None:
        super().__init__(network, ledger.box.place)
        self.ledger = ledger
        self.name = name
        self.count = 0

    async def run(self, until: float) -> None:
        rng, box, ledger = self.network.rng, self.ledger.box, self.ledger
        await self.create()
        while asyncio.get_running_loop().time() < until:
            self.count += 1
            envelope = b"%d %d." % (self.name, self.count)
            envelope = envelope.ljust(ENVELOPE_SIZE, b"\0")
            needs: tuple[Needs, ...] = ()
            if rng.random() < 0.05:
                hold, blob = rng.randbytes(16), rng.randbytes(32)
                put = PutBlob(box.put, hold, blob, blob * (BLOB_SIZE // 32))
                expect(await self.ask(put), Done)
                ledger.blobs.append(blob)
                needs = (Needs(hold, 1),)
            stored = await self.ask(Put(box.put, envelope, needs=needs))
            if isinstance(stored, Refusal) and stored.code == RefusalCode.BLOBS_MISSING:
                if box.kind == MailboxKind.SHARED or envelope not in ledger.numbers.values():
                    raise Broken("an acknowledged blob is gone")
                continue  # it was stored, read and trimmed with its blob before its answer was lost
            number = expect(stored, Stored).entry
            ledger.saw(number, envelope)
            ledger.acknowledged.setdefault(envelope, set()).add(number)
            await asyncio.sleep(rng.expovariate(2.0))

    async def create(self) -> None:
        expect(await self.ask(self.ledger.box.create()), Done)


class Reader(Person):
    """Follows with a cursor, and trims what it has if the mailbox is its own."""

    def __init__(self, network: Network, ledger: Ledger) -> None:
        super().__init__(network, ledger.box.place)
        self.ledger = ledger
        self.cursor = 0
        self.seen: dict[int, bytes] = {}
        self.call = _CALL
        self._over = asyncio.Event()

    async def run(self, until: float) -> None:
        box, loop = self.ledger.box, asyncio.get_running_loop()
        expect(await self.ask(box.create()), Done)
        while loop.time() < until:
            self.call += 1
            self._over.clear()
            answer = await self.try_once(Subscribe(box.get, self.cursor), self.call)
            if answer is None:
                continue
            expect(answer, Subscribed)
            session = self.session
            while loop.time() < until and session is not None and session.alive and not self._over.is_set():
                try:
                    async with asyncio.timeout(self.network.rng.uniform(0.5, 3.0)):
                        await self._over.wait()
                except TimeoutError:
                    await self._trim()
            if session is not None:
                session.close()

    def got(self, frame: ServerFrame) -> None:
        if ended(frame, self.call):
            self._over.set()
        delivery = delivered(frame, self.call)
        if delivery is not None and not self.network.weather.cut(self._node or b"", b"people"):
            self.take(delivery)
        elif delivery is not None and self.session is not None:
            self.session.closed = True  # a gap in what a session brings ends it

    def take(self, entry: Delivery | Entry) -> None:
        if entry.number <= self.cursor:
            raise Broken(f"entry {entry.number} comes after {self.cursor}")
        self.ledger.saw(entry.number, entry.envelope)
        self.seen[entry.number] = entry.envelope
        self.cursor = entry.number

    async def _trim(self) -> None:
        ledger = self.ledger
        if ledger.box.kind == MailboxKind.ORDINARY and self.cursor > ledger.trimmed and self.network.rng.random() < 0.3:
            ledger.trimmed = self.cursor  # done, or perhaps done
            await self.try_once(Trim(ledger.box.admin, self.cursor))

    async def finish(self) -> list[Entry]:
        """All that is left, from the start, and what this reader had not had yet."""
        found: list[Entry] = []
        after = 0
        while True:
            page = expect(await self.ask(Get(self.ledger.box.get, after)), Entries)
            found += page.entries
            if not page.more:
                break
            after = page.entries[-1].number
        for entry in found:
            self.ledger.saw(entry.number, entry.envelope)
            if entry.number > self.cursor:
                self.take(entry)
        return found


class CardWriter(Person):
    """Renews a card: an acknowledged version never falls."""

    def __init__(self, network: Network) -> None:
        super().__init__(network, network.rng.randbytes(16))
        self.locator = self.place + network.rng.randbytes(16)
        self.writer = network.rng.randbytes(32)
        self.version = 0

    async def run(self, until: float) -> None:
        while asyncio.get_running_loop().time() < until:
            version = self.version + 1
            expires = int(EPOCH) + 10_000_000
            card = PutCard(self.locator, self.writer, version, b"%d" % version, expires)
            expect(await self.ask(card), Done)
            self.version = version
            await asyncio.sleep(self.network.rng.expovariate(0.3))

    async def finish(self) -> None:
        card = expect(await self.ask(GetCard(self.locator)), CardData)
        if int(card.card) < self.version:
            raise Broken("an older card is back")


def expect(answer: object, kind: type[T]) -> T:
    if not isinstance(answer, kind):
        raise Broken(f"{kind.__name__} expected, not {answer!r}")
    return answer


class World:
    def __init__(self, seed: int) -> None:
        self.rng = random.Random(seed)
        self.duration = self.rng.choice((20.0, 40.0, 80.0))
        self.led: dict[tuple[bytes, int], object] = {}
        self.doubly_led: list[tuple[bytes, int]] = []

    async def play(self) -> dict[str, int]:
        rng = self.rng
        network = self.network = Network(rng, rng.randint(5, 9))
        network.weather.loss = rng.choice((0.0, 0.0, 0.02, 0.1))
        network.weather.twice = rng.choice((0.0, 0.05, 0.2))
        network.weather.delay = rng.choice((0.01, 0.05, 0.3))
        self._watch()
        for node in network.nodes.values():
            await node.start()
        await asyncio.sleep(2.0)
        kinds = (MailboxKind.ORDINARY, MailboxKind.SHARED)
        ledgers = [Ledger(Box(network, rng.choice(kinds))) for _ in range(rng.randint(2, 4))]
        writers = [Writer(network, ledger, name) for name, ledger in enumerate(ledgers * 2)]
        readers = [Reader(network, ledger) for ledger in ledgers]
        readers += [Reader(network, ledger) for ledger in ledgers if ledger.box.kind == MailboxKind.SHARED]
        cards = [CardWriter(network)]
        everybody: list[Writer | Reader | CardWriter] = [*writers, *readers, *cards]
        people = [asyncio.create_task(one.run(self.duration)) for one in everybody]
        disaster = asyncio.create_task(self._disasters())
        await self._through(people, self.duration + 30.0, disaster)
        disaster.cancel()
        await self._peace()
        await self._through(people, self.duration + 200.0)
        for task in people:
            if not task.done():
                raise Broken("somebody is never answered")
            task.result()
        for ledger in ledgers:
            await self._check(ledger, [reader for reader in readers if reader.ledger is ledger])
        for card in cards:
            await card.finish()
        if self.doubly_led:
            raise Broken("two led one view")
        for node in network.nodes.values():
            node.crash()
        for future in tuple(network.background):
            future.cancel()
        return {"acknowledged": sum(len(ledger.acknowledged) for ledger in ledgers), "views": len(self.led)}

    async def _through(self, people: list[asyncio.Task[None]], until: float, *others: asyncio.Task[None]) -> None:
        left = until - asyncio.get_running_loop().time()
        done, _ = await asyncio.wait([*people, *others], timeout=max(0.0, left), return_when=asyncio.FIRST_EXCEPTION)
        for task in done:
            task.result()

    # --- what goes wrong --------------------------------------------------------------------------------------------

    async def _disasters(self) -> None:
        rng, network = self.rng, self.network
        away: list[bytes] = []
        while True:
            await asyncio.sleep(rng.expovariate(0.25))
            keys = sorted(network.nodes)
            node = network.nodes[rng.choice(keys)]
            match rng.choice(("crash", "crash", "crash", "cut", "heal", "disk", "plot", "consensus", "storm", "full")):
                case "crash":
                    node.crash()
                    network.background.add(asyncio.ensure_future(self._restart(node, rng.expovariate(0.15))))
                case "cut":
                    part = set(rng.sample(keys, rng.randint(1, len(keys) // 2)))
                    network.weather.parts.append(part | ({b"people"} if rng.random() < 0.3 else set()))
                case "heal":
                    network.weather.parts.clear()
                case "disk" if not away and self._kept():
                    away = [node.key]
                    node.crash(disk=True)
                    network.background.add(asyncio.ensure_future(self._restart(node, 1.0)))
                    network.background.add(asyncio.ensure_future(self._whole_again(node, away)))
                case "plot" if not away and self._kept():
                    await self._plot(away)
                case "consensus" if not away and self._kept():
                    listed = {one.key for one in network.current.nodes}
                    if node.key in listed and len(listed) > 4:
                        network.agree(sorted(listed - {node.key}))
                    else:
                        network.agree(sorted(listed | {node.key}))
                case "full" if node.up:
                    node.storage.full = not node.storage.full
                case "storm":
                    network.weather.loss = rng.choice((0.0, 0.0, 0.05, 0.3))

    async def _plot(self, away: list[bytes]) -> None:
        """One of a place's nodes hears nothing for a while; then another loses its disk, the third is down, and the
        first is back: of what was acknowledged in between, neither of the two that are left knows anything."""
        rng, network = self.rng, self.network
        places = sorted(place for node in network.nodes.values() for place, _ in node.engine.places(b"", 100))
        if not places:
            return
        swarm = [network.nodes[node.key] for node in swarm_of(network.current, rng.choice(places), REPLICAS)]
        deaf, lost, down = rng.sample(swarm, 3)
        network.weather.parts.append({deaf.key})
        await asyncio.sleep(rng.uniform(2.0, 8.0))
        away.append(lost.key)
        down.crash()
        lost.crash(disk=True)
        network.weather.parts.clear()
        network.background.add(asyncio.ensure_future(self._restart(lost, rng.uniform(0.1, 1.0))))
        network.background.add(asyncio.ensure_future(self._restart(down, rng.uniform(5.0, 15.0))))
        network.background.add(asyncio.ensure_future(self._whole_again(lost, away)))

    async def _restart(self, node: Node, after: float) -> None:
        await asyncio.sleep(after)
        if not node.up:
            await node.start()

    async def _whole_again(self, node: Node, away: list[bytes]) -> None:
        """Another disk is lost only when this one has all it should."""
        while not self._whole(node):  # noqa: ASYNC110 - on virtual time
            await asyncio.sleep(1.0)
        away.clear()

    def _kept(self) -> bool:
        """Whether enough of those who are to keep each place do: periods are long enough for that."""
        network = self.network
        newest: dict[bytes, tuple[int, set[bytes]]] = {}
        for key, node in network.nodes.items():
            for place, data in node.engine.places(b"", 10_000):
                record = decode_record(data)
                view, holders = newest.get(place, (0, set()))
                if record.view > view:
                    view, holders = newest[place] = record.view, set()
                swarm = {one.key for one in swarm_of(network.current, place, REPLICAS)}
                if record.view == view and record.present and {one.node for one in record.members} == swarm:
                    holders.add(key)
        return all(
            len(holders & {node.key for node in swarm_of(network.current, place, REPLICAS)}) >= QUORUM
            for place, (view, holders) in newest.items()
            if view
        )

    def _whole(self, node: Node) -> bool:
        """Everything that others know it to keep, it keeps again."""
        swarm = node.swarm
        if swarm is None or not hasattr(swarm, "replica") or not swarm.replica.identity.sure:
            return False
        mine = node.engine.places(b"", 10_000)
        newest: dict[bytes, tuple[int, bool]] = {}
        for other in self.network.nodes.values():
            for place, data in other.engine.places(b"", 10_000):
                record = decode_record(data)
                names = any(m.node == node.key for m in record.members)
                newest[place] = max(newest.get(place, (0, False)), (record.view, names))
        held = {place: decode_record(data) for place, data in mine}
        return all(
            not names or (place in held and held[place].present and held[place].view >= view)
            for place, (view, names) in newest.items()
        )

    async def _peace(self) -> None:
        network = self.network
        network.weather.parts.clear()
        network.weather.loss = network.weather.twice = 0.0
        for node in network.nodes.values():
            if not node.up:
                await node.start()
            node.storage.full = False
        network.agree([node.key for node in network.current.nodes])
        await asyncio.sleep(SETTLE_S)

    # --- what must be true ------------------------------------------------------------------------------------------

    def _watch(self) -> None:
        """No two ever lead one view of a place."""
        led = self.led
        serve = Swarm._serve

        def watched(swarm: Swarm, place: bytes, serving: Serving) -> None:
            key = (place, serving.lead.view)
            if led.setdefault(key, swarm) is not swarm:
                self.doubly_led.append(key)
            serve(swarm, place, serving)

        Swarm._serve = watched  # type: ignore[assignment, method-assign]

    async def _check(self, ledger: Ledger, readers: list[Reader]) -> None:
        found: list[Entry] = []
        for reader in readers:
            found = await reader.finish()
            for envelope, numbers in ledger.acknowledged.items():
                if not any(number in reader.seen for number in numbers):
                    raise Broken(f"a reader missed {envelope[:12]!r}, acknowledged as {numbers}")
        present: dict[bytes, list[int]] = {}
        for entry in found:
            present.setdefault(entry.envelope, []).append(entry.number)
        for envelope, numbers in ledger.acknowledged.items():
            left = [number for number in numbers if number > ledger.trimmed]
            if ledger.box.kind == MailboxKind.SHARED and len(present.get(envelope, [])) != 1:
                raise Broken(f"{envelope[:12]!r} is there {present.get(envelope)} times")
            if left and len(present.get(envelope, [])) != 1:
                raise Broken(f"{envelope[:12]!r}, acknowledged as {numbers}, is not there once")
        if ledger.box.kind == MailboxKind.SHARED:
            order = [reader.seen for reader in readers]
            if any(seen != order[0] for seen in order):
                raise Broken("two readers saw different logs")
            for blob in ledger.blobs:
                expect(await readers[0].ask(GetBlob(ledger.box.get, blob)), BlobData)


def play(seed: int) -> dict[str, int]:
    """Raises Broken, or whatever went wrong."""
    serve = Swarm._serve
    try:
        return virtual_time.run(World(seed).play())
    finally:
        Swarm._serve = serve  # type: ignore[method-assign]
