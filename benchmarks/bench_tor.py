"""The carrier over Tor in a private network of this machine, against plain sockets through the same tor's SOCKS port.

Tor's own cells and circuits are the floor: what the carrier adds to them is small. Absolute figures say nothing about
the real network, whose relays are far away and busy.
"""

from __future__ import annotations

import asyncio
import shutil
import sys
import tempfile
import time
from pathlib import Path

from benchmarks.measure import Clock, Result, throughput
from roost.crypto import onion_address
from roost.network.direct.carrier import Stream
from roost.network.direct.streams import ByteStream
from roost.network.direct.tor import TorCarrier
from roost.network.direct.tor_config import TorConfig
from roost.network.direct.tor_socks import open_onion
from tests.network.direct.conformance import Device
from tests.network.direct.tor_devices import device, on
from tests.tor_network import running

FRAME = 4_200  # an envelope's request
BULK = 65_536


def run(clock: Clock) -> list[Result]:
    if shutil.which("tor") is None or shutil.which("tor-gencert") is None:
        print("tor: left out; it needs Debian's package tor", file=sys.stderr)
        return []
    with running() as network, tempfile.TemporaryDirectory() as folder:
        return asyncio.run(_measure(clock, network.torrc, Path(folder)))


async def _measure(clock: Clock, torrc: tuple[str, ...], folder: Path) -> list[Result]:
    guest = device("guest", TorConfig(folder / "guest", extra=torrc))
    host = device("host", TorConfig(folder / "host", extra=torrc))
    async with on(guest, host):
        dialled = await guest.carrier.dial(host.host, ())
        await dialled.write(b"!")
        accepted = await host.accepted.get()
        await accepted.read()
        assert isinstance(guest.carrier, TorCarrier)
        session = guest.carrier._session
        assert session is not None
        plain_dialled, plain_accepted = await _plain(session._socks, host)
        pairs = {"carrier": (dialled, accepted), "plain": (plain_dialled, plain_accepted)}
        figures: dict[str, list[list[float]]] = {name: [] for name in pairs}
        for _ in range(3):  # in turn, so that a machine that is busy for a while is busy for both
            for name, (near, far) in pairs.items():
                there, back = await _bulk(near, far, clock.seconds), await _bulk(far, near, clock.seconds)
                figures[name].append([await _turns(near, far, clock.seconds), there, back])
        for end in (dialled, accepted, plain_dialled, plain_accepted):
            end.abort()
    best = {name: [max(column) for column in zip(*rows, strict=True)] for name, rows in figures.items()}
    results = []
    whats = (("round trips of 4,200 bytes", "/s"), ("to the service", "MB/s"), ("from it", "MB/s"))
    for index, (what, unit) in enumerate(whats):
        floor = throughput(f"{what}: a plain stream", best["plain"][index], unit)
        results += [floor, throughput(f"{what}: the carrier", best["carrier"][index], unit, floor)]
    return results


async def _plain(socks: str, host: Device) -> tuple[ByteStream, ByteStream]:
    """A stream to the same service through the same SOCKS port, of its own circuit, without the carrier's."""
    near = await open_onion(socks, onion_address(host.host.onion), ("plain", "plain"), ByteStream, timeout_s=30)
    await near.write(b"!")
    far = await host.accepted.get()
    await far.read()
    return near, far  # type: ignore[return-value]


async def _turns(near: Stream, far: Stream, seconds: float) -> float:
    """Round trips a second."""

    async def echo() -> None:
        while data := await far.read():
            await far.write(data)

    echoing = asyncio.create_task(echo())
    start, count = time.perf_counter(), 0
    while (spent := time.perf_counter() - start) < seconds:
        await near.write(bytes(FRAME))
        await _take(near, FRAME)
        count += 1
    echoing.cancel()
    await asyncio.wait([echoing])
    return count / spent


async def _bulk(near: Stream, far: Stream, seconds: float) -> float:
    """Megabytes a second, of as many as take about so long at 4 MB/s."""
    blocks = max(1, int(seconds * 4e6 / BULK))

    async def write() -> None:
        for _ in range(blocks):
            await near.write(bytes(BULK))

    start = time.perf_counter()
    await asyncio.gather(write(), _take(far, blocks * BULK))
    return blocks * BULK / (time.perf_counter() - start) / 1e6


async def _take(end: Stream, size: int) -> None:
    while size > 0 and (data := await end.read()):
        size -= len(data)
