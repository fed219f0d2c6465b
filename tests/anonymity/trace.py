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
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import NamedTuple


class Stay(NamedTuple):
    """In a place from this time on. `only`: how many nodes a packet here may have passed, where the observer sees that;
    in such a place nothing else is, so that it sees which packet leaves it."""

    at: float
    place: int
    only: frozenset[int] | None = None

    def backwards(self, at: float, hops: int) -> Stay:
        only = None if self.only is None else frozenset(hops - 1 - passed for passed in self.only)
        return Stay(at, self.place, only)


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
        leaves = [*(stay.at for stay in self.stays[1:]), self.ended]
        stays = tuple(stay.backwards(-at, hops) for stay, at in zip(self.stays, leaves, strict=True))[::-1]
        return Journey(self.sink, stays, -self.stays[0].at, self.source, joins and joins.backwards(joins.at, hops))


class _Move(NamedTuple):
    left: int
    share: float
    entered: int
    only: frozenset[int] | None
    person: bool


@dataclass
class Trace:
    """What an observer sees of `journeys`, of which those that it follows pass `hops` nodes."""

    journeys: Sequence[Journey]
    people: int
    hops: int

    @cached_property
    def _ordered(self) -> tuple[list[_Move], list[float], dict[int, int]]:
        """All moves in order, their times, and for each journey the number of the first one after its beginning."""
        steps = []
        for number, journey in enumerate(self.journeys):
            steps += [(stay.at, number, place) for place, stay in enumerate(journey.stays)]
            steps.append((journey.ended, number, len(journey.stays)))
        steps.sort()
        inside: Counter[tuple[int, bool]] = Counter()
        moves: list[_Move] = []
        times: list[float] = []
        begins = {}
        for at, number, place in steps:
            journey = self.journeys[number]
            if place == 0:
                begins[number] = len(moves)
            else:
                moves.append(self._move(journey, place, inside))
                times.append(at)
            if place < len(journey.stays):
                stay = journey.stays[place]
                inside[stay.place, _to_person(journey, place)] += stay.only is None
        return moves, times, begins

    def _move(self, journey: Journey, place: int, inside: Counter[tuple[int, bool]]) -> _Move:
        left, person = journey.stays[place - 1], _to_person(journey, place - 1)
        share = 1.0
        if left.only is None:
            share = 1 / inside[left.place, person]
            inside[left.place, person] -= 1
        entered = journey.stays[place] if place < len(journey.stays) else journey.joins
        if entered is not None:
            return _Move(left.place, share, entered.place, entered.only, False)
        if journey.sink is not None:
            return _Move(left.place, share, journey.sink, None, True)
        return _Move(left.place, 0.0, left.place, None, False)  # thrown away: it was not what the observer follows

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


def _to_person(journey: Journey, place: int) -> bool:
    return place == len(journey.stays) - 1 and journey.sink is not None
