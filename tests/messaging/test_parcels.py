"""Couriers and files: two people whose devices never meet talk all the same, and nobody in between learns what."""

from __future__ import annotations

from dataclasses import replace
from itertools import pairwise

import msgspec
import pytest

from roost.errors import CallerError
from roost.messaging import floors, outbox, parcels, requests, sealing, upkeep
from roost.messaging.origin import Origin
from roost.messaging.parcels import Drop
from roost.messaging.records import (
    CourierDevice,
    CourierSettings,
    MessageState,
    Outbox,
    OutboxState,
    PeerDevice,
    Seen,
)
from roost.messaging.said import NotAllowed
from roost.wire.content import Floor
from roost.wire.parcels import Parcel, WantParcels
from tests.messaging.harness import Device, World
from tests.messaging.parcel_world import (
    DAY_MS,
    FILE,
    carried,
    carry,
    courier_between,
    export,
    hand_over,
    host_apart,
    meet,
    read,
    settle,
    take_in,
    use,
)

HOUR_MS = 3_600_000


@pytest.fixture
def world() -> World:
    return World()


@pytest.fixture
def people(world: World) -> tuple[Device, Device, Device]:
    return courier_between(world)


def ready(world: World) -> None:
    """Enough time for the direct way to fail."""
    settle(world)
    world.wait(120_000)
    settle(world)


def waiting_for(device: Device, other: Device) -> list[Outbox]:
    return device.work().find(Outbox, where={"account": other.account})


def test_those_who_never_meet_talk_by_who_walks_between(world: World, people: tuple[Device, Device, Device]) -> None:
    alice, bob, carol = people
    id = alice.say(carol.account, "are you there?")
    ready(world)
    assert carol.texts(alice.account) == []
    assert alice.state(id) == MessageState.QUEUED
    hand_over(alice, bob)
    assert carried(bob)
    hand_over(bob, carol)
    settle(world)
    assert carol.texts(alice.account) == ["are you there?"]
    assert not carried(bob)  # carol took it as hers
    assert waiting_for(alice, carol)
    carol.say(alice.account, "yes")
    ready(world)
    meet(carol, bob)
    meet(bob, alice)
    assert alice.texts(carol.account) == ["are you there?", "yes"]
    assert alice.state(id) == MessageState.DELIVERED
    assert not waiting_for(alice, carol)


def test_an_acknowledgement_alone_comes_back_too(world: World, people: tuple[Device, Device, Device]) -> None:
    alice, bob, carol = people
    id = alice.say(carol.account, "hello")
    ready(world)
    meet(alice, bob)
    meet(bob, carol)
    world.wait(3 * HOUR_MS)  # carol's own attempts to answer are long over
    settle(world)
    assert alice.state(id) == MessageState.QUEUED
    meet(carol, bob)
    meet(bob, alice)
    assert alice.state(id) == MessageState.DELIVERED
    assert not waiting_for(alice, carol)
    for _ in range(5):  # it is not said again and again, and acknowledgements are not acknowledged
        world.wait(DAY_MS)
        for first, second in ((carol, bob), (alice, bob)):
            assert [one for one in meet(first, second) if one.offered] == []


def test_what_is_given_twice_and_by_many_ways_arrives_once(world: World, people: tuple[Device, Device, Device]) -> None:
    alice, bob, carol = people
    dave = world.person("Dave")
    world.friends(alice, dave)
    world.friends(dave, carol)
    carry(dave)
    texts = [f"number {number}" for number in range(12)]
    for text in texts:
        alice.say(carol.account, text)
    ready(world)
    meet(alice, bob)
    meet(alice, dave)
    file = read(export(alice))
    meet(dave, carol)
    take_in(carol, FILE, file)
    settle(world)
    taken = take_in(carol, FILE, file)
    assert {why for _, why in taken.dropped} == {Drop.DUPLICATE}
    meet(bob, carol)
    world.wait(2 * DAY_MS)
    meet(alice, bob)
    meet(bob, carol)
    assert carol.texts(alice.account) == texts
    take_in(alice, FILE, read(export(carol)))
    settle(world)
    assert not waiting_for(alice, carol)


