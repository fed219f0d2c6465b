"""How much a conversation may expose: its privacy floor, the stricter of what both people allow (DESIGN section 6).

What would have to take a weaker network waits in the outbox, with its reason, until there is a stronger one or the
floor is lowered. Only what the devices need to find a stronger one leaves all the same: cards with new addresses, this
very setting, and acknowledgements, which carry nothing. Where there is a way that the floor allows, those take it too.
This module does not decide how networks are reached.
"""

from __future__ import annotations

import msgspec

from roost.messaging import conversations, outbox
from roost.messaging.records import Contact, Outbox, OwnRelay, PeerDevice
from roost.messaging.work import Work
from roost.wire import content as c
from roost.wire.addresses import Address, DeviceHost, OnionHost

_NEEDED = c.FloorChange | c.DeviceAnnouncement | c.ContactAcceptance | c.ContactRequest


def floor_of(contact: Contact) -> c.Floor:
    """What holds for the conversation: the stricter of both."""
    return c.Floor(max(contact.floor, contact.their_floor))


def network_to(work: Work, address: Address) -> c.Floor:
    """How an envelope to `address` travels now, as the floor that it meets. Through an onion network nobody sees both
    sides, if it is one of mine: another may have been made up by whoever named it. A relay of mine, at home too, sees
    both; another's sees one, also where it is reached through an onion network. To another device: over Tor at the
    best, and whoever dials keeps to the carriers that the conversation allows; no relay learns anything in any case."""
    mine = work.get(OwnRelay, address.relay.key) is not None
    if isinstance(address.relay, OnionHost):
        return c.Floor.ONION if mine else c.Floor.FEDERATED
    if mine:
        return c.Floor.ANY
    return c.Floor.ONION if isinstance(address.relay, DeviceHost) and address.relay.onion else c.Floor.FEDERATED


def meets(work: Work, account: bytes, address: Address) -> bool:
    """Whether the network to `address` is one that the conversation with the account allows."""
    contact = work.get(Contact, account)
    wanted = floor_of(contact) if contact is not None else c.Floor.ANY
    return wanted == c.Floor.ANY or network_to(work, address) >= wanted


def allows(work: Work, peer: PeerDevice) -> bool:
    """Whether some way to this device meets its conversation's floor. True while there is no way at all."""
    return not peer.addresses or any(meets(work, peer.account, address) for address in peer.addresses)


def may_take(work: Work, row: Outbox, address: Address) -> bool:
    """Whether a row may go to `address`: the floor is met, or the row is what helps to meet it and no way does."""
    if meets(work, row.account, address):
        return True
    if not isinstance(c.decode_content(row.content), _NEEDED):
        return False
    to_a_stranger = row.address is not None and not row.probe
    peer = None if to_a_stranger else work.get(PeerDevice, row.account, row.device)
    return peer is None or not any(meets(work, row.account, other) for other in peer.addresses)


def may_leave(work: Work, row: Outbox, peer: PeerDevice | None) -> bool:
    ways = (row.address,) if row.address is not None else peer.addresses if peer is not None else ()
    return not ways or any(may_take(work, row, address) for address in ways)


def holds(work: Work, account: bytes) -> bool:
    """Whether something said in this conversation now would wait because of its floor."""
    return not all(allows(work, peer) for peer in work.find(PeerDevice, where={"account": account}))


def set_floor(work: Work, account: bytes, floor: c.Floor) -> None:
    """I allow this conversation `floor` from now on: the other side and my other devices are told."""
    contact = conversations.writable(work, account)
    if contact.floor == floor:
        return
    work.put(msgspec.structs.replace(contact, floor=int(floor)))
    outbox.fan_out(work, account, c.encode_content(c.FloorChange(floor)))
    _changed(work, account)


def told(work: Work, account: bytes, floor: c.Floor, *, mine: bool) -> None:
    """The other side allows `floor`, or I do on another device."""
    contact = work.need(Contact, account)
    if mine:
        work.put(msgspec.structs.replace(contact, floor=int(floor)))
    else:
        work.put(msgspec.structs.replace(contact, their_floor=int(floor)))
    _changed(work, account)


def _changed(work: Work, account: bytes) -> None:
    for peer in work.find(PeerDevice, where={"account": account}):
        outbox.hurry(work, account, peer.device)
    work.tell("contact", account, account, "floor")
