"""What a row is, how rows are read, and what one step wants written."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from operator import attrgetter
from typing import Any, ClassVar, Protocol, TypeVar

import msgspec


class Row(msgspec.Struct, frozen=True, gc=False):  # what cannot change is never part of a cycle
    """Base of all rows. `key` and `indexes` name fields that become columns: bytes, int or str."""

    table: ClassVar[str]
    key: ClassVar[tuple[str, ...]]
    indexes: ClassVar[tuple[str, ...]] = ()

    def __repr__(self) -> str:  # rows hold secrets; none may reach a log through a repr
        return f"<{type(self).__name__}>"


R = TypeVar("R", bound=Row)


def values_of(names: tuple[str, ...]) -> Callable[[Row], tuple[Any, ...]]:
    """What reads these fields of a row: a tuple, also of one."""
    if len(names) > 1:
        return attrgetter(*names)
    (name,) = names
    return lambda row: (getattr(row, name),)


NEVER = 2**62
"""A time that does not come: so that "what is due by now" is one range of an index."""


class Records(Protocol):
    """Read access to the profile inside one transaction."""

    def get(self, kind: type[R], *key: object) -> R | None: ...

    def find(
        self,
        kind: type[R],
        *,
        where: Mapping[str, object] = ...,
        at_most: tuple[str, int] | None = None,
        below: tuple[str, int] | None = None,
        order: str | None = None,
        descending: bool = False,
        limit: int | None = None,
    ) -> list[R]:
        """Rows whose columns equal `where` and whose named column is `<=` (`at_most`) or `<` (`below`) the number."""
        ...


@dataclass(frozen=True, slots=True)
class Event:
    """Something happened that a listener may want to know. Durable ones are also an EventRow in the same changes."""

    kind: str
    subject: bytes = b""
    account: bytes = b""
    detail: str = ""
    number: int = 0  # of its EventRow; 0 when not durable


@dataclass(frozen=True, slots=True)
class Changes:
    """What one step of messaging wants written, all or nothing."""

    put: tuple[Row, ...] = ()
    delete: tuple[tuple[type[Row], tuple[object, ...]], ...] = ()
    events: tuple[Event, ...] = ()
