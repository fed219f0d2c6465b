"""A device that is removed from its account is told so, and what it does then.

Nobody may give it new addresses, so it gets no card: one envelope with the list that names it no longer, outside the
order of frames, to the mailbox that it kept for the remover. It then sends nothing more. What it holds stays, and what
it had not sent says why.
"""

from __future__ import annotations

import msgspec

from roost.errors import PeerError
from roost.messaging import identity, outbox, sealing
from roost.messaging.records import Contact, Message, MessageState, Outbox, OutboxState, PeerDevice
from roost.messaging.work import Work
from roost.wire.codec import encode
from roost.wire.content import DeviceRemoved, Entry, encode_content
from roost.wire.identity import SignedDeviceList

KEPT_MS = 60 * 86_400_000  # put again daily so long: twice as long as a host keeps an envelope


def seal(work: Work, device: bytes, held: SignedDeviceList) -> Outbox | None:
    """What to tell a device of mine that `held` names no longer, sealed while there is still a session with it; None
    when it cannot be reached at all. To be written after the device was forgotten, which ends the session."""
    peer = work.get(PeerDevice, work.me.account, device)
    if peer is None or peer.address is None:
        return None
    id, content = work.entropy.bytes(16), encode_content(DeviceRemoved(held))
    envelope = sealing.seal_bare(work, peer, encode(Entry(id, work.now, 0, content)))
    if envelope is None:
        return None
    return Outbox(
        number=work.next_number("outbox"),
        account=peer.account,
        device=device,
        id=id,
        message=b"",
        content=content,
        sent_at=work.now,
        counter=0,
        state=OutboxState.SEALED,
        created_at=work.now,
        address=peer.address,
        envelopes=(envelope,),
        next_at=work.now,
    )


def heard(work: Work, content: DeviceRemoved) -> None:
    """Another device of mine says that I am none any more: believed if the account's newer list says so.

    Raises:
        CryptoError, PeerError: it does not.
    """
    me = work.me
    devices = identity.read_list(content.devices, me.account)
    known = identity.read_list(me.devices, me.account)
    if devices.version <= known.version or any(entry.signing == me.device for entry in devices.devices):
        raise PeerError("the list is not newer, or names this device", code="not_allowed")
    work.put(msgspec.structs.replace(me, devices=content.devices, removed_at=work.now))
    own = work.need(Contact, me.account)
    work.put(msgspec.structs.replace(own, devices=content.devices))
    for peer in work.find(PeerDevice):  # without an address and a card nothing can be sealed or put
        work.put(msgspec.structs.replace(peer, address=None, fallback=None, third=None, card=None))
    for row in work.find(Outbox):
        work.put(msgspec.structs.replace(row, address=None, problem=identity.REMOVED_CODE))
        _not_sent(work, row)
    work.tell("unlisted", account=me.account)


def _not_sent(work: Work, row: Outbox) -> None:
    """What no device has acknowledged does not count as sent: whoever heard of the removal first reads it no more."""
    message = work.get(Message, row.message) if row.message else None
    if message is not None and row.account == message.conversation and message.state == MessageState.SENT:
        work.put(msgspec.structs.replace(message, state=int(MessageState.QUEUED)))
        work.tell("receipt", message.id, message.conversation, MessageState.QUEUED.name.lower())


def forget_old(work: Work) -> None:
    """Stop telling a device that was removed long ago."""
    for row in work.find(Outbox, where={"account": work.me.account}):
        gone = work.get(PeerDevice, row.account, row.device) is None
        if gone and row.address is not None and work.now - row.created_at > KEPT_MS:
            outbox.discard(work, row)
