"""Two people, and more devices, from invitation to receipts: the messaging core as a whole."""

from __future__ import annotations

import pytest

from roost.errors import CallerError
from roost.messaging import conversations, devices, invitations, requests
from roost.messaging.records import Contact, ContactState, Message, MessageState, Outbox, PeerDevice, Prekey, SessionRow
from tests.messaging.harness import World, accepted


@pytest.fixture
def world() -> World:
    return World()


def test_two_people_become_contacts_and_talk(world: World) -> None:
    alice, bob = world.person("Alice"), world.person("Bob")
    contact = bob.add(alice.invite(), "it is me")
    assert contact == alice.account
    world.settle()
    (request,) = alice.pending()
    assert (request.name, request.greeting, request.account) == ("Bob", "it is me", bob.account)
    alice.accept_all()
    world.settle()
    assert [c.name for c in accepted(alice)] == ["Bob"]
    assert [c.name for c in accepted(bob)] == ["Alice"]
    first = alice.say(bob.account, "hello Bob")
    world.settle()
    second = bob.say(alice.account, "hello Alice")
    world.settle()
    for side, other in ((alice, bob), (bob, alice)):
        assert side.texts(other.account) == ["hello Bob", "hello Alice"]
    assert alice.state(first) == bob.state(second) == MessageState.DELIVERED
    assert not alice.work().find(Outbox)
    assert not bob.work().find(Outbox)


def test_messages_before_acceptance_wait_and_arrive(world: World) -> None:
    alice, bob = world.person("Alice"), world.person("Bob")
    bob.add(alice.invite())
    id = bob.say(alice.account, "early")
    world.settle()
    assert bob.state(id) == MessageState.QUEUED
    alice.accept_all()
    world.settle()
    assert alice.texts(bob.account) == ["early"]
    assert bob.state(id) == MessageState.DELIVERED


def test_who_is_asked_again_hears_of_it_though_messages_wait(world: World) -> None:
    """The first knock is lost with its mailbox; the second must not stand behind what waits for an answer to it."""
    alice, bob = world.person("Alice"), world.person("Bob")
    first, second = alice.invite(), alice.invite()
    world.devices.remove(alice)
    bob.add(first)
    bob.say(alice.account, "early")
    world.settle()
    for log in world.host.logs.values():
        log.clear()
    bob.add(second)
    world.settle()
    world.devices.append(alice)
    world.settle()
    alice.accept_all()
    world.settle()
    assert alice.texts(bob.account) == bob.texts(alice.account) == ["early"]
    assert not bob.work().find(Outbox)


def test_long_text_travels_in_fragments_in_order(world: World) -> None:
    alice, bob = world.person("Alice"), world.person("Bob")
    world.friends(alice, bob)
    long = "é" * 30_000
    for text in ("before", long, "after"):
        alice.say(bob.account, text)
    world.settle()
    assert bob.texts(alice.account) == ["before", long, "after"]


def test_edit_delete_react_read(world: World) -> None:
    alice, bob = world.person("Alice"), world.person("Bob")
    world.friends(alice, bob)
    id, other = alice.say(bob.account, "helo"), alice.say(bob.account, "oops")
    alice.do(conversations.edit, id, "hello")
    alice.do(conversations.delete_for_all, other)
    world.settle()
    assert bob.texts(alice.account) == ["hello", ""]
    bob.do(conversations.react, id, "👍")
    bob.do(conversations.mark_read, alice.account, (id, other))
    world.settle()
    assert alice.state(id) == MessageState.READ
    with pytest.raises(CallerError):
        bob.do(conversations.edit, id, "not mine")


def test_all_devices_of_both_sides_have_the_conversation(world: World) -> None:
    alice, bob = world.person("Alice"), world.person("Bob")
    world.friends(alice, bob)
    alice2 = world.second_device(alice, "Alice's phone")
    bob2 = world.second_device(bob, "Bob's phone")
    assert alice2.account == alice.account
    assert bob2.account == bob.account
    every = (alice, alice2, bob, bob2)
    for device in every:
        mine = device.work().find(PeerDevice)
        assert len(mine) == 3
        assert all(peer.address for peer in mine)
    for number, device in enumerate(every):
        other = bob if device in (alice, alice2) else alice
        device.say(other.account, f"from {number}")
        world.settle()
    for device in every:
        other = bob if device in (alice, alice2) else alice
        assert sorted(device.texts(other.account)) == [f"from {number}" for number in range(4)]
        assert not device.work().find(Outbox)


def test_a_contact_made_with_two_devices_on_each_side(world: World) -> None:
    alice, bob = world.person("Alice"), world.person("Bob")
    alice2, bob2 = world.second_device(alice, "a2"), world.second_device(bob, "b2")
    world.friends(alice, bob)
    alice2.say(bob.account, "hi")
    world.settle()
    bob2.say(alice.account, "ho")
    world.settle()
    for device, other in ((alice, bob), (alice2, bob), (bob, alice), (bob2, alice)):
        assert device.texts(other.account) == ["hi", "ho"]