def test_a_long_message_travels_in_its_parts(world: World, people: tuple[Device, Device, Device]) -> None:
    alice, bob, carol = people
    long = ("word " * 3_000).strip()
    alice.say(carol.account, long)
    ready(world)
    first, _ = meet(alice, bob)
    assert len(first.parcels) > 5
    meet(bob, carol)
    assert carol.texts(alice.account) == [long]


def test_the_same_courier_is_given_the_same_again_after_a_day_only(
    world: World, people: tuple[Device, Device, Device]
) -> None:
    alice, bob, carol = people
    alice.say(carol.account, "once")
    ready(world)
    assert len(hand_over(alice, bob).parcels) == 1
    (row,) = waiting_for(alice, carol)
    world.wait(60_000)
    assert hand_over(alice, bob).offered == []
    (after,) = waiting_for(alice, carol)
    assert after == row  # giving it away changed nothing of it
    world.wait(DAY_MS)
    again = hand_over(alice, bob)
    assert len(again.parcels) == 1
    assert len(carried(bob)) == 2  # nobody can see that it is the same
    meet(bob, carol)
    assert carol.texts(alice.account) == ["once"]


def test_a_link_that_breaks_loses_nothing_and_marks_nothing(
    world: World, people: tuple[Device, Device, Device]
) -> None:
    alice, bob, carol = people
    for number in range(5):
        alice.say(carol.account, f"{number}")
    ready(world)
    assert len(hand_over(alice, bob, lost=3).parcels) == 2
    assert len(hand_over(alice, bob).parcels) == 3
    hand_over(bob, carol, lost=4)
    assert len(carried(bob)) == 4
    meet(bob, carol)
    settle(world)
    assert carol.texts(alice.account) == ["0", "1", "2", "3", "4"]


def test_the_direct_way_comes_first(world: World, people: tuple[Device, Device, Device]) -> None:
    alice, bob, carol = people
    alice.say(carol.account, "just now")
    (peer,) = alice.work().find(PeerDevice, where={"account": carol.account})
    alice.do(sealing.seal_waiting, peer)
    assert [row.state for row in waiting_for(alice, carol)] == [OutboxState.SEALED]
    assert hand_over(alice, bob).offered == []
    ready(world)
    assert len(hand_over(alice, bob).offered) == 1


def test_what_lies_at_a_host_is_carried_when_nobody_answers(
    world: World, people: tuple[Device, Device, Device]
) -> None:
    alice, bob, carol = people
    alice.say(carol.account, "hello?")
    ready(world)
    (row,) = waiting_for(alice, carol)
    alice.do(outbox.stored, row.number)
    assert hand_over(alice, bob).offered == []
    world.wait(2 * HOUR_MS)
    assert len(hand_over(alice, bob).offered) == 1


def test_an_acknowledgement_is_not_sealed_for_every_link_that_breaks(
    world: World, people: tuple[Device, Device, Device]
) -> None:
    """Each takes a key of the session's."""
    alice, bob, carol = people
    alice.say(carol.account, "hello")
    ready(world)
    hand_over(alice, bob)
    hand_over(bob, carol)
    settle(world)
    assert len(hand_over(carol, bob, lost=1).offered) == 1
    for _ in range(3):
        world.wait(600_000)
        assert hand_over(carol, bob, lost=1).offered == []
    world.wait(HOUR_MS)
    assert len(hand_over(carol, bob).taken.kept) == 1


# --- who is a courier ------------------------------------------------------------------------------------------------


