"""Pins: both sides see the same ones, whoever pinned, in whatever order it comes; deleted messages lose theirs."""

from __future__ import annotations

import pytest

from roost.errors import CallerError
from roost.messaging import conversations, pins
from roost.messaging.records import Message, PinRow
from tests.messaging.harness import Device, World


@pytest.fixture
def friends() -> tuple[World, Device, Device]:
    world = World()
    alice, bob = world.person("Alice"), world.person("Bob")
    world.friends(alice, bob)
    return world, alice, bob


def pinned(device: Device, other: Device) -> list[bytes]:
    return [row.target for row in pins.pins(device.work(), other.account)]


def test_either_pins_and_unpins_for_both(friends: tuple[World, Device, Device]) -> None:
    world, alice, bob = friends
    first, second = alice.say(bob.account, "the address"), bob.say(alice.account, "the time")
    world.settle()
    bob.do(pins.pin, first, pinned=True)
    world.settle()
    world.now += 1_000
    alice.do(pins.pin, second, pinned=True)
    world.settle()
    assert pinned(alice, bob) == pinned(bob, alice) == [second, first]
    assert ("pin", "pinned") in alice.told
    alice.do(pins.pin, first, pinned=False)
    world.settle()
    assert pinned(alice, bob) == pinned(bob, alice) == [second]
    alice.do(conversations.delete_here, second)
    assert pinned(alice, bob) == []
    assert pinned(bob, alice) == [second]
    bob.do(conversations.delete_for_all, second)
    assert pinned(bob, alice) == []


def test_the_later_word_holds(friends: tuple[World, Device, Device]) -> None:
    world, alice, bob = friends
    id = alice.say(bob.account, "words")
    world.settle()
    message = bob.work().get(Message, id)
    assert message is not None
    bob.do(pins.apply_pin, message, alice.account, 2_000, pinned=False)
    bob.do(pins.apply_pin, message, alice.account, 1_000, pinned=True)
    assert pinned(bob, alice) == []


def test_there_is_room_for_so_many(friends: tuple[World, Device, Device]) -> None:
    world, alice, bob = friends
    ids = [alice.say(bob.account, f"number {number}") for number in range(pins.MAX_PINS + 5)]
    for id in ids:
        world.now += 1
        alice.do(pins.pin, id, pinned=True)
    assert len(alice.work().find(PinRow)) == pins.MAX_PINS
    assert pinned(alice, bob)[0] == ids[-1]


def test_what_cannot_be_pinned(friends: tuple[World, Device, Device]) -> None:
    _, alice, bob = friends
    id = alice.say(bob.account, "words")
    with pytest.raises(CallerError, match="not pinned"):
        alice.do(pins.pin, id, pinned=False)
    with pytest.raises(CallerError):
        alice.do(pins.pin, bytes(16), pinned=True)
