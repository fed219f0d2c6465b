"""What a relay asks of an embedded storage engine. Plain and blocking; `relay.storage.worker` runs it in threads.

`tests/relay/storage_conformance.py` says what every engine must do, operation by operation. All work concerns a single
mailbox, card or packet key, apart from sweeps and totals, so that a sharded engine can serve it as well.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from roost.errors import SurroundingsError
from roost.relay.core.operations import CardRow, Freed, MailboxRow, Operation, Totals


class StorageFull(SurroundingsError):
    """There is no room on the disk; the batch was not applied, nothing that was committed is lost."""

    code = "full"
    hint = "Free some space on the relay's disk."


class StorageBroken(SurroundingsError):
    """The storage does not work: the disk fails, or the file is not a relay's or from a newer Roost."""

    code = "storage_broken"
    hint = "Check the relay's disk and the owner of its data directory."


class Reader(Protocol):
    """Reads what is committed. Used by one thread at a time, beside the engine's writer."""

    def mailboxes(self, capability_hashes: Sequence[bytes]) -> list[MailboxRow]:
        """The mailboxes to which these capabilities belong, each once."""
        ...

    def mailbox(self, number: int) -> MailboxRow | None: ...

    def envelopes(self, mailbox: int, numbers: Sequence[int]) -> list[tuple[int, bytes]]:
        """Those of the entries that are there, by rising number."""
        ...

    def blob(self, mailbox: int, blob: bytes) -> bytes | None: ...

    def card(self, locator: bytes) -> CardRow | None: ...

    def cards(self, place: bytes) -> list[CardRow]:
        """All cards whose locators begin with `place`."""
        ...

    def place(self, place: bytes) -> bytes | None:
        """The record of a place (`StorePlace`)."""
        ...

    def places(self, after: bytes, limit: int) -> list[tuple[bytes, bytes]]:
        """The next places behind `after` with their records, in order."""
        ...

    def totals(self) -> Totals: ...

    def checkpoint(self) -> None:
        """Do what housekeeping may be done beside the writer."""
        ...

    def close(self) -> None: ...


class Engine(Protocol):
    """The one writer."""

    def begin_run(self, at_least: int = 0) -> int:
        """The first of RUNS_PER_START numbers that this storage never gave out before, durable on return.

        Not below `at_least`: a storage that was put back from a backup does not know what it gave out since.
        """
        ...

    def tags(self) -> list[tuple[int, int]]:
        """All remembered packets as (period, tag)."""
        ...

    def apply(self, batch: Sequence[Operation]) -> Freed:
        """Commit all operations in one transaction, durable on return; what its sweeps freed.

        Raises:
            StorageFull, StorageBroken: nothing of the batch was applied.
        """
        ...

    def reader(self) -> Reader: ...

    def close(self) -> None: ...
