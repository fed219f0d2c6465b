"""Person to person over an onion network of nine nodes and three authorities, each a process, beside the same two
people over one relay in the same run, to which the ratios are.

Everything shares this machine's cores: nine nodes on two of them show what the network costs, not what it carries where
each has its own. `links of 50 ms`: every connection goes over benchmarks.delay, which holds bytes for 50 ms each way.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import tempfile
import time
from collections.abc import AsyncIterator
from dataclasses import dataclass, replace
from pathlib import Path

from benchmarks.bench_people import _messages, _relay, a_process, befriend, line_of
from benchmarks.measure import Clock, Result, cost, percentiles, throughput
from roost.agent import browsing as b
from roost.agent import operations as o
from roost.agent.processes import rare_collections
from roost.agent.service import Service, create_profile
from roost.agent.views import Timing
from roost.apps.cli.agent import loop_factory
from roost.apps.cli.network_demo import Demo, _free_port
from roost.messaging import records as r
from roost.network.carriers.stream import StreamConnection
from roost.wire.sizes import ONION_PACKET_SIZE

NODES, PERIOD_S = 9, 20
DELAY_MS = 50
IN_FLIGHT = 32
FILE_MB = 10
IDLE_S = float(os.environ.get("ROOST_IDLE_S", "60"))
MIXED_S = 90.0  # each message takes seconds
CALM_S = 200.0  # after which a client that asked nothing shows fewer signs of life
READY_S = 400.0


def run(clock: Clock) -> list[Result]:
    with rare_collections(), asyncio.Runner(loop_factory=loop_factory()) as runner:
        return runner.run(_run(clock))


async def _run(clock: Clock) -> list[Result]:
    results = []
    async with _relay_link(0) as link, two_people(relay=link) as pair:
        central = await _talked("through one relay", clock, pair, None)
        results += central.results
    async with network(0) as link, two_people(network=link) as pair:
        onion = await _talked("through the onion", clock, pair, central)
        results += [*onion.results, *await _mixed(pair, onion), *await _idle(pair)]
    async with _relay_link(DELAY_MS) as link, two_people(relay=link) as pair:
        far = await _latency(f"through one relay, links of {DELAY_MS} ms", clock, pair, None)
        results += far
    async with network(DELAY_MS) as link, two_people(network=link) as pair:
        results += await _latency(f"through the onion, links of {DELAY_MS} ms", clock, pair, far)
    return results


# --- who talks, and over what -----------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Pair:
    """Two contacts' profiles, how the first names the second, and a folder."""

    alice: Path
    bob: Path
    contact: str
    folder: Path


@contextlib.asynccontextmanager
async def two_people(relay: str | None = None, network: str = "") -> AsyncIterator[Pair]:
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        pair = Pair(folder / "alice", folder / "bob", "", folder)
        for profile, person in ((pair.alice, "Alice"), (pair.bob, "Bob")):
            await create_profile(profile, person, relay, None, "none", (), (network,) if network else ())
        yield replace(pair, contact=await befriend(pair.alice, pair.bob))


@contextlib.asynccontextmanager
async def _relay_link(delay_ms: int) -> AsyncIterator[str]:
    """A relay's link."""
    with tempfile.TemporaryDirectory() as folder:
        if not delay_ms:
            async with _relay(Path(folder)) as link:
                yield link
            return
        far, near = _free_port(set()), _free_port(set())
        async with _delay(delay_ms, {far: near}):
            options = ("--listen", f"127.0.0.1:{near}", "--public-url", f"https://127.0.0.1:{far}", "--open", "--json")
            async with a_process("roost", "relay", "--data", folder, *options) as process:
                yield (await line_of(process)).split('"link":"')[1].split('"')[0]


@contextlib.asynccontextmanager
async def network(delay_ms: int) -> AsyncIterator[str]:
    """The link of a network whose nodes all keep mailboxes."""
    with tempfile.TemporaryDirectory() as folder:
        demo = FarDemo(Path(folder), NODES, PERIOD_S) if delay_ms else Demo(Path(folder), NODES, PERIOD_S)
        demo.found()
        async with contextlib.AsyncExitStack() as stack:
            if isinstance(demo, FarDemo):
                await stack.enter_async_context(_delay(delay_ms, demo.far()))
            await stack.enter_async_context(demo.running())
            async with asyncio.timeout(READY_S):
                while await demo.serving() < NODES:  # noqa: ASYNC110 - other processes make it true
                    await asyncio.sleep(0.5)
            yield demo.link


class FarDemo(Demo):
    """Its nodes are reached over other ports than those at which they listen."""

    def far(self) -> dict[int, int]:
        """From the port at which each node is reached to the one at which it listens."""
        return {self._port(f"far {name}"): self._port(name) for name in (f"node-{n}" for n in range(self.nodes))}

    async def _start(self, name: str, *options: str) -> None:
        if "--onion" in options:
            options = (*options, "--public-url", f"https://127.0.0.1:{self._port(f'far {name}')}")
        await super()._start(name, *options)

    def _port(self, name: str) -> int:
        return int(self.listen(name).rpartition(":")[2])


