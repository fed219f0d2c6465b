"""The storage as the server sees it: hand in changes and questions, get called back on the event loop.

Group commit without a window: whatever came while the last transaction was being committed is the next one. What a
transaction holds is decided on the event loop at the moment when it begins, so that an envelope that was trimmed
before then is never written. `Writer` is what commits: a thread here, a process of its own in `relay.storage.process`.
Another implementation of `Storage` may talk to a database server.
"""

from __future__ import annotations

import asyncio
import logging
import threading
from collections.abc import Callable, Sequence
from contextlib import suppress
from itertools import accumulate
from queue import Empty, SimpleQueue
from typing import Any, Protocol, TypeVar

from roost.errors import SurroundingsError
from roost.relay.core.operations import AppendEntry, CardRow, Freed, MailboxRow, Operation, Totals, begin
from roost.relay.storage.committing import SMALL, Batch, Committer, Outcome, frees, size
from roost.relay.storage.engine import Engine, Reader

_log = logging.getLogger("roost.relay")
_FAULT = "internal error after storage"

_BUSY_BATCH = 16  # submissions: a transaction of more is a busy relay's, ...
_BUSY_S = 0.005  # ... and the next one begins so long after it began, ...
_LOOK_S = 0.002  # where readers trim what they are given, when most is trimmed: looked at so often, ...
_STILL = 8  # ... and no longer than for so many looks that see no trim, ...
_TRIMMED_S = 0.05  # ... or so long after the last one ended
_BATCH = 4_096  # submissions in one transaction, ...
_BATCH_BYTES = 16 * 1024**2  # ... and what they write: no one waits for more than about 100 ms

T = TypeVar("T")

Done = Callable[[SurroundingsError | None, Freed], None]


