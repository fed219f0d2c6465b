"""People on an onion network: their addresses, the floor that holds everything to it, which network goes first."""

from __future__ import annotations

import msgspec
import pytest

from roost.crypto import capability_place
from roost.messaging import floors, hosting, mailboxes, peers, travel, ways
from roost.messaging.records import Contact, Message, Outbox, OwnMailbox, OwnRelay, PeerDevice, SharedLog, Travel
from roost.wire.addresses import DeviceHost, OnionHost, RelayAddress
from roost.wire.content import DeviceAnnouncement, Floor, Text, decode_content
from roost.wire.links import RelayLink, parse_invitation
from roost.wire.travel import Network, TravelChange
from tests.messaging.groups.group_world import GroupWorld, agree
from tests.messaging.harness import RELAY, Device, World

NETWORK = RelayLink(OnionHost(b"n" * 32, tuple(RelayAddress(f"{n}.example", 443, bytes([n]) * 32) for n in (1, 2))))
OTHER = RelayLink(RelayAddress("other.example", 443, b"o" * 32))


class Watched(World):
    """Remembers at which hosts envelopes were put."""

    def __init__(self) -> None:
        super().__init__()
        self.used: list[bytes] = []

    def transmit(self, capability: bytes, envelope: bytes) -> bool:
        boxes = [row for device in self.devices for row in device.work().find(OwnMailbox) if row.put == capability]
        self.used += [row.relay for row in boxes]
        return super().transmit(capability, envelope)


@pytest.fixture
def world() -> Watched:
    return Watched()


def both(world: World, *names: str) -> list[Device]:
    """People with a relay and, beside it, the network; the first knows the others."""
    people = [world.person(name) for name in names]
    for person in people:
        person.do(hosting.use, NETWORK)
    for other in people[1:]:
        world.friends(people[0], other)
    return people


def texts(device: Device, conversation: bytes) -> list[str]:
    return [row.text for row in device.work().find(Message, where={"conversation": conversation}, order="position")]


def test_two_who_have_nothing_else(world: Watched) -> None:
    alice, bob = world.person("Alice", NETWORK), world.person("Bob", NETWORK)
    link = alice.invite()
    assert parse_invitation(link).relay == NETWORK.address
    assert len(link) < 300  # a QR code that fits a terminal
    world.friends(alice, bob)
    alice.say(bob.account, "hello")
    world.settle()
    bob.say(alice.account, "hi")
    world.settle()
    assert texts(alice, bob.account) == texts(bob, alice.account) == ["hello", "hi"]
    assert set(world.used) == {NETWORK.address.key}
    (came,) = [row for row in bob.work().find(Message) if row.author == alice.account]
    assert came.network == "onion"
    (peer,) = alice.work().find(PeerDevice, where={"account": bob.account})
    assert peer.address is not None
    # It is an own host of both, and still nobody on the way sees both ends.
    assert travel.network_to(alice.work(), peer.address.relay) == Network.ONION
    assert floors.network_to(alice.work(), peer.address) == Floor.ONION


def test_every_capability_of_a_mailbox_is_at_its_place_and_places_differ(world: Watched) -> None:
    (alice, *_) = both(world, "Alice", "Bob", "Carol")
    rows = alice.work().find(OwnMailbox)
    places = [{capability_place(right) for right in (row.admin, row.get, row.put)} for row in rows]
    assert all(len(place) == 1 for place in places)
    assert len(set.union(*places)) == len(rows) > 3


def test_a_group_of_people_on_a_network() -> None:
    world = GroupWorld()
    people = [world.person(name, NETWORK) for name in ("Alice", "Bob", "Carol")]
    for person in people[1:]:
        world.friends(people[0], person)
    from roost.messaging.groups import actions

    id = people[0].do(actions.create, "Choir", [person.account for person in people[1:]])
    world.settle()
    people[1].say(id, "la")
    world.settle()
    agree(id, *people)
    assert all(person.texts(id) == ["la"] for person in people)
    assert {row.relay for person in people for row in person.work().find(SharedLog)} == {NETWORK.address}


def test_a_floor_of_onion_lets_nothing_take_another_way(world: Watched) -> None:
    """Messages, acknowledgements, the floor itself and new cards too: there is a way that is allowed."""
    alice, bob = both(world, "Alice", "Bob")
    (peer,) = alice.work().find(PeerDevice, where={"account": bob.account})
    assert [address.relay for address in peer.addresses] == [RELAY.address, NETWORK.address]
    alice.do(floors.set_floor, bob.account, Floor.ONION)
    world.settle()
    assert bob.work().need(Contact, alice.account).their_floor == Floor.ONION
    world.used.clear()
    alice.say(bob.account, "hidden")
    bob.say(alice.account, "hidden too")
    world.settle()
    assert set(texts(bob, alice.account)) == set(texts(alice, bob.account)) == {"hidden", "hidden too"}
    for _ in range(8):  # cards are renewed, mailboxes replaced
        world.wait(86_400_000)
        world.tick_all()
        world.settle()
    alice.say(bob.account, "later")
    world.settle()
    assert texts(bob, alice.account)[-1] == "later"
    assert set(world.used) == {NETWORK.address.key}


