"""Rows as apps see them: messages, contacts, requests, invitations. Reads only."""

from __future__ import annotations

import hashlib
from typing import Any, TypedDict

from roost.agent import showing_channels, showing_groups
from roost.agent import views as v
from roost.agent.networks import network_to, relay_name
from roost.crypto import account_id
from roost.messaging import formatting, pins, ways
from roost.messaging import records as r
from roost.messaging.invitations import invitation_id
from roost.messaging.work import Work
from roost.wire import content as c
from roost.wire.addresses import HostAddress
from roost.wire.groups import GroupIntroduction, GroupNote
from roost.wire.links import InvitationKind

STATES = {
    r.MessageState.QUEUED: v.MessageState.QUEUED,
    r.MessageState.SENT: v.MessageState.SENT,
    r.MessageState.DELIVERED: v.MessageState.DELIVERED,
    r.MessageState.READ: v.MessageState.READ,
    r.MessageState.RECEIVED: v.MessageState.RECEIVED,
    r.MessageState.SEEN: v.MessageState.READ,
    r.MessageState.FAILED: v.MessageState.FAILED,
}
CONTACT_STATES = {
    r.ContactState.REQUESTED: v.ContactState.REQUESTED,
    r.ContactState.ACCEPTED: v.ContactState.ACCEPTED,
    r.ContactState.BLOCKED: v.ContactState.BLOCKED,
    r.ContactState.SELF: v.ContactState.ACCEPTED,
    r.ContactState.MEMBER: v.ContactState.REQUESTED,
}
_STYLES = {style: v.TextStyle(style.name.lower()) for style in c.Style}
_NEWER = "This message needs a newer Roost."


def who(work: Work, account: bytes) -> str:
    """ "me" or the contact's id."""
    return v.ME if account == work.me.account else account_id(account)


def contact_name(contact: r.Contact) -> str:
    return contact.alias or contact.name or account_id(contact.account)[:8]


def host(address: HostAddress) -> str:
    return address.endpoint


def own_host(row: r.OwnRelay) -> str:
    """What a host of mine is called: this device, where it is that; a relay at home by a few characters of its key."""
    return v.THIS_DEVICE if row.here else relay_name(row.link.address)


def host_in(work: Work, address: HostAddress) -> str:
    """What a host is called that may be one of mine."""
    row = work.get(r.OwnRelay, address.key)
    return own_host(row) if row is not None else host(address)


def network_of(work: Work, account: bytes) -> v.NetworkKind:
    """How a conversation travels, at least: by the weakest of the networks that its devices are written to by."""
    group = work.get(r.GroupRow, account)
    if group is not None:
        return showing_groups.network_of(work, group)
    channel = work.get(r.ChannelRow, account)
    if channel is not None:
        return showing_channels.network_of(work, channel)
    kinds = {network_to(work, host) for host in first_hosts(work, account)}
    return next((kind for kind in v.NetworkKind if kind in kinds), v.NetworkKind.CENTRAL)


def first_hosts(work: Work, account: bytes, standing: ways.Standing = ways.apart) -> list[HostAddress]:
    """Where what is said to a contact is put, at each of their devices: as floor, preference and what stands allow."""
    peers = work.find(r.PeerDevice, where={"account": account})
    return [ways.best_first(work, peer, standing)[0].relay for peer in peers if peer.addresses]


def networks_of(work: Work, account: bytes) -> tuple[v.NetworkKind, ...]:
    """All networks by which a contact can be written to, the one that is taken first."""
    peers = work.find(r.PeerDevice, where={"account": account})
    there = {network_to(work, address.relay) for peer in peers for address in peer.addresses}
    first = network_of(work, account)
    return (first, *(kind for kind in v.NetworkKind if kind in there - {first}))


class Way(TypedDict):
    """What a message of mine remembers of how it goes out."""

    network: str
    route: tuple[str, ...]


def way_of(work: Work, account: bytes) -> Way:
    """How what is said in a conversation now will travel: the network, and the relays between."""
    kind = network_of(work, account)
    theirs = {host_in(work, address): None for address in hosts(work, account)}
    relays = (row for row in work.find(r.OwnRelay) if not row.leaving and not row.here)
    own = sorted(relays, key=lambda row: row.rank)
    first = (own_host(own[0]),) if kind is v.NetworkKind.FEDERATED and own else ()
    return Way(network=str(kind), route=(*first, *list(theirs)[:1]))


def hosts(work: Work, account: bytes) -> list[HostAddress]:
    """Where what is said in a conversation is put."""
    group = work.get(r.GroupRow, account)
    if group is not None:
        log = work.get(r.SharedLog, group.log)
        return [log.relay] if log else []
    channel = work.get(r.ChannelRow, account)
    if channel is not None:
        return [channel.relay]
    return first_hosts(work, account)


FLOORS = {
    v.NetworkKind.CENTRAL: c.Floor.ANY,
    v.NetworkKind.FEDERATED: c.Floor.FEDERATED,
    v.NetworkKind.ONION: c.Floor.ONION,
}
_FLOOR_NAMES = {floor: network for network, floor in FLOORS.items()}


