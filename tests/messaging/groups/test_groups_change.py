"""Members come and go, roles change, several do so at once: everybody ends in the same group."""

from __future__ import annotations

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from roost.errors import CallerError
from roost.messaging import logs
from roost.messaging.groups import actions
from roost.messaging.records import GroupCommit, GroupIntent, GroupStatus, LogState, SharedLog
from roost.wire.content import About
from roost.wire.groups import Role
from tests.messaging.groups.group_world import GroupWorld, agree


@pytest.fixture
def world() -> GroupWorld:
    return GroupWorld()


def test_a_removed_member_can_neither_read_nor_write_nor_fetch(world: GroupWorld) -> None:
    id, (alice, bob, carol) = world.grouped("Alice", "Bob", "Carol")
    alice.say(id, "before")
    world.settle()
    old = carol.work().need(SharedLog, carol.group(id).log)
    carol.away = True
    alice.do(actions.remove, id, [carol.account])
    world.settle()
    bob.say(id, "after")
    world.settle()
    agree(id, alice, bob)
    new = bob.work().need(SharedLog, bob.group(id).log)
    assert world.hosted[old.get].sealed
    assert new.get != old.get
    assert new.put != old.put
    carol.away = False
    world.settle()
    assert carol.group(id).status == GroupStatus.REMOVED
    assert carol.texts(id) == ["before"]
    assert alice.texts(id) == bob.texts(id) == ["before", "after"]
    assert alice.members(id) == ["Alice", "Bob"]
    with pytest.raises(CallerError):
        carol.say(id, "hello?")
    assert not carol.work().find(SharedLog)
    # nothing that carol ever held opens or finds the new log
    assert new.get not in {log.get for log in (old,)}
    for _, envelope in world.hosted[new.get].entries:
        assert carol.take(old.id, 10_000, envelope) == 1
    assert carol.texts(id) == ["before"]


def test_what_was_on_its_way_when_the_log_moved_is_said_in_the_new_one(world: GroupWorld) -> None:
    id, (alice, bob, carol) = world.grouped("Alice", "Bob", "Carol")
    bob.away = True
    said = bob.say(id, "late")
    alice.do(actions.remove, id, [carol.account])
    world.settle()
    bob.away = False
    world.settle()
    assert alice.texts(id) == bob.texts(id) == ["late"]
    assert carol.texts(id) == []
    assert alice.work().find(GroupCommit) == []
    assert bob.work().get(type(bob.group(id)), id) is not None
    assert said


def test_a_member_leaves_and_the_last_admin_names_another(world: GroupWorld) -> None:
    id, (alice, bob, carol) = world.grouped("Alice", "Bob", "Carol")
    carol.do(actions.leave, id)
    world.settle()
    assert carol.group(id).status == GroupStatus.LEFT
    assert alice.members(id) == bob.members(id) == ["Alice", "Bob"]
    alice.do(actions.leave, id)
    world.settle()
    assert alice.group(id).status == GroupStatus.LEFT
    assert bob.members(id) == ["Bob"]
    assert actions.role(bob.work(), id, bob.account) is Role.ADMIN
    bob.do(actions.leave, id)
    assert bob.group(id).status == GroupStatus.LEFT
    bob.do(actions.forget, id)
    assert bob.work().find(type(carol.group(id))) == []


def test_who_is_banned_is_not_added_again_until_the_ban_ends(world: GroupWorld) -> None:
    id, (alice, bob, carol) = world.grouped("Alice", "Bob", "Carol")
    alice.do(actions.ban, id, [carol.account])
    world.settle()
    assert carol.group(id).status == GroupStatus.REMOVED
    with pytest.raises(CallerError):
        bob.do(actions.add, id, [carol.account])
    alice.do(actions.unban, id, [carol.account])
    world.settle()
    bob.do(actions.add, id, [carol.account])
    world.settle()
    agree(id, alice, bob, carol)
    carol.say(id, "back")
    world.settle()
    assert alice.texts(id) == ["back"]
    notes = [kind for kind, _ in alice.notes(id)]
    assert notes[-3:] == ["banned", "unbanned", "added"]


