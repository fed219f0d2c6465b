"""Two relays: what the first host does not take goes by the second, once and in order; and what becomes of it later."""

from __future__ import annotations

import msgspec
import pytest

from roost.messaging import hosting, mailboxes, peers, requests, upkeep, ways
from roost.messaging.records import MailboxState, MessageState, Outbox, OwnCard, OwnMailbox, OwnRelay, PeerDevice
from roost.wire.addresses import DeviceHost, RelayAddress
from roost.wire.codec import decode
from roost.wire.identity import Card
from roost.wire.links import RelayLink
from tests.messaging.harness import RELAY, Device, World

SECOND = RelayLink(RelayAddress("second.example", 443, b"s" * 32))
FIRST_KEY, SECOND_KEY = RELAY.address.key, SECOND.address.key
DAY_MS = 86_400_000


@pytest.fixture
def world() -> World:
    return World()


@pytest.fixture
def friends(world: World) -> tuple[Device, Device]:
    """Alice, who has one relay, and Bob, who has two."""
    alice, bob = world.person("Alice"), world.person("Bob")
    add_relay(bob)
    world.friends(alice, bob)
    return alice, bob


def add_relay(device: Device) -> None:
    def add(work) -> None:  # type: ignore[no-untyped-def]
        work.put(OwnRelay(SECOND_KEY, SECOND, 2))
        peers.announce_all(work)

    device.do(add)
    device.world.settle()


def peer_of(device: Device, other: Device) -> PeerDevice:
    (peer,) = device.work().find(PeerDevice, where={"account": other.account})
    return peer


def boxes(device: Device, other: Device, state: MailboxState = MailboxState.ACTIVE) -> dict[bytes, OwnMailbox]:
    rows = device.work().find(OwnMailbox, where={"account": other.account})
    return {row.relay: row for row in rows if row.state == state}


def press(world: World) -> None:
    """Some minutes, in which everybody tries again."""
    for _ in range(12):
        world.wait(20_000)
        for device in world.devices:
            device.create_mailboxes()
            device.send()
            device.fetch()
    world.settle()


def test_each_contact_knows_a_second_address_at_the_other_host(world: World, friends: tuple[Device, Device]) -> None:
    alice, bob = friends
    peer = peer_of(alice, bob)
    assert peer.address is not None
    assert peer.fallback is not None
    assert (peer.address.relay, peer.fallback.relay) == (RELAY.address, SECOND.address)
    assert peer_of(bob, alice).fallback is None
    mine = boxes(bob, alice)
    assert {mine[FIRST_KEY].fallback, mine[SECOND_KEY].fallback} == {False, True}
    assert peer.fallback.put == mine[SECOND_KEY].put


def test_what_the_first_host_does_not_take_goes_by_the_second_once_and_in_order(
    world: World, friends: tuple[Device, Device]
) -> None:
    alice, bob = friends
    alice.say(bob.account, "0")
    world.settle()
    world.down = {FIRST_KEY}
    ids = [alice.say(bob.account, str(number)) for number in range(1, 6)]
    alice.send()
    assert {row.problem for row in alice.work().find(Outbox)} == {"unreachable"}
    press(world)
    assert bob.texts(alice.account) == [str(number) for number in range(6)]
    assert {alice.state(id) for id in ids} == {MessageState.SENT}  # his answer needs her only relay
    world.down = set()
    world.wait(11 * 60_000)
    press(world)
    assert {alice.state(id) for id in ids} == {MessageState.DELIVERED}
    assert not alice.work().find(Outbox)
    alice.say(bob.account, "6")
    world.settle()
    assert bob.texts(alice.account) == [str(number) for number in range(7)]
    assert bob.told.count(("message", "")) == 7


def test_what_came_by_both_hosts_is_there_once(world: World, friends: tuple[Device, Device]) -> None:
    """The first host took it, and its answer was lost."""
    alice, bob = friends
    alice.say(bob.account, "twice")
    first = boxes(bob, alice)[FIRST_KEY].put
    world.down = {FIRST_KEY}
    alice.send()
    (row,) = alice.work().find(Outbox)
    world.host.put(first, row.envelopes[0])
    press(world)
    world.down = set()
    press(world)
    assert bob.texts(alice.account) == ["twice"]
    assert bob.told.count(("message", "")) == 1


def test_both_answers_go_by_the_second_host_where_both_have_one(world: World, friends: tuple[Device, Device]) -> None:
    alice, bob = friends
    add_relay(alice)
    world.down = {FIRST_KEY}
    id = alice.say(bob.account, "hello")
    press(world)
    assert alice.state(id) == MessageState.DELIVERED
    bob.say(alice.account, "hello yourself")
    press(world)
    assert alice.texts(bob.account) == ["hello", "hello yourself"]
    assert not [row for device in friends for row in device.work().find(Outbox)]


