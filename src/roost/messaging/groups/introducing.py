"""Introductions: a member would let a contact into a group, and the contact decides.

An introduction is a message in the conversation of the two. Who follows it knocks at the device that sent it
(`links.follow`), which adds them without asking anybody else: its person, who may invite, has decided already.
"""

from __future__ import annotations

import msgspec

from roost.errors import CallerError
from roost.messaging.groups import rules, states
from roost.messaging.origin import Origin
from roost.messaging.records import Contact, ContactState, GroupMember, GroupRow, GroupStatus, Message, Seen, Setting
from roost.messaging.work import Work
from roost.wire.content import decode_content
from roost.wire.groups import GroupIntroduction, Role

VALID_MS = 30 * 86_400_000
MAX_UNANSWERED = 50  # that wait for my answer; older ones stay in their conversations only
_UNANSWERED = "group introductions"
_OUTSIDE = (GroupStatus.LEFT, GroupStatus.REMOVED)


# --- the member -------------------------------------------------------------------------------------------------------


def introduce(work: Work, group: bytes, account: bytes) -> GroupIntroduction:
    """Remember that a contact may come in, and what to say to them. Raises CallerError."""
    row = work.get(GroupRow, group)
    contact = work.get(Contact, account)
    if row is None or row.status != GroupStatus.ACTIVE:
        raise CallerError("You are not in this group.", code="not_a_member")
    state = states.held_state(row)
    role = rules.role_of(state, work.me.account)
    if role < state.permissions.invite or role is Role.READ_ONLY:
        raise CallerError("Your role in this group does not allow that.", code="not_permitted", hint="Ask an admin.")
    if contact is None or contact.state != ContactState.ACCEPTED:
        raise CallerError("There is no such contact.", code="unknown_contact", hint="List them: roost contacts")
    if account in state.banned:
        raise CallerError("This person is banned.", code="banned", hint="End the ban first: roost group unban")
    if work.get(GroupMember, group, account) is not None:
        raise CallerError("This person is in the group already.", code="already_member")
    work.put(Seen(_mark(group, account), work.now + VALID_MS))
    return GroupIntroduction(group, state.title)


def is_introduced(work: Work, group: bytes, account: bytes) -> bool:
    held = work.get(Seen, _mark(group, account))
    return held is not None and held.until > work.now


def take(work: Work, group: bytes, account: bytes) -> bool:
    """Whether this device introduced the account; it did so for one coming in."""
    was = is_introduced(work, group, account)
    held = work.get(Seen, _mark(group, account))
    if held is not None:
        work.delete(held)
    return was


def _mark(group: bytes, account: bytes) -> bytes:
    return b"introduced" + group + account


# --- the contact ------------------------------------------------------------------------------------------------------


def came(work: Work, origin: Origin, message: bytes) -> None:
    """An introduction stands in a conversation now; one that I sent on another device needs no answer."""
    if origin.account != work.me.account:
        _set_unanswered(work, (*_unanswered(work), message)[-MAX_UNANSWERED:])


def unanswered(work: Work) -> list[tuple[Message, GroupIntroduction]]:
    """Those that were neither followed nor declined on this device, into groups that I am not in; the oldest first."""
    found = []
    for id in _unanswered(work):
        message = work.get(Message, id)
        content = decode_content(message.content) if message else None
        if message is None or not isinstance(content, GroupIntroduction):
            continue
        row = work.get(GroupRow, content.group)
        if row is None or row.status in _OUTSIDE:
            found.append((message, content))
    return found


def received_in(work: Work, message: bytes) -> tuple[Message, GroupIntroduction]:
    """The introduction that a message of somebody else holds. Raises CallerError `unknown_introduction`."""
    row = work.get(Message, message)
    content = decode_content(row.content) if row else None
    if row is None or row.author == work.me.account or not isinstance(content, GroupIntroduction):
        raise CallerError("There is no such introduction.", code="unknown_introduction")
    return row, content


def answered(work: Work, message: bytes) -> None:
    """It was followed or declined; nobody is told of a no."""
    _set_unanswered(work, tuple(held for held in _unanswered(work) if held != message))


def _unanswered(work: Work) -> tuple[bytes, ...]:
    held = work.get(Setting, _UNANSWERED)
    return msgspec.msgpack.decode(held.value, type=tuple[bytes, ...]) if held else ()


def _set_unanswered(work: Work, ids: tuple[bytes, ...]) -> None:
    work.put(Setting(_UNANSWERED, msgspec.msgpack.encode(ids)))
