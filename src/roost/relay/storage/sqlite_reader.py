"""Reading from the SQLite engine, on a connection of its own beside the writer's."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from typing import Any

import apsw

from roost.relay.core.operations import CardRow, EntryRow, GrantRow, HoldRow, MailboxRow, Totals
from roost.relay.storage.migrations import number as single
from roost.wire.sizes import LOCATOR_SIZE


class SqliteReader:
    """See `relay.storage.engine.Reader`."""

    def __init__(
        self, connection: apsw.Connection, errors: Callable[[], AbstractContextManager[None, bool | None]]
    ) -> None:
        self._connection = connection
        self._errors = errors

    def mailboxes(self, capability_hashes: Sequence[bytes]) -> list[MailboxRow]:
        with self._errors(), self._connection:
            numbers: dict[int, None] = {}
            for hash_ in capability_hashes:
                row = self._one("SELECT mailbox FROM grants WHERE hash = ?", (hash_,))
                if row is not None:
                    numbers[row[0]] = None
            found = [self._mailbox(number) for number in numbers]
        return [row for row in found if row is not None]

    def mailbox(self, which: int) -> MailboxRow | None:
        with self._errors(), self._connection:
            found = self._mailbox(which)
        return found  # noqa: RET504 - a return inside looks to mypy as if it might not happen

    def envelopes(self, mailbox: int, numbers: Sequence[int]) -> list[tuple[int, bytes]]:
        if not numbers:
            return []
        marks = ",".join("?" * len(numbers))
        with self._errors():
            return self._all(
                f"SELECT number, envelope FROM entries WHERE mailbox = ? AND number IN ({marks}) ORDER BY number",  # noqa: S608
                (mailbox, *numbers),
            )

    def blob(self, mailbox: int, blob: bytes) -> bytes | None:
        with self._errors():
            row = self._one("SELECT data FROM blobs WHERE mailbox = ? AND blob = ?", (mailbox, blob))
            return None if row is None else row[0]

    def card(self, locator: bytes) -> CardRow | None:
        with self._errors():
            row = self._one(
                "SELECT locator, writer_hash, version, expires_day, card FROM cards WHERE locator = ?", (locator,)
            )
            return None if row is None else CardRow(*row)

    def cards(self, place: bytes) -> list[CardRow]:
        with self._errors():
            rows = self._all(
                "SELECT locator, writer_hash, version, expires_day, card FROM cards"
                " WHERE locator >= ? AND locator <= ? ORDER BY locator",
                (place, place + b"\xff" * (LOCATOR_SIZE - len(place))),
            )
        return [CardRow(*row) for row in rows]

    def place(self, place: bytes) -> bytes | None:
        with self._errors():
            row = self._one("SELECT record FROM places WHERE place = ?", (place,))
            return None if row is None else row[0]

    def places(self, after: bytes, limit: int) -> list[tuple[bytes, bytes]]:
        with self._errors():
            return self._all("SELECT place, record FROM places WHERE place > ? ORDER BY place LIMIT ?", (after, limit))

    def totals(self) -> Totals:
        with self._errors():
            mailboxes, entries, blobs, cards = (
                single(self._connection, f"SELECT count(*) FROM {table}")  # noqa: S608
                for table in ("mailboxes", "entries", "blobs", "cards")
            )
            last = single(self._connection, "SELECT coalesce(max(id), 0) FROM mailboxes")
        return Totals(mailboxes, entries, blobs, cards, last)

    def checkpoint(self) -> None:
        """Passive: copies what can be copied without making anybody wait."""
        with self._errors():
            self._connection.wal_checkpoint(mode=apsw.SQLITE_CHECKPOINT_PASSIVE)

    def close(self) -> None:
        with self._errors():
            self._connection.close()

    # --- inside -----------------------------------------------------------------------------------------------------

    def _mailbox(self, number: int) -> MailboxRow | None:
        head = self._one("SELECT kind, sealed, floor, used_day FROM mailboxes WHERE id = ?", (number,))
        if head is None:
            return None
        kind, sealed, floor, used_day = head
        grants = self._all("SELECT hash, right, quota FROM grants WHERE mailbox = ?", (number,))
        return MailboxRow(
            number,
            kind,
            bool(sealed),
            floor,
            used_day,
            tuple(GrantRow(*row) for row in grants),
            self._entries(number),
            self._holds(number),
        )

    def _entries(self, mailbox: int) -> tuple[EntryRow, ...]:
        needs: defaultdict[int, list[bytes]] = defaultdict(list)
        for number, hold in self._all("SELECT number, hold FROM needs WHERE mailbox = ?", (mailbox,)):
            needs[number].append(hold)
        rows = self._all(
            "SELECT number, hash, day, writer, work FROM entries WHERE mailbox = ? ORDER BY number", (mailbox,)
        )
        return tuple(
            EntryRow(number, hash_, day, writer, work, tuple(needs.get(number, ())))
            for number, hash_, day, writer, work in rows
        )

    def _holds(self, mailbox: int) -> tuple[HoldRow, ...]:
        holds = self._all("SELECT id, hold, day FROM holds WHERE mailbox = ?", (mailbox,))
        return tuple(
            HoldRow(hold, day, tuple(row[0] for row in self._all("SELECT blob FROM blobs WHERE hold = ?", (id_,))))
            for id_, hold, day in holds
        )

    def _one(self, sql: str, bindings: tuple[Any, ...]) -> tuple[Any, ...] | None:
        row: tuple[Any, ...] | None = self._connection.execute(sql, bindings).fetchone()
        return row

    def _all(self, sql: str, bindings: tuple[Any, ...]) -> list[Any]:
        return self._connection.execute(sql, bindings).fetchall()
