"""The client's database as messaging sees it: rows in, rows out, several changes in one transaction. DESIGN section 9.

Generic over the kinds of rows that messaging.records declares; it knows nothing of what they mean, except that the text
of messages can be searched. What a transaction changes is written at its end, a row that changed often once, or before
the first search that must see it. Place: store; implements messaging.records.Records.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from types import TracebackType
from typing import Any, Final

from roost.messaging.records import Changes, Message, R, Row
from roost.store.database import Database, Value
from roost.store.held import Held, Key, Search
from roost.store.migrate import migrate
from roost.store.search import SearchIndex
from roost.store.tables import Find, Table, table_of

_NO_COLUMNS: Final[Mapping[str, object]] = {}
_UNKNOWN: Final = object()  # in place of a row that may be in the database or not


class Store:
    """One open profile database. For one thread at a time.

    Every method may raise SurroundingsError `profile_damaged` or `disk_failed`; those that write also `disk_full`.
    """

    def __init__(self, database: Database) -> None:
        """Use `Store.create` or `Store.open`, or rather `Profile` (profile.py), which holds the lock too."""
        self._database = database
        self._search = SearchIndex(database)
        self._held = Held()
        self._waiting: dict[type[Row], dict[Key, tuple[Any, Row | None]]] = {}  # not written yet: before and after
        self._failure: BaseException | None = None  # of writing: the transaction cannot end well any more

    @classmethod
    def create(cls, path: Path, key: bytes) -> Store:
        """A new database under a 32-byte key. Raises CallerError `file_exists`."""
        return cls._over(Database(path, key, create=True))

    @classmethod
    def open(cls, path: Path, key: bytes) -> Store:
        """Open and bring to the newest form.

        Raises:
            SurroundingsError: `profile_damaged` (or a wrong key), `profile_busy`, `profile_too_new`, `no_permission`.
        """
        return cls._over(Database(path, key))

    @classmethod
    def _over(cls, database: Database) -> Store:
        try:
            migrate(database)
        except BaseException:
            database.close()
            raise
        return cls(database)

    # --- reading ----------------------------------------------------------------------------------------------------

    def get(self, kind: type[R], *key: Any) -> R | None:
        """The row with this key."""
        row: Any = self._held.rows.get((kind, key), _UNKNOWN)
        if row is _UNKNOWN:
            waiting = self._waiting.get(kind, {}).get(key)
            if waiting is not None:
                return waiting[1]  # type: ignore[return-value]
            table = table_of(kind)
            rows = self._database.rows(table.select, key)
            row = table.decode(rows[0][0]) if rows else None
            self._held.read(kind, key, row)
        return row  # type: ignore[no-any-return]

    def find(
        self,
        kind: type[R],
        *,
        where: Mapping[str, Any] = _NO_COLUMNS,
        at_most: tuple[str, int] | None = None,
        below: tuple[str, int] | None = None,
        order: str | None = None,
        descending: bool = False,
        limit: int | None = None,
    ) -> list[R]:
        """Rows whose columns equal `where` and whose named column is `<=` (`at_most`) or `<` (`below`) the number.

        Sorted by `order`, then by key. All columns named must be key or index columns (ValueError).
        """
        limit = None if limit is None else max(0, limit)
        bounds = [bound[1] for bound in (at_most, below) if bound is not None]
        search = None if bounds else Search(tuple(where), tuple(where.values()), order, descending, limit)
        held = self._held.answer(kind, search) if search is not None else None
        if held is not None:
            return held
        table = table_of(kind)
        shape = Find(
            where=tuple(where),
            at_most=at_most and at_most[0],
            below=below and below[0],
            order=order,
            descending=descending,
            limited=limit is not None,
        )
        values = [*where.values(), *bounds, *(() if limit is None else (limit,))]
        self._write(kind)
        rows = [table.decode(data) for (data,) in self._database.rows(table.find(shape), values)]
        if search is not None:
            self._held.answered(kind, search, {table.key_of(row): row for row in rows})
        return rows

    def search(self, words: str, limit: int = 100, conversation: bytes | None = None) -> list[bytes]:
        """Ids of messages, newest first, that hold words beginning with each of `words`; of one conversation, if it is
        given. Deleted ones are not found."""
        self._write(Message)
        return self._search.find(words, max(0, limit), conversation)

    # --- writing ----------------------------------------------------------------------------------------------------

    @contextmanager
    def transaction(self) -> Iterator[None]:
        """Group reads and several `apply`s: one commit, on disk at its end; an exception inside undoes all of them.

        Never await inside. Nested ones are undone alone, but a failure of the disk undoes the outermost.
        """
        self._write_all()  # what an outer one changed stays when this one is undone
        try:
            with self._database.transaction():
                yield
                self._write_all()
                if self._failure is not None:  # somebody inside went on after it
                    raise self._failure
        except BaseException:
            self._held.clear()
            self._waiting.clear()
            if not self._database.in_transaction:
                self._failure = None
            raise

    def apply(self, changes: Changes) -> None:
        """Make a step's changes: deletions first, then rows, each replacing the one with its key.

        Outside `transaction` they are on disk when this returns, all or nothing; inside they are as the rest of it.
        `changes.events` are the caller's to tell.
        """
        if not self._database.in_transaction:
            with self.transaction():
                self.apply(changes)
            return
        for kind, key in changes.delete:
            self._change(kind, key, None)
        for row in changes.put:
            self._change(type(row), table_of(type(row)).key_of(row), row)

    def _change(self, kind: type[Row], key: Key, row: Row | None) -> None:
        waiting = self._waiting.setdefault(kind, {})
        if key in waiting:
            before = waiting[key][0]
        else:  # the index of words follows what a message was
            before = self.get(kind, *key) if kind is Message else self._held.rows.get((kind, key), _UNKNOWN)
        waiting[key] = before, row
        self._held.written(kind, key, row)

    def _write_all(self) -> None:
        for kind in tuple(self._waiting):
            self._write(kind)

    def _write(self, kind: type[Row]) -> None:
        """Write what was changed of a kind."""
        waiting = self._waiting.pop(kind, None)
        if not waiting:
            return
        statements: dict[str, list[tuple[Value, ...]]] = {}
        try:
            for key, (before, after) in waiting.items():
                if before == after:
                    continue
                if kind is Message:
                    self._search.changed(before, after)  # type: ignore[arg-type]
                sql, values = _statement(table_of(kind), key, before, after)
                statements.setdefault(sql, []).append(values)
            for sql, several in statements.items():
                self._database.many(sql, several)
        except BaseException as error:
            self._failure = error
            raise

    # --- the file ---------------------------------------------------------------------------------------------------

    def check(self) -> None:
        """Read and verify everything; seconds for a large profile. Raises SurroundingsError `profile_damaged`."""
        self._database.check()

    def backup(self, target: Path) -> None:
        """Write a consistent copy under the same key, whole or not at all, while the profile is in use.

        Raises CallerError `file_exists`, SurroundingsError `disk_full`.
        """
        self._database.copy_to(target)

    def close(self) -> None:
        """Release the file. Closing twice is harmless."""
        self._database.close()

    def __enter__(self) -> Store:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.close()


def _statement(table: Table[Any], key: Key, before: Any, after: Row | None) -> tuple[str, tuple[Value, ...]]:
    """What makes `after` of `before`, which may be _UNKNOWN."""
    if after is None:
        return table.delete, key
    if before is None or before is _UNKNOWN:
        return table.upsert, table.encode(after)
    return table.change(before, after)
