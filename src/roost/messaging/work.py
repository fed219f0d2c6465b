"""One step of messaging: reads rows, collects changes, and sees its own changes while it runs.

Nothing is written here. The agent applies `Work.changes()` in the transaction that it read in, so an inbound envelope
or an outbound message is stored whole or not at all.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import cache

from roost.crypto import Entropy
from roost.messaging.parsed import ParsedSessions
from roost.messaging.records import Changes, Event, EventRow, Me, R, Records, Row, Setting, values_of

_Key = tuple[object, ...]


class NoProfile(LookupError):
    """The profile has no account yet; the agent creates one first."""


def row_key(row: Row) -> _Key:
    """The values of a row's key columns."""
    return _keys_of(type(row))(row)


@cache
def _keys_of(kind: type[Row]) -> Callable[[Row], _Key]:
    return values_of(kind.key)


@dataclass(slots=True)
class Work:
    """A unit of work over `records` at `now` (milliseconds since 1970)."""

    records: Records
    now: int
    entropy: Entropy
    sessions: ParsedSessions = field(default_factory=ParsedSessions)
    _rows: dict[type[Row], dict[_Key, Row | None]] = field(default_factory=dict)
    _events: list[Event] = field(default_factory=list)

    # --- reading ----------------------------------------------------------------------------------------------------

    def get(self, kind: type[R], *key: object) -> R | None:
        """The row with this key as this step sees it."""
        mine = self._rows.get(kind)
        if mine is not None and key in mine:
            return mine[key]  # type: ignore[return-value]
        return self.records.get(kind, *key)

    def need(self, kind: type[R], *key: object) -> R:
        """As `get` for a row that must exist. Raises LookupError: a defect of ours, not of any input."""
        row = self.get(kind, *key)
        if row is None:
            raise LookupError(f"no such {kind.table}")
        return row

    def find(
        self,
        kind: type[R],
        *,
        where: Mapping[str, object] | None = None,
        at_most: tuple[str, int] | None = None,
        below: tuple[str, int] | None = None,
        order: str | None = None,
        descending: bool = False,
        limit: int | None = None,
    ) -> list[R]:
        """As `Records.find`, with this step's own changes."""
        where = where or {}
        mine = self._rows.get(kind, {})
        rows = self.records.find(
            kind,
            where=where,
            at_most=at_most,
            below=below,
            order=order,
            descending=descending,
            limit=None if limit is None else limit + len(mine),
        )
        if mine:
            rows = [row for row in rows if row_key(row) not in mine]
            rows += [row for row in mine.values() if row is not None and _matches(row, where, at_most, below)]  # type: ignore[misc]
            if order is not None:
                rows.sort(key=lambda row: getattr(row, order), reverse=descending)
        return rows if limit is None else rows[:limit]

    @property
    def me(self) -> Me:
        """The profile's own account and device. Raises NoProfile."""
        me = self.get(Me, 0)
        if me is None:
            raise NoProfile
        return me

    # --- writing ----------------------------------------------------------------------------------------------------

    def put(self, row: R) -> R:
        self._rows.setdefault(type(row), {})[row_key(row)] = row
        return row

    def delete(self, row: Row) -> None:
        self._rows.setdefault(type(row), {})[row_key(row)] = None

    def next_number(self, name: str) -> int:
        """The next value, from 1 on, of a counter that never falls."""
        setting = self.get(Setting, name)
        number = 1 + (int.from_bytes(setting.value, "big") if setting else 0)
        self.put(Setting(name, number.to_bytes(8, "big")))
        return number

    def tell(self, kind: str, subject: bytes = b"", account: bytes = b"", detail: str = "") -> None:
        """Emit an event and keep it for listeners that are away."""
        number = self.next_number("event")
        self.put(EventRow(number, self.now, kind, subject, account, detail))
        self._events.append(Event(kind, subject, account, detail, number))

    def mention(self, kind: str, subject: bytes = b"", account: bytes = b"", detail: str = "") -> None:
        """Emit an event for those who listen now (typing, progress)."""
        self._events.append(Event(kind, subject, account, detail))

    def written(self, kind: type[R]) -> list[R]:
        """The rows of a kind that this step has written so far."""
        return [row for row in self._rows.get(kind, {}).values() if row is not None]  # type: ignore[misc]

    def merge(self, step: Work) -> None:
        """Take over what a smaller step, made with this one as its records, wants written."""
        for kind, rows in step._rows.items():
            self._rows.setdefault(kind, {}).update(rows)
        self._events.extend(step._events)

    def changes(self) -> Changes:
        """Everything that this step wants written."""
        return Changes(
            put=tuple(row for rows in self._rows.values() for row in rows.values() if row is not None),
            delete=tuple((kind, key) for kind, rows in self._rows.items() for key, row in rows.items() if row is None),
            events=tuple(self._events),
        )


def _matches(
    row: Row, where: Mapping[str, object], at_most: tuple[str, int] | None, below: tuple[str, int] | None
) -> bool:
    return (
        all(getattr(row, name) == value for name, value in where.items())
        and (at_most is None or getattr(row, at_most[0]) <= at_most[1])
        and (below is None or getattr(row, below[0]) < below[1])
    )
