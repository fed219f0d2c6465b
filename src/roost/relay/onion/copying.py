"""Whole copies of places, piece by piece, from a storage and into one (relay.core.copies)."""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from collections.abc import Callable, Sequence
from typing import TypeVar

from roost.relay.core.copies import BlobPiece, CopyPiece, EntryPiece, encode_operations, kept_back, pieces
from roost.relay.core.operations import AppendEntry, Operation, StoreBlob
from roost.relay.core.places import PlaceRecord
from roost.relay.storage import Reader, Storage
from roost.wire.swarm import Piece

T = TypeVar("T")

_KEPT = 16  # lists of what is to be copied


class Copy:
    """A place as it was at one moment. What was trimmed since is not copied."""

    def __init__(self, storage: Storage, mailbox: int, listed: Sequence[CopyPiece]) -> None:
        self._storage = storage
        self._mailbox = mailbox
        self._listed = listed

    async def piece(self, number: int) -> Piece:
        if number >= len(self._listed):
            return Piece(last=True, operations=b"")
        operations = await self._read(self._listed[number])
        return Piece(number + 1 == len(self._listed), encode_operations(operations))

    async def _read(self, piece: CopyPiece) -> Sequence[Operation]:
        match piece:
            case EntryPiece(rows):
                numbers = [row.number for row in rows]
                found = dict(await ask(self._storage, lambda reader: reader.envelopes(self._mailbox, numbers)))
                return [AppendEntry(0, row, found[row.number]) for row in rows if row.number in found]
            case BlobPiece(hold, day, blob):
                data = await ask(self._storage, lambda reader: reader.blob(self._mailbox, blob))
                return [] if data is None else [StoreBlob(0, hold, blob, day, data)]
            case _:
                return piece.operations


class Copies:
    """Copies of what one node holds."""

    def __init__(self, storage: Storage) -> None:
        self._storage = storage
        self._kept: OrderedDict[tuple[int, int, int], Copy] = OrderedDict()

    async def of(self, place: bytes, record: PlaceRecord) -> Copy:
        """The state that `record` tells of, which must not change while this lists it."""
        key = (record.mailbox, record.view, record.sequence)
        copy = self._kept.get(key)
        if copy is None:

            def listed(reader: Reader) -> list[CopyPiece]:
                return pieces(reader.mailbox(record.mailbox), reader.cards(place))

            copy = Copy(self._storage, record.mailbox, await ask(self._storage, listed))
            self._kept[key] = copy
            if len(self._kept) > _KEPT:
                self._kept.popitem(last=False)
        self._kept.move_to_end(key)
        return copy


class Intake:
    """A copy that is coming in; `of`: who sends it, and which state it is."""

    def __init__(self, of: tuple[bytes, int, int], mailbox: int) -> None:
        self.of = of
        self.mailbox = mailbox
        self.next = 0
        self.kept_back: list[Operation] = []

    def take(self, operations: Sequence[Operation]) -> list[Operation]:
        """What can be committed at once of the next piece."""
        self.next += 1
        self.kept_back += [operation for operation in operations if kept_back(operation)]
        return [operation for operation in operations if not kept_back(operation)]


async def ask(storage: Storage, question: Callable[[Reader], T]) -> T:
    """`Storage.ask`, awaited."""
    future: asyncio.Future[T] = asyncio.get_running_loop().create_future()
    storage.ask(question, lambda answer: None if future.done() else future.set_result(answer))
    return await future
