"""What happens while one listens: the events of `roost listen`, of the WebSocket `/v1/events` and of the library.

Each is a JSON object with a `type`. A listener ignores types that it does not know. Place: agent; used by apps.
"""

from __future__ import annotations

import msgspec

from roost.agent.views import (
    ContactState,
    DeviceState,
    Instant,
    MentionView,
    MessageState,
    MessageView,
    PollView,
    RequestView,
    SpanView,
    View,
)


class MessageEvent(MessageView, frozen=True, kw_only=True, tag="message", tag_field="type"):
    """A message came in, or was sent by another of one's own devices (`from` is "me")."""


class RequestEvent(RequestView, frozen=True, kw_only=True, tag="request", tag_field="type"):
    """Someone asks to become a contact."""


class ReceiptEvent(View, frozen=True, kw_only=True, tag="receipt", tag_field="type"):
    """One's own message has come further: `sent`, `delivered` or `read`. `sender` is the contact, or the group.

    In a small group one comes for each person who has read it (`read_by` counts them); `read`: all have.
    """

    id: str
    conversation: str
    state: MessageState
    sender: str = msgspec.field(name="from")
    at: Instant
    read_by: int = 0


class ReactionEvent(View, frozen=True, kw_only=True, tag="reaction", tag_field="type"):
    """A reaction to the message `id`; an empty `emoji` takes it back. `reactions` are all of the message now."""

    id: str
    conversation: str
    sender: str = msgspec.field(name="from")
    emoji: str
    reactions: dict[str, list[str]] = msgspec.field(default_factory=dict)


class EditEvent(View, frozen=True, kw_only=True, tag="edit", tag_field="type"):
    id: str
    conversation: str
    sender: str = msgspec.field(name="from")
    text: str
    spans: tuple[SpanView, ...] = ()
    mentions: tuple[MentionView, ...] = ()


class PinEvent(View, frozen=True, kw_only=True, tag="pin", tag_field="type"):
    """The message `id` was pinned in its conversation, or no longer is."""

    id: str
    conversation: str
    sender: str = msgspec.field(name="from")
    pinned: bool


class VoteEvent(View, frozen=True, kw_only=True, tag="vote", tag_field="type"):
    """Somebody chose in the poll `id`, or took it back. `poll` is how it stands now."""

    id: str
    conversation: str
    sender: str = msgspec.field(name="from")
    poll: PollView


class DeleteEvent(View, frozen=True, kw_only=True, tag="delete", tag_field="type"):
    """The message `id` is gone: deleted for everyone by its author, deleted here, or its time was up (`expired`)."""

    id: str
    conversation: str
    sender: str = msgspec.field(name="from")
    expired: bool = False


class TypingEvent(View, frozen=True, kw_only=True, tag="typing", tag_field="type"):
    conversation: str
    sender: str = msgspec.field(name="from")
    active: bool


class ContactEvent(View, frozen=True, kw_only=True, tag="contact", tag_field="type"):
    """A contact changed. `change`: requested, accepted, verified, unverified, renamed, about, blocked, unblocked,
    deleted, devices (their device list changed), addresses (they are written to at other hosts),
    timer, floor, travel (a network or timing was chosen), introduced (an introduction came; `link` opens it)."""

    contact: str
    name: str
    state: ContactState
    change: str
    timer_s: int = 0
    link: str = ""


class GroupEvent(View, frozen=True, kw_only=True, tag="group", tag_field="type"):
    """A group changed, or how one stands to it. `text` says it in English; what `read` shows too has an `id` there.

    `change`: those of `NoteView`, and leaving (`member` asked to go), changed (devices or keys), history (earlier
    messages came), request (somebody asks to join), answered (they were let in, or not), refused (a change that was
    asked for here cannot be; `detail` is the rule), join-failed, asked, lost, forked (the group stopped: `member` saw
    another history), resumed, reopened.
    """

    group: str
    title: str
    change: str
    text: str = ""
    sender: str = msgspec.field(name="from", default="")
    member: str = ""
    name: str = ""
    detail: str = ""
    id: str = ""
    at: Instant | None = None


class ChannelEvent(View, frozen=True, kw_only=True, tag="channel", tag_field="type"):
    """A channel changed, or how one stands to it. `text` says it in English.

    `change`: created, joined (its first state was read), changed, moved, left, banned, unbanned (`pseudonym` and
    `name` tell who), refused (a post of one's own is shown by nobody; `detail` is the rule).
    """

    channel: str
    title: str
    change: str
    text: str = ""
    pseudonym: str = ""
    name: str = ""
    detail: str = ""
    at: Instant | None = None


class ConnectionEvent(View, frozen=True, kw_only=True, tag="connection", tag_field="type"):
    """An own relay became reachable or unreachable."""

    host: str
    reachable: bool
    reason: str = ""


class NearEvent(View, frozen=True, kw_only=True, tag="near", tag_field="type"):
    """A device of a contact is linked to this one directly, over `carrier`, or (empty) not any more."""

    contact: str
    name: str
    carrier: str = ""


class CarriersEvent(View, frozen=True, kw_only=True, tag="carriers", tag_field="type"):
    """Some carrier was turned on or off, became ready, or no longer is: ask for `carriers`."""


class NearbyEvent(View, frozen=True, kw_only=True, tag="nearby", tag_field="type"):
    """Somebody shows themselves on the local network, or no longer does: ask for `nearby`."""


class DeviceEvent(View, frozen=True, kw_only=True, tag="device", tag_field="type"):
    """One's own devices changed. `change`: linked, removed, waiting."""

    device: str
    name: str
    this: bool
    state: DeviceState
    change: str


class TransferEvent(View, frozen=True, kw_only=True, tag="transfer", tag_field="type"):
    """Progress of a file, in bytes of plaintext. `incoming` tells saving from sending. Never stored."""

    id: str
    number: int
    name: str
    incoming: bool
    done: int
    total: int


class WarningEvent(View, frozen=True, kw_only=True, tag="warning", tag_field="type"):
    """Something that a person should know: a session was renewed, a one-time invitation was used twice."""

    code: str
    message: str
    conversation: str = ""


Event = (
    MessageEvent
    | RequestEvent
    | ReceiptEvent
    | ReactionEvent
    | EditEvent
    | DeleteEvent
    | PinEvent
    | VoteEvent
    | TypingEvent
    | ContactEvent
    | GroupEvent
    | ChannelEvent
    | ConnectionEvent
    | NearEvent
    | CarriersEvent
    | NearbyEvent
    | DeviceEvent
    | TransferEvent
    | WarningEvent
)

TRANSIENT = (TypingEvent, ConnectionEvent, NearEvent, CarriersEvent, NearbyEvent, TransferEvent)
"""Events that are never kept for a listener that comes later."""
