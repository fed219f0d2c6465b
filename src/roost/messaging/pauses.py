"""When what a host has not taken, or nobody has confirmed, is tried again: for the outbox and for what goes to logs."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final, TypeVar

import msgspec

from roost.messaging.records import LogPut, Outbox
from roost.messaging.work import Work

MINUTE_MS: Final = 60_000
REPUT_AFTER_MS: Final = (10 * MINUTE_MS, 60 * MINUTE_MS, 6 * 60 * MINUTE_MS, 24 * 60 * MINUTE_MS)
RETRY_AFTER_MS: Final = (1_000, 2_000, 5_000, 15_000, 30_000, *10 * (MINUTE_MS,), 5 * MINUTE_MS, 15 * MINUTE_MS)
"""What is away for minutes, like a swarm that lost its majority, is missed for a minute at most when it is back."""
LONGEST_PAUSE_MS: Final = 2 * REPUT_AFTER_MS[-1]
CATCH_UP_AT_ONCE: Final = 1_000

_Put = TypeVar("_Put", Outbox, LogPut)


def hurry(work: Work, waiting: Iterable[_Put], problems: tuple[str, ...] = ()) -> None:
    """Try these at once; only what failed with one of `problems`, if any are named."""
    for row in waiting:
        if row.next_at > work.now and (not problems or row.problem in problems):
            work.put(msgspec.structs.replace(row, next_at=work.now))


def catch_up(work: Work, kind: type[_Put]) -> None:
    """A clock that was ahead and was set back would hold up what waits: no pause is longer than the longest."""
    for row in work.find(kind, order="next_at", descending=True, limit=CATCH_UP_AT_ONCE):
        if row.next_at <= work.now + LONGEST_PAUSE_MS:
            return
        work.put(msgspec.structs.replace(row, next_at=work.now))
