"""Which address what waits in the outbox goes to, among those that its device can be written to at.

First by the network that the person prefers for this conversation (messaging.travel), where there is such a way. Else
to the device itself while a link to it stands, then to the relays and onion networks that keep for it, then to the
device though it may not be near. What one does not take goes to the next, and comes back when the first heals. The
frames' numbers keep order and the envelopes' hashes tell repetitions, by whichever mailbox they come, so a row may
change its way at any time. Only a knock has one address. What needs blobs stays with the host that has them, unless
that is a device which has gone, or another network is preferred by now: another host misses them, and they are uploaded
there.
"""

from __future__ import annotations

from collections.abc import Callable

from roost.messaging import floors, travel
from roost.messaging.records import Outbox, OutboxState, OwnRelay, PeerDevice, Upload
from roost.messaging.work import Work
from roost.wire.addresses import Address, DeviceHost, OnionHost

PATIENCE = 3  # refusals in a row before the other host is tried: some eight seconds

Standing = Callable[[bytes], bool]
"""Whether a link to the host with this key stands."""


def apart(_key: bytes) -> bool:
    """No link to any device stands."""
    return False


def address_for(work: Work, row: Outbox, peer: PeerDevice | None, standing: Standing = apart) -> Address | None:
    """Where the row is to be put now; None while there is no way. After PATIENCE failures the others in turn."""
    if row.address is not None or peer is None:
        return row.address
    prefers = travel.chosen(work, row.account).prefers
    open_ways = [address for address in best_first(work, peer, standing) if floors.may_take(work, row, address)]
    if not open_ways:
        return peer.address
    stuck = row.problem and row.attempts >= PATIENCE
    if row.uploads:
        there = next((address for address in open_ways if address.relay.key == row.blobs_at), open_ways[0])
        behind = _rank(work, there, prefers, standing) > _rank(work, open_ways[0], prefers, standing)
        gone = behind and (stuck or row.state == OutboxState.QUEUED)
        return open_ways[0] if gone else there
    return open_ways[(row.attempts - PATIENCE + 1) % len(open_ways) if stuck else 0]


def uploading(work: Work, standing: Standing = apart) -> list[tuple[Outbox, Address]]:
    """The rows whose blobs are to be stored now, and where: of each device the first that waits, since rows leave in
    order, and those that left, whose host has not got, or has lost, what they need."""
    first: dict[tuple[bytes, bytes], Outbox] = {}
    for row in work.find(Outbox, where={"state": int(OutboxState.QUEUED)}, order="number"):
        first.setdefault((row.account, row.device), row)
    lacking = {upload.outbox for upload in work.find(Upload) if upload.done < upload.pointer.blobs}
    left = [held for number in sorted(lacking) if (held := work.get(Outbox, number)) and held.envelopes]
    found = []
    for row in (*(row for row in first.values() if row.number in lacking), *left):
        peer = work.get(PeerDevice, row.account, row.device)
        address = address_for(work, row, peer, standing) if row.next_at <= work.now else None
        if address is not None and floors.may_leave(work, row, peer):
            found.append((row, address))
    return found


def best_first(work: Work, peer: PeerDevice, standing: Standing = apart) -> list[Address]:
    """Where the device can be written to, in the order in which it is tried: only where the conversation's floor is
    met, if it is anywhere."""
    prefers = travel.chosen(work, peer.account).prefers
    allowed = [address for address in peer.addresses if floors.meets(work, peer.account, address)]
    return sorted(allowed or peer.addresses, key=lambda address: _rank(work, address, prefers, standing))


def _rank(work: Work, address: Address, prefers: int, standing: Standing) -> int:
    if prefers and travel.network_to(work, address.relay) == prefers:
        return -1
    if isinstance(address.relay, OnionHost) and work.get(OwnRelay, address.relay.key) is None:
        return 3
    if not isinstance(address.relay, DeviceHost):
        return 1
    return 0 if standing(address.relay.key) else 2
