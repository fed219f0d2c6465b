"""A channel that goes on elsewhere: at another relay, under another secret, as the same channel.

The owner's last state in the old log names the new place (extension PLACE); readers follow it when they see it. What
comes behind it in the old log does not exist. Nobody is left behind by that on purpose: whoever could read the old log
can read where the channel went.
"""

from __future__ import annotations

import msgspec

from roost.crypto import at_place, capability_hash, capability_place, channel_keys, open_log_envelope
from roost.errors import CallerError, WireError
from roost.messaging import logs, mailboxes, outbox
from roost.messaging.channels import permits, states
from roost.messaging.logs import Landed
from roost.messaging.records import (
    ChannelRow,
    LogKind,
    LogPut,
    LogState,
    Message,
    MessageState,
    SharedLog,
)
from roost.messaging.work import Work
from roost.wire.channels import PLACE, ChannelPlace, ChannelRole, ChannelState, Posting
from roost.wire.codec import Extension, decode, encode
from roost.wire.logs import decode_frame
from roost.wire.sizes import CAPABILITY_SIZE

ENDED = "The channel moved before this was sent. Send it again."
DAY_MS = 86_400_000
PATIENCE_MS = 30 * DAY_MS  # with an old host that does not answer


# --- the owner --------------------------------------------------------------------------------------------------------


def move(work: Work, row: ChannelRow) -> ChannelRow:
    """The owner: go on in a new log at my primary relay, under a new link. Raises CallerError, SurroundingsError."""
    permits.need(work, row, ChannelRole.OWNER)
    state = states.held(row)
    assert state is not None
    old = work.get(SharedLog, row.log)
    place = ChannelPlace(mailboxes.log_host(work, mailboxes.primary_relay(work)), work.entropy.bytes(16))
    if old is not None and old.state == LogState.TO_CREATE:
        raise CallerError("This channel is just being made.", code="channel_unread", hint="Try again in a moment.")
    if old is not None:
        row = states.publish(work, row, msgspec.structs.replace(state, extensions=(_extension(place),)))
    row = _begin(work, row, place, state)
    row = states.publish(work, row, msgspec.structs.replace(state, extensions=()))
    work.tell("channel", row.id, row.id, "moved")
    return row


def _extension(place: ChannelPlace) -> Extension:
    return Extension(PLACE, encode(place))


def _begin(work: Work, row: ChannelRow, place: ChannelPlace, state: ChannelState) -> ChannelRow:
    """A new log, in which all write who may write now: with capabilities of their own again, since one leads to one
    mailbox."""
    keys = channel_keys(place.secret)
    admin, put = (at_place(capability_place(keys.get), work.entropy.bytes(CAPABILITY_SIZE)) for _ in range(2))
    writers = [put, *([keys.put] if state.posting == Posting.ALL else [])]
    log = logs.create_log(
        work,
        row.id,
        LogKind.CHANNEL,
        place.relay,
        get=keys.get,
        put=put,
        admin=admin,
        writers=[capability_hash(writer) for writer in writers],
    )
    logs.add_key(work, log, keys.log, 0)
    row = work.put(
        msgspec.structs.replace(row, secret=place.secret, relay=place.relay, log=log.id, own_put=put, seen_at=work.now)
    )
    for member in states.members(work, row):
        if member.put:
            states.keep(work, msgspec.structs.replace(member, put=b""))
            states.give_role(work, row, member.key_bytes, ChannelRole(member.role))
    return row


def landed_behind(work: Work, row: ChannelRow, landed: Landed) -> None:
    """Something of mine is in a log that the channel has left: readers see it before they follow."""
    message = work.get(Message, landed.mine.subject) if landed.mine and landed.mine.subject else None
    if message is not None and message.state == MessageState.QUEUED:
        outbox.move_message(work, message, MessageState.SENT)
    if row.own and landed.log.admin and not work.find(LogPut, where={"log": landed.log.id}, limit=1):
        logs.seal(work, landed.log)


def tend(work: Work, row: ChannelRow) -> None:
    """Let go of the owner's old logs: sealed, or at a host that has not answered for long."""
    for log in logs.logs_of(work, row.id):
        if log.id == row.log or log.state in (LogState.LEFT, LogState.TO_DELETE):
            continue
        waiting = work.find(LogPut, where={"log": log.id})
        given_up = any(work.now - put.created_at > PATIENCE_MS for put in waiting)
        if log.state == LogState.SEALED or given_up:
            logs.leave(work, log)


# --- a reader ---------------------------------------------------------------------------------------------------------


def place_of(state: ChannelState) -> ChannelPlace | None:
    """Where the channel went, if the state says so."""
    for extension in state.extensions:
        if extension.kind == PLACE:
            try:
                return decode(ChannelPlace, extension.data)
            except WireError:
                return None
    return None


def follow(work: Work, row: ChannelRow, place: ChannelPlace) -> ChannelRow:
    """Read on at another place. What I said and nobody has seen is said there; files have to be sent again."""
    if row.own or (row.relay, row.secret) == (place.relay, place.secret):
        return row
    old = work.get(SharedLog, row.log)
    waiting = work.find(LogPut, where={"log": row.log}) if old is not None else []
    records = [(put, _record(row, put)) for put in sorted(waiting, key=lambda put: put.number)]
    keys = channel_keys(place.secret)
    log = logs.join_log(work, row.id, LogKind.CHANNEL, place.relay, get=keys.get)
    logs.add_key(work, log, keys.log, 0)
    row = work.put(msgspec.structs.replace(row, secret=place.secret, relay=place.relay, log=log.id, seen_at=work.now))
    for put, record in records:
        if record:
            logs.append(work, log, keys.log, record, subject=put.subject)
        else:
            _fail(work, put)
    if old is not None:
        logs.leave(work, old)
    state = states.held(row)
    if state is not None and state.posting == Posting.ALL:  # else the first state there gives the capability
        states.choose_put(work, row)
    work.tell("channel", row.id, row.id, "moved")
    return row


def _record(row: ChannelRow, put: LogPut) -> bytes:
    """What I appended, if it can be appended elsewhere; empty: not, as its files are at the old host."""
    if put.spilled is not None or put.uploads or put.ephemeral:
        return b""
    key = channel_keys(row.secret).log
    bodies = [open_log_envelope(key, envelope) for envelope in put.envelopes]
    return b"".join(decode_frame(body).payload for body in bodies if body is not None)


def _fail(work: Work, put: LogPut) -> None:
    message = work.get(Message, put.subject) if put.subject else None
    if message is not None and message.state == MessageState.QUEUED:
        outbox.fail_message(work, message)
