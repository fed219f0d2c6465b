"""What one node holds of the places it keeps, and its answers as a member of their swarms.

A place's record is in memory ahead of the disk, like all that the rules decide on (relay.core.places); an answer goes
out once what it says is durable. When a commit fails, everything that was built on it fails with it, and records are
read anew.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from functools import partial
from typing import TypeVar

import msgspec

from roost.crypto import Entropy
from roost.errors import SurroundingsError
from roost.relay.core import places
from roost.relay.core.copies import decode_operations
from roost.relay.core.limits import DAY_S
from roost.relay.core.operations import DeleteMailbox, Freed, Operation, RemoveCard, StorePlace, Totals
from roost.relay.core.places import PlaceRecord, SelfRecord, Verdict
from roost.relay.onion.copying import Copies, Intake, ask
from roost.relay.storage import Reader, Storage
from roost.wire.swarm import (
    INCARNATION_SIZE,
    MAX_RECALLED,
    Adopt,
    Append,
    Beat,
    Deposit,
    Fetch,
    Heard,
    Members,
    Piece,
    Place,
    Prepare,
    Promise,
    Recall,
    Recalled,
    RecalledPlace,
    Retire,
    Standing,
    Taken,
)

T = TypeVar("T")

_SELF = b""  # under which the storage keeps what a node knows of itself
_COURTING_S = 3.0  # how long others wait for one who is about to lead
_RECALLED_BYTES = 64 * 1024  # in one answer, and one place more
_SCAN = 500  # places read at one time

_encoder = msgspec.msgpack.Encoder()
_records = msgspec.msgpack.Decoder(PlaceRecord)
_selves = msgspec.msgpack.Decoder(SelfRecord)


def decode_record(data: bytes) -> PlaceRecord:
    """As it is on disk."""
    return _records.decode(data)


class Replica:
    """`leads` says whether this node leads a place now; `failed` is called when what is in memory is not to be relied
    on any more, `changed` with each record before it is on disk; `clock` is seconds since 1970."""

    def __init__(self, own: bytes, storage: Storage, clock: Callable[[], float]) -> None:
        self.own = own
        self.storage = storage
        self.clock = clock
        self.identity = SelfRecord(b"", None)
        self.leads: Callable[[bytes], bool] = lambda _place: False
        self.failed: Callable[[], None] = lambda: None
        self.changed: Callable[[bytes, PlaceRecord], None] = lambda _place, _record: None
        self.generation = 0
        self._records: dict[bytes, PlaceRecord] = {}
        self._courted: dict[bytes, float] = {}  # when that was last seen, the oldest first
        self._last_mailbox = 0
        self._copies = Copies(storage)
        self._intakes: dict[bytes, Intake] = {}
        self._fetched: dict[bytes, int] = {}  # the view whose leader has a copy of all that is here

    async def open(self, entropy: Entropy) -> None:
        totals: Totals = await self.ask(lambda reader: reader.totals())
        self._last_mailbox = totals.last_mailbox
        after = _SELF
        while rows := await self.scan(after):
            after = rows[-1][0]
            self._last_mailbox = max(self._last_mailbox, *(max(one.mailbox, one.incoming) for _, one in rows))
        stored = await self.ask(lambda reader: reader.place(_SELF))
        if stored is not None:
            self.identity = _selves.decode(stored)
        else:
            await self.remember(SelfRecord(entropy.bytes(INCARNATION_SIZE), None))

    async def remember(self, identity: SelfRecord) -> None:
        self.identity = identity
        await self.submit((StorePlace(_SELF, _encoder.encode(identity)),))

    # --- records ----------------------------------------------------------------------------------------------------

    async def record(self, place: bytes) -> PlaceRecord:
        """What is known of a place, now: nothing may be awaited between this and what is decided on it."""
        while place not in self._records:
            generation = self.generation
            stored = await self.ask(lambda reader: reader.place(place))
            if generation == self.generation and place not in self._records:
                if stored is None:
                    return PlaceRecord(self.number())  # not kept: anybody may ask about any place
                self._records[place] = decode_record(stored)
        return self._records[place]

    def at_hand(self, place: bytes) -> PlaceRecord:
        """As `record`, of a place that this node leads."""
        return self._records[place]

    def number(self) -> int:
        """One that no mailbox here has had."""
        self._last_mailbox += 1
        return self._last_mailbox

    def hand_in(
        self,
        place: bytes,
        record: PlaceRecord,
        operations: Sequence[Operation],
        done: Callable[[SurroundingsError | None], None],
    ) -> None:
        """Commit the record and what belongs to it."""
        record = msgspec.structs.replace(record, day=int(self.clock()) // DAY_S)
        self._records[place] = record
        self.changed(place, record)
        generation = self.generation

        def written(error: SurroundingsError | None, _: Freed) -> None:
            first = error is not None and generation == self.generation
            if first:
                self.generation += 1
                self._records.clear()
                self._intakes.clear()
            done(error)
            if first:
                self.failed()

        self.storage.submit((*operations, StorePlace(place, _encoder.encode(record))), written)

    async def commit(self, place: bytes, record: PlaceRecord, operations: Sequence[Operation] = ()) -> None:
        """Returns once it is durable. Raises SurroundingsError."""
        future: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self.hand_in(place, record, operations, lambda error: _resolve(future, error))
        await future

    async def submit(self, operations: Sequence[Operation]) -> None:
        """Returns once these, and all that was handed in before, are durable. Raises SurroundingsError."""
        future: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self.storage.submit(operations, lambda error, _: _resolve(future, error))
        await future

    async def ask(self, question: Callable[[Reader], T]) -> T:
        return await ask(self.storage, question)

    async def scan(self, after: bytes) -> list[tuple[bytes, PlaceRecord]]:
        """The next places behind `after`, as they are on disk."""
        rows = await self.ask(lambda reader: reader.places(after, _SCAN))
        return [(place, decode_record(record)) for place, record in rows]

    def standing(self, place: bytes, record: PlaceRecord) -> Standing:
        since = asyncio.get_running_loop().time() - _COURTING_S
        return record.standing(
            self.identity.incarnation,
            sure=bool(self.identity.sure),
            leading=self.leads(place),
            courted=self._courted.get(place, since) > since,
        )

    def court(self, place: bytes) -> None:
        """Somebody is about to lead the place."""
        now = asyncio.get_running_loop().time()
        self._courted.pop(place, None)
        self._courted[place] = now
        while next(iter(self._courted.values())) < now - _COURTING_S:
            del self._courted[next(iter(self._courted))]

    # --- a member's answers -----------------------------------------------------------------------------------------

    async def look(self, place: Place) -> Standing:
        return self.standing(place, await self.record(place))

    async def prepare(self, node: bytes, call: Prepare) -> Promise:
        record = await self.record(call.place)
        standing = self.standing(call.place, record)
        promised = places.prepare(record, node, call.view, call.members)
        if promised is None or not (standing.known or standing.sure):
            return Promise(granted=False, standing=standing)
        self.court(call.place)
        await self.commit(call.place, promised)
        return Promise(granted=True, standing=standing)

    async def adopt(self, node: bytes, call: Adopt) -> Taken:
        record = await self.record(call.place)
        base = (call.base, call.base_sequence)
        verdict, adopted = places.adopt(record, node, call.view, call.members, base)
        if verdict != Verdict.REFUSED:
            self.court(call.place)
        if verdict == Verdict.TAKEN:
            self._fetched.pop(call.place, None)
        return await self._taken(call.place, verdict, adopted, ())

    async def append(self, node: bytes, call: Append) -> Taken:
        record = await self.record(call.place)
        verdict, appended = places.append(record, node, call.view, call.sequence)
        operations: Sequence[Operation] = ()
        if verdict == Verdict.TAKEN:
            operations = decode_operations(call.operations, call.place, record.mailbox)
        return await self._taken(call.place, verdict, appended, operations)

    async def deposit(self, node: bytes, call: Deposit) -> Taken:
        record = await self.record(call.place)
        if not record.follows(node, call.view) or self._left_out(call.place, record, call.view, call.origin):
            return self._told(record, done=False)
        self.court(call.place)
        if record.view == call.view and record.present and record.sequence >= call.sequence:
            return await self._taken(call.place, Verdict.ALREADY, record, ())
        intake = await self.take_piece(call.place, (node, call.view, call.sequence), call.piece, call.operations)
        if intake is None:
            return self._told(await self.record(call.place), done=False)
        if call.last:
            begun = await self.exchange(call.place, intake, node, call.view, call.members, call.sequence, call.origin)
            return self._told(begun or await self.record(call.place), done=begun is not None)
        return self._told(await self.record(call.place), done=True)

    async def fetch(self, node: bytes, call: Fetch) -> Piece:
        record = await self.record(call.place)
        if not record.present or record.promised != call.view or record.voted != node:
            return Piece(last=True, operations=b"")
        self.court(call.place)
        copy = await self._copies.of(call.place, record)
        piece = await copy.piece(call.piece)
        if (await self.record(call.place)).mailbox != record.mailbox:  # what was read may have been deleted by then
            return Piece(last=True, operations=b"")
        if piece.last:
            self._fetched[call.place] = call.view
        return piece

    async def retire(self, node: bytes, call: Retire) -> Taken:
        record = await self.record(call.place)
        retired = places.retire(record, node, call.view, call.members, call.origin)
        if retired is None or self._left_out(call.place, record, call.view, call.origin):
            return self._told(record, done=record.view >= call.view)
        retired = msgspec.structs.replace(retired, mailbox=self.number(), incoming=0)
        cards = await self.ask(lambda reader: reader.cards(call.place))
        if await self.record(call.place) != record:
            return self._told(record, done=False)
        self._intakes.pop(call.place, None)
        self._fetched.pop(call.place, None)
        gone = [RemoveCard(card.locator) for card in cards]
        await self.commit(call.place, retired, (DeleteMailbox(record.mailbox), *_deleted(record.incoming), *gone))
        return self._told(retired, done=True)

    async def heard(self, node: bytes, call: Beat) -> Heard:
        refused, behind = [], []
        for index, item in enumerate(call.items):
            record = await self.record(item.place)
            if not record.follows(node, item.view):
                refused.append(index)
            elif not record.present or (record.view, record.sequence) < (item.view, item.sequence):
                behind.append(index)
        return Heard(tuple(refused), tuple(behind))

    async def recall(self, node: bytes, call: Recall) -> Recalled:
        """The places at which `node` was known, read from disk."""
        found: list[RecalledPlace] = []
        size = 0
        after: bytes = call.after
        while len(found) < MAX_RECALLED and size < _RECALLED_BYTES:
            rows = await self.scan(after)
            if not rows:
                return Recalled(tuple(found), b"")
            for place, record in rows:
                after = place
                if _names(record, node):
                    found.append(RecalledPlace(place, self.standing(place, record)))
                    size += len(_encoder.encode(record))
                    if len(found) == MAX_RECALLED or size >= _RECALLED_BYTES:
                        break
        return Recalled(tuple(found), after)

    async def forget(self, before: int) -> None:
        """Let go of records that have not changed since before that day, of places where nothing is."""
        after = _SELF
        while rows := await self.scan(after):
            after = rows[-1][0]
            old = [(place, record) for place, record in rows if record.day < before and not self.leads(place)]
            for place, record in old:
                if await self.ask(partial(_empty, place, record)) and await self.record(place) == record:
                    del self._records[place]
                    self.storage.submit((StorePlace(place, b""),), lambda _error, _freed: None)

    async def learn(self, place: bytes, told: Standing) -> bool:
        """Another member knows this of a place; this disk may have forgotten it. True if it had."""
        record = await self.record(place)
        if not (places.likely(told.view, self.clock()) and places.likely(told.promised, self.clock())):
            return False
        learned = places.forgotten(record, told)
        if learned is None:
            return False
        await self.commit(place, learned)
        return True

    # --- copies -----------------------------------------------------------------------------------------------------

    def copies(self) -> Copies:
        return self._copies

    async def take_piece(
        self, place: bytes, of: tuple[bytes, int, int], piece: int, operations: bytes
    ) -> Intake | None:
        """Keep a piece of a copy beside what is there; None if pieces before it are missing."""
        intake = self._intakes.get(place)
        if intake is not None and intake.of == of and piece == intake.next - 1:
            await self.submit(())  # once more: it was handed in
            return intake
        record = await self.record(place)
        gone: tuple[Operation, ...] = ()
        if piece == 0:
            intake = self._intakes[place] = Intake(of, self.number())
            gone = _deleted(record.incoming)
        elif intake is None or intake.of != of or piece != intake.next:
            return None
        changes = intake.take(decode_operations(operations, place, intake.mailbox))
        try:
            if piece == 0:
                await self.commit(place, msgspec.structs.replace(record, incoming=intake.mailbox), (*gone, *changes))
            else:
                await self.submit(changes)
        except SurroundingsError:
            self._drop(place, intake)
            raise
        return intake

    async def exchange(
        self, place: bytes, intake: Intake, leader: bytes, view: int, members: Members, sequence: int, origin: int
    ) -> PlaceRecord | None:
        """The copy that came is what this node holds of `view` from now on; the record that says so. None if another
        copy has begun to come in meanwhile, or another leader is followed."""
        cards = await self.ask(lambda reader: reader.cards(place))
        record = await self.record(place)
        if self._intakes.get(place) is not intake or not record.follows(leader, view):
            return None
        del self._intakes[place]
        self._fetched.pop(place, None)
        begun = places.begun(record, leader, view, members, sequence, origin=origin)
        begun = msgspec.structs.replace(begun, mailbox=intake.mailbox, incoming=0)
        gone = [RemoveCard(card.locator) for card in cards]
        await self.commit(place, begun, (DeleteMailbox(record.mailbox), *gone, *intake.kept_back))
        return begun

    def _drop(self, place: bytes, intake: Intake) -> None:
        if self._intakes.get(place) is intake:
            del self._intakes[place]

    # --- inside -----------------------------------------------------------------------------------------------------

    def _left_out(self, place: bytes, record: PlaceRecord, view: int, origin: int) -> bool:
        """What is here is not in what others hold: it may only go once the view's leader has taken it in."""
        return places.apart(record, origin) and self._fetched.get(place) != view

    async def _taken(
        self, place: bytes, verdict: Verdict, record: PlaceRecord, operations: Sequence[Operation]
    ) -> Taken:
        if verdict == Verdict.TAKEN:
            await self.commit(place, record, operations)
        elif verdict == Verdict.ALREADY:
            await self.submit(())
        return self._told(record, done=verdict in (Verdict.TAKEN, Verdict.ALREADY))

    def _told(self, record: PlaceRecord, *, done: bool) -> Taken:
        return Taken(done, self.identity.incarnation, record.promised, record.sequence)


def _empty(place: bytes, record: PlaceRecord, reader: Reader) -> bool:
    return reader.mailbox(record.mailbox) is None and not reader.cards(place)


def _deleted(mailbox: int) -> tuple[Operation, ...]:
    return (DeleteMailbox(mailbox),) if mailbox else ()


def _names(record: PlaceRecord, node: bytes) -> bool:
    return any(member.node == node for members in (record.members, *record.planned) for member in members)


def _resolve(future: asyncio.Future[None], error: SurroundingsError | None) -> None:
    if future.done():
        return
    if error is None:
        future.set_result(None)
    else:
        future.set_exception(error)