def floor_name(floor: int) -> v.NetworkKind:
    """The weakest network that a floor allows."""
    return _FLOOR_NAMES[c.Floor(floor)]


def message(work: Work, row: r.Message) -> v.MessageView:
    content = c.decode_content(row.content)
    unknown = isinstance(content, c.Unknown)
    in_group = row.author != row.conversation and row.author != work.me.account
    return v.MessageView(
        id=row.id.hex(),
        conversation=account_id(row.conversation),
        sender=who(work, row.author),
        text=_text(work, row, content),
        sent_at=v.instant(row.sent_at),
        received_at=v.instant(row.received_at),
        state=STATES[r.MessageState(row.state)],
        edited=bool(row.edited_at),
        deleted=row.deleted,
        reactions=reactions(work, row.id),
        attachments=_attachments(work, row, content) if isinstance(content, c.Text) else (),
        reply_to=content.reply_to.hex() if isinstance(content, c.Text) and content.reply_to else None,
        network=v.NetworkKind(row.network) if row.network else network_of(work, row.conversation),
        expires_at=v.instant(row.expire_at) if row.expire_at != r.NEVER else None,
        unknown=unknown,
        spans=spans(content.text, content.spans) if isinstance(content, c.Text) else (),
        mentions=mentions(work, content) if isinstance(content, c.Text) else (),
        forwarded=isinstance(content, c.Text) and content.forwarded,
        pinned=pins.is_pinned(work, row),
        from_name=_name_in(work, row.conversation, row.author) if in_group and row.author else "",
        note=showing_groups.note(work, row, content) if isinstance(content, GroupNote) else None,
        poll=poll(work, row.id, content) if isinstance(content, c.Poll) and not row.deleted else None,
        read_by=read_by(work, row),
        introduces=content.name if isinstance(content, c.Introduction) else "",
        reason=showing_channels.why_failed(work, row) if row.state == r.MessageState.FAILED else "",
        invites=showing_groups.invites(work, content) if isinstance(content, GroupIntroduction) else None,
    )


def read_by(work: Work, row: r.Message) -> int:
    """How many people of a group have read a message of mine."""
    if row.author != work.me.account or row.state not in (r.MessageState.SENT, r.MessageState.READ):
        return 0
    return len(work.find(r.ReadBy, where={"target": row.id}))


def poll(work: Work, id: bytes, content: c.Poll) -> v.PollView:
    """How a poll stands."""
    votes = work.find(r.VoteRow, where={"target": id})
    return v.PollView(
        question=content.question,
        options=tuple(
            v.PollOption(text=option, votes=tuple(who(work, vote.account) for vote in votes if index in vote.options))
            for index, option in enumerate(content.options)
        ),
        several=content.several,
    )


def spans(text: str, told: tuple[c.Span, ...]) -> tuple[v.SpanView, ...]:
    """Those that mean something, whatever was sent."""
    return tuple(
        v.SpanView(start=span.start, length=span.length, style=_STYLES[c.Style(span.style)])
        for span in formatting.tidy(text, told)
    )


def mentions(work: Work, content: c.Text) -> tuple[v.MentionView, ...]:
    """Those that lie inside the text, none over another."""
    found: list[v.MentionView] = []
    at = 0
    for told in sorted(content.mentions, key=lambda told: told.start):
        if told.start >= at and told.length and told.start + told.length <= len(content.text):
            found.append(v.MentionView(start=told.start, length=told.length, member=who(work, told.account)))
            at = told.start + told.length
    return tuple(found)


def as_told(text: str, shown: tuple[v.SpanView, ...]) -> tuple[c.Span, ...]:
    """The other way round, for what is to be sent."""
    styles = {name: style for style, name in _STYLES.items()}
    return formatting.tidy(text, (c.Span(span.start, span.length, styles[span.style]) for span in shown))


def _text(work: Work, row: r.Message, content: c.Content | c.Unknown) -> str:
    """What it says; `row.text` is what search finds, and has the names of its files."""
    match content:
        case c.Text(text=text):
            return text
        case c.Poll(question=question):
            return question
        case GroupNote():
            return showing_groups.note_text(work, row, content)
        case GroupIntroduction():
            return showing_groups.invites_text(work, row, content)
        case c.Unknown():
            return _NEWER
    return row.text


def _name_in(work: Work, conversation: bytes, author: bytes) -> str:
    """What an author is called in a group or channel."""
    channel = work.get(r.ChannelRow, conversation)
    if channel is not None:
        return showing_channels.name_of(work, channel, author)
    return showing_groups.name_of(work, conversation, author)


def reactions(work: Work, target: bytes) -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}
    for row in work.find(r.ReactionRow, where={"target": target}):
        if row.emoji:
            found.setdefault(row.emoji, []).append(who(work, row.account))
    return found


