"""A session in which nothing is acknowledged any more, though its host takes it, is begun anew.

Mostly the device is just away. But it may have been put back from an older copy and read other mailboxes than the one
that it is written to, while what it says is taken for repetitions or goes to a mailbox that is no more: then neither
side can tell the other. The first messages of a new session carry the handshake and a card with the present address,
each on its own, so one that arrives is enough. One such goes to the device's former address, under its former card: a
copy reads that mailbox, and has its relay make it again if need be. As long as nothing is answered, there is no need
for yet another session.
"""

from __future__ import annotations

import msgspec

from roost.messaging import outbox, peers, sealing
from roost.messaging.pauses import REPUT_AFTER_MS
from roost.messaging.records import Contact, ContactState, Outbox, OutboxState, PeerDevice, SessionRow
from roost.messaging.work import Work
from roost.wire.codec import decode
from roost.wire.content import DeviceAnnouncement, encode_content
from roost.wire.identity import Card

PATIENCE = len(REPUT_AFTER_MS)  # times that a host took it; the last after a day and a half
ANSWER_WITHIN_MS = 7 * 86_400_000  # a handshake that is not answered for so long is repeated
PROBE_FOR_MS = 30 * 86_400_000


def renew(work: Work) -> None:
    """Begin anew where it has been silent for too long. Cheap enough to be called hourly."""
    for state in (ContactState.ACCEPTED, ContactState.SELF):
        for contact in work.find(Contact, where={"state": int(state)}):
            _renew(work, contact)


def _renew(work: Work, contact: Contact) -> None:
    found = work.find(PeerDevice, where={"account": contact.account})
    silent = [peer for peer in found if _silent(work, peer)]
    for peer in silent:
        sealing.begin_session(work, work.put(msgspec.structs.replace(peer, announced=0)))
    if silent:
        peers.announce_anew(work, contact.account)
    for peer in silent:
        if peer.former is not None and not peer.probed_at:
            _probe(work, peer)
    for peer in found:
        if peer.probed_at and (_heard(work, peer) or work.now - peer.probed_at > PROBE_FOR_MS):
            _end_probe(work, peer)


def _silent(work: Work, peer: PeerDevice) -> bool:
    session = work.get(SessionRow, peer.session) if peer.session else None
    if session is None or peer.card is None or peer.address is None:
        return False
    if not session.confirmed and work.now - session.created_at < ANSWER_WITHIN_MS:
        return False
    oldest = work.find(Outbox, where={"session": session.id}, order="number", limit=1)
    return any(row.state == OutboxState.STORED and row.attempts > PATIENCE for row in oldest)


def _heard(work: Work, peer: PeerDevice) -> bool:
    session = work.get(SessionRow, peer.session) if peer.session else None
    return session is not None and session.confirmed


def _probe(work: Work, peer: PeerDevice) -> None:
    """Show the device a card where it read before, under the card that it showed then."""
    assert peer.former is not None
    address = decode(Card, peer.former.card).address
    card = encode_content(DeviceAnnouncement(peers.my_card(work, peer.account).card))
    row = outbox.queue(work, peer.account, peer.device, card, address=address)
    row = work.put(msgspec.structs.replace(row, probe=True))
    sealing.seal_row(work, sealing.new_session(work, peer, peer.former), row)
    held = work.need(PeerDevice, peer.account, peer.device)
    work.put(msgspec.structs.replace(held, probed_at=work.now))


def _end_probe(work: Work, peer: PeerDevice) -> None:
    for row in work.find(Outbox, where={"account": peer.account, "device": peer.device}):
        if row.probe:
            outbox.discard(work, row)
    held = work.need(PeerDevice, peer.account, peer.device)
    work.put(msgspec.structs.replace(held, probed_at=0))
