"""History for newcomers: as much as the group decided, handed on by the member who adds them.

The messages are that member's word: what MLS signed for members of then proves nothing to those who come later. They
stand in the log once, under a key that only the newcomers' Welcomes carry.
"""

from __future__ import annotations

import hashlib

import msgspec

from roost.crypto.aead import open_once, seal_once
from roost.messaging import conversations, logs
from roost.messaging.records import NEVER, GroupRow, Message, MessageState, Setting, SharedLog
from roost.messaging.work import Work
from roost.wire import content as c
from roost.wire.codec import decode, encode
from roost.wire.groups import GroupState, GroupWelcome, History, KeptMessage, SealedRecord

MAX_BYTES = 4 * 1024**2


def share(work: Work, row: GroupRow, log: SharedLog, envelope_key: bytes, state: GroupState) -> bytes:
    """Append the last messages for those who are being added; the key (32 bytes), or nothing where there is none."""
    messages: list[KeptMessage] = []
    size = 0
    if state.history:
        found = work.find(
            Message,
            where={"conversation": row.id},
            order="position",
            descending=True,
            limit=4 * state.history,  # some of them are notes, or gone
        )
        for message in found:
            size += len(message.content)
            if len(messages) >= state.history or size > MAX_BYTES:
                break
            if message.device and not message.deleted and not message.expire_s:
                messages.append(_kept(message))
    if not messages:
        return b""
    key = work.entropy.bytes(32)
    sealed = seal_once(key, encode(History(tuple(reversed(messages)))))
    logs.append(work, log, envelope_key, encode(SealedRecord(_id(key), sealed)))
    return key


def _kept(message: Message) -> KeptMessage:
    return KeptMessage(message.author, message.device, message.id, message.sent_at, message.content, message.edited_at)


def _id(key: bytes) -> bytes:
    return hashlib.sha256(b"group history" + key).digest()


def expect(work: Work, row: GroupRow, welcome: GroupWelcome) -> None:
    """A Welcome says that there is history."""
    if welcome.history:
        work.put(Setting(_name(row), welcome.history))


def _name(row: GroupRow) -> str:
    return f"history/{row.id.hex()}"


def landed(work: Work, row: GroupRow, record: SealedRecord) -> bool:
    """Whether this is the history that was expected."""
    setting = work.get(Setting, _name(row))
    if setting is None or record.id != _id(setting.value):
        return False
    work.delete(setting)
    history = decode(History, open_once(setting.value, record.sealed))
    for kept in history.messages:
        if kept.author != work.me.account:  # nobody speaks for me
            _show(work, row, kept)
    work.tell("group", row.id, detail="history")
    return True


def _show(work: Work, row: GroupRow, kept: KeptMessage) -> None:
    content = c.decode_content(kept.content)
    if work.get(Message, kept.id) is not None or not isinstance(content, c.Text | c.Poll | c.Unknown):
        return
    if isinstance(content, c.Text):
        content = msgspec.structs.replace(content, attachments=(), expire_s=0)
    raw = content.raw if isinstance(content, c.Unknown) else c.encode_content(content)
    message = Message(
        id=kept.id,
        conversation=row.id,
        author=kept.author,
        device=kept.device,
        counter=0,
        position=0,
        sent_at=kept.sent_at,
        received_at=work.now,
        content=raw,
        text=conversations.searchable(content),
        state=MessageState.SEEN,
        network="",
        edited_at=kept.edited_at,
        expire_at=NEVER,
    )
    conversations.add_message(work, message)
