"""What this profile says in a channel: signed by its pseudonym there, appended, until it is seen in the log."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from roost.crypto import channel_keys, post_id
from roost.errors import CallerError
from roost.messaging import logs
from roost.messaging.channels import rules, states
from roost.messaging.records import ChannelRow, Message, SharedLog
from roost.messaging.work import Work
from roost.wire import content as c
from roost.wire.channels import ChannelPost
from roost.wire.codec import encode

_NO_NONCE = bytes(16)


def message_id(row: ChannelRow, nonce: bytes) -> bytes:
    """The id of a post of mine: the same nonce gives the same id."""
    return post_id(row.id, states.my_key(row).public, nonce)


def count(work: Work, channel: bytes) -> int:
    """The next number of what this device says in a channel."""
    row = work.need(ChannelRow, channel)
    return work.put(msgspec.structs.replace(row, counter=row.counter + 1)).counter


def send(
    work: Work,
    channel: bytes,
    content: bytes,
    *,
    id: bytes = b"",
    message: Message | None = None,
    counter: int = 0,
    attachments: Sequence[c.Attachment] = (),
    sent_at: int = 0,
    nonce: bytes = b"",
) -> None:
    """Say an encoded content. `nonce` is what `message_id` made the message's id of. Raises CallerError."""
    counter = counter or count(work, channel)
    row = work.need(ChannelRow, channel)
    log = work.need(SharedLog, row.log)
    said = c.decode_content(content)
    if not isinstance(said, rules.SAID | rules.CHANGES):
        raise CallerError("A channel has nothing of this kind.", code="not_in_channels")
    content, uploads = _with_pointers(work, message, said, content, attachments)
    at = sent_at or (message.sent_at if message else work.now)
    entry = c.Entry(id or work.entropy.bytes(16), at, counter, content)
    post = ChannelPost(row.id, nonce or _NO_NONCE, row.name, encode(entry))
    subject = message.id if message else b""
    record = encode(states.sign(row, post))
    logs.append(work, log, channel_keys(row.secret).log, record, subject=subject, uploads=uploads)
    if message is not None:
        work.put(msgspec.structs.replace(row, posted_at=at))


def _with_pointers(
    work: Work, message: Message | None, said: object, content: bytes, attachments: Sequence[c.Attachment]
) -> tuple[bytes, Sequence[logs.LogUpload]]:
    """The content with places for its attachments' blobs, if it has any."""
    if not attachments or message is None or not isinstance(said, c.Text):
        return content, ()
    pointers = logs.pointers(work, attachments)
    placed = tuple(
        msgspec.structs.replace(attachment, pointer=pointer)
        for attachment, pointer in zip(attachments, pointers, strict=True)
    )
    uploads = [logs.LogUpload(message.id, index, pointer) for index, pointer in enumerate(pointers)]
    return c.encode_content(msgspec.structs.replace(said, attachments=placed)), uploads
