"""The rows that a profile consists of: plain immutable values. `messaging` reads and makes them, `store` keeps them.

A row is stored as a msgpack map, so a new field with a default, added last, needs no migration; a new key or index
column does. Times are milliseconds since 1970 unless named otherwise. Secrets stand in these rows because the file
that holds them is encrypted as a whole (docs/protocol/profile-format.md).
"""

from __future__ import annotations

from roost.messaging.rows.base import NEVER, Changes, Event, R, Records, Row
from roost.messaging.rows.people import (
    Contact,
    ContactState,
    Me,
    OwnCard,
    OwnRelay,
    PeerDevice,
    Prekey,
    SessionRow,
    Stash,
)
from roost.messaging.rows.post import (
    EventRow,
    InvitationRow,
    InvitationState,
    MailboxState,
    Outbox,
    OutboxState,
    OwnMailbox,
    Request,
    RequestState,
    Seen,
    Setting,
    Upload,
)
from roost.messaging.rows.talk import (
    FileState,
    Message,
    MessageState,
    Orphan,
    PinRow,
    ReactionRow,
    StoredFile,
    Thumbnail,
    VoteRow,
)

ROWS: tuple[type[Row], ...] = (
    Setting,
    Me,
    OwnRelay,
    Contact,
    PeerDevice,
    SessionRow,
    Stash,
    Prekey,
    OwnCard,
    OwnMailbox,
    InvitationRow,
    Request,
    Message,
    ReactionRow,
    VoteRow,
    Orphan,
    Outbox,
    Upload,
    StoredFile,
    Seen,
    EventRow,
)

__all__ = [
    "NEVER",
    "ROWS",
    "Changes",
    "Contact",
    "ContactState",
    "Event",
    "EventRow",
    "FileState",
    "InvitationRow",
    "InvitationState",
    "MailboxState",
    "Me",
    "Message",
    "MessageState",
    "Orphan",
    "Outbox",
    "OutboxState",
    "OwnCard",
    "OwnMailbox",
    "OwnRelay",
    "PeerDevice",
    "Prekey",
    Thumbnail,
    "R",
    "ReactionRow",
    "Records",
    "Request",
    "RequestState",
    "Row",
    "Seen",
    "SessionRow",
    "Setting",
    "Stash",
    "StoredFile",
    "Upload",
    "VoteRow",
]
    "Thumbnail",
