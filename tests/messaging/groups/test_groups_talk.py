"""Groups of several devices: made, filled, talked in."""

from __future__ import annotations

import pytest

from roost.errors import CallerError
from roost.messaging import conversations, files, pins
from roost.messaging.groups import actions, mentions, sending
from roost.messaging.records import (
    GroupRow,
    GroupSaid,
    GroupStatus,
    Message,
    MessageState,
    ReactionRow,
    ReadBy,
    SharedLog,
    StoredFile,
    VoteRow,
)
from roost.wire import content as c
from roost.wire.groups import Permissions, Role
from tests.messaging.groups.group_world import GroupWorld, agree


@pytest.fixture
def world() -> GroupWorld:
    return GroupWorld()


def test_a_group_is_made_with_members_who_are_offline_and_all_talk(world: GroupWorld) -> None:
    alice, bob, carol = world.people("Alice", "Bob", "Carol")
    bob.away = True
    id = alice.do(actions.create, "Choir", [bob.account, carol.account])
    world.settle()
    assert carol.group(id).status == GroupStatus.ACTIVE
    first = alice.say(id, "hello all")
    world.settle()
    bob.away = False
    world.settle()
    agree(id, alice, bob, carol)
    assert alice.members(id) == ["Alice", "Bob", "Carol"]
    bob.say(id, "hello Alice")
    carol.say(id, "hello both")
    world.settle()
    for person in (alice, bob, carol):
        assert sorted(person.texts(id)) == ["hello Alice", "hello all", "hello both"]
        assert person.group(id).title == "Choir"
    assert alice.state(first) == MessageState.SENT
    assert actions.role(alice.work(), id, alice.account) is Role.ADMIN
    assert ("joined", "Choir") in bob.notes(id)


def test_edits_reactions_replies_polls_votes_pins_and_deletions(world: GroupWorld) -> None:
    id, (alice, bob, carol) = world.grouped("Alice", "Bob", "Carol")
    first = alice.say(id, "tee")
    world.settle()
    alice.do(conversations.edit, first, "tea")
    bob.do(conversations.react, first, "👍")
    reply = bob.entropy.bytes(16)
    bob.do(conversations.say, id, c.Text("coffee", reply_to=first), id=reply)
    poll = carol.entropy.bytes(16)
    carol.do(conversations.say, id, c.Poll("Which?", ("tea", "coffee")), id=poll)
    world.settle()
    alice.do(conversations.vote, poll, (0,))
    bob.do(conversations.vote, poll, (1,))
    alice.do(pins.pin, poll, pinned=True)
    bob.do(conversations.delete_for_all, reply)
    world.settle()
    for person in (alice, bob, carol):
        work = person.work()
        message = work.need(Message, first)
        assert (message.text, message.edits) == ("tea", ("tee",))
        assert work.need(ReactionRow, first, bob.account).emoji == "👍"
        assert work.need(Message, reply).deleted
        votes = {row.account: row.options for row in work.find(VoteRow, where={"target": poll})}
        assert votes == {alice.account: (0,), bob.account: (1,)}
        assert [row.target for row in pins.pins(work, id)] == [poll]


def test_moderators_delete_for_all_and_others_do_not(world: GroupWorld) -> None:
    id, (alice, bob, carol) = world.grouped("Alice", "Bob", "Carol")
    said = carol.say(id, "rude")
    world.settle()
    with pytest.raises(CallerError):
        bob.do(conversations.delete_for_all, said)
    bob.do(sending.send, id, c.encode_content(c.Deletion(said)))  # and if its own client let it
    world.settle()
    assert not carol.work().need(Message, said).deleted
    alice.do(conversations.delete_for_all, said)
    world.settle()
    assert all(person.work().need(Message, said).deleted for person in (alice, bob, carol))


def test_files_and_long_texts(world: GroupWorld) -> None:
    id, (alice, bob) = world.grouped("Alice", "Bob")
    attachment = c.Attachment("photo.jpg", 100_000, "image/jpeg", bytes(32))
    local = files.LocalFile("file", bytes(32), 100_000)
    said = alice.entropy.bytes(16)
    alice.do(conversations.say, id, c.Text("look", attachments=(attachment,)), id=said, local_files=(local,))
    alice.say(id, "é" * 30_000)
    world.settle()
    (row,) = bob.work().find(StoredFile, where={"message": said})
    assert row.mailbox == bob.group(id).log
    assert row.pointer is not None
    assert [len(text) for text in bob.texts(id)] == [len("look\nphoto.jpg"), 30_000]


