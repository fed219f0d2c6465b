"""This device as a host: its keys and carriers, under which meetings it may be found, and whom it looks for.

Mailboxes at the device itself are mailboxes like any others; only their addresses differ: each carries a meeting of its
own, so that what one contact can recognise says nothing about another (DESIGN section 6, "Direct"). This module does
not know carriers or links.
"""

from __future__ import annotations

from collections.abc import Iterator

import msgspec

from roost.crypto import AgreementSecret, Label, SigningKey
from roost.crypto.kdf import derive32
from roost.crypto.meetings import meeting_of
from roost.errors import CallerError
from roost.messaging import floors, invitations, mailboxes, peers
from roost.messaging.records import (
    Contact,
    ContactState,
    Followed,
    LogState,
    MailboxState,
    OwnHost,
    OwnMailbox,
    OwnRelay,
    PeerDevice,
    SharedLog,
)
from roost.messaging.work import Work
from roost.wire.addresses import DeviceHost, HostAddress
from roost.wire.codec import decode
from roost.wire.content import Floor
from roost.wire.identity import Card
from roost.wire.links import RelayLink
from roost.wire.sizes import MEETING_SIZE

LAN, TOR = "lan", "tor"
_FOUND = (MailboxState.TO_CREATE, MailboxState.ACTIVE, MailboxState.RETIRING)


def own_host(work: Work) -> OwnHost | None:
    """This device as a host; None where it never was one."""
    return work.get(OwnHost, 0)


def begin(work: Work, carriers: tuple[str, ...], rank: int) -> OwnHost:
    """Make this device a host of its own mailboxes, to be met on these carriers; what was there stays."""
    host = own_host(work)
    if host is None:
        secret, seed = AgreementSecret.generate(work.entropy), work.entropy.bytes(32)
        host = OwnHost(0, secret.to_bytes(), seed, work.entropy.bytes(16).hex(), carriers)
        work.put(OwnRelay(secret.public.raw, RelayLink(_address(host), host.access), rank, here=True))
    return _set(work, host, carriers)


def _set(work: Work, host: OwnHost, carriers: tuple[str, ...]) -> OwnHost:
    changed = work.put(msgspec.structs.replace(host, carriers=tuple(sorted(set(carriers)))))
    relay = work.need(OwnRelay, key_of(changed))
    link = RelayLink(_address(changed), changed.access)
    if link != relay.link:
        work.put(msgspec.structs.replace(relay, link=link))
        peers.announce_all(work)
    return changed


def turn(work: Work, carrier: str, on: bool) -> OwnHost:
    """Turn a carrier on or off. The first one makes this device a host: as a second one beside any relays."""
    host = own_host(work)
    if host is None:
        if not on:
            return OwnHost(0, b"", b"", "", ())
        begin(work, (carrier,), _last_rank(work) + 1)
        peers.announce_all(work)
        return work.need(OwnHost, 0)
    carriers = {*host.carriers, carrier} if on else {name for name in host.carriers if name != carrier}
    return _set(work, host, tuple(carriers))


def carriers_to(host: DeviceHost) -> tuple[str, ...]:
    """The carriers on which a relay at home is met, as far as its link tells."""
    return (LAN, TOR) if host.onion else (LAN,)


def use(work: Work, link: RelayLink) -> OwnRelay:
    """Keep mailboxes at a relay too; contacts get an address there to fall back on. One with an address goes before
    those that are met over carriers, since whoever gets an invitation can reach it; one at home before this device,
    since it is always on. For one at home there have to be carriers: where none are on, those that lead to it are
    turned on.

    Raises CallerError `own_host`.
    """
    known = work.get(OwnRelay, link.address.key)
    if known is not None and known.here:
        raise CallerError("This is this very device, not a relay.", code="own_host", hint="Use the link of a relay.")
    relay = OwnRelay(link.address.key, link, known.rank if known else 0)
    if known is None:
        rows = sorted(work.find(OwnRelay), key=lambda row: row.rank)
        rows.insert(_place(rows, relay), relay)
        for rank, row in enumerate(rows, 1):
            work.put(msgspec.structs.replace(row, rank=rank))
    else:
        work.put(relay)
    host = own_host(work)
    if isinstance(link.address, DeviceHost) and (host is None or not host.carriers):
        begin(work, carriers_to(link.address), _last_rank(work) + 1)
    peers.announce_all(work)
    return work.need(OwnRelay, relay.relay)


