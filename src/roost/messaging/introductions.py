"""Introducing two of one's contacts to each other.

The introducer asks one of them for a one-time invitation and passes it on to the other, who decides whether to follow
it; the first still accepts or declines the request. So both sides agree, and the introducer learns nothing new.
"""

from __future__ import annotations

import msgspec

from roost.errors import CallerError, PeerError
from roost.messaging import conversations, invitations, outbox
from roost.messaging.origin import Origin
from roost.messaging.records import Contact, InvitationRow, InvitationState, Message, MessageState, Seen, Setting
from roost.messaging.work import Work
from roost.wire import content as c
from roost.wire.links import InvitationKind

_PENDING = "introduction:"
_UNANSWERED = "introductions"
MAX_UNANSWERED = 50  # introductions that wait for my answer; older ones stay in their conversations only
MAX_OPEN = 20  # invitations that introducers may have caused and that are not used yet
WAIT_MS = 30 * 86_400_000


def introduce(work: Work, first: bytes, second: bytes) -> None:
    """Ask `first` for an invitation for `second`."""
    if first == second:
        raise CallerError("Name two different contacts.", code="same_contact")
    conversations.writable(work, first)
    other = conversations.writable(work, second)
    id = work.entropy.bytes(16)
    work.put(Setting(_PENDING + id.hex(), first + second))
    request = c.IntroductionRequest(id, other.alias or other.name, second)
    outbox.queue_all(work, first, c.encode_content(request))


def received(
    work: Work,
    origin: Origin,
    entry: c.Entry,
    content: c.IntroductionRequest | c.IntroductionLink | c.Introduction,
) -> None:
    if origin.account == work.me.account:
        return  # a copy of what another of my devices said; it follows it up
    match content:
        case c.IntroductionRequest(introduction=id):
            _asked(work, origin, id)
        case c.IntroductionLink(introduction=id, link=link):
            _answered(work, origin, id, link)
        case c.Introduction():
            _shown(work, origin, entry, content)


def _shown(work: Work, origin: Origin, entry: c.Entry, content: c.Introduction) -> None:
    """An introduction stands in the conversation like a message; its link can be followed."""
    message = Message(
        id=entry.id,
        conversation=origin.account,
        author=origin.account,
        device=origin.device,
        counter=entry.counter,
        position=0,
        sent_at=entry.sent_at,
        received_at=work.now,
        content=entry.content,
        text=f"Meet {content.name}: {content.link}",
        state=MessageState.RECEIVED,
        network="",
    )
    if work.get(Message, entry.id) is None:
        conversations.add_message(work, message)
        _set_unanswered(work, (*unanswered(work), entry.id)[-MAX_UNANSWERED:])
        work.tell("message", entry.id, origin.account)
        work.tell("contact", entry.id, origin.account, "introduced")


def unanswered(work: Work) -> tuple[bytes, ...]:
    """The messages of introductions that were neither followed nor declined on this device, oldest first."""
    held = work.get(Setting, _UNANSWERED)
    ids = msgspec.msgpack.decode(held.value, type=tuple[bytes, ...]) if held else ()
    return tuple(id for id in ids if work.get(Message, id) is not None)


def content_of(work: Work, id: bytes) -> c.Introduction:
    """The introduction that a message holds. Raises CallerError `unknown_introduction`."""
    message = work.get(Message, id)
    content = c.decode_content(message.content) if message else None
    if not isinstance(content, c.Introduction):
        raise CallerError("There is no such introduction.", code="unknown_introduction")
    return content


def answered(work: Work, id: bytes) -> None:
    """It was followed or declined."""
    _set_unanswered(work, tuple(held for held in unanswered(work) if held != id))


def _set_unanswered(work: Work, ids: tuple[bytes, ...]) -> None:
    work.put(Setting(_UNANSWERED, msgspec.msgpack.encode(ids)))


def _asked(work: Work, origin: Origin, id: bytes) -> None:
    """Each of my devices answers; the introducer passes on the first link, the others are never used and expire."""
    waiting = [
        row
        for row in work.find(InvitationRow)
        if row.introduction and row.state in (InvitationState.TO_PUT, InvitationState.OPEN)
    ]
    if len(waiting) >= MAX_OPEN:
        raise PeerError("too many introductions wait", code="too_many")
    row = invitations.make(work, InvitationKind.ONE_TIME, introduction=id)
    link = c.IntroductionLink(id, row.link)
    outbox.queue_all(work, origin.account, c.encode_content(link))


def _answered(work: Work, origin: Origin, id: bytes, link: str) -> None:
    pending = work.get(Setting, _PENDING + id.hex())
    if pending is None or pending.value[:32] != origin.account:
        return
    work.delete(pending)
    work.put(Seen(b"introduction" + id, work.now + WAIT_MS))
    first = work.need(Contact, origin.account)
    meet = c.Introduction(first.name, origin.account, link)
    outbox.queue_all(work, pending.value[32:], c.encode_content(meet))
