"""How far a mailbox counts as read, whatever numbers its host gives."""

from __future__ import annotations

import pytest

from roost.messaging import conversations, files, inbox, mailboxes, outbox, requests
from roost.messaging.records import Outbox, OwnMailbox, Seen, StoredFile, Upload
from roost.wire.content import Attachment, Text
from tests.messaging.harness import Device, World


@pytest.fixture
def friends() -> tuple[Device, Device]:
    world = World()
    alice, bob = world.person("Alice"), world.person("Bob")
    world.friends(alice, bob)
    return alice, bob


def waiting(alice: Device, bob: Device, *texts: str) -> list[bytes]:
    """What Bob has put for Alice and she has not read."""
    for text in texts:
        bob.say(alice.account, text)
    bob.send()
    (mailbox,) = alice.work().find(OwnMailbox, where={"account": bob.account})
    log = alice.world.host.logs[mailbox.put]
    envelopes = [envelope for _, envelope in log]
    log.clear()
    return envelopes


def receive(alice: Device, bob: Device, number: int, envelope: bytes) -> OwnMailbox:
    (mailbox,) = alice.work().find(OwnMailbox, where={"account": bob.account})
    alice.do(inbox.receive, mailbox, number, envelope)
    return alice.work().need(OwnMailbox, mailbox.admin)


def test_a_cursor_follows_numbers_that_fell(friends: tuple[Device, Device]) -> None:
    alice, bob = friends
    one, two, three = waiting(alice, bob, "one", "two", "three")
    assert receive(alice, bob, 2**52, one).cursor == 2**52  # a lie, or what a host forgot to have given out
    assert receive(alice, bob, 7, two).cursor == 7
    assert receive(alice, bob, 8, three).cursor == 8
    assert receive(alice, bob, 5, one).cursor == 8  # known: a repetition moves nothing back
    assert alice.texts(bob.account) == ["one", "two", "three"]


def test_what_waits_for_earlier_frames_stays_at_its_host(friends: tuple[Device, Device]) -> None:
    """It may be a message with files, which its host keeps no longer than its entry."""
    alice, bob = friends
    one, two, three = waiting(alice, bob, "one", "two", "three")
    assert files.trimmable(alice.work(), receive(alice, bob, 5, two)) == 4
    assert files.trimmable(alice.work(), receive(alice, bob, 6, three)) == 4
    assert files.trimmable(alice.work(), receive(alice, bob, 7, one)) == 7


def test_what_follows_a_message_whose_files_are_to_come_stays_at_its_host(friends: tuple[Device, Device]) -> None:
    """A host that died before it had committed what it delivered stores it anew, with another number: one that is
    known by then, and yet the entry without which the files go."""
    alice, bob = friends
    text = Text("a picture", attachments=(Attachment("a.jpg", 65_000, "image/jpeg", bytes(32)),))
    local = files.LocalFile("ab" * 16, b"k" * 32, 65_000)
    bob.do(conversations.say, alice.account, text, id=bob.entropy.bytes(16), local_files=(local,))
    for upload in bob.work().find(Upload):
        bob.do(outbox.upload_progress, upload.outbox, upload.index, upload.pointer.blobs)
    (message,) = waiting(alice, bob)
    assert files.trimmable(alice.work(), receive(alice, bob, 5, message)) == 4
    assert files.trimmable(alice.work(), receive(alice, bob, 9, message)) == 4
    (file,) = alice.work().find(StoredFile)
    alice.do(files.fetched, file.message, file.index)
    assert files.trimmable(alice.work(), receive(alice, bob, 10, message)) == 10


def test_what_does_not_open_is_not_remembered(friends: tuple[Device, Device]) -> None:
    alice, bob = friends
    (one,) = waiting(alice, bob, "one")
    before = len(alice.work().find(Seen))
    for index in range(50):
        receive(alice, bob, index + 10, bytes(4_094) + index.to_bytes(2, "big"))
    assert len(alice.work().find(Seen)) == before
    receive(alice, bob, 100, one)
    assert alice.texts(bob.account) == ["one"]


@pytest.mark.parametrize("gone", [False, True], ids=["not yet deleted", "deleted"])
def test_what_comes_through_a_closed_mailbox_waits_with_its_sender(friends: tuple[Device, Device], gone: bool) -> None:
    alice, bob = friends
    (one,) = waiting(alice, bob, "one")
    (mailbox,) = alice.work().find(OwnMailbox, where={"account": bob.account})
    alice.do(requests.block, bob.account)
    if gone:
        alice.do(mailboxes.deleted, mailbox.admin)
    alice.do(inbox.receive, alice.work().need(OwnMailbox, mailbox.admin), 1, one)
    alice.world.settle()
    assert bob.work().find(Outbox)
    alice.do(requests.unblock, bob.account)
    alice.world.settle()
    alice.world.wait(25 * 3_600_000)
    alice.world.settle()
    assert alice.texts(bob.account) == ["one"]
    assert not bob.work().find(Outbox)
