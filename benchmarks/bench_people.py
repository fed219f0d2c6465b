"""Person to person: two agents in processes of their own and a relay in a third, with everything on (ratchet, both
stores at `synchronous=FULL`, acknowledgements, receipts).

The floor of a message is what it cannot do without: two commits of an encrypted store one after the other (the sender's
outbox, the recipient's history), and a frame of 4 KiB there and back by TCP on this machine.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import resource
import statistics
import sys
import tempfile
import time
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from pathlib import Path

from benchmarks.measure import Clock, Result, cost, percentiles, throughput
from benchmarks.processes import cpu_seconds
from roost.agent import operations as o
from roost.agent.processes import rare_collections
from roost.agent.service import Service, create_profile
from roost.apps.cli.agent import loop_factory
from roost.messaging import records as r
from roost.messaging.records import Changes, Setting
from roost.store import Store
from roost.wire.sizes import ENVELOPE_SIZE

IN_FLIGHT = 32
WAITING = 9_000  # a mailbox takes 9,375 from others


def run(clock: Clock) -> list[Result]:
    with rare_collections(), asyncio.Runner(loop_factory=loop_factory()) as runner:
        return runner.run(_run(clock))


async def _run(clock: Clock) -> list[Result]:
    async with two_people() as (alice, bob, contact):
        (commits, commits_cpu), (there_and_back, echo_cpu) = two_commits(alice.parent), await echo()
        floor = cost("two commits and an echo", commits + there_and_back)
        floor_cpu = cost("... CPU time", commits_cpu + echo_cpu)
        return [
            floor,
            floor_cpu,
            *await talking(clock, alice, bob, contact, floor, floor_cpu),
            *await _absence(alice, bob, contact),
        ]


@contextlib.asynccontextmanager
async def two_people() -> AsyncIterator[tuple[Path, Path, str]]:
    """The profiles of two contacts, whose mailboxes are at a relay that runs; and how the first names the second."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        async with _relay(folder) as link:
            alice, bob = folder / "alice", folder / "bob"
            for profile, person in ((alice, "Alice"), (bob, "Bob")):
                await create_profile(profile, person, link, None, "none")
            yield alice, bob, await befriend(alice, bob)


# --- floors -----------------------------------------------------------------------------------------------------------


def two_commits(folder: Path) -> tuple[float, float]:
    """Microseconds of two commits of a small row, the median, and of CPU time."""
    store, taken = Store.create(folder / "floor.db", os.urandom(32)), []
    spent = time.process_time()
    for number in range(100):
        begun = time.perf_counter()
        store.apply(Changes(put=(Setting(str(number), bytes(8)),), delete=(), events=()))
        taken.append(time.perf_counter() - begun)
    spent = time.process_time() - spent
    store.close()
    return 2 * statistics.median(taken) * 1e6, 2 * spent / len(taken) * 1e6


async def echo() -> tuple[float, float]:
    """Microseconds of 4 KiB there and back between two tasks of this process, the median, and of CPU time."""

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(asyncio.IncompleteReadError):
            while True:
                writer.write(await reader.readexactly(ENVELOPE_SIZE))
        writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    reader, writer = await asyncio.open_connection(*server.sockets[0].getsockname())
    taken, spent = [], time.process_time()
    for _ in range(300):
        begun = time.perf_counter()
        writer.write(bytes(ENVELOPE_SIZE))
        await reader.readexactly(ENVELOPE_SIZE)
        taken.append(time.perf_counter() - begun)
    spent = time.process_time() - spent
    writer.close()
    server.close()
    return statistics.median(taken) * 1e6, spent / len(taken) * 1e6


# --- processes --------------------------------------------------------------------------------------------------------


