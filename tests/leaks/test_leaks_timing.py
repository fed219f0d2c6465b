"""The statistical disclosure attack on sealed senders, by the times of acknowledgements.

Martiny, Kaptchuk, Aviv, Roche, Wustrow: "Improving Signal's Sealed Sender", NDSS 2021. The host sees when an
envelope enters whose mailbox, not who wrote it. Each time its target Bob gets one, it notes who gets one within the
next moments, subtracts how often they do anyway, and adds up: the sender's automatic receipts single the partner
out in a few messages.
"""

from __future__ import annotations

import math
import random
from collections import Counter
from collections.abc import Callable

import pytest

from roost.messaging import conversations, rounds
from roost.messaging.inbox import ACKNOWLEDGE_WITHIN_MS
from roost.messaging.records import Message, MessageState, OwnMailbox
from tests.messaging.harness import Device, World

MESSAGES = 100
WINDOW_MS = ACKNOWLEDGE_WITHIN_MS + 200
STEP_MS = 200
OTHERS = 200  # people at the same host who have nothing to do with Bob
EVERY_MS = 30_000  # each of them gets an envelope so often
CONTACTS = ("Alice", "Carol", "Dave", "Erin", "Frank", "Grace", "Heidi", "Ivan")


class Observer:
    """The host: it knows whose mailbox is whose, and writes down when each person gets an envelope."""

    def __init__(self, world: World) -> None:
        self.world = world
        self.arrivals: list[tuple[int, str]] = []
        self._owners: dict[bytes, str] = {}
        self._put = world.host.put
        world.host.put = self.put  # type: ignore[method-assign]

    def put(self, capability: bytes, envelope: bytes) -> bool:
        if capability not in self._owners:
            boxes = [(row.put, device.name) for device in self.world.devices for row in device.work().find(OwnMailbox)]
            self._owners.update(boxes)
        self.arrivals.append((self.world.now, self._owners[capability]))
        return self._put(capability, envelope)

    def scores(self, target: str) -> Counter[str]:
        """How much more often each person gets an envelope soon after the target does than at other times."""
        times = sorted(time for time, person in self.arrivals if person == target)
        seen: Counter[str] = Counter()
        for time in times:
            seen.update(person for at, person in self.arrivals if time < at <= time + WINDOW_MS and person != target)
        span = self.arrivals[-1][0] - self.arrivals[0][0]
        total = Counter(person for _, person in self.arrivals)
        for person in seen:
            seen[person] -= round(len(times) * total[person] * WINDOW_MS / span)
        return seen


@pytest.fixture(scope="module")
def bob_and_contacts() -> tuple[Device, list[Device]]:
    world = World(seed=5)
    bob = world.person("Bob")
    contacts = [world.person(name) for name in CONTACTS]
    for contact in contacts:
        world.friends(bob, contact)
    return bob, contacts


def watched(bob: Device, alice: Device, *, reads: bool = False) -> Counter[str]:
    """Alice writes at random times; Bob's device does what it does, and he may read at once; the host adds up."""
    observer = Observer(bob.world)
    watch(observer, bob, alice, reads=reads)
    return observer.scores("Bob")


def watch(observer: Observer, bob: Device, alice: Device, *, reads: bool = False) -> None:
    """What the host notes of that, in `observer`."""
    world, chance = bob.world, random.Random(1)
    began = world.now
    for number in range(MESSAGES):
        world.wait(int(chance.expovariate(1 / 20_000)) + WINDOW_MS)
        alice.say(bob.account, f"{number}")
        alice.send()
        bob.fetch()
        if reads:
            unread = bob.work().find(Message, where={"state": int(MessageState.RECEIVED)})
            bob.do(conversations.mark_read, alice.account, tuple(row.id for row in unread))
        for _ in range(WINDOW_MS // STEP_MS):
            world.wait(STEP_MS)
            bob.send()
        for device in world.devices:
            if device is not bob:
                device.fetch()
    world.host.put = observer._put  # type: ignore[method-assign]
    for person in range(OTHERS):
        time = began
        while (time := time + int(chance.expovariate(1 / EVERY_MS))) < world.now:
            observer.arrivals.append((time, f"person {person}"))
    observer.arrivals.sort()


def singled_out(scores: Counter[str]) -> list[str]:
    """Those who stand out as much as the one who stands out most: within three standard deviations of a full score."""
    best = max(scores.values())
    return [person for person, score in scores.items() if score >= best - 3 * math.sqrt(best)]


def test_the_partner_is_not_singled_out(bob_and_contacts: tuple[Device, list[Device]]) -> None:
    """At the default setting, in 100 messages: the partner is one of a circle whose members nothing tells apart."""
    bob, contacts = bob_and_contacts
    scores = watched(bob, contacts[0])
    suspects = singled_out(scores)
    assert "Alice" in suspects
    assert len(suspects) >= rounds.CIRCLE
    circle = {scores[person] for person in suspects if not person.startswith("person")}
    assert max(circle) - min(circle) <= 2  # ... not even by a little


def test_reading_does_not_single_out_the_partner(bob_and_contacts: tuple[Device, list[Device]]) -> None:
    """Bob has the conversation open, so that his device says of each message at once that it was read."""
    bob, contacts = bob_and_contacts
    scores = watched(bob, contacts[1], reads=True)
    suspects = singled_out(scores)
    assert "Carol" in suspects
    assert len(suspects) >= rounds.CIRCLE


def test_without_rounds_the_attack_works(
    bob_and_contacts: tuple[Device, list[Device]], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The control: the same attack finds the partner where an acknowledgement goes to the sender alone."""
    only_the_sender: Callable[..., object] = lambda work, due: due  # noqa: E731
    monkeypatch.setattr("roost.messaging.rounds.with_circles", only_the_sender)
    bob, contacts = bob_and_contacts
    assert singled_out(watched(bob, contacts[3])) == ["Erin"]


def test_a_circle_stays_while_contacts_come_and_everybody_is_in_one(
    bob_and_contacts: tuple[Device, list[Device]],
) -> None:
    """A circle that changed would be narrowed down to what its versions share."""
    bob, contacts = bob_and_contacts
    circles = rounds._circles(bob.work())
    assert [len(circle) for circle in circles] == [4, 4]
    assert sorted(account for circle in circles for account in circle) == sorted(each.account for each in contacts)
    newcomer = bob.world.person("Judy")
    bob.world.friends(bob, newcomer)
    later = rounds._circles(bob.work())
    assert later[0] == circles[0]
    assert later[1] == [*circles[1], newcomer.account]


def test_who_is_gone_is_not_flooded(
    bob_and_contacts: tuple[Device, list[Device]], monkeypatch: pytest.MonkeyPatch
) -> None:
    """An envelope that carries nothing costs the mailbox of who is away: after so many there are no more."""
    monkeypatch.setattr(rounds, "COVER_LIMIT", 250)
    bob, contacts = bob_and_contacts
    alice, away = contacts[0], contacts[1]
    (box,) = [row.put for row in away.work().find(OwnMailbox, where={"account": bob.account})]
    before = len(bob.world.host.logs[box])
    for number in range(rounds.COVER_LIMIT + 10):
        alice.say(bob.account, f"{number}")
        alice.send()
        bob.fetch()
        bob.world.wait(2_100)
        bob.send()
        alice.fetch()
    assert len(bob.world.host.logs[box]) - before <= rounds.COVER_LIMIT
