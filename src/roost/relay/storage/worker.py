"""The storage as the server sees it: hand in changes and questions, get called back on the event loop.

Group commit without a window: whatever came while the last transaction was being committed is the next one. The
engine's writer, its reader and its checkpoints each have a thread here; another implementation of `Storage` may put the
writer into a process of its own, or talk to a database server.
"""

from __future__ import annotations

import asyncio
import logging
import threading
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from queue import Empty, SimpleQueue
from typing import Any, Protocol

from roost.errors import SurroundingsError
from roost.relay.core.operations import FREEING, AppendEntry, CardRow, Freed, MailboxRow, Operation, StoreBlob, Totals
from roost.relay.storage.engine import Engine, Reader, StorageBroken, StorageFull

_log = logging.getLogger("roost.relay")

_BATCH = 4_096  # submissions in one transaction, so that no one waits for more than about 100 ms
_CHECKPOINT_BYTES = 8 * 1024**2

Done = Callable[[SurroundingsError | None, Freed], None]


class Storage(Protocol):
    """Everything is called on the event loop, and calls back there, in the order in which things were handed in."""

    backlog: int
    """Bytes that wait to be committed."""

    def submit(self, operations: Sequence[Operation], done: Done) -> None:
        """Commit all or none; `done(None, freed)` when they are durable.

        When a transaction fails, every submission that was handed in before `done` told of it fails too, since it may
        build on what was not stored; only operations that free space are tried again by themselves.
        """
        ...

    def load(self, hashes: Sequence[bytes], done: Callable[[list[MailboxRow]], None]) -> None: ...

    def load_mailbox(self, number: int, done: Callable[[MailboxRow | None], None]) -> None: ...

    def load_card(self, locator: bytes, done: Callable[[CardRow | None], None]) -> None: ...

    def read_envelopes(
        self, mailbox: int, numbers: Sequence[int], done: Callable[[list[tuple[int, bytes]]], None]
    ) -> None: ...

    def read_blob(self, mailbox: int, blob: bytes, done: Callable[[bytes | None], None]) -> None: ...

    def count(self, done: Callable[[Totals], None]) -> None: ...

    async def close(self) -> None:
        """Commit what was handed in, then stop."""
        ...


@dataclass(slots=True)
class _Submission:
    operations: tuple[Operation, ...]
    done: Done
    size: int
    generation: int
    error: SurroundingsError | None = None

    @property
    def frees(self) -> bool:
        return bool(self.operations) and all(isinstance(operation, FREEING) for operation in self.operations)


_END = object()


class _Jobs:
    """A queue from the event loop to one thread, which takes all that waits at once."""

    def __init__(self) -> None:
        self._waiting: SimpleQueue[Any] = SimpleQueue()
        self.put = self._waiting.put
        self._ended = False

    def close(self) -> None:
        self._waiting.put(_END)

    def take(self, limit: int) -> list[Any] | None:
        """Waits for at least one job; None when the queue was closed and is empty."""
        if self._ended:
            return None
        taken = [self._waiting.get()]
        with suppress(Empty):
            while len(taken) < limit:
                taken.append(self._waiting.get_nowait())
        if taken[-1] is _END:  # nothing comes after it
            self._ended = True
            taken.pop()
        return taken or None


