"""An acknowledgement is said until it is at its host: a device that dies in between says it again."""

from __future__ import annotations

import pytest

from roost.messaging import sealing
from roost.messaging.records import Outbox, PeerDevice
from tests.messaging.harness import Device, World


@pytest.fixture
def friends() -> tuple[Device, Device]:
    world = World()
    alice, bob = world.person("Alice"), world.person("Bob")
    world.friends(alice, bob)
    alice.say(bob.account, "hello")
    alice.send()
    bob.fetch()
    world.wait(2_100)
    return alice, bob


def due(device: Device) -> list[PeerDevice]:
    return device.do(sealing.due_acknowledgements)  # type: ignore[no-any-return]


def test_killed_between_sealing_and_putting(friends: tuple[Device, Device]) -> None:
    alice, bob = friends
    (peer,) = due(bob)
    bob.do(sealing.seal_bare, peer, again_at=bob.world.now + 10_000)  # and dies
    assert due(bob) == []
    bob.world.wait(10_000)
    assert [again.device for again in due(bob)] == [peer.device]
    bob.world.settle()
    assert not alice.work().find(Outbox)


def test_once_it_is_put_it_is_said(friends: tuple[Device, Device]) -> None:
    _, bob = friends
    (peer,) = due(bob)
    again_at = bob.world.now + 10_000
    bob.do(sealing.seal_bare, peer, again_at=again_at)
    bob.do(sealing.acknowledgement_put, peer, again_at)
    bob.world.wait(10_000)
    assert due(bob) == []


def test_what_came_meanwhile_is_acknowledged_soon(friends: tuple[Device, Device]) -> None:
    alice, bob = friends
    (peer,) = due(bob)
    again_at = bob.world.now + 10_000
    bob.do(sealing.seal_bare, peer, again_at=again_at)
    alice.say(bob.account, "and this")
    alice.send()
    bob.fetch()
    bob.do(sealing.acknowledgement_put, peer, again_at)
    bob.world.wait(2_100)
    assert [again.device for again in due(bob)] == [peer.device]


def test_typing_takes_no_acknowledgement_with_it(friends: tuple[Device, Device]) -> None:
    """It is ephemeral: who is away never gets it."""
    _, bob = friends
    (peer,) = due(bob)
    bob.do(sealing.seal_bare, peer, b"typing")
    assert [again.device for again in due(bob)] == [peer.device]