def _attachments(work: Work, row: r.Message, text: c.Text) -> tuple[v.AttachmentView, ...]:
    if not text.attachments:
        return ()
    stored = {file.index: file.state for file in work.find(r.StoredFile, where={"message": row.id})}
    return tuple(
        v.AttachmentView(
            name=attachment.name,
            size=attachment.size,
            type=attachment.media_type,
            number=index,
            stored=stored.get(index) == r.FileState.COMPLETE,
            voice_note=attachment.voice_note,
            **_media(attachment.media),
        )
        for index, attachment in enumerate(text.attachments)
    )


def _media(facts: c.MediaFacts | None) -> dict[str, Any]:
    if facts is None:
        return {}
    return {
        "width": facts.width,
        "height": facts.height,
        "duration_ms": facts.duration_ms,
        "waveform": tuple(facts.waveform),
    }


def contact_at(work: Work, host_key: bytes) -> r.Contact | None:
    """The contact of whom a device keeps its mailboxes itself under this key."""
    if work.get(r.OwnRelay, host_key) is not None:  # a relay at home that we share
        return None
    for peer in work.find(r.PeerDevice):
        if any(address.relay.key == host_key for address in peer.addresses):
            row = work.get(r.Contact, peer.account)
            if row is not None and row.state not in r.HIDDEN_CONTACTS:
                return row
    return None


def contact(work: Work, row: r.Contact) -> v.ContactView:
    last = work.find(r.Message, where={"conversation": row.account}, order="position", descending=True, limit=1)
    unread = work.find(r.Message, where={"conversation": row.account, "state": int(r.MessageState.RECEIVED)})
    return v.ContactView(
        contact=account_id(row.account),
        name=contact_name(row),
        state=CONTACT_STATES[r.ContactState(row.state)],
        verified=row.verified,
        networks=networks_of(work, row.account),
        own_name=row.name,
        status=row.about.status if row.about else "",
        devices=len(work.find(r.PeerDevice, where={"account": row.account})),
        unread=len(unread),
        timer_s=row.timer_s,
        last_message_at=v.instant(last[0].sent_at) if last else None,
        key_changed=row.key_changed,
    )


def request(work: Work, row: r.Request) -> v.RequestView:
    nearby = came_nearby(work, row)
    warning = "This one-time invitation was used before: somebody else may have had it." if row.second else ""
    if nearby:
        warning = "They saw you on the local network, where anybody can take any name: compare the safety number."
    return v.RequestView(
        id=row.id.hex(),
        name=row.name,
        greeting=row.greeting,
        contact=account_id(row.account),
        received_at=v.instant(row.received_at),
        warning=warning,
        nearby=nearby,
    )


def came_nearby(work: Work, row: r.Request) -> bool:
    """Whether they followed an invitation that I showed to everybody on the local network."""
    used = work.get(r.InvitationRow, row.invitation)
    return used is not None and used.nearby


def invitation(work: Work, row: r.InvitationRow) -> v.InvitationView:
    reusable = row.kind == InvitationKind.REUSABLE
    return v.InvitationView(
        id=invitation_id(row),
        link=row.link,
        kind=v.InvitationKind.REUSABLE if reusable else v.InvitationKind.ONE_TIME,
        created_at=v.instant(row.created_at),
        expires_at=v.instant(row.expires_at),
        uses=sum(1 for knock in work.find(r.Request) if knock.invitation == row.secret),
        here=any(own.here for own in work.find(r.OwnRelay) if own.relay == row.relay),
        nearby=row.nearby,
    )


def followed(row: r.Followed) -> v.InvitationView:
    """Somebody else's invitation, that waits for their device."""
    return v.InvitationView(
        id=hashlib.sha256(row.link.encode()).hexdigest()[:16],
        link=row.link,
        kind=v.InvitationKind.ONE_TIME,
        created_at=v.instant(row.since),
        followed=True,
    )


def picture_id(about: c.About | None) -> str:
    """What an app can tell two pictures of a person by."""
    return hashlib.blake2b(about.picture, digest_size=8).hexdigest() if about and about.picture else ""


def identity(work: Work) -> v.Identity:
    me = work.me
    relays = sorted((row for row in work.find(r.OwnRelay) if not row.leaving), key=lambda row: row.rank)
    return v.Identity(
        account=account_id(me.account),
        device=account_id(me.device),
        name=me.about.name,
        relays=tuple(own_host(row) for row in relays),
        device_name=me.device_name,
        status=me.about.status,
        picture=picture_id(me.about),
    )


def device_state(me: r.Me) -> v.DeviceState:
    """How this device stands to its account."""
    if me.removed_at:
        return v.DeviceState.REMOVED
    return v.DeviceState.LINKED if me.linked else v.DeviceState.WAITING


def device(work: Work, key: bytes, added_s: int, done: str = "") -> v.DeviceView:
    me = work.me
    peer = work.get(r.PeerDevice, me.account, key)
    name = me.device_name if key == me.device else (peer.name if peer else "")
    return v.DeviceView(
        device=account_id(key), name=name, this=key == me.device, added_at=v.instant(added_s * 1000), done=done
    )
