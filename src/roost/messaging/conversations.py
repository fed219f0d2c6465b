"""What a person does in a conversation: say, edit, delete, react, read; and how messages look afterwards."""

from __future__ import annotations

import msgspec

from roost.errors import CallerError
from roost.messaging import delivery, files, outbox
from roost.messaging.records import (
    NEVER,
    Contact,
    Message,
    MessageState,
    Orphan,
    PinRow,
    ReactionRow,
    ReadBy,
    VoteRow,
)
from roost.messaging.work import Work
from roost.wire import content as c
from roost.wire.groups import GroupIntroduction
from roost.wire.sizes import MAX_TEXT

RECEIPT_IDS = 500
EDITS_KEPT = 20  # former texts of one message


class UnknownMessage(CallerError):
    """No message with this id is in this profile."""

    code = "unknown_message"
    hint = "`roost read CONVERSATION --json` shows the ids of messages."


def writable(work: Work, account: bytes) -> Contact:
    """The contact behind a conversation that may be written to. Raises CallerError."""
    return delivery.writable_contact(work, account)


def say(
    work: Work,
    account: bytes,
    text: c.Text | c.Poll | GroupIntroduction,
    *,
    id: bytes,
    local_files: tuple[files.LocalFile, ...] = (),
    network: str = "",
    route: tuple[str, ...] = (),
) -> Message:
    """Put a message, a poll or an introduction into a group into a conversation and on its way. An id that was said
    before is not said again."""
    nonce, id = id, delivery.message_id(work, account, id)
    existing = work.get(Message, id)
    if existing is not None:
        return existing
    talk = delivery.open_talk(work, account)
    if isinstance(text, c.Text):
        text = _complete(work, talk, text)
    expire_s = text.expire_s if isinstance(text, c.Text) else 0
    counter = delivery.count(work, talk)
    message = add_message(
        work,
        Message(
            id=id,
            conversation=account,
            author=work.me.account,
            device=work.me.device,
            counter=counter,
            position=0,
            sent_at=work.now,
            received_at=work.now,
            content=c.encode_content(text),
            text=searchable(text),
            state=MessageState.QUEUED,
            network=network,
            route=route,
            expire_s=expire_s,
            expire_at=work.now + expire_s * 1000 if expire_s else NEVER,
        ),
    )
    files.keep(work, message, local_files)
    attachments = text.attachments if isinstance(text, c.Text) else ()
    delivery.fan_out(
        work,
        account,
        message.content,
        id=id,
        message=message,
        counter=counter,
        attachments=attachments,
        nonce=nonce,
    )
    work.tell("sent", id, account)
    return message


def _complete(work: Work, talk: delivery.Talk, text: c.Text) -> c.Text:
    if not text.text and not text.attachments:
        raise CallerError("There is nothing to send.", code="empty_message")
    if text.reply_to is not None:
        _message_in(work, text.reply_to, talk.id)
    if not text.expire_s and talk.timer_s:
        return msgspec.structs.replace(text, expire_s=talk.timer_s)
    return text


def check_text(text: str) -> None:
    """Raises CallerError `too_long`, `not_text`."""
    try:
        size = len(text.encode())
    except UnicodeEncodeError as error:
        raise CallerError("This is not text.", code="not_text", hint="Send it as a file.") from error
    if size > MAX_TEXT:
        raise CallerError(
            "This message is too long.", code="too_long", hint=f"Send more than {MAX_TEXT} bytes as a file."
        )


def add_message(work: Work, message: Message) -> Message:
    return work.put(msgspec.structs.replace(message, position=work.next_number("position")))


def searchable(content: c.Content | c.Unknown) -> str:
    """What search finds of a content."""
    if isinstance(content, c.Text):
        return "\n".join([content.text, *(attachment.name for attachment in content.attachments)]).strip()
    if isinstance(content, c.Poll):
        return "\n".join((content.question, *content.options))
    if isinstance(content, GroupIntroduction):
        return content.title
    return ""


# --- my changes to messages ------------------------------------------------------------------------------------------


def _changeable(work: Work, id: bytes, content: object) -> Message:
    """The message that I am about to say something about. Raises CallerError."""
    message = work.get(Message, id)
    if message is None:
        raise UnknownMessage("There is no such message.")
    delivery.check_change(work, content, message)
    delivery.open_talk(work, message.conversation, posting=False)
    return message


def _message_in(work: Work, id: bytes, account: bytes) -> Message:
    message = work.get(Message, id)
    if message is None or message.conversation != account:
        raise UnknownMessage("There is no such message in this conversation.")
    return message


def edit(
    work: Work, id: bytes, text: str, spans: tuple[c.Span, ...] = (), mentions: tuple[c.Mention, ...] = ()
) -> Message:
    check_text(text)
    change = c.Edit(id, text, spans, mentions)
    message = _changeable(work, id, change)
    if message.deleted or not isinstance(c.decode_content(message.content), c.Text):
        raise CallerError("This message cannot be edited.", code="not_editable")
    at = max(work.now, message.edited_at + 1)  # the clock may have been set back since the last one
    apply_edit(work, message, change, at)
    delivery.fan_out(work, message.conversation, c.encode_content(change), sent_at=at)
    return work.need(Message, id)


def delete_for_all(work: Work, id: bytes) -> None:
    """My own message; in a group also another's, where my role lets me."""
    deletion = c.Deletion(id)
    message = _changeable(work, id, deletion)
    apply_deletion(work, message)
    delivery.fan_out(work, message.conversation, c.encode_content(deletion))


def delete_here(work: Work, id: bytes) -> None:
    """Remove a message, mine or another's, from this device alone."""
    message = work.get(Message, id)
    if message is None:
        raise UnknownMessage("There is no such message.")
    forget(work, message)


