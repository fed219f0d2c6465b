"""What time does to groups. Called by messaging.upkeep."""

from __future__ import annotations

import msgspec

from roost.messaging.groups import (
    answering,
    committing,
    forks,
    gaps,
    keeping,
    links,
    offers,
    places,
    reading,
    rejoining,
    sending,
)
from roost.messaging.records import NEVER, GroupRow, GroupStatus, Setting
from roost.messaging.work import Work

DAY_MS = 86_400_000
_DAILY = "groups/daily"


def tick(work: Work) -> None:
    """Everything that is due in groups. Cheap when nothing is."""
    for row in work.find(GroupRow, at_most=("due_at", work.now)):
        work.put(msgspec.structs.replace(row, due_at=NEVER))
        step(work, row.id)
    gaps.ask(work)
    rejoining.watch(work)
    answering.answer_due(work)
    forks.compare(work)
    last = work.get(Setting, _DAILY)
    if last is None or abs(work.now - int.from_bytes(last.value, "big")) > DAY_MS:
        work.put(Setting(_DAILY, work.now.to_bytes(8, "big")))
        _daily(work)


def step(work: Work, group: bytes) -> None:
    """Bring one group as far as it comes by itself; the agent calls it when one of its logs was made, too."""
    row = work.get(GroupRow, group)
    if row is None:
        return
    places.sweep(work, row)
    reading.tell(work, row)
    rejoining.step(work, work.need(GroupRow, group))
    gaps.catch_up(work, work.need(GroupRow, group))
    committing.pump(work, group)


def _daily(work: Work) -> None:
    offers.sweep(work)
    links.renew(work)
    links.forget_strangers(work)
    for row in work.find(GroupRow, where={"status": int(GroupStatus.ACTIVE)}):
        gaps.forget(work, row)
        sending.insist(work, row)
        keeping.tend(work, row)
        committing.refresh(work, row)
        committing.pump(work, row.id)


def next_deadline(work: Work) -> int:
    """When to call `tick` again at the latest."""
    due = [row.due_at for row in work.find(GroupRow, order="due_at", limit=1)]
    more = [at for at in (answering.next_answer(work), forks.next_comparison(work)) if at is not None]
    return min([*due, gaps.next_ask(work), rejoining.next_watch(work), *more])
