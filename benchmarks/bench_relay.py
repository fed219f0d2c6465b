"""A real relay process with real links: durable puts, each delivered to a subscriber and trimmed, against a plain echo.

The load comes from this process over 100 links, so wall-clock figures show both ends on one machine. The figure that
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

from benchmarks.load import Count, echo_links, relay_links
from benchmarks.measure import Clock, Result, percentiles, throughput
from roost.crypto import capability_hash
from roost.network import Link, connect_relay
from roost.wire.addresses import RelayAddress
from roost.wire.links import parse_relay_link
from roost.wire.mailbox import Create, Grant, MailboxKind, Put, Right, Trim
from roost.wire.sizes import CAPABILITY_SIZE, ENVELOPE_SIZE

LINKS = 100
WINDOW = 8  # puts of one link at one time
LATE = 200  # envelopes a subscriber takes before it trims
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
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        light = await _latencies(partial(_echo_once, reader, writer), seconds / 3)
        writer.close()
        count = Count()
        links = await echo_links(port, LINKS, count)
        for link in links:
            link.begin()
        load = await _measured(count, process.pid, seconds)
        for link in links:
            link.close()
    return [
        throughput("echo of 4 KiB, one at a time on each link", load.per_cpu_s, "/CPU s"),
        *percentiles("echo of 4 KiB, light", light),
    ]


async def _echo_once(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    writer.write(bytes(ENVELOPE_SIZE))
    await reader.readexactly(ENVELOPE_SIZE)


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
        if self.newest - self.trimmed >= LATE:
            self.trimmed = self.newest
            await self.link.call(Trim(self.admin, self.newest), timeout_s=None)
        return at[0], stored


async def _relay(seconds: float, floor: Result) -> list[Result]:
    async with _running() as (address, pid):
        box = Box(await connect_relay(address))
        await box.open()
        delivered, stored = [], []
        until = time.perf_counter() + seconds / 3
        while time.perf_counter() < until:
            one, other = await box.send()
            delivered.append(one)
            stored.append(other)
        await box.link.close()
        prompt = await _loaded(address.port, pid, seconds, trim_every=1)
    async with _running() as (address, pid):
        late = await _loaded(address.port, pid, seconds, trim_every=LATE)
    return [
        throughput("durable deliveries, trimmed when they come", prompt.per_cpu_s, "/CPU s", floor),
        throughput("durable deliveries, trimmed late", late.per_cpu_s, "/CPU s", floor),
        throughput("... by the clock, trimmed when they come", prompt.per_s, "/s"),
        throughput("... by the clock, trimmed late", late.per_s, "/s"),
        *percentiles("put to delivered, light", delivered),
        *percentiles("put to durable, light", stored),
    ]


async def _loaded(port: int, pid: int, seconds: float, *, trim_every: int) -> Load:
    """Deliveries between `LINKS` links, each with `WINDOW` puts under way into the next one's mailbox."""
    count = Count()
    links = await relay_links(port, LINKS, count, trim_every=trim_every)
    for link, other in zip(links, [*links[1:], links[0]], strict=True):
        link.begin(other, WINDOW)
    load = await _measured(count, pid, seconds)
    for link in links:
        link.end()
    await asyncio.sleep(0.2)
    for link in links:
        link.close()
    if count.refused or not count.stored:
        raise RuntimeError("the relay refused some of the load")
    return load


@asynccontextmanager
async def _running() -> AsyncIterator[tuple[RelayAddress, int]]:
    with tempfile.TemporaryDirectory() as folder:
        config = Path(folder) / "relay.toml"
        config.write_text(CONFIG)
        options = ("--config", str(config), "--data", folder, "--listen", "127.0.0.1:0", "--json")
        with _process("roost", "relay", *options) as process:
            yield parse_relay_link(json.loads(_line(process))["link"]).address, process.pid


# --- measuring --------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Load:
    """Frames a second, and a second of the server's CPU time."""

    per_s: float
    per_cpu_s: float


async def _measured(count: Count, pid: int, seconds: float) -> Load:
    """What is delivered while time passes, once it has settled; `pid` is the server."""
    await asyncio.sleep(seconds / 5)
    delivered, before, begun = count.delivered, _cpu_seconds(pid), time.perf_counter()
    await asyncio.sleep(seconds)
    cpu = max(_cpu_seconds(pid) - before, 1 / TICKS)
    delivered = count.delivered - delivered
    return Load(delivered / (time.perf_counter() - begun), delivered / cpu)


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
