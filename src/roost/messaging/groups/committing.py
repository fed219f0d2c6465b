"""Commits: making mine, waiting for its place in the log, and putting whichever was first in force.

The first commit of an epoch that its author may make wins, for everybody: the log's order decides. A commit of mine is
staged and appended; when another one lands first it is withdrawn, and what it was for is tried on top of the winner.
"""

from __future__ import annotations

from dataclasses import replace

import msgspec

from roost.crypto import mls
from roost.messaging import logs, outbox
from roost.messaging.groups import admission, holding, intents, judging, keeping, notes, places, states, unsaid
from roost.messaging.groups.own import remember_own
from roost.messaging.groups.rules import Change
from roost.messaging.records import (
    NEVER,
    GroupAnswer,
    GroupCommit,
    GroupIntent,
    GroupRequest,
    GroupRow,
    GroupSaid,
    GroupSender,
    GroupStatus,
    IntentKind,
    LogPut,
    LogPutState,
    LogState,
    Message,
    MessageState,
    SharedLog,
)
from roost.messaging.work import Work
from roost.wire.codec import decode, encode
from roost.wire.groups import GroupMessage, GroupWelcome

SUBJECT = b"commit"
WAIT_MS = 1_000  # for a new log to be made, before it is looked at again
RACE_MS = 2_000  # losers of a race wait a random part of this, or they would race on
REFRESH_MS = 30 * 86_400_000  # an old leaf gets fresh keys
ENDED = "You were no longer in this group when it was to be sent."


# --- making one ------------------------------------------------------------------------------------------------------


def pump(work: Work, group: bytes) -> None:
    """Bring what is wanted of the group one step further: cheap when nothing is."""
    row = work.get(GroupRow, group)
    if row is None or row.status != GroupStatus.ACTIVE:
        return
    commit = work.get(GroupCommit, group)
    if commit is not None:
        if not commit.put:
            _send(work, row, commit)
        return
    wanted = work.find(GroupIntent, where={"group": group})
    if not wanted:
        return
    later = [intent.not_before for intent in wanted if intent.not_before > work.now]
    state = holding.load(work, group)
    planned = intents.make_plan(work, row, state, places.next_relay(work, states.held_state(row)))
    for intent in planned.fulfilled:
        work.delete(intent)
    for intent, code in planned.refused:
        _refused(work, row, intent, code)
    if planned.plan.empty:
        due(work, group, min(later, default=NEVER))
    else:
        _stage(work, row, state, planned)


def due(work: Work, group: bytes, at: int) -> None:
    """Look at the group again then at the latest."""
    row = work.get(GroupRow, group)
    if row is not None and at < row.due_at:
        work.put(msgspec.structs.replace(row, due_at=at))


def _refused(work: Work, row: GroupRow, intent: GroupIntent, code: str) -> None:
    work.delete(intent)
    if not intent.quiet:
        work.tell("group", row.id, intent.account, f"not_permitted:{code}")


