"""How a conversation travels, as its person chose: which network is tried first, and how fast an onion network is
used.

Neither is told to the other side: everybody chooses for what they send themselves. A privacy floor, which holds for
both, is another matter (messaging.floors), and stronger: what it forbids is never preferred.
"""

from __future__ import annotations

from roost.messaging import outbox
from roost.messaging.records import OwnRelay, PeerDevice, Travel
from roost.messaging.work import Work
from roost.wire.addresses import DeviceHost, HostAddress, OnionHost
from roost.wire.content import encode_content
from roost.wire.travel import Network, TravelChange


def network_to(work: Work, host: HostAddress) -> Network:
    """Which of the four networks takes something to a host. An onion network is the same for all who use it; a relay of
    mine, at home too, sees both sides."""
    if isinstance(host, OnionHost):
        return Network.ONION
    relay = work.get(OwnRelay, host.key)
    if relay is not None and not relay.here:
        return Network.CENTRAL
    return Network.DIRECT if isinstance(host, DeviceHost) else Network.FEDERATED


def chosen(work: Work, conversation: bytes) -> Travel:
    """What was chosen for a conversation; where nothing was, what holds without."""
    return work.get(Travel, conversation) or Travel(conversation)


def choose(work: Work, conversation: bytes, *, prefers: Network | None = None, mixed: bool | None = None) -> Travel:
    """From now on; None leaves it as it is. My other devices are told."""
    before = chosen(work, conversation)
    after = Travel(
        conversation,
        before.prefers if prefers is None else int(prefers),
        before.mixed if mixed is None else mixed,
        max(work.now, before.changed_at + 1),
    )
    if (after.prefers, after.mixed) == (before.prefers, before.mixed):
        return before
    work.put(after)
    outbox.to_mine(work, _content(after))
    _changed(work, conversation)
    return after


def told(work: Work, change: TravelChange) -> None:
    """Another device of mine says what was chosen there."""
    before = chosen(work, change.conversation)
    if change.changed_at > before.changed_at:
        work.put(Travel(change.conversation, int(change.prefers), change.mixed, change.changed_at))
        _changed(work, change.conversation)


def tell_all(work: Work, device: bytes) -> None:
    """Tell one other device of mine of everything that was chosen."""
    for row in work.find(Travel):
        outbox.queue(work, work.me.account, device, _content(row))


def forget(work: Work, conversation: bytes) -> None:
    """The conversation is over."""
    row = work.get(Travel, conversation)
    if row is not None:
        work.delete(row)


def _content(row: Travel) -> bytes:
    return encode_content(TravelChange(row.conversation, Network(row.prefers), row.mixed, row.changed_at))


def _changed(work: Work, conversation: bytes) -> None:
    for peer in work.find(PeerDevice, where={"account": conversation}):
        outbox.hurry(work, conversation, peer.device)
    work.tell("contact", conversation, conversation, "travel")