def test_nothing_is_given_to_who_did_not_say_that_they_carry(world: World) -> None:
    alice, bob, carol = (world.person(name) for name in ("Alice", "Bob", "Carol"))
    world.friends(alice, bob)
    world.friends(alice, carol)
    host_apart(world, alice, carol)
    use(alice)
    alice.say(carol.account, "private")
    ready(world)
    assert hand_over(alice, bob).offered == []
    carry(bob)
    assert len(hand_over(alice, bob).offered) == 1
    bob.do(parcels.change_settings, CourierSettings(carries=False))
    settle(world)
    assert carried(bob) == []
    world.wait(2 * DAY_MS)
    settle(world)
    assert hand_over(alice, bob).offered == []


def test_nothing_is_given_away_unless_the_person_lets_it(world: World, people: tuple[Device, Device, Device]) -> None:
    alice, bob, carol = people
    alice.do(parcels.change_settings, CourierSettings())
    alice.say(carol.account, "only myself")
    ready(world)
    assert hand_over(alice, bob).offered == []
    alice.do(parcels.change_settings, CourierSettings(carries=True))  # who carries also gives, unless told not to
    assert len(hand_over(alice, bob).offered) == 1
    alice.do(parcels.change_settings, CourierSettings(carries=True, uses=False))
    world.wait(2 * DAY_MS)
    assert hand_over(alice, bob).offered == []


def test_a_device_that_a_contact_gets_later_hears_it_too(world: World, people: tuple[Device, Device, Device]) -> None:
    alice, bob, _ = people
    phone = world.second_device(alice, "Alice's phone")
    settle(world)
    bob.do(upkeep.tick)
    settle(world)
    assert [row.carries for row in phone.work().find(CourierDevice, where={"account": bob.account})] == [True]


def test_who_carries_says_so_again_now_and_then(world: World, people: tuple[Device, Device, Device]) -> None:
    alice, bob, _ = people
    for row in alice.work().find(CourierDevice):
        alice.do(lambda work, row=row: work.delete(row))  # as after an older copy
    bob.do(parcels.tell)
    settle(world)
    assert parcels.carriers(alice.work()) == set()
    world.wait(8 * DAY_MS)
    bob.do(parcels.tell)
    settle(world)
    assert parcels.carriers(alice.work()) == {bob.account}


def test_a_device_says_of_itself_alone_that_it_carries(world: World, people: tuple[Device, Device, Device]) -> None:
    alice, bob, carol = people
    (peer,) = alice.work().find(PeerDevice, where={"account": carol.account})
    origin = Origin(carol.account, peer.device, peer.identity, b"", b"", 1)
    with pytest.raises(NotAllowed):
        parcels.heard(alice.work(), origin, bob.account, carries=True)
    with pytest.raises(NotAllowed):
        parcels.heard(alice.work(), replace(origin, device=bytes(32)), carol.account, carries=True)


def test_a_contact_who_is_removed_is_carried_for_no_more(world: World, people: tuple[Device, Device, Device]) -> None:
    alice, bob, carol = people
    alice.say(carol.account, "hello")
    ready(world)
    meet(alice, bob)
    assert carried(bob)
    bob.do(requests.block, alice.account)
    bob.do(upkeep.tick)
    assert not carried(bob)
    assert hand_over(bob, alice).offered == []


def test_what_strangers_hand_over_is_not_carried(world: World, people: tuple[Device, Device, Device]) -> None:
    alice, bob, carol = people
    alice.say(carol.account, "hello")
    ready(world)
    taken = take_in(bob, b"\x07" * 32, read(export(alice)))
    assert [why for _, why in taken.dropped] == [Drop.STRANGER]
    assert not carried(bob)
    assert take_in(carol, b"\x07" * 32, read(export(alice))).mine  # but whoever brings me mine is welcome


