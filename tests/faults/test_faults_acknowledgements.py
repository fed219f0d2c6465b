"""An acknowledgement is said until it is at its host: a device that dies in between says it again."""

from __future__ import annotations

import pytest

from roost.messaging import outbox, sealing
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


def test_after_a_gap_that_the_sender_made_both_count_alike(friends: tuple[Device, Device]) -> None:
    """What was sealed and is not kept any more (a knock that was answered) is given up by the receiver, who cannot say
    what it was: what comes after it is acknowledged all the same, and nobody is taken for an older copy."""
    alice, bob = friends
    bob.world.settle()
    alice.say(bob.account, "dropped")
    (peer,) = alice.work().find(PeerDevice, where={"account": bob.account})
    alice.do(sealing.seal_waiting, peer)
    (row,) = alice.work().find(Outbox)
    alice.do(outbox.discard, row)
    for text in ("next", "and next"):
        alice.say(bob.account, text)
    alice.send()
    (log,) = filter(None, bob.world.host.logs.values())
    log.reverse()
    bob.world.settle()
    assert bob.texts(alice.account)[-2:] == ["next", "and next"]
    assert not alice.work().find(Outbox)
    assert not any(kind == "session_reset" for kind, _ in alice.told + bob.told)
