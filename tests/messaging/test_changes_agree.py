"""Edits and reactions look alike on all devices, in whatever order they come and whatever the clocks say."""

from __future__ import annotations

import pytest

from roost.messaging import conversations
from roost.messaging.records import Message, ReactionRow
from tests.messaging.harness import Device, World


@pytest.fixture
def devices() -> tuple[World, Device, Device, Device]:
    """Alice with a phone, and Bob."""
    world = World()
    alice, bob = world.person("Alice"), world.person("Bob")
    world.friends(alice, bob)
    return world, alice, world.second_device(alice, "phone"), bob


def emojis(device: Device, id: bytes) -> list[str]:
    return [row.emoji for row in device.work().find(ReactionRow, where={"target": id})]


def test_a_clock_that_was_set_back_does_not_lose_edits_and_reactions(
    devices: tuple[World, Device, Device, Device],
) -> None:
    world, alice, phone, bob = devices
    id = alice.say(bob.account, "one")
    world.settle()
    alice.do(conversations.edit, id, "two")
    bob.do(conversations.react, id, "🎉")
    world.settle()
    world.wait(-86_400_000)
    alice.do(conversations.edit, id, "three")
    bob.do(conversations.react, id, "")
    world.wait(86_400_000)
    world.settle()
    for device in (alice, phone, bob):
        assert device.work().need(Message, id).text == "three"
        assert emojis(device, id) == [""]


def test_two_devices_at_once_agree(devices: tuple[World, Device, Device, Device]) -> None:
    world, alice, phone, bob = devices
    id = alice.say(bob.account, "one")
    world.settle()
    alice.do(conversations.edit, id, "from the laptop")
    phone.do(conversations.edit, id, "from the phone")
    alice.do(conversations.react, id, "👍")
    phone.do(conversations.react, id, "🎉")
    world.settle()
    assert {device.work().need(Message, id).text for device in (alice, phone, bob)} == {"from the phone"}
    assert emojis(alice, id) == emojis(phone, id) == emojis(bob, id)


def test_a_reaction_does_not_stick_to_a_deleted_message(devices: tuple[World, Device, Device, Device]) -> None:
    world, alice, phone, bob = devices
    id = alice.say(bob.account, "one")
    world.settle()
    alice.do(conversations.delete_for_all, id)
    bob.do(conversations.react, id, "👍")
    phone.do(conversations.react, id, "🎉")
    world.settle()
    assert emojis(alice, id) == emojis(phone, id) == emojis(bob, id) == []
