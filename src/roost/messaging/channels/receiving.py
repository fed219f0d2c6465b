"""What lands in a channel's log: states, posts and bans, judged in the log's order.

What is not signed, not for this channel or not allowed by its rules raises a PeerError: the record is dropped and
changes nothing. Until a first state is seen, what comes is held and judged afterwards.
"""

from __future__ import annotations

import msgspec

from roost.crypto import Label, VerifyKey, channel_id, post_id
from roost.errors import PeerError
from roost.messaging import conversations, outbox, said
from roost.messaging.channels import moving, rules, states
from roost.messaging.channels.rules import NotAllowedHere
from roost.messaging.logs import Landed
from roost.messaging.origin import Origin
from roost.messaging.records import ChannelHeld, ChannelMember, ChannelRow, Message, MessageState
from roost.messaging.work import Work
from roost.wire import content as c
from roost.wire.channels import (
    MAX_CHANNEL_RECORD,
    MAX_REMOVED,
    ChannelBan,
    ChannelBody,
    ChannelPost,
    ChannelRecord,
    ChannelRole,
    ChannelState,
    RepeatedState,
    SignedRecord,
)
from roost.wire.codec import decode, encode

MAX_HELD = 1_000  # records that came before any state


def receive(work: Work, landed: Landed) -> None:
    """One record of a channel's log. Raises PeerError."""
    row = work.get(ChannelRow, landed.log.owner)
    if row is not None and row.log != landed.log.id and landed.mine is not None:
        moving.landed_behind(work, row, landed)
        return
    if row is None or row.log != landed.log.id or not landed.number:
        raise NotAllowedHere("no channel's record", code="not_here")
    _judge(work, row, landed.number, landed.record)


def _judge(work: Work, row: ChannelRow, number: int, encoded: bytes) -> None:
    if len(encoded) > MAX_CHANNEL_RECORD:
        raise NotAllowedHere("a record is too large", code="too_large")
    record: ChannelRecord = decode(ChannelRecord, encoded)  # type: ignore[arg-type]
    signed = record.state if isinstance(record, RepeatedState) else record
    body: ChannelBody = decode(ChannelBody, signed.body)  # type: ignore[arg-type]
    if body.channel != row.id or (isinstance(record, RepeatedState) and not isinstance(body, ChannelState)):
        raise NotAllowedHere("a record of another channel", code="not_here")
    VerifyKey(signed.author).verify(Label.CHANNEL, signed.body, signed.signature)
    match body:
        case ChannelState():
            _state(work, row, signed, body)
        case _ if not row.version:
            _hold(work, row, number, encoded)
        case ChannelPost():
            _post(work, row, number, signed.author, body)
        case ChannelBan():
            _ban(work, row, signed.author, body)


# --- states ----------------------------------------------------------------------------------------------------------


def _state(work: Work, row: ChannelRow, signed: SignedRecord, state: ChannelState) -> None:
    if channel_id(VerifyKey(signed.author)) != row.id:
        raise NotAllowedHere("a state that is not the owner's")
    if state.version < row.version:
        return
    if state.version == row.version:
        work.put(msgspec.structs.replace(row, seen_at=work.now))
        return
    first = not row.version
    row = work.put(
        msgspec.structs.replace(
            row,
            state=encode(signed),
            version=state.version,
            title=state.title,
            seen_at=work.now,
            clock=max(row.clock, min(state.made_at, work.now)),
            removed=_merged(row.removed, state.removed),
        )
    )
    if not row.own:
        _take_lists(work, row, state)
    for id in state.removed:
        _remove(work, row, id)
    states.choose_put(work, row)
    work.tell("channel", row.id, row.id, "joined" if first else "changed")
    if first:
        _release(work, row)
    place = moving.place_of(state)
    if place is not None:
        moving.follow(work, work.need(ChannelRow, row.id), place)


def _take_lists(work: Work, row: ChannelRow, state: ChannelState) -> None:
    """Roles and bans are what the owner says, but for bans that are newer."""
    roles, banned = {entry.key: entry.role for entry in state.roles}, set(state.banned)
    known = {found.key_bytes: found for found in states.members(work, row)}
    for key in known.keys() | roles.keys() | banned:
        held = known.get(key) or ChannelMember(row.id, key)
        new = msgspec.structs.replace(held, role=roles.get(key, 0))
        if held.banned_at <= state.made_at and held.banned != (key in banned):
            new = msgspec.structs.replace(new, banned=key in banned, banned_at=min(state.made_at, work.now))
        if new != known.get(key):
            states.keep(work, new)


def _hold(work: Work, row: ChannelRow, number: int, record: bytes) -> None:
    rows = sorted(work.find(ChannelHeld, where={"channel": row.id}), key=lambda held: held.number)
    for held in rows[: max(len(rows) - MAX_HELD + 1, 0)]:
        work.delete(held)
    work.put(ChannelHeld(row.id, number, record))


def _release(work: Work, row: ChannelRow) -> None:
    for held in sorted(work.find(ChannelHeld, where={"channel": row.id}), key=lambda held: held.number):
        work.delete(held)
        attempt = Work(work, work.now, work.entropy, work.sessions)
        try:
            _judge(attempt, attempt.need(ChannelRow, row.id), held.number, held.record)
        except PeerError as error:
            work.mention("dropped", row.id, detail=error.code)
        else:
            work.merge(attempt)


# --- posts -----------------------------------------------------------------------------------------------------------


