"""What time does: messages disappear, mailboxes rotate, cards and invitations are renewed, old marks are forgotten."""

from __future__ import annotations

from roost.messaging import (
    conversations,
    entered,
    farewells,
    files,
    invitations,
    logs,
    mailboxes,
    parcels,
    pauses,
    peers,
    stalled,
)
from roost.messaging.channels import upkeep as channels
from roost.messaging.groups import upkeep as groups
from roost.messaging.records import (
    Contact,
    ContactState,
    EventRow,
    InvitationRow,
    InvitationState,
    MailboxState,
    Message,
    Orphan,
    Outbox,
    OwnMailbox,
    PeerDevice,
    Prekey,
    Seen,
    SessionRow,
)
from roost.messaging.work import Work
from roost.wire.links import InvitationKind

HOUR_MS = 3_600_000
DAY_MS = 24 * HOUR_MS
EVENTS_KEPT_MS = 30 * DAY_MS
ORPHANS_KEPT_MS = 30 * DAY_MS
BATCH = 10_000  # rows that one tick forgets, of each kind: more than an hour of a busy bot makes


def tick(work: Work) -> None:
    """Everything that is due. Cheap when nothing is; call it at least hourly and when `next_deadline` says."""
    conversations.expire(work)
    if not work.me.linked or work.me.removed_at:
        return
    _rotate(work)
    mailboxes.retire(work)
    mailboxes.forget_left_relays(work)
    peers.announce_all(work)
    stalled.renew(work)
    parcels.tell(work)
    parcels.tick(work)
    _invitations(work)
    _forget(work)
    entered.leave_unneeded(work)
    files.sweep(work)
    logs.sweep(work)
    groups.tick(work)
    channels.tick(work)


def next_deadline(work: Work) -> int:
    """When to call `tick` again at the latest."""
    due = work.now + HOUR_MS
    for message in work.find(Message, at_most=("expire_at", due), order="expire_at", limit=1):
        due = message.expire_at
    return min(due, groups.next_deadline(work))


def _rotate(work: Work) -> None:
    for mailbox in work.find(OwnMailbox, where={"state": int(MailboxState.ACTIVE)}):
        contact = work.get(Contact, mailbox.account) if mailbox.account else None
        if contact is None or contact.state not in (ContactState.ACCEPTED, ContactState.SELF):
            continue
        alone = contact.state == ContactState.SELF and not work.find(PeerDevice, where={"account": contact.account})
        if not alone and work.now - mailbox.created_at > mailboxes.ROTATE_AFTER_MS:
            mailboxes.rotate(work, mailbox)


def _invitations(work: Work) -> None:
    """Expired ones end; reusable ones get new prekeys every week."""
    for row in work.find(InvitationRow, where={"state": int(InvitationState.OPEN)}):
        if row.expires_at < work.now:
            invitations.end(work, row)
        elif row.kind == InvitationKind.REUSABLE and row.card_expires * 1000 - work.now < peers.RENEW_AFTER_MS:
            invitations.renew(work, row)


def _forget(work: Work) -> None:
    for seen in work.find(Seen, at_most=("until", work.now), limit=BATCH):
        work.delete(seen)
    pauses.catch_up(work, Outbox)
    farewells.forget_old(work)
    for event in work.find(EventRow, at_most=("at", work.now - EVENTS_KEPT_MS), limit=BATCH):
        work.delete(event)
    for prekey in work.find(Prekey, at_most=("expires_at", work.now), limit=BATCH):
        work.delete(prekey)
    for orphan in work.find(Orphan):
        if work.now - orphan.received_at > ORPHANS_KEPT_MS:
            work.delete(orphan)
    for session in work.find(SessionRow, where={"device": b""}):
        if work.now - session.created_at > EVENTS_KEPT_MS + peers.PREKEY_LIFE_MS:  # a knock nobody decided about
            peers.forget_session(work, session)