def test_a_floor_that_holds_a_message_holds_its_parcels(world: World, people: tuple[Device, Device, Device]) -> None:
    alice, bob, carol = people
    alice.say(carol.account, "sealed while it could")
    ready(world)
    alice.do(floors.set_floor, carol.account, Floor.ONION)
    settle(world)
    assert waiting_for(alice, carol)
    offered = hand_over(alice, bob).offered
    assert len(offered) == 1  # the new floor itself, and nothing that was said
    (peer,) = alice.work().find(PeerDevice, where={"account": carol.account})
    assert peer.address is not None
    # Over Tor it may go, by a courier not; and as there is a way, the floor itself takes no other.
    onion = msgspec.structs.replace(peer.address.relay, onion=bytes(32))
    alice.do(
        lambda work: work.put(msgspec.structs.replace(peer, address=msgspec.structs.replace(peer.address, relay=onion)))
    )
    world.wait(2 * DAY_MS)
    settle(world)
    assert hand_over(alice, bob).offered == []


def test_settings_have_bounds(world: World) -> None:
    alice = world.person("Alice")
    for wrong in ({"hops": 0}, {"hops": 9}, {"days": 0}, {"days": 31}, {"total": 1}, {"share": 0}, {"daily": 0}):
        with pytest.raises(CallerError, match="For couriers"):
            alice.do(parcels.change_settings, CourierSettings(**wrong))  # type: ignore[arg-type]


# --- limits ----------------------------------------------------------------------------------------------------------


def chain(world: World, *, hops: int) -> list[Device]:
    """Alice, four couriers in a row, and Zoe."""
    row = [world.person(name) for name in ("Alice", "B", "C", "D", "E", "Zoe")]
    for first, second in pairwise(row):
        world.friends(first, second)
    world.friends(row[0], row[-1])
    host_apart(world, row[0], row[-1])
    for courier in row[1:-1]:
        carry(courier, hops=8)
    use(row[0], hops=hops)
    row[0].say(row[-1].account, "through many hands")
    ready(world)
    return row


def walk(row: list[Device]) -> None:
    for first, second in pairwise(row):
        hand_over(first, second)
    settle(row[0].world)


@pytest.mark.parametrize(("hops", "arrives"), [(4, True), (3, False)])
def test_a_parcel_passes_as_many_couriers_as_its_sender_lets_it(world: World, hops: int, arrives: bool) -> None:
    row = chain(world, hops=hops)
    walk(row)
    assert row[-1].texts(row[0].account) == (["through many hands"] if arrives else [])


def test_a_courier_believes_no_more_hops_than_it_lets(world: World) -> None:
    row = chain(world, hops=8)
    row[1].do(parcels.change_settings, CourierSettings(carries=True, hops=1))
    walk(row)
    assert [held.hops for held in carried(row[1])] == [0]
    assert not carried(row[2])


def test_nobody_has_more_hops_by_asking_for_them(world: World) -> None:
    row = chain(world, hops=1)
    hand_over(row[0], row[1])
    (held,) = carried(row[1])
    assert held.hops == 0
    offered = row[1].do(parcels.offer, row[2].account)
    assert [one.head.id for one in offered] == [held.id]  # it may be hers
    asked = WantParcels((), (held.id,))
    assert row[1].do(parcels.answered, row[2].account, offered, asked) == []
    handed = parcels.parcel_of(row[1].work(), offered[0])
    assert handed is not None
    assert [why for _, why in take_in(row[2], row[1].account, [handed]).dropped] == [Drop.NO_HOPS]


def test_nothing_is_given_back_to_whom_it_came_from(world: World, people: tuple[Device, Device, Device]) -> None:
    alice, bob, carol = people
    alice.say(carol.account, "not for yourself")
    ready(world)
    hand_over(alice, bob)
    assert carried(bob)
    assert bob.do(parcels.offer, alice.account) == []


