"""What a person does with a channel: makes, joins and leaves it, and looks after it."""

from __future__ import annotations

import msgspec

from roost.crypto import (
    SigningKey,
    VerifyKey,
    account_id,
    at_place,
    capability_hash,
    capability_place,
    channel_id,
    channel_keys,
    parse_account_id,
)
from roost.errors import CallerError, CryptoError
from roost.messaging import conversations, identity, logs, mailboxes, travel
from roost.messaging.channels import moving, permits, receiving, rules, states
from roost.messaging.records import (
    ChannelHeld,
    ChannelMember,
    ChannelRow,
    LogKind,
    PinRow,
    SharedLog,
)
from roost.messaging.work import Work
from roost.wire.channels import (
    MAX_AVATAR,
    MAX_DESCRIPTION,
    MAX_PSEUDONYM,
    MAX_ROLES,
    MAX_SLOW_S,
    MAX_TITLE,
    ChannelBan,
    ChannelPlace,
    ChannelRole,
    ChannelState,
    Posting,
)
from roost.wire.codec import encode
from roost.wire.links import LINK_VERSION, ChannelLink
from roost.wire.sizes import CAPABILITY_SIZE


def channel(work: Work, id: bytes) -> ChannelRow:
    """Raises CallerError `unknown_channel`."""
    row = work.get(ChannelRow, id)
    if row is None:
        raise CallerError("There is no such channel.", code="unknown_channel", hint="List them: roost channel list")
    return row


def link_of(row: ChannelRow) -> ChannelLink:
    """The link with which anybody joins."""
    return ChannelLink(LINK_VERSION, row.relay, row.secret, row.id)


def pseudonym(row: ChannelRow) -> str:
    """What the owner needs to give me a role."""
    return account_id(states.my_key(row).public.raw)


# --- being there ------------------------------------------------------------------------------------------------------


def create(
    work: Work, title: str, *, posting: Posting = Posting.ROLES, description: str = "", slow_s: int = 0, name: str = ""
) -> ChannelRow:
    """A new channel at my primary relay, of which I am the owner. Raises CallerError, SurroundingsError `no_relay`."""
    identity.check_listed(work.me)
    relay = mailboxes.log_host(work, mailboxes.primary_relay(work))
    key, secret = SigningKey.generate(work.entropy), work.entropy.bytes(16)
    state = ChannelState(channel_id(key.public), 1, work.now, "x", "", b"", posting, 0, (), (), ())
    state = _with_settings(state, title=title, description=description, slow_s=slow_s)
    keys = channel_keys(secret)
    admin, put = (at_place(capability_place(keys.get), work.entropy.bytes(CAPABILITY_SIZE)) for _ in range(2))
    log = logs.create_log(
        work,
        state.channel,
        LogKind.CHANNEL,
        relay,
        get=keys.get,
        put=put,
        admin=admin,
        writers=[capability_hash(put), *([capability_hash(keys.put)] if posting == Posting.ALL else [])],
    )
    logs.add_key(work, log, keys.log, 0)
    row = ChannelRow(
        id=state.channel,
        secret=secret,
        relay=relay,
        log=log.id,
        seed=key.to_bytes(),
        name=_checked_name(name),
        own=True,
        joined_at=work.now,
        own_put=put,
    )
    work.tell("channel", row.id, row.id, "created")
    return states.publish(work, work.put(row), state)


def join(work: Work, link: ChannelLink, name: str = "") -> ChannelRow:
    """Read a channel from now on, under a pseudonym of its own. One that is read already is read on where the link
    says: its owner may have moved it while its relay was gone."""
    known = work.get(ChannelRow, link.channel)
    if known is not None:
        return moving.follow(work, known, ChannelPlace(link.relay, link.secret))
    identity.check_listed(work.me)
    keys = channel_keys(link.secret)
    log = logs.join_log(work, link.channel, LogKind.CHANNEL, link.relay, get=keys.get)
    logs.add_key(work, log, keys.log, 0)
    seed = SigningKey.generate(work.entropy).to_bytes()
    name = _checked_name(name)
    return work.put(ChannelRow(link.channel, link.secret, link.relay, log.id, seed, name, False, work.now))


def leave(work: Work, id: bytes, *, delete: bool = False) -> None:
    """Forget a channel with its posts. Its owner ends it for all by that, and must say so."""
    row = channel(work, id)
    log = work.get(SharedLog, row.log)
    if row.own and not delete:
        raise CallerError(
            "This channel is yours: to leave is to delete it for all.", code="own_channel", hint="Add --delete."
        )
    for behind in [found for found in logs.logs_of(work, id) if found.id != row.log]:
        logs.leave(work, behind)
    if log is not None and row.own:
        logs.delete(work, log)
    elif log is not None:
        logs.leave(work, log)
    conversations.clear(work, id)
    for kind, where in ((ChannelMember, "channel"), (ChannelHeld, "channel"), (PinRow, "conversation")):
        for found in work.find(kind, where={where: id}):
            work.delete(found)
    work.delete(row)
    travel.forget(work, id)
    work.tell("channel", id, id, "left")