def _place(rows: list[OwnRelay], relay: OwnRelay) -> int:
    if not mailboxes.is_met(relay):
        return next((index for index, row in enumerate(rows) if mailboxes.is_met(row)), len(rows))
    return 0 if rows and rows[0].here else len(rows)


def _last_rank(work: Work) -> int:
    return max((row.rank for row in work.find(OwnRelay)), default=0)


def key_of(host: OwnHost) -> bytes:
    """The key under which the device is known as a host."""
    return AgreementSecret.from_bytes(host.secret).public.raw


def storage_key(host: OwnHost) -> bytes:
    """What encrypts the file with the mailboxes here, 32 bytes."""
    return derive32(Label.HOST_STORE, host.secret, b"")


def onion_of(host: OwnHost) -> bytes:
    """The public key of its onion service, 32 bytes; the standard Ed25519 key of the seed."""
    return SigningKey.from_seed(host.onion_seed).public.raw


def _address(host: OwnHost) -> DeviceHost:
    """Its address without a meeting, which each mailbox has its own of."""
    return DeviceHost(key_of(host), bytes(MEETING_SIZE), onion_of(host) if TOR in host.carriers else b"")


# --- who meets whom --------------------------------------------------------------------------------------------------


def circles(work: Work) -> dict[bytes, Floor]:
    """The meetings under which this device may be found, each with what its conversation allows."""
    host = own_host(work)
    if host is None:
        return {}
    key = key_of(host)
    found = {
        meeting_of(row.admin): _floor(work, row.account)
        for row in work.find(OwnMailbox, where={"relay": key})
        if row.state in _FOUND
    }
    for log in work.find(SharedLog):
        if isinstance(log.relay, DeviceHost) and log.relay.key == key and log.state != LogState.TO_DELETE:
            found[log.relay.meeting] = Floor.ANY
    return found


def sought(work: Work) -> dict[DeviceHost, Floor]:
    """The devices that are looked for, each with what its conversation allows."""
    found: dict[DeviceHost, Floor] = {}
    for address, account in _addresses(work):
        if isinstance(address, DeviceHost):
            own = work.get(OwnRelay, address.key) is not None  # shared with contacts: floors keep them from it
            floor = Floor.ANY if own else _floor(work, account)
            found[address] = max(floor, found.get(address, floor))
    return found


def homes(work: Work) -> frozenset[bytes]:
    """The relays at home where I keep mailboxes, by key. They need not know which device comes: as at any relay, what
    it may do is decided by what it shows there."""
    return frozenset(row.relay for row in work.find(OwnRelay) if mailboxes.is_met(row) and not row.here)


def _addresses(work: Work) -> Iterator[tuple[HostAddress, bytes]]:
    for peer in work.find(PeerDevice):
        contact = work.get(Contact, peer.account)
        if contact is not None and contact.state != ContactState.BLOCKED:
            yield from ((address.relay, peer.account) for address in peer.addresses)
    for contact in work.find(Contact, where={"state": int(ContactState.REQUESTED)}):
        for peer in work.find(PeerDevice, where={"account": contact.account}):
            if peer.card is not None:  # its invitation's
                yield decode(Card, peer.card.card).address.relay, contact.account
    for row in work.find(Followed):
        yield invitations.place_of(row), b""
    for log in work.find(SharedLog):
        if log.state != LogState.TO_DELETE:
            yield log.relay, b""
    for relay in work.find(OwnRelay):
        if not relay.here:
            yield relay.link.address, b""


def _floor(work: Work, account: bytes) -> Floor:
    contact = work.get(Contact, account) if account else None
    return floors.floor_of(contact) if contact is not None else Floor.ANY
