"""What a commit changed, as lines between the messages. They are made on each device from the commit itself."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator

from roost.messaging import conversations
from roost.messaging.groups import states
from roost.messaging.groups.rules import Change, role_of
from roost.messaging.records import GroupMember, GroupRow, Message, MessageState
from roost.messaging.work import Work
from roost.wire.codec import encode
from roost.wire.groups import MAX_TITLE, GroupNote, NoteKind


def tell(work: Work, row: GroupRow, change: Change, epoch: int) -> None:
    """Before the commit is in force: those who go are still known."""
    members = states.members(work, row.id)
    for index, note in enumerate(_notes(change)):
        add(work, row, change.committer, _of_one_who_goes(note, members.get(note.account)), epoch, index)


def _of_one_who_goes(note: GroupNote, member: GroupMember | None) -> GroupNote:
    """Whether they wanted to, and what they were called: nothing else keeps it."""
    if member is None or note.kind not in (NoteKind.REMOVED, NoteKind.BANNED):
        return note
    kind = NoteKind.LEFT if member.leaving and note.kind is NoteKind.REMOVED else note.kind
    return GroupNote(kind, note.account, member.name[:MAX_TITLE])


def add(work: Work, row: GroupRow, author: bytes, note: GroupNote, epoch: int, index: int = 0) -> None:
    """One line. Its id is the same for all who make it of the same commit, so it never stands there twice."""
    said = epoch.to_bytes(8, "big") + index.to_bytes(4, "big") + bytes((note.kind,))
    id = hashlib.sha256(b"group note" + row.id + said).digest()[:16]
    if work.get(Message, id) is not None:
        return
    conversations.add_message(
        work,
        Message(
            id=id,
            conversation=row.id,
            author=author,
            device=b"",
            counter=0,
            position=0,
            sent_at=work.now,
            received_at=work.now,
            content=encode(note),
            text="",
            state=MessageState.SEEN,
            network="",
        ),
    )
    work.tell("message", id, row.id, "note")


def _notes(change: Change) -> Iterator[GroupNote]:
    before, after = change.members, change.members_after()
    banned = set(change.after.banned) - set(change.before.banned)
    if change.external:
        yield GroupNote(NoteKind.REJOINED, change.committer)
    for account in sorted(after.keys() - before.keys()):
        yield GroupNote(NoteKind.ADDED, account)
    for account in sorted(before.keys() - after.keys()):
        yield GroupNote(NoteKind.BANNED if account in banned else NoteKind.REMOVED, account)
    for account in sorted(banned - before.keys()):
        yield GroupNote(NoteKind.BANNED, account)
    for account in sorted(set(change.before.banned) - set(change.after.banned)):
        yield GroupNote(NoteKind.UNBANNED, account)
    for account in sorted(before.keys() & after.keys()):
        role = role_of(change.after, account)
        if role != role_of(change.before, account):
            yield GroupNote(NoteKind.ROLE, account, role.name.lower())
    yield from _of_the_state(change)


def _of_the_state(change: Change) -> Iterator[GroupNote]:
    old, new = change.before, change.after
    if new.title != old.title:
        yield GroupNote(NoteKind.TITLE, b"", new.title)
    if new.description != old.description:
        yield GroupNote(NoteKind.DESCRIPTION)
    if new.avatar != old.avatar:
        yield GroupNote(NoteKind.AVATAR)
    if new.timer_s != old.timer_s:
        yield GroupNote(NoteKind.TIMER, b"", str(new.timer_s))
    if (new.permissions, new.history, new.approval) != (old.permissions, old.history, old.approval):
        yield GroupNote(NoteKind.PERMISSIONS)
