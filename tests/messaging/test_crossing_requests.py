"""Two people who each open an invitation of the other: that is both sides' consent, in whatever order it arrives."""

from __future__ import annotations

import pytest

from roost.errors import CallerError
from roost.messaging import invitations, requests
from roost.messaging.records import ContactState, Outbox
from roost.wire.links import parse_invitation
from tests.messaging.harness import Device, World, accepted


@pytest.fixture
def world() -> World:
    return World()


def ask(device: Device, link: str) -> ContactState:
    """As an app does."""
    invitation = parse_invitation(link)
    work = device.work()
    card = invitations.open_invitation(work, invitation, device.world.host.cards[invitation.secret])
    contact = requests.ask(work, card, "hello")
    device.commit(work)
    return ContactState(contact.state)


def check_friends(world: World, alice: Device, bob: Device, *before: str) -> None:
    assert [c.name for c in accepted(alice)] == ["Bob"]
    assert [c.name for c in accepted(bob)] == ["Alice"]
    assert alice.pending() == bob.pending() == []
    for number in range(3):
        alice.say(bob.account, f"a{number}")
        bob.say(alice.account, f"b{number}")
        world.settle()
    expected = [*before, *(f"{who}{number}" for number in range(3) for who in "ab")]
    assert sorted(alice.texts(bob.account)) == sorted(bob.texts(alice.account)) == sorted(expected)
    assert not alice.work().find(Outbox)
    assert not bob.work().find(Outbox)


def test_who_adds_somebody_that_has_asked_already_accepts_them(world: World) -> None:
    alice, bob = world.person("Alice"), world.person("Bob")
    to_alice, to_bob = alice.invite(), bob.invite()
    assert ask(bob, to_alice) == ContactState.REQUESTED
    world.settle()
    assert len(alice.pending()) == 1
    assert ask(alice, to_bob) == ContactState.ACCEPTED
    world.settle()
    check_friends(world, alice, bob)
    with pytest.raises(CallerError, match="already"):
        ask(alice, to_bob)


@pytest.mark.parametrize("seed", range(8))
def test_knocks_that_cross_make_contacts_of_both(seed: int) -> None:
    world = World(seed)
    alice, bob = world.person("Alice"), world.person("Bob")
    to_alice, to_bob = alice.invite(), bob.invite()
    ask(alice, to_bob)
    ask(bob, to_alice)
    alice.say(bob.account, "early")
    for device in (alice, bob):
        device.create_mailboxes()
    for device in (alice, bob):
        device.send()
    world.settle()
    assert alice.texts(bob.account) == bob.texts(alice.account) == ["early"]
    check_friends(world, alice, bob, "early")


@pytest.mark.parametrize("who", ["Alice", "Bob"])
def test_a_knock_that_crossed_may_be_lost(world: World, who: str) -> None:
    """One of the two arrives; the other one's mailbox has gone."""
    alice, bob = world.person("Alice"), world.person("Bob")
    to_alice, to_bob = alice.invite(), bob.invite()
    ask(alice, to_bob)
    ask(bob, to_alice)
    late = alice if who == "Alice" else bob
    world.devices.remove(late)
    world.settle()
    for log in world.host.logs.values():
        if late is bob:
            log.clear()
    world.devices.append(late)
    world.settle()
    check_friends(world, alice, bob)


def test_who_was_declined_and_is_asked_then_is_accepted_at_once(world: World) -> None:
    alice, bob = world.person("Alice"), world.person("Bob")
    to_alice, to_bob = alice.invite(), bob.invite()
    ask(bob, to_alice)
    world.settle()
    alice.do(requests.decline, alice.pending()[0])
    world.settle()
    ask(alice, to_bob)
    world.settle()
    check_friends(world, alice, bob)


def test_nobody_is_accepted_whom_one_did_not_ask(world: World) -> None:
    alice, bob, eve = world.person("Alice"), world.person("Bob"), world.person("Eve")
    ask(alice, bob.invite())
    ask(eve, alice.invite())
    world.settle()
    assert [request.account for request in alice.pending()] == [eve.account]
    assert not accepted(alice)
