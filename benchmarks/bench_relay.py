"""A real relay process with real links: durable puts, each delivered to a subscriber and trimmed, against a plain echo.

The load comes from this process over 16 links, so wall-clock figures show both ends on one machine. The figure that
holds is per second of the *relay's* CPU time, compared with the echo server's own CPU time for frames of the same size:
one delivery is a put, an answer, a pushed envelope, a share of a trim, TLS both ways and a commit to disk; one echo is
a frame in and out.
"""

from __future__ import annotations

import asyncio
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

import uvloop

from benchmarks.measure import Clock, Result, percentiles, throughput
from roost.crypto import capability_hash
from roost.network import Link, connect_relay
from roost.wire.links import parse_relay_link
from roost.wire.mailbox import Create, Grant, MailboxKind, Put, Right, Trim
from roost.wire.sizes import CAPABILITY_SIZE, ENVELOPE_SIZE

LINKS = 16
OUTSTANDING = 8  # puts of one link at one time
TRIM_EVERY = 200
ROOT = Path(__file__).resolve().parent.parent
CONFIG = "open = true\nrequests_per_second = 1e9\n[quotas]\nmailbox_envelopes = 1000000\n"
TICKS = os.sysconf("SC_CLK_TCK")


def run(clock: Clock) -> list[Result]:
    seconds = max(clock.seconds, 0.5) * 3
    floor, *latencies = uvloop.run(_echo(seconds))
    return [floor, *latencies, *uvloop.run(_relay(seconds, floor))]


# --- the floor --------------------------------------------------------------------------------------------------------


async def _echo(seconds: float) -> list[Result]:
    with _process("benchmarks.floor") as process:
        port = int(_line(process))
        streams = [await asyncio.open_connection("127.0.0.1", port) for _ in range(LINKS)]
        light = await _latencies(partial(_echo_once, *streams[0], 1), seconds / 3)
        load = await _loaded([partial(_echo_once, *stream, 1) for stream in streams], 1, process.pid, seconds)
        for _, writer in streams:
            writer.close()
    return [
        throughput("echo of 4 KiB, one at a time on each link", load.per_cpu_s, "/CPU s"),
        *percentiles("echo of 4 KiB, light", light),
    ]


async def _echo_once(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, frames: int) -> None:
    writer.write(bytes(ENVELOPE_SIZE * frames))
    await reader.readexactly(ENVELOPE_SIZE * frames)


# --- the relay --------------------------------------------------------------------------------------------------------


@dataclass
class Box:
    """A mailbox with one writer and one subscriber, both on one link."""

    link: Link
    admin: bytes = field(default_factory=lambda: os.urandom(CAPABILITY_SIZE))
    get: bytes = field(default_factory=lambda: os.urandom(CAPABILITY_SIZE))
    put: bytes = field(default_factory=lambda: os.urandom(CAPABILITY_SIZE))
    arrived: dict[bytes, asyncio.Future[None]] = field(default_factory=dict)
    newest: int = 0
    trimmed: int = 0

    async def open(self) -> None:
        rights = ((self.admin, Right.ADMIN), (self.get, Right.GET), (self.put, Right.PUT))
        grants = tuple(Grant(capability_hash(secret), right) for secret, right in rights)
        await self.link.call(Create(MailboxKind.ORDINARY, grants))
        await self.link.subscribe(self.get, 0, self._deliver)

    def _deliver(self, number: int, envelope: bytes) -> None:
        self.newest = max(self.newest, number)
        waiting = self.arrived.pop(envelope[:16], None)
        if waiting is not None:
            waiting.set_result(None)

    async def send(self) -> tuple[float, float]:
        """Put one envelope; seconds until it was delivered and until it was durable."""
        envelope = os.urandom(16) + bytes(ENVELOPE_SIZE - 16)
        delivered = self.arrived[envelope[:16]] = asyncio.get_running_loop().create_future()
        begun = time.perf_counter()
        at: list[float] = []
        delivered.add_done_callback(lambda _: at.append(time.perf_counter() - begun))
        await self.link.call(Put(self.put, envelope), timeout_s=None)
        stored = time.perf_counter() - begun
        await delivered
        if self.newest - self.trimmed >= TRIM_EVERY:
            self.trimmed = self.newest
            await self.link.call(Trim(self.admin, self.newest), timeout_s=None)
        return at[0], stored

    async def burst(self) -> None:
        await asyncio.gather(*(self.send() for _ in range(OUTSTANDING)))


