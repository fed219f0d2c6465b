"""A conversation never takes a network that exposes more than either of the two allows; what would have to, waits."""

from __future__ import annotations

import msgspec
import pytest

from roost.messaging import floors, mailboxes
from roost.messaging.records import Contact, Message, OwnRelay
from roost.wire.addresses import RelayAddress
from roost.wire.content import Floor
from roost.wire.links import RelayLink
from tests.messaging.harness import Device, World

OTHER_RELAY = RelayLink(RelayAddress("other.example", 443, b"o" * 32))


@pytest.fixture
def world() -> World:
    return World()


def _friends(world: World) -> tuple[Device, Device]:
    alice, bob = world.person("Alice"), world.person("Bob")
    world.friends(alice, bob)
    return alice, bob


def _texts(device: Device, conversation: bytes) -> list[str]:
    return [row.text for row in sorted(device.work().find(Message), key=lambda row: row.position)]


def test_the_stricter_of_both_holds_and_messages_wait(world: World) -> None:
    alice, bob = _friends(world)
    alice.do(floors.set_floor, bob.account, Floor.FEDERATED)
    world.settle()
    assert floors.floor_of(bob.work().need(Contact, alice.account)) == Floor.FEDERATED
    alice.say(bob.account, "from alice")
    bob.say(alice.account, "from bob")
    world.settle()
    assert "from alice" not in _texts(bob, alice.account)
    assert "from bob" not in _texts(alice, bob.account)
    assert floors.holds(alice.work(), bob.account)
    assert floors.holds(bob.work(), alice.account)

    alice.do(floors.set_floor, bob.account, Floor.ANY)
    world.settle()
    assert _texts(bob, alice.account)[-1] == "from alice"
    assert _texts(alice, bob.account)[-1] == "from bob"


def test_only_who_raised_the_floor_lowers_it(world: World) -> None:
    alice, bob = _friends(world)
    alice.do(floors.set_floor, bob.account, Floor.FEDERATED)
    world.settle()
    bob.do(floors.set_floor, alice.account, Floor.FEDERATED)
    bob.do(floors.set_floor, alice.account, Floor.ANY)
    world.settle()
    assert floors.floor_of(bob.work().need(Contact, alice.account)) == Floor.FEDERATED
    assert alice.work().need(Contact, bob.account).their_floor == Floor.ANY


def test_another_relay_lets_them_go(world: World) -> None:
    """Alice moves to another relay: what waited goes by two relays, in its order, and nothing is lost."""
    alice, bob = _friends(world)
    alice.do(floors.set_floor, bob.account, Floor.FEDERATED)
    world.settle()
    for number in range(3):
        alice.say(bob.account, f"number {number}")
        bob.say(alice.account, f"answer {number}")
    world.settle()
    old = alice.work().find(OwnRelay)[0]

    def move(work) -> None:  # type: ignore[no-untyped-def]
        work.put(OwnRelay(OTHER_RELAY.address.key, OTHER_RELAY, old.rank + 1))
        mailboxes.leave_relay(work, old)

    alice.do(move)
    for _ in range(20):
        world.wait(60_000)
        world.tick_all()
        world.settle()
        left = alice.work().get(OwnRelay, old.relay)
        if left is None and "answer 2" in _texts(alice, bob.account):
            break
    assert [text for text in _texts(bob, alice.account) if text.startswith("number")] == [
        "number 0",
        "number 1",
        "number 2",
    ]
    assert [text for text in _texts(alice, bob.account) if text.startswith("answer")] == [
        "answer 0",
        "answer 1",
        "answer 2",
    ]


def test_another_device_of_mine_keeps_to_it(world: World) -> None:
    alice, bob = _friends(world)
    phone = world.second_device(alice, "phone")
    world.settle()
    alice.do(floors.set_floor, bob.account, Floor.FEDERATED)
    world.settle()
    assert phone.work().need(Contact, bob.account).floor == Floor.FEDERATED
    late = world.second_device(alice, "tablet")
    world.settle()
    assert late.work().need(Contact, bob.account).floor == Floor.FEDERATED


def test_a_floor_of_a_later_network_holds_everything(world: World) -> None:
    alice, bob = _friends(world)
    contact = alice.work().need(Contact, bob.account)
    alice.do(lambda work: work.put(msgspec.structs.replace(contact, their_floor=int(Floor.ONION))))
    alice.say(bob.account, "waits")
    world.settle()
    assert "waits" not in _texts(bob, alice.account)
