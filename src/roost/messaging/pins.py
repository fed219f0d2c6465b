"""Messages that are kept at hand in a conversation, for both sides: either of the two pins and unpins any message.

Both see the same pins: of two words about a message the later one holds, whatever order they come in. docs/protocol/
contents.md, section 1.
"""

from __future__ import annotations

from roost.errors import CallerError
from roost.messaging import delivery
from roost.messaging.conversations import UnknownMessage
from roost.messaging.records import Message, PinRow
from roost.messaging.work import Work
from roost.wire import content as c

MAX_PINS = 50  # of a conversation; the oldest makes way


def pin(work: Work, id: bytes, *, pinned: bool) -> Message:
    """Pin a message, or take its pin away, on both sides. Raises CallerError."""
    message = work.get(Message, id)
    if message is None or message.deleted:
        raise UnknownMessage("There is no such message.")
    delivery.open_talk(work, message.conversation, posting=False)
    delivery.check_change(work, c.Pin(id, pinned), message)
    if not pinned and not is_pinned(work, message):
        raise CallerError("This message is not pinned.", code="not_pinned")
    held = work.get(PinRow, message.conversation, id)
    at = max(work.now, held.at + 1) if held else work.now
    apply_pin(work, message, work.me.account, at, pinned=pinned)
    delivery.fan_out(work, message.conversation, c.encode_content(c.Pin(id, pinned)), sent_at=at)
    return message


def apply_pin(work: Work, message: Message, author: bytes, at: int, *, pinned: bool) -> None:
    """Somebody of the conversation said so at `at`."""
    held = work.get(PinRow, message.conversation, message.id)
    if message.deleted or (held is not None and (held.at, held.pinned) >= (at, pinned)):
        return
    work.put(PinRow(message.conversation, message.id, author, pinned, at))
    _make_room(work, message.conversation)
    work.tell("pin", message.id, author, "pinned" if pinned else "")


def _make_room(work: Work, conversation: bytes) -> None:
    """Words about messages count too while they say nothing any more: who pins and unpins for ever fills no disk."""
    rows = sorted(work.find(PinRow, where={"conversation": conversation}), key=lambda row: (row.pinned, row.at))
    for row in rows[: max(len(rows) - MAX_PINS, 0)]:
        work.delete(row)


def is_pinned(work: Work, message: Message) -> bool:
    row = work.get(PinRow, message.conversation, message.id)
    return row is not None and row.pinned


def pins(work: Work, conversation: bytes) -> list[PinRow]:
    """The pins of a conversation, the one made last first."""
    rows = [row for row in work.find(PinRow, where={"conversation": conversation}) if row.pinned]
    return sorted(rows, key=lambda row: row.at, reverse=True)