def test_what_waits_for_the_network_takes_no_other_way(world: Watched) -> None:
    alice, bob = both(world, "Alice", "Bob")
    alice.do(floors.set_floor, bob.account, Floor.ONION)
    world.settle()
    world.used.clear()
    world.down = {NETWORK.address.key}
    alice.say(bob.account, "waits")
    for _ in range(12):
        world.wait(60_000)
        for device in world.devices:
            device.send()
            device.fetch()
    assert "waits" not in texts(bob, alice.account)
    assert RELAY.address.key not in world.used
    world.down = set()
    world.wait(3_600_000)
    world.settle()
    assert texts(bob, alice.account) == ["waits"]


def test_files_and_cards_keep_to_the_floor_however_often_they_failed(world: Watched) -> None:
    """Also one whose blobs lie at the relay already: they are stored anew where they may be."""
    alice, bob = both(world, "Alice", "Bob")
    alice.do(floors.set_floor, bob.account, Floor.ONION)
    world.settle()
    world.down = {NETWORK.address.key}
    alice.say(bob.account, "with a file")
    alice.do(peers.announce_anew, bob.account)
    alice.send()
    work = alice.work()
    (peer,) = work.find(PeerDevice, where={"account": bob.account})
    rows = work.find(Outbox, where={"account": bob.account})
    assert {type(decode_content(row.content)) for row in rows} == {Text, DeviceAnnouncement}
    for row in rows:
        for attempts in range(8):
            tried = msgspec.structs.replace(
                row, uploads=1, blobs_at=RELAY.address.key, attempts=attempts, problem="unreachable"
            )
            assert ways.address_for(work, tried, peer) == peer.fallback
        assert not floors.may_take(work, row, peer.address)
        assert floors.may_leave(work, row, peer)
        alone = msgspec.structs.replace(peer, address=peer.address, fallback=None)
        assert floors.allows(work, alone) is False  # nothing that is said is sealed, let alone uploaded
    assert ways.best_first(work, peer) == [peer.fallback]  # of acknowledgements, too
    (card,) = [row for row in rows if isinstance(decode_content(row.content), DeviceAnnouncement)]
    probe = msgspec.structs.replace(card, address=peer.address, probe=True)  # where a silent device read before
    assert not floors.may_leave(work, probe, peer)


def test_a_preferred_network_goes_first_and_others_take_what_it_does_not(world: Watched) -> None:
    alice, bob = both(world, "Alice", "Bob")
    world.used.clear()
    alice.say(bob.account, "by the relay")
    world.settle()
    assert set(world.used) == {RELAY.address.key}
    alice.do(travel.choose, bob.account, prefers=Network.ONION)
    world.used.clear()
    alice.say(bob.account, "by the network")
    alice.send()
    assert set(world.used) == {NETWORK.address.key}
    world.settle()
    assert world.used.count(RELAY.address.key) > 0  # Bob prefers nothing: his acknowledgement goes as before
    world.down = {NETWORK.address.key}
    alice.say(bob.account, "all the same")
    for _ in range(12):
        world.wait(20_000)
        for device in world.devices:
            device.send()
            device.fetch()
    assert texts(bob, alice.account)[-1] == "all the same"
    world.down = set()
    alice.do(travel.choose, bob.account, prefers=Network.ANY)
    (peer,) = alice.work().find(PeerDevice, where={"account": bob.account})
    assert ways.best_first(alice.work(), peer)[0].relay == RELAY.address


def test_the_floor_is_stronger_than_a_preference(world: Watched) -> None:
    alice, bob = both(world, "Alice", "Bob")
    alice.do(travel.choose, bob.account, prefers=Network.CENTRAL)
    alice.do(floors.set_floor, bob.account, Floor.ONION)
    world.settle()
    world.used.clear()
    alice.say(bob.account, "still hidden")
    world.settle()
    assert texts(bob, alice.account) == ["still hidden"]
    assert set(world.used) == {NETWORK.address.key}


def test_other_devices_learn_how_conversations_travel(world: Watched) -> None:
    alice, bob = both(world, "Alice", "Bob")
    phone = world.second_device(alice, "phone")
    world.settle()
    alice.do(travel.choose, bob.account, prefers=Network.ONION, mixed=True)
    alice.do(travel.choose, b"g" * 32, mixed=True)  # a group or channel, by its id
    world.settle()
    assert phone.work().get(Travel, bob.account) == alice.work().get(Travel, bob.account)
    assert travel.chosen(phone.work(), b"g" * 32).mixed
    assert bob.work().find(Travel) == []  # nobody else is told
    tablet = world.second_device(alice, "tablet", NETWORK)
    world.settle()
    assert travel.chosen(tablet.work(), bob.account).prefers == Network.ONION
    phone.do(travel.choose, bob.account, mixed=False)
    world.settle()
    for device in (alice, tablet):
        held = travel.chosen(device.work(), bob.account)
        assert (held.prefers, held.mixed) == (Network.ONION, False)
        device.do(travel.told, TravelChange(bob.account, Network.DIRECT, True, 1))  # what is older changes nothing
        assert travel.chosen(device.work(), bob.account) == held


