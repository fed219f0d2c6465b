"""The list of conversations, pages of history, how a conversation is arranged, and what a message went through."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING, Any

import msgspec

from roost.agent import browsing as b
from roost.agent import naming, opening, showing, showing_channels, showing_groups, syncing
from roost.agent import views as v
from roost.agent.actions import messages
from roost.agent.actions.registry import handles
from roost.crypto import account_id
from roost.errors import CallerError
from roost.messaging import conversations, files, floors, pins
from roost.messaging import records as r
from roost.messaging.work import Work
from roost.wire import content as c

if TYPE_CHECKING:
    from roost.agent.engine import Engine
    from roost.agent.service import Service

_ARRANGED = "arranged/"
_FOREVER = 2**50 - 1
_LOOKED_AT = 300  # unread messages that are searched for mentions of oneself


class Arrangement(msgspec.Struct, frozen=True, omit_defaults=True):
    """How one conversation is arranged on this device, in a Setting. `muted_until` in milliseconds since 1970."""

    pinned: bool = False
    archived: bool = False
    muted_until: int = 0
    draft: str = ""


def arrangement(work: Work, account: bytes) -> Arrangement:
    row = work.get(r.Setting, _ARRANGED + account.hex())
    return msgspec.msgpack.decode(row.value, type=Arrangement) if row else Arrangement()


# --- the list --------------------------------------------------------------------------------------------------------


def unread_messages(work: Work) -> dict[bytes, list[r.Message]]:
    """What is unread, by conversation, oldest first: one look for all, since few messages are."""
    found: dict[bytes, list[r.Message]] = {}
    for row in work.find(r.Message, where={"state": int(r.MessageState.RECEIVED)}):
        found.setdefault(row.conversation, []).append(row)
    return {account: sorted(rows, key=lambda row: row.position) for account, rows in found.items()}


def conversation(
    engine: Engine, found: naming.Conversation, unread: list[r.Message], near: dict[bytes, str]
) -> b.ConversationView:
    """A row of the list, whatever kind it is. `near`: the carriers by which contacts are linked to this device now."""
    work = engine.look()
    if found.channel is not None:
        shown = _of_a_channel(work, found.channel)
    else:
        shown = _of_a_group(work, found.group) if found.group else _of_a_contact(work, found)
    last = work.find(r.Message, where={"conversation": found.id}, order="position", descending=True, limit=1)
    arranged = arrangement(work, found.id)
    return b.ConversationView(
        id=account_id(found.id),
        name=found.name,
        network=showing.network_of(work, found.id),
        unread=len(unread),
        pinned=arranged.pinned,
        archived=arranged.archived,
        muted_until=v.instant(min(arranged.muted_until, 253_402_300_799_000)) if arranged.muted_until else None,
        draft=arranged.draft,
        last=showing.message(work, last[0]) if last else None,
        first_unread=unread[0].id.hex() if unread else "",
        mentions=sum(_means_me(work, row) for row in unread[-_LOOKED_AT:]) if found.group else 0,
        near=near.get(found.id, "") if found.contact else "",
        foreign=bool(opening.foreign_networks(engine, found.id)),
        **shown,
    )


def _means_me(work: Work, row: r.Message) -> bool:
    content = c.decode_content(row.content)
    return isinstance(content, c.Text) and any(told.account == work.me.account for told in content.mentions)


def _of_a_contact(work: Work, found: naming.Conversation) -> dict[str, Any]:
    row = found.contact
    assert row is not None
    waiting = {entry.message for entry in work.find(r.Outbox, where={"account": row.account})}
    return {
        "state": showing.CONTACT_STATES[r.ContactState(row.state)],
        "verified": row.verified,
        "key_changed": row.key_changed,
        "own_name": row.name,
        "status": row.about.status if row.about else "",
        "picture": showing.picture_id(row.about),
        "waiting": sum(1 for id in waiting if id and _unsent(work, id)),
        "timer_s": row.timer_s,
        "held": floors.holds(work, row.account),
    }


def _of_a_group(work: Work, row: r.GroupRow) -> dict[str, Any]:
    shown = showing_groups.group(work, row)
    return {
        "state": v.ContactState.ACCEPTED,
        "verified": False,
        "kind": v.ConversationKind.GROUP,
        "picture": shown.avatar,
        "waiting": len([said for said in syncing.unsaid(work, row.id) if said.message]),
        "timer_s": shown.timer_s,
        "members": shown.members,
        "role": shown.role.value,
        "group_state": shown.state.value,
        "description": shown.description,
        "may_post": showing_groups.may_post(work, row),
        "requests": shown.requests,
    }


def _of_a_channel(work: Work, row: r.ChannelRow) -> dict[str, Any]:
    shown = showing_channels.channel(work, row)
    unseen = {put.subject for put in work.find(r.LogPut, where={"log": row.log})}
    return {
        "state": v.ContactState.ACCEPTED,
        "verified": False,
        "kind": v.ConversationKind.CHANNEL,
        "picture": shown.avatar,
        "waiting": sum(1 for id in unseen if id and _unsent(work, id)),
        "role": shown.role.value,
        "description": shown.description,
        "may_post": shown.may_post,
    }


def _unsent(work: Work, id: bytes) -> bool:
    row = work.get(r.Message, id)
    return row is not None and row.state == r.MessageState.QUEUED


@handles(b.Conversations)
async def list_conversations(service: Service, _: b.Conversations) -> tuple[b.ConversationView, ...]:
    work = service.engine.look()
    unread, near = unread_messages(work), service.engine.devices.near()
    return tuple(
        conversation(service.engine, each, unread.get(each.id, []), near) for each in naming.conversations(work)
    )


@handles(b.Arrange)
async def arrange(service: Service, request: b.Arrange) -> b.ConversationView:
    engine = service.engine
    found = naming.conversation(engine.look(), request.conversation)

    def change(work: Work) -> None:
        held = arrangement(work, found.id)
        new = Arrangement(
            held.pinned if request.pinned is None else request.pinned,
            held.archived if request.archived is None else request.archived,
            held.muted_until if request.mute_s is None else _until(work.now, request.mute_s),
            held.draft if request.draft is None else request.draft,
        )
        work.put(r.Setting(_ARRANGED + found.id.hex(), msgspec.msgpack.encode(new)))

    engine.step(change)
    work = engine.look()
    return conversation(engine, found, unread_messages(work).get(found.id, []), engine.devices.near())


def _until(now: int, seconds: int) -> int:
    return _FOREVER if seconds < 0 else now + seconds * 1000 if seconds else 0


# --- history ---------------------------------------------------------------------------------------------------------


@handles(b.History)
async def history(service: Service, request: b.History) -> b.HistoryPage:
    work = service.engine.look()
    account = naming.conversation(work, request.conversation).id
    if request.after is not None:
        rows, later = _after(work, account, naming.message(work, request.after).position, request.limit)
        earlier = True
    elif request.around is not None or request.at is not None:
        middle = _middle(work, account, request)
        half = request.limit // 2
        above, later = _after(work, account, middle - 1, request.limit - half)
        below, earlier = _before(work, account, middle, half)
        rows = below + above
    else:
        top = naming.message(work, request.before).position if request.before is not None else None
        rows, earlier = _before(work, account, top, request.limit)
        later = top is not None
    shown = tuple(showing.message(work, row) for row in rows)
    return b.HistoryPage(messages=shown, earlier=earlier, later=later, replied=_replied(work, shown))


def _before(work: Work, account: bytes, position: int | None, limit: int) -> tuple[list[r.Message], bool]:
    rows = work.find(
        r.Message,
        where={"conversation": account},
        below=("position", position) if position is not None else None,
        order="position",
        descending=True,
        limit=limit + 1,
    )
    return list(reversed(rows[:limit])), len(rows) > limit


def _after(work: Work, account: bytes, position: int, limit: int) -> tuple[list[r.Message], bool]:
    """Messages behind `position`, oldest first. Positions are dense over all conversations, so a window of positions
    that grows holds few rows at any time."""
    last = _newest(work)
    width = limit * 2
    while True:
        rows = work.find(
            r.Message,
            where={"conversation": account},
            at_most=("position", position + width),
            order="position",
            descending=True,
            limit=width,
        )
        found = [row for row in reversed(rows) if row.position > position]
        if len(found) > limit or position + width >= last:
            return found[:limit], len(found) > limit
        width *= 4


def _newest(work: Work) -> int:
    rows = work.find(r.Message, order="position", descending=True, limit=1)
    return rows[0].position if rows else 0


def _middle(work: Work, account: bytes, request: b.History) -> int:
    if request.around is not None:
        row = naming.message(work, request.around)
        if row.conversation != account:
            raise conversations.UnknownMessage("There is no such message in this conversation.")
        return row.position
    assert request.at is not None
    return _first_since(work, account, int(request.at.timestamp() * 1000))


def _first_since(work: Work, account: bytes, millis: int) -> int:
    """The position of the first message that was sent at or after a time: a search by halves over positions."""
    low, high = 0, _newest(work) + 1
    while low < high:
        middle = (low + high) // 2
        rows, _ = _before(work, account, middle + 1, 1)
        if rows and rows[0].sent_at >= millis:
            high = min(middle, rows[0].position)
        else:
            low = middle + 1
    return low


def _replied(work: Work, shown: tuple[v.MessageView, ...]) -> tuple[v.MessageView, ...]:
    here = {message.id for message in shown}
    wanted = {message.reply_to for message in shown if message.reply_to} - here
    rows = [work.get(r.Message, bytes.fromhex(id)) for id in sorted(wanted)]
    return tuple(showing.message(work, row) for row in rows if row is not None)


@handles(b.Details)
async def details(service: Service, request: b.Details) -> b.MessageDetails:
    work = service.engine.look()
    row = naming.message(work, request.id)
    waiting = tuple(_progress(work, entry) for entry in work.find(r.Outbox, where={"message": row.id}))
    return b.MessageDetails(
        message=showing.message(work, row),
        edits=row.edits,
        edited_at=_when(row.edited_at),
        waiting=waiting,
        stored_at=_when(row.stored_at),
        delivered_at=_when(row.delivered_at),
        read_at=_when(row.read_at),
        hops=_hops(work, row),
        readers=tuple(
            b.Reader(
                member=account_id(reader.account),
                name=showing_groups.name_of(work, row.conversation, reader.account),
                at=v.instant(reader.at),
            )
            for reader in work.find(r.ReadBy, where={"target": row.id})
        ),
    )


def _when(millis: int) -> datetime | None:
    return v.instant(millis) if millis else None


def _hops(work: Work, row: r.Message) -> tuple[b.Hop, ...]:
    """The way that a message took, as far as it is known here: a contact's own relay is not."""
    them = b.Hop(party="contact", name=_far_end(work, row))
    me = b.Hop(party="me", name=work.me.about.name)
    mine = row.author == work.me.account
    parties: tuple[str, ...] = ("relay" if mine else "my_relay",)
    if row.network == v.NetworkKind.ONION:
        parties = ("swarm",)
    elif len(row.route) > 1:
        parties = ("my_relay", "their_relay")
    relays = tuple(b.Hop(party=party, name=host) for party, host in zip(parties, row.route, strict=False))
    return (me, *relays, them) if mine else (them, *relays, me)


