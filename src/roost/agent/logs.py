"""The agent's side of shared logs: one reader for each, making them, granting rights, and putting what is appended.

What is decided about records is messaging.logs' and their owners'. What goes into one log goes in its order, one record
after the other; one log never waits for another.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from functools import partial
from typing import TYPE_CHECKING, Any, Final

from roost.agent.log_reader import LogReader
from roost.agent.networks import place_at
from roost.crypto import BLOB_PLAIN, AttachmentKey, blob_count, capability_hash, padding_blob
from roost.errors import Refused, RoostError, Unreachable
from roost.messaging import logs
from roost.messaging.groups import upkeep as groups
from roost.messaging.records import (
    NEVER,
    LogGrant,
    LogKind,
    LogPut,
    LogPutState,
    LogSpill,
    LogState,
    OwnRelay,
    Row,
    SharedLog,
    Travel,
)
from roost.messaging.work import Work
from roost.wire.mailbox import (
    ChangeGrants,
    Create,
    Delete,
    Grant,
    MailboxKind,
    Put,
    PutBlob,
    RefusalCode,
    Right,
    Seal,
)

if TYPE_CHECKING:
    from roost.agent.engine import Engine

CONCERNS: Final[frozenset[type[Row]]] = frozenset({SharedLog, LogGrant, LogPut, Travel})
RETRY_MS: Final = 10_000
REFUSED_MS: Final = 60_000
LOOK_AHEAD_MS: Final = 60_000  # the engine never sleeps longer
BLOBS_IN_FLIGHT: Final = 8
FETCHING: Final = 2  # large records in memory at one time
_READ: Final = frozenset({LogState.OPEN, LogState.LOST, LogState.TO_SEAL, LogState.SEALED})
_PASSING: Final = frozenset({RefusalCode.SLOW_DOWN, RefusalCode.INTERNAL, RefusalCode.UNREACHABLE})


class Logs:
    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._readers: dict[bytes, LogReader] = {}
        self._running: dict[tuple[str, object], asyncio.Task[None]] = {}
        self._again_at: dict[tuple[str, object], int] = {}
        self._due_at = 0
        self.fetching = asyncio.Semaphore(FETCHING)

    # --- starting what is due -----------------------------------------------------------------------------------------

    def start_due(self, touched: frozenset[type[Row]]) -> None:
        """Have a reader for each log that is to be read, and a job for all that is to be done and has none."""
        work = self._engine.look()
        later = {name: at for name, at in self._again_at.items() if at > work.now}
        again, self._again_at = len(later) < len(self._again_at), later
        if again or not touched.isdisjoint((SharedLog, LogGrant, OwnRelay, Travel)):
            self._look_at_logs(work)
        for put in logs.uploading(work):
            if put.spilled is not None and put.spilled_done < put.spilled.blobs:
                self._start(("spill", put.number), partial(self._spill, put.number))
        for id in self._readers:
            if ("put", id) not in self._running and self._may_put(work, id):
                self._start(("put", id), partial(self._put_all, id))

    @staticmethod
    def _may_put(work: Work, id: bytes) -> bool:
        """Whether something may be due; `_put_all` looks closely."""
        states = (LogPutState.SEALED, LogPutState.STORED)
        where = [{"log": id, "state": int(state)} for state in states]
        return any(work.find(LogPut, where=row, at_most=("next_at", work.now), limit=1) for row in where)

    def _look_at_logs(self, work: Work) -> None:
        rows = {row.id: row for row in work.find(SharedLog)}
        for id, reader in list(self._readers.items()):
            row = rows.get(id)
            if row is None or not _is_read(row) or not reader.current or not self._as_it_reads(reader, row):
                self._engine.start(self._readers.pop(id).close())
        for id, row in rows.items():
            if _is_read(row) and id not in self._readers:
                self._readers[id] = LogReader(self._engine, row)
            job = self._job(row, work)
            if job is not None:
                self._start((job[0], id), job[1])

    def _as_it_reads(self, reader: LogReader, row: SharedLog) -> bool:
        """Whether a log is to be read the way that its reader does: relays come and go, people choose."""
        return (reader.route, reader.mixed) == (self._engine.network.route(row.relay), self._engine.mixed(row.owner))

    def _job(self, row: SharedLog, work: Work) -> tuple[str, Callable[[], Coroutine[Any, Any, None]]] | None:
        match LogState(row.state):
            case LogState.TO_CREATE:
                return "create", partial(self._create, row.id)
            case LogState.TO_SEAL:
                return "seal", partial(self._seal, row)
            case LogState.TO_DELETE:
                return "delete", partial(self._delete, row)
            case LogState.OPEN if row.admin and logs.grants_due(work, row):
                return "grant", partial(self._grant, row)
        return None

    def _start(self, name: tuple[str, object], work: Callable[[], Coroutine[Any, Any, None]]) -> None:
        if name not in self._running and self._again_at.get(name, 0) <= self._engine.now_ms:
            task = self._engine.start(self._guarded(name, work))
            self._running[name] = task
            task.add_done_callback(lambda _: self._ended(name))

    def _ended(self, name: tuple[str, object]) -> None:
        self._running.pop(name, None)
        self._engine.wake()

    async def _guarded(self, name: tuple[str, object], work: Callable[[], Coroutine[Any, Any, None]]) -> None:
        try:
            await work()
        except Unreachable:
            self._again_at[name] = self._engine.now_ms + RETRY_MS
        except RoostError as error:
            lasting = isinstance(error, Refused) and error.code not in _PASSING
            self._again_at[name] = self._engine.now_ms + (REFUSED_MS if lasting else RETRY_MS)
            self._engine.trouble(error)

    # --- for the engine -----------------------------------------------------------------------------------------------

    @property
    def due(self) -> bool:
        """Whether the moment has come that `next_deadline` named last."""
        return self._due_at <= self._engine.now_ms

    def next_deadline(self) -> int:
        """When something is due again, in milliseconds since 1970; NEVER when nothing is."""
        due = min(self._again_at.values(), default=NEVER)
        now, work, soon = self._engine.now_ms, self._engine.look(), []
        if work.find(LogPut, limit=1):
            within = ("next_at", now + LOOK_AHEAD_MS)
            soon = work.find(LogPut, at_most=within, order="next_at", descending=True, limit=16)
        self._due_at = min([due, *(put.next_at for put in soon if put.next_at > now)])
        return self._due_at

    @property
    def idle(self) -> bool:
        """Nothing is on its way that can leave now."""
        return not self._running

    @property
    def caught_up(self) -> bool:
        """All that lay in my logs when they were last looked at is taken in, of those too that this led to."""
        rows = [row for row in self._engine.look().find(SharedLog) if _is_read(row)]
        readers = [self._readers.get(row.id) for row in rows]
        return all(reader is not None and reader.caught_up for reader in readers)

    def look_now(self) -> None:
        """Ask all hosts anew for what is there."""
        for reader in self._readers.values():
            reader.look_now()

    def hurry(self) -> None:
        """A way is open again: try again now what failed."""
        self._again_at.clear()
        for reader in self._readers.values():
            reader.poke()

    async def close(self) -> None:
        """End everything; what was under way goes on next time."""
        tasks = list(self._running.values())
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, *(reader.close() for reader in self._readers.values()), return_exceptions=True)

    # --- the log itself -----------------------------------------------------------------------------------------------

    async def _create(self, id: bytes) -> None:
        work = self._engine.look()
        row = work.get(SharedLog, id)
        if row is None or row.state != LogState.TO_CREATE:
            return
        first = [grant for grant in logs.grants_due(work, row) if grant.add]
        own = (
            Grant(capability_hash(row.admin), Right.ADMIN),
            Grant(capability_hash(row.get), Right.GET),
            Grant(capability_hash(row.put), Right.PUT),
        )
        mine = {grant.capability_hash for grant in own}
        writers = tuple(
            Grant(grant.capability_hash, Right.PUT, grant.limit) for grant in first if grant.capability_hash not in mine
        )
        create = Create(MailboxKind.SHARED, own + writers, place=place_at(row.relay, row.get))
        await self._engine.network.call(row.relay, create, mixed=self._engine.mixed(row.owner))
        self._engine.step(_created, id, first)

    async def _grant(self, row: SharedLog) -> None:
        while due := logs.grants_due(self._engine.look(), row):
            add = tuple(Grant(grant.capability_hash, Right.PUT, grant.limit) for grant in due if grant.add)
            revoke = tuple(grant.capability_hash for grant in due if not grant.add)
            try:
                mixed = self._engine.mixed(row.owner)
                await self._engine.network.call(row.relay, ChangeGrants(row.admin, add, revoke), mixed=mixed)
            except Refused as error:
                if error.code in _PASSING:
                    raise
                self._engine.step(logs.grant_refused, due, error.code)
            else:
                self._engine.step(logs.granted, due)

    async def _seal(self, row: SharedLog) -> None:
        try:
            await self._engine.network.call(row.relay, Seal(row.admin), mixed=self._engine.mixed(row.owner))
        except Refused as error:
            if error.code != RefusalCode.DENIED:  # else it is gone, and sealed well enough
                raise
        self._engine.step(logs.sealed, row.id)

    async def _delete(self, row: SharedLog) -> None:
        try:
            await self._engine.network.call(row.relay, Delete(row.admin), mixed=self._engine.mixed(row.owner))
        except Refused as error:
            if error.code != RefusalCode.DENIED:
                raise
        self._engine.step(logs.deleted, row.id)

    # --- putting ------------------------------------------------------------------------------------------------------

    async def _put_all(self, id: bytes) -> None:
        """Put what is due, in order, until something is refused."""
        while True:
            work = self._engine.look()
            log = work.get(SharedLog, id)
            due = logs.due(work, log) if log is not None else []
            if log is None or not due:
                break
            for row in due:
                if not await self._put(work, log, row):
                    return
        reader = self._readers.get(id)
        if reader is not None and reader.route == "federated":
            reader.poke()

    async def _put(self, work: Work, log: SharedLog, row: LogPut) -> bool:
        needs = logs.needs_of(work, row)
        # The last part of a full mailbox is kept for administrators: what keeps a group or channel going must pass.
        capability = log.admin if log.admin and row.problem == RefusalCode.FULL else log.put
        puts = [Put(capability, envelope, row.ephemeral, needs) for envelope in row.envelopes]
        try:
            call = partial(self._engine.network.call, mixed=self._engine.mixed(log.owner))
            await asyncio.gather(*(call(log.relay, put) for put in puts))
        except RoostError as error:
            retry_after_ms = error.retry_after_ms if isinstance(error, Refused) else 0
            await self._engine.submit(logs.refused, row.number, error.code, retry_after_ms)
            return False
        await self._engine.submit(logs.stored, row.number)
        return True

    async def _spill(self, number: int) -> None:
        """Store the blobs of a large record."""
        work = self._engine.look()
        row, content = work.get(LogPut, number), work.get(LogSpill, number)
        log = work.get(SharedLog, row.log) if row is not None else None
        if row is None or row.spilled is None or content is None or log is None or log.state != LogState.OPEN:
            return
        try:
            for start in range(row.spilled_done, row.spilled.blobs, BLOBS_IN_FLIGHT):
                stop = min(start + BLOBS_IN_FLIGHT, row.spilled.blobs)
                blobs = [self._blob(log, row, content.data, index) for index in range(start, stop)]
                call = partial(self._engine.network.call, timeout_s=60, mixed=self._engine.mixed(log.owner))
                await asyncio.gather(*(call(log.relay, blob) for blob in blobs))
                self._engine.step(logs.spill_progress, number, stop)
        except Refused as error:
            self._engine.step(logs.refused, number, error.code, error.retry_after_ms)
        else:
            self._engine.step(logs.uploaded, number)

    def _blob(self, log: SharedLog, row: LogPut, data: bytes, index: int) -> PutBlob:
        assert row.spilled is not None
        key, last = AttachmentKey(row.spilled.key), blob_count(len(data)) - 1
        if index > last:
            return PutBlob(log.put, row.spilled.hold, key.blob_id(index), padding_blob(self._engine.entropy))
        plain = data[index * BLOB_PLAIN : (index + 1) * BLOB_PLAIN]
        blob = key.seal_blob(index, plain, last=index == last)
        return PutBlob(log.put, row.spilled.hold, key.blob_id(index), blob)


def _is_read(row: SharedLog) -> bool:
    return row.state in _READ and not row.waits


def _created(work: Work, id: bytes, first: list[LogGrant]) -> None:
    logs.granted(work, first)
    logs.created(work, id)
    row = work.get(SharedLog, id)
    if row is not None and row.kind == LogKind.GROUP:
        groups.step(work, row.owner)  # a commit may wait for it