def react(work: Work, id: bytes, emoji: str) -> None:
    reaction = c.Reaction(id, emoji)
    message = _changeable(work, id, reaction)
    if message.deleted:
        raise UnknownMessage("There is no such message.")
    held = work.get(ReactionRow, id, work.me.account)
    at = max(work.now, held.at + 1) if held else work.now
    work.put(ReactionRow(id, work.me.account, emoji, at))
    delivery.fan_out(work, message.conversation, c.encode_content(reaction), sent_at=at)
    work.tell("reaction", id, work.me.account, emoji)


def vote(work: Work, id: bytes, options: tuple[int, ...]) -> None:
    """My choice in a poll, in place of an earlier one; none takes it back. Raises CallerError."""
    choice = c.Vote(id, tuple(sorted(set(options))))
    message = _changeable(work, id, choice)
    poll = c.decode_content(message.content)
    if not isinstance(poll, c.Poll) or message.deleted:
        raise CallerError("This message is no poll.", code="no_poll")
    if any(not 0 <= option < len(poll.options) for option in options) or (len(choice.options) > 1 and not poll.several):
        raise CallerError("This poll has no such choice.", code="no_such_option")
    held = work.get(VoteRow, id, work.me.account)
    at = max(work.now, held.at + 1) if held else work.now
    work.put(VoteRow(id, work.me.account, choice.options, at))
    delivery.fan_out(work, message.conversation, c.encode_content(choice), sent_at=at)
    work.tell("vote", id, work.me.account)


def set_timer(work: Work, account: bytes, seconds: int) -> None:
    contact = writable(work, account)
    work.put(msgspec.structs.replace(contact, timer_s=seconds))
    delivery.fan_out(work, account, c.encode_content(c.TimerChange(seconds)))


def mark_read(work: Work, account: bytes, ids: tuple[bytes, ...]) -> None:
    """I have read these messages of others: start their timers, tell their authors (if wanted) and my other devices."""
    seen = mark_seen(work, account, ids)
    for start in range(0, len(seen), RECEIPT_IDS):
        batch = seen[start : start + RECEIPT_IDS]
        outbox.to_mine(work, c.encode_content(c.ReadMark(account, batch)))
        delivery.tell_read(work, account, batch)


def mark_seen(work: Work, account: bytes, ids: tuple[bytes, ...]) -> tuple[bytes, ...]:
    """Those of the messages that were unread until now."""
    seen = []
    for id in ids:
        message = work.get(Message, id)
        if message is None or message.conversation != account or message.state != MessageState.RECEIVED:
            continue
        expire_at = work.now + message.expire_s * 1000 if message.expire_s else NEVER
        work.put(msgspec.structs.replace(message, state=MessageState.SEEN, expire_at=expire_at, read_at=work.now))
        seen.append(id)
    return tuple(seen)


# --- how messages change ---------------------------------------------------------------------------------------------


def apply_edit(work: Work, message: Message, edit: c.Edit, at: int) -> None:
    """Replace the text; of two edits the later one holds, whichever comes first, and of two at once the greater text:
    all devices agree."""
    content = c.decode_content(message.content)
    if message.deleted or not isinstance(content, c.Text):
        return
    if message.edited_at and (at, edit.text) <= (message.edited_at, content.text):
        return
    changed = msgspec.structs.replace(content, text=edit.text, spans=edit.spans, mentions=edit.mentions)
    work.put(
        msgspec.structs.replace(
            message,
            content=c.encode_content(changed),
            text=searchable(changed),
            edited_at=max(at, 1),
            edits=_kept((*message.edits, content.text)),
        )
    )
    work.tell("edit", message.id, message.conversation)


def _kept(edits: tuple[str, ...]) -> tuple[str, ...]:
    """The latest former texts, within bounds: a contact who edits for ever must not fill the disk."""
    kept: list[str] = []
    size = 0
    for text in reversed(edits[-EDITS_KEPT:]):
        size += len(text)
        if kept and size > MAX_TEXT:
            break
        kept.append(text)
    return tuple(reversed(kept))


def apply_deletion(work: Work, message: Message) -> None:
    """Deleted for everyone: the place stays, the content goes."""
    files.forget(work, message.id)
    delivery.forget(work, message)
    _unpin(work, message)
    for reaction in work.find(ReactionRow, where={"target": message.id}):
        work.delete(reaction)
    work.put(
        msgspec.structs.replace(
            message, content=c.encode_content(c.Text("")), text="", edits=(), deleted=True, expire_at=NEVER
        )
    )
    work.tell("delete", message.id, message.conversation)


def forget(work: Work, message: Message) -> None:
    """Remove a message and everything that hangs on it. What others must still receive stays in the outbox."""
    files.forget(work, message.id)
    delivery.forget(work, message)
    _unpin(work, message)
    for kind in (ReactionRow, VoteRow, Orphan, ReadBy):
        for row in work.find(kind, where={"target": message.id}):
            work.delete(row)
    work.delete(message)


def _unpin(work: Work, message: Message) -> None:
    pin = work.get(PinRow, message.conversation, message.id)
    if pin is not None:
        work.delete(pin)


def clear(work: Work, account: bytes) -> int:
    """Remove all messages of a conversation from this device; how many there were."""
    messages = work.find(Message, where={"conversation": account})
    for message in messages:
        forget(work, message)
    return len(messages)


def expire(work: Work) -> None:
    """Remove the messages whose time is over."""
    for message in work.find(Message, at_most=("expire_at", work.now), limit=500):
        forget(work, message)
        work.tell("delete", message.id, message.conversation, "expired")
