"""Whether a group's host shows all members the same: they compare, in their pairwise conversations, what they took for
the group's history. Two histories of one epoch prove that it does not (or that who says so lies, which costs a member
no more than this): the group stops, says who said so, and an admin goes on elsewhere, or the person goes on as before.
"""

from __future__ import annotations

import msgspec

from roost.errors import CallerError, PeerError
from roost.messaging import outbox
from roost.messaging.groups import rules, states
from roost.messaging.origin import Origin
from roost.messaging.records import (
    Contact,
    ContactState,
    GroupMember,
    GroupRow,
    GroupStatus,
    GroupTranscript,
    Seen,
)
from roost.messaging.work import Work
from roost.wire.content import encode_content
from roost.wire.groups import GroupCheck, GroupWelcome, Role

PAUSE_MS = 60 * 60_000  # between two comparisons of one group
MOST_CONTACTS = 16
FOR_EVER_MS = 3_650 * 86_400_000


def compare(work: Work) -> None:
    """Tell contacts in groups that changed what this device took for their history."""
    for row in work.find(GroupRow, where={"status": int(GroupStatus.ACTIVE)}):
        at = _due(row)
        if at is not None and at <= work.now:
            work.put(msgspec.structs.replace(row, checked=row.epoch, checked_at=work.now))
            _tell(work, row)


def _due(row: GroupRow) -> int | None:
    return row.checked_at + PAUSE_MS if row.epoch > row.checked else None


def next_comparison(work: Work) -> int | None:
    rows = work.find(GroupRow, where={"status": int(GroupStatus.ACTIVE)})
    return min((at for at in map(_due, rows) if at is not None), default=None)


def _tell(work: Work, row: GroupRow) -> None:
    content = encode_content(GroupCheck(row.id, row.epoch, row.transcript))
    members = sorted(states.members(work, row.id))
    known = [account for account in members if _is_contact(work, account)]
    start = row.epoch % max(len(known), 1)
    for account in (known[start:] + known[:start])[:MOST_CONTACTS]:
        outbox.queue_all(work, account, content)


def _is_contact(work: Work, account: bytes) -> bool:
    contact = work.get(Contact, account)
    return contact is not None and contact.state == ContactState.ACCEPTED


def told(work: Work, origin: Origin, content: GroupCheck) -> None:
    """A contact says what its device took for the group's history. Raises PeerError from one who is no member."""
    row = work.get(GroupRow, content.group)
    if row is None or work.get(GroupMember, row.id, origin.account) is None:
        raise PeerError("a word about a group of somebody who is not in it", code="not_a_member")
    mine = work.get(GroupTranscript, row.id, content.epoch)
    if row.status != GroupStatus.ACTIVE or mine is None or mine.transcript == content.transcript:
        return
    if work.get(Seen, _ignored(row, origin.account)) is None:
        work.put(msgspec.structs.replace(row, status=GroupStatus.STOPPED))
        work.tell("group", row.id, origin.account, "forked")


def _ignored(row: GroupRow, account: bytes) -> bytes:
    return b"fork ignored" + row.id + account


def resume(work: Work, group: bytes) -> None:
    """Go on in a group that was stopped, and believe none who say that it was forked. Raises CallerError."""
    row = work.get(GroupRow, group)
    if row is None or row.status != GroupStatus.STOPPED:
        raise CallerError("This group was not stopped.", code="not_stopped")
    for account in states.members(work, group):
        work.put(Seen(_ignored(row, account), work.now + FOR_EVER_MS))
    work.put(msgspec.structs.replace(row, status=GroupStatus.ACTIVE, due_at=work.now))
    work.tell("group", group, work.me.account, "resumed")


def replaced(work: Work, row: GroupRow, welcome: GroupWelcome) -> None:
    """A Welcome says that its group goes on in the place of another one; believed from an admin of that one."""
    old = work.get(GroupRow, welcome.replaces) if welcome.replaces else None
    if old is not None and old.state and rules.role_of(states.held_state(old), row.inviter) is Role.ADMIN:
        work.put(msgspec.structs.replace(old, successor=row.id))
        work.tell("group", old.id, row.inviter, "reopened")
