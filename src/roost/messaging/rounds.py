"""Rounds of acknowledgements: who gets an envelope when one device is due one (docs/decisions/0011).

A host that sees when envelopes enter mailboxes learns who talks to whom from acknowledgements alone: whatever the
pause, one person always gets an envelope soon after another one wrote. So an acknowledgement goes to a *circle* of
contacts at once, always the same ones, and carries nothing for all but one of them. This module decides who; when
is messaging.inbox's business, and how it looks messaging.sealing's.
"""

from __future__ import annotations

import msgspec

from roost.messaging.records import Contact, ContactState, Outbox, OutboxState, PeerDevice, SessionRow
from roost.messaging.work import Work

CIRCLE = 4  # contacts; the last circle has up to twice as many less one
# Envelopes that carry nothing, to a device that was not heard since: 8 MB at its host. One in use is heard weekly, when
# it renews its card.
COVER_LIMIT = 2_000


def with_circles(work: Work, due: list[PeerDevice]) -> list[PeerDevice]:
    """The devices that get an envelope now, since those of `due` must."""
    found = {(peer.account, peer.device): peer for peer in due}
    circles = _circles(work) if due else []
    for account in {peer.account for peer in due}:
        for other in next((circle for circle in circles if account in circle), ()):
            for peer in work.find(PeerDevice, where={"account": other}):
                if (peer.account, peer.device) in found or not _can_cover(work, peer):
                    continue
                if not _leaves_now(work, peer):
                    found[peer.account, peer.device] = peer
    return sorted(found.values(), key=lambda peer: (peer.account, peer.device))


def cover(work: Work, account: bytes) -> None:
    """Something leaves for this account by itself, such as a read receipt: the rest of its circle gets an envelope
    too."""
    circle = next((circle for circle in _circles(work) if account in circle), [])
    for other in circle:
        for peer in work.find(PeerDevice, where={"account": other}) if other != account else ():
            if _can_cover(work, peer):
                session = work.need(SessionRow, peer.session)
                work.put(msgspec.structs.replace(session, acknowledge_at=min(session.acknowledge_at, work.now)))


def _circles(work: Work) -> list[list[bytes]]:
    """All contacts in circles, by when they were added, so that a circle rarely changes. One's own devices have
    none."""
    contacts = work.find(Contact, where={"state": int(ContactState.ACCEPTED)})
    accounts = [row.account for row in sorted(contacts, key=lambda row: (row.added_at, row.account))]
    whole = max(len(accounts) // CIRCLE, 1)
    circles = [accounts[number * CIRCLE : (number + 1) * CIRCLE] for number in range(whole)]
    circles[-1] += accounts[whole * CIRCLE :]
    return circles


def _leaves_now(work: Work, peer: PeerDevice) -> bool:
    """Whether the device is being sent something anyway at this moment."""
    where = {"account": peer.account, "device": peer.device, "state": int(OutboxState.SEALED)}
    return bool(work.find(Outbox, where=where, at_most=("next_at", work.now), limit=1))


def _can_cover(work: Work, peer: PeerDevice) -> bool:
    session = work.get(SessionRow, peer.session) if peer.session and peer.address is not None else None
    return session is not None and session.unheard < COVER_LIMIT
