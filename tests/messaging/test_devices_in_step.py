"""Every device of both people has everything, however they came to know of each other."""

from __future__ import annotations

import msgspec
import pytest

from roost.errors import CallerError
from roost.messaging import (
    accounts,
    contact_sync,
    conversations,
    devices,
    farewells,
    inbox,
    invitations,
    requests,
    sealing,
)
from roost.messaging.records import Contact, ContactState, Message, MessageState, Outbox, OwnMailbox, PeerDevice
from roost.wire.codec import encode
from roost.wire.content import DeviceRemoved, Entry, encode_content
from roost.wire.links import InvitationKind, parse_invitation
from tests.messaging.harness import RELAY, Device, World


@pytest.fixture
def world() -> World:
    return World()


def test_a_device_linked_by_a_linked_one_meets_the_first(world: World) -> None:
    alice, bob = world.person("Alice"), world.person("Bob")
    world.friends(alice, bob)
    second = world.second_device(alice, "second")
    third = world.second_device(second, "third")
    for device in (alice, second, third):
        mine = device.work().find(PeerDevice, where={"account": alice.account})
        assert len(mine) == 2
        assert all(peer.address for peer in mine)
    third.say(bob.account, "from the third")
    alice.say(bob.account, "from the first")
    world.settle()
    for device in (alice, second, third):
        assert sorted(device.texts(bob.account)) == ["from the first", "from the third"]


def test_what_is_said_at_once_reaches_a_device_that_has_not_shown_itself(world: World) -> None:
    alice, bob = world.person("Alice"), world.person("Bob")
    second = world.second_device(bob, "Bob's phone")
    alice.add(bob.invite())
    alice.say(bob.account, "before you accept")
    world.settle()
    bob.accept_all()
    world.settle()
    assert second.texts(alice.account) == bob.texts(alice.account) == ["before you accept"]


def test_what_is_said_before_acceptance_stands_on_my_other_devices(world: World) -> None:
    alice, bob = world.person("Alice"), world.person("Bob")
    second = world.second_device(alice, "Alice's phone")
    alice.add(bob.invite(InvitationKind.REUSABLE))
    alice.say(bob.account, "early")
    world.settle()
    assert second.texts(bob.account) == ["early"]
    assert second.work().need(Contact, bob.account).state == ContactState.REQUESTED
    second.say(bob.account, "from my phone")
    world.settle()
    bob.accept_all()
    world.settle()
    assert sorted(bob.texts(alice.account)) == ["early", "from my phone"]
    assert second.work().need(Contact, bob.account).state == ContactState.ACCEPTED
    assert not any(device.work().find(Outbox) for device in (alice, second, bob))


def test_who_was_forgotten_is_found_again_by_all_devices(world: World) -> None:
    alice, bob = world.person("Alice"), world.person("Bob")
    world.friends(alice, bob)
    alice2, bob2 = world.second_device(alice, "Alice's phone"), world.second_device(bob, "Bob's phone")
    for device in (alice, alice2, bob, bob2):
        device.say((bob if device in (alice, alice2) else alice).account, "before")
    world.settle()
    alice2.do(requests.remove, bob.account)
    world.settle()
    bob2.say(alice.account, "are you there?")
    alice2.add(bob.invite())
    world.settle()
    bob.accept_all()
    world.settle()
    alice.say(bob.account, "back again")
    world.wait(2 * 3_600_000)
    world.settle()
    for device in (alice, alice2):
        assert sorted(device.texts(bob.account)) == ["are you there?", "back again"]
    for device in (bob, bob2):
        assert device.texts(alice.account)[-1] == "back again"
        assert not device.work().find(Outbox)


def test_nothing_is_changed_for_somebody_who_is_blocked(world: World) -> None:
    alice, bob = world.person("Alice"), world.person("Bob")
    world.friends(alice, bob)
    id = alice.say(bob.account, "hello")
    world.settle()
    alice.do(requests.block, bob.account)
    with pytest.raises(CallerError):
        alice.do(conversations.edit, id, "changed")
    with pytest.raises(CallerError):
        alice.do(conversations.delete_for_all, id)
    world.settle()
    assert not alice.work().find(Outbox)


def test_an_acknowledgement_that_nobody_takes_is_not_said_for_ever(world: World) -> None:
    alice, bob = world.person("Alice"), world.person("Bob")
    world.friends(alice, bob)
    bob.say(alice.account, "one")
    bob.send()
    alice.fetch()
    (peer,) = alice.work().find(PeerDevice)
    said = 0
    for _ in range(100):
        world.wait(3_600_000)
        if alice.do(sealing.due_acknowledgements):
            alice.do(sealing.seal_bare, peer, again_at=world.now + 10_000)
            said += 1
    assert 3 < said <= sealing.ACKNOWLEDGE_TRIES + 1


