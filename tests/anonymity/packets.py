"""The packets of a short while of such a day, as each observer sees them.

A request goes through three nodes to the leader of the mailbox's swarm; from there an answer goes back to the sender
and the envelope to its recipient, each through three nodes that its receiver chose. First and last among them is a node
that the person keeps for long, the guard.
"""

from __future__ import annotations

import heapq
import random
from collections.abc import Iterator
from dataclasses import dataclass
from typing import NamedTuple

from roost.network.onion.cover import Balance
from roost.network.onion.exchange import _BEAT_EACH_S
from tests.anonymity.people import Population, Sent
from tests.anonymity.trace import Journey, Stay, Trace

UP, DOWN = 4, 3  # nodes that a request passes, the host included, and those that come after
LAYERS = (4, 3, 2, 1, 3, 2, 1)  # that are left at each of these nodes
PASSED = {left: frozenset(n for n, layers in enumerate(LAYERS) if layers == left) for left in LAYERS}
HOST = frozenset({UP - 1})
LONG = 4  # times the mean: of those that pass seven nodes, one in a hundred thousand takes longer


@dataclass(frozen=True)
class Timing:
    """How packets move: `hop_s`, the mean time at a node; `beat_s`, the mean time between two signs of life that a
    client asks for at the host of a mailbox; `tick_s` and `loop_s`, the mean time between two packets that it sends,
    with a request in them or cover, and between two loops. None: a request leaves at once, and nothing else does."""

    name: str
    hop_s: float
    beat_s: float
    tick_s: float | None = None
    loop_s: float | None = None

    def every_s(self, sessions: int) -> float:
        """The mean time between two signs of life of a client that reads so many mailboxes."""
        return max(self.beat_s, _BEAT_EACH_S * sessions) / max(sessions, 1)

    @property
    def way_s(self) -> float:
        """The mean time that nodes keep what somebody sends to somebody; a host keeps nothing."""
        return (UP - 1 + DOWN) * self.hop_s


@dataclass(frozen=True)
class Observer:
    """Sees what happens inside the `corrupt` nodes, and on each link of the network if `links`."""

    corrupt: frozenset[int]
    links: bool = True


Hops = tuple[tuple[float, int], ...]


class Packet(NamedTuple):
    """Where it is from when on, (time, node) of each hop, and from whom to whom. A request and the delivery that it
    causes are one packet here. None: an answer begins where the packet `answers` met its host; what is thrown away has
    no sink."""

    source: int | None
    hops: Hops
    ended: float
    sink: int | None
    answers: int | None = None


class Network:
    """Nodes, everybody's guards and the leaders of everybody's mailboxes."""

    def __init__(self, people: Population, nodes: int, guards: int) -> None:
        self.people, self.nodes = people, nodes
        chance = random.Random(f"network {people.seed} {nodes}")
        self.guards = [chance.sample(range(nodes), guards) for _ in range(people.size)]

    def guard(self, person: int) -> int:
        """The one in use: the first that works."""
        return self.guards[person][0]

    def leader(self, one: Sent) -> int:
        return random.Random(f"mailbox {self.people.seed} {one.by} {one.to}").randrange(self.nodes)

    def way(self, chance: random.Random, person: int, host: int) -> list[int]:
        """Three nodes from a person to a host; the host is none of them."""
        others = [node for node in range(self.nodes) if node not in (host, self.guard(person))]
        first = self.guard(person)
        if first == host:
            first = next(guard for guard in self.guards[person] if guard != host)
            others.remove(first)
        return [first, *chance.sample(others, 2)]


