"""A real relay process with real links: durable puts, each delivered to a subscriber and trimmed, against a plain echo;
and packets that one relay forwards to another.

The server has one core for itself, its writer's process included, and the load the other. On a machine with other work
the clock says little; the figure that holds is per second of the *server's* CPU time: one delivery is a put, an answer,
a pushed envelope, a share of a trim, TLS both ways and a commit to disk; one echo is a frame in and out. Server and
floor take turns, and the best round of each counts, since whatever disturbs one only adds to it.
"""

from __future__ import annotations

import asyncio
import os
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from functools import partial

import uvloop

from benchmarks.load import Keys, Load, Measured, built
from benchmarks.measure import Clock, Result, percentiles, throughput
from benchmarks.processes import ACCESS, RunningRelay, cpu_seconds, relay, server
from roost.crypto import PacketPublic
from roost.network import Link, connect_relay
from roost.network.federation import seal_request
from roost.wire.mailbox import Forward, Put, Trim
from roost.wire.sizes import ENVELOPE_SIZE

LINKS = 100
WINDOW = 8  # puts of one link at one time
LATE = 200  # envelopes a subscriber takes before it trims
ROUNDS = 4
FORWARDS = 1_000  # in a second of measuring
FORWARD_LINKS, FORWARD_WINDOW = 8, 16


def run(clock: Clock) -> list[Result]:
    seconds = max(clock.seconds, 0.5)
    with server("benchmarks.floor", cpus=_cpus()[0]) as (floor, line):
        light = asyncio.run(_echo_light(int(line), seconds))
        echoes, prompt, late = _rounds(seconds, floor, int(line))
    echo = throughput("echo of 4 KiB, one at a time on each link", _per_cpu_s(echoes), "/CPU s")
    with relay() as running:
        delivered, stored = uvloop.run(_light(running, seconds))
    forwarder, opener, forwards = uvloop.run(_forwarding(seconds))
    return [
        echo,
        throughput("durable deliveries, trimmed when they come", _per_cpu_s(prompt), "/CPU s", echo),
        throughput("durable deliveries, trimmed late", _per_cpu_s(late), "/CPU s", echo),
        throughput("echo, by the clock", _per_s(echoes), "/s"),
        throughput("... durable deliveries, trimmed when they come", _per_s(prompt), "/s"),
        throughput("... durable deliveries, trimmed late", _per_s(late), "/s"),
        *percentiles("echo of 4 KiB, light", light),
        *percentiles("put to delivered, light", delivered),
        *percentiles("put to durable, light", stored),
        throughput("puts forwarded, of the forwarding relay", forwarder, "/CPU s", echo),
        throughput("... of the relay that opens and stores them", opener, "/CPU s", echo),
        throughput("... by the clock", forwards, "/s"),
    ]


def _cpus() -> tuple[set[int] | None, set[int] | None]:
    """One for the server, one for the load, where there are two."""
    found = sorted(os.sched_getaffinity(0))
    return ({found[0]}, {found[1]}) if len(found) > 1 else (None, None)


# --- many links -------------------------------------------------------------------------------------------------------


def _rounds(seconds: float, floor: int, floor_port: int) -> tuple[list[Measured], list[Measured], list[Measured]]:
    ours, theirs = _cpus()
    prefix = () if theirs is None else ("taskset", "-c", ",".join(map(str, theirs)))
    echoes, prompt, late = [], [], []
    with built(prefix) as load:
        for _ in range(ROUNDS):
            echoes.append(load.echo(floor_port, LINKS, seconds, partial(cpu_seconds, floor)))
            prompt.append(_loaded(load, seconds, 1, ours))
            late.append(_loaded(load, seconds, LATE, ours))
    return echoes, prompt, late


def _loaded(load: Load, seconds: float, trim_every: int, cpus: set[int] | None) -> Measured:
    with relay(cpus) as running:
        return load.relay(running.address.port, LINKS, WINDOW, 2 * seconds, trim_every, running.cpu_s)


def _per_cpu_s(rounds: list[Measured]) -> float:
    return max(each.count / each.cpu_s for each in rounds)


