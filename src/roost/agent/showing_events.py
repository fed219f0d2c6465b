"""What happened, as listeners are told of it. Reads only; the counterpart of `showing`."""

from __future__ import annotations

from roost.agent import events as e
from roost.agent import showing_channels, showing_groups
from roost.agent import views as v
from roost.agent.showing import (
    CONTACT_STATES,
    STATES,
    contact_at,
    contact_name,
    device_state,
    identity,
    message,
    own_host,
    reactions,
    read_by,
    request,
    who,
)
from roost.crypto import account_id
from roost.messaging import records as r
from roost.messaging.entered import FOREIGN
from roost.messaging.work import Work
from roost.wire import content as c
from roost.wire.groups import GroupNote

_CHANGES = {"removed": "deleted", "key_changed": "devices"}


def event(work: Work, happened: r.Event) -> e.Event | None:
    """What listeners are told of an event; None when it says nothing to them, or its subject is gone."""
    match happened.kind:
        case "message" | "introduction":
            return _message(work, happened)
        case "group":
            return showing_groups.event(work, happened)
        case "channel":
            return showing_channels.event(work, happened)
        case "request":
            knock = work.get(r.Request, happened.subject)
            if knock is None or knock.state != r.RequestState.PENDING:
                return None  # decided meanwhile
            return _as(e.RequestEvent, request(work, knock))
        case "receipt" | "reaction" | "edit" | "delete" | "pin" | "vote":
            return _about_message(work, happened)
        case "typing":
            return e.TypingEvent(
                conversation=account_id(happened.subject),
                sender=who(work, happened.account),
                active=bool(happened.detail),
            )
        case "contact":
            return _contact(work, happened)
        case "connection":
            return _connection(work, happened)
        case "near":
            return _near(work, happened)
        case "carriers" | "nearby":
            return e.CarriersEvent() if happened.kind == "carriers" else e.NearbyEvent()
        case "linked" | "unlisted":
            shown, change = identity(work), "linked" if happened.kind == "linked" else "removed"
            return e.DeviceEvent(
                device=shown.device, name=shown.device_name, this=True, state=device_state(work.me), change=change
            )
        case "transfer":
            return _transfer(happened)
        case "session_reset" | "forked" | "foreign":
            return _warning(happened)
        case "trouble":
            return e.WarningEvent(code=happened.detail, message="The agent's work was interrupted; it tries again.")
    return None


_WARNINGS = {
    "older_copy": "The other side knows messages that this profile does not: it is an older copy, or somebody "
    "tampers with the connection. The keys of this conversation were renewed.",
    "session_reset": "A message could not be opened; the keys of this conversation were renewed.",
    "forked_device_list": "Two lists of a contact's devices contradict each other: somebody else may hold their key. "
    "The second one was refused. Compare the safety number with them.",
    FOREIGN: "A group or channel is on an onion network that you do not use, and whose nodes would learn your network "
    "address. If you trust those who lead you there: roost route CONVERSATION --enter",
}


def _warning(happened: r.Event) -> e.WarningEvent:
    codes = {"forked": "forked_device_list", "foreign": FOREIGN}
    older = happened.kind == "session_reset" and happened.detail == "older_copy"
    code = "older_copy" if older else codes.get(happened.kind, "session_reset")
    return e.WarningEvent(code=code, message=_WARNINGS[code], conversation=account_id(happened.account))


def _message(work: Work, happened: r.Event) -> e.Event | None:
    row = work.get(r.Message, happened.subject)
    content = c.decode_content(row.content) if row else None
    if row is None or isinstance(content, GroupNote):
        return showing_groups.note_event(work, row, content) if row and isinstance(content, GroupNote) else None
    return _as(e.MessageEvent, message(work, row))


def _as(kind: type[e.Event], view: v.View) -> e.Event:
    return kind(**{name: getattr(view, name) for name in view.__struct_fields__})


def _about_message(work: Work, happened: r.Event) -> e.Event | None:
    row = work.get(r.Message, happened.subject)
    id = happened.subject.hex()
    if happened.kind == "delete":
        conversation = account_id(happened.account)
        sender = who(work, row.author) if row else ""
        return e.DeleteEvent(id=id, conversation=conversation, sender=sender, expired=happened.detail == "expired")
    if row is None:
        return None
    conversation = account_id(row.conversation)
    if happened.kind == "receipt":
        return e.ReceiptEvent(
            id=id,
            conversation=conversation,
            state=STATES[r.MessageState(row.state)]
            if happened.detail == "read_by"
            else v.MessageState(happened.detail),
            sender=conversation,
            at=v.instant(work.now),
            read_by=read_by(work, row),
        )
    if happened.kind == "edit":
        shown = message(work, row)
        return e.EditEvent(
            id=id,
            conversation=conversation,
            sender=shown.sender,
            text=shown.text,
            spans=shown.spans,
            mentions=shown.mentions,
        )
    if happened.kind == "pin":
        sender = who(work, happened.account)
        return e.PinEvent(id=id, conversation=conversation, sender=sender, pinned=bool(happened.detail))
    if happened.kind == "vote":
        held = message(work, row).poll
        sender = who(work, happened.account)
        return e.VoteEvent(id=id, conversation=conversation, sender=sender, poll=held) if held else None
    return e.ReactionEvent(
        id=id,
        conversation=conversation,
        sender=who(work, happened.account),
        emoji=happened.detail,
        reactions=reactions(work, row.id),
    )


def _contact(work: Work, happened: r.Event) -> e.Event:
    row = work.get(r.Contact, happened.account)
    message = work.get(r.Message, happened.subject) if happened.detail == "introduced" else None
    content = c.decode_content(message.content) if message else None
    return e.ContactEvent(
        contact=account_id(happened.account),
        name=contact_name(row) if row else "",
        state=CONTACT_STATES[r.ContactState(row.state)] if row else v.ContactState.BLOCKED,
        change=_CHANGES.get(happened.detail, happened.detail),
        timer_s=row.timer_s if row else 0,
        link=content.link if isinstance(content, c.Introduction) else "",
    )


def _connection(work: Work, happened: r.Event) -> e.Event | None:
    relay = work.get(r.OwnRelay, happened.subject)
    if relay is None:
        return None
    return e.ConnectionEvent(host=own_host(relay), reachable=not happened.detail, reason=happened.detail)


def _near(work: Work, happened: r.Event) -> e.Event | None:
    row = contact_at(work, happened.subject)
    if row is None:
        return None
    return e.NearEvent(contact=account_id(row.account), name=contact_name(row), carrier=happened.detail)


def _transfer(happened: r.Event) -> e.Event:
    direction, index, done, total, name = happened.detail.split("/", 4)
    return e.TransferEvent(
        id=happened.subject.hex(),
        number=int(index),
        name=name,
        incoming=direction == "in",
        done=int(done),
        total=int(total),
    )
