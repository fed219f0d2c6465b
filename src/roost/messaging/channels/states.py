"""What a channel is: its signed state, who has which role in it, and which capability this profile writes with."""

from __future__ import annotations

from functools import lru_cache

import msgspec

from roost.crypto import (
    Label,
    SigningKey,
    VerifyKey,
    at_place,
    capability_hash,
    capability_place,
    channel_id,
    channel_keys,
    open_capability,
    seal_capability,
)
from roost.errors import CryptoError
from roost.messaging import logs
from roost.messaging.records import ChannelMember, ChannelRow, LogPut, SharedLog
from roost.messaging.work import Work
from roost.wire.channels import (
    MAX_BANNED,
    MAX_REMOVED,
    ChannelBody,
    ChannelRole,
    ChannelState,
    Posting,
    RepeatedState,
    RoleEntry,
    SignedRecord,
)
from roost.wire.codec import decode, encode
from roost.wire.sizes import CAPABILITY_SIZE

SUBJECT = b"state"
MAX_MEMBERS = 5_000  # pseudonyms that are remembered of one channel


def held(row: ChannelRow) -> ChannelState | None:
    """The state in force; None until one was seen."""
    return _state_of(row.state) if row.state else None


@lru_cache(maxsize=256)
def _state_of(signed: bytes) -> ChannelState:
    return decode(ChannelState, decode(SignedRecord, signed).body)


def my_key(row: ChannelRow) -> SigningKey:
    """My pseudonym there."""
    return SigningKey.from_seed(row.seed)


def sign(row: ChannelRow, body: ChannelBody) -> SignedRecord:
    """The body in my pseudonym's name."""
    key, encoded = my_key(row), encode(body)
    return SignedRecord(key.public.raw, encoded, key.sign(Label.CHANNEL, encoded))


def role_of(work: Work, row: ChannelRow, key: bytes) -> ChannelRole:
    if channel_id(VerifyKey(key)) == row.id:
        return ChannelRole.OWNER
    member = work.get(ChannelMember, row.id, key)
    return ChannelRole(member.role) if member else ChannelRole.READER


def member(work: Work, row: ChannelRow, key: bytes) -> ChannelMember:
    """What is known of a pseudonym."""
    return work.get(ChannelMember, row.id, key) or ChannelMember(row.id, key)


def keep(work: Work, kept: ChannelMember) -> ChannelMember:
    """Remember a pseudonym. Of those that only posted, the ones that were quiet for longest make way."""
    if work.get(ChannelMember, kept.channel, kept.key_bytes) is None:
        rows = work.find(ChannelMember, where={"channel": kept.channel})
        if len(rows) >= MAX_MEMBERS:
            plain = sorted((row for row in rows if not row.role and not row.banned), key=lambda row: row.posted_at)
            for row in plain[: MAX_MEMBERS // 10]:
                work.delete(row)
    return work.put(kept)


def members(work: Work, row: ChannelRow) -> list[ChannelMember]:
    return work.find(ChannelMember, where={"channel": row.id})


# --- the owner's side -------------------------------------------------------------------------------------------------


def publish(work: Work, row: ChannelRow, state: ChannelState) -> ChannelRow:
    """The owner: put `state`, with what is known of roles, bans and removals, into force as the next version."""
    lists = _lists(work, row)
    state = msgspec.structs.replace(state, version=row.version + 1, made_at=work.now, **lists)
    signed = sign(row, state)
    log = work.need(SharedLog, row.log)
    logs.append(work, log, channel_keys(row.secret).log, encode(signed), subject=SUBJECT, after_grants=True)
    row = msgspec.structs.replace(
        row, state=encode(signed), version=state.version, title=state.title, seen_at=work.now, clock=work.now
    )
    choose_put(work, row)
    return work.put(row)


def _lists(work: Work, row: ChannelRow) -> dict[str, tuple[object, ...]]:
    rows = sorted(members(work, row), key=lambda found: found.key_bytes)
    banned = sorted((found for found in rows if found.banned), key=lambda found: found.banned_at)[-MAX_BANNED:]
    return {
        "roles": tuple(RoleEntry(found.key_bytes, found.role, found.sealed) for found in rows if found.role),
        "banned": tuple(sorted(found.key_bytes for found in banned)),
        "removed": tuple(sorted(row.removed[-MAX_REMOVED:])),
    }


def is_stale(work: Work, row: ChannelRow) -> bool:
    """The owner: moderators have banned or removed what the state in force does not say."""
    state = held(row)
    return state is not None and any(getattr(state, name) != value for name, value in _lists(work, row).items())


def repeat(work: Work, row: ChannelRow) -> None:
    """Put the state in force again, as it is."""
    repeated = RepeatedState(work.entropy.bytes(16), decode(SignedRecord, row.state))
    log = work.need(SharedLog, row.log)
    logs.append(work, log, channel_keys(row.secret).log, encode(repeated), subject=SUBJECT)


def give_role(work: Work, row: ChannelRow, key: bytes, role: ChannelRole) -> None:
    """The owner: let a pseudonym write with a capability of its own, or no longer. Raises CryptoError for no key."""
    found, log = member(work, row, key), work.need(SharedLog, row.log)
    if role == ChannelRole.READER:
        if found.put:
            logs.grant(work, log, revoke=[capability_hash(found.put)])
        keep(work, msgspec.structs.replace(found, role=0, put=b"", sealed=b""))
        return
    if not found.put:
        put = at_place(capability_place(log.get), work.entropy.bytes(CAPABILITY_SIZE))
        sealed = seal_capability(VerifyKey(key), row.id, put, work.entropy)
        logs.grant(work, log, add=[capability_hash(put)])
        found = msgspec.structs.replace(found, put=put, sealed=sealed)
    keep(work, msgspec.structs.replace(found, role=int(role)))


# --- what I write with ------------------------------------------------------------------------------------------------


def choose_put(work: Work, row: ChannelRow) -> None:
    """Write with the capability that the state in force gives me, or with none."""
    log, state = work.get(SharedLog, row.log), held(row)
    if log is None or state is None:
        return
    put = b""
    if state.posting == Posting.ALL:
        put = channel_keys(row.secret).put
    elif row.own:
        put = row.own_put
    else:
        put = _given(row, state)
    if put == log.put:
        return
    work.put(msgspec.structs.replace(log, put=put))
    for waiting in work.find(LogPut, where={"log": log.id}):
        if waiting.problem:  # the host said no to the one of before
            work.put(msgspec.structs.replace(waiting, next_at=work.now))


def _given(row: ChannelRow, state: ChannelState) -> bytes:
    """The capability that the state seals to me."""
    mine = my_key(row)
    for entry in state.roles:
        if entry.key == mine.public.raw:
            try:
                return open_capability(mine, row.id, entry.put)
            except CryptoError:
                return b""
    return b""
