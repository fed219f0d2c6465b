"""Nodes of a simulated onion network: their disks, their links, their deaths."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Callable, Sequence
from typing import Any, TypeVar

from roost.errors import SurroundingsError, Unreachable
from roost.relay.core.operations import AppendEntry, CardRow, Freed, MailboxRow, Operation, Totals, begin
from roost.relay.onion.swarm import Swarm
from roost.relay.storage import MemoryEngine, Reader, StorageFull
from roost.relay.storage.worker import Done
from roost.wire.addresses import RelayAddress
from roost.wire.onion import Consensus, ConsensusNode, PeriodKey

T = TypeVar("T")

EPOCH = 1_800_000_000.0
REPLICAS, QUORUM = 3, 2


class SeededEntropy:
    def __init__(self, rng: random.Random) -> None:
        self._rng = rng

    def bytes(self, count: int) -> bytes:
        return self._rng.randbytes(count)


class QuickEngine(MemoryEngine):
    """Without the copy of everything that makes a batch all or nothing: here none fails."""

    def apply(self, batch: Sequence[Operation]) -> Freed:
        from roost.relay.storage.memory import _APPLY

        self._freed = Freed()
        for operation in batch:
            _APPLY[type(operation)](self, operation)
        return self._freed


class SimulatedStorage:
    """`Storage` over a memory engine that outlives it, on virtual time; what is handed in is committed in groups."""

    def __init__(self, engine: QuickEngine, rng: random.Random) -> None:
        self._loop = asyncio.get_running_loop()
        self._engine = engine
        self._rng = rng
        self._waiting: list[tuple[Sequence[Operation], Done]] = []
        self._busy = False
        self.crashed = False
        self.full = False
        self.backlog = 0

    def crash(self) -> None:
        """Of what was handed in, none, some or all is durable; nobody hears of it."""
        self.crashed = True
        for operations, _ in self._waiting[: self._rng.randint(0, len(self._waiting))]:
            self._engine.apply([o for o in begin(operations) if not (type(o) is AppendEntry and o.dropped)])

    def submit(self, operations: Sequence[Operation], done: Done, bytes_: int = -1) -> None:
        self._waiting.append((operations, done))
        if not self._busy:
            self._busy = True
            self._loop.call_later(self._rng.uniform(0.0005, 0.006), self._commit)

    def _commit(self) -> None:
        if self.crashed:
            return
        batch, self._waiting = self._waiting, []
        error = None
        if self.full and self._rng.random() < 0.5:
            error = StorageFull("full")
            batch, self._waiting = batch + self._waiting, []
        else:
            self._engine.apply([operation for operations, _ in batch for operation in begin(operations)])
        for _, done in batch:
            done(error, Freed())
        if self._waiting:
            self._loop.call_later(self._rng.uniform(0.0005, 0.006), self._commit)
        else:
            self._busy = False

    def ask(self, question: Callable[[Reader], T], done: Callable[[T], None]) -> None:
        def answer() -> None:
            if not self.crashed:
                done(question(self._engine.reader()))

        self._loop.call_later(0.0003, answer)

    def load(self, hashes: Sequence[bytes], done: Callable[[list[MailboxRow]], None]) -> None:
        self.ask(lambda reader: reader.mailboxes(hashes), done)

    def load_mailbox(self, number: int, done: Callable[[MailboxRow | None], None]) -> None:
        self.ask(lambda reader: reader.mailbox(number), done)

    def load_card(self, locator: bytes, done: Callable[[CardRow | None], None]) -> None:
        self.ask(lambda reader: reader.card(locator), done)

    def read_envelopes(
        self, mailbox: int, numbers: Sequence[int], done: Callable[[list[tuple[int, bytes]]], None]
    ) -> None:
        self.ask(lambda reader: reader.envelopes(mailbox, numbers), done)

    def read_blob(self, mailbox: int, blob: bytes, done: Callable[[bytes | None], None]) -> None:
        self.ask(lambda reader: reader.blob(mailbox, blob), done)

    def count(self, done: Callable[[Totals], None]) -> None:
        self.ask(lambda reader: reader.totals(), done)

    async def close(self) -> None:
        self.crashed = True


class Weather:
    """How bad the network is just now."""

    def __init__(self, rng: random.Random) -> None:
        self.rng = rng
        self.loss = 0.0
        self.twice = 0.0
        self.delay = 0.02
        self.parts: list[set[bytes]] = []

    def cut(self, one: bytes, other: bytes) -> bool:
        return any((one in part) != (other in part) for part in self.parts)

    async def pass_(self, one: bytes, other: bytes) -> bool:
        """Whether a message gets there, after its time."""
        await asyncio.sleep(self.rng.uniform(0.001, self.delay))
        return not self.cut(one, other) and self.rng.random() >= self.loss


class Node:
    def __init__(self, key: bytes, world: Network) -> None:
        self.key = key
        self.world = world
        self.engine = QuickEngine()
        self.swarm: Swarm | None = None
        self.boots = 0
        self.storage: SimulatedStorage
        self._handling: set[asyncio.Task[Any]] = set()

    @property
    def up(self) -> bool:
        return self.swarm is not None

    async def start(self) -> None:
        assert self.swarm is None
        self.boots += 1
        rng = self.world.rng
        self.storage = storage = SimulatedStorage(self.engine, rng)

        async def opened() -> SimulatedStorage:
            return storage

        boot = self.boots

        async def send(node: bytes, body: bytes) -> bytes:
            return await self.world.send(self, boot, node, body)

        swarm = Swarm(opened, self.key, send, REPLICAS, QUORUM, SeededEntropy(rng), self.world.clock)
        self.swarm = swarm
        opening = asyncio.ensure_future(swarm.open())
        self._handling.add(opening)
        try:
            await opening
        except asyncio.CancelledError:
            return
        finally:
            self._handling.discard(opening)
        swarm.on_consensus(self.world.current, self.world.previous)

    def crash(self, *, disk: bool = False) -> None:
        """At whatever step it was."""
        swarm, self.swarm = self.swarm, None
        if swarm is None:
            return
        self.storage.crash()
        for task in tuple(self._handling):
            task.cancel()
        closing = asyncio.ensure_future(swarm.close())
        self.world.background.add(closing)
        closing.add_done_callback(self.world.background.discard)
        if disk:
            self.engine = QuickEngine()

    async def answer(self, node: bytes, body: bytes) -> bytes:
        assert self.swarm is not None
        task = asyncio.ensure_future(self.swarm.message(node, body))
        self._handling.add(task)
        try:
            return await task
        finally:
            self._handling.discard(task)


class Network:
    """All nodes, and the links between them."""

    def __init__(self, rng: random.Random, count: int) -> None:
        self.rng = rng
        self.weather = Weather(rng)
        self.nodes = {key: Node(key, self) for key in sorted(rng.randbytes(32) for _ in range(count))}
        self.salts = {key: rng.randbytes(32) for key in self.nodes}
        self.background: set[asyncio.Future[Any]] = set()
        self.period = 1
        self.previous: Consensus | None = None
        self.current = self._consensus(list(self.nodes))

    def clock(self) -> float:
        return EPOCH + asyncio.get_running_loop().time()

    def _consensus(self, keys: list[bytes]) -> Consensus:
        packet_keys = (PeriodKey(self.period, bytes(1_216)),)
        nodes = tuple(
            ConsensusNode(RelayAddress("127.0.0.1", 1, key), "", packet_keys, 0, self.salts[key], 1_000)
            for key in sorted(keys)
        )
        previous = bytes(32) if self.period == 1 else self.current.id
        return Consensus(bytes(32), self.period, previous, bytes(32), nodes)

    def agree(self, keys: list[bytes]) -> None:
        """The next consensus: these nodes. Each hears of it at a time of its own."""
        self.period += 1
        self.previous, self.current = self.current, self._consensus(keys)
        slow = self.rng.choice((0.5, 3.0, 15.0))
        for node in self.nodes.values():
            if node.swarm is not None:
                later = self.rng.uniform(0.0, slow)
                asyncio.get_running_loop().call_later(later, self._tell, node, self.current, self.previous)

    def _tell(self, node: Node, current: Consensus, previous: Consensus | None) -> None:
        if node.swarm is not None and current.period >= self.period:
            node.swarm.on_consensus(current, previous)

    async def send(self, sender: Node, boot: int, key: bytes, body: bytes) -> bytes:
        """As `Send`: the other's answer, if both ways are open."""
        weather = self.weather
        if not await weather.pass_(sender.key, key):
            await self._nothing()
        node = self.nodes.get(key)
        if node is None or not node.up:
            raise Unreachable("down")
        if self.rng.random() < weather.twice:
            copy = asyncio.ensure_future(self._again(node, sender.key, body))
            self.background.add(copy)
            copy.add_done_callback(self.background.discard)
        try:
            answer = await node.answer(sender.key, body)
        except asyncio.CancelledError:
            if asyncio.current_task().cancelling():  # type: ignore[union-attr]
                raise
            await self._nothing()
        except (SurroundingsError, ValueError):
            raise Unreachable("refused") from None
        if not await weather.pass_(key, sender.key) or sender.boots != boot:
            await self._nothing()
        return answer

    async def _again(self, node: Node, sender: bytes, body: bytes) -> None:
        await asyncio.sleep(self.rng.uniform(0.0, 2.0))
        if node.up:
            try:
                await node.answer(sender, body)
            except (SurroundingsError, ValueError, asyncio.CancelledError):
                return

    async def _nothing(self) -> None:
        """No answer ever comes."""
        await asyncio.sleep(60.0)
        raise Unreachable("lost")
