"""Device to device, with no relay: two agents in processes of their own on a network of the benchmark's making, met
over the LAN carrier, with everything on (discovery, handshake, ratchet, mailboxes and stores at `synchronous=FULL`).

The floor of a message is what it cannot do without, as in bench_people; the floor of a file is the same bytes through
one TCP connection of this machine. Needs root on Linux. ROOST_FILE_MIB sets the file's size.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import tempfile
import time
from collections.abc import AsyncIterator
from pathlib import Path

from benchmarks.bench_people import a_process, befriend, echo, line_of, peak_memory, talking, two_commits
from benchmarks.measure import Clock, Result, cost, throughput
from benchmarks.network import bytes_so_far, own_network
from roost.agent import operations as o
from roost.agent.processes import rare_collections
from roost.agent.service import Service, create_profile
from roost.apps.cli.agent import loop_factory

MIB = int(os.environ.get("ROOST_FILE_MIB", "64"))
MISSED = 10_000
IN_FLIGHT = 32
IDLE_S = 60.0
WITHIN_S = 900
_HOUR_S = 3_600


def run(clock: Clock) -> list[Result]:
    with own_network(), rare_collections(), asyncio.Runner(loop_factory=loop_factory()) as runner:
        return runner.run(_run(clock))


async def _run(clock: Clock) -> list[Result]:
    async with two_people() as (alice, bob, contact):
        (commits, commits_cpu), (there_and_back, echo_cpu) = two_commits(alice.parent), await echo()
        floor = cost("two commits and an echo", commits + there_and_back)
        floor_cpu = cost("... CPU time", commits_cpu + echo_cpu)
        return [
            floor,
            floor_cpu,
            await _meeting(alice, bob, contact),
            *await talking(clock, alice, bob, contact, floor, floor_cpu),
            *await _missed(alice, bob, contact),
            *await _file(alice, bob, contact),
            await _idle(alice, bob),
        ]


@contextlib.asynccontextmanager
async def two_people() -> AsyncIterator[tuple[Path, Path, str]]:
    """The profiles of two contacts who host themselves; and how the first names the second."""
    with tempfile.TemporaryDirectory() as name:
        alice, bob = Path(name) / "alice", Path(name) / "bob"
        for profile, person in ((alice, "Alice"), (bob, "Bob")):
            await create_profile(profile, person, None, None, "none", ("lan",))
        yield alice, bob, await befriend(alice, bob)


async def _meeting(alice: Path, bob: Path, contact: str) -> Result:
    """From the start of the other's agent until what waited for it is stored there."""
    async with Service.open(alice) as me:
        await me.call(o.Send(conversation=contact, text="0 waits for you"))
        async with a_process("benchmarks.person", str(bob), "absence", "1") as process:
            opened, spent, _ = map(float, (await line_of(process, 60)).split())
    return cost("an agent's start, discovery, and the first message", (opened + spent) * 1e6)


async def _missed(alice: Path, bob: Path, contact: str) -> list[Result]:
    async with Service.open(alice) as me:
        before, begun = peak_memory(), time.monotonic()
        for first in range(0, MISSED, IN_FLIGHT):
            texts = (f"{number} while you were away" for number in range(first, min(first + IN_FLIGHT, MISSED)))
            await asyncio.gather(*(me.call(o.Send(conversation=contact, text=text)) for text in texts))
        said, memory = time.monotonic() - begun, peak_memory() - before
        async with a_process("benchmarks.person", str(bob), "absence", str(MISSED)) as process:
            _, spent, peak = map(float, (await line_of(process, WITHIN_S)).split())
    return [
        throughput(f"{MISSED:,} messages for somebody who is away, to the outbox", MISSED / said, "/s"),
        Result("... memory that they took", memory, "MiB"),
        throughput(f"{MISSED:,} messages missed, from meeting to disk", MISSED / spent, "/s"),
        Result("... peak memory beyond a profile that is not open", peak, "MiB"),
    ]


async def _file(alice: Path, bob: Path, contact: str) -> list[Result]:
    path, saved = alice.parent / "big.bin", alice.parent / "saved.bin"
    path.write_bytes(os.urandom(2**20) * MIB)
    floor = throughput("the same bytes through a TCP connection", MIB / await _through_tcp(MIB), "MiB/s")
    async with a_process("benchmarks.person", str(bob), "file", str(saved)) as process, Service.open(alice) as me:
        assert await line_of(process) == "ready"
        begun = time.monotonic()
        await me.call(o.Send(conversation=contact, text="a file", files=(str(path),)))
        assert await line_of(process, WITHIN_S) == "fetched"
        fetched = time.monotonic() - begun
        await line_of(process, WITHIN_S)
    assert saved.stat().st_size == path.stat().st_size
    return [floor, throughput(f"a file of {MIB:,} MiB, sent and fetched", MIB / fetched, "MiB/s", floor)]


async def _through_tcp(mebibytes: int) -> float:
    """Seconds."""
    done: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while await reader.read(2**18):
            pass
        writer.close()
        done.set_result(None)

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    _, writer = await asyncio.open_connection(*server.sockets[0].getsockname())
    block, begun = os.urandom(2**20), time.monotonic()
    for _ in range(mebibytes):
        writer.write(block)
        await writer.drain()
    writer.close()
    await done
    server.close()
    return time.monotonic() - begun


async def _idle(alice: Path, bob: Path) -> Result:
    """What two devices that are linked and have nothing to say send in an hour, announcements included."""
    async with a_process("benchmarks.person", str(bob), "listen") as process, Service.open(alice) as me:
        assert await line_of(process) == "ready"
        while me.engine.network.direct is None or not me.engine.network.direct.standing():
            await me.engine.changed(0.2)
        await asyncio.sleep(10)
        before = bytes_so_far()
        await asyncio.sleep(IDLE_S)
        spent = bytes_so_far() - before
    return Result("idle, both together", spent * _HOUR_S / IDLE_S / 1024, "KiB/hour")
