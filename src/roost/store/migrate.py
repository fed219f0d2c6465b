"""Brings a database to the newest form: migrations/NNNN_name.sql, each in a transaction of its own, in order.

The database's `user_version` is the number of the last one that ran. A power cut between two leaves a valid older form,
and the next opening goes on. A database from the future is refused untouched. Place: store.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from importlib import resources
from typing import Final

from roost.store.database import Database
from roost.store.failures import profile_damaged, profile_too_new

_FOLDER: Final = "migrations"


@dataclass(frozen=True, slots=True)
class Migration:
    number: int
    name: str
    sql: str


@cache
def migrations() -> tuple[Migration, ...]:
    """All known ones, numbered 1, 2, 3..."""
    files = sorted(
        (file for file in resources.files(__package__).joinpath(_FOLDER).iterdir() if file.name.endswith(".sql")),
        key=lambda file: file.name,
    )
    found = tuple(
        Migration(int(file.name[:4]), file.name.removesuffix(".sql"), file.read_text(encoding="utf-8"))
        for file in files
    )
    if [migration.number for migration in found] != list(range(1, len(found) + 1)):
        raise RuntimeError("the migrations are not numbered without gaps")
    return found


def version(database: Database) -> int:
    """The number of the last migration that ran; 0: none yet."""
    number: int = database.rows("PRAGMA user_version")[0][0]
    return number


def migrate(database: Database, known: tuple[Migration, ...] | None = None) -> None:
    """Run what has not run yet. Raises SurroundingsError `profile_too_new`, `disk_full`, `profile_damaged`."""
    known = migrations() if known is None else known
    done = version(database)
    if done > len(known):
        raise profile_too_new()
    if done < 0:
        raise profile_damaged()
    for migration in known[done:]:
        with database.transaction():
            database.rows(migration.sql)
            database.rows(f"PRAGMA user_version = {migration.number}")