class Storage(Protocol):
    """Everything is called on the event loop, and calls back there, in the order in which things were handed in."""

    backlog: int
    """Bytes that wait to be committed."""

    def submit(self, operations: Sequence[Operation], done: Done, bytes_: int = -1) -> None:
        """Commit all or none; `done(None, freed)` when they are durable. `bytes_` is what they write, if that is known.

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

    def ask(self, question: Callable[[Reader], T], done: Callable[[T], None]) -> None:
        """Whatever else is to be read."""
        ...

    async def close(self) -> None:
        """Commit what was handed in, then stop."""
        ...


class Writer(Protocol):
    """Commits one batch at a time, elsewhere; used on the event loop."""

    def write(self, batch: Batch, done: Callable[[Outcome], None]) -> None:
        """`done` is called on the event loop, later."""
        ...

    async def close(self) -> None: ...


class _Submission:
    __slots__ = ("done", "error", "operations", "size")

    def __init__(self, operations: Sequence[Operation], done: Done, size: int) -> None:
        self.operations = operations
        self.done = done
        self.size = size
        self.error: SurroundingsError | None = None


class GroupStorage:
    """`Storage` over a writer, and a reader with a thread of its own. `broken` is called when either cannot go on."""

    def __init__(self, writer: Writer, reader: Reader, broken: Callable[[SurroundingsError], None]) -> None:
        self._loop = asyncio.get_running_loop()
        self._writer = writer
        self._broken = broken
        self.backlog = 0
        self.commits = 0
        self._waiting: list[_Submission] = []
        self._batch: list[_Submission] = []
        self._begun_at = self._ended_at = 0.0
        self._prompt = False  # readers trim about what they are given
        self._small = self._large = 0
        self._busy = False  # a batch is being written, or is about to begin
        self._idle: asyncio.Future[None] | None = None
        self._reads = _Jobs()
        self._reading = threading.Thread(target=self._read, args=(reader,), name="relay-reader", daemon=True)
        self._reading.start()

    # --- writing ----------------------------------------------------------------------------------------------------

    def submit(self, operations: Sequence[Operation], done: Done, bytes_: int = -1) -> None:
        if bytes_ < 0:
            bytes_ = sum(map(size, operations))
        if bytes_ <= SMALL:
            self._small += 1
        else:
            self._large += 1
        self.backlog += bytes_
        self._waiting.append(_Submission(operations, done, bytes_))
        if not self._busy:
            self._busy = True
            self._loop.call_soon(self._begin)

    def _begin(self) -> None:
        """Begin the next transaction, with what is still wanted of all that waits."""
        self._begun_at = self._loop.time()
        self._prompt = self._small * 4 >= self._large
        self._small, self._large = self._small // 2, self._large // 2
        stop = self._stop()
        self._batch, self._waiting = self._waiting[:stop], self._waiting[stop:]
        batch = [begin(submission.operations) for submission in self._batch if submission.error is None]
        if any(batch):
            self._writer.write(batch, self._committed)
        else:
            self._loop.call_soon(self._committed, Outcome(Freed()))

    def _stop(self) -> int:
        """How many of those that wait one transaction takes."""
        if self.backlog > _BATCH_BYTES:
            for index, total in enumerate(accumulate(submission.size for submission in self._waiting[:_BATCH]), 1):
                if total >= _BATCH_BYTES:
                    return index
        return _BATCH

    def _begin_when_trimmed(self, trims: int = 0, still: int = 0) -> None:
        """Begin the next transaction, a little later if that spares it most of its envelopes."""
        late = still >= _STILL or self._loop.time() > self._ended_at + _TRIMMED_S
        if late or self._idle is not None or not self._prompt or self._mostly_trimmed():
            self._begin()
        else:
            still = still + 1 if self._small == trims else 0
            self._loop.call_later(_LOOK_S, self._begin_when_trimmed, self._small, still)

    def _mostly_trimmed(self) -> bool:
        entries = [operation for submission in self._waiting for operation in submission.operations]
        left = sum(1 for entry in entries if not (type(entry) is AppendEntry and entry.dropped))
        return left * 8 <= len(entries)

    def _committed(self, outcome: Outcome) -> None:
        self._ended_at = self._loop.time()
        self.commits += 1
        batch = self._batch
        if outcome.failed:
            self._fail(outcome)
        for submission in batch:
            self.backlog -= submission.size
            try:
                submission.done(submission.error, outcome.freed)
            except Exception:  # noqa: BLE001 - a fault in one answer must not swallow the others of its batch
                _log.exception(_FAULT)
        if self._waiting or len(batch) > _BUSY_BATCH:
            if len(batch) > _BUSY_BATCH and self._idle is None:
                wait = self._ended_at + _LOOK_S if self._prompt else self._begun_at + _BUSY_S
                self._loop.call_at(wait, self._begin_when_trimmed)
            else:
                self._begin()
            return
        self._busy = False
        if self._idle is not None and not self._idle.done():
            self._idle.set_result(None)

    def _fail(self, outcome: Outcome) -> None:
        error = outcome.error
        tried = [submission for submission in self._batch if submission.error is None]
        for index in outcome.failed:
            tried[index].error = error
        for submission in self._waiting:
            if not frees(submission.operations):
                submission.error = error
        if outcome.broken:
            self._broken(error)

    # --- reading ----------------------------------------------------------------------------------------------------

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

    def ask(self, question: Callable[[Reader], T], done: Callable[[T], None]) -> None:
        self._reads.put((question, done))

    def _answered(self, results: list[tuple[Callable[[Any], None], Any]]) -> None:
        for done, result in results:
            try:
                done(result)
            except Exception:  # noqa: BLE001 - as above
                _log.exception(_FAULT)

    def _read(self, reader: Reader) -> None:
        """In the thread."""
        while (jobs := self._reads.take(_BATCH)) is not None:
            results = []
            for read, done in jobs:
                try:
                    results.append((done, read(reader)))
                except SurroundingsError as error:
                    post(self._loop, self._broken, error)
                    return
            post(self._loop, self._answered, results)
        reader.close()

    # --- end --------------------------------------------------------------------------------------------------------

    async def close(self) -> None:
        if self._busy:
            self._idle = self._loop.create_future()
            await self._idle
        self._reads.close()
        await asyncio.to_thread(self._reading.join)
        await asyncio.sleep(0)  # the last results were posted to this loop
        await self._writer.close()


class ThreadWriter:
    """A `Writer` in a thread. It competes with the event loop for Python's lock; a process does not."""

    def __init__(self, engine: Engine) -> None:
        self._loop = asyncio.get_running_loop()
        self._committer = Committer(engine)
        self._jobs = _Jobs()
        self._thread = threading.Thread(target=self._run, name="relay-writer", daemon=True)
        self._thread.start()

    def write(self, batch: Batch, done: Callable[[Outcome], None]) -> None:
        self._jobs.put((batch, done))

    async def close(self) -> None:
        self._jobs.close()
        await asyncio.to_thread(self._thread.join)

    def _run(self) -> None:
        while (jobs := self._jobs.take(1)) is not None:
            for batch, done in jobs:
                post(self._loop, done, self._committer.commit(batch))
        self._committer.close()


class ThreadedStorage(GroupStorage):
    """`Storage` over an embedded engine, with threads."""

    def __init__(self, engine: Engine, broken: Callable[[SurroundingsError], None]) -> None:
        super().__init__(ThreadWriter(engine), engine.reader(), broken)


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


def post(loop: asyncio.AbstractEventLoop, call: Callable[..., None], *arguments: Any) -> None:
    """Call back on the loop, from a thread."""
    try:
        loop.call_soon_threadsafe(call, *arguments)
    except RuntimeError:  # the loop is gone: nobody waits for the answer
        return
