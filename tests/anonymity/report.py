"""The measurements, and the tables of them."""

from __future__ import annotations

import random
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from roost.network.onion.paths import GUARDS
from tests.anonymity.disclosure import Disclosed, disclose, remaining, watch
from tests.anonymity.measures import degree, entropy, mean, quantile
from tests.anonymity.packets import Network, Observer, Timing, Traffic, View
from tests.anonymity.people import DAY, Population, Sent

WHILE_S = 4.0  # how long the whiles are in which messages are followed
KNOWN_BITS = 1.0  # a message whose partner is hidden among two or fewer counts as found


@dataclass(frozen=True)
class Size:
    """Of a simulation: how many people and nodes, messages followed for each figure, days of patience."""

    people: int = 1_000
    nodes: int = 30
    targets: int = 24
    days: int = 1
    patient: int = 40  # targets of the disclosure attack
    seed: int = 1


@dataclass(frozen=True)
class Hidden:
    """Bits of each message that was followed."""

    timing: Timing
    links: bool
    corrupt: int
    senders: list[float]
    receivers: list[float]


class Simulation:
    def __init__(self, size: Size) -> None:
        self.size = size
        self.people = Population(size.people, size.seed)
        self.network = Network(self.people, size.nodes, GUARDS)
        self.day = self.people.day()

    def corruptions(self) -> list[int]:
        """From none to a third of the nodes."""
        third = self.size.nodes // 3
        return sorted({0, third // 2, third})

    def hidden(self, timing: Timing) -> Iterator[Hidden]:
        """What each observer cannot tell of messages in short whiles at random times of the day."""
        found: dict[tuple[bool, int], Hidden] = {}
        kinds = [(links, corrupt) for links in (True, False) for corrupt in self.corruptions() if links or corrupt]
        for links, corrupt in kinds:
            found[links, corrupt] = Hidden(timing, links, corrupt, [], [])
        chance = random.Random(f"whiles {self.size.seed}")
        followed = while_number = 0
        while followed < self.size.targets:
            traffic, messages = self._while(timing, chance, while_number, self.size.targets - followed)
            while_number, followed = while_number + 1, followed + len(messages)
            for links, corrupt in kinds if messages else ():
                nodes = frozenset(random.Random(f"corrupt {while_number}").sample(range(self.size.nodes), corrupt))
                view = View(traffic, Observer(nodes, links))
                found[links, corrupt].senders.extend(entropy(view.senders(message)) for message in messages)
                found[links, corrupt].receivers.extend(entropy(view.receivers(message)) for message in messages)
        yield from found.values()

    def _while(self, timing: Timing, chance: random.Random, number: int, wanted: int) -> tuple[Traffic, list[int]]:
        middle = self._message(chance).at
        traffic = Traffic(self.network, timing, self.day, (middle - WHILE_S / 2, middle + WHILE_S / 2), number)
        return traffic, list(traffic.targets)[: min(wanted, max(self.size.targets // 4, 1))]

    def _message(self, chance: random.Random) -> Sent:
        """A random one: busy hours are followed more, as they are lived more."""
        while not (one := chance.choice(self.day)).message or not 600 < one.at < DAY - 600:
            pass
        return one

    def disclosed(self, timing: Timing) -> list[Disclosed]:
        patient = min(self.size.patient, self.size.people)
        targets = random.Random(f"patient {self.size.seed}").sample(range(self.size.people), patient)
        watched = watch(self.people, timing, self.size.days, targets)
        return [disclose(self.people, watched, timing, target) for target in targets]


def hidden_table(rows: Iterable[Hidden], people: int) -> str:
    lines = [
        "| timing | the observer sees | sender: bits, degree, worst tenth | receiver: the same | found |",
        "| --- | --- | --- | --- | --- |",
    ]
    lines += [
        f"| {row.timing.name} | {seen(row.links, row.corrupt)} | {_bits(row.senders, people)} "
        f"| {_bits(row.receivers, people)} | {found_share(row):.0%} |"
        for row in rows
    ]
    return "\n".join(lines)


def seen(links: bool, corrupt: int) -> str:
    nodes = f"{corrupt} corrupt nodes" if corrupt > 1 else "1 corrupt node"
    if not links:
        return nodes
    return f"all links and {nodes}" if corrupt else "all links"


def found_share(row: Hidden) -> float:
    """Of the messages, whose sender and receiver are both as good as known."""
    pairs = list(zip(row.senders, row.receivers, strict=True))
    return sum(max(pair) < KNOWN_BITS for pair in pairs) / len(pairs)


def _bits(values: Sequence[float], people: int) -> str:
    return f"{mean(values):.1f}, {degree(mean(values), people - 1):.2f}, {quantile(values, 0.1):.1f}"


def disclosed_table(rows: dict[Timing, list[Disclosed]], size: Size) -> str:
    days = f"{size.days} days" if size.days > 1 else "a day"
    lines = [
        f"| timing | the partner among {size.people - 1} after {days}: median rank | is first | first is a contact "
        "| deviations |",
        "| --- | --- | --- | --- | --- |",
    ]
    for timing, found in rows.items():
        ranks = [one.rank for one in found]
        lines.append(
            f"| {timing.name} | {quantile(ranks, 0.5):.0f} | {ranks.count(1) / len(ranks):.0%} "
            f"| {mean([one.contact for one in found]):.0%} | {quantile([one.deviations for one in found], 0.5):.1f} |"
        )
    return "\n".join(lines)


def remaining_table(people: Population, seeds: int = 20) -> str:
    counts = (1, 5, 20, 100)
    lines = ["| devices are on | " + " | ".join(f"after {count}" for count in counts) + " |", "| --- |" + " --- |" * 4]
    for hours in (24, 20, 16, 8):
        left = [mean([remaining(people, count, hours, seed) for seed in range(seeds)]) for count in counts]
        lines.append(f"| {hours} hours | " + " | ".join(f"{each:.0f}" for each in left) + " |")
    return "\n".join(lines)
