"""Tying a session to the device that has just named itself in it."""

from __future__ import annotations

import msgspec

from roost.messaging import peers, sealing
from roost.messaging.origin import Origin
from roost.messaging.records import PeerDevice, SessionRow
from roost.messaging.work import Work
from roost.wire.identity import SignedCard


def learn_and_bind(work: Work, origin: Origin, card: SignedCard) -> bool:
    """Learn the card of the device that speaks, and let its session be that device's. True: news for my others."""
    fresh = peers.learn_card(work, origin.account, card)
    peer = next(
        (peer for peer in work.find(PeerDevice, where={"account": origin.account}) if peer.identity == origin.identity),
        None,
    )
    session = work.need(SessionRow, origin.session)
    if peer is not None and session.device != peer.device:
        session = work.put(msgspec.structs.replace(session, device=peer.device))
        sealing.settle(work, peer, session)
    return fresh