def test_typing_reaches_those_who_are_there_and_nobody_keeps_it(world: GroupWorld) -> None:
    id, (alice, bob) = world.grouped("Alice", "Bob")
    before = len(world.hosted[bob.work().need(SharedLog, bob.group(id).log).get].entries)
    alice.do(lambda work: sending.send_ephemeral(work, work.need(GroupRow, id), c.encode_content(c.Typing(True))))
    world.settle()
    assert ("typing", "active") in bob.told
    assert len(world.hosted[bob.work().need(SharedLog, bob.group(id).log).get].entries) == before


def test_reading_is_told_together_and_a_message_is_read_when_all_have(world: GroupWorld) -> None:
    id, (alice, bob, carol) = world.grouped("Alice", "Bob", "Carol")
    first, second = alice.say(id, "one"), alice.say(id, "two")
    world.settle()
    bob.do(conversations.mark_read, id, (first, second))
    world.settle()
    assert alice.state(first) == MessageState.SENT
    assert alice.work().get(ReadBy, first, bob.account) is not None
    carol.do(conversations.mark_read, id, (first,))
    world.settle()
    assert alice.state(first) == MessageState.READ
    assert alice.state(second) == MessageState.SENT


def test_the_timer_of_the_group_makes_messages_disappear(world: GroupWorld) -> None:
    id, (alice, bob) = world.grouped("Alice", "Bob")
    alice.do(actions.change, id, timer_s=3_600)
    world.settle()
    said = bob.say(id, "soon gone")
    bob.do(conversations.edit, said, "soon gone!")
    world.settle()
    alice.do(conversations.mark_read, id, (said,))
    world.wait(3_700_000)
    world.settle()
    assert alice.texts(id) == bob.texts(id) == []
    assert b"soon gone" not in b"".join(row.entry for row in bob.work().find(GroupSaid))


def test_newcomers_get_as_much_history_as_the_group_decided(world: GroupWorld) -> None:
    alice, bob, carol = world.people("Alice", "Bob", "Carol")
    id = alice.do(actions.create, "Choir", [bob.account])
    world.settle()
    alice.do(actions.change, id, history=2)
    for text in ("one", "two", "three"):
        bob.say(id, text)
        world.settle()
    alice.do(actions.add, id, [carol.account])
    world.settle()
    alice.say(id, "four")
    world.settle()
    assert carol.texts(id) == ["two", "three", "four"]
    assert [message.author for message in carol.work().find(Message) if message.text == "two"] == [bob.account]


def test_nothing_is_said_by_readers_nor_where_admins_alone_post(world: GroupWorld) -> None:
    id, (alice, bob, carol) = world.grouped("Alice", "Bob", "Carol")
    alice.do(actions.set_role, id, bob.account, Role.READ_ONLY)
    alice.do(actions.change, id, permissions=Permissions(post=Role.MODERATOR))
    world.settle()
    for person in (bob, carol):
        with pytest.raises(CallerError):
            person.say(id, "hello")
        person.do(sending.send, id, c.encode_content(c.Text("anyway")), id=person.entropy.bytes(16))
    heard = alice.say(id, "news")
    world.settle()
    for person in (alice, bob, carol):
        assert person.texts(id) == ["news"]
    carol.do(conversations.react, heard, "👍")
    with pytest.raises(CallerError):
        bob.do(conversations.react, heard, "👍")


def test_who_is_mentioned_is_told(world: GroupWorld) -> None:
    id, (alice, bob, carol) = world.grouped("Alice", "Bob", "Carol")
    text = "@bob, @Carolin and me@carol: @Carol!"
    found = mentions.find(alice.work(), id, text)
    assert [(text[m.start : m.start + m.length], m.account) for m in found] == [
        ("@bob", bob.account),
        ("@Carol", carol.account),
    ]
    alice.do(conversations.say, id, c.Text(text, mentions=found[:1]), id=alice.entropy.bytes(16))
    world.settle()
    assert [kind for kind, _ in bob.told].count("mention") == 1
    assert "mention" not in {kind for kind, _ in carol.told}


def test_who_was_made_a_reader_before_it_landed_sees_that_it_failed() -> None:
    world = GroupWorld()
    id, (alice, bob) = world.grouped("Alice", "Bob")
    alice.do(actions.set_role, id, bob.account, Role.READ_ONLY)
    alice.put_records()
    said = bob.say(id, "too late")
    world.settle()
    assert alice.texts(id) == []
    assert bob.work().need(Message, said).state == MessageState.FAILED
