"""Devices that cannot follow their group come back by themselves: long away, put back, misled."""

from __future__ import annotations

import copy

import pytest

from roost.errors import PeerError
from roost.messaging import logs
from roost.messaging.groups import actions, answering, places, receiving, rejoining
from roost.messaging.logs import Landed
from roost.messaging.records import GroupAnswer, GroupRow, GroupStatus, LogPut, OwnKeyPackage, SharedLog
from roost.messaging.work import Work
from roost.wire.codec import encode
from roost.wire.groups import Rejoin, Role, SealedRecord
from tests.messaging.groups.group_world import GroupDevice, GroupWorld, HostedLog, agree

MINUTE = 60_000


@pytest.fixture
def world() -> GroupWorld:
    return GroupWorld()


def log_of(world: GroupWorld, device: GroupDevice, id: bytes) -> HostedLog:
    return world.hosted[device.work().need(SharedLog, device.group(id).log).get]


def later(world: GroupWorld, minutes: int = 10) -> None:
    for _ in range(3):
        world.settle()
        world.wait(minutes * MINUTE)
    world.settle()


def test_a_device_that_missed_commits_comes_back_and_says_what_waited(world: GroupWorld) -> None:
    id, (alice, bob, carol) = world.grouped("Alice", "Bob", "Carol")
    bob.away = True
    bob.say(id, "written while away")
    for number in range(4):
        alice.do(actions.change, id, title=f"Title {number}")
        world.settle()
        carol.say(id, f"text {number}")
        world.settle()
    log_of(world, alice, id).entries.clear()  # expired
    bob.away = False
    carol.say(id, "after all that")
    for number in range(6):
        alice.say(id, f"still talking {number}")
    later(world)
    agree(id, alice, bob, carol)
    assert bob.group(id).status == GroupStatus.ACTIVE
    assert ("group", "lost:behind") in bob.told
    assert "written while away" in alice.texts(id)
    assert bob.group(id).title == "Title 3"
    carol.say(id, "welcome back")
    world.settle()
    assert bob.texts(id)[-1] == "welcome back"
    assert ("rejoined", "") in alice.notes(id)


def test_a_device_whose_group_moved_and_whose_log_is_gone_asks_contacts(world: GroupWorld) -> None:
    id, (alice, bob, carol, dave) = world.grouped("Alice", "Bob", "Carol", "Dave")
    bob.away = True
    old = log_of(world, alice, id)
    alice.do(actions.remove, id, [dave.account])
    world.settle()
    del world.hosted[old.get]
    bob.away = False
    later(world)
    agree(id, alice, bob, carol)
    bob.say(id, "found you")
    world.settle()
    assert carol.texts(id) == ["found you"]


def test_who_was_removed_while_away_learns_nothing_when_it_asks(world: GroupWorld) -> None:
    id, (alice, bob, carol) = world.grouped("Alice", "Bob", "Carol")
    bob.away = True
    old = log_of(world, alice, id)
    alice.do(actions.remove, id, [bob.account])
    world.settle()
    del world.hosted[old.get]
    bob.away = False
    later(world)
    assert bob.group(id).status == GroupStatus.LOST
    assert bob.group(id).log_secret != alice.group(id).log_secret
    agree(id, alice, carol)


def test_a_device_that_was_put_back_to_an_older_copy_rejoins_and_loses_nothing(world: GroupWorld) -> None:
    id, (alice, bob, carol) = world.grouped("Alice", "Bob", "Carol")
    bob.say(id, "one")
    world.settle()
    backup = copy.deepcopy(bob.records.rows)
    bob.say(id, "two")
    world.settle()
    alice.say(id, "three")
    world.settle()
    bob.records.rows = backup
    bob.say(id, "four")
    later(world)
    agree(id, alice, bob, carol)
    assert ("group", "lost:copy") in bob.told
    for person in (alice, carol):
        assert sorted(person.texts(id)) == ["four", "one", "three", "two"]
    bob.say(id, "five")
    later(world)
    assert "five" in carol.texts(id)


def test_what_an_older_copy_says_before_it_notices_is_not_taken_for_what_was_said_under_that_number(
    world: GroupWorld,
) -> None:
    id, (alice, bob, carol) = world.grouped("Alice", "Bob", "Carol")
    backup = copy.deepcopy(bob.records.rows)
    bob.say(id, "first")
    world.settle()
    bob.records.rows = backup
    carol.away = True
    bob.do(lambda work: rejoining.lose(work, bob.group(id), "test"))
    bob.say(id, "second")
    later(world)
    carol.do(lambda work: rejoining.lose(work, carol.group(id), "test"))
    carol.away = False
    later(world)
    agree(id, alice, bob, carol)
    for person in (alice, carol):
        assert person.texts(id) == ["first", "second"]


