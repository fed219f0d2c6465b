"""An acknowledgement is said until it is at its host: a device that dies in between says it again. What could not reach
a host for long is tried as soon as something reaches it again."""

from __future__ import annotations

from itertools import pairwise

import pytest

from roost.messaging import outbox, sealing
from roost.messaging.records import NEVER, Outbox, PeerDevice, SessionRow
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


def test_a_host_is_tried_each_minute_for_ten(friends: tuple[Device, Device]) -> None:
    _, bob = friends
    began = bob.world.now
    tried = []
    while found := due(bob) or bob.work().find(SessionRow, at_most=("acknowledge_at", NEVER - 1)):
        if isinstance(found[0], PeerDevice):
            tried.append(bob.world.now)
            bob.do(sealing.seal_bare, found[0], again_at=bob.world.now + 10_000)  # and the host is away
        bob.world.wait(1_000)
    pauses = [later - earlier for earlier, later in pairwise(tried)]
    assert max(pauses) <= 60_000
    assert tried[-1] - began >= 9 * 60_000


def test_what_waits_for_a_host_follows_what_reaches_it(friends: tuple[Device, Device]) -> None:
    """A message, and an acknowledgement, each after the other."""
    other, bob = friends
    alice = bob.work().find(PeerDevice)[0]
    for text in ("one", "two", "three"):
        bob.say(alice.account, text)
    bob.do(sealing.seal_waiting, alice)  # what was to be acknowledged goes along
    rows = bob.work().find(Outbox)
    other.say(bob.account, "hello?")
    other.send()
    bob.fetch()
    for _ in range(6):
        for row in rows:
            bob.do(outbox.refused, row.number, "unreachable")
        bob.do(sealing.seal_bare, alice, again_at=bob.world.now + 10_000)
    bob.do(outbox.refused, rows[2].number, "denied")

    bob.do(outbox.stored, rows[0].number)
    second, third = (bob.work().need(Outbox, row.number) for row in rows[1:])
    assert second.next_at <= bob.world.now < third.next_at
    assert due(bob) == [alice]

    bob.do(outbox.refused, rows[1].number, "unreachable")
    bob.do(sealing.acknowledgement_put, alice, bob.world.now)
    assert bob.work().need(Outbox, rows[1].number).next_at <= bob.world.now
    assert due(bob) == []


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
