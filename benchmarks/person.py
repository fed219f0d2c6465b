"""One person's agent as a process of its own: `python -m benchmarks.person PROFILE WHAT`, for bench_people and
bench_files.

WHAT is `listen`: prints a line per message that was stored, with the microseconds since it was sent (its text begins
with the sender's monotonic clock, which processes of one machine share); or `absence`: takes in what waits, then prints
messages, seconds and the peak of its memory in MiB; or `file TARGET`: fetches the next file, says so, saves it, and
prints the seconds that took and the growth of its memory in MiB.
"""

from __future__ import annotations

import asyncio
import resource
import sys
import time
from pathlib import Path

from roost.agent import operations as o
from roost.agent.processes import rare_collections
from roost.agent.service import Service
from roost.apps.cli.agent import loop_factory
from roost.messaging import records as r


async def listen(profile: Path) -> None:
    async with Service.open(profile) as service:
        engine = service.engine

        def heard(event: r.Event) -> None:
            if event.kind == "message":
                message = engine.look().get(r.Message, event.subject)
                if message is not None and message.state == r.MessageState.RECEIVED:
                    sent = int(message.text.split(" ", 1)[0])
                    print(max(time.monotonic_ns() - sent, 0) // 1000, flush=True)

        engine.listen(heard)
        print("ready", flush=True)
        await asyncio.Event().wait()


async def absence(profile: Path, count: int) -> None:
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    begun = time.monotonic()
    async with Service.open(profile) as service:
        opened, taken = time.monotonic() - begun, 0

        def heard(event: r.Event) -> None:
            nonlocal taken
            taken += event.kind == "message"

        service.engine.listen(heard)
        while taken < count:
            await service.engine.changed(1.0)
        spent = time.monotonic() - begun
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    print(opened, spent, (peak - before) / 1024, flush=True)


async def file(profile: Path, target: str) -> None:
    async with Service.open(profile) as service:
        before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        print("ready", flush=True)
        while not (files := service.engine.look().find(r.StoredFile, where={"state": int(r.FileState.COMPLETE)})):
            await service.engine.changed(0.5)
        print("fetched", flush=True)
        begun = time.monotonic()
        await service.call(o.Save(id=files[0].message.hex(), to=target))
        spent = time.monotonic() - begun
        print(spent, (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) / 1024, flush=True)


def main() -> None:
    profile, what, *more = sys.argv[1:]
    match what:
        case "listen":
            work = listen(Path(profile))
        case "absence":
            work = absence(Path(profile), int(more[0]))
        case _:
            work = file(Path(profile), more[0])
    with rare_collections(), asyncio.Runner(loop_factory=loop_factory()) as runner:
        runner.run(work)


if __name__ == "__main__":
    main()
