"""What people type, as ids: conversations, contacts and messages by id or by name where that is unambiguous."""

from __future__ import annotations

from roost.crypto import account_id, parse_account_id
from roost.errors import CallerError
from roost.messaging import records as r
from roost.messaging.conversations import UnknownMessage
from roost.messaging.work import Work


def conversation(work: Work, named: str) -> r.Contact:
    """The contact behind a conversation. Raises CallerError `unknown_conversation`, `ambiguous`."""
    return _contact(work, named, "conversation")


def contact(work: Work, named: str) -> r.Contact:
    """Raises CallerError `unknown_contact`, `ambiguous`."""
    return _contact(work, named, "contact")


def _contact(work: Work, named: str, what: str) -> r.Contact:
    rows = [row for row in work.find(r.Contact) if row.state != r.ContactState.SELF]
    found = [row for row in rows if account_id(row.account) == named.lower()]
    found = found or [row for row in rows if named and named in (row.alias, row.name)]
    found = found or [row for row in rows if named and named.casefold() in (row.alias.casefold(), row.name.casefold())]
    if not found:
        raise CallerError(
            f"There is no such {what}.", code=f"unknown_{what}", hint="List your contacts: roost contacts"
        )
    if len(found) > 1:
        raise CallerError(
            "Several contacts have this name.",
            code="ambiguous",
            hint="Use the contact's id (roost contacts --json), or give one an alias: roost rename",
        )
    return found[0]


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
