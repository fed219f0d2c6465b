"""People write to each other over a network of nine nodes, of which a third is killed meanwhile, at moments of chance.

    python -m tests.onion.chaos --seconds 600 --messages 1000 [--seed 7] [--for-good]

Every node is a process of its own and ends by SIGKILL. What is killed stays away for a while and comes back; never are
more than a third away at a time. Or it never comes back, with disk and all: then one dies after the other, with time
for the others to copy what it kept. Afterwards everything is there, once, in order, at everybody, and everybody knows.
"""

from __future__ import annotations

import argparse
import asyncio
import random
import shutil
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

from tests.onion.people import NODES, Exchange, network_that_serves, people_on
from tests.relay.onion_network import OnionNetwork

PEOPLE = ("Alice", "Bob", "Carol", "Dave")
SETTLE_S = 180.0
LONGEST_PAUSE_S = 25.0  # between two that are killed, in the mean


@dataclass
class Report:
    """What happened. `settled_s`: how long after the last message everything was there."""

    messages: int
    kills: int
    settled_s: float


async def chaos(
    folder: Path, seconds: float, messages: int, seed: int, people: int = len(PEOPLE), *, for_good: bool = False
) -> Report:
    """Raises AssertionError when something is lost, doubled or out of order, or does not arrive in time."""
    chance, names = random.Random(seed), PEOPLE[:people]
    async with network_that_serves(folder / "network") as network, people_on(network, folder, *names) as services:
        exchange, stop = Exchange(services, names), asyncio.Event()
        killing = asyncio.create_task((kill_for_good if for_good else kill)(network, seconds, chance, stop))
        await exchange.write(messages, seconds / messages, chance)
        stop.set()
        kills = await killing
        began = time.monotonic()
        await exchange.settle(SETTLE_S)
        exchange.check()
        return Report(messages, kills, time.monotonic() - began)


async def kill(network: OnionNetwork, seconds: float, chance: random.Random, stop: asyncio.Event) -> int:
    """Kill a third of the nodes one after the other, then go on: one comes back, another one dies; in the end all come
    back. The number of kills."""
    alive, dead, kills = [f"node {number}" for number in range(NODES)], list[str](), 0
    while not stop.is_set():
        if len(dead) == NODES // 3:
            back = dead.pop(0)
            await asyncio.to_thread(network.start, back)
            alive.append(back)
        name = alive.pop(chance.randrange(len(alive)))
        await asyncio.to_thread(network.kill, name)
        dead.append(name)
        kills += 1
        await _some_time(stop, min(seconds / 6, LONGEST_PAUSE_S) * chance.uniform(0.5, 1.5))
    for name in dead:  # where two of the three nodes of a mailbox never come back, it waits for them
        await asyncio.to_thread(network.start, name)
    return kills


async def kill_for_good(network: OnionNetwork, seconds: float, chance: random.Random, stop: asyncio.Event) -> int:
    """Kill a third of the nodes, one after the other, and delete what they had. The number of kills."""
    names = chance.sample([f"node {number}" for number in range(NODES)], NODES // 3)
    for kills, name in enumerate(names):
        await _some_time(stop, seconds / (len(names) + 1))
        if stop.is_set():
            return kills
        await asyncio.to_thread(network.kill, name)
        await asyncio.to_thread(shutil.rmtree, network.folder / name)
    await stop.wait()
    return len(names)


async def _some_time(stop: asyncio.Event, seconds: float) -> None:
    try:
        async with asyncio.timeout(seconds):
            await stop.wait()
    except TimeoutError:
        pass


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m tests.onion.chaos", description=__doc__)
    parser.add_argument("--seconds", type=float, default=600)
    parser.add_argument("--messages", type=int, default=1_000)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--for-good", action="store_true", help="what is killed never comes back")
    chosen = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="roost-chaos-") as folder:
        run = chaos(Path(folder), chosen.seconds, chosen.messages, chosen.seed, for_good=chosen.for_good)
        report = asyncio.run(run)
    print(
        f"{report.messages} messages while {report.kills} nodes were killed: all there, once and in order, "
        f"{report.settled_s:.1f} s after the last"
    )


if __name__ == "__main__":
    main()