def test_one_on_a_relay_and_one_on_a_network(world: Watched) -> None:
    """Either writes where the other is; what the relay hosts is federated for whoever reaches it by a network."""
    alice, bob = world.person("Alice"), world.person("Bob", NETWORK)
    world.friends(alice, bob)
    alice.say(bob.account, "to the network")
    world.settle()
    bob.say(alice.account, "to the relay")
    world.settle()
    assert texts(alice, bob.account) == texts(bob, alice.account) == ["to the network", "to the relay"]
    (theirs,) = bob.work().find(PeerDevice, where={"account": alice.account})
    assert theirs.address is not None
    assert travel.network_to(bob.work(), theirs.address.relay) == Network.FEDERATED
    assert floors.network_to(bob.work(), theirs.address) == Floor.FEDERATED


def test_a_network_that_is_not_mine_meets_no_floor_and_is_tried_last(world: Watched) -> None:
    """Whoever named it may have made it up, with all its nodes."""
    alice, bob = world.person("Alice"), world.person("Bob")
    bob.do(hosting.use, NETWORK)
    world.friends(alice, bob)
    (peer,) = alice.work().find(PeerDevice, where={"account": bob.account})
    by_network = peer.fallback
    assert by_network is not None
    assert by_network.relay == NETWORK.address
    assert floors.network_to(alice.work(), by_network) == Floor.FEDERATED
    turned = msgspec.structs.replace(peer, address=peer.fallback, fallback=peer.address)
    assert ways.best_first(alice.work(), turned)[-1] == by_network
    alice.do(travel.choose, bob.account, prefers=Network.ONION)
    assert ways.best_first(alice.work(), turned)[0] == by_network  # unless the person says so
    alice.do(hosting.use, NETWORK)
    assert floors.network_to(alice.work(), by_network) == Floor.ONION


def test_a_network_comes_second_beside_a_relay_and_takes_its_place_when_that_is_left(world: Watched) -> None:
    alice = world.person("Alice")
    alice.do(hosting.use, OTHER)
    alice.do(hosting.use, NETWORK)
    work = alice.work()
    assert mailboxes.primary_relay(work).link == RELAY
    second = mailboxes.second_relay(work)
    assert second is not None
    assert second.link == NETWORK  # of another kind than the first, though a relay has a lower rank
    alice.do(mailboxes.leave_relay, work.need(OwnRelay, RELAY.address.key))
    alice.do(mailboxes.leave_relay, alice.work().need(OwnRelay, OTHER.address.key))
    assert mailboxes.primary_relay(alice.work()).link == NETWORK


def test_hosts_of_all_three_kinds_have_an_address_each(world: Watched) -> None:
    alice, bob = world.person("Alice"), world.person("Bob")
    world.friends(alice, bob)
    alice.do(hosting.turn, "lan", True)
    world.settle()
    alice.do(hosting.use, NETWORK)
    world.settle()
    (peer,) = bob.work().find(PeerDevice, where={"account": alice.account})
    assert [type(address.relay) for address in peer.addresses] == [RelayAddress, OnionHost, DeviceHost]
    there = {Network.CENTRAL: RELAY.address.key, Network.ONION: NETWORK.address.key}
    for network, key in there.items():
        bob.do(travel.choose, alice.account, prefers=network)
        world.used.clear()
        bob.say(alice.account, network.name)
        bob.send()
        assert world.used == [key]
        world.settle()
    assert texts(alice, bob.account) == ["CENTRAL", "ONION"]
    for _ in range(9):  # each is replaced in its turn
        world.wait(86_400_000)
        world.tick_all()
        world.settle()
    (later,) = bob.work().find(PeerDevice, where={"account": alice.account})
    assert [type(address.relay) for address in later.addresses] == [RelayAddress, OnionHost, DeviceHost]
    assert not {address.put for address in later.addresses} & {address.put for address in peer.addresses}
    alice.do(mailboxes.leave_relay, alice.work().need(OwnRelay, NETWORK.address.key))
    alice.do(peers.announce_all)
    world.settle()
    (left,) = bob.work().find(PeerDevice, where={"account": alice.account})
    assert [type(address.relay) for address in left.addresses] == [RelayAddress, DeviceHost]


def test_of_a_network_with_long_names_one_place_is_told(world: Watched) -> None:
    places = tuple(RelayAddress(f"{name * 60}.{name * 50}", 443, bytes([n]) * 32) for n, name in ((1, "a"), (2, "b")))
    long = OnionHost(b"l" * 32, (places[0], msgspec.structs.replace(places[1], host="short.example")))
    alice = world.person("Alice", RelayLink(OnionHost(b"l" * 32, places)))
    assert parse_invitation(alice.invite()).relay == OnionHost(b"l" * 32, places[:1])
    bob = world.person("Bob", RelayLink(long))
    assert parse_invitation(bob.invite()).relay == OnionHost(long.key, long.at[1:])  # the shorter one