def test_a_new_admin_can_do_what_admins_do_also_with_the_log(world: GroupWorld) -> None:
    id, (alice, bob, carol) = world.grouped("Alice", "Bob", "Carol")
    alice.do(actions.set_role, id, bob.account, Role.ADMIN)
    world.settle()
    log = bob.work().need(SharedLog, bob.group(id).log)
    assert log.admin == alice.work().need(SharedLog, alice.group(id).log).admin != b""
    bob.do(actions.remove, id, [carol.account])
    world.settle()
    agree(id, alice, bob)
    assert alice.work().need(SharedLog, alice.group(id).log).admin != b""  # bob made the log and shares its key
    generation = alice.group(id).generation
    bob.do(actions.set_role, id, alice.account, Role.MEMBER)
    world.settle()
    assert alice.group(id).generation == generation + 1  # who is no admin any more administers nothing
    assert alice.work().need(SharedLog, alice.group(id).log).admin == b""
    with pytest.raises(CallerError):
        alice.do(actions.remove, id, [bob.account])


def test_two_admins_change_at_once_and_both_get_what_they_want(world: GroupWorld) -> None:
    id, (alice, bob, carol, dave) = world.grouped("Alice", "Bob", "Carol", "Dave")
    alice.do(actions.set_role, id, bob.account, Role.ADMIN)
    world.settle()
    alice.do(actions.change, id, title="Chorus")
    bob.do(actions.set_role, id, carol.account, Role.MODERATOR)
    alice.do(actions.remove, id, [dave.account])
    bob.do(actions.remove, id, [dave.account])
    world.settle()
    agree(id, alice, bob, carol)
    assert carol.group(id).title == "Chorus"
    assert actions.role(carol.work(), id, carol.account) is Role.MODERATOR
    assert dave.group(id).status == GroupStatus.REMOVED
    for person in (alice, bob, carol):
        assert person.work().find(GroupIntent) == []
        assert person.work().find(GroupCommit) == []
    assert len(world.hosted) == len({log.get for p in (alice,) for log in p.work().find(SharedLog)}) + 1  # the old one


def test_what_may_not_be_is_refused_and_told(world: GroupWorld) -> None:
    id, (alice, bob, carol) = world.grouped("Alice", "Bob", "Carol")
    alice.do(actions.set_role, id, bob.account, Role.ADMIN)
    world.settle()
    bob.away = True
    bob.do(actions.change, id, title="Bob's")
    alice.do(actions.set_role, id, bob.account, Role.MEMBER)
    world.settle()
    bob.away = False
    world.settle()
    agree(id, alice, bob, carol)
    assert alice.group(id).title == "Choir"
    assert ("group", "not_permitted:describe") in bob.told
    assert bob.work().find(GroupIntent) == []


def test_whoever_may_not_invite_adds_nobody(world: GroupWorld) -> None:
    alice, bob, carol = world.people("Alice", "Bob", "Carol")
    id = alice.do(actions.create, "Choir", [bob.account])
    world.settle()
    alice.do(actions.set_role, id, bob.account, Role.READ_ONLY)
    world.settle()
    with pytest.raises(CallerError):
        bob.do(actions.add, id, [carol.account])
    alice.do(actions.set_role, id, bob.account, Role.MEMBER)
    world.settle()
    bob.do(actions.add, id, [carol.account])
    world.settle()
    agree(id, alice, bob, carol)
    carol.say(id, "I can write")  # alice, the admin, let the host know
    world.settle()
    assert alice.texts(id) == ["I can write"]


def test_an_admin_moves_the_group_and_nothing_is_lost(world: GroupWorld) -> None:
    id, (alice, bob) = world.grouped("Alice", "Bob")
    bob.say(id, "one")
    alice.do(actions.move, id)
    bob.say(id, "two")
    world.settle()
    agree(id, alice, bob)
    assert bob.group(id).generation == 1
    assert sorted(alice.texts(id)) == sorted(bob.texts(id)) == ["one", "two"]
    assert [log.state for log in alice.work().find(SharedLog)] == [LogState.OPEN]
    assert logs.logs_of(alice.work(), id)[0].id == alice.group(id).log


