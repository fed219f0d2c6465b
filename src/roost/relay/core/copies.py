"""Changes that travel between the nodes of a swarm, checked and with a node's own numbers; whole copies in pieces.

A copy of a place is itself a list of changes that make it from nothing. The node that takes one builds it beside what
it has, under another number, and exchanges both in one transaction with the last piece.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TypeVar

import msgspec

from roost.errors import WireError
from roost.relay.core.operations import (
    AppendEntry,
    CardRow,
    ChangeGrantRows,
    CreateMailbox,
    EntryRow,
    GrantRow,
    MailboxRow,
    Operation,
    PlaceOperation,
    RemoveCard,
    SealMailbox,
    StoreBlob,
    StoreCard,
    TouchMailboxes,
    TrimEntries,
)
from roost.wire.mailbox import Right
from roost.wire.sizes import (
    BLOB_ID_SIZE,
    BLOB_SIZE,
    ENVELOPE_SIZE,
    HASH_SIZE,
    HOLD_SIZE,
    MAX_CARD_SIZE,
    SWARM_OPERATIONS,
)

T = TypeVar("T")

_encoder = msgspec.msgpack.Encoder()
_decoder = msgspec.msgpack.Decoder(tuple[PlaceOperation, ...])
_MAX_NUMBER = 2**63 - 1
_ENTRIES = 24  # in a piece: with their rows they stay under SWARM_OPERATIONS, as one blob does
_ROWS = 1_000  # grants in a piece
_CARDS = 16
_HOLDS = 2_000  # in one trim
_SIZES = {"hash": HASH_SIZE, "writer_hash": HASH_SIZE, "hold": HOLD_SIZE, "blob": BLOB_ID_SIZE, "data": BLOB_SIZE}


def encode_operations(operations: Iterable[Operation]) -> bytes:
    return _encoder.encode(tuple(operations))


def encode_operation(operation: Operation) -> bytes:
    return _encoder.encode(operation)


def join_operations(encoded: Sequence[bytes]) -> bytes:
    """What `encode_operations` gives for operations that `encode_operation` encoded."""
    count = len(encoded)
    head = bytes([0x90 | count]) if count < 16 else b"\xdc" + count.to_bytes(2)
    return head + b"".join(encoded)


def decode_operations(data: bytes, place: bytes, mailbox: int) -> list[Operation]:
    """Changes of this place, for the mailbox that has the number `mailbox` here. Raises WireError."""
    try:
        operations = _decoder.decode(data)
    except (msgspec.MsgspecError, ValueError, RecursionError) as error:
        raise WireError("malformed operations") from error
    for operation in operations:
        _check(operation)
        match operation:
            case StoreCard():
                _check_locator(operation.card.locator, place)
            case RemoveCard():
                _check_locator(operation.locator, place)
            case TouchMailboxes():
                operation.mailboxes = (mailbox,)
            case _:
                operation.mailbox = mailbox
        if isinstance(operation, AppendEntry):
            operation.dropped = operation.begun = False
    return list(operations)


def divided(operations: Iterable[Operation]) -> list[Operation]:
    """The same, none of them larger than fits a message."""
    result: list[Operation] = []
    for operation in operations:
        if isinstance(operation, TrimEntries) and len(operation.holds) > _HOLDS:
            holds = operation.holds
            for start in range(0, len(holds), _HOLDS):
                part = holds[start : start + _HOLDS]
                result.append(TrimEntries(operation.mailbox, operation.upto, operation.keep, operation.floor, part))
        else:
            result.append(operation)
    return result


# --- copies -----------------------------------------------------------------------------------------------------------


class EntryPiece(msgspec.Struct, frozen=True):
    """These entries with their envelopes, as far as they are there still."""

    rows: tuple[EntryRow, ...]


class BlobPiece(msgspec.Struct, frozen=True):
    hold: bytes
    day: int
    blob: bytes


class WholePiece(msgspec.Struct, frozen=True):
    operations: tuple[Operation, ...]


CopyPiece = EntryPiece | BlobPiece | WholePiece


def pieces(row: MailboxRow | None, cards: Sequence[CardRow]) -> list[CopyPiece]:
    """What makes a place from nothing; mailboxes have the number 0. At least one piece."""
    found: list[CopyPiece] = []
    if row is not None:
        head: list[Operation] = [CreateMailbox(0, row.kind, row.used_day, ())]
        if row.floor:
            head.append(TrimEntries(0, 0, (), row.floor))
        if row.sealed:
            head.append(SealMailbox(0))
        found.append(WholePiece(tuple(head)))
        # Grants come first: they tell whose mailbox it is.
        found += [WholePiece((ChangeGrantRows(0, tuple(grants), ()),)) for grants in _parts(row.grants, _ROWS)]
        for hold in row.holds:
            found += [BlobPiece(hold.hold, hold.day, blob) for blob in hold.blobs]
        found += [EntryPiece(tuple(part)) for part in _parts(row.entries, _ENTRIES)]
    found += [WholePiece(tuple(StoreCard(card) for card in part)) for part in _parts(cards, _CARDS)]
    return found or [WholePiece(())]


def kept_back(operation: Operation) -> bool:
    """Whether a change of a copy may only be made with its last piece, since it would touch what is there."""
    return isinstance(operation, ChangeGrantRows | StoreCard)


class Union:
    """Copies of states of one place that began apart, made one: the first stays as it is, and what only others have
    comes after it, under numbers above `spent`. A mailbox of another is the same one if it shares an administrator with
    the first one's, or if that has none; else nothing of it is taken."""

    def __init__(self, spent: int) -> None:
        self._top = spent
        self._made = False
        self._admins: set[bytes] = set()
        self._entries: set[bytes] = set()
        self._blobs: set[tuple[bytes, bytes]] = set()
        self._cards: dict[bytes, CardRow] = {}
        self._read: set[bytes] = set()  # what all others have
        self._upto = 0  # how far readers of others may be
        self._whole = False  # the other's mailbox is the only one
        self._same = False  # or the same

    def beside(self, entries: Iterable[EntryRow], spent: int) -> None:
        """Before all else: another of the copies has these. Who read it may be beyond what it lacks: up to its last
        entry, or up to `spent` if nothing is left."""
        numbers = {entry.hash: entry.number for entry in entries}
        self._read = self._read & numbers.keys() if self._upto else set(numbers)
        self._upto = max(self._upto, max(numbers.values(), default=spent))

    def first(self, operations: Sequence[Operation]) -> list[Operation]:
        """What is to be taken of a piece of the first copy: all, some of it under new numbers."""
        self._note(operations)
        return [self._moved(operation) for operation in operations]

    def _moved(self, operation: Operation) -> Operation:
        if not isinstance(operation, AppendEntry):
            return operation
        entry = operation.entry
        if entry.number > self._upto or entry.hash in self._read:
            return operation
        self._top += 1
        return AppendEntry(0, msgspec.structs.replace(entry, number=self._top), operation.envelope)

    def _note(self, operations: Iterable[Operation]) -> None:
        for operation in operations:
            match operation:
                case CreateMailbox():
                    self._made = True
                case ChangeGrantRows(add=grants):
                    self._admins |= _admins(grants)
                case TrimEntries(floor=floor):
                    self._top = max(self._top, floor)
                case AppendEntry(entry=entry):
                    self._entries.add(entry.hash)
                    self._top = max(self._top, entry.number)
                case StoreBlob(hold=hold, blob=blob):
                    self._blobs.add((hold, blob))
                case StoreCard(card=card):
                    self._cards[card.locator] = card
                case _:
                    pass

    def more(self, operations: Iterable[Operation]) -> list[Operation]:
        """What is to be taken of a piece of the next one."""
        return [taken for operation in operations if (taken := self._taken(operation)) is not None]

    def _taken(self, operation: Operation) -> Operation | None:
        wanted = False
        match operation:
            case CreateMailbox():
                wanted = self._whole = self._same = not self._made
                self._made = True
            case ChangeGrantRows(add=grants):
                wanted = self._whole
                self._same = self._same or bool(_admins(grants) & self._admins)
                self._admins |= _admins(grants) if wanted else set()
            case TrimEntries() | SealMailbox():
                wanted = self._whole
            case AppendEntry(entry=entry) if self._same and entry.hash not in self._entries:
                self._entries.add(entry.hash)
                self._top += 1
                return AppendEntry(0, msgspec.structs.replace(entry, number=self._top), operation.envelope)
            case StoreBlob(hold=hold, blob=blob) if self._same:
                wanted = (hold, blob) not in self._blobs
                self._blobs.add((hold, blob))
            case StoreCard(card=card):
                wanted = self._newer(card)
                if wanted:
                    self._cards[card.locator] = card
            case _:
                pass
        return operation if wanted else None

    def _newer(self, card: CardRow) -> bool:
        known = self._cards.get(card.locator)
        return known is None or (known.writer_hash == card.writer_hash and known.version < card.version)


