"""What the database holds, as far as this connection read or wrote it: rows by their keys, and answers to searches.

Rows are immutable and this connection is the only writer, so what is held stays true until it is written over; an
answer follows every row that is written, or is forgotten. Nothing here reads or writes the database.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final, NamedTuple

from roost.messaging.records import R, Row

Key = tuple[Any, ...]

_ROWS: Final = 2_048
_SEARCHES: Final = 16  # answers that are held of one kind of row, those that were asked for last
_LONGEST: Final = 64  # rows of an answer that is held


class Search(NamedTuple):
    """A search without bounds: those with bounds are mostly about a moment, and hardly ever asked twice."""

    columns: tuple[str, ...]
    values: tuple[Any, ...]
    order: str | None
    descending: bool
    limit: int | None


class Held:
    def __init__(self) -> None:
        self._rows: dict[tuple[type[Row], Key], Row | None] = {}
        self._answers: dict[type[Row], dict[Search, dict[Key, Row]]] = {}

    def get(self, kind: type[R], key: Key, unknown: Any) -> Any:
        """The row, None when it is known that there is none, `unknown` when nothing is known."""
        return self._rows.get((kind, key), unknown)

    def read(self, kind: type[Row], key: Key, row: Row | None) -> None:
        if len(self._rows) >= _ROWS:
            self._rows.clear()
        self._rows[kind, key] = row

    def written(self, kind: type[Row], key: Key, row: Row | None) -> None:
        """The row is this from now on; None: it is gone."""
        self.read(kind, key, row)
        answers = self._answers.get(kind)
        if answers:
            for search in [search for search, rows in answers.items() if not _follow(search, rows, key, row)]:
                del answers[search]

    def answer(self, kind: type[R], search: Search) -> list[R] | None:
        """What the search finds; None when that is not known."""
        answers = self._answers.get(kind)
        rows = answers.pop(search, None) if answers else None
        if answers is None or rows is None:
            return None
        answers[search] = rows  # the last of those that are forgotten
        return list(rows.values())  # type: ignore[arg-type]

    def answered(self, kind: type[Row], search: Search, rows: Mapping[Key, Row]) -> None:
        if len(rows) > _LONGEST:
            return
        answers = self._answers.setdefault(kind, {})
        if len(answers) >= _SEARCHES:
            del answers[next(iter(answers))]
        answers[search] = dict(rows)

    def clear(self) -> None:
        self._rows.clear()
        self._answers.clear()


def _follow(search: Search, rows: dict[Key, Row], key: Key, row: Row | None) -> bool:
    """Change an answer as a row changed; False when the database must be asked again."""
    before = rows.get(key)
    full = search.limit is not None and len(rows) >= search.limit
    if row is None or any(
        getattr(row, name) != value for name, value in zip(search.columns, search.values, strict=True)
    ):
        if before is None:
            return True
        del rows[key]
        return not full  # else another takes its place
    if before is not None:
        if search.order is not None and getattr(before, search.order) != getattr(row, search.order):
            return False
        rows[key] = row
        return True
    if rows and not _comes_after(search, key, row, *next(reversed(rows.items()))):
        return False
    if not full and len(rows) < _LONGEST:
        rows[key] = row
        return True
    return full


def _comes_after(search: Search, key: Key, row: Row, last_key: Key, last: Row) -> bool:
    mine, other = key, last_key
    if search.order is not None:
        mine, other = (getattr(row, search.order), *key), (getattr(last, search.order), *last_key)
    return mine < other if search.descending else mine > other