def _far_end(work: Work, row: r.Message) -> str:
    """The contact; in a group or channel whoever said it, or all who are in it."""
    contact = work.get(r.Contact, row.conversation)
    if contact is not None:
        return showing.contact_name(contact)
    company = work.get(r.GroupRow, row.conversation) or work.get(r.ChannelRow, row.conversation)
    return showing.message(work, row).from_name or (company.title if company else "")


@handles(b.Pins)
async def list_pins(service: Service, request: b.Pins) -> tuple[v.MessageView, ...]:
    work = service.engine.look()
    account = naming.conversation(work, request.conversation).id
    rows = [work.get(r.Message, row.target) for row in pins.pins(work, account)]
    return tuple(showing.message(work, row) for row in rows if row is not None)


def _progress(work: Work, entry: r.Outbox) -> b.DeviceProgress:
    contact = work.get(r.Contact, entry.account)
    mine = entry.account == work.me.account
    return b.DeviceProgress(
        name=v.ME if mine else (showing.contact_name(contact) if contact else account_id(entry.account)[:8]),
        stored=entry.state == r.OutboxState.STORED,
        attempts=entry.attempts,
        problem=syncing.problem_of(work, entry),
    )


@handles(b.Forward)
async def forward(service: Service, request: b.Forward) -> v.SentMessage:
    engine = service.engine
    work = engine.look()
    row = naming.message(work, request.id)
    content = c.decode_content(row.content)
    if row.deleted or not isinstance(content, c.Text):
        raise CallerError("This message cannot be forwarded.", code="not_forwardable")
    target = await messages.writable(service, request.to)
    attachments, local = [], []
    for index, attachment in enumerate(content.attachments):
        stored = await messages.fetched_file(service, row.id, index)
        attachments.append(msgspec.structs.replace(attachment, pointer=None))
        local.append(files.LocalFile(stored.file, stored.file_key, stored.size))
    text = c.Text(content.text, content.spans, None, tuple(attachments), 0, forwarded=True)
    id = engine.entropy.bytes(16)
    way = showing.way_of(engine.look(), target)
    sent = engine.step(conversations.say, target, text, id=id, local_files=tuple(local), **way)
    shown = showing.message(engine.look(), sent)
    return v.SentMessage(id=shown.id, conversation=shown.conversation, state=shown.state, sent_at=shown.sent_at)