def test_a_second_host_that_is_away_holds_nothing_up_and_is_told_of_once_it_is_there(world: World) -> None:
    alice, bob = world.person("Alice"), world.person("Bob")
    world.friends(alice, bob)
    world.down = {SECOND_KEY}
    add_relay(bob)
    assert not mailboxes.awaited(bob.work())
    assert peer_of(alice, bob).fallback is None
    bob.say(alice.account, "as ever")
    world.settle()
    assert alice.texts(bob.account) == ["as ever"]
    world.down = set()
    world.settle()
    assert peer_of(alice, bob).fallback is not None


def test_a_row_takes_turns_between_both_and_blobs_and_knocks_do_not(friends: tuple[Device, Device]) -> None:
    import msgspec

    alice, bob = friends
    alice.say(bob.account, "hello")
    work, peer = alice.work(), peer_of(alice, bob)
    (row,) = work.find(Outbox)

    def way(**changes: object) -> object:
        return ways.address_for(work, msgspec.structs.replace(row, **changes), peer)

    tried = [way(problem="unreachable", attempts=attempts) for attempts in range(8)]
    assert tried == [*[peer.address] * 3, *[peer.fallback, peer.address] * 2, peer.fallback]
    assert way(problem="", attempts=9) == peer.address
    assert way(problem="full", attempts=9, uploads=1) == peer.address
    assert way(problem="full", attempts=9, address=peer.address) == peer.address
    assert ways.address_for(work, row, None) is None


def test_fallbacks_are_replaced_weekly_too_and_the_old_ones_go(world: World, friends: tuple[Device, Device]) -> None:
    alice, bob = friends
    before = boxes(bob, alice)
    for _ in range(3):
        world.wait(8 * DAY_MS)
        world.tick_all()
        world.settle()
        alice.say(bob.account, "still here")
        world.settle()
    world.wait(38 * DAY_MS)
    for _ in range(3):
        world.tick_all()
        world.settle()
        alice.say(bob.account, "and now")
        world.settle()
    now = boxes(bob, alice)
    assert set(now) == {FIRST_KEY, SECOND_KEY}
    assert all(now[key].admin != before[key].admin for key in now)
    kept = bob.work().find(OwnMailbox, where={"account": alice.account})
    assert before[FIRST_KEY].admin not in {row.admin for row in kept}
    assert before[SECOND_KEY].admin not in {row.admin for row in kept}
    peer = peer_of(alice, bob)
    assert peer.fallback is not None
    assert peer.fallback.put == now[SECOND_KEY].put


def test_leaving_a_relay_takes_the_fallback_along(world: World, friends: tuple[Device, Device]) -> None:
    """Without a second relay there is none, whichever of the two is left."""
    alice, bob = friends

    def leave(work, key: bytes) -> None:  # type: ignore[no-untyped-def]
        mailboxes.leave_relay(work, work.need(OwnRelay, key))
        peers.announce_all(work)

    bob.do(leave, FIRST_KEY)
    world.settle()
    peer = peer_of(alice, bob)
    assert peer.address is not None
    assert (peer.address.relay, peer.fallback) == (SECOND.address, None)
    alice.say(bob.account, "where you are now")
    world.settle()
    assert bob.texts(alice.account) == ["where you are now"]
    for _ in range(3):
        world.wait(40 * DAY_MS)
        for _ in range(2):
            world.tick_all()
            alice.say(bob.account, "again")
            world.settle()
    assert not bob.work().find(OwnMailbox, where={"relay": FIRST_KEY})
    assert bob.work().get(OwnRelay, FIRST_KEY) is None


def test_blocking_closes_both_and_unblocking_opens_both(world: World, friends: tuple[Device, Device]) -> None:
    alice, bob = friends
    bob.do(requests.block, alice.account)
    bob.create_mailboxes()
    alice.say(bob.account, "no way")
    press(world)
    assert bob.texts(alice.account) == []
    assert {row.problem for row in alice.work().find(Outbox)} == {"denied"}
    bob.do(requests.unblock, alice.account)
    press(world)
    assert bob.texts(alice.account) == ["no way"]
    assert peer_of(alice, bob).fallback is not None


