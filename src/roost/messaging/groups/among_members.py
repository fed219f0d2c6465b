"""What two people's devices tell each other about groups, in their pairwise conversation."""

from __future__ import annotations

from roost.messaging.groups import admission, answering, committing, forks, keeping, links, offers, rejoining
from roost.messaging.origin import Origin
from roost.messaging.records import GroupIntent, GroupMember, GroupRow, GroupStatus
from roost.messaging.work import Work
from roost.wire.groups import (
    GroupCheck,
    GroupFound,
    GroupKnock,
    GroupLost,
    GroupWelcome,
    KeyPackageOffer,
    KnockAccepted,
)

GroupTalk = KeyPackageOffer | GroupWelcome | GroupCheck | GroupLost | GroupFound | GroupKnock | KnockAccepted


def received(work: Work, origin: Origin, content: GroupTalk) -> None:
    """Raises PeerError for what is not the sender's to say."""
    match content:
        case KeyPackageOffer():
            offers.received(work, origin, content)
            _go_on(work, origin.account)
        case GroupWelcome():
            admission.welcomed(work, origin, content)
        case GroupCheck():
            _history_told(work, origin, content)
        case GroupKnock():
            links.knocked(work, origin, content)
        case KnockAccepted():
            links.let_in(work, origin, content)
        case GroupLost():
            answering.log_asked(work, origin, content)
            _generation_told(work, content)
        case GroupFound():
            rejoining.log_found(work, origin, content)


def _history_told(work: Work, origin: Origin, content: GroupCheck) -> None:
    """It may disagree with this device's history, or show that this device is not where the group is."""
    row = work.get(GroupRow, content.group)
    if row is None or (row.status == GroupStatus.REMOVED and content.epoch > row.epoch):
        rejoining.unknown_heard(work, origin, content.group)
    elif not row.state and row.status in (GroupStatus.JOINING, GroupStatus.LOST):
        rejoining.member_heard(work, row, origin)
    else:
        forks.told(work, origin, content)
        rejoining.ahead_heard(work, work.need(GroupRow, row.id), content.epoch)


def _generation_told(work: Work, content: GroupLost) -> None:
    """Who lost the group further on than this device is shows that this one is behind."""
    row = work.get(GroupRow, content.group)
    if row is not None and content.generation > row.generation:
        rejoining.ahead_heard(work, row, row.epoch + 1)


def _go_on(work: Work, account: bytes) -> None:
    """A key package came: whoever waited for it can be added now, and devices of mine into groups of mine."""
    groups = {intent.group for intent in work.find(GroupIntent) if intent.account == account}
    if account == work.me.account:
        mine = work.find(GroupMember, where={"account": account})
        groups |= {member.group for member in mine}
        for member in mine:
            row = work.get(GroupRow, member.group)
            if row is not None:
                keeping.tend(work, row)
    for group in sorted(groups):
        committing.pump(work, group)
