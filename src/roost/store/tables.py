"""How a kind of row lies in its table: key and index columns, and `data`, the whole row as a msgpack map.

Place: store, between messaging.records (which declares the kinds) and SQL. The tables themselves are made by
migrations/; a test compares them with the declarations.
"""
# ruff: noqa: S608  (the names in these statements are those that messaging.records declares, never anybody's input)

from __future__ import annotations

from dataclasses import dataclass
from functools import cache, cached_property, lru_cache
from typing import Final, Generic

import msgspec

from roost.messaging.records import R, values_of
from roost.store.database import Value
from roost.store.failures import profile_damaged

_encode: Final = msgspec.msgpack.Encoder().encode


@dataclass(frozen=True, slots=True)
class Find:
    """The shape of a search; its values are bound when it runs."""

    where: tuple[str, ...] = ()
    at_most: str | None = None
    below: str | None = None
    order: str | None = None
    descending: bool = False
    limited: bool = False


class Table(Generic[R]):
    """The statements and conversions of one kind of row. Take it from `table_of`."""

    def __init__(self, kind: type[R]) -> None:
        self.kind: Final = kind
        self.key: Final = kind.key
        self.columns: Final = (*kind.key, *(name for name in kind.indexes if name not in kind.key))
        self.key_of: Final = values_of(self.key)
        self._values: Final = values_of(self.columns)
        self._changes: Final[dict[tuple[str, ...], str]] = {}
        self._name: Final = _quote(kind.table)
        by_key = " AND ".join(f"{_quote(name)} = ?" for name in self.key)
        self.select: Final = f"SELECT data FROM {self._name} WHERE {by_key}"
        self.delete: Final = f"DELETE FROM {self._name} WHERE {by_key}"
        self.upsert: Final = self._upsert()

    def _upsert(self) -> str:
        columns = ", ".join(map(_quote, self.columns))
        update = ", ".join(f"{_quote(name)} = excluded.{_quote(name)}" for name in self.columns if name not in self.key)
        return (
            f"INSERT INTO {self._name} ({columns}, data) VALUES ({', '.join('?' * len(self.columns))}, ?)"
            f" ON CONFLICT ({', '.join(map(_quote, self.key))}) DO UPDATE SET {update + ', ' if update else ''}"
            "data = excluded.data"
        )

    def encode(self, row: R) -> tuple[Value, ...]:
        """The values of `upsert`."""
        return (*self._values(row), _encode(row))

    def change(self, before: R, after: R) -> tuple[str, tuple[Value, ...]]:
        """The statement that makes one row of another with its key, and its values. An index that is named in an
        update is written anew even where nothing changed in it: only columns that changed are."""
        values, old = self._values(after), self._values(before)
        changed = [index for index, value in enumerate(values) if value != old[index]]
        names = tuple(self.columns[index] for index in changed)
        if names not in self._changes:
            self._changes[names] = (
                f"UPDATE {self._name} SET {''.join(f'{_quote(name)} = ?, ' for name in names)}data = ?"
                f" WHERE {' AND '.join(f'{_quote(name)} = ?' for name in self.key)}"
            )
        return self._changes[names], (*(values[index] for index in changed), _encode(after), *values[: len(self.key)])

    @cached_property
    def _decoder(self) -> msgspec.msgpack.Decoder[R]:
        """Made with the first row: a start looks into many tables, most of them empty."""
        return msgspec.msgpack.Decoder(self.kind)

    def decode(self, data: bytes) -> R:
        """The row. Raises SurroundingsError `profile_damaged`."""
        try:
            return self._decoder.decode(data)
        except (msgspec.MsgspecError, ValueError, RecursionError) as error:
            raise profile_damaged() from error

    @lru_cache(maxsize=64)  # noqa: B019  (tables live as long as the program)
    def find(self, shape: Find) -> str:
        """The SELECT of a search. Rows with equal `order` come in the order of their keys."""
        for name in (*shape.where, shape.at_most, shape.below, shape.order):
            if name is not None and name not in self.columns:
                raise ValueError(f"{self.kind.__name__}.{name} is neither key nor index")
        conditions = [f"{_quote(name)} = ?" for name in shape.where]
        conditions += [f"{_quote(shape.at_most)} <= ?"] if shape.at_most else []
        conditions += [f"{_quote(shape.below)} < ?"] if shape.below else []
        direction = " DESC" if shape.descending else ""
        order = (shape.order, *self.key) if shape.order else self.key
        return (
            f"SELECT data FROM {self._name}"
            + (" WHERE " + " AND ".join(conditions) if conditions else "")
            + " ORDER BY "
            + ", ".join(_quote(name) + direction for name in dict.fromkeys(order))
            + (" LIMIT ?" if shape.limited else "")
        )


def _quote(name: str) -> str:
    """Names of fields may be words of SQL ("index")."""
    return f'"{name}"'


@cache
def table_of(kind: type[R]) -> Table[R]:
    return Table(kind)