def test_a_card_says_nothing_of_a_fallback_that_this_version_cannot_read(friends: tuple[Device, Device]) -> None:
    import msgspec

    from roost.messaging import identity
    from roost.wire.codec import Extension
    from roost.wire.identity import CARD_FALLBACK

    alice, bob = friends
    card = decode(Card, bob.work().need(OwnCard, alice.account).card.card)
    assert len(identity.fallbacks_of(card)) == 1
    odd = msgspec.structs.replace(card, extensions=(Extension(CARD_FALLBACK, b"\x01later"),))
    assert identity.fallbacks_of(odd) == ()
    bob.do(upkeep.tick)
    assert bob.work().need(OwnCard, alice.account).card.card == bob.work().need(OwnCard, alice.account).card.card


HERE, HOME, ADDRESS, OTHER = "here", "home", "address", "other"
LINKS = {
    ADDRESS: RELAY,
    OTHER: SECOND,
    HOME: RelayLink(DeviceHost(b"h" * 32, b"m" * 16)),
    HERE: RelayLink(DeviceHost(b"d" * 32, bytes(16))),
}


def with_hosts(world: World, *names: str) -> Device:
    """Somebody who has these, in this order."""
    device = world.person("Alice")

    def take(work) -> None:  # type: ignore[no-untyped-def]
        for row in work.find(OwnRelay):
            work.delete(row)
        for rank, name in enumerate(names):
            if name == HERE:
                host = hosting.begin(work, ("lan",), rank)
                assert work.need(OwnRelay, hosting.key_of(host)).here
            else:
                work.put(OwnRelay(LINKS[name].address.key, LINKS[name], rank))

    device.do(take)
    return device


def name_of(row: OwnRelay | None) -> str | None:
    if row is None:
        return None
    return HERE if row.here else next(name for name, link in LINKS.items() if link == row.link)


@pytest.mark.parametrize(
    ("order", "second"),
    [
        ((ADDRESS,), None),
        ((ADDRESS, OTHER), OTHER),
        ((ADDRESS, OTHER, HERE), HERE),  # contacts without any relay reach this device alone
        ((ADDRESS, HOME, HERE), HOME),  # a relay at home that was taken brings carriers, and with them this device
        ((ADDRESS, HERE, HOME), HERE),  # who meets people with it goes on doing so
        ((HOME, HERE), HERE),
        ((HOME, HERE, ADDRESS), ADDRESS),  # contacts without carriers reach this one alone
        ((HERE, HOME), HOME),
        ((HERE, HOME, ADDRESS), ADDRESS),
    ],
)
def test_which_host_takes_what_the_first_does_not(world: World, order: tuple[str, ...], second: str | None) -> None:
    assert name_of(mailboxes.second_relay(with_hosts(world, *order).work())) == second


@pytest.mark.parametrize(
    ("had", "taken", "order"),
    [
        ((ADDRESS,), OTHER, (ADDRESS, OTHER)),
        ((ADDRESS,), HOME, (ADDRESS, HOME, HERE)),  # carriers come with it
        ((ADDRESS, HERE), HOME, (ADDRESS, HERE, HOME)),
        ((HERE,), HOME, (HOME, HERE)),  # it is always on
        ((HERE,), ADDRESS, (ADDRESS, HERE)),  # whoever gets an invitation reaches it
        ((HOME, HERE), ADDRESS, (ADDRESS, HOME, HERE)),
        ((ADDRESS, HOME, HERE), OTHER, (ADDRESS, OTHER, HOME, HERE)),
    ],
)
def test_where_a_relay_that_is_taken_comes_in(
    world: World, had: tuple[str, ...], taken: str, order: tuple[str, ...]
) -> None:
    device = with_hosts(world, *had)
    device.do(lambda work: hosting.use(work, LINKS[taken]))
    rows = sorted(device.work().find(OwnRelay), key=lambda row: row.rank)
    assert tuple(map(name_of, rows)) == order
    device.do(lambda work: hosting.use(work, LINKS[taken]))  # its link once more
    assert sorted(device.work().find(OwnRelay), key=lambda row: row.rank) == rows


def test_who_takes_a_better_first_host_is_not_told_of_one_host_twice(world: World) -> None:
    """A contact keeps the mailbox that it has until that is replaced; its second address is at another host."""
    alice, bob = world.person("Alice"), world.person("Bob")
    world.friends(alice, bob)
    bob.do(lambda work: hosting.use(work, SECOND))

    def second_first(work) -> None:  # type: ignore[no-untyped-def]
        work.put(msgspec.structs.replace(work.need(OwnRelay, SECOND_KEY), rank=0))
        peers.announce_all(work)

    bob.do(second_first)
    world.settle()
    peer = peer_of(alice, bob)
    assert peer.address is not None
    assert peer.fallback is not None
    assert {peer.address.relay, peer.fallback.relay} == {RELAY.address, SECOND.address}
