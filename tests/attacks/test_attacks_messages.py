"""Attacks of contacts, and of relays on messages and files. Each test names the source from which the attack is
known."""

from __future__ import annotations

import zlib

import msgspec
import pytest

from roost.crypto import BLOB_PLAIN, AttachmentKey, blob_count
from roost.errors import CryptoError, WireError
from roost.messaging import conversations, inbox, outbox
from roost.messaging.records import (
    NEVER,
    Message,
    Orphan,
    Outbox,
    OutboxState,
    OwnMailbox,
    PeerDevice,
    ReactionRow,
    SessionRow,
    Stash,
)
from roost.wire import content as c
from roost.wire.codec import decode, encode
from roost.wire.frames import FrameReader
from roost.wire.mailbox import ServerFrame
from tests.crypto.crypto_helpers import SeededEntropy
from tests.messaging.harness import Device, World


@pytest.fixture
def world() -> World:
    return World()


@pytest.fixture
def people(world: World) -> tuple[Device, Device, Device]:
    """Alice, her second device, and her contact Mallory."""
    alice, mallory = world.person("Alice"), world.person("Mallory")
    world.friends(alice, mallory)
    phone = world.second_device(alice, "phone")
    world.settle()
    return alice, phone, mallory


def smuggle_to(sender: Device, to: bytes, device: bytes, content: c.Content, id: bytes = b"") -> None:
    """Queue a content for one device of somebody, without the rules that an honest core keeps."""
    work = sender.work()
    outbox.queue(work, to, device, encode(content), id=id)
    sender.commit(work)


def deliver(*devices: Device) -> None:
    """Only these put and fetch."""
    for _ in range(6):
        for device in devices:
            device.create_mailboxes()
            device.send()
            device.fetch()
        devices[0].world.wait(2_100)


def test_message_duplication(people: tuple[Device, Device, Device]) -> None:
    """The same message delivered again and again, in the same and in other envelopes (Cure53's audit of Briar, 2023:
    duplicated messages). By hash, by ratchet, by number and by id: it is shown once."""
    alice, phone, mallory = people
    world = alice.world
    world.transmit, log = (lambda capability, envelope: [log.append((capability, envelope)), True][1]), []  # type: ignore[method-assign]
    mallory.say(alice.account, "once")
    mallory.send()
    del world.transmit
    for _ in range(3):
        for capability, envelope in log:
            world.host.logs[capability].append((len(world.host.logs[capability]) + 1_000, envelope))
        world.settle()
    for peer in mallory.work().find(PeerDevice, where={"account": alice.account}):
        entry = mallory.work().find(Message)[-1].id
        smuggle_to(mallory, alice.account, peer.device, c.Text("once"), entry)
    world.settle()
    for device in (alice, phone):
        assert device.texts(mallory.account) == ["once"]


def test_one_cannot_keep_my_own_words_from_me_by_their_id(people: tuple[Device, Device, Device]) -> None:
    """Ids chosen by senders are not unique because they are long (Rösler, Mainka, Schwenk: "More is less", EuroS&P
    2018, on ordering and uniqueness in groups). Mallory learns the id of what Alice said and uses it at Alice's
    other device before Alice's own copy is there: both are shown."""
    alice, phone, mallory = people
    id = alice.say(mallory.account, "my own words")
    deliver(alice, mallory)
    smuggle_to(mallory, alice.account, phone.work().me.device, c.Text("mallory's"), id)
    mallory.send()
    logs = phone.world.host.logs
    own = {row.put: logs[row.put] for row in phone.work().find(OwnMailbox, where={"account": alice.account})}
    logs.update({key: [] for key in own})
    phone.fetch()  # Mallory's comes first
    logs.update(own)
    phone.world.settle()
    assert sorted(phone.texts(mallory.account)) == ["mallory's", "my own words"]
    assert alice.texts(mallory.account)[0] == "my own words"


@pytest.mark.parametrize("content", [c.Edit(bytes(16), "not mine"), c.Deletion(bytes(16))], ids=["edit", "deletion"])
def test_one_cannot_suppress_a_message_by_what_comes_before_it(
    people: tuple[Device, Device, Device], content: c.Edit | c.Deletion
) -> None:
    """What refers to a message may come before it, and must not decide about it (WhatsApp's and Matrix's deletions
    of others' messages). A forbidden edit or deletion that waits for its message goes; the message does not."""
    alice, phone, mallory = people
    id = alice.say(mallory.account, "my own words")
    deliver(alice, mallory)
    work = phone.work()
    work.put(Orphan(id, bytes(16), mallory.account, 1, encode(msgspec.structs.replace(content, target=id)), work.now))
    phone.commit(work)
    phone.world.settle()
    assert phone.texts(mallory.account) == ["my own words"]
    assert not phone.work().find(Orphan)


