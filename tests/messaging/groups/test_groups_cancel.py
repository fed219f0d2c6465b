"""A change that waits is given up, early enough or too late."""

from __future__ import annotations

import pytest

from roost.errors import CallerError
from roost.messaging import logs
from roost.messaging.groups import actions
from roost.messaging.records import GroupCommit, GroupStatus, LogPut, SharedLog
from tests.messaging.groups.group_world import GroupDevice, GroupWorld, agree


@pytest.fixture
def world() -> GroupWorld:
    return GroupWorld()


def waiting(person: GroupDevice, id: bytes) -> int:
    (intent,) = actions.changes_waiting(person.work(), id)
    return int(intent.number)


def unreachable(person: GroupDevice, id: bytes) -> LogPut:
    """The host does not answer; what was put meanwhile."""
    put = person.work().need(LogPut, person.work().need(GroupCommit, id).put)
    person.do(logs.refused, put.number, "unreachable")
    return put


def test_a_change_that_never_reached_the_host_does_not_come_about(world: GroupWorld) -> None:
    id, (alice, bob, carol) = world.grouped("Alice", "Bob", "Carol")
    alice.do(actions.change, id, title="Never read")
    unreachable(alice, id)
    alice.do(actions.cancel, waiting(alice, id))
    alice.do(actions.remove, id, [carol.account])  # waits until a new log is made
    alice.do(actions.cancel, waiting(alice, id))
    alice.do(actions.change, id, description="as it should be")
    world.settle()
    agree(id, alice, bob, carol)
    state = actions.state(bob.work(), id)
    assert (state.title, state.description) == ("Choir", "as it should be")
    assert len(alice.work().find(SharedLog)) == 1


def test_a_change_that_is_on_its_way_is_not_given_up(world: GroupWorld) -> None:
    id, (alice, bob) = world.grouped("Alice", "Bob")
    alice.do(actions.change, id, title="Chorus")
    alice.put_records()
    with pytest.raises(CallerError) as raised:
        alice.do(actions.cancel, waiting(alice, id))
    assert raised.value.code == "under_way"
    world.settle()
    agree(id, alice, bob)
    assert actions.state(bob.work(), id).title == "Chorus"


def test_who_gave_up_what_the_host_had_all_the_same_comes_back(world: GroupWorld) -> None:
    id, (alice, bob) = world.grouped("Alice", "Bob")
    alice.do(actions.change, id, title="Chorus")
    put = unreachable(alice, id)
    log = alice.work().need(SharedLog, put.log)
    for envelope in put.envelopes:  # it had come, the answer was lost
        world.hosted[log.get].put(envelope)
    alice.do(actions.cancel, waiting(alice, id))
    world.settle()
    assert alice.group(id).status == GroupStatus.ACTIVE
    agree(id, alice, bob)
    assert actions.state(alice.work(), id).title == "Chorus"
