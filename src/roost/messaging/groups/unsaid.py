"""What a person did to messages and no member will ever see: it is said in one line, since nothing else shows it.

A message that was not sent says so itself. An edit, a deletion, a reaction, a vote or a pin stands on this device only.
"""

from __future__ import annotations

from roost.messaging.groups import notes, permits
from roost.messaging.records import NEVER, GroupRow, GroupSaid, Message
from roost.messaging.work import Work
from roost.wire import content as c
from roost.wire.codec import decode
from roost.wire.groups import GroupNote, NoteKind

_Change = c.Edit | c.Deletion | c.Reaction | c.Vote | c.Pin


def group_closed(work: Work, row: GroupRow) -> None:
    """Nothing more is said in the group by this device."""
    waiting = work.find(GroupSaid, where={"landed_at": NEVER})
    lost = [said for said in waiting if said.group == row.id and not said.again and _change(said) is not None]
    if lost:
        _tell(work, row, len(lost), row.epoch + 1)


def landed(work: Work, row: GroupRow, said: GroupSaid) -> None:
    """What was said is in the log; a change that came first may have taken the right to say it."""
    change = _change(said)
    message = work.get(Message, change.target) if change is not None else None
    if change is None or message is None or said.again:
        return
    if not permits.may_change(work, row, change, work.me.account, message):
        _tell(work, row, 1, row.epoch, said.counter % 2**24)


def _change(said: GroupSaid) -> _Change | None:
    content = c.decode_content(decode(c.Entry, said.entry).content)
    return content if isinstance(content, _Change) else None


def _tell(work: Work, row: GroupRow, count: int, epoch: int, index: int = 2**31) -> None:
    notes.add(work, row, work.me.account, GroupNote(NoteKind.UNSENT, b"", str(count)), epoch, index)
