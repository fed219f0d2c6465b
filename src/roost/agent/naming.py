"""What people type, as ids: conversations, contacts and messages by id or by name where that is unambiguous."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import TypeVar

from roost.crypto import account_id, parse_account_id
from roost.errors import CallerError
from roost.messaging import records as r
from roost.messaging.conversations import UnknownMessage
from roost.messaging.work import Work

_T = TypeVar("_T")
_CONTACTS_ONLY = "This works with contacts only."
_CONTACTS = "Name a contact: roost contacts"


@dataclass(frozen=True)
class Conversation:
    """Something that one can write to: `contact`, `group` or `channel` says what it is. `id` is its messages'
    conversation."""

    id: bytes
    names: tuple[str, ...]
    contact: r.Contact | None = None
    group: r.GroupRow | None = None
    channel: r.ChannelRow | None = None

    @property
    def name(self) -> str:
        return next((name for name in self.names if name), account_id(self.id)[:8])

    @property
    def current(self) -> bool:
        """A group that one is in, or a contact."""
        gone = (r.GroupStatus.LEFT, r.GroupStatus.REMOVED)
        return self.group is None or not (self.group.successor or self.group.status in gone)


def _contacts(work: Work) -> list[Conversation]:
    rows = [row for row in work.find(r.Contact) if row.state not in r.HIDDEN_CONTACTS]
    return [Conversation(row.account, (row.alias, row.name), contact=row) for row in rows]


def _groups(work: Work) -> list[Conversation]:
    return [Conversation(row.id, (row.title,), group=row) for row in work.find(r.GroupRow)]


def _channels(work: Work) -> list[Conversation]:
    return [Conversation(row.id, (row.title,), channel=row) for row in work.find(r.ChannelRow)]


def conversations(work: Work) -> list[Conversation]:
    """All that there are."""
    return _contacts(work) + _groups(work) + _channels(work)


def conversation(work: Work, named: str) -> Conversation:
    """A contact, a group or a channel. Raises CallerError `unknown_conversation`, `ambiguous`."""
    return _named(conversations(work), named, "conversation", "contacts, roost groups, roost channel list")


def contact(work: Work, named: str, *, why: str = _CONTACTS_ONLY, hint: str = _CONTACTS) -> r.Contact:
    """Raises CallerError `unknown_contact`, `ambiguous`, and `not_a_contact` for a group or channel."""
    try:
        found = _named(_contacts(work), named, "contact", "contacts").contact
    except CallerError as error:
        if error.code == "unknown_contact" and any(_is(each, named) for each in _groups(work) + _channels(work)):
            raise CallerError(why, code="not_a_contact", hint=hint) from None
        raise
    assert found is not None
    return found


def _is(found: Conversation, named: str) -> bool:
    return account_id(found.id) == named.lower() or named in found.names


def contact_of(work: Work, named: str, *, why: str = _CONTACTS_ONLY, hint: str = _CONTACTS) -> r.Contact:
    """The contact of a conversation, for what has no sense in others. Raises CallerError; `not_a_contact`."""
    found = conversation(work, named)
    if found.contact is None:
        raise CallerError(why, code="not_a_contact", hint=hint)
    return found.contact


def group(work: Work, named: str) -> r.GroupRow:
    """Raises CallerError `unknown_group`, `ambiguous`."""
    found = _named(_groups(work), named, "group", "groups").group
    assert found is not None
    return found


def channel(work: Work, named: str) -> r.ChannelRow:
    """Raises CallerError `unknown_channel`, `ambiguous`."""
    found = _named(_channels(work), named, "channel", "channel list").channel
    assert found is not None
    return found


_SEVERAL = {"group": "groups", "channel": "channels", "contact": "contacts"}


def _matching(known: Iterable[tuple[_T, bytes, tuple[str, ...]]], named: str) -> list[_T]:
    """Those with this id; else those with exactly this name; else those with this name in whatever case."""
    rows = list(known)
    by_id = [each for each, id, _ in rows if account_id(id) == named.lower()]
    exact = [each for each, _, names in rows if named and named in names]
    alike = [each for each, _, names in rows if named and named.casefold() in (name.casefold() for name in names)]
    return by_id or exact or alike


def _named(known: list[Conversation], named: str, what: str, command: str) -> Conversation:
    """The one of these that has this id, or else this name; those that one has left only where no other has it."""
    found = _matching([(each, each.id, each.names) for each in known], named)
    if len(found) > 1:
        found = [each for each in found if each.current] or found
    if not found:
        raise CallerError(f"There is no such {what}.", code=f"unknown_{what}", hint=f"List them: roost {command}")
    if len(found) > 1:
        raise CallerError(
            f"Several {_SEVERAL.get(what, 'conversations')} have this name.",
            code="ambiguous",
            hint="Use the id (roost contacts --json, roost groups --json), or give a contact an alias: roost rename",
        )
    return found[0]


def member(work: Work, group: r.GroupRow, named: str) -> bytes:
    """The account of a member, by id, by the contact's name or by their own. Raises CallerError `unknown_member`."""
    me = work.me.account
    people: list[tuple[bytes, tuple[str, ...]]] = []
    for row in work.find(r.GroupMember, where={"group": group.id}):
        known = work.get(r.Contact, row.account) if row.account != me else None
        names = (known.alias, known.name) if known else ()
        people.append((row.account, (*names, row.name, *(("me",) if row.account == me else ()))))
    found = _matching([(account, account, names) for account, names in people], named)
    if not found:
        raise CallerError(
            "This person is not in the group.", code="unknown_member", hint="List them: roost group members GROUP"
        )
    if len(found) > 1:
        raise CallerError("Several members have this name.", code="ambiguous", hint="Use the member's id.")
    return found[0]


