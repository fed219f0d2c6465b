"""One person's devices: taking one in, being taken in, removing one, and what they tell each other.

A device that waits to be linked shows a device invitation; an old device signs it into the list and welcomes it with
the account key. After that each device announces itself to every device of every contact: there is no other coupling.
"""

from __future__ import annotations

from contextlib import suppress

import msgspec

from roost.crypto import SigningKey
from roost.errors import CallerError, CryptoError, PeerError
from roost.messaging import accounts, binding, contact_sync, farewells, identity, invitations, mailboxes, outbox, peers
from roost.messaging.identity import ForkedDeviceList, UnprovenDeviceList
from roost.messaging.origin import Origin
from roost.messaging.records import (
    Contact,
    ContactState,
    InvitationRow,
    OwnCard,
    OwnMailbox,
    PeerDevice,
    Prekey,
)
from roost.messaging.work import Work
from roost.wire import content as c
from roost.wire.codec import decode
from roost.wire.identity import Card, DeviceEntry, SignedCard, SignedDeviceList
from roost.wire.sizes import MAX_DEVICES

# --- taking a device in ----------------------------------------------------------------------------------------------


def confirm(work: Work, signed: SignedCard, account: SigningKey) -> PeerDevice:
    """Sign the device behind a checked device invitation into my list and welcome it."""
    identity.check_listed(work.me)
    card, entry = identity.read_card(signed)
    devices = identity.entries(work.me.devices)
    if card.account != card.device:
        raise CallerError("This code does not come from a new device.", code="not_a_device_code")
    if any(known.signing == card.device for known in devices):
        raise CallerError("This device is linked already.", code="already_linked")
    if len(devices) >= MAX_DEVICES:
        raise CallerError(
            f"An account has at most {MAX_DEVICES} devices.", code="too_many_devices", hint="Remove one first."
        )
    new = DeviceEntry(card.device, entry.identity, work.now // 1000)
    _change_list(work, (*devices, new), account)
    me = work.me
    peer = work.put(
        PeerDevice(me.account, card.device, entry.identity, card=signed, address=card.address, name=card.name)
    )
    mine = peers.my_card(work, me.account)
    welcome = c.DeviceWelcome(account.to_bytes(), me.devices, me.about, mine.card)
    outbox.queue(work, me.account, peer.device, c.encode_content(welcome))
    for other in work.find(PeerDevice, where={"account": me.account}):
        if other.card is not None and other.device != peer.device and peers.has_shown_itself(other):
            outbox.queue(work, me.account, peer.device, c.encode_content(c.DeviceAnnouncement(other.card)))
    work.put(msgspec.structs.replace(peer, announced=mine.version))
    contact_sync.sync_all(work, peer.device)
    peers.announce_all(work)
    return peer


def remove(work: Work, device: bytes, account: SigningKey) -> None:
    """Sign a device out of my list; it is told so, contacts and my other devices forget it."""
    identity.check_listed(work.me)
    devices = identity.entries(work.me.devices)
    if device == work.me.device:
        raise CallerError(
            "This is the device that you are using.", code="own_device", hint="Remove it from another device."
        )
    left = tuple(entry for entry in devices if entry.signing != device)
    if len(left) == len(devices):
        raise CallerError("There is no such device.", code="unknown_device", hint="List them: roost device list")
    held = identity.succeed(work.me.devices, left, account)
    told = farewells.seal(work, device, held)
    _take_list(work, held)
    if told is not None:
        work.put(told)
    peers.announce_all(work)


def _change_list(work: Work, devices: tuple[DeviceEntry, ...], account: SigningKey) -> None:
    _take_list(work, identity.succeed(work.me.devices, devices, account))


def _take_list(work: Work, held: SignedDeviceList) -> None:
    me = work.me
    work.put(msgspec.structs.replace(me, devices=held, lineage=identity.lineage_after(me.devices, me.lineage)))
    own = work.need(Contact, work.me.account)
    work.put(msgspec.structs.replace(own, devices=held))
    peers.forget_missing(work, work.me.account, held)


def become_waiting(work: Work, device_name: str) -> None:
    """Give up an account that was never used, to join another one as its device. Raises CallerError if it was used."""
    me = work.me
    if len(work.find(Contact)) > 1:
        raise CallerError(
            "This profile has contacts of its own.", code="profile_in_use", hint="Link another, new profile instead."
        )
    relay = mailboxes.primary_relay(work)
    peers.forget_account(work, me.account)
    work.delete(work.need(Contact, me.account))
    for row in work.find(InvitationRow):
        invitations.end(work, row)
    accounts.create_waiting(work, None if relay.here else relay.link, device_name)


# --- being taken in --------------------------------------------------------------------------------------------------


def welcomed(work: Work, origin: Origin, welcome: c.DeviceWelcome) -> None:
    """An old device of mine took me in: from now on its account is mine. Raises PeerError for any other claim."""
    me = work.me
    if me.linked:
        raise PeerError("this device belongs to an account already", code="not_allowed")
    account = SigningKey.from_seed(welcome.account_secret).public.raw
    devices = identity.read_list(welcome.devices, account)
    held = {entry.signing: entry.identity for entry in devices.devices}
    card, entry = identity.read_card(welcome.card)
    if origin.account != account or card.account != account or entry.identity != origin.identity:
        raise CryptoError("the welcome was not made by the account's device")
    if me.device not in held:
        raise CryptoError("the welcome is for another device")
    placeholder = work.need(Contact, me.account)
    work.delete(placeholder)
    for mailbox in work.find(OwnMailbox, where={"account": me.account}):
        work.put(msgspec.structs.replace(mailbox, account=account, invitation=b""))
    for prekey in work.find(Prekey):
        work.put(msgspec.structs.replace(prekey, account=account))
    stale = work.get(OwnCard, me.account)
    if stale is not None:
        work.delete(stale)
    work.put(
        msgspec.structs.replace(
            me,
            account=account,
            account_secret=welcome.account_secret,
            wrapped=False,
            devices=welcome.devices,
            lineage=identity.lineage_of(card),
            about=welcome.about,
            linked=True,
        )
    )
    work.put(Contact(account, ContactState.SELF, welcome.about.name, work.now, devices=welcome.devices))
    binding.learn_and_bind(work, origin, welcome.card)
    peers.announce(work, account)
    work.tell("linked", account, account)


# --- what devices say about themselves and about contacts -------------------------------------------------------------


def announced(work: Work, origin: Origin, contact: Contact, content: c.DeviceAnnouncement) -> None:
    """A device of a contact shows its card; among my own devices one may also pass on another's."""
    card, entry = identity.read_card(content.card)
    mine = contact.state == ContactState.SELF
    if card.account != origin.account or (entry.identity != origin.identity and not (mine and origin.device)):
        raise CryptoError("a device may only announce itself")
    if entry.identity != origin.identity:
        fresh = peers.learn_card(work, origin.account, content.card)
    else:
        fresh = binding.learn_and_bind(work, origin, content.card)
    if contact.state == ContactState.REQUESTED:
        return
    outbox.hurry(work, origin.account, card.device)
    peers.announce(work, origin.account)
    if fresh and mine and entry.identity == origin.identity:
        _pass_on(work, content)
    if fresh and not mine:  # it may not know all my devices, and they not where it is written to now
        contact_sync.sync_contact(work, origin.account)


def _pass_on(work: Work, content: c.DeviceAnnouncement) -> None:
    """Tell my other devices how to reach the one that shows itself: two that were linked by a third know each other's
    names alone."""
    shown = decode(Card, content.card.card)
    for other in work.find(PeerDevice, where={"account": shown.account}):
        if other.device != shown.device:
            outbox.queue(work, shown.account, other.device, c.encode_content(content))


def contact_synced(work: Work, sync: c.ContactSync) -> None:
    """Another device of mine tells of a contact: know it, and announce this device to it."""
    if sync.account == work.me.account:
        raise PeerError("a contact is never oneself", code="not_allowed")
    state = ContactState(sync.state)
    if state == ContactState.SELF:
        raise PeerError("a contact is never oneself", code="not_allowed")
    known = work.get(Contact, sync.account)
    if known is not None and (sync.made_at < known.made_at or known.state == state == ContactState.REQUESTED):
        return
    if known is None and contact_sync.was_ended(work, sync):
        return
    newer = known is None or (sync.made_at, sync.changed_at) > (known.made_at, known.changed_at)
    if newer:
        _take_over(work, known, sync)
    if newer and known is not None and known.key_changed and sync.verified:
        work.put(msgspec.structs.replace(work.need(Contact, sync.account), devices=None))
    else:
        _learn_devices(work, sync)
    peers.announce(work, sync.account)
    if newer and (known is None or known.state != state):
        work.tell("contact", sync.account, sync.account, state.name.lower())


def _learn_devices(work: Work, sync: c.ContactSync) -> None:
    """A list that contradicts mine is shown here too, and keeps nothing else of the message from being heard."""
    try:
        with suppress(UnprovenDeviceList):  # the cards bring what proves it
            peers.learn_list(work, sync.account, sync.devices)
        for card in sync.cards:
            peers.learn_card(work, sync.account, card)
    except ForkedDeviceList:
        peers.show_fork(work, sync.account)


def _take_over(work: Work, known: Contact | None, sync: c.ContactSync) -> None:
    base = known or Contact(sync.account, sync.state, sync.name, work.now)
    if sync.made_at > base.made_at:
        peers.start_over(work, sync.account)
    if sync.state == ContactState.BLOCKED:
        mailboxes.close(work, sync.account)
    elif base.state == ContactState.BLOCKED:
        mailboxes.reopen(work, sync.account)
    work.put(
        msgspec.structs.replace(
            base,
            state=sync.state,
            name=sync.name,
            alias=sync.alias,
            verified=sync.verified,
            timer_s=sync.timer_s,
            made_at=sync.made_at,
            changed_at=sync.changed_at,
            floor=sync.floor,
            their_floor=sync.their_floor,
            key_changed=sync.key_changed,
            untold=known is None or base.untold,
        )
    )
    if sync.key_changed and not base.key_changed:
        peers.tell_fork(work, sync.account)
