"""The encrypted SQLite file: cipher, key, pragmas, transactions. docs/protocol/profile-format.md, "roost.db".

SQLite3 Multiple Ciphers' AEGIS-256: every page, in the file and in the write-ahead log, has its own nonce and tag, so a
changed or moved page is refused (its aes256cbc has no tags: never that one). The key is used as it is: 32 random bytes
need no stretching, and protection.py wraps them.

`locking_mode=EXCLUSIVE` makes the connection the only one: a second process, or a second connection of this one, gets
`profile_busy` even when it went around the profile's lock, and no shared-memory file is needed.

Place: store. What it does not decide: which tables there are (migrations/), what rows mean (messaging.records).
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final, NoReturn

import apsw

from roost.store.durable import create_file, publish_file, sync_file, sync_folder
from roost.store.failures import disk_failed, from_sqlite, os_errors, profile_damaged

KEY_SIZE: Final = 32
APPLICATION_ID: Final = 0x526F6F73  # "Roos": names the format inside the file
Value = bytes | int | str
_CACHE_KIB: Final = (
    16_384  # decrypted pages kept in memory; the default of 2 MiB decrypts the same pages again and again
)
_LOG_LIMIT: Final = 16 * 1024**2  # the write-ahead log shrinks to this after a checkpoint, however large it once was

_STATEMENTS: Final = 512  # kept prepared: more than there are

_SETTINGS: Final = (
    "PRAGMA locking_mode = EXCLUSIVE",  # before the log is touched, or it would need shared memory
    "PRAGMA journal_mode = WAL",
    "PRAGMA synchronous = FULL",  # every commit is on the medium before it is reported (DESIGN section 9)
    "PRAGMA fullfsync = ON",  # macOS; elsewhere without effect
    "PRAGMA checkpoint_fullfsync = ON",
    "PRAGMA secure_delete = ON",  # deleted messages leave no bytes in free pages
    "PRAGMA foreign_keys = OFF",
    "PRAGMA trusted_schema = OFF",
    "PRAGMA temp_store = MEMORY",  # temporary tables would be files outside the encryption
    f"PRAGMA cache_size = -{_CACHE_KIB}",
    f"PRAGMA journal_size_limit = {_LOG_LIMIT}",
)


class Database:
    """One open encrypted database file and its only connection. Not for two threads at once."""

    def __init__(self, path: Path, key: bytes, *, create: bool = False) -> None:
        """Open `path` with the 32-byte `key`; `create` makes a new, empty file (and refuses an existing one).

        Raises:
            SurroundingsError: `profile_damaged` (also for a wrong key), `profile_busy`, `disk_full`, `no_permission`.
        """
        if len(key) != KEY_SIZE:
            raise ValueError("a database key has 32 bytes")
        if create:
            with os_errors():
                os.close(create_file(path))  # SQLite would let others read it, and its log likewise
                sync_folder(path.parent)
        try:
            self._connection = apsw.Connection(
                str(path), flags=apsw.SQLITE_OPEN_READWRITE, statementcachesize=_STATEMENTS
            )
        except apsw.Error as error:
            _raise(error, 0)
        self._depth = 0
        try:
            self._prepare(key)
        except BaseException:
            self._connection.close()
            raise

    def _prepare(self, key: bytes) -> None:
        self.rows("PRAGMA cipher = aegis")
        self.rows(f'PRAGMA key = "raw:{key.hex()}"')
        for setting in _SETTINGS:
            self.rows(setting)
        if self.rows("PRAGMA journal_mode") != [("wal",)] or self.rows("PRAGMA locking_mode") != [("exclusive",)]:
            raise disk_failed()  # a file system that lacks what they need
        with self.transaction():  # takes the exclusive lock now, not at the first write
            if self.rows("PRAGMA application_id") == [(0,)]:
                self.rows(f"PRAGMA application_id = {APPLICATION_ID}")

    def rows(self, sql: str, values: Sequence[Value] = ()) -> list[tuple[Any, ...]]:
        """Run a statement (or several without values) and return all rows that it gives."""
        try:
            return self._connection.execute(sql, values).fetchall()
        except apsw.Error as error:
            _raise(error, self._connection.system_errno)

    def many(self, sql: str, several: Sequence[Sequence[Value]]) -> None:
        """Run a statement that returns nothing with each of the values."""
        try:
            self._connection.executemany(sql, several)
        except apsw.Error as error:
            _raise(error, self._connection.system_errno)

    @property
    def in_transaction(self) -> bool:
        return self._depth > 0

    @property
    def changed(self) -> int:
        """How many rows the last statement inserted, updated or deleted."""
        return self._connection.changes()

    # --- transactions -----------------------------------------------------------------------------------------------

    @contextmanager
    def transaction(self) -> Iterator[None]:
        """All or nothing; on disk when the outermost one ends. An exception inside undoes what was done inside.

        Nested ones are savepoints. Never wait for anything inside: other tasks' writes would join the transaction.
        """
        self._begin()
        self._depth += 1
        try:
            yield
            self._commit()
        except BaseException:
            self._roll_back()
            raise
        finally:
            self._depth -= 1

    def _begin(self) -> None:
        if self._depth == 0:
            self.rows("BEGIN IMMEDIATE")
        else:
            self._must_be_whole()
            self.rows("SAVEPOINT nested")

    def _commit(self) -> None:
        self._must_be_whole()
        self.rows("COMMIT" if self._depth == 1 else "RELEASE nested")

    def _roll_back(self) -> None:
        if not self._connection.in_transaction:
            return  # SQLite did it by itself, as it may after an I/O error
        self.rows("ROLLBACK" if self._depth == 1 else "ROLLBACK TO nested; RELEASE nested")

    def _must_be_whole(self) -> None:
        """After SQLite rolled back by itself, the rest of the transaction must not be written alone."""
        if not self._connection.in_transaction:
            raise disk_failed()

    # --- the file as a whole ----------------------------------------------------------------------------------------

    def check(self) -> None:
        """Read and verify every page and index; seconds for a large profile. Raises `profile_damaged`."""
        if self.rows("PRAGMA integrity_check(1)") != [("ok",)]:
            raise profile_damaged()

    def copy_to(self, target: Path) -> None:
        """Write a consistent, compact copy under the same key, whole or not at all.

        Raises:
            CallerError: `file_exists`.
            SurroundingsError: `disk_full`, `no_permission`, `profile_damaged`.
        """
        temporary = target.with_name(target.name + ".new")
        with os_errors():
            temporary.unlink(missing_ok=True)
            descriptor = create_file(temporary)
        try:
            self.rows("VACUUM INTO ?", (str(temporary),))
            with os_errors():
                sync_file(descriptor)  # VACUUM INTO does not
                publish_file(temporary, target, overwrite=False)
        finally:
            os.close(descriptor)
            temporary.unlink(missing_ok=True)

    def close(self) -> None:
        """Move the log into the file and give up the lock. Closing twice is harmless."""
        try:
            self._connection.close()
        except apsw.Error as error:
            _raise(error, 0)


def _raise(error: apsw.Error, system_errno: int) -> NoReturn:
    translated = from_sqlite(error, system_errno)
    if translated is None:
        raise error
    raise translated from error
