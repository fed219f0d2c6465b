"""Where what I say goes, by the kind of conversation: to each device of a contact, or once into a group's or channel's
log."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

import msgspec

from roost.errors import CallerError
from roost.messaging import contact_sync, identity, outbox, rounds
from roost.messaging.channels import permits as channel_permits
from roost.messaging.channels import sending as channel_sending
from roost.messaging.groups import permits, reading, sending, states
from roost.messaging.records import HIDDEN_CONTACTS, ChannelRow, Contact, ContactState, GroupRow, GroupStatus, Message
from roost.messaging.work import Work
from roost.wire import content as c
from roost.wire.content import Attachment

_OPEN = (GroupStatus.ACTIVE, GroupStatus.LOST)


@dataclass(frozen=True)
class Talk:
    """A conversation that may be written to."""

    id: bytes
    timer_s: int
    group: GroupRow | None = None
    channel: ChannelRow | None = None


def open_talk(work: Work, conversation: bytes, *, posting: bool = True) -> Talk:
    """The conversation that I am about to write to. Raises CallerError when it is none, or may not be.

    `posting`: a new message, not something about one that is there.
    """
    group = work.get(GroupRow, conversation)
    channel = work.get(ChannelRow, conversation)
    if channel is not None:
        identity.check_listed(work.me)
        channel_permits.check_open(work, channel, posting=posting)
        return Talk(conversation, 0, channel=channel)
    if group is None:
        return Talk(conversation, writable_contact(work, conversation).timer_s)
    identity.check_listed(work.me)
    if group.status not in _OPEN:
        raise CallerError("This group takes no messages from you now.", code="group_closed")
    if posting and not permits.may_post(work, group, work.me.account):
        raise CallerError("Your role in this group does not allow that.", code="not_permitted", hint="Ask an admin.")
    return Talk(conversation, states.held_state(group).timer_s, group)


def writable_contact(work: Work, account: bytes) -> Contact:
    """The contact behind a conversation of two that may be written to. Raises CallerError."""
    contact = work.get(Contact, account)
    if contact is None or contact.state in HIDDEN_CONTACTS:
        raise CallerError("There is no such conversation.", code="unknown_conversation")
    identity.check_listed(work.me)
    if contact.state == ContactState.BLOCKED:
        raise CallerError("You blocked this contact.", code="blocked", hint="Unblock them first: roost unblock CONTACT")
    return contact_sync.before_speaking(work, contact)


def check_change(work: Work, content: object, message: Message) -> None:
    """Raises CallerError unless I may say this about a message: what is whose to change."""
    group = work.get(GroupRow, message.conversation)
    channel = work.get(ChannelRow, message.conversation)
    if channel is not None:
        allowed = channel_permits.may_change(work, channel, content, work.me.account, message)
    elif group is not None:
        allowed = permits.may_change(work, group, content, work.me.account, message)
    else:
        allowed = message.author == work.me.account or not isinstance(content, c.Edit | c.Deletion)
    if not allowed:
        raise CallerError("Only your own messages can be changed.", code="not_yours")


def fan_out(
    work: Work,
    conversation: bytes,
    content: bytes,
    *,
    id: bytes = b"",
    message: Message | None = None,
    counter: int = 0,
    attachments: tuple[Attachment, ...] = (),
    sent_at: int = 0,
    nonce: bytes = b"",
) -> None:
    """Send an encoded content to everybody in a conversation, and to my other devices. `nonce`: see `message_id`."""
    if work.get(ChannelRow, conversation) is not None:
        say: Callable[..., object] = partial(channel_sending.send, nonce=nonce)
    else:
        say = sending.send if work.get(GroupRow, conversation) is not None else outbox.fan_out
    say(
        work,
        conversation,
        content,
        id=id,
        message=message,
        counter=counter,
        attachments=attachments,
        sent_at=sent_at,
    )


def message_id(work: Work, conversation: bytes, nonce: bytes) -> bytes:
    """The id of a new message of mine. A channel binds it to my pseudonym there; elsewhere it is the nonce."""
    channel = work.get(ChannelRow, conversation)
    return nonce if channel is None else channel_sending.message_id(channel, nonce)


def tell_read(work: Work, conversation: bytes, ids: tuple[bytes, ...]) -> None:
    """Tell the authors of messages that I have read them, if I let them know such things."""
    group = work.get(GroupRow, conversation)
    if group is not None:
        reading.read(work, group, ids)
        return
    contact = work.get(Contact, conversation)
    if work.me.read_receipts and contact is not None and contact.state == ContactState.ACCEPTED:
        outbox.queue_all(work, conversation, c.encode_content(c.Receipt(ids)))
        rounds.cover(work, conversation)


def count(work: Work, talk: Talk) -> int:
    """The next number of what this device says in a conversation."""
    if talk.group is not None:
        return sending.count(work, talk.id)
    if talk.channel is not None:
        return channel_sending.count(work, talk.id)
    contact = work.need(Contact, talk.id)
    return work.put(msgspec.structs.replace(contact, counter=contact.counter + 1)).counter


def forget(work: Work, message: Message) -> None:
    """A message is gone: nothing of it is kept to be sent once more."""
    if message.author == work.me.account:
        sending.forget(work, message.id)
