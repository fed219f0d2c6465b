"""A group's log: its capabilities from the generation's secret, making the next one, and moving there."""

from __future__ import annotations

import msgspec

from roost.crypto import at_place, capability_hash, capability_place, mls
from roost.crypto.group_keys import group_get, group_put, group_request_key
from roost.errors import RoostError
from roost.messaging import logs, mailboxes
from roost.messaging.groups import holding, states
from roost.messaging.records import GroupRow, LogKind, LogState, OwnRelay, SharedLog
from roost.messaging.work import Work
from roost.wire.addresses import HostAddress
from roost.wire.groups import GroupState, LogPlace

REQUEST_TAG = 2**53  # of the key under which those ask who lost the group's state: above every epoch
CAPABILITY_SIZE = 32


def next_relay(work: Work, state: GroupState) -> HostAddress | None:
    """Where I would make a new log: the same relay, if it is one of mine."""
    mine = work.get(OwnRelay, state.place.relay.key)
    if mine is not None and not mine.leaving:
        return mailboxes.log_host(work, mine)
    try:
        return mailboxes.log_host(work, mailboxes.primary_relay(work))
    except RoostError:
        return None


def create(
    work: Work, group: bytes, relay: HostAddress, secret: bytes, devices: list[bytes], *, waits: bool = False
) -> SharedLog:
    """A new mailbox at a relay of mine for these devices, which the agent makes. It `waits` for a commit: others may
    see that before this device does, and what they say there then opens under no key that is known yet."""
    others = [capability_hash(group_put(secret, device)) for device in devices if device != work.me.device]
    get = group_get(secret)
    return logs.create_log(
        work,
        group,
        LogKind.GROUP,
        relay,
        get=get,
        put=group_put(secret, work.me.device),
        admin=at_place(capability_place(get), work.entropy.bytes(CAPABILITY_SIZE)),
        writers=others,
        waits=waits,
    )


def join(work: Work, group: bytes, place: LogPlace, secret: bytes, cursor: int) -> SharedLog:
    """Read and write a log that is there."""
    get, put = group_get(secret), group_put(secret, work.me.device)
    log = logs.join_log(work, group, LogKind.GROUP, place.relay, get=get, put=put, cursor=cursor)
    logs.add_key(work, log, group_request_key(secret), REQUEST_TAG)
    return log


def open_to_requests(work: Work, row: GroupRow) -> None:
    """A log of this device's making is read under the generation's own key as well."""
    logs.add_key(work, work.need(SharedLog, row.log), group_request_key(row.log_secret), REQUEST_TAG)


def request_key(row: GroupRow) -> bytes:
    """The log key of those who ask to be let in again, and of what they are answered."""
    return group_request_key(row.log_secret)


def current(work: Work, row: GroupRow) -> SharedLog | None:
    return work.get(SharedLog, row.log) if row.log else None


def enter_epoch(work: Work, row: GroupRow, group: mls.Group) -> None:
    """What is sent from now on opens under this epoch's key too."""
    log = current(work, row)
    if log is not None:
        logs.add_key(work, log, holding.envelope_key(group), group.number)
        logs.drop_keys(work, log, max(group.number - holding.EPOCH_KEYS, 0))


def move(work: Work, row: GroupRow, group: mls.Group, made: SharedLog | None) -> GroupRow:
    """The epoch that began has another log: go there. `made` is the one that this device made for it."""
    place = states.state_of(group.extensions).place
    secret = holding.log_secret(group.epoch.secrets, place.generation)
    old = current(work, row)
    if made is None:
        made = join(work, row.id, place, secret, 0)
    else:
        made = logs.read(work, work.need(SharedLog, made.id))
        logs.add_key(work, made, group_request_key(secret), REQUEST_TAG)
    if old is not None:
        retire(work, old)
    return work.put(msgspec.structs.replace(row, log=made.id, log_secret=secret, generation=place.generation))


def retire(work: Work, log: SharedLog) -> None:
    """A log that nothing is said in any more: sealed by who can, left by all."""
    if log.admin:
        logs.seal(work, log)
    else:
        logs.leave(work, log)


def sweep(work: Work, row: GroupRow) -> None:
    """Old logs that were sealed are left; new ones that nobody needs are deleted."""
    for log in logs.logs_of(work, row.id):
        if log.id != row.log and log.state == LogState.SEALED:
            logs.leave(work, log)


def admit(work: Work, row: GroupRow, devices: list[bytes]) -> None:
    """Let devices write that may be new, if this profile administers the log."""
    log = current(work, row)
    if log is not None and log.admin:
        logs.grant(work, log, add=[capability_hash(group_put(row.log_secret, device)) for device in devices])
