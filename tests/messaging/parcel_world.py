"""People whose mailboxes are at their own devices, which never meet each other: what travels goes by couriers or files.

The mailboxes are the harness's; only the addresses that others know of them name a device instead of a relay, and
nobody reaches those devices but by parcels. Everything that passes between two devices is encoded on the way.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field

import msgspec

from roost.messaging import parcels
from roost.messaging.parcels import Drop, Offered, Taken
from roost.messaging.records import CarriedParcel, CourierSettings, OwnMailbox, PeerDevice
from roost.wire.addresses import DeviceHost, MailboxAddress
from roost.wire.codec import decode, encode
from roost.wire.mailbox import Put, PutBlob
from roost.wire.parcels import (
    HandParcel,
    OfferParcels,
    Parcel,
    ParcelFile,
    TookParcels,
    WantParcels,
    decode_message,
    write_file,
)
from tests.messaging.harness import Device, World

DAY_MS = 86_400_000
FILE = b""  # who hands over what a file holds


def meeting_of(mailbox: OwnMailbox) -> bytes:
    return hashlib.sha256(b"meeting" + mailbox.admin).digest()[:16]


def meetings_of(device: Device) -> list[bytes]:
    return [meeting_of(mailbox) for mailbox in device.work().find(OwnMailbox)]


def host_key(device: Device) -> bytes:
    return hashlib.sha256(b"host" + device.name.encode()).digest()


def host_apart(world: World, first: Device, second: Device) -> None:
    """From now on the two write to each other's devices, and cannot reach them."""
    for writer, reader in ((first, second), (second, first)):
        (peer,) = [row for row in writer.work().find(PeerDevice) if row.device == reader.work().me.device]
        assert peer.address is not None
        boxes = reader.work().find(OwnMailbox, where={"account": writer.account})
        (box,) = [box for box in boxes if box.put == peer.address.put]
        host = DeviceHost(host_key(reader), meeting_of(box))
        changed = msgspec.structs.replace(peer, address=MailboxAddress(host, peer.address.put))
        writer.do(lambda work, changed=changed: work.put(changed))
        world.down.add(host.key)


def carry(device: Device, **settings: object) -> None:
    """Let the device carry for its contacts, and tell them."""
    device.do(parcels.change_settings, CourierSettings(carries=True, **settings))
    device.world.settle()


def use(device: Device, **settings: object) -> None:
    device.do(parcels.change_settings, CourierSettings(uses=True, **settings))


@dataclass
class Meeting:
    """What passed from one device to another: for tests that look on."""

    offered: list[Offered] = field(default_factory=list)
    wanted: WantParcels | None = None
    parcels: list[Parcel] = field(default_factory=list)
    taken: Taken = field(default_factory=lambda: Taken((), (), ()))

    @property
    def drops(self) -> list[Drop]:
        return [why for _, why in self.taken.dropped]


def hand_over(
    giver: Device, taker: Device, *, lost: int = 0, with_files: bool = False, meetings: list[bytes] | None = None
) -> Meeting:
    """The exchange in one direction; the link breaks before the last `lost` parcels."""
    held = meetings if meetings is not None else meetings_of(taker)
    met = Meeting(giver.do(parcels.offer, taker.account, with_files=with_files))
    if not met.offered:
        return met
    offer = _sent(OfferParcels(tuple(one.head for one in met.offered)))
    met.wanted = _sent(parcels.want(taker.work(), giver.account, offer.heads, held))
    chosen = giver.do(parcels.answered, taker.account, met.offered, met.wanted)
    for one in chosen[: max(len(chosen) - lost, 0)]:
        parcel = parcels.parcel_of(giver.work(), one, blob_for(one))
        assert parcel is not None
        met.parcels.append(_sent(HandParcel(parcel)).parcel)
    met.taken = take_in(taker, giver.account, met.parcels, held)
    ids = _sent(TookParcels(tuple(sorted(parcel.id for parcel in met.parcels)))).ids
    giver.do(parcels.took, taker.account, chosen, met.wanted, ids)
    return met


def blob_for(one: Offered) -> bytes:
    return bytes([one.blob.index]) * 65_536 if one.blob is not None else b""


def meet(first: Device, second: Device) -> tuple[Meeting, Meeting]:
    """Two devices are near each other."""
    both = hand_over(first, second), hand_over(second, first)
    settle(first.world)
    return both


def take_in(taker: Device, account: bytes, handed: list[Parcel], meetings: list[bytes] | None = None) -> Taken:
    """What the agent does: the host first, then the commit."""
    work = taker.work()
    taken = parcels.take(work, account, handed, meetings if meetings is not None else meetings_of(taker))
    for one in taken.mine:
        (parcels.settled if put_at_own_host(taker, one.request) else parcels.defer)(work, one)
    taker.commit(work)
    return taken


def put_at_own_host(device: Device, request: Put | PutBlob) -> bool:
    """The device's own host: as the relay's core, it refuses a put whose blobs are not there."""
    blobs = device.__dict__.setdefault("blobs", {})
    if isinstance(request, PutBlob):
        blobs.setdefault(request.hold, {})[request.blob] = request.data
        return True
    if any(len(blobs.get(need.hold, {})) < need.count for need in request.needs):
        return False
    device.world.transmit(request.put, request.envelope)
    return True


def export(device: Device) -> bytes:
    def made(work) -> list[Parcel]:  # type: ignore[no-untyped-def]
        found = [parcels.parcel_of(work, one, blob_for(one)) for one in parcels.to_export(work)]
        return [parcel for parcel in found if parcel is not None]

    return b"".join(write_file(device.do(made)))


def read(data: bytes) -> list[Parcel]:
    reader = ParcelFile()
    found = reader.feed(data)
    reader.finish()
    return found


def carried(device: Device) -> list[CarriedParcel]:
    return device.work().find(CarriedParcel, order="received_at")


def settle(world: World) -> None:
    """Everybody works; the relays that are left, and what is at one's own device."""
    world.settle()


def _sent(message):  # type: ignore[no-untyped-def]
    assert decode(type(message), encode(message)) == message
    return decode_message(encode(message))


def courier_between(world: World) -> tuple[Device, Device, Device]:
    """Alice and Carol, who never meet, and Bob, who knows both and carries."""
    alice, bob, carol = (world.person(name) for name in ("Alice", "Bob", "Carol"))
    world.friends(alice, bob)
    world.friends(bob, carol)
    world.friends(alice, carol)
    host_apart(world, alice, carol)
    use(alice)
    use(carol)
    carry(bob)
    return alice, bob, carol
