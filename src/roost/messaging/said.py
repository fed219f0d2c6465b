"""Messages that come: shown where they belong, and what others say about them afterwards, early or late.

Place: below messaging.contents (what people say to me) and messaging.groups (what members say to all).
"""

from __future__ import annotations

import hashlib

import msgspec

from roost.errors import PeerError
from roost.messaging import conversations, files, pins
from roost.messaging.channels import permits as channel_permits
from roost.messaging.groups import permits
from roost.messaging.origin import Origin
from roost.messaging.records import (
    NEVER,
    ChannelRow,
    GroupRow,
    Message,
    MessageState,
    Orphan,
    OwnMailbox,
    OwnRelay,
    ReactionRow,
    VoteRow,
)
from roost.messaging.work import Work
from roost.wire import content as c
from roost.wire.addresses import OnionHost
from roost.wire.groups import GroupIntroduction

Shown = c.Text | c.Poll | GroupIntroduction | c.Unknown
AboutAMessage = c.Edit | c.Deletion | c.Reaction | c.Vote | c.Pin
MAX_ORPHANS = 500  # changes that one author can make me keep for messages that are not here


class NotAllowed(PeerError):
    """A content that its sender may not send: dropped."""

    code = "not_allowed"


def show(work: Work, origin: Origin, conversation: bytes, entry: c.Entry, content: Shown) -> None:
    mine = origin.account == work.me.account
    id = _own_place(work, entry) if mine else entry.id
    if work.get(Message, id) is not None:
        raise NotAllowed("the message id is taken")
    text = content if isinstance(content, c.Text) else None
    expire_s = text.expire_s if text else 0
    message = conversations.add_message(
        work,
        Message(
            id=id,
            conversation=conversation,
            author=origin.account,
            device=origin.device,
            counter=entry.counter,
            position=0,
            sent_at=entry.sent_at,
            received_at=work.now,
            content=_without_pointers(content),
            text=conversations.searchable(content),
            state=MessageState.SENT if mine else MessageState.RECEIVED,
            network=_by_network(work, origin),
            expire_s=expire_s,
            expire_at=work.now + expire_s * 1000 if mine and expire_s else NEVER,
            route=_came_by(work, origin),
        ),
    )
    if text:
        files.expect(work, origin, message, text.attachments)
    for orphan in sorted(work.find(Orphan, where={"target": message.id}), key=lambda orphan: orphan.sent_at):
        work.delete(orphan)
        late = c.decode_content(orphan.content)
        if isinstance(late, AboutAMessage) and _may_change(work, late, orphan.account, message):
            _change(work, message.id, orphan.account, orphan.sent_at, late)
    work.tell("message", message.id, conversation)
    if text and not mine and any(mention.account == work.me.account for mention in text.mentions):
        work.tell("mention", message.id, conversation)


def _came_by(work: Work, origin: Origin) -> tuple[str, ...]:
    relay = _host_of(work, origin)
    return (relay.link.address.endpoint,) if relay else ()


def _by_network(work: Work, origin: Origin) -> str:
    """The network, as apps name it, where the mailbox tells: what comes to one on an onion network came through it."""
    relay = _host_of(work, origin)
    return "onion" if relay is not None and isinstance(relay.link.address, OnionHost) else ""


def _host_of(work: Work, origin: Origin) -> OwnRelay | None:
    mailbox = work.get(OwnMailbox, origin.mailbox)
    return work.get(OwnRelay, mailbox.relay) if mailbox else None


def _own_place(work: Work, entry: c.Entry) -> bytes:
    """The id of what I said on another device. A contact who learned it there may have used it here first: nobody may
    keep my own words from me by that, so they get another."""
    held = work.get(Message, entry.id)
    if held is None or held.author == work.me.account:
        return entry.id
    return hashlib.sha256(b"taken message id" + entry.id).digest()[: len(entry.id)]


def _may_change(work: Work, content: AboutAMessage, author: bytes, message: Message) -> bool:
    """Whether it is its author's to say. What came before its message and was not is dropped, not the message."""
    group = work.get(GroupRow, message.conversation)
    if group is not None:
        return permits.may_change(work, group, content, author, message)
    channel = work.get(ChannelRow, message.conversation)
    if channel is not None:
        return channel_permits.may_change(work, channel, content, author, message)
    if isinstance(content, c.Edit | c.Deletion):
        return message.author == author
    return author in (message.conversation, work.me.account)


def _without_pointers(content: Shown) -> bytes:
    """As shown: where an attachment's bytes are is the file row's business."""
    if isinstance(content, c.Text) and content.attachments:
        bare = tuple(msgspec.structs.replace(attachment, pointer=None) for attachment in content.attachments)
        return c.encode_content(msgspec.structs.replace(content, attachments=bare))
    return content.raw if isinstance(content, c.Unknown) else c.encode_content(content)


def change(work: Work, author: bytes, conversation: bytes, entry: c.Entry, content: AboutAMessage) -> None:
    message = work.get(Message, content.target)
    if message is None:
        _make_room(work, author)
        work.put(Orphan(content.target, entry.id, author, entry.sent_at, c.encode_content(content), work.now))
    elif message.conversation != conversation:
        raise NotAllowed("the message belongs to another conversation")
    else:
        _change(work, message.id, author, entry.sent_at, content)


def _make_room(work: Work, author: bytes) -> None:
    """The oldest changes of messages that never came make way: one author can make me keep only so many."""
    held = work.find(Orphan, where={"account": author})
    for orphan in sorted(held, key=lambda orphan: orphan.received_at)[: max(len(held) - MAX_ORPHANS + 1, 0)]:
        work.delete(orphan)


def _change(work: Work, target: bytes, author: bytes, at: int, content: AboutAMessage) -> None:
    message = work.need(Message, target)
    if not _may_change(work, content, author, message):
        raise NotAllowed("not this person's to change")
    match content:
        case c.Edit():
            conversations.apply_edit(work, message, content, at)
        case c.Deletion():
            conversations.apply_deletion(work, message)
        case c.Reaction(emoji=emoji):
            react(work, message, author, emoji, at)
        case c.Vote(options=options):
            held = work.get(VoteRow, target, author)
            if not message.deleted and (held is None or (held.at, held.options) < (at, options)):
                work.put(VoteRow(target, author, options, at))
                work.tell("vote", target, author)
        case c.Pin(pinned=pinned):
            pins.apply_pin(work, message, author, at, pinned=pinned)


def react(work: Work, message: Message, author: bytes, emoji: str, at: int) -> None:
    """One emoji per person and message; the latest holds, empty takes it back. Nothing sticks to a deleted message: on
    some devices the reaction came before the deletion and went with it."""
    held = work.get(ReactionRow, message.id, author)
    if not message.deleted and (held is None or (held.at, held.emoji) < (at, emoji)):
        work.put(ReactionRow(message.id, author, emoji, at))
        work.tell("reaction", message.id, author, emoji)
