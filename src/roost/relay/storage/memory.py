"""An engine that keeps everything in memory: the simplest reading of the interface, for tests."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from copy import deepcopy
from typing import Any

from roost.relay.core.operations import (
    RUNS_PER_START,
    AppendEntry,
    CardRow,
    ChangeGrantRows,
    CreateMailbox,
    DeleteMailbox,
    EntryRow,
    ForgetTags,
    Freed,
    GrantRow,
    HoldRow,
    MailboxRow,
    Operation,
    RememberTags,
    RemoveCard,
    RemoveEntry,
    SealMailbox,
    StoreBlob,
    StoreCard,
    StorePlace,
    Sweep,
    Totals,
    TouchHold,
    TouchMailboxes,
    TrimEntries,
)


class _Box:
    def __init__(self, kind: int, day: int) -> None:
        self.kind, self.sealed, self.floor, self.used_day = kind, False, 0, day
        self.grants: dict[bytes, GrantRow] = {}
        self.entries: dict[int, tuple[EntryRow, bytes]] = {}
        self.holds: dict[bytes, tuple[int, dict[bytes, bytes]]] = {}

    def needed(self) -> set[bytes]:
        return {hold for entry, _ in self.entries.values() for hold in entry.holds}


class _State:
    def __init__(self) -> None:
        self.boxes: dict[int, _Box] = {}
        self.cards: dict[bytes, CardRow] = {}
        self.tags: set[tuple[int, int]] = set()
        self.places: dict[bytes, bytes] = {}
        self.run = 0


class MemoryEngine:
    """Engine and reader in one. A copy of everything makes a batch all or nothing: slow, and plainly right."""

    def __init__(self) -> None:
        self._state = _State()
        self._freed = Freed()

    def begin_run(self, at_least: int = 0) -> int:
        self._state.run = max(self._state.run + RUNS_PER_START, at_least)
        return self._state.run

    def totals(self) -> Totals:
        boxes = self._state.boxes.values()
        return Totals(
            len(boxes),
            sum(len(box.entries) for box in boxes),
            sum(len(blobs) for box in boxes for _, blobs in box.holds.values()),
            len(self._state.cards),
            max(self._state.boxes, default=0),
        )

    def tags(self) -> list[tuple[int, int]]:
        return sorted(self._state.tags)

    def apply(self, batch: Sequence[Operation]) -> Freed:
        before = deepcopy(self._state)
        self._freed = Freed()
        try:
            for operation in batch:
                _APPLY[type(operation)](self, operation)
        except BaseException:
            self._state = before
            raise
        return self._freed

    def reader(self) -> MemoryEngine:
        return self

    def checkpoint(self) -> None:
        pass

    def close(self) -> None:
        pass

    # --- reading ----------------------------------------------------------------------------------------------------

    def mailboxes(self, capability_hashes: Sequence[bytes]) -> list[MailboxRow]:
        wanted = set(capability_hashes)
        found = [number for number, box in self._state.boxes.items() if wanted & set(box.grants)]
        return [row for row in map(self.mailbox, found) if row is not None]

    def mailbox(self, number: int) -> MailboxRow | None:
        box = self._state.boxes.get(number)
        if box is None:
            return None
        entries = tuple(box.entries[n][0] for n in sorted(box.entries))
        holds = tuple(HoldRow(hold, day, tuple(blobs)) for hold, (day, blobs) in box.holds.items())
        grants = tuple(box.grants.values())
        return MailboxRow(number, box.kind, box.sealed, box.floor, box.used_day, grants, entries, holds)

    def envelopes(self, mailbox: int, numbers: Sequence[int]) -> list[tuple[int, bytes]]:
        box = self._state.boxes.get(mailbox)
        return [] if box is None else [(n, box.entries[n][1]) for n in sorted(numbers) if n in box.entries]

    def blob(self, mailbox: int, blob: bytes) -> bytes | None:
        box = self._state.boxes.get(mailbox)
        found = [] if box is None else [blobs[blob] for _, blobs in box.holds.values() if blob in blobs]
        return found[0] if found else None

    def card(self, locator: bytes) -> CardRow | None:
        return self._state.cards.get(locator)

    def cards(self, place: bytes) -> list[CardRow]:
        return [card for locator, card in sorted(self._state.cards.items()) if locator.startswith(place)]

    def place(self, place: bytes) -> bytes | None:
        return self._state.places.get(place)

    def places(self, after: bytes, limit: int) -> list[tuple[bytes, bytes]]:
        return [(place, self._state.places[place]) for place in sorted(self._state.places) if place > after][:limit]

    # --- operations -------------------------------------------------------------------------------------------------

    def _create(self, operation: CreateMailbox) -> None:
        box = self._state.boxes.setdefault(operation.mailbox, _Box(operation.kind, operation.day))
        box.grants.update((grant.hash, grant) for grant in operation.grants)

    def _append(self, operation: AppendEntry) -> None:
        if not operation.dropped:
            entries = self._state.boxes[operation.mailbox].entries
            entries.setdefault(operation.entry.number, (operation.entry, operation.envelope))

    def _trim(self, operation: TrimEntries) -> None:
        box = self._state.boxes[operation.mailbox]
        for number in [n for n in box.entries if n <= operation.upto and n not in operation.keep]:
            del box.entries[number]
        for hold in operation.holds:
            box.holds.pop(hold, None)
        box.floor = max(box.floor, operation.floor)

    def _remove(self, operation: RemoveEntry) -> None:
        box = self._state.boxes[operation.mailbox]
        box.entries.pop(operation.number, None)
        box.floor = max(box.floor, operation.floor)

    def _seal(self, operation: SealMailbox) -> None:
        self._state.boxes[operation.mailbox].sealed = True

    def _delete(self, operation: DeleteMailbox) -> None:
        self._state.boxes.pop(operation.mailbox, None)

    def _grants(self, operation: ChangeGrantRows) -> None:
        grants = self._state.boxes[operation.mailbox].grants
        for hash_ in operation.revoke:
            grants.pop(hash_, None)
        grants.update((grant.hash, grant) for grant in operation.add)

    def _touch(self, operation: TouchMailboxes) -> None:
        for number in operation.mailboxes:
            box = self._state.boxes.get(number)
            if box is not None:
                box.used_day = max(box.used_day, operation.day)

    def _blob(self, operation: StoreBlob) -> None:
        holds = self._state.boxes[operation.mailbox].holds
        day, blobs = holds.get(operation.hold, (0, {}))
        blobs.setdefault(operation.blob, operation.data)
        holds[operation.hold] = (max(day, operation.day), blobs)

    def _touch_hold(self, operation: TouchHold) -> None:
        holds = self._state.boxes[operation.mailbox].holds
        day, blobs = holds.get(operation.hold, (0, {}))
        holds[operation.hold] = (max(day, operation.day), blobs)

    def _card(self, operation: StoreCard) -> None:
        self._state.cards[operation.card.locator] = operation.card

    def _remove_card(self, operation: RemoveCard) -> None:
        self._state.cards.pop(operation.locator, None)

    def _remember(self, operation: RememberTags) -> None:
        self._state.tags |= {(operation.period, tag) for tag in operation.tags}

    def _forget(self, operation: ForgetTags) -> None:
        self._state.tags = {(period, tag) for period, tag in self._state.tags if period > operation.period}

    def _place(self, operation: StorePlace) -> None:
        self._state.places[operation.place] = operation.record
        if not operation.record:
            del self._state.places[operation.place]

    def _sweep(self, operation: Sweep) -> None:
        entries = blobs = 0
        for box in self._state.boxes.values():
            for number in [n for n, (entry, _) in box.entries.items() if entry.day < operation.entries_before]:
                del box.entries[number]
                box.floor = max(box.floor, number)
                entries += 1
            needed = box.needed()
            for hold in [h for h, (day, _) in box.holds.items() if day < operation.holds_before and h not in needed]:
                blobs += len(box.holds.pop(hold)[1])
        cards = [c.locator for c in self._state.cards.values() if c.expires_day < operation.cards_before]
        for locator in cards:
            del self._state.cards[locator]
        idle = [n for n, box in self._state.boxes.items() if box.used_day < operation.mailboxes_before]
        for number in idle:
            box = self._state.boxes.pop(number)
            entries += len(box.entries)
            blobs += sum(len(held) for _, held in box.holds.values())
        self._freed = Freed(entries, blobs, len(cards), len(idle), False)


_APPLY: dict[type, Callable[[MemoryEngine, Any], None]] = {
    CreateMailbox: MemoryEngine._create,
    AppendEntry: MemoryEngine._append,
    TrimEntries: MemoryEngine._trim,
    RemoveEntry: MemoryEngine._remove,
    SealMailbox: MemoryEngine._seal,
    DeleteMailbox: MemoryEngine._delete,
    ChangeGrantRows: MemoryEngine._grants,
    TouchMailboxes: MemoryEngine._touch,
    StoreBlob: MemoryEngine._blob,
    TouchHold: MemoryEngine._touch_hold,
    StoreCard: MemoryEngine._card,
    RemoveCard: MemoryEngine._remove_card,
    RememberTags: MemoryEngine._remember,
    ForgetTags: MemoryEngine._forget,
    StorePlace: MemoryEngine._place,
    Sweep: MemoryEngine._sweep,
}
