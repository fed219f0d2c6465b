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
    PeerDevice,
    Seen,
)
from roost.messaging.work import Work
from roost.wire.content import encode_content
from roost.wire.groups import GroupCheck, GroupWelcome, Role

PAUSE_MS = 10 * 60_000  # at least, and up to twice as long, between two contacts who are told: one after the other, or
# whoever sees the envelopes leave would see who is in a group together
MOST_CONTACTS = 16  # told of one epoch
FOR_EVER_MS = 3_650 * 86_400_000


def compare(work: Work) -> None:
    """Tell a contact in each group that changed what this device took for its history."""
    for row in work.find(GroupRow, where={"status": int(GroupStatus.ACTIVE)}):
        if row.epoch > row.checked and row.check_at <= work.now:
            _tell_next(work, row)


def next_comparison(work: Work) -> int | None:
    rows = work.find(GroupRow, where={"status": int(GroupStatus.ACTIVE)})
    return min((row.check_at for row in rows if row.epoch > row.checked), default=None)


def _tell_next(work: Work, row: GroupRow) -> None:
    pause = PAUSE_MS + int.from_bytes(work.entropy.bytes(4), "big") % PAUSE_MS
    row = msgspec.structs.replace(row, check_at=work.now + pause)
    known = [account for account in sorted(states.members(work, row.id)) if _is_compared_with(work, account)]
    if row.told >= min(len(known), MOST_CONTACTS):
        work.put(msgspec.structs.replace(row, checked=row.epoch, told=0))
        return
    account = known[(row.epoch + row.told) % len(known)]
    work.put(msgspec.structs.replace(row, told=row.told + 1))
    outbox.queue_all(work, account, encode_content(GroupCheck(row.id, row.epoch, row.transcript)))


def _is_compared_with(work: Work, account: bytes) -> bool:
    """Contacts, and this person's other devices."""
    if account == work.me.account:
        return bool(work.find(PeerDevice, where={"account": account}, limit=1))
    contact = work.get(Contact, account)
    return contact is not None and contact.state == ContactState.ACCEPTED


def told(work: Work, origin: Origin, content: GroupCheck) -> None:
    """A contact says what its device took for the group's history. Raises PeerError from one who is no member."""
    row = work.get(GroupRow, content.group)
    if row is None or work.get(GroupMember, row.id, origin.account) is None:
        raise PeerError("a word about a group of somebody who is not in it", code="not_a_member")
    mine = work.get(GroupTranscript, row.id, content.epoch)
    if row.status not in (GroupStatus.ACTIVE, GroupStatus.STOPPED) or mine is None:
        return
    if mine.transcript == content.transcript or work.get(Seen, _ignored(row, origin.account)) is not None:
        return
    answered = b"fork answered" + row.id + content.epoch.to_bytes(8, "big") + origin.device
    if work.get(Seen, answered) is None:  # they are in the same trouble, and need not know it yet
        work.put(Seen(answered, work.now + outbox.REMEMBER_MS))
        outbox.queue_all(work, origin.account, encode_content(GroupCheck(row.id, content.epoch, mine.transcript)))
    if row.status == GroupStatus.ACTIVE:
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
