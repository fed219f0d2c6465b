"""The schema as numbered steps: `NNNN_name.sql` takes a storage from version NNNN - 1 to NNNN, in one transaction.

A step that was released is never edited. `PRAGMA user_version` is the version.
"""

from __future__ import annotations

from importlib.resources import files
from typing import Any

import apsw

from roost.relay.storage.engine import StorageBroken


def steps() -> list[tuple[int, str]]:
    """All steps as (version, SQL), in order."""
    found = sorted(
        (int(item.name[:4]), item.read_text()) for item in files(__name__).iterdir() if item.name.endswith(".sql")
    )
    if [version for version, _ in found] != list(range(1, len(found) + 1)):
        raise AssertionError("migration numbers have a gap")
    return found


def number(connection: apsw.Connection, sql: str) -> int:
    """The single number that a query gives."""
    rows: list[Any] = connection.execute(sql).fetchall()
    return int(rows[0][0])


def migrate(connection: apsw.Connection) -> None:
    """Bring an empty or older storage up to date.

    Raises:
        StorageBroken: it was made by a newer version, or is another program's.
    """
    known = steps()
    version = number(connection, "PRAGMA user_version")
    if version > len(known):
        raise StorageBroken(
            "The relay's data is from a newer version of Roost.",
            code="newer_data",
            hint="Update Roost on this machine.",
        )
    if version == 0 and number(connection, "SELECT count(*) FROM sqlite_schema"):
        raise StorageBroken("The file relay.db in the data directory is not a relay's.")
    for step, sql in known[version:]:
        with connection:
            connection.execute(sql)
            connection.execute(f"PRAGMA user_version={step}")
