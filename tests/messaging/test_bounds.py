"""What one hostile contact, or a clock that was wrong, can make a profile keep."""

from __future__ import annotations

import pytest

from roost.crypto import BODY_SIZE, Session
from roost.messaging import conversations, identity, inbox, outbox, sealing, upkeep
from roost.messaging.records import Orphan, Outbox, OwnMailbox, PeerDevice, SessionRow, Stash
from roost.wire import padding
from roost.wire.codec import encode
from roost.wire.content import Frame
from tests.messaging.harness import Device, World


@pytest.fixture
def friends() -> tuple[Device, Device]:
    world = World()
    alice, bob = world.person("Alice"), world.person("Bob")
    world.friends(alice, bob)
    bob.say(alice.account, "hello")
    world.settle()
    return alice, bob


def deliver(to: Device, by: Device, frame: Frame, session: Session) -> Session:
    session, envelope = session.seal(padding.pad(encode(frame), BODY_SIZE), by.entropy)
    (mailbox,) = to.work().find(OwnMailbox, where={"account": by.account})
    to.do(inbox.receive, mailbox, mailbox.cursor + 1, envelope)
    return session


def test_entries_that_never_end_are_dropped(friends: tuple[Device, Device]) -> None:
    alice, bob = friends
    (peer,) = bob.work().find(PeerDevice)
    row = bob.work().need(SessionRow, peer.session)
    session = Session.from_bytes(row.state)
    for number in range(row.next_number, row.next_number + 200):
        session = deliver(alice, bob, Frame(number, row.next_number, 0, 2, b"half"), session)
    assert len(alice.work().find(Stash)) <= 1


def test_sessions_that_nobody_stands_behind_are_few(friends: tuple[Device, Device]) -> None:
    alice, bob = friends
    (peer,) = bob.work().find(PeerDevice)
    bundle = identity.prekey_bundle(peer.card)
    for _ in range(60):
        stranger = sealing.local_identity(World().person("Eve").work().me, bob.account)
        deliver(alice, bob, Frame(0, 1, 0, 0, b""), Session.initiate(stranger, bundle, bob.entropy))
    assert len(alice.work().find(SessionRow, where={"device": b""})) <= inbox.MAX_UNKNOWN
    bob.say(alice.account, "still here")
    alice.world.settle()
    assert alice.texts(bob.account)[-1] == "still here"


def test_changes_of_messages_that_never_come_are_few(friends: tuple[Device, Device]) -> None:
    alice, bob = friends
    for number in range(600):
        id = number.to_bytes(16, "big")
        bob.do(
            lambda work, id=id: outbox.fan_out(
                work, alice.account, conversations.c.encode_content(conversations.c.Deletion(id))
            )
        )
        if number % 50 == 49:
            alice.world.settle()
    assert 0 < len(alice.work().find(Orphan)) <= 500


def test_a_clock_that_was_set_back_holds_nothing_up(friends: tuple[Device, Device]) -> None:
    alice, bob = friends
    world = alice.world
    (mailbox,) = alice.work().find(OwnMailbox, where={"account": bob.account})
    log = world.host.logs.pop(mailbox.put)
    world.wait(400 * 86_400_000)
    bob.say(alice.account, "from the future")
    bob.send()
    world.host.logs[mailbox.put] = log
    world.wait(-400 * 86_400_000)
    assert bob.work().find(Outbox)
    bob.do(upkeep.tick)
    world.settle()
    assert alice.texts(bob.account)[-1] == "from the future"
