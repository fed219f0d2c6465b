"""One mailbox in memory: its grants, the entries it holds and the blobs they need (DESIGN section 6).

Keeps the books and hands out the operations that make the same change on disk. It does not decide who may do what
(relay.core.desk) nor whether an envelope may enter (relay.core.puts). Envelopes and blobs themselves stay on disk,
except for those whose commit is still under way (`pending`).
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Sequence

from roost.crypto import envelope_hash
from roost.relay.core.limits import BLOB_COST, ENTRY_COST, ROW_COST
from roost.relay.core.operations import (
    AppendEntry,
    CardRow,
    EntryRow,
    GrantRow,
    MailboxRow,
    RemoveEntry,
    StoreBlob,
    TrimEntries,
)
from roost.wire.mailbox import MailboxKind, Right
from roost.wire.sizes import BLOB_SIZE

RUN_BITS = 20
"""Entry numbers are `run << 20 | counter`: an envelope may have been delivered but not committed when a relay dies, and
its number must not be given to another one, or a reader's cursor would skip that. Each start is a new run, and so is
what follows a failed commit. Within a run a mailbox that leaves memory leaves its last number behind
(relay.core.shelf). A start's run is at least the time in seconds, so that numbers rise across a restored
backup too."""

_HEAD = 32  # bytes that no two envelopes of honest senders share: they begin with random ones


class Ledger:
    """What the whole relay stores, in bytes as its quota counts them."""

    __slots__ = ("used",)

    def __init__(self, used: int = 0) -> None:
        self.used = used


class Card:
    """One locator's card in memory; `row` is None when nothing is stored under it."""

    __slots__ = ("pins", "row")

    def __init__(self, row: CardRow | None) -> None:
        self.row = row
        self.pins = 0  # commits under way


class HoldState:
    """Blobs stored together, and the entries that need them."""

    __slots__ = ("blobs", "day", "needed_by")

    def __init__(self, day: int, blobs: Iterable[bytes] = ()) -> None:
        self.day = day
        self.blobs = set(blobs)
        self.needed_by: set[int] = set()