class Traffic:
    """The packets of the requests between two moments and of the cover among them."""

    def __init__(
        self, network: Network, timing: Timing, sent: list[Sent], window: tuple[float, float], seed: int
    ) -> None:
        self.network, self.timing = network, timing
        self._chance = random.Random(f"traffic {seed} {timing.name} {window}")
        self._window = window
        self.packets: list[Packet] = []
        self.targets: dict[int, int] = {}  # messages to follow, and their packets
        around = (LONG + 1) * timing.way_s  # so that what is followed has its company
        first, last = window[0] - around, window[1] + around
        waiting: dict[int, list[tuple[int, Sent]]] = {}
        for number, one in enumerate(sent):
            if first - (timing.tick_s or 0.0) <= one.at < last:
                waiting.setdefault(one.by, []).append((number, one))
        self.sent = sent
        moments = [self._client(person, waiting.get(person, []), first, last) for person in range(network.people.size)]
        coming: list[list[float]] = [[] for _ in moments]
        for packet in self.packets:
            if packet.sink is not None:
                coming[packet.sink].append(packet.ended)
        for person, (sending, free) in enumerate(moments):
            self._cover(person, sending, free, coming[person])

    def _client(
        self, person: int, waiting: list[tuple[int, Sent]], first: float, last: float
    ) -> tuple[list[float], set[float]]:
        """The packets of what is to be said. Returns the moments at which something leaves whatever is said, and those
        of them at which nothing waited."""
        beats = list(self._poisson(self.timing.every_s(len(self.network.people.contacts[person])), first, last))
        sending: list[float] = []
        free: set[float] = set()
        if self.timing.tick_s is None:
            for number, one in waiting:
                self._request(one.at, number, one)
            for at in beats:
                self._beat(at, person)
        else:
            queue, beats = waiting[::-1], beats[::-1]
            sending = list(self._poisson(self.timing.tick_s, first, last))
            for at in sending:
                if queue and queue[-1][1].at <= at:
                    self._request(at, *queue.pop())
                elif beats and beats[-1] <= at:
                    beats.pop()
                    self._beat(at, person)
                else:
                    free.add(at)
        if self.timing.loop_s is not None:
            for at in self._poisson(self.timing.loop_s, first, last):
                self._loop(at, person)
                sending.append(at)
        return sorted(sending), free

    def _cover(self, person: int, sending: list[float], free: set[float], coming: list[float]) -> None:
        """What leaves when nothing waits, as the product chooses it by what came until then."""
        balance = Balance(self)
        heapq.heapify(coming)
        for at in sending:
            while coming and coming[0] <= at:
                heapq.heappop(coming)
                balance.came()
            balance.sent(1)
            if at in free:
                if balance.brings_back():
                    heapq.heappush(coming, self._loop(at, person))
                else:
                    self._nothing(at, person)

    def bytes(self, count: int) -> bytes:
        """As an `Entropy`."""
        return self._chance.randbytes(count)

    def _poisson(self, mean: float, first: float, last: float) -> Iterator[float]:
        at = first
        while (at := at + self._chance.expovariate(1 / mean)) < last:
            yield at

    def _hops(self, at: float, nodes: list[int], *, host: bool = False) -> tuple[Hops, float]:
        """Through these nodes; a `host`, the last one, keeps nothing."""
        hops = []
        for place, node in enumerate(nodes, 1):
            hops.append((at, node))
            if not host or place < len(nodes):
                at += self._chance.expovariate(1 / self.timing.hop_s)
        return tuple(hops), at

    def _request(self, at: float, number: int, one: Sent) -> None:
        host = self.network.leader(one)
        there, arrived = self._there(at, one.by, host)
        if one.message and self._window[0] <= at < self._window[1]:
            self.targets[number] = len(self.packets)
        request = len(self.packets)
        hops, ended = self._back(arrived, one.to, host)
        self.packets.append(Packet(one.by, there + hops, ended, one.to))
        hops, ended = self._back(arrived, one.by, host)
        self.packets.append(Packet(None, hops, ended, one.by, answers=request))

    def _beat(self, at: float, person: int) -> None:
        host = self._chance.randrange(self.network.nodes)
        there, arrived = self._there(at, person, host)
        hops, ended = self._back(arrived, person, host)
        self.packets.append(Packet(person, there + hops, ended, person))

    def _nothing(self, at: float, person: int) -> None:
        """Cover that the node which would be a host throws away."""
        hops, ended = self._there(at, person, self._chance.randrange(self.network.nodes))
        self.packets.append(Packet(person, hops, ended, None))

    def _there(self, at: float, person: int, host: int) -> tuple[Hops, float]:
        return self._hops(at, [*self.network.way(self._chance, person, host), host], host=True)

    def _back(self, at: float, person: int, host: int) -> tuple[Hops, float]:
        return self._hops(at, self.network.way(self._chance, person, host)[::-1])

    def _loop(self, at: float, person: int) -> float:
        """What returns to who sent it, by four nodes of which the guard is the first and the last; returns when."""
        guard = self.network.guard(person)
        first, second = self._chance.sample([node for node in range(self.network.nodes) if node != guard], 2)
        hops, ended = self._hops(at, [guard, first, second, guard])
        self.packets.append(Packet(person, hops, ended, person))
        return ended