def _post(work: Work, row: ChannelRow, number: int, author: bytes, post: ChannelPost) -> None:
    entry = decode(c.Entry, post.entry)
    content = c.decode_content(entry.content)
    mine = author == states.my_key(row).public.raw
    try:
        role = _check_post(work, row, author, post, entry, content)
    except NotAllowedHere as error:
        if not mine:
            raise
        _mine_refused(work, row, entry, error.code)
        return
    who = work.me.account if mine else author
    if isinstance(content, rules.SAID):
        _show(work, row, number, who, entry, content)
    elif isinstance(content, rules.CHANGES):
        _change(work, row, who, entry, content)
    found = states.member(work, row, author)
    posted_at = max(found.posted_at, entry.sent_at) if isinstance(content, rules.SAID) else found.posted_at
    states.keep(work, msgspec.structs.replace(found, name=post.name or found.name, posted_at=posted_at))
    if role >= ChannelRole.MODERATOR:
        row = work.need(ChannelRow, row.id)
        work.put(msgspec.structs.replace(row, clock=max(row.clock, min(entry.sent_at, work.now))))


def _check_post(
    work: Work, row: ChannelRow, author: bytes, post: ChannelPost, entry: c.Entry, content: object
) -> ChannelRole:
    """The author's role. Raises NotAllowedHere."""
    state = states.held(row)
    assert state is not None
    found = states.member(work, row, author)
    writer = rules.Author(states.role_of(work, row, author), found.banned, found.posted_at)
    rules.check_age(entry.sent_at, row.clock)
    rules.check_writer(state, writer)
    if isinstance(content, rules.SAID):
        if entry.id != post_id(row.id, VerifyKey(author), post.nonce):
            raise NotAllowedHere("a post under an id that is not its own", code="not_here")
        if entry.id in row.removed:
            raise NotAllowedHere("this post was removed", code="removed")
        rules.check_pace(state, writer, entry.sent_at, row.clock, work.now)
    elif not isinstance(content, rules.CHANGES):
        raise NotAllowedHere("nothing for channels", code="not_here")
    return writer.role


def _show(
    work: Work, row: ChannelRow, number: int, who: bytes, entry: c.Entry, content: c.Text | c.Poll | c.Unknown
) -> None:
    message = work.get(Message, entry.id)
    if message is None or who != work.me.account:
        origin = Origin(account=who, device=b"", identity=b"", session=b"", mailbox=row.log, entry=number)
        said.show(work, origin, row.id, entry, content)
    elif message.state == MessageState.QUEUED:
        outbox.move_message(work, message, MessageState.SENT)


def _change(
    work: Work,
    row: ChannelRow,
    who: bytes,
    entry: c.Entry,
    content: c.Edit | c.Deletion | c.Reaction | c.Vote | c.Pin,
) -> None:
    """Something about a post. Log order says that the post came before: nothing waits for one that is not here."""
    message = work.get(Message, content.target)
    if message is None:
        raise NotAllowedHere("no such post here", code="unknown_target")
    if isinstance(content, c.Deletion):
        if message.deleted:
            return
        by_moderator = message.author != who
        said.change(work, who, row.id, entry, content)
        if by_moderator:
            work.put(msgspec.structs.replace(row, removed=_merged(row.removed, (content.target,))))
        return
    said.change(work, who, row.id, entry, content)


def _mine_refused(work: Work, row: ChannelRow, entry: c.Entry, code: str) -> None:
    """Nobody shows what I wrote: say so."""
    work.put(msgspec.structs.replace(row, refused=code))
    message = work.get(Message, entry.id)
    if message is not None and message.state == MessageState.QUEUED:
        work.tell("channel", row.id, row.id, f"refused/{code}")


def _merged(held: tuple[bytes, ...], more: tuple[bytes, ...]) -> tuple[bytes, ...]:
    known = set(held)
    return (*held, *(id for id in more if id not in known))[-MAX_REMOVED:]


def _remove(work: Work, row: ChannelRow, id: bytes) -> None:
    message = work.get(Message, id)
    if message is not None and message.conversation == row.id and not message.deleted:
        conversations.apply_deletion(work, message)


# --- bans ------------------------------------------------------------------------------------------------------------


def _ban(work: Work, row: ChannelRow, author: bytes, ban: ChannelBan) -> None:
    role, target = states.role_of(work, row, author), states.role_of(work, row, ban.key)
    rules.check_age(ban.at, row.clock)
    if not rules.may_ban(role, target) or states.member(work, row, author).banned:
        raise NotAllowedHere("not this pseudonym's to ban")
    apply_ban(work, row, ban)


def apply_ban(work: Work, row: ChannelRow, ban: ChannelBan) -> None:
    """The last word about a pseudonym holds."""
    found = states.member(work, row, ban.key)
    if ban.at <= found.banned_at:
        return
    at = min(ban.at, max(work.now, found.banned_at + 1))  # from the future it would hold against all later words
    states.keep(work, msgspec.structs.replace(found, banned=ban.banned, banned_at=at))
    mine = ban.key == states.my_key(row).public.raw
    if ban.banned and ban.purge:
        who = work.me.account if mine else ban.key
        for message in work.find(Message, where={"conversation": row.id}):
            if message.author == who and not message.deleted:
                conversations.apply_deletion(work, message)
    work.tell("channel", row.id, ban.key, ("banned" if ban.banned else "unbanned") + ("/me" if mine else ""))
