"""Streams side by side: round trips of an envelope, and as much as goes through. One end echoes or counts."""

from __future__ import annotations

import asyncio
import time
from typing import Any, Protocol

from benchmarks.measure import ROUNDS, Clock, Result, throughput
from roost.network.direct.carrier import Stream

ENVELOPE = bytes(4_096)
BLOCK = bytes(32 * 1_024)


class Pair(Protocol):
    """Two ends of one stream."""

    async def round_trip(self) -> None:
        """An envelope there and back."""

    async def move(self, blocks: int) -> None:
        """So many blocks there, and all are read."""


class EchoedStream:
    """Two ends of a carrier's stream."""

    def __init__(self, one: Stream, other: Stream) -> None:
        self._one = one
        self._other = other

    async def round_trip(self) -> None:
        await self._one.write(ENVELOPE)
        await _read(self._other, len(ENVELOPE))
        await self._other.write(ENVELOPE)
        await _read(self._one, len(ENVELOPE))

    async def move(self, blocks: int) -> None:
        reading = asyncio.create_task(_read(self._other, blocks * len(BLOCK)))
        for _ in range(blocks):
            await self._one.write(BLOCK)
        await reading


async def _read(stream: Stream, size: int) -> None:
    while size > 0:
        size -= len(await stream.read())


class BareStream:
    """Two channels of bumble's: what arrives is told to `sink`."""

    def __init__(self, one: Any, other: Any) -> None:
        self._one, self._other = one, other
        self._got = {one: 0, other: 0}
        self._arrived = asyncio.Event()
        for channel in (one, other):
            channel.sink = lambda data, channel=channel: self._count(channel, len(data))

    def _count(self, channel: Any, size: int) -> None:
        self._got[channel] += size
        self._arrived.set()

    async def _read(self, channel: Any, size: int) -> None:
        while self._got[channel] < size:
            self._arrived.clear()
            await self._arrived.wait()
        self._got[channel] -= size

    async def round_trip(self) -> None:
        self._one.write(ENVELOPE)
        await self._read(self._other, len(ENVELOPE))
        self._other.write(ENVELOPE)
        await self._read(self._one, len(ENVELOPE))

    async def move(self, blocks: int) -> None:
        for _ in range(blocks):
            self._one.write(BLOCK)
            await self._one.drain()
        await self._read(self._other, blocks * len(BLOCK))


async def compare(clock: Clock, pairs: dict[str, Pair], *, floor: str) -> list[Result]:
    """In turn, so that a machine that is busy for a while is busy for all of them; the best of some rounds."""
    trips, moved = dict.fromkeys(pairs, 0.0), dict.fromkeys(pairs, 0.0)
    for _ in range(ROUNDS):
        for name, pair in pairs.items():
            trips[name] = max(trips[name], await _trips(pair, clock.seconds / ROUNDS))
            moved[name] = max(moved[name], await _moved(pair, clock.seconds / ROUNDS))
    results = []
    for what, unit, figures in (("round trips of an envelope", "/s", trips), ("bulk", "MB/s", moved)):
        base = throughput(f"{floor}: {what}", figures[floor], unit)
        results.append(base)
        results += [throughput(f"{name}: {what}", figures[name], unit, base) for name in pairs if name != floor]
    return results


async def _trips(pair: Pair, seconds: float) -> float:
    count, start = 0, time.perf_counter()
    while (spent := time.perf_counter() - start) < seconds or not count:
        await pair.round_trip()
        count += 1
    return count / spent


async def _moved(pair: Pair, seconds: float) -> float:
    blocks, start = 1, time.perf_counter()
    while True:
        start = time.perf_counter()
        await pair.move(blocks)
        spent = time.perf_counter() - start
        if spent >= seconds / 2:
            return blocks * len(BLOCK) / spent / 1e6
        blocks *= 2
