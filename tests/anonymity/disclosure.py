"""What patience yields: attacks that need no packet followed, only who was seen to send and get packets, and when.

*Statistical disclosure* (Danezis: "Statistical Disclosure Attacks", SEC 2003; Kesdogan, Agrawal, Penz 2002 before it):
add up over the day who gets packets when the target sends, less how many they get anyway. Here also with what the
target *gets*, since the answer to a request arrives when its delivery does. *Intersection* (Raymond 2000): of those who
might be the partner, only those remain who were there each time.
"""

from __future__ import annotations

import math
import random
from array import array
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

from roost.network.onion.cover import RETURNS
from tests.anonymity.packets import DOWN, UP, Timing
from tests.anonymity.people import AWAKE, DAY, Population


@dataclass
class Watched:
    """When people's links had a packet, in bins of `bin_s` seconds: what targets sent, and the answers and deliveries
    that came to everybody. Beside these, `others` came to each at random moments, signs of life and cover; `regular`:
    when those of the targets did. (Cover that is balanced varies a little more than that from one bin to the next.)"""

    bin_s: float
    bins: int
    sent: dict[int, array[int]]
    got: list[array[int]]
    others: list[float]
    regular: dict[int, array[int]]

    @cached_property
    def variances(self) -> list[float]:
        """Of the answers and deliveries that come to each person in a bin."""
        squares = (sum(count * count for count in Counter(got).values()) for got in self.got)
        return [square / self.bins - (len(got) / self.bins) ** 2 for square, got in zip(squares, self.got, strict=True)]


def watch(people: Population, timing: Timing, days: int, targets: Sequence[int]) -> Watched:
    """What the links of all people show in so many days."""
    chance = random.Random(f"watch {people.seed} {timing.name}")
    bin_s = max(2 * math.sqrt(DOWN) * timing.hop_s, 0.5)
    bins = int(days * DAY / bin_s) + 100
    sent, got = {target: array("i") for target in targets}, [array("i") for _ in range(people.size)]
    for day in range(days):
        for one in people.day(day):
            at = day * DAY + one.at
            if timing.tick_s is not None:
                at += chance.expovariate(1 / timing.tick_s)  # it takes the place of cover that would have been sent
            if one.by in sent:
                sent[one.by].append(int(at / bin_s))
            arrived = at + chance.gammavariate(UP - 1, timing.hop_s)
            for person in (one.by, one.to):
                got[person].append(int((arrived + chance.gammavariate(DOWN, timing.hop_s)) / bin_s))
    leaves = [days * DAY / timing.every_s(len(known)) for known in people.contacts]
    others = leaves
    if timing.tick_s is not None and timing.loop_s is not None:
        each = days * DAY * (1 / timing.tick_s + 1 / timing.loop_s)
        others = [max(RETURNS * each - len(real), 0.0) for real in got]
        leaves = [max(each - len(sent.get(person, ())), 0.0) for person in range(people.size)]
    regular = {}
    for target in targets:
        sent[target].extend(chance.choices(range(bins), k=round(leaves[target])))
        regular[target] = array("i", chance.choices(range(bins), k=round(others[target])))
    return Watched(bin_s, bins, sent, got, others, regular)


def scores(watched: Watched, seen: Sequence[int], lag: int, chance: random.Random) -> list[float]:
    """For each person, by how many standard deviations more packets come to them `lag` bins after the target's `seen`
    ones than would by chance."""
    bins = watched.bins
    weights = [0.0] * (bins + lag)
    for place in seen:
        weights[place + lag] += 1
    mean = len(seen) / bins
    weights = [weight - mean for weight in weights[:bins]]
    square = sum(weight * weight for weight in weights)
    found = []
    for got, variance, others in zip(watched.got, watched.variances, watched.others, strict=True):
        # Thousands of packets at random moments of their own add up to a normal distribution.
        by_chance = chance.gauss(0, math.sqrt(others * square / bins))
        spread = math.sqrt(square * (variance + others / bins)) or 1.0
        found.append((sum(map(weights.__getitem__, got)) + by_chance) / spread)
    return found


@dataclass(frozen=True)
class Disclosed:
    """Where a target's true partner stands among all people by score (1: the attack names them), their score, and
    whether the one who stands first is a contact at all."""

    rank: int
    deviations: float
    contact: bool


def disclose(people: Population, watched: Watched, timing: Timing, target: int) -> Disclosed:
    """The best that the attacks make of this target: each is told which one did best, which no attacker is."""
    partner = people.partner(target)
    chance = random.Random(f"others {people.seed} {target}")
    best = Disclosed(people.size, 0.0, False)
    for seen, lag in (
        (watched.sent[target], round(timing.way_s / watched.bin_s)),
        (watched.got[target] + watched.regular[target], 0),
    ):
        found = scores(watched, seen, lag, chance)
        found[target] = -math.inf
        rank = 1 + sum(score > found[partner] for score in found)
        if rank < best.rank:
            best = Disclosed(rank, found[partner], found.index(max(found)) in people.contacts[target])
    return best


def remaining(people: Population, messages: int, hours: float, seed: int) -> int:
    """If devices are on for so many hours of each day only, and the observer knew which packets of one person's are of
    one partner: how many people were there for each of so many of them."""
    chance = random.Random(f"remaining {seed}")
    span = hours * 3_600

    def there(person: int, at: float) -> bool:
        return (at - people.wakes[person]) % DAY < span

    target = chance.randrange(people.size)
    times: list[float] = []
    while len(times) < messages:
        at = (people.wakes[target] + chance.uniform(0, min(span, AWAKE))) % DAY
        times.append(at)
    return sum(all(there(person, at) for at in times) for person in range(people.size) if person != target)
