"""Onion networks of others that this profile enters: where contacts, groups or channels of the person are.

Anybody can make up a network, and its nodes learn who calls there. So it is entered because the person did something
that leads into it, here or on another device of theirs, and left when nothing there is theirs any more.
"""

from __future__ import annotations

from roost.messaging import logs, outbox
from roost.messaging.records import EnteredNetwork, OnionMemory, Outbox, OwnMailbox, OwnRelay, PeerDevice, SharedLog
from roost.messaging.work import Work
from roost.wire.addresses import OnionHost
from roost.wire.content import encode_content
from roost.wire.travel import NetworkEntered

FOREIGN = "foreign_network"  # the code of why something is not sent into a network that was not entered
SETTLE_MS = 3_600_000  # what the person went there for is being made, or on its way from another device


def enter(work: Work, network: bytes) -> None:
    """The person did something that leads into this network. My other devices are told."""
    if work.get(OwnRelay, network) is None:
        _put(work, network)
    outbox.to_mine(work, encode_content(NetworkEntered(network)))


def told(work: Work, entered: NetworkEntered) -> None:
    """Another device of mine says so."""
    _put(work, entered.network)


def _put(work: Work, network: bytes) -> None:
    work.put(EnteredNetwork(network, work.now))
    outbox.hurry_all(work, (FOREIGN,))
    logs.hurry(work, (FOREIGN,))


def tell_all(work: Work, device: bytes) -> None:
    """Tell one other device of mine of all of them, and of my own: contacts may be there that it would write to."""
    own = {row.relay for row in work.find(OwnRelay) if isinstance(row.link.address, OnionHost)}
    for network in sorted(own | {row.network for row in work.find(EnteredNetwork)}):
        outbox.queue(work, work.me.account, device, encode_content(NetworkEntered(network)))


def is_entered(work: Work, network: bytes) -> bool:
    return work.get(EnteredNetwork, network) is not None


def leave_unneeded(work: Work) -> None:
    """Forget the networks in which nothing is mine any more, with all that was remembered of them."""
    old = {row.network: row for row in work.find(EnteredNetwork) if row.at + SETTLE_MS <= work.now}
    unneeded = old.keys() - _named(work) if old else set()
    if unneeded:
        unneeded -= {row.address.relay.key for row in work.find(Outbox) if row.address is not None}
    for network in unneeded:
        work.delete(old[network])
        for kept in work.find(OnionMemory):
            if kept.name.startswith(network.hex()) and work.get(OwnRelay, network) is None:
                work.delete(kept)


def _named(work: Work) -> set[bytes]:
    """The keys of all hosts where contacts, groups, channels or mailboxes of mine are."""
    addresses = [address for peer in work.find(PeerDevice) for address in peer.addresses]
    found = {address.relay.key for address in addresses}
    return found | {row.relay.key for row in work.find(SharedLog)} | {row.relay for row in work.find(OwnMailbox)}