def move(work: Work, id: bytes) -> ChannelRow:
    """The owner: let the channel go on at my relay under a new link; readers follow. Raises CallerError."""
    return moving.move(work, channel(work, id))


def rename_me(work: Work, id: bytes, name: str) -> None:
    """What I go by in a channel from now on."""
    work.put(msgspec.structs.replace(channel(work, id), name=_checked_name(name)))


# --- looking after it -------------------------------------------------------------------------------------------------


def change(
    work: Work,
    id: bytes,
    *,
    title: str | None = None,
    description: str | None = None,
    avatar: bytes | None = None,
    posting: Posting | None = None,
    slow_s: int | None = None,
) -> ChannelRow:
    """The owner: change what is not None. Raises CallerError."""
    row = channel(work, id)
    permits.need(work, row, ChannelRole.OWNER)
    state = states.held(row)
    assert state is not None
    new = _with_settings(state, title=title, description=description, avatar=avatar, slow_s=slow_s)
    if posting is not None and posting != state.posting:
        common = [capability_hash(channel_keys(row.secret).put)]
        log = work.need(SharedLog, row.log)
        if posting == Posting.ALL:
            logs.grant(work, log, add=common)
        else:
            logs.grant(work, log, revoke=common)
        new = msgspec.structs.replace(new, posting=posting)
    return states.publish(work, row, new)


def set_role(work: Work, id: bytes, named: str, role: ChannelRole) -> bytes:
    """The owner: make a pseudonym a moderator, a poster or a plain reader; its key. Raises CallerError."""
    row = channel(work, id)
    permits.need(work, row, ChannelRole.OWNER)
    key = pseudonym_key(work, row, named)
    if channel_id(VerifyKey(key)) == row.id or role == ChannelRole.OWNER:
        raise CallerError("A channel has one owner.", code="not_permitted")
    if role and sum(1 for found in states.members(work, row) if found.role) >= MAX_ROLES:
        raise CallerError("This channel has too many roles.", code="too_many_roles")
    try:
        states.give_role(work, row, key, role)
    except CryptoError as error:
        raise _no_pseudonym() from error
    state = states.held(row)
    assert state is not None
    states.publish(work, row, state)
    return key


def ban(work: Work, id: bytes, named: str, *, banned: bool = True, purge: bool = False) -> bytes:
    """The owner or a moderator: let nobody show this pseudonym's posts any more, or again; its key."""
    row = channel(work, id)
    role = permits.need(work, row, ChannelRole.MODERATOR)
    key = pseudonym_key(work, row, named)
    if not rules.may_ban(role, states.role_of(work, row, key)):
        raise CallerError("Your role in this channel does not allow that.", code="not_permitted")
    at = max(work.now, states.member(work, row, key).banned_at + 1)
    body = ChannelBan(row.id, at, key, banned, purge)
    record = encode(states.sign(row, body))
    logs.append(work, work.need(SharedLog, row.log), channel_keys(row.secret).log, record)
    receiving.apply_ban(work, row, body)
    return key


def pseudonym_key(work: Work, row: ChannelRow, named: str) -> bytes:
    """A pseudonym by its id, or by its name where that is unambiguous. Raises CallerError."""
    try:
        return parse_account_id(named)
    except CallerError:
        pass
    found = [member for member in states.members(work, row) if named and member.name.casefold() == named.casefold()]
    if not found:
        raise _no_pseudonym()
    if len(found) > 1:
        raise CallerError("Several go by this name.", code="ambiguous", hint="Use the pseudonym's id.")
    return found[0].key_bytes


def _no_pseudonym() -> CallerError:
    return CallerError(
        "There is no such pseudonym here.", code="unknown_pseudonym", hint="Messages show their authors' ids."
    )


def _checked_name(name: str) -> str:
    name = name.strip()
    if len(name.encode(errors="replace")) > MAX_PSEUDONYM:
        raise CallerError("This name is too long.", code="bad_name")
    return name


def _with_settings(
    state: ChannelState,
    *,
    title: str | None = None,
    description: str | None = None,
    avatar: bytes | None = None,
    slow_s: int | None = None,
) -> ChannelState:
    """The state with what is not None. Raises CallerError."""
    if title is not None and not 0 < len(title.strip().encode(errors="replace")) <= MAX_TITLE:
        raise CallerError("A channel's name has 1 to 256 bytes.", code="bad_name")
    if description is not None and len(description.encode(errors="replace")) > MAX_DESCRIPTION:
        raise CallerError("This description is too long.", code="too_long")
    if avatar is not None and len(avatar) > MAX_AVATAR:
        raise CallerError("This picture is too large.", code="too_large")
    if slow_s is not None and not 0 <= slow_s <= MAX_SLOW_S:
        raise CallerError("Slow mode is up to a day.", code="bad_duration")
    wanted = {"title": title.strip() if title else None, "description": description, "avatar": avatar, "slow_s": slow_s}
    return msgspec.structs.replace(state, **{name: value for name, value in wanted.items() if value is not None})
