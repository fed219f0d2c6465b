"""The writing side of the storage, wherever it runs: batches of submissions become transactions of an engine.

`commit` says for each submission whether it is durable. Checkpoints run on a thread of their own beside it, since in
the writer's transactions they would make every thousandth put wait. Used by `relay.storage.worker` in a thread and by
`relay.storage.process` as a process.
"""

from __future__ import annotations

import struct
import threading
from collections.abc import Sequence
from queue import SimpleQueue

import msgspec

from roost.errors import SurroundingsError
from roost.relay.core.operations import FREEING, AppendEntry, Freed, Operation, StoreBlob
from roost.relay.storage.engine import Engine, Reader, StorageBroken, StorageFull

LENGTH = struct.Struct(">I")  # before each batch and outcome, where the writer is a process
BUFFER = 1024**2  # of the sockets between the two
SMALL = 128  # bytes, of what is neither an envelope nor a blob
_CHECKPOINT_BYTES = 8 * 1024**2

Batch = Sequence[Sequence[Operation]]
"""The operations of each submission."""


class Outcome(msgspec.Struct, array_like=True):
    """What became of a batch: `failed` are the submissions (by their place) that are not durable, for want of room or
    because the storage is `broken`."""

    freed: Freed
    failed: tuple[int, ...] = ()
    broken: bool = False

    @property
    def error(self) -> SurroundingsError:
        """For those that failed."""
        if self.broken:
            return StorageBroken("The relay's storage does not work.")
        return StorageFull("The relay's disk is full.")


def frees(operations: Sequence[Operation]) -> bool:
    """Whether a submission only frees space, and is tried again by itself."""
    return bool(operations) and all(isinstance(operation, FREEING) for operation in operations)


def size(operation: Operation) -> int:
    """Bytes that an operation writes, roughly."""
    if type(operation) is AppendEntry:
        return len(operation.envelope)
    return len(operation.data) if isinstance(operation, StoreBlob) else SMALL


class Committer:
    """One engine's only writer."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._written = 0
        self._due: SimpleQueue[bool] = SimpleQueue()
        reader = engine.reader()
        self._thread = threading.Thread(target=self._checkpoint, args=(reader,), name="relay-checkpoints", daemon=True)
        self._thread.start()

    def commit(self, batch: Batch) -> Outcome:
        """One transaction for all; when the disk is full, one for what frees space."""
        outcome = self._attempt(batch)
        self._written += sum(size(operation) for operations in batch for operation in operations)
        if self._written > _CHECKPOINT_BYTES:
            self._written = 0
            self._due.put(True)
        return outcome

    def close(self) -> None:
        self._due.put(True)
        self._due.put(False)
        self._thread.join()
        self._engine.close()

    # --- inside -----------------------------------------------------------------------------------------------------

    def _attempt(self, batch: Batch) -> Outcome:
        everything = tuple(range(len(batch)))
        try:
            return Outcome(self._apply(batch))
        except StorageBroken:
            return Outcome(Freed(), everything, broken=True)
        except StorageFull:
            freeing = {index for index in everything if frees(batch[index])}
        try:
            freed = self._apply([batch[index] for index in sorted(freeing)])
        except SurroundingsError:  # not even that: the next ones may find room again
            return Outcome(Freed(), everything)
        return Outcome(freed, tuple(index for index in everything if index not in freeing))

    def _apply(self, batch: Batch) -> Freed:
        operations = [operation for submission in batch for operation in submission]
        return self._engine.apply(operations) if operations else Freed()

    def _checkpoint(self, reader: Reader) -> None:
        while self._due.get():
            try:
                reader.checkpoint()
            except SurroundingsError:
                continue  # a full disk: the log keeps everything, the next one may succeed
        reader.close()