class View:
    """What one observer makes of that traffic.

    It is granted a little more than it can see: which packets met their host, since a host keeps nothing, which were
    thrown away there, and which of the two that leave a host is the answer.
    """

    def __init__(self, traffic: Traffic, observer: Observer) -> None:
        self.traffic, self.observer = traffic, observer
        self.people = traffic.network.people.size
        self._fresh = traffic.network.nodes
        self._within = LONG * traffic.timing.way_s
        journeys = [self._journey(packet) for packet in traffic.packets]
        asked = [None if p.answers is None else journeys[p.answers].stays[UP - 1] for p in traffic.packets]
        back = [journey.backwards(UP + DOWN, at) for journey, at in zip(journeys, asked, strict=True)]
        self._trace, self._back = self._traced(journeys), self._traced(back)

    def _traced(self, journeys: list[Journey]) -> Trace:
        begins = [journeys[packet].stays[0].at for packet in self.traffic.targets.values()]
        until = max(begins, default=0.0) + self._within
        return Trace(journeys, self.people + 1, UP + DOWN, min(begins, default=0.0), until)

    def receivers(self, message: int) -> list[float]:
        """For each person, how likely the message went to them. Its sender is known not to be its receiver."""
        found = self._trace.follow(self.traffic.targets[message], self._within)
        return self._people(found, self.traffic.sent[message].by)

    def senders(self, message: int) -> list[float]:
        """For each person, how likely what the message's recipient got came from them."""
        found = self._back.follow(self.traffic.targets[message], self._within)
        return self._people(found, self.traffic.sent[message].to)

    def _journey(self, packet: Packet) -> Journey:
        layers = LAYERS[UP:] if packet.answers is not None else LAYERS
        host = UP - 1 if packet.answers is None and (packet.sink is None or len(packet.hops) > UP) else -1
        stays = []
        for place, ((at, node), left) in enumerate(zip(packet.hops, layers, strict=False)):
            if place == host or node in self.observer.corrupt:  # it knows which packet is which, and sees its layers
                self._fresh += 1
                stays.append(Stay(at, self._fresh, HOST if place == host else PASSED[left]))
            else:
                stays.append(Stay(at, node if self.observer.links else -1))
        source = None if packet.source is None else self._person(packet.source, packet.hops[0][1])
        sink = None if packet.sink is None else self._person(packet.sink, packet.hops[-1][1])
        return Journey(source, tuple(stays), packet.ended, sink)

    def _person(self, person: int, guard: int) -> int:
        """Somebody, the last number, is a person at an honest guard where links are not seen."""
        return person if self.observer.links or guard in self.observer.corrupt else self.people

    def _people(self, found: list[float], known: int) -> list[float]:
        """`found` without the one known not to be it; what is somebody's is everybody's alike behind honest guards."""
        network = self.traffic.network
        hidden = [p for p in range(network.people.size) if network.guard(p) not in self.observer.corrupt and p != known]
        people = found[: network.people.size]
        people[known] = 0.0
        for person in hidden:
            people[person] += found[self.people] / len(hidden)
        return people
