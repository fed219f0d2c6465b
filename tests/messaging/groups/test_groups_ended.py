"""What stays of a group on a device that left it or was removed, and of those who left it."""

from __future__ import annotations

import pytest

from roost.messaging import conversations
from roost.messaging.groups import actions, committing
from roost.messaging.records import (
    GroupFormer,
    GroupMember,
    GroupSaid,
    GroupStatus,
    Message,
    MessageState,
    ReactionRow,
)
from roost.wire.groups import Role
from tests.messaging.groups.group_world import GroupWorld


@pytest.fixture
def world() -> GroupWorld:
    return GroupWorld()


def test_what_still_waits_when_one_is_removed_or_leaves_has_failed(world: GroupWorld) -> None:
    id, (alice, bob, carol) = world.grouped("Alice", "Bob", "Carol")
    sent = carol.say(id, "in time")
    world.settle()
    carol.away = bob.away = True
    late = [carol.say(id, "too late"), bob.say(id, "on the way out")]
    alice.do(actions.remove, id, [carol.account])
    world.settle()
    carol.away = False
    world.settle()
    bob.do(committing.close, bob.group(id), GroupStatus.LEFT)
    states = [person.work().need(Message, message).state for person, message in zip((carol, bob), late, strict=True)]
    assert states == [MessageState.FAILED, MessageState.FAILED]
    assert carol.work().need(Message, sent).state == MessageState.SENT
    assert not carol.work().find(Message, where={"state": int(MessageState.QUEUED)})
    assert not carol.work().find(GroupSaid)


def test_what_was_done_to_messages_and_reached_nobody_is_told(world: GroupWorld) -> None:
    id, (alice, bob, carol) = world.grouped("Alice", "Bob", "Carol")
    first = carol.say(id, "first")
    world.settle()
    carol.away = bob.away = True
    carol.do(conversations.edit, first, "second")
    carol.do(conversations.react, first, "👍")
    bob.do(conversations.react, first, "👎")
    alice.do(actions.remove, id, [carol.account])
    alice.do(actions.set_role, id, bob.account, Role.READ_ONLY)
    world.settle()
    carol.away = bob.away = False
    world.settle()
    assert ("unsent", "2") in carol.notes(id)
    assert ("unsent", "1") in bob.notes(id)
    assert alice.work().need(Message, first).text == "first"
    assert not alice.work().find(ReactionRow)
    assert all(kind != "unsent" for kind, _ in alice.notes(id))


def test_who_left_keeps_the_name_until_the_group_is_forgotten(world: GroupWorld) -> None:
    id, (alice, _, carol) = world.grouped("Alice", "Bob", "Carol")
    alice.do(actions.remove, id, [carol.account])
    world.settle()
    assert [(row.account, row.name) for row in alice.work().find(GroupFormer)] == [(carol.account, "Carol")]
    carol.do(actions.forget, id)
    assert carol.work().find(GroupFormer) == carol.work().find(GroupMember) == []
