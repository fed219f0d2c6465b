"""Prints the SQL that makes the tables which messaging.records declares. A developer's tool:

    .venv/bin/python tests/store/print_schema.py > src/roost/store/migrations/0001_rows.sql

Once a version has been released its migrations never change: then a changed row needs a new, hand-written migration,
and this script only helps to write it. `test_store_schema.py` compares the migrated tables with the declarations.
"""

from __future__ import annotations

from typing import get_type_hints

from roost.messaging.records import ROWS, Row

HEADER = """\
-- One table for each kind of row in messaging/records.py: its key, its index columns, and the whole row in `data`.
-- Printed by tests/store/print_schema.py.
"""
SQL_TYPES = {bytes: "BLOB", int: "INTEGER", str: "TEXT"}

# Searches that one column alone does not serve: the history of one conversation, and what waits for one device.
COMPOSITE = {
    ("message", "conversation"): ("conversation", "position"),
    ("outbox", "device"): ("device", "state"),
}


def columns(kind: type[Row]) -> dict[str, str]:
    """Name and SQL type of each declared column, key first."""
    hints = get_type_hints(kind)
    return {name: SQL_TYPES[hints[name]] for name in (*kind.key, *kind.indexes)}


def create(kind: type[Row]) -> str:
    """The table, with an index for each declared column that the key does not already serve."""
    lines = [f'"{name}" {sql_type} NOT NULL' for name, sql_type in columns(kind).items()]
    lines += ["data BLOB NOT NULL", "PRIMARY KEY ({})".format(", ".join(f'"{name}"' for name in kind.key))]
    statements = ['CREATE TABLE "{}" (\n    {}\n) STRICT;'.format(kind.table, ",\n    ".join(lines))]
    for name in kind.indexes:
        indexed = ", ".join(f'"{part}"' for part in COMPOSITE.get((kind.table, name), (name,)))
        statements.append(f'CREATE INDEX "{kind.table}_{name}" ON "{kind.table}" ({indexed});')
    return "\n".join(statements) + "\n"


if __name__ == "__main__":
    print(HEADER, *(create(kind) for kind in ROWS), sep="\n", end="")
