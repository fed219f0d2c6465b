"""What an observer of packets can conclude: following one packet through nodes that keep packets for random times.

All packets have one size and change their look at each node, and a node keeps each for an exponentially distributed
time. That has no memory: whatever came when, each of the n packets inside is the next to leave with probability 1/n
(Kesdogan, Egner, Büschkes: "Stop-and-go MIXes", IH 1998; Piotrowska et al.: "The Loopix Anonymity System", USENIX
Security 2017, from where the way of measuring comes). So the observer's probability that a packet is where it is flows
along the packets that it sees. Backwards in time the same holds, which answers who may have sent what arrived.

The observer knows how many nodes the packet that it follows passes. So the probability is kept apart by the nodes
passed so far: before the last one, only what leaves for another node can be it, and at the last only what leaves for a
person.
"""

from __future__ import annotations

import bisect
import math
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache, cached_property
from typing import NamedTuple


class Stay(NamedTuple):
    """In a place from this time on. `only`: how many nodes a packet here may have passed, where the observer sees that;
    in such a place nothing else is, so that it sees which packet leaves it."""

    at: float
    place: int
    only: frozenset[int] | None = None

    def backwards(self, at: float, hops: int) -> Stay:
        return Stay(at, self.place, self.only and _remaining(self.only, hops))


@cache
def _remaining(only: frozenset[int], hops: int) -> frozenset[int]:
    return frozenset(hops - 1 - passed for passed in only)


class Journey(NamedTuple):
    """A packet's, from a person to a person. One that nobody sent begins inside; one with no receiver ends in the place
    `joins`, or nowhere that matters."""

    source: int | None
    stays: tuple[Stay, ...]
    ended: float
    sink: int | None
    joins: Stay | None = None

    def backwards(self, hops: int, joins: Stay | None = None) -> Journey:
        """The same in a world where time runs the other way."""
        back, left = [], self.ended
        for at, place, only in reversed(self.stays):
            back.append(Stay(-left, place, only and _remaining(only, hops)))
            left = at
        return Journey(self.sink, tuple(back), -left, self.source, joins and joins.backwards(joins.at, hops))


# What left a place: the place, the share of what was inside, where it went, how many nodes it may have passed by then
# where that shows, and whether it went to a person. A tuple, as there are millions.
_Move = tuple[int, float, int, frozenset[int] | None, bool]


@dataclass
class Trace:
    """What an observer sees of `journeys` between two moments; those that it follows pass `hops` nodes."""

    journeys: Sequence[Journey]
    people: int
    hops: int
    since: float = -math.inf
    until: float = math.inf

    def _steps(self) -> tuple[list[tuple[float, int, int]], defaultdict[tuple[int, bool], int]]:
        """When which journey comes into its first place, its second, and so on, in order; and how many are inside each
        place before, on their way to nodes and to persons."""
        steps: list[tuple[float, int, int]] = []
        inside: defaultdict[tuple[int, bool], int] = defaultdict(int)
        for number, (_, stays, ended, sink, _) in enumerate(self.journeys):
            if ended < self.since or stays[0][0] > self.until:
                continue
            entered = [*(stay[0] for stay in stays), ended]
            steps += [(at, number, place) for place, at in enumerate(entered) if self.since <= at <= self.until]
            there = sum(at < self.since for at in entered) - 1
            if there >= 0 and stays[there].only is None:
                inside[stays[there].place, sink is not None and there == len(stays) - 1] += 1
        steps.sort()
        return steps, inside

    @cached_property
    def _ordered(self) -> tuple[list[_Move], list[float], dict[int, int]]:
        """All moves in order, their times, and for each journey the number of the first one after its beginning."""
        steps, inside = self._steps()
        moves: list[_Move] = []
        begins = {}
        for _, number, place in steps:
            _, stays, _, sink, joins = self.journeys[number]
            last = len(stays) - 1
            if place:
                _, left, only = stays[place - 1]
                share = 1.0
                if only is None:
                    among = left, sink is not None and place > last
                    share = 1 / inside[among]
                    inside[among] -= 1
            else:
                begins[number] = len(moves)
            if place <= last:
                _, entered, only = stays[place]
                if only is None:
                    inside[entered, sink is not None and place == last] += 1
                if place:
                    moves.append((left, share, entered, only, False))
            elif joins is not None:
                moves.append((left, share, joins.place, joins.only, False))
            elif sink is not None:
                moves.append((left, share, sink, None, True))
            else:
                moves.append((left, 0.0, left, None, False))  # thrown away: it was not what the observer follows
        return moves, [step[0] for step in steps if step[2]], begins

    def follow(self, journey: int, within: float) -> list[float]:
        """Where the packet that began so may have ended so soon: a probability for each person. What is missing from 1
        had not ended, or was impossible."""
        moves, times, begins = self._ordered
        begin = begins[journey]
        end = bisect.bisect(times, self.journeys[journey].stays[0].at + within)
        last, people = self.hops - 1, [0.0] * self.people
        mass: dict[int, list[float]] = {self.journeys[journey].stays[0].place: [1.0, *[0.0] * last]}
        for left, share, entered, only, person in moves[begin:end]:
            row = mass.get(left)
            if row is None:
                continue
            if person:
                flows = row[last] * share
                row[last] -= flows
                people[entered] += flows
                continue
            to = mass.setdefault(entered, [0.0] * self.hops)
            for passed in range(last - 1, -1, -1):
                if row[passed] and (only is None or passed + 1 in only):
                    flows = row[passed] * share
                    row[passed] -= flows
                    to[passed + 1] += flows
            if not any(row):
                del mass[left]
        return people
