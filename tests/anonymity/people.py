"""A day of people who write to their contacts, on virtual time: who sends what to whom, and when."""

from __future__ import annotations

import random
from dataclasses import dataclass, field
from typing import NamedTuple

from roost.messaging.inbox import ACKNOWLEDGE_WITHIN_MS
from roost.messaging.rounds import CIRCLE

DAY = 86_400.0
AWAKE = 16 * 3_600.0
CONTACTS = 10
MESSAGES = 40  # that a person writes in a day, in the mean
TALK = 6  # messages in a row between two, in the mean
PAUSE = 30.0  # between two of them


class Sent(NamedTuple):
    """An envelope put into the mailbox that `to` has for `by`. Acknowledgements go to a whole circle of contacts."""

    at: float
    by: int
    to: int
    message: bool


@dataclass
class Population:
    """People, their contacts and when their day begins."""

    size: int
    seed: int
    contacts: list[list[int]] = field(init=False)

    def __post_init__(self) -> None:
        chance = random.Random(f"people {self.seed}")
        known: list[dict[int, None]] = [{} for _ in range(self.size)]
        for person in range(self.size):
            for other in chance.sample(range(self.size), min(CONTACTS // 2, self.size - 1)):
                if other != person:
                    known[person][other] = known[other][person] = None
        self.contacts = [list(each) for each in known]
        self.wakes = [chance.gauss(7, 1.5) * 3_600 % DAY for _ in range(self.size)]
        self.talks = [chance.lognormvariate(0, 1) for _ in range(self.size)]  # how much each one writes
        scale = MESSAGES * self.size / sum(self.talks) / TALK
        self.talks = [each * scale for each in self.talks]

    def circle(self, person: int, contact: int) -> list[int]:
        """As messaging.rounds has it: who else gets an envelope when this contact is acknowledged something."""
        known = self.contacts[person]
        whole = max(len(known) // CIRCLE, 1)
        number = min(known.index(contact) // CIRCLE, whole - 1)
        return known[number * CIRCLE : (number + 1) * CIRCLE] if number < whole - 1 else known[number * CIRCLE :]

    def partner(self, person: int) -> int:
        """Whom this person writes most."""
        return self.contacts[person][0]

    def day(self, number: int = 0) -> list[Sent]:
        """Everything that is sent in a day, in order. Whom people prefer does not change from day to day."""
        chance = random.Random(f"day {self.seed} {number}")
        sent: list[Sent] = []
        for person in range(self.size):
            known = self.contacts[person]
            weights = [1 / (place + 1) for place in range(len(known))]
            at = 0.0
            while known and (at := at + chance.expovariate(self.talks[person] / AWAKE)) < AWAKE:
                other = chance.choices(known, weights)[0]
                sent += self._talk(chance, person, other, (self.wakes[person] + at) % DAY)
        sent.sort()
        return sorted([*sent, *self._acknowledgements(chance, sent)])

    def _talk(self, chance: random.Random, one: int, other: int, at: float) -> list[Sent]:
        said = []
        while True:
            said.append(Sent(at, one, other, True))
            at += chance.expovariate(1 / PAUSE)
            if chance.random() < 1 / TALK or at >= DAY:
                return said
            one, other = other, one

    def _acknowledgements(self, chance: random.Random, sent: list[Sent]) -> list[Sent]:
        """Within two seconds of a message, all the circle at once; what comes meanwhile is in the same one."""
        due: dict[tuple[int, int], float] = {}
        found = []
        for one in sent:
            circle = self.circle(one.to, one.by)
            if due.get((one.to, circle[0]), 0.0) > one.at:
                continue
            at = one.at + chance.uniform(0, ACKNOWLEDGE_WITHIN_MS / 1_000)
            due[one.to, circle[0]] = at
            found += [Sent(at, one.to, contact, False) for contact in circle]
        return found