def test_a_stranger_to_a_conversation_does_not_react_in_it(people: tuple[Device, Device, Device]) -> None:
    """As before, with a reaction and another contact's message."""
    alice, _, mallory = people
    world = alice.world
    bob = world.person("Bob")
    world.friends(alice, bob)
    work = alice.work()
    work.put(Orphan(b"t" * 16, bytes(16), mallory.account, 1, encode(c.Reaction(b"t" * 16, "!")), work.now))
    alice.commit(work)
    bob.do(conversations.say, alice.account, c.Text("hello"), id=b"t" * 16)
    world.settle()
    assert alice.texts(bob.account) == ["hello"]
    assert alice.work().find(ReactionRow) == []


def test_endless_edits_do_not_fill_the_disk(people: tuple[Device, Device, Device]) -> None:
    """A size bomb by history: each edit kept, each kept edit written again with the next (quadratic in what was
    sent)."""
    alice, _, mallory = people
    id = mallory.say(alice.account, "first")
    alice.world.settle()
    for number in range(60):
        work = alice.work()
        message = work.need(Message, id)
        conversations.apply_edit(work, message, c.Edit(id, f"{number}" + "x" * 60_000), message.edited_at + 1)
        alice.commit(work)
    row = alice.work().need(Message, id)
    assert row.text.startswith("59")
    assert sum(map(len, row.edits)) <= 2 * 65_536


def test_a_gap_does_not_make_a_device_keep_everything(
    people: tuple[Device, Device, Device], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Fragments whose first part never comes (fragment attacks on reassembly since IP's teardrop; RFC 8900). What
    waits for a missing frame is bounded, whatever a contact sends."""
    monkeypatch.setattr(inbox, "STASH_LIMIT", 1_024)
    alice, _, mallory = people
    peer = mallory.work().find(PeerDevice, where={"account": alice.account})[0]
    session = mallory.work().need(SessionRow, peer.session)
    work = mallory.work()
    kept = Outbox(0, alice.account, peer.device, bytes(16), b"", b"", 0, 0, OutboxState.STORED, 0)
    kept = msgspec.structs.replace(kept, session=session.id, first=session.next_number, next_at=NEVER)
    work.put(msgspec.structs.replace(kept, envelopes=(b"never put",), checks=(bytes(8),)))  # it says that it keeps it
    work.put(msgspec.structs.replace(session, next_number=session.next_number + 1))
    mallory.commit(work)
    for number in range(40):
        mallory.say(alice.account, f"{number} " + "x" * 60_000)
    deliver(mallory, alice)
    stashed = alice.work().find(Stash)
    assert 0 < len(stashed) <= 1_024
    assert alice.texts(mallory.account) == []


def test_nothing_is_ever_decompressed() -> None:
    """Decompression bombs (42.zip and its many heirs). No byte of the protocol is compressed: what is a megabyte of
    zeros in four kilobytes is refused as malformed."""
    bomb = zlib.compress(bytes(4_000_000))
    for kind in (c.Text, c.Frame, c.Entry, ServerFrame):
        with pytest.raises(WireError):
            decode(kind, bomb)


def test_announced_sizes_cost_nothing() -> None:
    """Lengths that are announced and never sent (slow-loris and its kin). Beyond the largest frame the stream is
    refused at its first four bytes."""
    with pytest.raises(WireError):
        FrameReader().feed(b"\x7f\xff\xff\xff")
    with pytest.raises(WireError):
        decode(c.Text, b"\x97\x00\xdb\xff\xff\xff\xff")


def test_blobs_of_two_messages_do_not_swap() -> None:
    """Whoever stores attachments exchanges one for another, reorders, cuts or prolongs them (Albrecht, Mareková,
    Paterson, Stepanovs: "Four attacks and a proof for Telegram", S&P 2022; ETH's analyses of cloud storage, 2022
    and 2024)."""
    entropy = SeededEntropy("blobs")
    one, other = AttachmentKey.generate(entropy), AttachmentKey.generate(entropy)
    data = bytes(BLOB_PLAIN) + b"end"
    assert blob_count(len(data)) == 2
    blobs = [one.seal_blob(0, data[:BLOB_PLAIN], last=False), one.seal_blob(1, data[BLOB_PLAIN:], last=True)]
    foreign = other.seal_blob(1, b"end", last=True)
    for index, blob, last in ((0, blobs[1], False), (1, blobs[0], True), (1, foreign, True), (0, blobs[0], True)):
        with pytest.raises(CryptoError):
            one.open_blob(index, blob, last=last)
    for position in (0, 1_000, len(blobs[0]) - 1):
        tampered = bytearray(blobs[0])
        tampered[position] ^= 1
        with pytest.raises(CryptoError):
            one.open_blob(0, bytes(tampered), last=False)