def _per_s(rounds: list[Measured]) -> float:
    return max(each.count / each.seconds for each in rounds)


# --- one at a time ----------------------------------------------------------------------------------------------------


async def _echo_light(port: int, seconds: float) -> list[float]:
    reader, writer = await asyncio.open_connection("127.0.0.1", port)

    async def once() -> None:
        writer.write(bytes(ENVELOPE_SIZE))
        await reader.readexactly(ENVELOPE_SIZE)

    found = await _latencies(once, seconds)
    writer.close()
    return found


async def _latencies(once: Callable[[], Awaitable[None]], seconds: float) -> list[float]:
    found, until = [], time.perf_counter() + seconds
    while time.perf_counter() < until:
        begun = time.perf_counter()
        await once()
        found.append(time.perf_counter() - begun)
    return found


@dataclass
class Box:
    """A mailbox with one writer and one subscriber, both on one link."""

    link: Link
    keys: Keys = field(default_factory=Keys)
    arrived: dict[bytes, asyncio.Future[None]] = field(default_factory=dict)
    newest: int = 0
    trimmed: int = 0

    async def open(self) -> None:
        await self.link.call(self.keys.create())
        await self.link.subscribe(self.keys.get, 0, self._deliver)

    def _deliver(self, number: int, envelope: bytes) -> None:
        self.newest = max(self.newest, number)
        waiting = self.arrived.pop(envelope[:16], None)
        if waiting is not None:
            waiting.set_result(None)

    async def send(self) -> tuple[float, float]:
        """Put one envelope; seconds until it was delivered and until it was durable."""
        envelope = _envelope()
        delivered = self.arrived[envelope[:16]] = asyncio.get_running_loop().create_future()
        begun = time.perf_counter()
        at: list[float] = []
        delivered.add_done_callback(lambda _: at.append(time.perf_counter() - begun))
        await self.link.call(Put(self.keys.put, envelope), timeout_s=None)
        stored = time.perf_counter() - begun
        await delivered
        if self.newest - self.trimmed >= LATE:
            self.trimmed = self.newest
            await self.link.call(Trim(self.keys.admin, self.newest), timeout_s=None)
        return at[0], stored


async def _light(running: RunningRelay, seconds: float) -> tuple[list[float], list[float]]:
    box = Box(await connect_relay(running.address))
    await box.open()
    delivered, stored = [], []
    until = time.perf_counter() + seconds
    while time.perf_counter() < until:
        one, other = await box.send()
        delivered.append(one)
        stored.append(other)
    await box.link.close()
    return delivered, stored


# --- from relay to relay ----------------------------------------------------------------------------------------------


class _Entropy:
    def bytes(self, count: int) -> bytes:
        return os.urandom(count)


async def _forwarding(seconds: float) -> tuple[float, float, float]:
    """Puts into a mailbox at the second relay by way of the first: a CPU second of either, and by the clock."""
    with relay() as near, relay() as far:
        direct = await connect_relay(far.address)
        keys = Keys()
        await direct.call(keys.create())
        to = PacketPublic(direct.info.packet_key.public)
        links = [await connect_relay(near.address) for _ in range(FORWARD_LINKS)]
        packets = [seal_request(to, Put(keys.put, _envelope()), _Entropy())[0] for _ in range(int(FORWARDS * seconds))]
        for link in links:
            await link.call(Forward(far.address, packets.pop(), ACCESS.encode()))

        async def sender(link: Link) -> None:
            while packets:
                await link.call(Forward(far.address, packets.pop()), timeout_s=None)

        count, begun, near_s, far_s = len(packets), time.perf_counter(), near.cpu_s(), far.cpu_s()
        async with asyncio.TaskGroup() as group:
            for link in links:
                for _ in range(FORWARD_WINDOW):
                    group.create_task(sender(link))
        spent = time.perf_counter() - begun
        near_s, far_s = near.cpu_s() - near_s, far.cpu_s() - far_s
        for link in (direct, *links):
            await link.close()
    return count / near_s, count / far_s, count / spent


def _envelope() -> bytes:
    return os.urandom(16) + bytes(ENVELOPE_SIZE - 16)