async def _relay(seconds: float, floor: Result) -> list[Result]:
    async with _boxes() as (boxes, pid):
        delivered, stored = [], []
        until = time.perf_counter() + seconds / 3
        while time.perf_counter() < until:
            one, other = await boxes[0].send()
            delivered.append(one)
            stored.append(other)
        load = await _loaded([box.burst for box in boxes], OUTSTANDING, pid, seconds)
    return [
        throughput("durable deliveries, loaded", load.per_cpu_s, "/CPU s", floor),
        throughput("durable deliveries, both ends here", load.per_s, "/s"),
        *percentiles("put to delivered, light", delivered),
        *percentiles("put to durable, light", stored),
    ]


@asynccontextmanager
async def _boxes() -> AsyncIterator[tuple[list[Box], int]]:
    with tempfile.TemporaryDirectory() as folder:
        config = Path(folder) / "relay.toml"
        config.write_text(CONFIG)
        options = ("--config", str(config), "--data", folder, "--listen", "127.0.0.1:0", "--json")
        with _process("roost", "relay", *options) as process:
            address = parse_relay_link(json.loads(_line(process))["link"]).address
            boxes = [Box(await connect_relay(address)) for _ in range(LINKS)]
            for box in boxes:
                await box.open()
            try:
                yield boxes, process.pid
            finally:
                for box in boxes:
                    await box.link.close()


# --- measuring --------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Load:
    """Frames a second, and a second of the server's CPU time."""

    per_s: float
    per_cpu_s: float


async def _loaded(work: list[Callable[[], Awaitable[None]]], frames: int, pid: int, seconds: float) -> Load:
    """What goes through when each of `work` is called again and again, `frames` a call; `pid` is the server."""
    begun = time.perf_counter()
    until = begun + seconds
    counts = [0] * len(work)

    async def keep(index: int) -> None:
        while time.perf_counter() < until:
            await work[index]()
            counts[index] += frames

    before = _cpu_seconds(pid)
    await asyncio.gather(*(keep(index) for index in range(len(work))))
    cpu = max(_cpu_seconds(pid) - before, 1 / TICKS)
    return Load(sum(counts) / (time.perf_counter() - begun), sum(counts) / cpu)


async def _latencies(once: Callable[[], Awaitable[None]], seconds: float) -> list[float]:
    found, until = [], time.perf_counter() + seconds
    while time.perf_counter() < until:
        begun = time.perf_counter()
        await once()
        found.append(time.perf_counter() - begun)
    return found


def _cpu_seconds(pid: int) -> float:
    """User and system time of a process with its children (proc(5), fields 14 and 15), Linux only."""
    pids, total = [pid], 0
    while pids:
        one = pids.pop()
        fields = Path(f"/proc/{one}/stat").read_text().rpartition(")")[2].split()
        total += int(fields[11]) + int(fields[12])
        for children in Path(f"/proc/{one}/task").glob("*/children"):
            pids += [int(child) for child in children.read_text().split()]
    return total / TICKS


@contextmanager
def _process(module: str, *options: str) -> Iterator[subprocess.Popen[str]]:
    command = [sys.executable, "-m", module, *options]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True, cwd=ROOT)
    try:
        yield process
    finally:
        process.terminate()
        process.wait(timeout=10)


def _line(process: subprocess.Popen[str]) -> str:
    assert process.stdout is not None
    return process.stdout.readline()
