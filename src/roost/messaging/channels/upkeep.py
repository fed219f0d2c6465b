"""What time does to channels: a state is put again before its host's expiry takes it, and the owner makes moderators'
bans and removals part of it."""

from __future__ import annotations

from roost.messaging.channels import moving, states
from roost.messaging.records import ChannelRow, LogPut, SharedLog
from roost.messaging.work import Work
from roost.wire.channels import ChannelRole

DAY_MS = 86_400_000
OWNER_REPEATS_MS = 7 * DAY_MS
MODERATOR_REPEATS_MS = 10 * DAY_MS  # where the owner does not; each waits up to five days more, so that one does


def tick(work: Work) -> None:
    for row in work.find(ChannelRow):
        moving.tend(work, row)
        state, log = states.held(row), work.get(SharedLog, row.log)
        if state is None or log is None or not log.put or _on_its_way(work, row):
            continue
        if row.own and states.is_stale(work, row):
            states.publish(work, row, state)
        elif work.now - row.seen_at > _patience(work, row):
            states.repeat(work, row)


def _patience(work: Work, row: ChannelRow) -> int:
    if row.own:
        return OWNER_REPEATS_MS
    mine = states.my_key(row).public.raw
    if states.role_of(work, row, mine) == ChannelRole.MODERATOR:
        return MODERATOR_REPEATS_MS + mine[0] * 5 * DAY_MS // 255
    return 2**62


def _on_its_way(work: Work, row: ChannelRow) -> bool:
    return any(put.subject == states.SUBJECT for put in work.find(LogPut, where={"log": row.log}))