def test_a_block_is_not_undone_by_a_device_that_has_not_heard_of_it(world: World) -> None:
    alice, bob = world.person("Alice"), world.person("Bob")
    phone = world.second_device(alice, "Alice's phone")
    world.friends(alice, bob)
    alice.do(requests.block, bob.account)
    phone.do(contact_sync.sync_contact, bob.account)  # a new device of Bob's showed itself there, say
    world.settle()
    for device in (alice, phone):
        assert device.work().need(Contact, bob.account).state == ContactState.BLOCKED
    phone.do(requests.unblock, bob.account)
    world.settle()
    assert alice.work().need(Contact, bob.account).state == ContactState.ACCEPTED


def test_who_was_blocked_and_is_asked_again_talks_with_all_devices(world: World) -> None:
    alice, bob = world.person("Alice"), world.person("Bob")
    world.friends(alice, bob)
    phone = world.second_device(alice, "Alice's phone")
    alice.do(requests.block, bob.account)
    world.settle()
    alice.add(bob.invite())
    world.settle()
    bob.accept_all()
    world.settle()
    phone.say(bob.account, "from the phone")
    bob.say(alice.account, "from Bob")
    world.settle()
    for device in (alice, phone, bob):
        texts = device.texts(alice.account if device is bob else bob.account)
        assert sorted(texts) == ["from Bob", "from the phone"]
        assert not device.work().find(Outbox)


def test_what_waited_comes_after_the_acceptance(world: World) -> None:
    alice, bob = world.person("Alice"), world.person("Bob")
    world.friends(alice, bob)
    alice.do(requests.block, bob.account)
    world.settle()
    bob.say(alice.account, "do you hear me?")
    world.settle()
    alice.add(bob.invite())
    world.settle()
    bob.accept_all()
    world.settle()
    assert alice.texts(bob.account) == ["do you hear me?"]
    assert not bob.work().find(Outbox)


def test_a_contact_that_was_ended_does_not_come_back_from_another_device(world: World) -> None:
    alice, bob = world.person("Alice"), world.person("Bob")
    phone = world.second_device(alice, "Alice's phone")
    world.friends(alice, bob)
    alice.do(requests.remove, bob.account)
    phone.do(lambda work: contact_sync.changed(work, work.need(Contact, bob.account)))
    world.settle()
    for device in (alice, phone):
        assert device.work().get(Contact, bob.account) is None
    alice.add(bob.invite())
    world.settle()
    bob.accept_all()
    world.settle()
    assert phone.work().need(Contact, bob.account).state == ContactState.ACCEPTED


def test_a_device_that_a_contact_never_met_hears_of_its_new_address(world: World) -> None:
    alice, bob = world.person("Alice"), world.person("Bob")
    world.friends(alice, bob)
    bob.do(requests.block, alice.account)
    world.settle()
    phone = world.second_device(alice, "Alice's phone")  # learns an address that is gone
    bob.do(requests.unblock, alice.account)
    world.settle()
    phone.say(bob.account, "from the phone")
    bob.say(alice.account, "from Bob")
    world.wait(2 * 3_600_000)
    world.settle()
    for device in (alice, phone, bob):
        assert sorted(device.texts(alice.account if device is bob else bob.account)) == ["from Bob", "from the phone"]
        assert not device.work().find(Outbox)


# --- a device that is removed -----------------------------------------------------------------------------------------


def sign_out(old: Device, gone: Device) -> None:
    """One device removes another from the account."""
    work = old.work()
    devices.remove(work, gone.work().me.device, accounts.account_key(work.me, None))
    old.commit(work)


def test_a_removed_device_is_told_keeps_what_it_has_and_sends_nothing_more(world: World) -> None:
    alice, bob = world.person("Alice"), world.person("Bob")
    world.friends(alice, bob)
    second = world.second_device(alice, "Alice's phone")
    bob.say(alice.account, "hello to both")
    world.settle()
    waiting = second.say(bob.account, "not sent in time")
    bob.say(alice.account, "said before he knew")
    bob.send()
    sign_out(alice, second)
    alice.send()
    second.fetch()
    assert ("unlisted", "") in second.told
    assert second.work().me.removed_at
    assert second.texts(bob.account) == ["hello to both", "not sent in time", "said before he knew"]
    assert second.state(waiting) == MessageState.QUEUED
    assert {row.problem for row in second.work().find(Outbox)} == {"device_removed"}
    for act in (lambda: second.say(bob.account, "more"), second.invite, lambda: sign_out(second, alice)):
        with pytest.raises(CallerError) as refusal:
            act()
        assert refusal.value.code == "device_removed"
        assert "export" in refusal.value.hint
    world.settle()
    world.wait(8 * 86_400_000)
    world.tick_all()
    world.settle()
    assert bob.texts(alice.account) == ["hello to both", "said before he knew"]
    assert [message.state for message in second.work().find(Message, where={"id": waiting})] == [MessageState.QUEUED]
    bob.say(alice.account, "after it")
    world.settle()
    assert second.texts(bob.account)[-1] == "said before he knew"
    assert alice.texts(bob.account)[-1] == "after it"