def _stage(work: Work, row: GroupRow, group: mls.Group, planned: intents.Planned) -> None:
    plan, after = planned.plan, planned.change.after
    proposals: list[mls.Proposal] = [mls.Remove(index) for _, index in sorted(plan.removes.items())]
    proposals += [mls.Add(package) for _, package in sorted(plan.adds.items(), key=lambda item: item[0])]
    if after != planned.change.before:
        proposals.append(mls.GroupContextExtensions(states.extensions_of(after)))
    leaf = replace(group.epoch.leaf, extensions=(states.info_extension(states.own_info(work)),))
    options = mls.CommitOptions(leaf=leaf)
    try:
        group, staged = group.commit(proposals, work.entropy, now=work.now // 1000, options=options)
        change = judging.judge(group, staged)
    except mls.MlsError:
        _give_up(work, row, planned)
        return
    holding.keep_keys(work, row.id, group)
    remember_own(work, staged.message)
    made = b""
    if change.after.place.generation != change.before.place.generation:
        made = _make_log(work, row, staged, change)
    commit = work.put(GroupCommit(row.id, mls.save_staged(staged), group.number, 0, made, plan.covered, staged.message))
    _send(work, row, commit)


def _give_up(work: Work, row: GroupRow, planned: intents.Planned) -> None:
    """MLS refuses what was planned: a key package that expired meanwhile, say. Each is looked at again later, and
    given up at the third time."""
    for number in planned.plan.covered:
        intent = work.need(GroupIntent, number)
        if intent.attempts >= 2:
            _refused(work, row, intent, "invalid")
        else:
            pause = work.now + 60_000 * (intent.attempts + 1)
            work.put(msgspec.structs.replace(intent, attempts=intent.attempts + 1, not_before=pause))
            due(work, row.id, pause)


def _make_log(work: Work, row: GroupRow, staged: mls.StagedCommit, change: Change) -> bytes:
    assert staged.epoch is not None
    place = change.after.place
    secret = holding.log_secret(staged.epoch.secrets, place.generation)
    devices = [device for held in change.members_after().values() for device in sorted(held)]
    return places.create(work, row.id, place.relay, secret, devices, waits=True).id


def _send(work: Work, row: GroupRow, commit: GroupCommit) -> None:
    """Append the commit, once the log that it leads to is there."""
    made = work.get(SharedLog, commit.next_log) if commit.next_log else None
    if made is not None and made.state == LogState.TO_CREATE:
        due(work, row.id, work.now + WAIT_MS)
        return
    log = places.current(work, row)
    if log is None:
        return
    record = encode(GroupMessage(commit.record))
    put = logs.append(work, log, holding.envelope_key(holding.load(work, row.id)), record, subject=SUBJECT)
    work.put(msgspec.structs.replace(commit, put=put.number, record=b""))


# --- one that landed -------------------------------------------------------------------------------------------------


def landed_own(work: Work, row: GroupRow, number: int) -> None:
    """My commit took its place in the log. It is in force unless another one was first."""
    commit = work.get(GroupCommit, row.id)
    group = holding.load(work, row.id)
    if commit is None or commit.base != group.number:
        return
    staged = mls.load_staged(commit.staged)
    change = judging.judge(group, staged)
    made = work.get(SharedLog, commit.next_log) if commit.next_log else None
    work.delete(commit)
    for intent in commit.intents:
        held = work.get(GroupIntent, intent)
        if held is not None:
            work.delete(held)
    begin(work, row, group, staged, change, number=number, made=made, own=True)


def abandon(work: Work, row: GroupRow) -> None:
    """Another commit was first, or the group's state is lost: mine is none any more. What it was for stays wanted."""
    commit = work.get(GroupCommit, row.id)
    if commit is None:
        return
    work.delete(commit)
    put = work.get(LogPut, commit.put) if commit.put else None
    if put is not None:
        logs.withdraw(work, put)
    made = work.get(SharedLog, commit.next_log) if commit.next_log else None
    if made is not None:
        logs.delete(work, made)
    for number in commit.intents:
        intent = work.get(GroupIntent, number)
        if intent is not None:
            pause = int.from_bytes(work.entropy.bytes(4), "big") % RACE_MS
            work.put(msgspec.structs.replace(intent, not_before=work.now + pause))
            due(work, row.id, work.now + pause)


def call_off(work: Work, row: GroupRow, number: int) -> bool:
    """An intent is to be given up: so is the commit that is to bring it about. False: its host has it. (One that gets
    it just now makes a commit of mine land that is none any more: see `receiving`.)
    """
    commit = work.get(GroupCommit, row.id)
    if commit is None or number not in commit.intents:
        return True
    put = work.get(LogPut, commit.put) if commit.put else None
    if put is not None and put.state == LogPutState.STORED:
        return False
    abandon(work, row)
    return True


def begin(
    work: Work,
    row: GroupRow,
    group: mls.Group,
    staged: mls.StagedCommit,
    change: Change,
    *,
    number: int,
    made: SharedLog | None = None,
    own: bool = False,
) -> None:
    """A commit that won is put in force, with all that hangs on it."""
    if not own:
        abandon(work, row)
    after = group.accept(staged)
    if after.removed:
        close(work, work.need(GroupRow, row.id), GroupStatus.REMOVED, change)
        return
    notes.tell(work, row, change, after.number)
    row = holding.keep_epoch(work, work.need(GroupRow, row.id), after)
    moved = change.after.place.generation != change.before.place.generation
    if moved:
        row = places.move(work, row, after, made)
        row = work.put(msgspec.structs.replace(row, made_by=change.committer))
    else:
        places.admit(work, row, [device for _, device in change.added])
    places.enter_epoch(work, row, after)
    if own:
        row = work.put(msgspec.structs.replace(work.need(GroupRow, row.id), updated_at=work.now))
        admission.welcome(work, row, after, staged, change, number=0 if moved else number)
    keeping.after_change(work, row, after, change, moved=moved)
    work.tell("group", row.id, change.committer, "changed")
    pump(work, row.id)


def close(work: Work, row: GroupRow, status: GroupStatus, change: Change | None = None) -> None:
    """This device is no longer in the group: what was said stays, keys, log and plans go."""
    if change is not None:
        notes.tell(work, row, change, row.epoch + 1)
    abandon(work, row)
    alone = status == GroupStatus.LEFT and len(states.members(work, row.id)) <= 1
    for log in logs.logs_of(work, row.id):
        if alone and log.admin:
            logs.delete(work, log)
        else:
            logs.leave(work, log)
    _fail_what_waits(work, row.id)
    unsaid.group_closed(work, row)
    for kind in (GroupIntent, GroupSaid, GroupSender, GroupAnswer, GroupRequest):
        for waiting in work.find(kind, where={"group": row.id}):
            work.delete(waiting)
    holding.forget(work, row.id)
    pending, row = row.welcome, work.need(GroupRow, row.id)
    row = work.put(
        msgspec.structs.replace(
            row, status=int(status), due_at=NEVER, log=b"", log_secret=b"", rejoin=b"", welcome=b"", leaving=False
        )
    )
    work.tell("group", row.id, change.committer if change else b"", status.name.lower())
    if pending and status == GroupStatus.REMOVED:  # removed and added again while this device was away
        content = decode(GroupWelcome, pending)
        if content.epoch > row.epoch:
            admission.follow(work, row, content)


def _fail_what_waits(work: Work, group: bytes) -> None:
    """What of mine was not said before the group ended here never will be: whoever wrote it sees that."""
    for message in work.find(Message, where={"conversation": group, "state": int(MessageState.QUEUED)}):
        outbox.fail_message(work, message)


def refresh(work: Work, row: GroupRow) -> None:
    """Fresh keys for a leaf that has had its own for long: what leaked of it before is worth nothing afterwards. A new
    name or list of devices is told in the same way."""
    if row.status != GroupStatus.ACTIVE:
        return
    said = holding.load(work, row.id).epoch.leaf.extensions
    if work.now - row.updated_at > REFRESH_MS or said != (states.info_extension(states.own_info(work)),):
        intents.want(work, row, IntentKind.UPDATE, quiet=True)