# --- inside -----------------------------------------------------------------------------------------------------------


def _admins(grants: Iterable[GrantRow]) -> set[bytes]:
    return {grant.hash for grant in grants if grant.right == Right.ADMIN}


def _parts(rows: Sequence[T], size: int) -> list[Sequence[T]]:
    return [rows[start : start + size] for start in range(0, len(rows), size)]


def _check(operation: Operation) -> None:
    """Sizes and bounds: what the storage could not keep must not reach it."""
    _check_values(operation)
    match operation:
        case AppendEntry():
            if len(operation.envelope) != ENVELOPE_SIZE:
                raise WireError("an envelope has one size")
            _check_values(operation.entry)
        case CreateMailbox(grants=grants) | ChangeGrantRows(add=grants):
            for grant in grants:
                _check_values(grant)
        case StoreCard():
            _check_values(operation.card)
            if len(operation.card.card) > MAX_CARD_SIZE:
                raise WireError("a card is too large")
        case _:
            pass


def _check_values(row: Operation | EntryRow | GrantRow | CardRow) -> None:
    for name in row.__struct_fields__:
        value = getattr(row, name)
        if isinstance(value, int) and not 0 <= value <= _MAX_NUMBER:
            raise WireError("a number is out of bounds")
        if isinstance(value, bytes) and len(value) != _SIZES.get(name, len(value)):
            raise WireError("a value has the wrong size")
    match row:
        case TrimEntries(keep=keep, holds=holds):
            if any(not 0 <= number <= _MAX_NUMBER for number in keep):
                raise WireError("a number is out of bounds")
            _check_sizes(holds, HOLD_SIZE)
        case EntryRow(holds=holds):
            _check_sizes(holds, HOLD_SIZE)
        case ChangeGrantRows(revoke=revoke):
            _check_sizes(revoke, HASH_SIZE)
        case _:
            pass


def _check_sizes(values: Iterable[bytes], size: int) -> None:
    if any(len(value) != size for value in values):
        raise WireError("a value has the wrong size")


def _check_locator(locator: bytes, place: bytes) -> None:
    if not locator.startswith(place):
        raise WireError("a card of another place")


assert _ENTRIES * (ENVELOPE_SIZE + 1_024) < SWARM_OPERATIONS
