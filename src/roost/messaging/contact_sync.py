"""What my other devices are told of contacts: whom this device knows, how, and where their devices are written to."""

from __future__ import annotations

import msgspec

from roost.messaging import entered, outbox, travel
from roost.messaging.records import HIDDEN_CONTACTS, Contact, PeerDevice, Seen
from roost.messaging.work import Work
from roost.wire.content import ContactSync, Floor, encode_content

REMEMBER_END_MS = 45 * 86_400_000  # longer than any host keeps an envelope by default


def made(work: Work, contact: Contact) -> Contact:
    """Write a contact that is made, or made anew: what my other devices shared with it before is over."""
    made_at = max(work.now, contact.made_at + 1)
    return work.put(msgspec.structs.replace(contact, made_at=made_at, changed_at=made_at))


def changed(work: Work, contact: Contact) -> Contact:
    """Write a contact that I changed, and tell my other devices."""
    contact = work.put(msgspec.structs.replace(contact, changed_at=max(work.now, contact.changed_at + 1)))
    sync_contact(work, contact.account)
    return contact


def ended(work: Work, contact: Contact) -> None:
    """Remember that this contact was ended: another device of mine may still tell of it."""
    work.put(Seen(_end_of(contact.account, contact.made_at), work.now + REMEMBER_END_MS))


def was_ended(work: Work, sync: ContactSync) -> bool:
    return work.get(Seen, _end_of(sync.account, sync.made_at)) is not None


def _end_of(account: bytes, made_at: int) -> bytes:
    return b"ended" + account + made_at.to_bytes(8, "big")


def sync_contact(work: Work, account: bytes) -> None:
    """Tell my other devices what this one knows of a contact."""
    contact = work.need(Contact, account)
    content = _content(work, contact)
    if content:
        outbox.to_mine(work, content)
        if contact.untold:
            work.put(msgspec.structs.replace(contact, untold=False))


def before_speaking(work: Work, contact: Contact) -> Contact:
    """Before the first thing that I say to a contact that another device of mine made: my third one may not have heard
    of it, and would drop the copy."""
    if contact.untold:
        sync_contact(work, contact.account)
    return work.need(Contact, contact.account)


def sync_all(work: Work, device: bytes) -> None:
    """Tell one other device of mine of all contacts, how conversations travel, and by which networks. Before any copy
    of what I say goes to it: a copy for a conversation that it does not know is dropped."""
    for contact in work.find(Contact):
        content = _content(work, contact)
        if content:
            outbox.queue(work, work.me.account, device, content)
    travel.tell_all(work, device)
    entered.tell_all(work, device)


def _content(work: Work, contact: Contact) -> bytes:
    """Empty when there is nothing to tell."""
    if contact.devices is None or contact.state in HIDDEN_CONTACTS:
        return b""
    peers = work.find(PeerDevice, where={"account": contact.account})
    cards = tuple(peer.card for peer in peers if peer.card and peer.address)
    return encode_content(
        ContactSync(
            contact.account,
            contact.name,
            contact.alias,
            contact.state,
            contact.verified,
            contact.devices,
            cards[:8],
            contact.timer_s,
            contact.made_at,
            contact.changed_at,
            Floor(contact.floor),
            Floor(contact.their_floor),
            contact.key_changed,
        )
    )
