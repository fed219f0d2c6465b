"""The storage that the service of a place sees: it reads what lies here, and commits where the lead commits."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TypeVar

from roost.relay.core.operations import CardRow, MailboxRow, Operation, Totals
from roost.relay.onion.leading import Lead
from roost.relay.storage import Reader, Storage
from roost.relay.storage.worker import Done

T = TypeVar("T")


class ReplicatedStorage:
    """`Storage` of one place. Its only mailbox is `mailbox`, and no other is found by any capability."""

    def __init__(self, lead: Lead, storage: Storage, mailbox: int) -> None:
        self._lead = lead
        self._storage = storage
        self._mailbox = mailbox

    @property
    def backlog(self) -> int:
        return self._storage.backlog + self._lead.backlog

    @backlog.setter
    def backlog(self, value: int) -> None:
        raise NotImplementedError

    def submit(self, operations: Sequence[Operation], done: Done, bytes_: int = -1) -> None:  # noqa: ARG002 - counted elsewhere
        self._lead.submit(operations, done)

    def load(self, hashes: Sequence[bytes], done: Callable[[list[MailboxRow]], None]) -> None:
        def shown(row: MailboxRow | None) -> None:
            wanted = row is not None and any(grant.hash in hashes for grant in row.grants)
            done([row] if row is not None and wanted else [])

        self._storage.load_mailbox(self._mailbox, shown)

    def load_mailbox(self, number: int, done: Callable[[MailboxRow | None], None]) -> None:
        self._storage.load_mailbox(number, done)

    def load_card(self, locator: bytes, done: Callable[[CardRow | None], None]) -> None:
        self._storage.load_card(locator, done)

    def read_envelopes(
        self, mailbox: int, numbers: Sequence[int], done: Callable[[list[tuple[int, bytes]]], None]
    ) -> None:
        self._storage.read_envelopes(mailbox, numbers, done)

    def read_blob(self, mailbox: int, blob: bytes, done: Callable[[bytes | None], None]) -> None:
        self._storage.read_blob(mailbox, blob, done)

    def count(self, done: Callable[[Totals], None]) -> None:
        self._storage.count(done)

    def ask(self, question: Callable[[Reader], T], done: Callable[[T], None]) -> None:
        self._storage.ask(question, done)

    async def close(self) -> None:
        """It belongs to all places."""
