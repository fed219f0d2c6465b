"""What an entry does: the rules of who may say what, and how each content changes the profile.

Contents between people are applied here; those that make contacts are in messaging.requests, those among one's own
devices in messaging.devices. Raised PeerErrors drop the entry (messaging.inbox).
"""

from __future__ import annotations

import hashlib

import msgspec

from roost.messaging import conversations, devices, farewells, floors, introductions, outbox, requests, said
from roost.messaging.origin import Origin
from roost.messaging.records import (
    NEVER,
    Contact,
    ContactState,
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

_SHOWN = c.Text | c.Poll | c.Unknown
_ABOUT_A_MESSAGE = c.Edit | c.Deletion | c.Reaction | c.Vote | c.Pin
MAX_ORPHANS = 500  # changes that one author can make me keep for messages that are not here
_AMONG_MINE = c.SentCopy | c.ReadMark | c.ContactSync | c.ContactRemoved | c.DeviceWelcome | c.DeviceRemoved


class NotAllowed(PeerError):
    """A content that its sender may not send: dropped."""

    code = "not_allowed"


def apply_entry(work: Work, origin: Origin, entry: c.Entry) -> None:
    """Apply one authenticated, new entry.

    Raises:
        PeerError: malformed, not allowed for its sender, or contradictory. The caller discards this step.
    """
    content = c.decode_content(entry.content)
    contact = work.get(Contact, origin.account)
    if isinstance(content, c.DeviceWelcome):
        devices.welcomed(work, origin, content)
    elif isinstance(content, c.ContactRequest):
        requests.knocked(work, origin, content)
    elif contact is None or contact.state == ContactState.BLOCKED:
        raise NotAllowed("not a contact")
    elif isinstance(content, c.ContactAcceptance):
        requests.was_accepted(work, origin, contact, content)
    elif isinstance(content, c.DeviceAnnouncement):
        devices.announced(work, origin, contact, content)
    elif not origin.device or contact.state == ContactState.REQUESTED:
        raise NotAllowed("the device has not announced itself")
    elif contact.state == ContactState.SELF:
        _among_mine(work, origin, entry, content)
    else:
        apply_said(work, origin, contact.account, entry, content)


def apply_said(work: Work, origin: Origin, conversation: bytes, entry: c.Entry, content: c.Content | c.Unknown) -> None:
    """Something that a person said in a conversation: a contact, or I on another device."""
    match content:
        case c.Text() | c.Poll() | c.Unknown():
            _shown(work, origin, conversation, entry, content)
        case c.Edit() | c.Deletion() | c.Reaction() | c.Vote() | c.Pin():
            _about_a_message(work, origin.account, conversation, entry, content)
        case c.Receipt(read=ids):
            _read_by_them(work, origin.account, conversation, ids)
        case c.Typing(active=active):
            work.mention("typing", conversation, origin.account, "active" if active else "")
        case c.About():
            _about(work, origin.account, conversation, content)
        case c.TimerChange(seconds=seconds):
            contact = work.need(Contact, conversation)
            work.put(msgspec.structs.replace(contact, timer_s=seconds))
            work.tell("contact", conversation, conversation, "timer")
        case c.DeviceRemoved():
            farewells.heard(work, content)
        case c.CallSignal(call=call):
            work.mention("call", call, origin.account)
        case c.FloorChange(floor=floor):
            floors.told(work, conversation, floor, mine=origin.account == work.me.account)
        case c.IntroductionRequest() | c.IntroductionLink() | c.Introduction():
            introductions.received(work, origin, entry, content)
        case _:
            raise NotAllowed("only among one's own devices")


def _among_mine(work: Work, origin: Origin, entry: c.Entry, content: c.Content | c.Unknown) -> None:
    match content:
        case c.SentCopy(conversation=conversation, content=inner):
            said = c.decode_content(inner)
            if work.get(Contact, conversation) is None or isinstance(said, _AMONG_MINE):
                raise NotAllowed("a copy for no conversation of mine")
            apply_said(work, origin, conversation, entry, said)
        case c.ReadMark(conversation=conversation, read=ids):
            conversations.mark_seen(work, conversation, ids)
        case c.ContactSync():
            devices.contact_synced(work, content)
        case c.ContactRemoved(account=account):
            requests.forget_contact(work, account)
        case c.About():
            work.put(msgspec.structs.replace(work.me, about=content))
        case _:
            raise NotAllowed("not among one's own devices")


# --- messages --------------------------------------------------------------------------------------------------------


def _shown(work: Work, origin: Origin, conversation: bytes, entry: c.Entry, content: _SHOWN) -> None:
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
            network="",
            expire_s=expire_s,
            expire_at=work.now + expire_s * 1000 if mine and expire_s else NEVER,
        ),
    )
            route=_came_by(work, origin),
    if text:
        files.expect(work, origin, message, text.attachments)
    for orphan in sorted(work.find(Orphan, where={"target": message.id}), key=lambda orphan: orphan.sent_at):
        work.delete(orphan)
        late = c.decode_content(orphan.content)
        if isinstance(late, _ABOUT_A_MESSAGE) and _may_change(work, late, orphan.account, message):
            _change(work, message.id, orphan.account, orphan.sent_at, late)
    work.tell("message", message.id, conversation)


