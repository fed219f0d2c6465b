"""What members say: who may say what, and how it changes this profile. The counterpart of messaging.contents."""

from __future__ import annotations

import msgspec

from roost.errors import PeerError
from roost.messaging import said
from roost.messaging.groups import committing, gaps, keeping, links, permits, reading, sending
from roost.messaging.origin import Origin
from roost.messaging.outbox import REMEMBER_MS
from roost.messaging.records import GroupMember, GroupRow, GroupStatus, Seen
from roost.messaging.work import Work
from roost.wire import content as c
from roost.wire import groups as g
from roost.wire.codec import decode


class NotAMember(PeerError):
    """It was said by a device that is no longer in the group."""

    code = "not_a_member"


def entry(work: Work, row: GroupRow, account: bytes, device: bytes, data: bytes, log: bytes, number: int) -> None:
    """Apply one authenticated message. `number` is its place in the log, 0 when it is ephemeral.

    Raises:
        PeerError: malformed, not its sender's to say, or said before. The caller discards this step.
    """
    member = work.get(GroupMember, row.id, account)
    if member is None or device not in member.devices:
        raise NotAMember("a message of a device that left")
    said_entry = decode(c.Entry, data)
    content = c.decode_content(said_entry.content)
    if number:
        gaps.heard(work, row, device, said_entry.counter)
        mark = b"group entry" + row.id + account + said_entry.id
        if work.get(Seen, mark) is not None:
            return
        work.put(Seen(mark, work.now + REMEMBER_MS))
    elif not isinstance(content, c.Typing | c.CallSignal):
        raise said.NotAllowed("not for the moment only")
    origin = Origin(account, device, b"", b"", log, number)
    _apply(work, row, member, origin, said_entry, content)


def _apply(
    work: Work, row: GroupRow, member: GroupMember, origin: Origin, entry: c.Entry, content: c.Content | c.Unknown
) -> None:
    match content:
        case c.Text() | c.Poll() | c.Unknown():
            if not permits.may_post(work, row, member.account):
                raise said.NotAllowed("a role that may not post")
            said.show(work, origin, row.id, entry, content)
        case c.Edit() | c.Deletion() | c.Reaction() | c.Vote() | c.Pin():
            said.change(work, member.account, row.id, entry, content)
        case c.Receipt(read=ids):
            reading.read_by(work, row, member.account, ids)
        case c.Typing(active=active):
            work.mention("typing", row.id, member.account, "active" if active else "")
        case c.CallSignal(call=call):
            work.mention("call", call, member.account)
        case g.Leave():
            _leaves(work, row, member)
        case g.Missing():
            gaps.asked(work, row, content)
        case g.CatchUp():
            gaps.catch_up_asked(work, row, content, entry.counter // sending.INCARNATION)
        case g.JoinRequest():
            links.request_told(work, row, member.account, content)
        case g.JoinAnswer():
            links.answer_told(work, row, member.account, content)
        case g.AdminKeys():
            keeping.admin_keys(work, row, member.account, content)
        case _:
            raise said.NotAllowed("nothing that is said in a group")


def _leaves(work: Work, row: GroupRow, member: GroupMember) -> None:
    """Another device of mine said so: this one goes as well. Anybody else is removed by whoever may."""
    if member.account == work.me.account:
        committing.close(work, row, GroupStatus.LEFT)
    elif not member.leaving:
        work.put(msgspec.structs.replace(member, leaving=True))
        work.tell("group", row.id, member.account, "leaving")
        keeping.tend(work, row)
