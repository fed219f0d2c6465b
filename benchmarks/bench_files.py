"""A file from person to person: taken in, sent by a relay, fetched and saved by two agents in processes of their own.

The floor is a plain copy of the same file, written to disk. ROOST_FILE_MIB sets its size.
"""

from __future__ import annotations

import asyncio
import os
import shutil
import time
from pathlib import Path

from benchmarks.bench_people import a_process, line_of, peak_memory, two_people
from benchmarks.measure import Clock, Result, throughput
from roost.agent import operations as o
from roost.agent.service import Service
from roost.apps.cli.agent import loop_factory

MIB = int(os.environ.get("ROOST_FILE_MIB", "256"))
BLOCK = 2**20
WITHIN_S = 1_800


def run(clock: Clock) -> list[Result]:  # noqa: ARG001  (it takes as long as the file is large)
    with asyncio.Runner(loop_factory=loop_factory()) as runner:
        return runner.run(_run())


async def _run() -> list[Result]:
    async with two_people() as (alice, bob, contact):
        path, saved = alice.parent / "big.bin", alice.parent / "saved.bin"
        block = os.urandom(BLOCK)
        with path.open("wb") as file:
            for _ in range(MIB):
                file.write(block)
        floor = throughput("a plain copy, synced", MIB / _copied(path, saved), "MiB/s")
        saved.unlink()
        async with a_process("benchmarks.person", str(bob), "file", str(saved)) as process, Service.open(alice) as me:
            assert await line_of(process) == "ready"
            before, begun = peak_memory(), time.monotonic()
            await me.call(o.Send(conversation=contact, text="a file", files=(str(path),)))
            taken = time.monotonic() - begun
            assert await line_of(process, WITHIN_S) == "fetched"
            fetched = time.monotonic() - begun
            spent, memory = map(float, (await line_of(process, WITHIN_S)).split())
            own_memory = peak_memory() - before
        assert saved.stat().st_size == path.stat().st_size
    return [
        floor,
        throughput(f"a file of {MIB:,} MiB, taken in", MIB / taken, "MiB/s", floor),
        throughput("... taken in, sent and fetched", MIB / fetched, "MiB/s", floor),
        throughput("... saved", MIB / spent, "MiB/s", floor),
        Result("... memory that the sender took for it", own_memory, "MiB"),
        Result("... memory that the recipient took for it", memory, "MiB"),
    ]


def _copied(path: Path, to: Path) -> float:
    begun = time.monotonic()
    with path.open("rb") as source, to.open("wb") as target:
        shutil.copyfileobj(source, target, BLOCK)
        target.flush()
        os.fsync(target.fileno())
    return time.monotonic() - begun
