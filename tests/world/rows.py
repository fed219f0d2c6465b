"""A simulated device's profile: rows in dictionaries, written whole or not at all."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from typing import Any

from roost.messaging.records import Changes, Row, values_of
from roost.messaging.work import row_key

Key = tuple[object, ...]
_Found = dict[object, Any]


@cache
def _are_columns(kind: type[Row], names: tuple[str | None, ...]) -> bool:
    return {*names} <= {*kind.key, *kind.indexes, None}


class Rows:
    """`messaging.records.Records` in memory. `copy` is what a backup of the profile folder holds.

    A device searches the same few tables again and again: what was found in one is kept until it is written to.
    """

    def __init__(self, tables: dict[type[Row], dict[Key, Row]] | None = None) -> None:
        self._tables: dict[type[Row], dict[Key, Row]] = tables or {}
        self._found: dict[type[Row], _Found] = {}
        self._written: dict[type[Row], int] = {}

    def get(self, kind: Any, *key: object) -> Any:
        table = self._tables.get(kind)
        return table.get(key) if table else None

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
        where = where or {}
        used = (*where, at_most and at_most[0], below and below[0], order)
        assert _are_columns(kind, used), "only columns can be searched in the store"
        if not self._tables.get(kind):
            return []
        found = self._ordered(kind, where, order, descending)
        if at_most is not None:
            found = [row for row in found if getattr(row, at_most[0]) <= at_most[1]]
        if below is not None:
            found = [row for row in found if getattr(row, below[0]) < below[1]]
        return found[:limit]

    def _ordered(self, kind: Any, where: Mapping[str, object], order: str | None, descending: bool) -> list[Any]:
        known = self._found.setdefault(kind, {})
        query = (order, descending, *where.items())
        found = known.get(query)
        if found is None:
            found = self._equal(kind, known, where)
            if order is not None:
                found = sorted(found, key=lambda row: (getattr(row, order), row_key(row)), reverse=descending)
            known[query] = found
        return found

    def _equal(self, kind: Any, known: _Found, where: Mapping[str, object]) -> list[Any]:
        if not where:
            return list(self._tables[kind].values())
        columns = tuple(where)
        groups = known.get(columns)
        if groups is None:
            groups = known[columns] = {}
            values = values_of(columns)
            for row in self._tables[kind].values():
                groups.setdefault(values(row), []).append(row)
        return groups.get(tuple(where.values()), [])

    def apply(self, changes: Changes) -> None:
        for kind, key in changes.delete:
            self._tables.get(kind, {}).pop(key, None)
        for row in changes.put:
            self._tables.setdefault(type(row), {})[row_key(row)] = row
        for kind in {*map(type, changes.put), *(kind for kind, _ in changes.delete)}:
            self._found.pop(kind, None)
            self._written[kind] = self._written.get(kind, 0) + 1

    def written(self, kind: type[Row]) -> int:
        """How often such rows were written: what was made of them holds while this stays the same."""
        return self._written.get(kind, 0)

    def copy(self) -> Rows:
        return Rows({kind: dict(rows) for kind, rows in self._tables.items()})

    def counts(self) -> dict[str, int]:
        """How many rows each table has: what must not grow without bound."""
        return {kind.table: len(rows) for kind, rows in self._tables.items()}
