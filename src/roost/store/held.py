"""What the database holds, as far as this connection read or wrote it: rows by their keys, and answers to searches.

Rows are immutable and this connection is the only writer, so what is held stays true until it is written over; an
answer follows every row that is written, or is forgotten. Nothing here reads or writes the database.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from operator import attrgetter
from typing import Any, Final, NamedTuple

from roost.messaging.records import R, Row

Key = tuple[Any, ...]

_ROWS: Final = 2_048
_SEARCHES: Final = 16  # answers that are held of one kind of row, those that were asked for last
_LONGEST: Final = 256  # rows of an answer that is held


class Search(NamedTuple):
    """A search without bounds: those with bounds are mostly about a moment, and hardly ever asked twice."""

    columns: tuple[str, ...]
    values: tuple[Any, ...]
    order: str | None
    descending: bool
    limit: int | None


class _Answer:
    __slots__ = ("expected", "rows", "values")

    def __init__(self, search: Search, rows: Mapping[Key, Row]) -> None:
        self.rows = dict(rows)
        self.values: Callable[[Row], object] | None = attrgetter(*search.columns) if search.columns else None
        self.expected = search.values if len(search.columns) > 1 else next(iter(search.values), None)

    def fits(self, row: Row) -> bool:
        return self.values is None or self.values(row) == self.expected


class Held:
    def __init__(self) -> None:
        self.rows: dict[tuple[type[Row], Key], Row | None] = {}  # None: there is none
        self._answers: dict[type[Row], dict[Search, _Answer]] = {}

    def read(self, kind: type[Row], key: Key, row: Row | None) -> None:
        if len(self.rows) >= _ROWS:
            self.rows.clear()
        self.rows[kind, key] = row

    def written(self, kind: type[Row], key: Key, row: Row | None) -> None:
        """The row is this from now on; None: it is gone."""
        self.read(kind, key, row)
        answers = self._answers.get(kind)
        if answers:
            gone = []
            for search, answer in answers.items():
                fits = row is not None and answer.fits(row)
                if (fits or key in answer.rows) and not _follow(search, answer.rows, key, row if fits else None):
                    gone.append(search)
            for search in gone:
                del answers[search]

    def answer(self, kind: type[R], search: Search) -> list[R] | None:
        """What the search finds; None when that is not known."""
        answers = self._answers.get(kind)
        answer = answers.pop(search, None) if answers else None
        if answers is None or answer is None:
            return None
        answers[search] = answer  # the last of those that are forgotten
        return list(answer.rows.values())  # type: ignore[arg-type]

    def answered(self, kind: type[Row], search: Search, rows: Mapping[Key, Row]) -> None:
        if len(rows) > _LONGEST:
            return
        answers = self._answers.setdefault(kind, {})
        if len(answers) >= _SEARCHES:
            del answers[next(iter(answers))]
        answers[search] = _Answer(search, rows)

    def clear(self) -> None:
        self.rows.clear()
        self._answers.clear()


def _follow(search: Search, rows: dict[Key, Row], key: Key, row: Row | None) -> bool:
    """Change an answer as one of its rows did, one that left it (None) or one that comes to it; False when the database
    must be asked again."""
    before = rows.get(key)
    full = search.limit is not None and len(rows) >= search.limit
    if row is None:
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