def test_a_removed_device_that_was_away_is_told_when_it_comes_back(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """However much waits for it, and though its host loses the word once."""
    monkeypatch.setattr(sealing, "WINDOW", 64)
    alice, bob = world.person("Alice"), world.person("Bob")
    world.friends(alice, bob)
    second = world.second_device(alice, "Alice's phone")
    world.devices.remove(second)
    for number in range(sealing.WINDOW + 20):
        alice.say(bob.account, f"{number}")
    alice.send()
    sign_out(alice, second)
    world.settle()
    for mailbox in second.work().find(OwnMailbox, where={"account": alice.account}):
        world.host.logs[mailbox.put].clear()
    world.wait(25 * 3_600_000)
    world.settle()
    world.devices.append(second)
    world.settle()
    assert second.work().me.removed_at
    world.wait(farewells.KEPT_MS)
    world.tick_all()
    assert not alice.work().find(Outbox, where={"device": second.work().me.device})


def test_nobody_else_can_tell_a_device_that_it_was_removed(world: World) -> None:
    """Neither a contact nor the list that is known or names the device."""
    alice, bob = world.person("Alice"), world.person("Bob")
    world.friends(alice, bob)
    second = world.second_device(alice, "Alice's phone")
    for sender, listed in ((bob, bob.work().me.devices), (alice, alice.work().me.devices)):
        work = sender.work()
        (peer,) = [p for p in work.find(PeerDevice) if p.device == second.work().me.device]
        entry = Entry(sender.entropy.bytes(16), world.now, 0, encode_content(DeviceRemoved(listed)))
        envelope = sealing.seal_bare(work, peer, encode(entry))
        sender.commit(work)
        assert envelope is not None
        (mailbox,) = [m for m in second.work().find(OwnMailbox) if m.put == peer.address.put]  # type: ignore[union-attr]
        second.do(inbox.receive, mailbox, 1_000, envelope)
        assert second.told[-1][0] == "dropped"
        assert not second.work().me.removed_at


# --- three devices ----------------------------------------------------------------------------------------------------


def test_two_devices_that_a_third_linked_meet_though_one_had_not_shown_itself_yet(world: World) -> None:
    """When the third is linked, the first has only the invitation's card of the second."""
    alice = world.person("Alice")
    waiting = Device(world, "second")
    row = waiting.do(accounts.create_waiting, RELAY, "second")
    waiting.create_mailboxes()
    work = alice.work()
    invitation = parse_invitation(row.link)
    card = invitations.open_invitation(work, invitation, world.host.cards[invitation.secret])
    devices.confirm(work, card, accounts.account_key(work.me, None))
    alice.commit(work)
    third = world.second_device(alice, "third")
    world.devices.append(waiting)
    world.settle()
    for device in (alice, waiting, third):
        mine = device.work().find(PeerDevice, where={"account": alice.account})
        assert len(mine) == 2
        assert all(peer.address for peer in mine)
    assert not any(device.work().find(Outbox) for device in world.devices)


def test_a_copy_never_comes_before_the_contact_that_it_was_said_to(world: World) -> None:
    """The first made the contact and could tell the second only; the second speaks, and the third gets the copy."""
    alice, bob = world.person("Alice"), world.person("Bob")
    second = world.second_device(alice, "second")
    third = world.second_device(alice, "third")
    hold_back(alice, third)
    world.friends(bob, alice)
    assert third.work().get(Contact, bob.account) is None
    second.say(bob.account, "from the second")
    world.settle()
    assert third.texts(bob.account) == ["from the second"]
    assert sum(1 for row in second.records.rows.values() if isinstance(row, Contact) and row.untold) == 0


def hold_back(sender: Device, to: Device) -> None:
    """What the one sends to the other lies at a host that answers no more."""
    work = sender.work()
    (peer,) = [peer for peer in work.find(PeerDevice) if peer.device == to.work().me.device]
    assert peer.address is not None
    nowhere = msgspec.structs.replace(peer.address, put=bytes(32))
    work.put(msgspec.structs.replace(peer, address=nowhere))
    sender.commit(work)
