"""A person's own devices in groups, and what is lost on the way."""

from __future__ import annotations

import pytest

from roost.crypto import SigningKey
from roost.messaging import accounts, conversations, devices
from roost.messaging.groups import actions
from roost.messaging.invitations import open_invitation
from roost.messaging.records import GroupSender, GroupStatus, Message, MessageState, PeerDevice
from roost.wire.links import parse_invitation
from tests.messaging.groups.group_world import GroupDevice, GroupWorld, agree
from tests.messaging.harness import RELAY


@pytest.fixture
def world() -> GroupWorld:
    return GroupWorld()


def link(world: GroupWorld, old: GroupDevice, name: str) -> GroupDevice:
    """A further device of an account."""
    new = GroupDevice(world, name)
    row = new.do(accounts.create_waiting, RELAY, name)
    world.devices.append(new)
    new.create_mailboxes()
    invitation = parse_invitation(row.link)
    work = old.work()
    card = open_invitation(work, invitation, world.host.cards[invitation.secret])
    devices.confirm(work, card, account_key(old))
    old.commit(work)
    world.settle()
    return new


def account_key(device: GroupDevice) -> SigningKey:
    return accounts.account_key(device.work().me, None)


def test_a_new_device_of_a_member_comes_into_the_group_by_itself(world: GroupWorld) -> None:
    id, (alice, bob) = world.grouped("Alice", "Bob")
    tablet = link(world, bob, "tablet")
    world.wait(86_400_000)
    world.settle()
    assert tablet.group(id).status == GroupStatus.ACTIVE
    agree(id, alice, bob, tablet)
    assert alice.members(id) == ["Alice", "Bob"]
    said = tablet.say(id, "from my tablet")
    world.settle()
    assert alice.texts(id) == bob.texts(id) == ["from my tablet"]
    assert bob.work().need(Message, said).author == bob.account
    assert bob.state(said) == MessageState.SENT
    heard = alice.say(id, "hello")
    world.settle()
    bob.do(conversations.mark_read, id, (heard,))
    world.settle()
    assert tablet.state(heard) == MessageState.SEEN


def test_a_device_that_is_removed_from_its_account_leaves_the_group(world: GroupWorld) -> None:
    id, (alice, bob) = world.grouped("Alice", "Bob")
    tablet = link(world, bob, "tablet")
    world.wait(86_400_000)
    world.settle()
    tablet.away = True
    bob.do(devices.remove, tablet.work().me.device, account_key(bob))
    world.settle()
    world.wait(86_400_000)
    world.settle()
    agree(id, alice, bob)
    assert len(actions.members(alice.work(), id)[1].devices) == 1
    assert alice.group(id).generation == 1
    bob.say(id, "without the tablet")
    world.settle()
    assert alice.texts(id) == ["without the tablet"]
    tablet.away = False
    world.settle()
    assert tablet.texts(id) == []


def test_a_group_with_people_of_several_devices_is_made_with_all_of_them(world: GroupWorld) -> None:
    alice, bob = world.people("Alice", "Bob")
    tablet, phone = link(world, bob, "tablet"), link(world, alice, "phone")
    world.wait(86_400_000)
    world.settle()
    assert len(alice.work().find(PeerDevice, where={"account": bob.account})) == 2
    id = alice.do(actions.create, "Choir", [bob.account])
    world.settle()
    agree(id, alice, bob, tablet, phone)
    phone.say(id, "hello")
    world.settle()
    assert alice.texts(id) == bob.texts(id) == tablet.texts(id) == ["hello"]
    tablet.do(actions.leave, id)
    world.settle()
    assert bob.group(id).status == tablet.group(id).status == GroupStatus.LEFT
    assert alice.members(id) == ["Alice"]
    agree(id, alice, phone)


def test_what_the_host_lost_is_asked_for_and_said_again(world: GroupWorld) -> None:
    id, (alice, bob, carol) = world.grouped("Alice", "Bob", "Carol")
    alice.say(id, "one")
    world.settle()
    log = world.hosted[next(iter(world.hosted))]
    bob.away = True
    said = alice.say(id, "two")
    alice.turn()
    world.settle()
    lost = log.entries[-1]
    bob.away = False
    world.hides = {("Bob", lost[0])}
    alice.say(id, "three")
    world.settle()
    assert bob.texts(id) == ["one", "three"]
    assert [row.missing for row in bob.work().find(GroupSender) if row.missing] != []
    world.wait(60_000)
    world.settle()
    world.wait(60_000)
    world.settle()
    assert bob.texts(id) == ["one", "three", "two"]
    assert carol.texts(id) == ["one", "two", "three"]
    assert [row.missing for row in bob.work().find(GroupSender) if row.missing] == []
    assert bob.work().need(Message, said).author == alice.account
