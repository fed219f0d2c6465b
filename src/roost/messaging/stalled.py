"""A session in which nothing is acknowledged any more, though its host takes it, is begun anew.

Mostly the device is just away. But it may have been put back from an older copy and read other mailboxes than the one
that it is written to, while what it says is taken for repetitions: then neither side can tell the other. The first
messages of a new session carry the handshake and a card with the present address, each on its own, so one that arrives
is enough. As long as they are not answered, there is no need for yet another session.
"""

from __future__ import annotations

import msgspec

from roost.messaging import outbox, peers, sealing
from roost.messaging.records import Contact, ContactState, Outbox, OutboxState, PeerDevice, SessionRow
from roost.messaging.work import Work

PATIENCE = len(outbox.REPUT_AFTER_MS)  # times that a host took it; the last after a day and a half


def renew(work: Work) -> None:
    """Begin anew where it has been silent for too long. Cheap enough to be called hourly."""
    for state in (ContactState.ACCEPTED, ContactState.SELF):
        for contact in work.find(Contact, where={"state": int(state)}):
            silent = [peer for peer in work.find(PeerDevice, where={"account": contact.account}) if _silent(work, peer)]
            for peer in silent:
                sealing.begin_session(work, work.put(msgspec.structs.replace(peer, announced=0)))
            if silent:
                peers.announce_anew(work, contact.account)


def _silent(work: Work, peer: PeerDevice) -> bool:
    session = work.get(SessionRow, peer.session) if peer.session else None
    if session is None or not session.confirmed or peer.card is None or peer.address is None:
        return False
    oldest = work.find(Outbox, where={"session": session.id}, order="number", limit=1)
    return any(row.state == OutboxState.STORED and row.attempts > PATIENCE for row in oldest)
