"""What the rules ask of the storage: changes to commit, and the rows that come back when a mailbox is loaded.

Plain values, so that they can cross into a writer thread, another process or a database server. The rules decide, the
storage obeys: an operation never fails for a reason that the rules could have known. Times are whole days since 1970,
so that a stolen database tells little about when people wrote (DESIGN section 6).
"""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from roost.crypto import envelope_hash

RUNS_PER_START = 4_096
"""How many runs (relay.core.mailbox.RUN_BITS) one start of a relay has for itself: failed commits begin new ones."""


class _Value(msgspec.Struct, array_like=True):
    """Base of all rows."""


class _Change(_Value, tag=True):
    """Base of all operations: encoded, each tells its kind."""


# --- rows -------------------------------------------------------------------------------------------------------------


class GrantRow(_Value, gc=False):
    """One capability's right over a mailbox (wire.mailbox.Right); `limit` 0 is the relay's default."""

    hash: bytes
    right: int
    limit: int


class EntryRow(_Value, gc=False):
    """A stored envelope without its bytes; `hash` may be empty until its transaction begins. `writer` is 0, or tells
    which limited put capability it counts against."""

    number: int
    hash: bytes
    day: int
    writer: int = 0
    work: int = 0
    holds: tuple[bytes, ...] = ()


class HoldRow(_Value):
    """Blobs that were stored together; `day` is when the last of them came."""

    hold: bytes
    day: int
    blobs: tuple[bytes, ...]


class MailboxRow(_Value):
    """Everything that the rules need to know of one mailbox. `floor` is the highest number that may be gone already."""

    mailbox: int
    kind: int
    sealed: bool
    floor: int
    used_day: int
    grants: tuple[GrantRow, ...]
    entries: tuple[EntryRow, ...]  # by rising number
    holds: tuple[HoldRow, ...]


class CardRow(_Value):
    """A stored card. `expires_day` is the first day on which it is not given out any more."""

    locator: bytes
    writer_hash: bytes
    version: int
    expires_day: int
    card: bytes


class Totals(_Value):
    """How much is stored in all, and where numbering stands."""

    mailboxes: int = 0
    entries: int = 0
    blobs: int = 0
    cards: int = 0
    last_mailbox: int = 0


# --- changes ----------------------------------------------------------------------------------------------------------


class CreateMailbox(_Change):
    mailbox: int
    kind: int
    day: int
    grants: tuple[GrantRow, ...]


class AppendEntry(_Change, gc=False):
    """`begun`: its transaction was begun, so it is on disk or will be. Until then `dropped` may be set: the entry was
    trimmed already and is never written."""

    mailbox: int
    entry: EntryRow
    envelope: bytes
    dropped: bool = False
    begun: bool = False


class TrimEntries(_Change):
    """Delete entries up to `upto` except `keep`, and all blobs of `holds`. Numbers up to `floor` are spent,
    unless it is 0."""

    mailbox: int
    upto: int
    keep: tuple[int, ...]
    floor: int
    holds: tuple[bytes, ...] = ()


class RemoveEntry(_Change):
    """Delete one entry (a knock that gave way)."""

    mailbox: int
    number: int
    floor: int


class SealMailbox(_Change):
    mailbox: int


class DeleteMailbox(_Change):
    mailbox: int


class ChangeGrantRows(_Change):
    mailbox: int
    add: tuple[GrantRow, ...]
    revoke: tuple[bytes, ...]


class TouchMailboxes(_Change):
    """These mailboxes were used on this day."""

    mailboxes: tuple[int, ...]
    day: int


class StoreBlob(_Change):
    mailbox: int
    hold: bytes
    blob: bytes
    day: int
    data: bytes


class TouchHold(_Change):
    mailbox: int
    hold: bytes
    day: int


class StoreCard(_Change):
    card: CardRow


class RemoveCard(_Change):
    locator: bytes


class RememberTags(_Change):
    """Packets that were opened with the key of this period; a packet is valid once."""

    period: int
    tags: tuple[int, ...]


class ForgetTags(_Change):
    """The packet keys of all periods up to this one are erased; nothing can be sealed to them any more."""

    period: int


class StorePlace(_Change):
    """Keep what this node knows of a place of an onion network (relay.core.places), in place of what it knew; with an
    empty `record`, forget it."""

    place: bytes
    record: bytes


class Sweep(_Change):
    """Delete what expired, at most `limit` rows of each kind, and report it (`Freed`).

    Entries stored before `entries_before`, unneeded blobs last touched before `holds_before`, cards whose `expires_day`
    is before `cards_before`, mailboxes unused since before `mailboxes_before`.
    """

    entries_before: int
    holds_before: int
    cards_before: int
    mailboxes_before: int
    limit: int


PlaceOperation = (
    CreateMailbox
    | AppendEntry
    | TrimEntries
    | RemoveEntry
    | SealMailbox
    | DeleteMailbox
    | ChangeGrantRows
    | TouchMailboxes
    | StoreBlob
    | TouchHold
    | StoreCard
    | RemoveCard
)
"""Changes of one mailbox or card: those that the nodes of a swarm send each other, too."""

Operation = PlaceOperation | RememberTags | ForgetTags | StorePlace | Sweep

FREEING = (TrimEntries, RemoveEntry, SealMailbox, DeleteMailbox, RemoveCard, ForgetTags, Sweep)
"""Operations that free space and stand for themselves: tried again alone when the disk is full."""


def begin(operations: Sequence[Operation]) -> Sequence[Operation]:
    """What is to be written of operations whose transaction begins. Entries get their hashes now at the latest."""
    wanted = []
    for operation in operations:
        if type(operation) is AppendEntry:
            if operation.dropped:
                continue
            operation.begun = True
            if not operation.entry.hash:
                operation.entry.hash = envelope_hash(operation.envelope)
        wanted.append(operation)
    return wanted


class Freed(_Value):
    """What a `Sweep` deleted; `more` says that a limit was reached."""

    entries: int = 0
    blobs: int = 0
    cards: int = 0
    mailboxes: int = 0
    more: bool = False
