"""The client's database as messaging sees it: rows in, rows out, several changes in one transaction. DESIGN section 9.

Generic over the kinds of rows that messaging.records declares; it knows nothing of what they mean, except that the text
of messages can be searched. Place: store; implements messaging.records.Records.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from types import TracebackType
from typing import Any, Final

from roost.messaging.records import Changes, Message, R, Row
from roost.store.database import Database
from roost.store.migrate import migrate
from roost.store.search import SearchIndex
from roost.store.tables import Find, table_of

_KNOWN_ROWS: Final = 4_096
_NO_COLUMNS: Final[Mapping[str, object]] = {}


class Store:
    """One open profile database. For one thread at a time.

    Every method may raise SurroundingsError `profile_damaged` or `disk_failed`; those that write also `disk_full`.
    """

    def __init__(self, database: Database) -> None:
        """Use `Store.create` or `Store.open`, or rather `Profile` (profile.py), which holds the lock too."""
        self._database = database
        self._search = SearchIndex(database)
        self._known: dict[
            tuple[type[Row], tuple[Any, ...]], Row | None
        ] = {}  # what the database holds, read or written

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
        if (kind, key) in self._known:
            return self._known[kind, key]  # type: ignore[return-value]
        table = table_of(kind)
        rows = self._database.rows(table.select, key)
        row = table.decode(rows[0][0]) if rows else None
        self._remember(kind, key, row)
        return row

    def _remember(self, kind: type[Row], key: tuple[Any, ...], row: Row | None) -> None:
        """Rows are immutable and this connection is the only writer, so what is known stays true until written."""
        if len(self._known) >= _KNOWN_ROWS:
            self._known.clear()
        self._known[kind, key] = row

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
        table = table_of(kind)
        shape = Find(
            where=tuple(where),
            at_most=at_most and at_most[0],
            below=below and below[0],
            order=order,
            descending=descending,
            limited=limit is not None,
        )
        bounds = [bound[1] for bound in (at_most, below) if bound is not None]
        values = [*where.values(), *bounds, *(() if limit is None else (max(0, limit),))]
        return [table.decode(data) for (data,) in self._database.rows(table.find(shape), values)]

    def search(self, words: str, limit: int = 100, conversation: bytes | None = None) -> list[bytes]:
        """Ids of messages, newest first, that hold words beginning with each of `words`; of one conversation, if it is
        given. Deleted ones are not found."""
        return self._search.find(words, max(0, limit), conversation)

    # --- writing ----------------------------------------------------------------------------------------------------

    @contextmanager
    def transaction(self) -> Iterator[None]:
        """Group reads and several `apply`s: one commit, on disk at its end; an exception inside undoes all of them.

        Never await inside.
        """
        try:
            with self._database.transaction():
                yield
        except BaseException:
            self._known.clear()
            raise

    def apply(self, changes: Changes) -> None:
        """Write a step's changes, all or nothing: deletions first, then rows, each replacing the one with its key.

        Outside `transaction` they are on disk when this returns. `changes.events` are the caller's to tell.
        """
        with self.transaction():
            for kind, key in changes.delete:
                self._delete(kind, key)
            for row in changes.put:
                self._put(row)

    def _put(self, row: Row) -> None:
        table = table_of(type(row))
        if isinstance(row, Message):
            self._search.changed(self.get(Message, row.id), row)
        self._database.rows(table.upsert, table.encode(row))
        self._remember(type(row), tuple(getattr(row, name) for name in row.key), row)

    def _delete(self, kind: type[Row], key: tuple[Any, ...]) -> None:
        if kind is Message:
            self._search.changed(self.get(Message, *key), None)
        self._database.rows(table_of(kind).delete, key)
        self._remember(kind, key, None)

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
