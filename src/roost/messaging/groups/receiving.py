"""What lands in a group's log, one record at a time, in the log's order.

Records that a member may not send, that are malformed, late or replayed are dropped and change nothing (a PeerError;
messaging.logs says so to whoever listens). A commit that is dropped here is dropped by every member alike.
"""

from __future__ import annotations

import msgspec

from roost.crypto import mls
from roost.errors import PeerError
from roost.messaging.groups import (
    admission,
    answering,
    applying,
    committing,
    history,
    holding,
    judging,
    keeping,
    own,
    rejoining,
    sending,
    states,
    unsaid,
)
from roost.messaging.logs import Landed
from roost.messaging.records import GroupRow, GroupStatus
from roost.messaging.work import Work
from roost.wire.codec import decode
from roost.wire.content import Entry, decode_content
from roost.wire.groups import GroupMessage, GroupRecord, Leave, Rejoin, SealedRecord


def receive(work: Work, landed: Landed) -> None:
    """Take in one record of a group's log. Raises PeerError for what is dropped."""
    row = work.get(GroupRow, landed.log.owner)
    if row is None or landed.log.id != row.log:  # a log that the group has left: what comes there came too late
        return
    record: GroupRecord = decode(GroupRecord, landed.record)  # type: ignore[arg-type]
    match GroupStatus(row.status), record:
        case GroupStatus.JOINING, SealedRecord():
            admission.info_landed(work, row, record)
        case GroupStatus.LOST, _:
            rejoining.landed_while_lost(work, row, landed, record)
        case GroupStatus.ACTIVE | GroupStatus.STOPPED, GroupMessage():
            _message(work, row, landed, record.message)
        case GroupStatus.ACTIVE | GroupStatus.STOPPED, SealedRecord():
            if not history.landed(work, row, record):
                answering.answer_seen(work, row, record)
        case GroupStatus.ACTIVE, Rejoin():
            answering.asked(work, row, record)
        case _:
            pass


def _message(work: Work, row: GroupRow, landed: Landed, message: bytes) -> None:
    if landed.mine is not None:
        _landed_own(work, row, landed)
        return
    group = holding.load(work, row.id)
    try:
        received = group.receive(message)
    except mls.OwnMessage:
        if not own.is_remembered(work, message):
            rejoining.copy_seen(work, row, group, message)
        elif own.is_commit(message):  # called off, and it is in force for all others
            rejoining.lose(work, row, "commit")
        return
    except mls.NotForThisClient:
        rejoining.lose(work, row, "commit")
        return
    match received:
        case mls.ApplicationReceived():
            holding.keep_keys(work, row.id, received.group)
            _said(work, row, received, landed)
        case mls.CommitReceived():
            change = judging.judge(received.group, received.staged)
            answering.commit_seen(work, row, change)
            committing.begin(work, row, received.group, received.staged, change, number=landed.number)
        case _:
            raise PeerError("groups commit no proposals of others", code="not_allowed")


def _said(work: Work, row: GroupRow, received: mls.ApplicationReceived, landed: Landed) -> None:
    """What was said is dropped where it may not be; its key is used up in any case."""
    attempt = Work(work, work.now, work.entropy, work.sessions)
    account, device = states.sender(received.sender)
    try:
        applying.entry(attempt, row, account, device, received.data, landed.log.id, landed.number)
    except PeerError as error:
        work.mention("dropped", row.id, account, error.code)
        return
    work.merge(attempt)


def _landed_own(work: Work, row: GroupRow, landed: Landed) -> None:
    """What this device appended is in the log."""
    assert landed.mine is not None
    subject = landed.mine.subject
    if subject == committing.SUBJECT:
        committing.landed_own(work, row, landed.number)
    elif subject.startswith(sending.SUBJECT):
        said = sending.landed(work, row, subject)
        if said is not None:
            unsaid.landed(work, row, said)
        if said is not None and isinstance(decode_content(decode(Entry, said.entry).content), Leave):
            _go(work, work.need(GroupRow, row.id))


def _go(work: Work, row: GroupRow) -> None:
    """I have said that I leave. Where the last other admin said so first, somebody is named who can take me out."""
    staying = [member for member in states.members(work, row.id).values() if not member.leaving]
    if keeping.can_go(work, row) or all(member.account == work.me.account for member in staying):
        committing.close(work, row, GroupStatus.LEFT)
        return
    keeping.tend(work, work.put(msgspec.structs.replace(row, leaving=True)))
    committing.pump(work, row.id)
