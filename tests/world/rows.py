"""A simulated device's profile: rows in dictionaries, written whole or not at all."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from roost.messaging.records import Changes, Row
from roost.messaging.work import row_key

Key = tuple[object, ...]


class Rows:
    """`messaging.records.Records` in memory. `copy` is what a backup of the profile folder holds."""

    def __init__(self, tables: dict[type[Row], dict[Key, Row]] | None = None) -> None:
        self._tables: dict[type[Row], dict[Key, Row]] = tables or {}

    def get(self, kind: Any, *key: object) -> Any:
        return self._tables.get(kind, {}).get(key)

    def find(
        self,
        kind: Any,
        *,
        where: Mapping[str, object] | None = None,
        at_most: tuple[str, int] | None = None,
        below: tuple[str, int] | None = None,
        order: str | None = None,
        descending: bool = False,
        limit: int | None = None,
    ) -> Any:
        columns = {*kind.key, *kind.indexes}
        used = {*(where or {}), *([at_most[0]] if at_most else ()), *([below[0]] if below else ())}
        assert used | ({order} if order else set()) <= columns, "only columns can be searched in the store"
        found = list(self._tables.get(kind, {}).values())
        for name, value in (where or {}).items():
            found = [row for row in found if getattr(row, name) == value]
        if at_most is not None:
            found = [row for row in found if getattr(row, at_most[0]) <= at_most[1]]
        if below is not None:
            found = [row for row in found if getattr(row, below[0]) < below[1]]
        if order is not None:
            found.sort(key=lambda row: (getattr(row, order), row_key(row)), reverse=descending)
        return found[:limit]

    def apply(self, changes: Changes) -> None:
        for kind, key in changes.delete:
            self._tables.get(kind, {}).pop(key, None)
        for row in changes.put:
            self._tables.setdefault(type(row), {})[row_key(row)] = row

    def copy(self) -> Rows:
        return Rows({kind: dict(rows) for kind, rows in self._tables.items()})

    def counts(self) -> dict[str, int]:
        """How many rows each table has: what must not grow without bound."""
        return {kind.table: len(rows) for kind, rows in self._tables.items()}
