"""How entries are cut: the largest knock is one envelope, and acknowledgements ride where there is room."""

from __future__ import annotations

import msgspec
import pytest

from roost.messaging import accounts, identity, invitations, outbox
from roost.messaging.groups import links
from roost.messaging.records import Outbox, OutboxState
from roost.wire import sizes
from roost.wire.addresses import OnionHost, RelayAddress
from roost.wire.codec import encode
from roost.wire.content import About, ContactRequest, Entry, Text, decode_content, encode_content
from roost.wire.groups import MAX_KNOCK_GREETING, GroupKnock
from roost.wire.identity import DeviceEntry
from roost.wire.links import RelayLink, parse_invitation
from tests.messaging.groups.group_world import GroupDevice, GroupWorld
from tests.messaging.harness import Device, World

FAR = RelayLink(RelayAddress(f"{'h' * 63}.{'h' * 63}.h"[: sizes.MAX_HOST].rstrip("."), 65_535, b"r" * 32))


def with_eight_devices(device: Device) -> None:
    work = device.work()
    me = work.me
    more = tuple(DeviceEntry(bytes([n]) * 32, bytes([n + 100]) * 32, 2**40) for n in range(1, sizes.MAX_DEVICES))
    devices = identity.succeed(me.devices, (*identity.entries(me.devices), *more), accounts.account_key(me, None))
    work.put(msgspec.structs.replace(me, devices=devices, about=About("n" * sizes.MAX_NAME)))
    device.commit(work)


FINGERPRINT = b"f" * 32


def _network(*places: RelayAddress) -> RelayLink:
    return RelayLink(OnionHost(b"k" * 32, places))


def _far(key: bytes, fingerprint: bytes = b"") -> RelayAddress:
    assert isinstance(FAR.address, RelayAddress)
    return msgspec.structs.replace(FAR.address, key=key * 32, tls_fingerprint=fingerprint)


@pytest.mark.parametrize(
    "home",
    [
        FAR,
        RelayLink(_far(b"r", FINGERPRINT)),
        _network(_far(b"1", FINGERPRINT)),
        _network(_far(b"1", FINGERPRINT), _far(b"2", FINGERPRINT)),
        _network(*(RelayAddress("a" * 50 + ".example", 65_535, key * 32) for key in (b"1", b"2"))),
    ],
)
def test_the_largest_knock_is_one_envelope(home: RelayLink) -> None:
    world = World()
    alice = world.person("Alice")
    bob = Device(world, "Bob")
    bob.do(accounts.create, "Bob", home, "b", None)
    world.devices.append(bob)
    with_eight_devices(bob)
    bob.add(alice.invite(), "g" * sizes.MAX_GREETING)
    bob.create_mailboxes()
    bob.send()
    (row,) = bob.work().find(Outbox, where={"state": int(OutboxState.STORED)})
    assert isinstance(decode_content(row.content), ContactRequest)
    assert len(row.envelopes) == 1
    world.settle()
    assert [request.greeting for request in alice.pending()] == ["g" * sizes.MAX_GREETING]


def test_acknowledgements_ride_where_there_is_room_and_else_go_alone() -> None:
    """Entries of every size around one and two envelopes, each answered while an acknowledgement is due."""
    world = World()
    alice, bob = world.person("Alice"), world.person("Bob")
    world.friends(alice, bob)
    overhead = len(encode(Entry(bytes(16), world.now, 1, encode_content(Text("x" * 2_000))))) - 2_000
    for size in (1, *range(1_600, 1_680, 7), 1_670 - overhead, 1_671 - overhead, 3_340 - overhead, 3_341 - overhead):
        alice.say(bob.account, "ping")
        alice.send()
        bob.fetch()
        bob.say(alice.account, "x" * size)
        world.settle()
        assert alice.texts(bob.account)[-1] == "x" * size
    assert not alice.work().find(outbox.Outbox)
    assert not bob.work().find(outbox.Outbox)


def test_the_largest_knock_at_a_groups_link_is_one_envelope() -> None:
    world = GroupWorld()
    id, (alice,) = world.grouped("Alice")
    link = parse_invitation(alice.do(links.make, id).link)
    world.settle()
    bob = GroupDevice(world, "Bob")
    bob.do(accounts.create, "Bob", FAR, "b", None)
    world.devices.append(bob)
    with_eight_devices(bob)
    work = bob.work()
    card = invitations.open_invitation(work, link, world.host.cards[link.secret])
    links.join(work, card, "g" * MAX_KNOCK_GREETING)
    bob.commit(work)
    bob.create_mailboxes()
    bob.send()
    (row,) = bob.work().find(Outbox, where={"state": int(OutboxState.STORED)})
    assert isinstance(decode_content(row.content), GroupKnock)
    assert len(row.envelopes) == 1
    world.settle()
    assert [request.greeting for request in links.requests(alice.work(), id)] == ["g" * MAX_KNOCK_GREETING]
