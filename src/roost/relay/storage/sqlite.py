"""The SQLite engine: WAL, `synchronous=FULL`, so that what was committed survives a power cut.

apsw brings its own SQLite: that of older systems has a fault in checkpoints beside a writer. Checkpoints run on a
connection of their own, since in the writer's they would make every thousandth put wait.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from itertools import groupby, takewhile
from pathlib import Path
from typing import Any

import apsw

from roost.relay.core.operations import (
    RUNS_PER_START,
    AppendEntry,
    CardRow,
    ChangeGrantRows,
    CreateMailbox,
    DeleteMailbox,
    ForgetTags,
    Freed,
    GrantRow,
    Operation,
    RememberTags,
    RemoveCard,
    RemoveEntry,
    SealMailbox,
    StoreBlob,
    StoreCard,
    StorePlace,
    Sweep,
    TouchHold,
    TouchMailboxes,
    TrimEntries,
)
from roost.relay.storage.engine import Reader, StorageBroken, StorageFull
from roost.relay.storage.migrations import migrate, number
from roost.relay.storage.reserve import Reserve
from roost.relay.storage.sqlite_reader import SqliteReader

_BUSY_MS = 10_000
_SIZES = ("page_count", "freelist_count", "page_size")
_CACHE_KIB = 65_536
_WAL_LIMIT_PAGES = 65_536  # 256 MiB: checkpoints beside the writer never caught up; make the writer wait once


@contextmanager
def mapped_errors() -> Iterator[None]:
    """apsw's exceptions as the interface's."""
    try:
        yield
    except apsw.FullError as error:
        raise StorageFull("The relay's disk is full.") from error
    except (apsw.Error, OSError) as error:
        raise StorageBroken("The relay's storage does not work.") from error


def connect(path: Path, key: bytes = b"") -> apsw.Connection:
    """`key` (32 bytes) opens an encrypted file, as a device's own mailboxes are in; a relay's is not."""
    connection = apsw.Connection(str(path))
    connection.set_busy_timeout(_BUSY_MS)
    encrypted = ("cipher=aegis", f'key = "raw:{key.hex()}"') if key else ()
    for pragma in (
        *encrypted,
        "journal_mode=WAL",
        "synchronous=FULL",
        "wal_autocheckpoint=0",
        f"cache_size=-{_CACHE_KIB}",
        "temp_store=MEMORY",
        "secure_delete=FAST",
    ):
        connection.execute(f"PRAGMA {pragma}")
    return connection


def open_reader(path: Path, key: bytes = b"") -> Reader:
    """A reader of the file at `path`, which an engine has made. Raises StorageBroken."""
    with mapped_errors():
        return SqliteReader(connect(path, key), mapped_errors)


class SqliteEngine:
    """One file, one writer. `max_pages` bounds the file in tests of a full disk."""

    def __init__(self, path: Path, *, key: bytes = b"", max_pages: int | None = None) -> None:
        """Raises StorageBroken: not a relay's storage, from a newer version, or unreadable."""
        self._path = path
        self._key = key
        self._wal_pages = 0
        self._reserve = Reserve(path.with_suffix(".reserve"))
        self._reserve.keep()
        with mapped_errors():
            path.touch(mode=0o600)  # SQLite's other files take their rights from it
            self._connection = connect(path, key)
            migrate(self._connection)
            if max_pages is not None:
                self._connection.execute(f"PRAGMA max_page_count={max_pages}")
            self._connection.set_wal_hook(self._on_commit)
        self._freed = Freed()

    def begin_run(self, at_least: int = 0) -> int:
        with mapped_errors():
            self._connection.execute("UPDATE relay SET run = max(run + ?, ?)", (RUNS_PER_START, at_least))
            return number(self._connection, "SELECT run FROM relay")

    def shrink(self, spare: int) -> None:
        """Give back to the disk what the file has no use for, if that is more than `spare` bytes and than half of it.
        Takes a while; nobody may use the file meanwhile."""
        with mapped_errors():
            pages, free, size = (number(self._connection, f"PRAGMA {name}") for name in _SIZES)
            if free * size > spare and free > pages // 2:
                with suppress(apsw.FullError, apsw.BusyError):  # it stays as it is
                    self._connection.execute("VACUUM")

    def tags(self) -> list[tuple[int, int]]:
        with mapped_errors():
            return self._all("SELECT period, tag FROM tags", ())

    def apply(self, batch: Sequence[Operation]) -> Freed:
        self._freed = Freed()
        connection = self._connection
        with mapped_errors():
            connection.execute("BEGIN IMMEDIATE")
            try:
                for kind, operations in groupby(batch, type):
                    if kind is AppendEntry:
                        self._append(operations)
                    else:
                        for operation in operations:
                            _APPLY[kind](self, operation)
                connection.execute("COMMIT")
            except BaseException as error:
                if connection.in_transaction:
                    connection.execute("ROLLBACK")
                if isinstance(error, apsw.FullError):
                    self._reserve.release()
                raise
            if self._wal_pages > _WAL_LIMIT_PAGES:
                with suppress(apsw.BusyError):  # others read or are at it themselves: after the next batch
                    connection.wal_checkpoint(mode=apsw.SQLITE_CHECKPOINT_RESTART)
        return self._freed

    def reader(self) -> Reader:
        return open_reader(self._path, self._key)

    def close(self) -> None:
        with mapped_errors():
            self._connection.close()

    def _on_commit(self, _connection: apsw.Connection, _name: str, pages: int) -> int:
        self._wal_pages = pages
        return apsw.SQLITE_OK

    def _all(self, sql: str, bindings: tuple[Any, ...]) -> list[Any]:
        return self._connection.execute(sql, bindings).fetchall()

    # --- operations -------------------------------------------------------------------------------------------------

    def _create(self, operation: CreateMailbox) -> None:
        self._connection.execute(
            "INSERT OR IGNORE INTO mailboxes (id, kind, used_day) VALUES (?, ?, ?)",
            (operation.mailbox, operation.kind, operation.day),
        )
        self._add_grants(operation.mailbox, operation.grants)

    def _add_grants(self, mailbox: int, grants: Sequence[GrantRow]) -> None:
        self._connection.executemany(
            "INSERT OR REPLACE INTO grants (hash, mailbox, right, quota) VALUES (?, ?, ?, ?)",
            [(grant.hash, mailbox, grant.right, grant.limit) for grant in grants],
        )

    def _append(self, operations: Iterable[Any]) -> None:
        entries, needs = [], []
        for operation in operations:
            if operation.dropped:
                continue
            mailbox, entry = operation.mailbox, operation.entry
            head = (mailbox, entry.number, entry.day, entry.writer, entry.work, entry.hash)
            entries.append((*head, operation.envelope))
            needs += [(mailbox, entry.number, hold) for hold in entry.holds]
        self._connection.executemany(
            "INSERT OR IGNORE INTO entries (mailbox, number, day, writer, work, hash, envelope)"
            " VALUES (?, ?, ?, ?, ?, ?, ?)",
            entries,
        )
        if needs:
            self._connection.executemany("INSERT OR IGNORE INTO needs (mailbox, number, hold) VALUES (?, ?, ?)", needs)

    def _trim(self, operation: TrimEntries) -> None:
        mailbox, upto = operation.mailbox, operation.upto
        kept = f" AND number NOT IN ({','.join(str(int(number)) for number in operation.keep)})"
        which = "WHERE mailbox = ? AND number <= ?" + (kept if operation.keep else "")
        self._connection.execute(f"DELETE FROM entries {which}", (mailbox, upto))  # noqa: S608
        self._connection.execute(f"DELETE FROM needs {which}", (mailbox, upto))  # noqa: S608
        for hold in operation.holds:
            self._delete_hold(mailbox, hold)
        self._raise_floor(mailbox, operation.floor)

    def _remove(self, operation: RemoveEntry) -> None:
        key = (operation.mailbox, operation.number)
        self._connection.execute("DELETE FROM entries WHERE mailbox = ? AND number = ?", key)
        self._connection.execute("DELETE FROM needs WHERE mailbox = ? AND number = ?", key)
        self._raise_floor(operation.mailbox, operation.floor)

    def _raise_floor(self, mailbox: int, floor: int) -> None:
        if floor:
            self._connection.execute(
                "UPDATE mailboxes SET floor = ? WHERE id = ? AND floor < ?", (floor, mailbox, floor)
            )

    def _delete_hold(self, mailbox: int, hold: bytes) -> int:
        found = self._all("SELECT id FROM holds WHERE mailbox = ? AND hold = ?", (mailbox, hold))
        if not found:
            return 0
        row = found[0]
        self._connection.execute("DELETE FROM blobs WHERE hold = ?", row)
        freed = self._connection.changes()
        self._connection.execute("DELETE FROM holds WHERE id = ?", row)
        return freed

    def _seal(self, operation: SealMailbox) -> None:
        self._connection.execute("UPDATE mailboxes SET sealed = 1 WHERE id = ?", (operation.mailbox,))

    def _delete(self, operation: DeleteMailbox) -> None:
        self._delete_mailbox(operation.mailbox)

    def _delete_mailbox(self, mailbox: int) -> tuple[int, int]:
        counts = []
        for table in ("entries", "blobs", "needs", "holds", "grants"):
            self._connection.execute(f"DELETE FROM {table} WHERE mailbox = ?", (mailbox,))  # noqa: S608
            counts.append(self._connection.changes())
        self._connection.execute("DELETE FROM mailboxes WHERE id = ?", (mailbox,))
        return counts[0], counts[1]

    def _grants(self, operation: ChangeGrantRows) -> None:
        self._connection.executemany(
            "DELETE FROM grants WHERE hash = ? AND mailbox = ?",
            [(hash_, operation.mailbox) for hash_ in operation.revoke],
        )
        self._add_grants(operation.mailbox, operation.add)

    def _touch(self, operation: TouchMailboxes) -> None:
        self._connection.executemany(
            "UPDATE mailboxes SET used_day = ? WHERE id = ? AND used_day < ?",
            [(operation.day, mailbox, operation.day) for mailbox in operation.mailboxes],
        )

    def _hold(self, mailbox: int, hold: bytes, day: int) -> int:
        rows = self._all(
            "INSERT INTO holds (mailbox, hold, day) VALUES (?, ?, ?)"
            " ON CONFLICT (mailbox, hold) DO UPDATE SET day = max(day, excluded.day) RETURNING id",
            (mailbox, hold, day),
        )
        return int(rows[0][0])

    def _blob(self, operation: StoreBlob) -> None:
        hold = self._hold(operation.mailbox, operation.hold, operation.day)
        self._connection.execute(
            "INSERT OR IGNORE INTO blobs (hold, mailbox, blob, data) VALUES (?, ?, ?, ?)",
            (hold, operation.mailbox, operation.blob, operation.data),
        )

    def _touch_hold(self, operation: TouchHold) -> None:
        self._hold(operation.mailbox, operation.hold, operation.day)

    def _card(self, operation: StoreCard) -> None:
        card: CardRow = operation.card
        self._connection.execute(
            "INSERT OR REPLACE INTO cards (locator, writer_hash, version, expires_day, card) VALUES (?, ?, ?, ?, ?)",
            (card.locator, card.writer_hash, card.version, card.expires_day, card.card),
        )

    def _remove_card(self, operation: RemoveCard) -> None:
        self._connection.execute("DELETE FROM cards WHERE locator = ?", (operation.locator,))

    def _remember(self, operation: RememberTags) -> None:
        self._connection.executemany(
            "INSERT OR IGNORE INTO tags (period, tag) VALUES (?, ?)",
            [(operation.period, tag) for tag in operation.tags],
        )

    def _forget(self, operation: ForgetTags) -> None:
        self._connection.execute("DELETE FROM tags WHERE period <= ?", (operation.period,))

    def _place(self, operation: StorePlace) -> None:
        if operation.record:
            row = (operation.place, operation.record)
            self._connection.execute("INSERT OR REPLACE INTO places (place, record) VALUES (?, ?)", row)
        else:
            self._connection.execute("DELETE FROM places WHERE place = ?", (operation.place,))

    # --- sweeping ---------------------------------------------------------------------------------------------------

    def _sweep(self, operation: Sweep) -> None:
        self._reserve.keep()
        entries, more = self._sweep_entries(operation.entries_before, operation.limit)
        holds = self._all(
            "SELECT mailbox, hold FROM holds WHERE day < ? AND NOT EXISTS"
            " (SELECT 1 FROM needs WHERE needs.mailbox = holds.mailbox AND needs.hold = holds.hold) LIMIT ?",
            (operation.holds_before, operation.limit),
        )
        blobs = sum(self._delete_hold(mailbox, hold) for mailbox, hold in holds)
        self._connection.execute(
            "DELETE FROM cards WHERE locator IN (SELECT locator FROM cards WHERE expires_day < ? LIMIT ?)",
            (operation.cards_before, operation.limit),
        )
        cards = self._connection.changes()
        idle = self._all(
            "SELECT id FROM mailboxes WHERE used_day < ? LIMIT ?", (operation.mailboxes_before, operation.limit)
        )
        for (mailbox,) in idle:
            more_entries, more_blobs = self._delete_mailbox(mailbox)
            entries, blobs = entries + more_entries, blobs + more_blobs
        more = more or operation.limit in (len(holds), cards, len(idle))
        freed = self._freed
        self._freed = Freed(
            freed.entries + entries,
            freed.blobs + blobs,
            freed.cards + cards,
            freed.mailboxes + len(idle),
            freed.more or more,
        )

    def _sweep_entries(self, before: int, limit: int) -> tuple[int, bool]:
        """Rows lie in the order in which they were stored, so the oldest come first and no index by day is needed."""
        oldest = self._all("SELECT id, mailbox, number, day FROM entries ORDER BY id LIMIT ?", (limit,))
        expired = list(takewhile(lambda row: row[3] < before, oldest))
        if not expired:
            return 0, False
        self._connection.executemany("DELETE FROM entries WHERE id = ?", [(row[0],) for row in expired])
        self._connection.executemany(
            "DELETE FROM needs WHERE mailbox = ? AND number = ?", [(row[1], row[2]) for row in expired]
        )
        floors: dict[int, int] = {}
        for _, mailbox, last, _ in expired:
            floors[mailbox] = max(last, floors.get(mailbox, 0))
        for mailbox, floor in floors.items():
            self._raise_floor(mailbox, floor)
        return len(expired), len(expired) == limit


_APPLY: dict[type, Callable[[SqliteEngine, Any], None]] = {
    CreateMailbox: SqliteEngine._create,
    TrimEntries: SqliteEngine._trim,
    RemoveEntry: SqliteEngine._remove,
    SealMailbox: SqliteEngine._seal,
    DeleteMailbox: SqliteEngine._delete,
    ChangeGrantRows: SqliteEngine._grants,
    TouchMailboxes: SqliteEngine._touch,
    StoreBlob: SqliteEngine._blob,
    TouchHold: SqliteEngine._touch_hold,
    StoreCard: SqliteEngine._card,
    RemoveCard: SqliteEngine._remove_card,
    RememberTags: SqliteEngine._remember,
    ForgetTags: SqliteEngine._forget,
    StorePlace: SqliteEngine._place,
    Sweep: SqliteEngine._sweep,
}