@contextlib.asynccontextmanager
async def _delay(delay_ms: int, ports: dict[int, int]) -> AsyncIterator[None]:
    pairs = [f"{listen}:{target}" for listen, target in ports.items()]
    async with a_process("benchmarks.delay", str(delay_ms), *pairs) as process:
        assert await line_of(process) == "ready"
        yield


# --- what is measured -------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Talked:
    latency: list[Result]
    rate: Result
    per_message: Result
    file: Result

    @property
    def results(self) -> list[Result]:
        return [*self.latency, self.rate, self.per_message, self.file]


async def _talked(how: str, clock: Clock, pair: Pair, floor: Talked | None) -> Talked:
    latency = await _latency(how, clock, pair, floor.latency if floor else None)
    async with a_process("benchmarks.person", str(pair.bob), "listen") as process, Service.open(pair.alice) as me:
        assert await line_of(process) == "ready"
        await _messages(me, pair.contact, process, 1, IN_FLIGHT)
        with Meter() as meter:
            many = await _messages(me, pair.contact, process, 3 * clock.seconds, IN_FLIGHT)
        await _sent(me)
    count = len(many.latencies)
    rate = throughput(
        f"{how}: messages, {IN_FLIGHT} in flight", count / many.seconds, "/s", floor.rate if floor else None
    )
    per_message = _of(
        f"{how}: bytes sent and received for a message", meter.bytes / count, "B", floor and floor.per_message
    )
    return Talked(latency, rate, per_message, await _file(how, pair, floor and floor.file))


async def _mixed(pair: Pair, fast: Talked) -> list[Result]:
    """From the sender's side alone: what the other says goes as they choose."""
    async with Service.open(pair.alice) as me:
        await me.call(b.SetTiming(conversation=pair.contact, timing=Timing.MIXED))
    found = await _latency("through the onion, mixed", Clock(MIXED_S / 6), pair, fast.latency)
    async with Service.open(pair.alice) as me:
        await me.call(b.SetTiming(conversation=pair.contact, timing=Timing.FAST))
    return found


async def _latency(how: str, clock: Clock, pair: Pair, floors: list[Result] | None) -> list[Result]:
    async with a_process("benchmarks.person", str(pair.bob), "listen") as process, Service.open(pair.alice) as me:
        assert await line_of(process) == "ready"
        await _messages(me, pair.contact, process, 2, 1)
        talk = await _messages(me, pair.contact, process, 6 * clock.seconds, 1)
        await _sent(me)
    found = percentiles(f"{how}: sent to stored", talk.latencies)
    if floors is None:
        return found
    return [cost(one.name, one.value, floor) for one, floor in zip(found, floors, strict=True)]


async def _file(how: str, pair: Pair, floor: Result | None) -> Result:
    file = pair.folder / "file"
    file.write_bytes(os.urandom(FILE_MB * 1_000_000))
    bobs = a_process("benchmarks.person", str(pair.bob), "file", str(pair.folder / "saved"))
    async with bobs as process, Service.open(pair.alice) as me:
        assert await line_of(process) == "ready"
        begun = time.monotonic()
        await me.call(o.Send(conversation=pair.contact, text="", files=(str(file),)))
        assert await line_of(process, 600) == "fetched"
        spent = time.monotonic() - begun
    return _of(f"{how}: a file of {FILE_MB} MB, sent and fetched", spent, "s", floor)


async def _idle(pair: Pair) -> list[Result]:
    """What a client that does nothing sends and receives, for one conversation."""
    found = []
    async with Service.open(pair.alice) as me:
        for timing in (Timing.FAST, Timing.MIXED):
            await me.call(b.SetTiming(conversation=pair.contact, timing=timing))
            await asyncio.sleep(10 if timing is Timing.MIXED else CALM_S)
            with Meter() as meter:
                await asyncio.sleep(IDLE_S)
            hours, what = IDLE_S / 3_600, "cover" if timing is Timing.MIXED else "no cover"
            found.append(Result(f"idle, {what}: sent and received in an hour", meter.bytes / hours / 1e6, "MB"))
            found.append(Result(f"idle, {what}: packets sent in an hour", meter.packets / hours, ""))
    return found


class Meter:
    """The bytes in frames that this process sends and receives, and how many packets are among those sent."""

    def __enter__(self) -> Meter:
        self.bytes = self.packets = 0
        self._send, self._received = StreamConnection.send, StreamConnection.data_received
        meter = self

        def send(connection: StreamConnection, frame: bytes) -> None:
            meter.bytes += len(frame)
            meter.packets += len(frame) > ONION_PACKET_SIZE
            meter._send(connection, frame)

        def received(connection: StreamConnection, data: bytes) -> None:
            meter.bytes += len(data)
            meter._received(connection, data)

        StreamConnection.send, StreamConnection.data_received = send, received  # type: ignore[method-assign]
        return self

    def __exit__(self, *_: object) -> None:
        StreamConnection.send, StreamConnection.data_received = self._send, self._received  # type: ignore[method-assign]


def _of(name: str, value: float, unit: str, floor: Result | None) -> Result:
    return Result(name, value, unit, value / floor.value if floor else None, floor.name if floor else "")


async def _sent(me: Service) -> None:
    while me.engine.look().find(r.Outbox):
        await me.engine.changed(0.1)
