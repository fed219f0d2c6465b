"""People on an onion network of real processes, who write to each other while things happen to it."""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import random
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from roost.agent.service import Service
from roost.messaging import records as r
from tests.faults.people import accepted, befriend, make_profile, opened, say, texts
from tests.relay.onion_network import OnionNetwork, client_of

NODES = 9
PERIOD_S = 10  # twelve processes share two cores


@contextlib.asynccontextmanager
async def network_that_serves(folder: Path, nodes: int = NODES) -> AsyncIterator[OnionNetwork]:
    """A network whose nodes all keep mailboxes."""
    network = OnionNetwork(folder, nodes=nodes, period_s=PERIOD_S)
    try:
        await asyncio.to_thread(network.found)
        async with client_of(network) as client:
            await client.ready(nodes)
        yield network
    finally:
        await asyncio.to_thread(network.stop)


@contextlib.asynccontextmanager
async def people_on(network: OnionNetwork, folder: Path, *names: str) -> AsyncIterator[tuple[Service, ...]]:
    """Everybody is everybody's contact."""
    folders = [await make_profile(folder / name, name, network.link) for name in names]
    async with opened(*folders) as people:
        for one, other in itertools.combinations(people, 2):
            await befriend(one, other)
        yield people


@dataclass
class Exchange:
    """Everybody writes to everybody, numbered texts."""

    people: Sequence[Service]
    names: Sequence[str]
    sent: dict[tuple[int, int], list[str]] = field(default_factory=dict)

    async def write(self, count: int, pause_s: float, chance: random.Random) -> None:
        """So many messages, each from somebody to somebody."""
        for number in range(count):
            one, other = chance.sample(range(len(self.people)), 2)
            text = f"{self.names[one]} to {self.names[other]}: {number}"
            await say(self.people[one], self.names[other], text)
            self.sent.setdefault((one, other), []).append(text)
            await asyncio.sleep(chance.expovariate(1 / pause_s))

    async def settle(self, within_s: float) -> None:
        """Until everything arrived and every sender knows that it did."""
        try:
            async with asyncio.timeout(within_s):
                for person in self.people:
                    while self.missing() or person.engine.look().find(r.Outbox):
                        await person.engine.changed(0.5)
        except TimeoutError as error:
            rows = [len(person.engine.look().find(r.Outbox)) for person in self.people]
            raise AssertionError(f"{self.missing()} messages have not arrived; outboxes have {rows}") from error

    def missing(self) -> int:
        return sum(len(said) - len(self.got(*pair)) for pair, said in self.sent.items())

    def got(self, one: int, other: int) -> list[str]:
        """What the second has of the first, in the order in which it shows it."""
        (author,) = [row.account for row in accepted(self.people[other]) if row.name == self.names[one]]
        return texts(self.people[other], author)

    def check(self) -> None:
        """Everything, once, in order."""
        for pair, said in self.sent.items():
            assert self.got(*pair) == said
