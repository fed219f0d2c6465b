"""What an entry does: the rules of who may say what, and how each content changes the profile.

Contents between people are applied here; those that make contacts are in messaging.requests, those among one's own
devices in messaging.devices. Raised PeerErrors drop the entry (messaging.inbox).
"""

from __future__ import annotations

import msgspec

from roost.messaging import (
    conversations,
    devices,
    entered,
    farewells,
    floors,
    introductions,
    outbox,
    parcels,
    requests,
    said,
    travel,
)
from roost.messaging.groups import among_members, introducing
from roost.messaging.origin import Origin
from roost.messaging.records import Contact, ContactState, Message, MessageState
from roost.messaging.said import NotAllowed
from roost.messaging.work import Work
from roost.wire import content as c
from roost.wire.groups import (
    GroupCheck,
    GroupFound,
    GroupIntroduction,
    GroupKnock,
    GroupLost,
    GroupWelcome,
    KeyPackageOffer,
    KnockAccepted,
)
from roost.wire.travel import NetworkEntered, TravelChange

AMONG_MEMBERS = KeyPackageOffer | GroupWelcome | GroupCheck | GroupLost | GroupFound
_AMONG_MINE = (
    c.SentCopy
    | c.ReadMark
    | c.ContactSync
    | c.ContactRemoved
    | c.DeviceWelcome
    | c.DeviceRemoved
    | TravelChange
    | NetworkEntered
)


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
    elif isinstance(content, GroupKnock):
        among_members.received(work, origin, content)
    elif contact is None or contact.state == ContactState.BLOCKED:
        raise NotAllowed("not a contact")
    elif isinstance(content, c.ContactAcceptance):
        requests.was_accepted(work, origin, contact, content)
    elif isinstance(content, KnockAccepted):
        among_members.received(work, origin, content)
    elif isinstance(content, c.DeviceAnnouncement):
        devices.announced(work, origin, contact, content)
    elif not origin.device or contact.state == ContactState.REQUESTED:
        raise NotAllowed("the device has not announced itself")
    elif contact.state == ContactState.MEMBER and not isinstance(content, AMONG_MEMBERS):
        raise NotAllowed("not a contact")
    elif contact.state == ContactState.SELF:
        _among_mine(work, origin, entry, content)
    else:
        apply_said(work, origin, contact.account, entry, content)


def apply_said(work: Work, origin: Origin, conversation: bytes, entry: c.Entry, content: c.Content | c.Unknown) -> None:
    """Something that a person said in a conversation: a contact, or I on another device."""
    match content:
        case c.Text() | c.Poll() | c.Unknown():
            said.show(work, origin, conversation, entry, content)
        case GroupIntroduction():
            said.show(work, origin, conversation, entry, content)
            introducing.came(work, origin, entry.id)
        case c.Edit() | c.Deletion() | c.Reaction() | c.Vote() | c.Pin():
            said.change(work, origin.account, conversation, entry, content)
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
        case c.FloorChange(floor=floor):
            floors.told(work, conversation, floor, mine=origin.account == work.me.account)
        case c.CourierOffer(carries=carries):
            parcels.heard(work, origin, conversation, carries=carries)
        case c.CallSignal(call=call):
            work.mention("call", call, origin.account)
        case KeyPackageOffer() | GroupWelcome() | GroupCheck() | GroupLost() | GroupFound():
            among_members.received(work, origin, content)
        case c.IntroductionRequest() | c.IntroductionLink() | c.Introduction():
            introductions.received(work, origin, entry, content)
        case _:
            raise NotAllowed("only among one's own devices")


def _among_mine(work: Work, origin: Origin, entry: c.Entry, content: c.Content | c.Unknown) -> None:
    match content:
        case c.SentCopy(conversation=conversation, content=inner):
            copied = c.decode_content(inner)
            if work.get(Contact, conversation) is None or isinstance(copied, _AMONG_MINE):
                raise NotAllowed("a copy for no conversation of mine")
            apply_said(work, origin, conversation, entry, copied)
        case c.ReadMark(conversation=conversation, read=ids):
            conversations.mark_seen(work, conversation, ids)
        case c.ContactSync():
            devices.contact_synced(work, content)
        case TravelChange():
            travel.told(work, content)
        case NetworkEntered():
            entered.told(work, content)
        case c.DeviceRemoved():
            farewells.heard(work, content)
        case c.ContactRemoved(account=account):
            requests.forget_contact(work, account)
        case c.About():
            work.put(msgspec.structs.replace(work.me, about=content))
        case c.CourierOffer(carries=carries):
            parcels.heard(work, origin, origin.account, carries=carries)
        case KeyPackageOffer() | GroupWelcome() | GroupLost() | GroupFound():
            among_members.received(work, origin, content)
        case _:
            raise NotAllowed("not among one's own devices")


# --- about people -----------------------------------------------------------------------------------------------------


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
