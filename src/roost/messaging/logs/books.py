"""Which shared logs there are: making, joining and leaving them, who may write, and the keys that open them."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from roost.crypto import LOG_KEY_SIZE
from roost.messaging import pauses
from roost.messaging.logs import sending
from roost.messaging.records import (
    NEVER,
    FileState,
    LogGrant,
    LogKey,
    LogKind,
    LogPart,
    LogPut,
    LogState,
    SharedLog,
    StoredFile,
)
from roost.messaging.work import Work
from roost.wire.addresses import HostAddress

MAX_KEYS = 256  # tried on what arrives: epochs of a few weeks, even of a busy group
GRANTS_AT_ONCE = 60  # of the 64 of one request, beside the three that a new mailbox always has


def create_log(
    work: Work,
    owner: bytes,
    kind: LogKind,
    relay: HostAddress,
    *,
    get: bytes,
    put: bytes,
    admin: bytes,
    writers: Sequence[bytes] = (),
    limit: int = 0,
    waits: bool = False,
) -> SharedLog:
    """A new shared mailbox at a relay of mine, which the agent makes. Capabilities are 32 bytes each. One that `waits`
    is not read before its owner says so (`read`), when its keys are known.

    `writers` are hashes (crypto.capability_hash) of others' put capabilities, each of which may have `limit` envelopes
    stored at one time (0: the host's default).
    """
    id, state = work.entropy.bytes(16), LogState.TO_CREATE
    log = work.put(SharedLog(id, owner, kind, relay, get, put, admin, state, work.now, waits=waits))
    grant(work, log, add=writers, limit=limit)
    return log


def join_log(
    work: Work,
    owner: bytes,
    kind: LogKind,
    relay: HostAddress,
    *,
    get: bytes,
    put: bytes = b"",
    admin: bytes = b"",
    cursor: int = 0,
) -> SharedLog:
    """A shared mailbox that exists, at any relay, read from behind entry `cursor` on. Without `put`: read only."""
    return work.put(
        SharedLog(work.entropy.bytes(16), owner, kind, relay, get, put, admin, LogState.OPEN, work.now, cursor)
    )


def read(work: Work, log: SharedLog) -> SharedLog:
    """Read a log that waited, from its beginning."""
    return work.put(msgspec.structs.replace(log, waits=False))


def logs_of(work: Work, owner: bytes) -> list[SharedLog]:
    """The logs of a group or channel, the newest first."""
    return sorted(work.find(SharedLog, where={"owner": owner}), key=lambda log: log.created_at, reverse=True)


# --- who may write ---------------------------------------------------------------------------------------------------


def grant(work: Work, log: SharedLog, add: Sequence[bytes] = (), revoke: Sequence[bytes] = (), limit: int = 0) -> None:
    """Let these put capabilities (their hashes) write, and those no more. Sent by the agent; the last word on each
    holds. Raises ValueError for a log that this profile does not administer."""
    if (add or revoke) and not log.admin:
        raise ValueError("only an administrator of a log grants rights over it")
    for capability in add:
        work.put(LogGrant(log.id, capability, True, limit))
    for capability in revoke:
        work.put(LogGrant(log.id, capability, False))


def grants_due(work: Work, log: SharedLog) -> list[LogGrant]:
    """What is to be told to the host next, in one request."""
    return work.find(LogGrant, where={"log": log.id}, order="capability_hash", limit=GRANTS_AT_ONCE)


def granted(work: Work, grants: Sequence[LogGrant]) -> None:
    """The host did what these rows ask, unless they were changed meanwhile."""
    for row in grants:
        if work.get(LogGrant, row.log, row.capability_hash) == row:
            work.delete(row)


def grant_refused(work: Work, grants: Sequence[LogGrant], code: str) -> None:
    """The host said no to these, for good: they are given up, so that others pass, and whoever listens is told."""
    granted(work, grants)
    log = work.get(SharedLog, grants[0].log) if grants else None
    if log is not None:
        work.tell("log_refused", log.owner, detail=code)


# --- keys ------------------------------------------------------------------------------------------------------------


def add_key(work: Work, log: SharedLog, key: bytes, tag: int, until: int = NEVER) -> None:
    """Open what arrives under this key too, until that time; `tag` comes back with each record (`Landed`)."""
    if len(key) != LOG_KEY_SIZE:
        raise ValueError("a log's key has 32 bytes")
    held = sorted(work.find(LogKey, where={"log": log.id}), key=lambda row: row.added)
    for row in held[: max(len(held) - MAX_KEYS + 1, 0)]:
        work.delete(row)
    work.put(LogKey(log.id, key, tag, held[-1].added + 1 if held else 1, until))


def set_keys(work: Work, log: SharedLog, keys: Sequence[tuple[bytes, int]]) -> None:
    """Exactly these keys with their tags, the newest last."""
    for row in work.find(LogKey, where={"log": log.id}):
        work.delete(row)
    for key, tag in keys:
        add_key(work, log, key, tag)


def drop_keys(work: Work, log: SharedLog, below_tag: int) -> None:
    """Forget the keys whose tag is lower."""
    for row in work.find(LogKey, where={"log": log.id}):
        if row.tag < below_tag:
            work.delete(row)


# --- ends ------------------------------------------------------------------------------------------------------------


def seal(work: Work, log: SharedLog) -> None:
    """Have its host take no more puts. Only for an administrator; what lies in it is read on."""
    if not log.admin:
        raise ValueError("only an administrator of a log seals it")
    current = work.get(SharedLog, log.id)
    if current is not None and current.state in (LogState.OPEN, LogState.LOST, LogState.TO_CREATE):
        work.put(msgspec.structs.replace(current, state=LogState.TO_SEAL))


def leave(work: Work, log: SharedLog) -> None:
    """Stop reading and writing. Files that are still to be fetched from it are."""
    _empty(work, log)
    if work.find(StoredFile, where={"mailbox": log.id, "state": int(FileState.REMOTE)}, limit=1):
        work.put(msgspec.structs.replace(log, state=LogState.LEFT))
    else:
        work.delete(log)


def delete(work: Work, log: SharedLog) -> None:
    """Have its host delete it with all that is in it. Only for an administrator."""
    if not log.admin:
        raise ValueError("only an administrator of a log deletes it")
    _empty(work, log)
    work.put(msgspec.structs.replace(log, state=LogState.TO_DELETE))


def _empty(work: Work, log: SharedLog) -> None:
    for put in work.find(LogPut, where={"log": log.id}):
        sending.withdraw(work, put)
    for kind in (LogGrant, LogKey, LogPart):
        for row in work.find(kind, where={"log": log.id}):
            work.delete(row)


# --- what the host said ----------------------------------------------------------------------------------------------


def created(work: Work, id: bytes) -> None:
    log = work.get(SharedLog, id)
    if log is not None and log.state == LogState.TO_CREATE:
        work.put(msgspec.structs.replace(log, state=LogState.OPEN))


def sealed(work: Work, id: bytes) -> None:
    log = work.get(SharedLog, id)
    if log is not None and log.state == LogState.TO_SEAL:
        work.put(msgspec.structs.replace(log, state=LogState.SEALED))


def deleted(work: Work, id: bytes) -> None:
    log = work.get(SharedLog, id)
    if log is not None and log.state == LogState.TO_DELETE:
        work.delete(log)


def lost(work: Work, id: bytes) -> None:
    """Its host does not let us read: the log is gone, or our right to it."""
    log = work.get(SharedLog, id)
    if log is not None and log.state == LogState.OPEN:
        work.put(msgspec.structs.replace(log, state=LogState.LOST))
        work.tell("log_lost", log.owner)


def found(work: Work, id: bytes) -> None:
    """Its host lets us read after all."""
    log = work.get(SharedLog, id)
    if log is not None and log.state == LogState.LOST:
        work.put(msgspec.structs.replace(log, state=LogState.OPEN))


def sweep(work: Work) -> None:
    """What time does to logs: keys end, left logs go with the last file that was to be fetched."""
    for key in work.find(LogKey, at_most=("until", work.now)):
        work.delete(key)
    for log in work.find(SharedLog, where={"state": int(LogState.LEFT)}):
        leave(work, log)
    pauses.catch_up(work, LogPut)