class Mailbox:
    """The books of one mailbox. Every change returns the operation that the storage must commit."""

    __slots__ = (
        "_ledger",
        "by_hash",
        "entries",
        "fresh",
        "grants",
        "holds",
        "id",
        "kind",
        "numbers",
        "patient",
        "pending",
        "pending_blobs",
        "pins",
        "sealed",
        "top",
        "used_day",
    )

    def __init__(self, row: MailboxRow, spent: int, ledger: Ledger, *, patient: bool = False) -> None:
        """Numbers up to `spent` are not given out. A patient mailbox shows entries once they are durable."""
        self.patient = patient
        self.id = row.mailbox
        self.kind = MailboxKind(row.kind)
        self.sealed = row.sealed
        self.used_day = row.used_day
        self.grants = {grant.hash: grant for grant in row.grants}
        self.entries = {entry.number: entry for entry in row.entries}
        self.numbers = [entry.number for entry in row.entries]
        self.by_hash = {entry.hash: entry.number for entry in row.entries}
        self.fresh: dict[bytes, int] = {}  # entries that are pending and not in `by_hash`, by their first bytes
        self.top = max(row.floor, spent, self.numbers[-1] if self.numbers else 0)
        self.holds = {hold.hold: HoldState(hold.day, hold.blobs) for hold in row.holds}
        for entry in row.entries:
            self._need(entry)
        self.pending: dict[int, AppendEntry] = {}
        self.pending_blobs: dict[bytes, bytes] = {}
        self.pins = 0  # commits, reads and subscriptions under way: may not be dropped from memory
        self._ledger = ledger

    # --- what is there ----------------------------------------------------------------------------------------------

    @property
    def end(self) -> int:
        """The newest entry's number, 0 when empty."""
        stop = self._shown()
        return self.numbers[stop - 1] if stop else 0

    @property
    def blob_bytes(self) -> int:
        return sum(len(hold.blobs) for hold in self.holds.values()) * BLOB_SIZE

    @property
    def weight(self) -> int:
        """Roughly how many rows this mailbox keeps in memory."""
        return 4 + len(self.grants) + len(self.entries) + sum(len(hold.blobs) for hold in self.holds.values())

    def after(self, cursor: int, limit: int) -> list[int]:
        """The numbers of the next `limit` entries behind `cursor`."""
        start = bisect_right(self.numbers, cursor)
        return self.numbers[start : min(start + limit, self._shown())]

    def find(self, envelope: bytes) -> tuple[int | None, bytes]:
        """The number under which this envelope is stored, if it is, and its hash, empty where it was not needed.

        One that was trimmed may come again: whoever puts it again has not heard from its reader, who answers only what
        is delivered. Hashing costs more than all else that a put needs, so entries whose transaction has not ended are
        known by their first bytes and compared whole; most are trimmed before that.
        """
        number = self.fresh.get(envelope[:_HEAD])
        if number is None:
            if not self.by_hash:
                return None, b""
        elif self.pending[number].envelope == envelope:
            return number, b""
        digest = envelope_hash(envelope)
        return self.by_hash.get(digest), digest

    def has_blob(self, blob: bytes) -> bool:
        return any(blob in hold.blobs for hold in self.holds.values())

    def stored_by(self, writer: int) -> int:
        return sum(1 for entry in self.entries.values() if entry.writer == writer)

    def admins(self) -> set[bytes]:
        return {hash_ for hash_, grant in self.grants.items() if grant.right == Right.ADMIN}

    @property
    def cost(self) -> int:
        """What all of it counts in the ledger."""
        blobs = sum(len(hold.blobs) for hold in self.holds.values())
        return ROW_COST + len(self.entries) * ENTRY_COST + blobs * BLOB_COST

    # --- changes ----------------------------------------------------------------------------------------------------

    def append(self, entry: EntryRow, envelope: bytes) -> AppendEntry:
        """Take `entry`, whose number is `top + 1`. Its hash may be empty as `find` gave it."""
        operation = AppendEntry(self.id, entry, envelope)
        self.top = entry.number
        self.entries[entry.number] = entry
        self.numbers.append(entry.number)
        if entry.hash:
            self.by_hash[entry.hash] = entry.number
        else:
            self.fresh[envelope[:_HEAD]] = entry.number
        if entry.holds:
            self._need(entry)
        self.pending[entry.number] = operation
        self._ledger.used += ENTRY_COST
        return operation

    def append_new(self, envelopes: Sequence[bytes], day: int, room: int) -> list[AppendEntry]:
        """Take envelopes that need nothing: as many as there is room for, and none from the first on that is here."""
        taken: list[AppendEntry] = []
        number, by_hash, fresh = self.top, self.by_hash, self.fresh
        for envelope in envelopes[: max(0, room)]:
            head, digest = envelope[:_HEAD], b""
            if by_hash or head in fresh:
                known, digest = self.find(envelope)
                if known is not None:
                    break
            number += 1
            entry = EntryRow(number, digest, day)
            operation = AppendEntry(self.id, entry, envelope)
            self.entries[number] = entry
            self.pending[number] = operation
            self.numbers.append(number)
            if digest:
                by_hash[digest] = number
            else:
                fresh[head] = number
            taken.append(operation)
        self.top = number
        self._ledger.used += ENTRY_COST * len(taken)
        return taken

    def trim(self, upto: int, keep: Iterable[int]) -> TrimEntries | None:
        """Forget entries up to `upto` except `keep`; None when there is nothing to forget on disk."""
        kept = set(keep)
        cut = bisect_right(self.numbers, upto)
        if cut == len(self.numbers) and not kept and not self.holds:
            return self._trim_all(upto)
        gone = [number for number in self.numbers[:cut] if number not in kept]
        if not gone:
            return None
        self.numbers[:cut] = [number for number in self.numbers[:cut] if number in kept]
        unwritten, holds, pending = True, list[bytes](), self.pending
        for number in gone:
            operation = pending.get(number)
            if operation is None or operation.begun:
                unwritten = False
            holds += self._forget(number, charge=True)
        if unwritten and not holds:
            return None
        present = tuple(sorted(number for number in kept if number in self.entries and number <= upto))
        return TrimEntries(self.id, upto, present, 0, tuple(holds))

    def remove(self, number: int) -> RemoveEntry:
        """Forget one entry that needs no blobs."""
        self.numbers.remove(number)
        self._forget(number, charge=True)
        return RemoveEntry(self.id, number, self.top)

    def add_blob(self, hold: bytes, blob: bytes, data: bytes, day: int) -> StoreBlob:
        state = self.holds.setdefault(hold, HoldState(day))
        state.blobs.add(blob)
        state.day = day
        self.pending_blobs[blob] = data
        self._ledger.used += BLOB_COST
        return StoreBlob(self.id, hold, blob, day, data)

    def change_grants(self, add: Iterable[GrantRow], revoke: Iterable[bytes]) -> None:
        for hash_ in revoke:
            self.grants.pop(hash_, None)
        for grant in add:
            self.grants[grant.hash] = grant

    def expire(self, entries_before: int, holds_before: int) -> None:
        """Forget what a sweep with these limits deletes on disk; the sweep itself reports what it freed."""
        gone = {number for number, entry in self.entries.items() if entry.day < entries_before}
        if gone:
            self.numbers = [number for number in self.numbers if number not in gone]
            for number in gone:
                self._forget(number, charge=False)
        for hold in [h for h, s in self.holds.items() if not s.needed_by and s.day < holds_before]:
            del self.holds[hold]

    def settled(self, entries: Iterable[int], blobs: Iterable[bytes]) -> None:
        """These are on disk now."""
        for number in entries:
            self._settle(number)
        for blob in blobs:
            self.pending_blobs.pop(blob, None)

    def written(self, operations: Iterable[AppendEntry]) -> None:
        """As `settled`."""
        for operation in operations:
            if not operation.dropped:
                self._settle(operation.entry.number)

    # --- inside -----------------------------------------------------------------------------------------------------

    def _shown(self) -> int:
        """How many of the entries, from the first on, readers may see."""
        if self.patient and self.pending:
            return bisect_left(self.numbers, next(iter(self.pending)))
        return len(self.numbers)

    def _trim_all(self, upto: int) -> TrimEntries | None:
        """`trim` of everything where nothing needs blobs, as nearly all trims are."""
        written = len(self.entries) > len(self.pending)
        for operation in self.pending.values():
            operation.dropped = True
            written = written or operation.begun
        self._ledger.used -= ENTRY_COST * len(self.entries)
        for books in (self.numbers, self.entries, self.pending, self.by_hash, self.fresh):
            books.clear()
        return TrimEntries(self.id, upto, (), 0) if written else None

    def _settle(self, number: int) -> None:
        """This entry is on disk now, or was trimmed."""
        operation = self.pending.pop(number, None)
        if operation is not None and self.fresh.get(head := operation.envelope[:_HEAD]) == number:
            del self.fresh[head]
            self.by_hash[operation.entry.hash] = number

    def _need(self, entry: EntryRow) -> None:
        for hold in entry.holds:
            state = self.holds.get(hold)
            if state is not None:
                state.needed_by.add(entry.number)

    def _forget(self, number: int, *, charge: bool) -> list[bytes]:
        """Drop the entry from the books (not from `numbers`); the holds that nothing needs any more."""
        entry = self.entries.pop(number)
        operation = self.pending.pop(number, None)
        head = b""
        if operation is not None:
            operation.dropped = True
            head = operation.envelope[:_HEAD]
        if self.fresh.get(head) == number:
            del self.fresh[head]
        else:
            self.by_hash.pop(entry.hash, None)
        if charge:
            self._ledger.used -= ENTRY_COST
        if not entry.holds:
            return []
        return [hold for hold in entry.holds if self._release(hold, number, charge=charge)]

    def _release(self, hold: bytes, number: int, *, charge: bool) -> bool:
        state = self.holds.get(hold)
        if state is None:
            return False
        state.needed_by.discard(number)
        if state.needed_by:
            return False
        del self.holds[hold]
        if charge:
            self._ledger.used -= len(state.blobs) * BLOB_COST
        return True