def _own_place(work: Work, entry: c.Entry) -> bytes:
    """The id of what I said on another device. A contact who learned it there may have used it here first: nobody may
def _came_by(work: Work, origin: Origin) -> tuple[str, ...]:
    mailbox = work.get(OwnMailbox, origin.mailbox)
    relay = work.get(OwnRelay, mailbox.relay) if mailbox else None
    return (relay.link.address.endpoint,) if relay else ()


    keep my own words from me by that, so they get another."""
    held = work.get(Message, entry.id)
    if held is None or held.author == work.me.account:
        return entry.id
    return hashlib.sha256(b"taken message id" + entry.id).digest()[: len(entry.id)]


def _may_change(work: Work, content: _ABOUT_A_MESSAGE, author: bytes, message: Message) -> bool:
    """Whether what came before its message was its author's to say; else only that is dropped, not the message."""
    if isinstance(content, c.Edit | c.Deletion):
        return message.author == author
    return author in (message.conversation, work.me.account)


def _without_pointers(content: _SHOWN) -> bytes:
    """As shown: where an attachment's bytes are is the file row's business."""
    if isinstance(content, c.Text) and content.attachments:
        bare = tuple(msgspec.structs.replace(attachment, pointer=None) for attachment in content.attachments)
        return c.encode_content(msgspec.structs.replace(content, attachments=bare))
    return content.raw if isinstance(content, c.Unknown) else c.encode_content(content)


def _about_a_message(work: Work, author: bytes, conversation: bytes, entry: c.Entry, content: _ABOUT_A_MESSAGE) -> None:
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


def _change(work: Work, target: bytes, author: bytes, at: int, content: _ABOUT_A_MESSAGE) -> None:
    message = work.need(Message, target)
    match content:
        case c.Edit() | c.Deletion() if message.author != author:
            raise NotAllowed("only the author may change a message")
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


        case c.Pin(pinned=pinned):
            pins.apply_pin(work, message, author, at, pinned=pinned)
def react(work: Work, message: Message, author: bytes, emoji: str, at: int) -> None:
    """One emoji per person and message; the latest holds, empty takes it back. Nothing sticks to a deleted message: on
    some devices the reaction came before the deletion and went with it."""
    held = work.get(ReactionRow, message.id, author)
    if not message.deleted and (held is None or (held.at, held.emoji) < (at, emoji)):
        work.put(ReactionRow(message.id, author, emoji, at))
        work.tell("reaction", message.id, author, emoji)


def _read_by_them(work: Work, reader: bytes, conversation: bytes, ids: tuple[bytes, ...]) -> None:
    if reader == work.me.account:
        raise NotAllowed("a receipt for oneself")
    for id in ids:
        message = work.get(Message, id)
        if message is not None and message.conversation == conversation and message.author == work.me.account:
            outbox.move_message(work, message, MessageState.READ)


def _about(work: Work, author: bytes, conversation: bytes, about: c.About) -> None:
    if author != conversation:
        raise NotAllowed("a profile of somebody else")
    contact = work.need(Contact, author)
    work.put(msgspec.structs.replace(contact, about=about, name=about.name or contact.name))
    work.tell("contact", author, author, "about")