def test_room_is_free_again_when_a_parcel_has_gone(world: World, people: tuple[Device, Device, Device]) -> None:
    alice, bob, carol = people
    carry(bob, total=2**20, share=1)
    for round in range(4):
        alice.say(carol.account, f"{round}")
        alice.say(carol.account, f"{round}, again")
        ready(world)
        assert len(hand_over(alice, bob).taken.kept) == 2
        hand_over(bob, carol)
        world.wait(7 * HOUR_MS)
        settle(world)
        take_in(alice, FILE, read(export(carol)))
        settle(world)
    take_in(bob, alice.account, junk(2, world.now // DAY_MS))
    assert len(carried(bob)) == 2
    world.wait(DAY_MS)
    bob.do(parcels.tick)
    assert len(take_in(bob, alice.account, junk(3, world.now // DAY_MS, first=50)).kept) == 2


def test_age_ends_what_is_carried(world: World, people: tuple[Device, Device, Device]) -> None:
    alice, bob, carol = people
    use(alice, days=30)
    alice.say(carol.account, "slowly")
    ready(world)
    hand_over(alice, bob)
    (held,) = carried(bob)
    assert held.expires == world.now // DAY_MS + 7  # bob's own limit
    world.wait(8 * DAY_MS)
    assert hand_over(bob, carol).offered == []
    bob.do(parcels.tick)
    assert not carried(bob)
    use(alice, days=1)
    file = read(export(alice))
    world.wait(2 * DAY_MS)
    assert {why for _, why in take_in(carol, FILE, file).dropped} == {Drop.EXPIRED}
    assert {why for _, why in take_in(bob, FILE, file).dropped} == {Drop.EXPIRED}


def junk(count: int, day: int, *, first: int = 0) -> list[Parcel]:
    """What nobody can tell from parcels."""
    return [Parcel(2, day, (first + number).to_bytes(4, "big") * 1_280) for number in range(count)]


def test_one_contact_fills_its_share_alone(world: World, people: tuple[Device, Device, Device]) -> None:
    alice, bob, carol = people
    carry(bob, total=2**20, share=10)
    day = world.now // DAY_MS + 3
    taken = take_in(bob, alice.account, junk(30, day))
    assert len(taken.kept) == 2**20 // 10 // 5_120
    assert {why for _, why in taken.dropped} == {Drop.SHARE}
    assert len(take_in(bob, carol.account, junk(5, day, first=1_000)).kept) == 5


def test_all_contacts_together_fill_no_more_than_the_whole(world: World, people: tuple[Device, Device, Device]) -> None:
    alice, bob, carol = people
    carry(bob, total=2**20, share=60)
    day = world.now // DAY_MS + 3
    take_in(bob, alice.account, junk(200, day))
    taken = take_in(bob, carol.account, junk(200, day, first=1_000))
    assert {why for _, why in taken.dropped} == {Drop.FULL}
    assert sum(held.size for held in carried(bob)) <= 2**20


def test_one_contact_hands_over_only_so_much_in_a_day(world: World, people: tuple[Device, Device, Device]) -> None:
    alice, bob, _ = people
    carry(bob, daily=2**18)
    day = world.now // DAY_MS + 6
    taken = take_in(bob, alice.account, junk(60, day))
    assert len(taken.kept) == 2**18 // 5_120
    assert {why for _, why in taken.dropped} == {Drop.RATE}
    world.wait(DAY_MS)
    assert len(take_in(bob, alice.account, junk(5, day, first=1_000)).kept) == 5


def test_an_offer_is_answered_within_the_same_limits(world: World, people: tuple[Device, Device, Device]) -> None:
    alice, bob, carol = people
    carry(bob, total=2**20, share=1)
    for number in range(9):
        alice.say(carol.account, f"{number}")
    ready(world)
    met = hand_over(alice, bob)
    assert met.wanted is not None
    assert (len(met.offered), len(met.wanted.carry), len(met.taken.kept)) == (9, 2, 2)
    assert hand_over(alice, bob).offered == []  # what was not wanted is not offered again at once
    world.wait(7 * HOUR_MS)
    assert len(hand_over(alice, bob).offered) == 7


# --- hostile parcels -------------------------------------------------------------------------------------------------


def test_forged_damaged_and_misshapen_parcels_change_nothing(
    world: World, people: tuple[Device, Device, Device]
) -> None:
    alice, bob, carol = people
    alice.say(carol.account, "genuine")
    ready(world)
    (genuine, *_) = read(export(alice))
    before = dict(carol.records.rows)
    flipped = bytearray(genuine.sealed)
    flipped[2_000] ^= 1
    forged = msgspec.structs.replace(genuine, sealed=bytes(flipped))
    tag = bytearray(genuine.sealed)
    tag[20] ^= 1
    other_tag = msgspec.structs.replace(genuine, sealed=bytes(tag))
    large = Parcel(2, genuine.expires, genuine.sealed[:32] + bytes(66_560 - 32))
    taken = take_in(carol, bob.account, [forged, other_tag, large])
    assert [why for _, why in taken.dropped] == [Drop.FORGED, Drop.NOT_CARRYING, Drop.FORGED]
    assert carol.records.rows == before
    assert len(take_in(carol, bob.account, [genuine]).mine) == 1  # what was forged under its name does not keep it out
    settle(world)
    assert carol.texts(alice.account) == ["genuine"]


def test_a_parcel_that_is_handed_over_for_ever_is_taken_once(
    world: World, people: tuple[Device, Device, Device]
) -> None:
    alice, bob, carol = people
    alice.say(carol.account, "again")
    ready(world)
    file = read(export(alice))
    assert len(take_in(carol, bob.account, file * 3).mine) == 1
    assert {why for _, why in take_in(carol, bob.account, file).dropped} == {Drop.DUPLICATE}
    assert len(take_in(bob, alice.account, file * 3).kept) == 1
    bob.do(parcels.change_settings, CourierSettings(carries=False))
    bob.do(parcels.change_settings, CourierSettings(carries=True))
    assert take_in(bob, alice.account, file).kept == ()
    assert bob.work().find(Seen)


# --- what a courier sees ---------------------------------------------------------------------------------------------


def test_two_parcels_of_one_pair_share_nothing(world: World, people: tuple[Device, Device, Device]) -> None:
    """Not even two of one message: equal 4-byte pieces at equal places are as rare as between random bytes."""
    alice, _, carol = people
    alice.say(carol.account, "the same")
    ready(world)
    sealed = [parcel.sealed for _ in range(40) for parcel in read(export(alice))]
    assert len(sealed) >= 40
    assert {len(one) for one in sealed} == {5_120}
    pieces = [{one[at : at + 4] for at in range(0, len(one), 4)} for one in sealed]
    shared = sum(len(first & second) for place, first in enumerate(pieces) for second in pieces[:place])
    assert shared < 40  # 780 pairs of 1,280 pieces: 0.3 are expected
    counts = [0] * 256
    for byte in b"".join(sealed):
        counts[byte] += 1
    expected = sum(counts) / 256
    chi_square = sum((count - expected) ** 2 / expected for count in counts)
    assert 150 < chi_square < 400  # 255 degrees of freedom: a thousand times a thousand tries stay inside
    address = next(iter(alice.work().find(Outbox, where={"account": carol.account}))).envelopes[0]
    assert all(address[:8] not in one for one in sealed)


def test_what_stands_outside_is_the_same_for_all_that_is_sent_on_a_day(
    world: World, people: tuple[Device, Device, Device]
) -> None:
    alice, bob, carol = people
    for number in range(4):
        alice.say(carol.account, "x" * (1 + number * 300))
        world.wait(900_000)
    ready(world)
    outside = {(one.head.large, one.head.hops, one.head.expires) for one in hand_over(alice, bob).offered}
    assert outside == {(False, 2, world.now // DAY_MS + 7)}


def test_what_was_sealed_anew_travels_anew(world: World, people: tuple[Device, Device, Device]) -> None:
    alice, bob, carol = people
    alice.say(carol.account, "hello")
    ready(world)
    hand_over(alice, bob)
    (row,) = waiting_for(alice, carol)
    alice.do(outbox.requeue, carol.account, row.device)
    (peer,) = alice.work().find(PeerDevice, where={"account": carol.account})
    alice.do(sealing.begin_session, peer)
    ready(world)
    assert len(hand_over(alice, bob).parcels) == 1
    meet(bob, carol)
    assert carol.texts(alice.account) == ["hello"]
