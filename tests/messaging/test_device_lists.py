"""Device lists in several steps: who missed some checks the chain; a fork shows on all devices, and can be healed."""

from __future__ import annotations

import msgspec
import pytest

from roost.errors import CryptoError
from roost.messaging import accounts, identity, peers, requests
from roost.messaging.identity import ForkedDeviceList, StaleDeviceList, UnprovenDeviceList
from roost.messaging.records import Contact, OwnCard, PeerDevice
from roost.wire.codec import Extension, decode
from roost.wire.content import DeviceAnnouncement, encode_content
from roost.wire.identity import CARD_LINEAGE, MAX_LINEAGE, Card, DeviceEntry, SignedDeviceList
from tests.messaging.harness import CountedEntropy, Device, World


@pytest.fixture
def world() -> World:
    return World()


def change_list(device: Device, times: int, extra: bytes = b"") -> None:
    """Sign new lists of the same devices, and of one that nobody has, without telling anybody."""
    for _ in range(times):
        work = device.work()
        me = work.me
        entries = identity.entries(me.devices)[:1]
        if extra:
            entries = (*entries, DeviceEntry(extra * 32, bytes([extra[0] ^ 0xFF]) * 32, 1))
        held = identity.succeed(me.devices, entries, accounts.account_key(me, None))
        lineage = identity.lineage_after(me.devices, me.lineage)
        work.put(msgspec.structs.replace(me, devices=held, lineage=lineage))
        work.put(msgspec.structs.replace(work.need(Contact, me.account), devices=held))
        device.commit(work)


def announce(device: Device) -> None:
    device.do(peers.announce_all)
    device.world.settle()


def known_list(device: Device, account: bytes) -> SignedDeviceList | None:
    return device.work().need(Contact, account).devices


def test_whoever_missed_lists_checks_the_chain_between(world: World) -> None:
    alice, bob = world.person("Alice"), world.person("Bob")
    world.friends(alice, bob)
    first = known_list(alice, bob.account)
    assert first is not None
    change_list(bob, 5)
    me = bob.work().me
    assert len(me.lineage) == 5
    assert identity.newer_list(first, me.devices, bob.account, me.lineage) == me.devices
    assert identity.newer_list(first, me.devices, bob.account, (*me.lineage, bytes(32))) == me.devices
    for short in ((), me.lineage[:3]):
        with pytest.raises(UnprovenDeviceList):
            identity.newer_list(first, me.devices, bob.account, short)
    for wrong in ((bytes(32), *me.lineage[1:]), me.lineage[::-1], me.lineage[1:]):
        with pytest.raises(ForkedDeviceList):
            identity.newer_list(first, me.devices, bob.account, wrong)
    with pytest.raises(StaleDeviceList):
        identity.newer_list(me.devices, first, bob.account, me.lineage)
    with pytest.raises(CryptoError):
        identity.newer_list(first, SignedDeviceList(me.devices.list, bytes(64)), bob.account, me.lineage)
    announce(bob)
    assert known_list(alice, bob.account) == bob.work().me.devices
    assert not alice.work().need(Contact, bob.account).key_changed


def test_a_card_shows_so_many_lists_and_a_malformed_extension_none(world: World) -> None:
    alice, bob = world.person("Alice"), world.person("Bob")
    world.friends(alice, bob)
    change_list(bob, MAX_LINEAGE + 3)
    announce(bob)
    card = decode(Card, bob.work().need(OwnCard, alice.account).card.card)
    assert identity.lineage_of(card) == bob.work().me.lineage
    assert len(identity.lineage_of(card)) == MAX_LINEAGE
    for data in (bytes(33), bytes(32 * (MAX_LINEAGE + 1))):
        assert identity.lineage_of(msgspec.structs.replace(card, extensions=(Extension(CARD_LINEAGE, data),))) == ()
    assert identity.lineage_of(msgspec.structs.replace(card, extensions=(Extension(7, bytes(32)),))) == ()


def test_a_list_that_nothing_proves_is_refused_shown_and_taken_once_the_person_has_compared(world: World) -> None:
    alice, bob = world.person("Alice"), world.person("Bob")
    world.friends(alice, bob)
    alice.do(peers.verify, bob.account, True)
    first = known_list(alice, bob.account)
    change_list(bob, MAX_LINEAGE + 3)
    announce(bob)
    contact = alice.work().need(Contact, bob.account)
    assert (contact.devices, contact.verified, contact.key_changed) == (first, False, True)
    assert alice.told.count(("forked", "")) == 1
    assert alice.say(bob.account, "it still arrives")
    world.settle()
    assert bob.texts(alice.account) == ["it still arrives"]
    alice.do(peers.verify, bob.account, True)
    world.wait(8 * 86_400_000)
    world.tick_all()
    world.settle()
    contact = alice.work().need(Contact, bob.account)
    assert (contact.devices, contact.verified, contact.key_changed) == (bob.work().me.devices, True, False)


