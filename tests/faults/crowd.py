"""Many agents, in a few processes, that all lose their relay at once and come back at once.

    python -m tests.faults.crowd --agents 200 --processes 4

Each agent keeps a device link's mailbox at the relay, so that it has something to subscribe to. A child process prints
`up N` when all of its agents are subscribed, and again each time after they were cut off.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import signal
import sys
import tempfile
import time
from pathlib import Path

from roost.agent import operations as o
from roost.agent.service import Service, create_profile
from roost.network import Subscription
from tests.faults.people import Child
from tests.network.relay_process import RelayProcess


async def crowd(folder: Path, agents: int, processes: int, rounds: int = 1) -> list[float]:
    """Start everybody, kill the relay `rounds` times; how long it took each time until all were subscribed again."""
    relay, taken = RelayProcess(folder / "relay"), []
    share = agents // processes
    children = []
    await relay.start()
    try:
        for number in range(processes):
            child = Child("tests.faults.crowd", "--child", str(folder / f"part{number}"), str(relay.link), str(share))
            children.append(child)
            await child.start()
        for child in children:
            assert await child.line(60 + agents) == f"up {share}"
        for _ in range(rounds):
            await relay.stop(signal.SIGKILL)
            began = time.monotonic()
            await relay.start()
            for child in children:
                assert await child.line(60) == f"up {share}"
            taken.append(time.monotonic() - began)
    finally:
        for child in children:
            await child.kill()
        await relay.close()
    return taken


def _subscriptions(service: Service) -> list[Subscription]:
    return list(service.engine.incoming._subscriptions.values())


def _subscribed(service: Service) -> bool:
    held = _subscriptions(service)
    return bool(held) and all(each.caught_up.is_set() and each.refused is None for each in held)


async def _part(folder: Path, link: str, agents: int) -> None:
    await asyncio.to_thread(folder.mkdir)
    async with contextlib.AsyncExitStack() as stack:
        services = []
        for number in range(agents):
            await create_profile(folder / str(number), f"Agent {number}", link, None, "none")
            services.append(await stack.enter_async_context(Service.open(folder / str(number))))
            await services[-1].call(o.Invite(one_time=False))
        while True:
            await _all(services, up=True)
            print(f"up {agents}", flush=True)
            await _all(services, up=False)


async def _all(services: list[Service], *, up: bool) -> None:
    """Until all are subscribed, or until each was cut off at least for a moment."""
    left = set(services)
    while left:
        left = {service for service in left if _subscribed(service) is not up}
        await asyncio.sleep(0.02)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--agents", type=int, default=200)
    parser.add_argument("--processes", type=int, default=4)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--child", nargs=3)
    given = parser.parse_args()
    if given.child:
        folder, link, agents = given.child
        asyncio.run(_part(Path(folder), link, int(agents)))
        return 0
    with tempfile.TemporaryDirectory() as folder:
        taken = asyncio.run(crowd(Path(folder), given.agents, given.processes, given.rounds))
    print(f"{given.agents} agents were back after {', '.join(f'{each:.1f} s' for each in taken)}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
