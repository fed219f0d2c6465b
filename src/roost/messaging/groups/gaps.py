"""What never came of what a device said: its counters show it, and it is asked to say it again (DESIGN section 9).

Whoever misses something asks inside the group, after a random pause, so that of many who miss it one asks; the sender
alone answers, because nobody else could say it in its name.
"""

from __future__ import annotations

from collections.abc import Callable

import msgspec

from roost.messaging.groups import sending
from roost.messaging.records import NEVER, GroupMember, GroupRow, GroupSaid, GroupSender, GroupStatus
from roost.messaging.work import Work
from roost.wire.content import encode_content
from roost.wire.groups import MAX_GAPS, MAX_HEARD, CatchUp, GapRange, HeardUpTo, Missing

PATIENCE_MS = 20_000  # at most, before the first question; each further one waits longer
MAX_ASKED = 6
MAX_WIDTH = 1_000  # of one range that is missing
KEPT_MS = 45 * 86_400_000  # what was said is kept so long, to be said again
KEPT_COUNT = 2_000
AGAIN_AT_ONCE = 200
MOST_PEOPLE = 256  # in a group in which all say again what one device missed


def heard(work: Work, row: GroupRow, device: bytes, counter: int) -> None:
    """An entry with this number came from a device of the group."""
    known = work.get(GroupSender, row.id, device)
    start = counter - counter % sending.INCARNATION
    if known is None or known.highest < start:  # the first since it joined, or since I did
        since_i_joined = start >= sending.first_counter(row.since)
        highest = start if since_i_joined else counter - 1
        known = GroupSender(row.id, device, highest, known.missing if known else ())
    if counter > known.highest + 1:
        first = max(known.highest + 1, counter - MAX_WIDTH)
        missing = (*known.missing, (first, counter - 1))[-MAX_GAPS:]
        known = msgspec.structs.replace(known, missing=missing, asked=0, ask_at=_soon(work, 0))
    missing = tuple(part for span in known.missing for part in _without(span, counter))
    ask_at = known.ask_at if missing else NEVER
    highest = max(known.highest, counter)
    work.put(msgspec.structs.replace(known, highest=highest, missing=missing[-MAX_GAPS:], ask_at=ask_at))


def _without(span: tuple[int, int], counter: int) -> list[tuple[int, int]]:
    first, last = span
    if not first <= counter <= last:
        return [span]
    return [part for part in ((first, counter - 1), (counter + 1, last)) if part[0] <= part[1]]


def _soon(work: Work, asked: int) -> int:
    spread = PATIENCE_MS << 2 * asked
    return work.now + spread // 4 + int.from_bytes(work.entropy.bytes(4), "big") % spread


def ask(work: Work) -> None:
    """Ask for what has been missing for a while."""
    for sender in work.find(GroupSender, at_most=("ask_at", work.now), limit=100):
        asked = sender.asked + 1
        ask_at = _soon(work, asked) if asked < MAX_ASKED else NEVER
        missing = sender.missing if asked <= MAX_ASKED else ()
        work.put(msgspec.structs.replace(sender, asked=asked, ask_at=ask_at))
        row = work.get(GroupRow, sender.group)
        if row is not None and missing:
            ranges = tuple(GapRange(*span) for span in missing)
            sending.send(work, row.id, encode_content(Missing(sender.device, ranges)))


def asked(work: Work, row: GroupRow, content: Missing) -> None:
    """A member asks. If it is for what I said, I say it again; else I need not ask as well for a while."""
    if content.device != work.me.device:
        other = work.get(GroupSender, row.id, content.device)
        if other is not None and other.ask_at != NEVER:
            work.put(msgspec.structs.replace(other, ask_at=max(other.ask_at, _soon(work, other.asked + 1))))
        return
    just_now = work.now - PATIENCE_MS // 4  # what landed then, it may be reading

    def is_meant(said: GroupSaid) -> bool:
        waits = said.landed_at == NEVER or said.landed_at <= just_now
        return waits and any(span.first <= said.counter <= span.last for span in content.ranges)

    _say_again(work, row, is_meant)


def catch_up_asked(work: Work, row: GroupRow, content: CatchUp, back: int) -> None:
    """A device came back, in epoch `back`, that may have missed what I said. What was sealed since it opens itself."""
    heard = {entry.device: entry.counter for entry in content.heard}.get(work.me.device)

    def is_meant(said: GroupSaid) -> bool:
        return said.epoch < back and (said.epoch >= content.epoch if heard is None else said.counter > heard)

    _say_again(work, row, is_meant)


def _say_again(work: Work, row: GroupRow, is_meant: Callable[[GroupSaid], bool]) -> None:
    """Of very many the last ones: that others are missing is seen by their counters."""
    said = work.find(GroupSaid, where={"group": row.id})
    meant = [one for one in said if one.again < sending.MOST_AGAIN and is_meant(one)]
    for one in sorted(meant, key=lambda one: one.counter)[-AGAIN_AT_ONCE:]:
        sending.say_again(work, one)
    sending.flush(work, row.id)


def next_ask(work: Work) -> int:
    """When `ask` has something to do."""
    rows = work.find(GroupSender, order="ask_at", limit=1)
    return rows[0].ask_at if rows else NEVER


def forget(work: Work, row: GroupRow) -> None:
    """What was said long ago is not said again."""
    landed = [said for said in work.find(GroupSaid, where={"group": row.id}) if said.landed_at != NEVER]
    landed.sort(key=lambda said: said.counter)
    for place, said in enumerate(landed):
        if said.landed_at < work.now - KEPT_MS or place < len(landed) - KEPT_COUNT:
            work.delete(said)


# --- after coming back -----------------------------------------------------------------------------------------------


def came_back(work: Work, row: GroupRow, epoch: int) -> None:
    """This device had lost the group since that epoch. What was said meanwhile is asked for, of all at the same time,
    when what is on its way has come. In a large group that would be too much: there it is seen by the counters that
    something is missing, when somebody speaks."""
    if row.catch_up or len(work.find(GroupMember, where={"group": row.id})) > MOST_PEOPLE:
        return
    senders = sorted(work.find(GroupSender, where={"group": row.id}), key=lambda sender: sender.device)
    heard = tuple(HeardUpTo(sender.device, sender.highest) for sender in senders[:MAX_HEARD])
    question = encode_content(CatchUp(max(epoch, row.since), heard))
    at = _soon(work, 0)
    work.put(msgspec.structs.replace(row, catch_up=question, catch_up_at=at, due_at=min(row.due_at, at)))


def catch_up(work: Work, row: GroupRow) -> None:
    """Put that question, once."""
    if row.status != GroupStatus.ACTIVE or not row.catch_up:
        return
    if row.catch_up_at > work.now:
        work.put(msgspec.structs.replace(row, due_at=min(row.due_at, row.catch_up_at)))
        return
    work.put(msgspec.structs.replace(row, catch_up=b""))
    sending.send(work, row.id, row.catch_up)