def fellow(work: Work, named: str) -> tuple[bytes, str]:
    """The account and the name of somebody who is in a group with me. Raises CallerError `unknown_member`,
    `ambiguous`."""
    here = {row.id for row in work.find(r.GroupRow) if row.status not in (r.GroupStatus.LEFT, r.GroupStatus.REMOVED)}
    rows = [row for row in work.find(r.GroupMember) if row.group in here and row.account != work.me.account]
    people = {row.account: row.name for row in rows}
    found = _matching([(account, account, (name,)) for account, name in people.items()], named)
    if not found:
        raise CallerError("There is no such member.", code="unknown_member")
    if len(found) > 1:
        raise CallerError(
            "Several members have this name.", code="ambiguous", hint="Use the id: roost group members GROUP"
        )
    return found[0], people[found[0]]


def person(work: Work, group: r.GroupRow, named: str) -> bytes:
    """The account of a member, a contact, or whoever has the id. Raises CallerError."""
    try:
        return member(work, group, named)
    except CallerError as error:
        if error.code != "unknown_member":
            raise
    try:
        return contact(work, named).account
    except CallerError as error:
        if error.code != "unknown_contact":
            raise
    try:
        return parse_account_id(named)
    except CallerError:
        raise CallerError(
            "There is no such person.", code="unknown_member", hint="Name a member or a contact, by name or id."
        ) from None


def message_id(text: str) -> bytes:
    """Raises UnknownMessage."""
    try:
        id = bytes.fromhex(text)
    except ValueError:
        id = b""
    if len(id) != 16:
        raise UnknownMessage("There is no such message.")
    return id


def message(work: Work, text: str) -> r.Message:
    """Raises UnknownMessage."""
    row = work.get(r.Message, message_id(text))
    if row is None:
        raise UnknownMessage("There is no such message.")
    return row


def device_key(work: Work, named: str) -> bytes:
    """A device of mine by id or name. Raises CallerError `unknown_device`, `ambiguous`."""
    try:
        return parse_account_id(named)
    except CallerError:
        pass
    me = work.me
    peers = work.find(r.PeerDevice, where={"account": me.account})
    found = [peer.device for peer in peers if peer.name == named] + ([me.device] if me.device_name == named else [])
    if not found:
        raise CallerError("There is no such device.", code="unknown_device", hint="List them: roost device list")
    if len(found) > 1:
        raise CallerError("Several devices have this name.", code="ambiguous", hint="Use the device's id.")
    return found[0]