def forge_fork(bob: Device, contact: Device) -> None:
    """Bob's other copy signs another second list, and his device shows a card with it."""
    work = bob.work()
    me = work.me
    first = known_list(contact, bob.account)
    assert first is not None
    entries = (*identity.entries(first), DeviceEntry(b"\x07" * 32, b"\x08" * 32, 1))
    fork = identity.succeed(first, entries, accounts.account_key(me, None))
    change_list(bob, 1)
    announce(bob)
    card = decode(Card, bob.work().need(OwnCard, contact.account).card.card)
    card = msgspec.structs.replace(card, devices=fork, version=card.version + 1, extensions=())
    work = bob.work()
    for peer in work.find(PeerDevice, where={"account": contact.account}):
        signed = identity.sign_card(identity.device_key(me), card)
        peers.outbox.queue(work, contact.account, peer.device, encode_content(DeviceAnnouncement(signed)))
        break
    bob.commit(work)
    bob.world.settle()


def test_a_verification_that_is_lost_is_lost_on_all_my_devices_and_so_is_the_warning(world: World) -> None:
    alice, bob = world.person("Alice"), world.person("Bob")
    world.friends(alice, bob)
    phone = world.second_device(alice, "Alice's phone")
    alice.do(peers.verify, bob.account, True)
    world.settle()
    assert phone.work().need(Contact, bob.account).verified
    forge_fork(bob, alice)
    for device in (alice, phone):
        contact = device.work().need(Contact, bob.account)
        assert (contact.verified, contact.key_changed) == (False, True)
        assert device.told.count(("forked", "")) == 1
        assert device.told.count(("contact", "key_changed")) == 1
    phone.do(peers.verify, bob.account, True)
    world.settle()
    for device in (alice, phone):
        contact = device.work().need(Contact, bob.account)
        assert (contact.verified, contact.key_changed) == (True, False)


def test_my_devices_that_believe_different_lists_of_a_contact_find_out(world: World) -> None:
    """One was shown one list and the other another: both warn, and what else they tell each other still counts."""
    alice, bob = world.person("Alice"), world.person("Bob")
    world.friends(alice, bob)
    phone = world.second_device(alice, "Alice's phone")
    first = known_list(alice, bob.account)
    assert first is not None
    account = accounts.account_key(bob.work().me, None)
    for device, byte in ((alice, 7), (phone, 9)):
        entry = DeviceEntry(bytes([byte]) * 32, bytes([byte + 50]) * 32, 1)
        fork = identity.succeed(first, (*identity.entries(first), entry), account)
        device.do(peers.learn_list, bob.account, fork)
    alice.do(requests.block, bob.account)
    world.settle()
    assert {device.work().need(Contact, bob.account).state for device in (alice, phone)} == {2}
    assert all(device.work().need(Contact, bob.account).key_changed for device in (alice, phone))
    alice.do(requests.unblock, bob.account)
    alice.do(peers.verify, bob.account, True)
    world.settle()
    world.wait(8 * 86_400_000)
    world.tick_all()
    world.settle()
    for device in (alice, phone):
        assert known_list(device, bob.account) == bob.work().me.devices
        assert device.work().need(Contact, bob.account).verified


def test_my_own_devices_follow_each_other_over_any_distance(world: World) -> None:
    alice, bob = world.person("Alice"), world.person("Bob")
    world.friends(alice, bob)
    phone = world.second_device(alice, "Alice's phone")
    entries = identity.entries(alice.work().me.devices)
    for _ in range(MAX_LINEAGE + 2):
        work = alice.work()
        held = identity.succeed(work.me.devices, entries, accounts.account_key(work.me, None))
        lineage = identity.lineage_after(work.me.devices, work.me.lineage)
        work.put(msgspec.structs.replace(work.me, devices=held, lineage=lineage))
        alice.commit(work)
    announce(alice)
    assert phone.work().me.devices == alice.work().me.devices
    assert phone.work().me.lineage == alice.work().me.lineage


def test_a_new_device_shows_the_lineage_that_it_was_welcomed_with(world: World) -> None:
    alice, bob = world.person("Alice"), world.person("Bob")
    world.friends(alice, bob)
    world.devices.remove(bob)
    phone = world.second_device(alice, "Alice's phone")
    tablet = world.second_device(phone, "Alice's tablet")
    assert [len(device.work().me.lineage) for device in (alice, phone, tablet)] == [2, 2, 2]
    world.devices.append(bob)
    tablet.say(bob.account, "hello from the third")
    world.settle()
    assert bob.texts(alice.account) == ["hello from the third"]
    assert not bob.work().need(Contact, alice.account).key_changed


def test_lineages_of_any_length_prove_exactly_what_follows() -> None:
    """A list `steps` later is proven by the hashes between and by nothing else."""
    world = World(seed=3)
    alice = world.person("Alice")
    entropy = CountedEntropy(1)
    first = alice.work().me.devices
    change_list(alice, 1, b"\x05")
    for steps in range(1, 6):
        me = alice.work().me
        assert identity.newer_list(first, me.devices, me.account, me.lineage[: steps - 1]) == me.devices
        for index in range(steps - 1):
            wrong = [*me.lineage[: steps - 1]]
            wrong[index] = entropy.bytes(32)
            with pytest.raises(ForkedDeviceList):
                identity.newer_list(first, me.devices, me.account, tuple(wrong))
        change_list(alice, 1)