def test_who_administers_the_log_and_missed_that_somebody_was_added_lets_them_write_when_it_is_back(
    world: GroupWorld,
) -> None:
    id, (alice, bob) = world.grouped("Alice", "Bob")
    dave = world.person("Dave")
    world.friends(bob, dave)
    alice.away = True
    bob.do(actions.add, id, [dave.account])
    world.settle()
    dave.say(id, "can you hear me?")
    world.settle()
    assert bob.texts(id) == []
    alice.do(lambda work: rejoining.lose(work, alice.group(id), "test"))
    alice.away = False
    for _ in range(2):
        later(world)
    agree(id, alice, bob, dave)
    assert bob.texts(id) == alice.texts(id) == ["can you hear me?"]


def test_two_lost_devices_come_back_at_once(world: GroupWorld) -> None:
    id, (alice, bob, carol) = world.grouped("Alice", "Bob", "Carol")
    for person in (bob, carol):
        person.do(lambda work, p=person: rejoining.lose(work, p.group(id), "test"))
    later(world)
    agree(id, alice, bob, carol)
    bob.say(id, "both here")
    world.settle()
    assert alice.texts(id) == carol.texts(id) == ["both here"]


def test_everybody_but_one_is_lost(world: GroupWorld) -> None:
    id, people = world.grouped("Alice", "Bob", "Carol", "Dave", "Eve")
    for person in people[:-1]:
        person.do(lambda work, p=person: rejoining.lose(work, p.group(id), "test"))
    later(world)
    later(world)
    agree(id, *people)


def test_questions_of_strangers_and_forged_ones_are_dropped(world: GroupWorld) -> None:
    id, (alice, bob) = world.grouped("Alice", "Bob")
    log = alice.work().need(SharedLog, alice.group(id).log)
    me = bob.work().me
    forged = Rejoin(me.account, me.device, 1, bytes(16), bytes(1_216), bytes(64))
    stranger = Rejoin(bytes(32), bytes(32), 1, bytes(16), bytes(1_216), bytes(64))
    before = dict(alice.records.rows)
    for ask in (forged, stranger):
        with pytest.raises(PeerError):
            alice.do(receiving.receive, Landed(log, 99, 0, bytes(16), encode(ask), None))
    assert alice.records.rows == before
    assert not alice.work().find(LogPut)


def test_a_welcome_whose_log_moved_on_before_it_was_followed_leads_in_all_the_same(world: GroupWorld) -> None:
    id, (alice, bob, carol) = world.grouped("Alice", "Bob", "Carol")
    dave = world.person("Dave")
    world.friends(alice, dave)
    dave.away = True
    old = log_of(world, alice, id)
    alice.do(actions.add, id, [dave.account])
    world.settle()
    alice.do(actions.remove, id, [carol.account])
    world.settle()
    del world.hosted[old.get]
    dave.away = False
    later(world, 15)
    agree(id, alice, bob, dave)
    dave.say(id, "late, but here")
    world.settle()
    assert bob.texts(id) == ["late, but here"]


def test_who_was_removed_and_added_again_while_away_is_in_again(world: GroupWorld) -> None:
    id, (alice, bob, carol) = world.grouped("Alice", "Bob", "Carol")
    carol.away = True
    alice.do(actions.remove, id, [carol.account])
    world.settle()
    alice.do(actions.add, id, [carol.account])
    world.settle()
    bob.say(id, "is she back?")
    world.settle()
    carol.away = False
    later(world)
    agree(id, alice, bob, carol)
    assert carol.texts(id) == ["is she back?"]


def test_a_device_put_back_to_before_it_joined_is_in_the_group_again(world: GroupWorld) -> None:
    alice, bob = world.people("Alice", "Bob")
    backup = copy.deepcopy(bob.records.rows)
    id = alice.do(actions.create, "Choir", [bob.account])
    world.settle()
    assert bob.group(id).status == GroupStatus.ACTIVE
    bob.records.rows = copy.deepcopy(backup)
    alice.do(actions.change, id, title="Chorus")
    for _ in range(3):
        later(world, 60)
    agree(id, alice, bob)
    alice.say(id, "hello again")
    world.settle()
    assert bob.texts(id) == ["hello again"]


def test_a_welcome_to_a_key_package_of_another_copy_leads_in_from_outside(world: GroupWorld) -> None:
    alice, bob = world.people("Alice", "Bob")
    backup = {key: row for key, row in bob.records.rows.items() if key[0] is not OwnKeyPackage}
    world.settle()
    bob.records.rows = copy.deepcopy(backup)
    id = alice.do(actions.create, "Choir", [bob.account])
    later(world)
    agree(id, alice, bob)
    bob.say(id, "in")
    world.settle()
    assert alice.texts(id) == ["in"]


