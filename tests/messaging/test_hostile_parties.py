"""What a hostile contact, stranger or relay tries, and what comes of it: nothing, and the next message arrives."""

from __future__ import annotations

import hashlib
from collections.abc import Callable

import msgspec
import pytest

from roost.crypto import SigningKey, card_keys, open_card, seal_card
from roost.messaging import accounts, identity, invitations, outbox, peers
from roost.messaging.identity import ForkedDeviceList, StaleDeviceList
from roost.messaging.invitations import BadInvitation
from roost.messaging.records import Contact, EventRow, InvitationRow, Message, OwnCard, PeerDevice
from roost.wire import content as c
from roost.wire.codec import decode, encode
from roost.wire.identity import Card, DeviceEntry, DeviceList, SignedCard, SignedDeviceList
from roost.wire.links import InvitationKind, parse_invitation
from tests.messaging.harness import Device, World

OTHER = bytes(range(32))


@pytest.fixture
def world() -> World:
    return World()


@pytest.fixture
def people(world: World) -> tuple[Device, Device, Device]:
    """Alice, and her contacts Mallory and Bob."""
    alice, mallory, bob = (world.person(name) for name in ("Alice", "Mallory", "Bob"))
    world.friends(alice, mallory)
    world.friends(alice, bob)
    return alice, mallory, bob


def smuggle(sender: Device, to: bytes, *contents: bytes | c.Content) -> None:
    """Send encoded contents as they are, without the rules that an honest core keeps."""
    work = sender.work()
    for content in contents:
        outbox.queue_all(work, to, content if isinstance(content, bytes) else encode(content))
    sender.commit(work)
    sender.world.settle()


def rows(device: Device) -> dict[object, object]:
    """All that a person could notice: messages, contacts and known devices, without counters and times of use."""
    kept = (Message, Contact)
    return {key: row for key, row in device.records.rows.items() if key[0] in kept}


def still_heard(mallory: Device, alice: Device) -> bool:
    """An honest message after the attack arrives, so that the attack did not even stop the attacker's own session."""
    mallory.say(alice.account, "honest")
    mallory.world.settle()
    return alice.texts(mallory.account)[-1] == "honest"


SignedFor = Callable[[Device], bytes | c.Content]


def _sync(mallory: Device) -> c.Content:
    me = mallory.work().me
    return c.ContactSync(OTHER, "Planted", "", 1, True, me.devices, ())


def _welcome(mallory: Device) -> c.Content:
    me = mallory.work().me
    card = mallory.work().find(OwnCard)[0].card
    return c.DeviceWelcome(me.account_secret or bytes(32), me.devices, me.about, card)


@pytest.mark.parametrize(
    "made",
    [
        lambda _: c.SentCopy(OTHER, encode(c.Text("you said this"))),
        lambda _: c.ReadMark(OTHER, (bytes(16),)),
        lambda _: c.ContactRemoved(OTHER),
        _sync,
        _welcome,
    ],
    ids=["sent copy", "read mark", "removal", "contact", "welcome"],
)
def test_a_contact_cannot_command_my_devices(people: tuple[Device, Device, Device], made: SignedFor) -> None:
    alice, mallory, bob = people
    before = rows(alice)
    smuggle(mallory, alice.account, made(mallory))
    smuggle(mallory, alice.account, c.ContactRemoved(bob.account))
    assert rows(alice) == before
    assert still_heard(mallory, alice)


def test_a_contact_cannot_change_what_others_said(people: tuple[Device, Device, Device]) -> None:
    alice, mallory, bob = people
    mine = alice.say(mallory.account, "mine")
    theirs = bob.say(alice.account, "theirs")
    alice.world.settle()
    for target in (mine, theirs):
        smuggle(mallory, alice.account, c.Edit(target, "forged"), c.Deletion(target))
    assert alice.texts(mallory.account) == ["mine"]
    assert alice.texts(bob.account) == ["theirs"]
    smuggle(mallory, alice.account, c.Reaction(theirs, "👎"), c.Receipt((theirs,)))
    assert still_heard(mallory, alice)


def test_a_message_id_that_is_taken_stays_the_first_ones(people: tuple[Device, Device, Device]) -> None:
    alice, mallory, bob = people
    taken = bob.say(alice.account, "first")
    alice.world.settle()
    work = mallory.work()
    outbox.fan_out(work, alice.account, encode(c.Text("second")), id=taken)
    mallory.commit(work)
    alice.world.settle()
    assert alice.texts(bob.account) == ["first"]
    assert alice.texts(mallory.account) == []
    assert still_heard(mallory, alice)


