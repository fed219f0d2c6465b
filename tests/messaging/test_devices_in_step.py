"""Every device of both people has everything, however they came to know of each other."""

from __future__ import annotations

import pytest

from roost.messaging.records import Contact, ContactState, Outbox, PeerDevice
from roost.wire.links import InvitationKind
from tests.messaging.harness import World


@pytest.fixture
def world() -> World:
    return World()


def test_a_device_linked_by_a_linked_one_meets_the_first(world: World) -> None:
    alice, bob = world.person("Alice"), world.person("Bob")
    world.friends(alice, bob)
    second = world.second_device(alice, "second")
    third = world.second_device(second, "third")
    for device in (alice, second, third):
        mine = device.work().find(PeerDevice, where={"account": alice.account})
        assert len(mine) == 2
        assert all(peer.address for peer in mine)
    third.say(bob.account, "from the third")
    alice.say(bob.account, "from the first")
    world.settle()
    for device in (alice, second, third):
        assert sorted(device.texts(bob.account)) == ["from the first", "from the third"]


def test_what_is_said_at_once_reaches_a_device_that_has_not_shown_itself(world: World) -> None:
    alice, bob = world.person("Alice"), world.person("Bob")
    second = world.second_device(bob, "Bob's phone")
    alice.add(bob.invite())
    alice.say(bob.account, "before you accept")
    world.settle()
    bob.accept_all()
    world.settle()
    assert second.texts(alice.account) == bob.texts(alice.account) == ["before you accept"]


def test_what_is_said_before_acceptance_stands_on_my_other_devices(world: World) -> None:
    alice, bob = world.person("Alice"), world.person("Bob")
    second = world.second_device(alice, "Alice's phone")
    alice.add(bob.invite(InvitationKind.REUSABLE))
    alice.say(bob.account, "early")
    world.settle()
    assert second.texts(bob.account) == ["early"]
    assert second.work().need(Contact, bob.account).state == ContactState.REQUESTED
    second.say(bob.account, "from my phone")
    world.settle()
    bob.accept_all()
    world.settle()
    assert sorted(bob.texts(alice.account)) == ["early", "from my phone"]
    assert second.work().need(Contact, bob.account).state == ContactState.ACCEPTED
    assert not any(device.work().find(Outbox) for device in (alice, second, bob))