class ThreadedStorage:
    """`Storage` over an embedded engine, with threads. `broken` is called when the engine cannot go on."""

    def __init__(self, engine: Engine, broken: Callable[[SurroundingsError], None]) -> None:
        self._engine = engine
        self._broken = broken
        self._loop = asyncio.get_running_loop()
        self.backlog = 0
        self.commits = 0
        self._generation = 0
        self._writes = _Jobs()
        self._reads = _Jobs()
        self._checkpoints = _Jobs()
        reader, checkpointer = engine.reader(), engine.reader()
        self._threads = [
            threading.Thread(target=self._write, name="relay-writer", daemon=True),
            threading.Thread(target=self._read, args=(reader,), name="relay-reader", daemon=True),
            threading.Thread(target=self._checkpoint, args=(checkpointer,), name="relay-checkpoints", daemon=True),
        ]
        for thread in self._threads:
            thread.start()

    # --- on the event loop ------------------------------------------------------------------------------------------

    def submit(self, operations: Sequence[Operation], done: Done) -> None:
        size = sum(map(_size, operations))
        self.backlog += size
        self._writes.put(_Submission(tuple(operations), done, size, self._generation))

    def load(self, hashes: Sequence[bytes], done: Callable[[list[MailboxRow]], None]) -> None:
        self._reads.put((lambda reader: reader.mailboxes(hashes), done))

    def load_mailbox(self, number: int, done: Callable[[MailboxRow | None], None]) -> None:
        self._reads.put((lambda reader: reader.mailbox(number), done))

    def load_card(self, locator: bytes, done: Callable[[CardRow | None], None]) -> None:
        self._reads.put((lambda reader: reader.card(locator), done))

    def read_envelopes(
        self, mailbox: int, numbers: Sequence[int], done: Callable[[list[tuple[int, bytes]]], None]
    ) -> None:
        self._reads.put((lambda reader: reader.envelopes(mailbox, numbers), done))

    def read_blob(self, mailbox: int, blob: bytes, done: Callable[[bytes | None], None]) -> None:
        self._reads.put((lambda reader: reader.blob(mailbox, blob), done))

    def count(self, done: Callable[[Totals], None]) -> None:
        self._reads.put((lambda reader: reader.totals(), done))

    async def close(self) -> None:
        self._writes.close()
        self._reads.close()
        await asyncio.to_thread(self._threads[0].join)
        self._checkpoints.put(None)
        self._checkpoints.close()
        for thread in self._threads[1:]:
            await asyncio.to_thread(thread.join)
        await asyncio.sleep(0)  # the last results were posted to this loop
        self._engine.close()

    def _committed(self, batch: list[_Submission], freed: Freed) -> None:
        self.commits += 1
        if any(submission.error is not None for submission in batch):
            self._generation = max(submission.generation for submission in batch) + 1
        for submission in batch:
            self.backlog -= submission.size
            _guarded(submission.done, submission.error, freed)

    def _answered(self, results: list[tuple[Callable[[Any], None], Any]]) -> None:
        for done, result in results:
            _guarded(done, result)

    def _post(self, call: Callable[..., None], *arguments: Any) -> None:
        try:
            self._loop.call_soon_threadsafe(call, *arguments)
        except RuntimeError:  # the loop is gone: nobody waits for the answer
            return

    # --- in the threads ---------------------------------------------------------------------------------------------

    def _write(self) -> None:
        written = 0
        failed = -1  # submissions up to this generation build on something that was not stored
        while (batch := self._writes.take(_BATCH)) is not None:
            for submission in batch:
                if submission.generation <= failed and not submission.frees:
                    submission.error = StorageFull("The relay's disk is full.")
            freed, ended = self._commit([submission for submission in batch if submission.error is None])
            if any(submission.error is not None for submission in batch):
                failed = max(submission.generation for submission in batch)
            if ended is not None:
                self._post(self._broken, ended)
            self._post(self._committed, batch, freed)
            written += sum(submission.size for submission in batch)
            if written > _CHECKPOINT_BYTES:
                written = 0
                self._checkpoints.put(None)

    def _commit(self, batch: Sequence[_Submission]) -> tuple[Freed, StorageBroken | None]:
        """One transaction for all; when the disk is full, one for what frees space. Marks what was not stored."""
        try:
            return self._apply(batch), None
        except StorageBroken as error:
            for submission in batch:
                submission.error = error
            return Freed(), error
        except StorageFull as error:
            for submission in batch:
                submission.error = error
        freeing = [submission for submission in batch if submission.frees]
        try:
            freed = self._apply(freeing)
        except SurroundingsError:  # not even that: the next ones may find room again
            return Freed(), None
        for submission in freeing:
            submission.error = None
        return freed, None

    def _apply(self, batch: Sequence[_Submission]) -> Freed:
        operations = [operation for submission in batch for operation in submission.operations]
        return self._engine.apply(operations) if operations else Freed()

    def _read(self, reader: Reader) -> None:
        while (jobs := self._reads.take(_BATCH)) is not None:
            results = []
            for read, done in jobs:
                try:
                    results.append((done, read(reader)))
                except SurroundingsError as error:
                    self._post(self._broken, error)
                    return
            self._post(self._answered, results)
        reader.close()

    def _checkpoint(self, reader: Reader) -> None:
        while self._checkpoints.take(_BATCH) is not None:
            try:
                reader.checkpoint()
            except SurroundingsError:
                continue  # a full disk: the log keeps everything, the next one may succeed
        reader.close()


def _guarded(done: Callable[..., None], *arguments: Any) -> None:
    """A fault in one answer must not swallow the others of its batch."""
    try:
        done(*arguments)
    except Exception:  # noqa: BLE001 - a task ends here
        _log.exception("internal error after storage")


def _size(operation: Operation) -> int:
    if isinstance(operation, AppendEntry):
        return len(operation.envelope)
    return len(operation.data) if isinstance(operation, StoreBlob) else 128