@pytest.mark.parametrize(
    "junk",
    [b"\xc1", b"\x90", b"\x92\x00", encode(c.Text("x")) + b"\x00", b"\x91" * 500, b"\x95\x04\x01\x02\x03\x04"],
    ids=["invalid", "no tag", "cut off", "trailing", "nested", "wrong fields"],
)
def test_junk_is_dropped_and_the_next_message_arrives(people: tuple[Device, Device, Device], junk: bytes) -> None:
    alice, mallory, _ = people
    before = rows(alice)
    smuggle(mallory, alice.account, junk)
    assert rows(alice) == before
    assert still_heard(mallory, alice)


def test_a_content_from_the_future_is_kept_and_shown(people: tuple[Device, Device, Device]) -> None:
    alice, mallory, _ = people
    smuggle(mallory, alice.account, msgspec.msgpack.encode([1_000, "hologram"]))
    (message,) = alice.work().find(Message, where={"conversation": mallory.account})
    assert isinstance(c.decode_content(message.content), c.Unknown)


def test_somebody_who_was_not_accepted_says_nothing(world: World) -> None:
    alice, mallory = world.person("Alice"), world.person("Mallory")
    mallory.add(alice.invite())
    world.settle()
    before = rows(alice)
    peer = mallory.work().find(PeerDevice, where={"account": alice.account})[0]
    assert peer.card is not None
    address = decode(Card, peer.card.card).address
    work = mallory.work()
    for content in (c.Text("let me in"), c.Edit(bytes(16), "x"), c.ContactRemoved(OTHER)):
        outbox.queue(work, alice.account, peer.device, encode(content), address=address)
    mallory.commit(work)
    world.settle()
    assert rows(alice) == before
    assert len(alice.pending()) == 1


def test_a_knock_in_somebody_elses_name_is_dropped(world: World) -> None:
    alice, mallory, bob = (world.person(name) for name in ("Alice", "Mallory", "Bob"))
    link = alice.invite()
    victim = bob.work().me
    mallory.add(link)
    work = mallory.work()
    for row in work.find(outbox.Outbox):
        knock = c.decode_content(row.content)
        assert isinstance(knock, c.ContactRequest)
        forged = msgspec.structs.replace(knock, name="Bob", devices=victim.devices, device=victim.device)
        work.put(msgspec.structs.replace(row, content=encode(forged)))
    mallory.commit(work)
    world.settle()
    assert alice.pending() == []


# --- device lists and cards -------------------------------------------------------------------------------------------


ACCOUNT = SigningKey.from_seed(b"a" * 32)


def listed(version: int, previous: SignedDeviceList | None, *names: str) -> SignedDeviceList:
    chained = bytes(32)
    if previous:
        chained = decode(DeviceList, previous.list).previous
        chained = hashlib.sha256(chained + hashlib.sha256(previous.list).digest()).digest()
    devices = tuple(
        DeviceEntry(hashlib.sha256(b"s" + n.encode()).digest(), hashlib.sha256(n.encode()).digest(), 1) for n in names
    )
    return identity.sign_list(ACCOUNT, DeviceList(ACCOUNT.public.raw, version, chained, devices))


def test_device_lists_only_go_forward_and_never_fork() -> None:
    account = ACCOUNT.public.raw
    first = listed(1, None, "laptop", "stolen phone")
    second = listed(2, first, "laptop")
    assert identity.newer_list(first, second, account) == second
    with pytest.raises(StaleDeviceList):
        identity.newer_list(second, first, account)
    for forked in (listed(2, first, "other"), listed(3, first, "other"), listed(3, None, "other")):
        with pytest.raises(ForkedDeviceList):
            identity.newer_list(second, forked, account)


def test_an_old_device_list_does_not_bring_a_removed_device_back(people: tuple[Device, Device, Device]) -> None:
    alice, mallory, _ = people
    work = mallory.work()
    old_card = work.need(OwnCard, alice.account).card
    signing = accounts.account_key(work.me, None)
    newer = identity.succeed(work.me.devices, identity.entries(work.me.devices), signing)
    work.put(msgspec.structs.replace(work.me, devices=newer))
    mallory.commit(work)
    mallory.do(peers.announce, alice.account)
    mallory.world.settle()
    held = alice.work().need(Contact, mallory.account).devices
    assert held == newer
    smuggle(mallory, alice.account, c.DeviceAnnouncement(old_card))
    assert alice.work().need(Contact, mallory.account).devices == newer