@settings(max_examples=12, deadline=None)
@given(st.integers(0, 10_000), st.lists(st.tuples(st.integers(0, 3), st.integers(0, 6)), max_size=12))
def test_whatever_admins_do_at_once_all_converge(seed: int, plan: list[tuple[int, int]]) -> None:
    world = GroupWorld(seed)
    id, people = world.grouped("Alice", "Bob", "Carol", "Dave")
    alice, bob, carol, dave = people
    for other in (bob, carol):
        alice.do(actions.set_role, id, other.account, Role.ADMIN)
    world.settle()
    doings = [
        lambda p: p.do(actions.change, id, title=f"by {p.name} {world.now}"),
        lambda p: p.do(actions.set_role, id, dave.account, Role.MODERATOR),
        lambda p: p.do(actions.set_role, id, dave.account, Role.READ_ONLY),
        lambda p: p.do(actions.remove, id, [dave.account]),
        lambda p: p.do(actions.add, id, [dave.account]),
        lambda p: p.do(actions.move, id),
        lambda p: p.say(id, f"{p.name} {world.now}"),
    ]
    for who, what in plan:
        person = people[who % 3]
        try:
            doings[what](person)
        except CallerError:
            continue
        person.turn()
    world.settle()
    agree(id, alice, bob, carol)
    assert sorted(alice.texts(id)) == sorted(bob.texts(id)) == sorted(carol.texts(id))
    for person in (alice, bob, carol):
        assert person.work().find(GroupCommit) == []
        assert [i for i in person.work().find(GroupIntent) if i.kind] == []


def test_of_several_words_about_the_same_the_last_one_holds(world: GroupWorld) -> None:
    id, (alice, bob) = world.grouped("Alice", "Bob")
    for title in ("A", "B", "A"):
        alice.do(actions.change, id, title=title)
    alice.do(actions.remove, id, [bob.account])
    alice.do(actions.add, id, [bob.account])
    world.settle()
    world.settle()
    agree(id, alice, bob)
    assert bob.group(id).title == "A"


def test_a_new_name_is_told_to_the_group(world: GroupWorld) -> None:
    id, (alice, bob) = world.grouped("Alice", "Bob")
    bob.do(lambda work: work.put(msgspec.structs.replace(work.me, about=About("Robert"))))
    world.wait(86_400_001)
    world.settle()
    assert alice.members(id) == ["Alice", "Robert"]


def test_what_others_say_in_a_new_log_before_its_maker_knows_that_it_is_in_use_reaches_the_maker() -> None:
    """The others see the commit first, and speak; one of them leaves, and could not say it again."""
    world = GroupWorld()
    id, (alice, bob, carol, _) = world.grouped("Alice", "Bob", "Carol", "Dave")
    alice.do(actions.remove, id, [world.devices[3].account])
    alice.keep_logs()
    alice.put_records()
    bob.read_logs()
    bob.say(id, "before Alice knows")
    bob.put_records()
    new = next(log for log in alice.work().find(SharedLog) if log.id != alice.group(id).log)
    assert new.waits
    assert world.hosted[new.get].entries
    alice.read_logs()
    alice.read_logs()
    assert alice.texts(id) == ["before Alice knows"]
    world.settle()
    agree(id, alice, bob, carol)


def test_two_admins_who_leave_at_the_same_time_leave_an_admin_behind() -> None:
    world = GroupWorld()
    id, (alice, bob, carol) = world.grouped("Alice", "Bob", "Carol")
    alice.do(actions.set_role, id, bob.account, Role.ADMIN)
    world.settle()
    for person in (alice, bob):
        person.do(actions.leave, id)
    for person in (alice, bob):
        person.put_records()
    world.settle(300)
    assert carol.members(id) == ["Carol"]
    assert carol.do(actions.role, id, carol.account) is Role.ADMIN
    assert {person.group(id).status for person in (alice, bob)} <= {GroupStatus.LEFT, GroupStatus.REMOVED}
