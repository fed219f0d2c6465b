"""Which address what waits in the outbox goes to: the device's first, and its fallback for what that does not take.

The frames' numbers keep order and the envelopes' hashes tell repetitions, by whichever mailbox they come, so a row may
change its way at any time. Only a knock has one address; and what needs blobs stays with the host that has them.
"""

from __future__ import annotations

from roost.messaging import floors
from roost.messaging.records import Outbox, PeerDevice
from roost.messaging.work import Work
from roost.wire.addresses import Address

PATIENCE = 3  # refusals in a row before the other host is tried: some eight seconds


def address_for(work: Work, row: Outbox, peer: PeerDevice | None) -> Address | None:
    """Where the row is to be put now; None while there is no way. After PATIENCE failures both hosts in turn."""
    if row.address is not None or peer is None:
        return row.address
    other = peer.fallback
    stuck = row.problem and row.attempts >= PATIENCE and row.attempts % 2 == PATIENCE % 2
    if other is not None and stuck and not row.uploads and floors.may_take(work, row, other):
        return other
    return peer.address


def addresses_of(peer: PeerDevice) -> tuple[Address, ...]:
    """Where the device can be written to, the first choice first."""
    return tuple(address for address in (peer.address, peer.fallback) if address is not None)