def test_what_was_said_while_a_device_had_lost_the_group_comes_though_nobody_speaks_again(world: GroupWorld) -> None:
    id, (alice, bob, carol) = world.grouped("Alice", "Bob", "Carol")
    alice.say(id, "before")
    world.settle()
    bob.away = True
    alice.do(actions.change, id, title="Chorus")
    world.settle()
    for text in ("one", "two"):
        alice.say(id, text)
        carol.say(id, text.upper())
        world.settle()
    log_of(world, alice, id).entries.clear()  # expired
    bob.do(lambda work: rejoining.lose(work, bob.group(id), "test"))
    bob.away = False
    later(world)
    agree(id, alice, bob, carol)
    assert sorted(bob.texts(id)) == ["ONE", "TWO", "before", "one", "two"]
    assert [sorted(person.texts(id)) for person in (alice, carol)] == [sorted(bob.texts(id))] * 2


def test_what_was_said_in_an_older_epoch_and_lands_after_a_device_came_back_is_sealed_anew(world: GroupWorld) -> None:
    id, (alice, bob, carol) = world.grouped("Alice", "Bob", "Carol")
    carol.away = True
    carol.say(id, "written in the old epoch")
    bob.do(lambda work: rejoining.lose(work, bob.group(id), "test"))
    world.settle()
    assert bob.group(id).status == GroupStatus.ACTIVE
    carol.away = False
    world.settle()
    assert bob.texts(id) == alice.texts(id) == ["written in the old epoch"]


def test_a_device_that_its_host_never_shows_a_commit_hears_of_it_from_others(world: GroupWorld) -> None:
    id, (alice, bob, carol) = world.grouped("Alice", "Bob", "Carol")
    old = log_of(world, alice, id)
    world.hides = {("Carol", number) for number in range(old.number + 1, old.number + 20)}
    alice.do(actions.move, id)
    world.settle()
    assert carol.group(id).generation < alice.group(id).generation == bob.group(id).generation
    for _ in range(3):
        later(world, 30)
        old.entries.clear()
        world.hides.clear()
    agree(id, alice, bob, carol)
    assert ("group", "lost:behind") in carol.told
    bob.say(id, "there you are")
    world.settle()
    assert carol.texts(id) == ["there you are"]


def test_who_was_welcomed_by_somebody_who_is_out_before_it_comes_in_asks_other_contacts(world: GroupWorld) -> None:
    id, (alice, bob, carol) = world.grouped("Alice", "Bob", "Carol")
    alice.do(actions.set_role, id, bob.account, Role.ADMIN)
    world.settle()
    dave = world.person("Dave")
    for person in (bob, carol):
        world.friends(person, dave)
    dave.away = True
    bob.do(actions.add, id, [dave.account])
    world.settle()
    old = log_of(world, alice, id)
    alice.do(actions.remove, id, [bob.account])
    world.settle()
    old.entries.clear()
    dave.away = False
    for _ in range(3):
        later(world, 30)
    agree(id, alice, carol, dave)
    dave.say(id, "hello")
    world.settle()
    assert alice.texts(id) == ["hello"]


def test_a_question_that_is_put_again_replaces_the_one_before(world: GroupWorld) -> None:
    id, (alice, bob) = world.grouped("Alice", "Bob")
    log_of(world, bob, id).sealed = True
    alice.away = True
    bob.do(lambda work: rejoining.lose(work, bob.group(id), "test"))
    for _ in range(4):
        later(world, 60)
    assert bob.group(id).tries > 2
    assert len(bob.work().find(LogPut)) == 1


def test_a_member_who_makes_up_an_answer_holds_nobody_up_for_long(world: GroupWorld) -> None:
    id, (alice, bob, mallory) = world.grouped("Alice", "Bob", "Mallory")
    alice.do(lambda work: rejoining.lose(work, alice.group(id), "test"))
    for _ in range(40):
        alice.turn()
        mallory.do(_answer_with_junk, id)
        mallory.put_records()
        bob.turn()
        mallory.turn()
        world.wait(5_000)
    later(world)
    agree(id, alice, bob, mallory)


def _answer_with_junk(work: Work, id: bytes) -> None:
    """Before anybody else can."""
    row = work.need(GroupRow, id)
    log = work.need(SharedLog, row.log)
    for answer in work.find(GroupAnswer):
        junk = encode(SealedRecord(answering.answer_id(answer.ask), b"junk" + work.entropy.bytes(4)))
        logs.append(work, log, places.request_key(row), junk)
        work.delete(answer)