def test_a_forked_device_list_is_refused_and_shown(people: tuple[Device, Device, Device]) -> None:
    alice, mallory, _ = people
    verified = alice.work()
    verified.put(msgspec.structs.replace(verified.need(Contact, mallory.account), verified=True))
    alice.commit(verified)
    work = mallory.work()
    me, signing = work.me, accounts.account_key(work.me, None)
    fork = DeviceList(me.account, 1, bytes(32), (DeviceEntry(OTHER, bytes(32), 1),))
    fork = msgspec.structs.replace(fork, devices=(*identity.entries(me.devices), *fork.devices))
    card = decode(Card, work.need(OwnCard, alice.account).card.card)
    card = msgspec.structs.replace(card, devices=identity.sign_list(signing, fork), version=card.version + 1)
    forged = c.DeviceAnnouncement(identity.sign_card(identity.device_key(me), card))
    smuggle(mallory, alice.account, forged, forged)
    contact = alice.work().need(Contact, mallory.account)
    assert contact.devices == me.devices
    assert contact.key_changed
    assert not contact.verified
    shown = [row for row in alice.work().find(EventRow) if "key_changed" in row.detail or row.kind == "forked"]
    assert [row.account for row in shown] == [mallory.account] * 2  # the contact's change and a warning, once each
    assert alice.work().get(PeerDevice, mallory.account, OTHER) is None


def test_a_contact_cannot_pass_on_somebody_elses_card(people: tuple[Device, Device, Device]) -> None:
    alice, mallory, bob = people
    before = rows(alice)
    smuggle(mallory, alice.account, c.DeviceAnnouncement(bob.work().need(OwnCard, alice.account).card))
    assert rows(alice) == before
    assert alice.work().find(PeerDevice, where={"account": mallory.account})[0].device == mallory.work().me.device


# --- a relay ----------------------------------------------------------------------------------------------------------


def stored_card(world: World, device: Device, kind: InvitationKind) -> tuple[str, InvitationRow]:
    link = device.invite(kind)
    row = next(row for row in device.work().find(InvitationRow) if row.link == link)
    return link, row


@pytest.mark.parametrize("kind", [InvitationKind.ONE_TIME, InvitationKind.REUSABLE])
def test_an_exchanged_card_is_refused(world: World, kind: InvitationKind) -> None:
    """A relay that knew the link's secret, which it does not, could still not put another card in its place."""
    alice, mallory, bob = (world.person(name) for name in ("Alice", "Mallory", "Bob"))
    link, row = stored_card(world, alice, kind)
    _, other = stored_card(world, mallory, kind)
    signed = open_card(card_keys(other.secret).key, other.sealed_card)
    for card in (signed, signed[:-1] + b"\x00", encode(SignedCard(b"\x00", bytes(64)))):
        sealed = seal_card(card_keys(row.secret).key, card, mallory.entropy)
        with pytest.raises(BadInvitation):
            invitations.open_invitation(bob.work(), parse_invitation(link), sealed)
    with pytest.raises(BadInvitation):
        invitations.open_invitation(bob.work(), parse_invitation(link), other.sealed_card)


def test_a_relay_that_repeats_and_reorders_changes_nothing(people: tuple[Device, Device, Device]) -> None:
    alice, _, bob = people
    sent = [f"message {number}" for number in range(12)]
    for text in sent:
        bob.say(alice.account, text)
    bob.send()
    for log in bob.world.host.logs.values():
        envelopes = [envelope for _, envelope in log]
        log[:] = list(enumerate([*reversed(envelopes), *envelopes, *envelopes[::3]], start=1_000))
    bob.world.settle()
    assert alice.texts(bob.account) == sent


def test_a_relay_that_mixes_up_mailboxes_changes_nothing(people: tuple[Device, Device, Device]) -> None:
    """What was written for one contact's mailbox and is delivered in another's opens nowhere."""
    alice, mallory, bob = people
    bob.say(alice.account, "from Bob")
    bob.send()
    before = alice.texts(mallory.account)
    carried = [entry for log in bob.world.host.logs.values() for entry in log]
    for log in bob.world.host.logs.values():
        log[:] = [(number + 1_000, envelope) for number, envelope in carried]
    bob.world.settle()
    assert alice.texts(mallory.account) == before
    assert alice.texts(bob.account) == ["from Bob"]