def test_removed_device_gets_nothing_more(world: World) -> None:
    alice, bob = world.person("Alice"), world.person("Bob")
    world.friends(alice, bob)
    alice2 = world.second_device(alice, "a2")
    from roost.messaging import accounts

    work = alice.work()
    devices.remove(work, alice2.work().me.device, accounts.account_key(work.me, None))
    alice.commit(work)
    world.settle()
    bob.say(alice.account, "only for the laptop")
    world.settle()
    assert alice.texts(bob.account) == ["only for the laptop"]
    assert alice2.texts(bob.account) == []
    assert len(bob.work().find(PeerDevice, where={"account": alice.account})) == 1


def test_sessions_begun_at_once_both_receive(world: World) -> None:
    alice, bob = world.person("Alice"), world.person("Bob")
    world.friends(alice, bob)
    for device in (alice, bob):  # both lose their sessions, say from old backups
        for session in device.work().find(SessionRow):
            device.records.rows.pop((SessionRow, (session.id,)))
    alice.say(bob.account, "from alice")
    bob.say(alice.account, "from bob")
    world.settle()
    alice.say(bob.account, "again alice")
    bob.say(alice.account, "again bob")
    world.settle()
    for side, other in ((alice, bob), (bob, alice)):
        assert sorted(side.texts(other.account)) == ["again alice", "again bob", "from alice", "from bob"]
        assert not side.work().find(Outbox)


def test_lost_session_heals_and_nothing_is_lost(world: World) -> None:
    alice, bob = world.person("Alice"), world.person("Bob")
    world.friends(alice, bob)
    for session in bob.work().find(SessionRow):
        bob.records.rows.pop((SessionRow, (session.id,)))
    alice.say(bob.account, "one")
    alice.say(bob.account, "two")
    world.settle()
    assert bob.texts(alice.account) == ["one", "two"]
    assert not alice.work().find(Outbox)


def test_block_and_unblock(world: World) -> None:
    alice, bob = world.person("Alice"), world.person("Bob")
    world.friends(alice, bob)
    bob.do(requests.block, alice.account)
    world.settle()
    id = alice.say(bob.account, "are you there?")
    world.settle()
    assert bob.texts(alice.account) == []
    assert alice.state(id) == MessageState.QUEUED
    bob.do(requests.unblock, alice.account)
    world.settle()
    assert bob.texts(alice.account) == ["are you there?"]


@pytest.mark.parametrize("first", [0, 1])
def test_two_who_blocked_each_other_talk_again_when_neither_does(world: World, first: int) -> None:
    alice, bob = world.person("Alice"), world.person("Bob")
    world.friends(alice, bob)
    pair = (alice, bob)
    for one, other in (pair, pair[::-1]):
        one.do(requests.block, other.account)
        world.settle()
    for one, other in (pair, pair[::-1]) if first else (pair[::-1], pair):
        one.do(requests.unblock, other.account)
        world.settle()
    alice.say(bob.account, "friends?")
    for _ in range(3):
        world.wait(600_000)
        world.settle()
    bob.say(alice.account, "friends")
    world.settle()
    assert bob.texts(alice.account) == alice.texts(bob.account) == ["friends?", "friends"]
    assert not alice.work().find(Outbox)


def test_who_was_blocked_before_they_accepted_is_asked_anew(world: World) -> None:
    alice, bob = world.person("Alice"), world.person("Bob")
    bob.add(alice.invite())
    world.settle()
    bob.do(requests.block, alice.account)
    bob.do(requests.unblock, alice.account)
    assert bob.work().need(Contact, alice.account).state == ContactState.REQUESTED
    bob.add(alice.invite())
    world.settle()
    alice.accept_all()
    world.settle()
    alice.say(bob.account, "now")
    world.settle()
    assert bob.texts(alice.account) == ["now"]


def test_used_and_withdrawn_invitations_end(world: World) -> None:
    alice, bob = world.person("Alice"), world.person("Bob")
    link = alice.invite()
    bob.add(link)
    world.settle()
    assert [row for row in alice.work().find(Prekey) if row.invitation]
    alice.accept_all()
    assert not [row for row in alice.work().find(Prekey) if row.invitation]  # a stolen profile opens no first message
    world.settle()
    eve = world.person("Eve")
    with pytest.raises(KeyError):
        eve.add(link)
    other = alice.invite()
    alice.do(lambda work: invitations.end(work, invitations.find(work, other)))
    world.settle()
    with pytest.raises(KeyError):
        eve.add(other)


def test_mailboxes_rotate_and_the_old_ones_go(world: World) -> None:
    alice, bob = world.person("Alice"), world.person("Bob")
    world.friends(alice, bob)
    before = set(world.host.logs)
    for _ in range(3):
        world.wait(8 * 86_400_000)
        world.tick_all()
        world.settle()
        alice.say(bob.account, "x")
        bob.say(alice.account, "y")
        world.settle()
    world.tick_all()
    world.settle()
    assert not before & set(world.host.logs)
    assert len(world.host.logs) == 2
    assert alice.texts(bob.account) == ["x", "y"] * 3


def test_disappearing_messages_go_on_both_sides(world: World) -> None:
    alice, bob = world.person("Alice"), world.person("Bob")
    world.friends(alice, bob)
    alice.do(conversations.set_timer, bob.account, 60)
    world.settle()
    id = alice.say(bob.account, "soon gone")
    world.settle()
    bob.do(conversations.mark_read, alice.account, (id,))
    world.wait(61_000)
    world.tick_all()
    assert not alice.work().find(Message)
    assert not bob.work().find(Message)