def peak_memory() -> float:
    """The most that this process has used, in MiB."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


@contextlib.asynccontextmanager
async def a_process(*command: str) -> AsyncIterator[asyncio.subprocess.Process]:
    process = await asyncio.create_subprocess_exec(sys.executable, "-m", *command, stdout=asyncio.subprocess.PIPE)
    try:
        yield process
    finally:
        if process.returncode is None:
            process.terminate()
        await process.wait()


async def line_of(process: asyncio.subprocess.Process, within_s: float = 60) -> str:
    assert process.stdout is not None
    async with asyncio.timeout(within_s):
        return (await process.stdout.readline()).decode().strip()


@contextlib.asynccontextmanager
async def _relay(folder: Path) -> AsyncIterator[str]:
    options = ("--data", str(folder / "relay"), "--listen", "127.0.0.1:0", "--access", "benchmark", "--json")
    async with a_process("roost", "relay", *options) as process:
        yield json.loads(await line_of(process))["link"]


async def befriend(alice: Path, bob: Path) -> str:
    """Make them contacts; how Alice names Bob."""
    async with Service.open(alice) as one, Service.open(bob) as other:
        await other.call(o.Add(link=(await one.call(o.Invite())).link, greeting="hello"))
        while not (waiting := await one.call(o.Requests())):
            await one.engine.changed(0.1)
        await one.call(o.Accept(id=waiting[0].id))
        while one.engine.look().find(r.Outbox) or other.engine.look().find(r.Outbox):
            await one.engine.changed(0.1)
        return waiting[0].contact


# --- what is measured -------------------------------------------------------------------------------------------------


async def talking(clock: Clock, alice: Path, bob: Path, contact: str, floor: Result, floor_cpu: Result) -> list[Result]:
    async with a_process("benchmarks.person", str(bob), "listen") as process, Service.open(alice) as me:
        assert await line_of(process) == "ready"
        await _messages(me, contact, process, 0.5, 1)
        single = await _messages(me, contact, process, 3 * clock.seconds, 1)
        many = await _messages(me, contact, process, 3 * clock.seconds, IN_FLIGHT)
        while me.engine.look().find(r.Outbox):
            await me.engine.changed(0.1)
    return [
        throughput("messages, one at a time", len(single.latencies) / single.seconds, "/s"),
        *percentiles("sent to stored, one at a time", single.latencies, floor),
        *_spent("one at a time", single, floor_cpu),
        throughput(f"messages, {IN_FLIGHT} in flight", len(many.latencies) / many.seconds, "/s"),
        *percentiles(f"sent to stored, {IN_FLIGHT} in flight", many.latencies, floor),
        *_spent(f"{IN_FLIGHT} in flight", many, floor_cpu),
    ]


def _spent(how: str, talk: Talk, floor: Result) -> list[Result]:
    count = len(talk.latencies) / 1e6
    return [
        cost(f"CPU time of the sender, {how}", talk.own_cpu / count, floor),
        cost(f"CPU time of the recipient, {how}", talk.other_cpu / count, floor),
    ]


@dataclass
class Talk:
    latencies: list[float] = field(default_factory=list)
    seconds: float = 0.0
    own_cpu: float = 0.0  # seconds of this process
    other_cpu: float = 0.0


async def _messages(me: Service, contact: str, other: asyncio.subprocess.Process, seconds: float, at_once: int) -> Talk:
    """Say things for so long, with so many on their way at a time; until all are stored at the other side."""
    talk, room, begun, said = Talk(), asyncio.Semaphore(at_once), time.monotonic(), 0
    sending: set[asyncio.Task[object]] = set()

    async def hear() -> None:
        while True:
            talk.latencies.append(int(await line_of(other)) / 1e6)
            room.release()

    own_cpu, other_cpu = time.process_time(), cpu_seconds(other.pid)
    hearing = asyncio.create_task(hear())
    while time.monotonic() - begun < seconds:
        await room.acquire()
        said += 1
        task = asyncio.create_task(me.call(o.Send(conversation=contact, text=f"{time.monotonic_ns()} hello there")))
        sending.add(task)
        task.add_done_callback(sending.discard)
    for _ in range(at_once):  # all are back
        await room.acquire()
    hearing.cancel()
    talk.seconds = time.monotonic() - begun
    talk.own_cpu, talk.other_cpu = time.process_time() - own_cpu, cpu_seconds(other.pid) - other_cpu
    return talk


async def _absence(alice: Path, bob: Path, contact: str) -> list[Result]:
    """What waits for somebody who was away."""
    async with Service.open(alice) as me:
        before, begun = peak_memory(), time.monotonic()
        for first in range(0, WAITING, IN_FLIGHT):
            numbers = range(first, min(first + IN_FLIGHT, WAITING))
            texts = (f"{number} while you were away" for number in numbers)
            await asyncio.gather(*(me.call(o.Send(conversation=contact, text=text)) for text in texts))
        while me.engine.look().find(r.Outbox, where={"state": int(r.OutboxState.SEALED)}, limit=1):
            await me.engine.changed(0.2)
        sent, memory = time.monotonic() - begun, peak_memory() - before
    async with a_process("benchmarks.person", str(bob), "absence", str(WAITING)) as process:
        opened, spent, peak = map(float, (await line_of(process, 300)).split())
    return [
        throughput(f"{WAITING:,} messages for somebody who is away, to the relay", WAITING / sent, "/s"),
        Result("... memory that they took", memory, "MiB"),
        cost("a profile is open", opened * 1e6),
        throughput(f"{WAITING:,} messages that waited, to disk", WAITING / spent, "/s"),
        Result("... peak memory beyond a profile that is not open", peak, "MiB"),
    ]
