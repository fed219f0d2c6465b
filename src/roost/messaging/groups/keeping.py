"""What this device does for the group by itself: keys for new admins, devices of its own, those who want to leave, and
what it said itself that must be sealed anew."""

from __future__ import annotations

import msgspec

from roost.crypto import mls
from roost.crypto.mls.suites import HpkeCiphertext
from roost.errors import PeerError
from roost.messaging import identity
from roost.messaging.groups import holding, intents, introducing, offers, places, rules, sending, states
from roost.messaging.groups.rules import Change
from roost.messaging.records import (
    Contact,
    GroupIntent,
    GroupMember,
    GroupRow,
    GroupSender,
    GroupStatus,
    IntentKind,
    SharedLog,
)
from roost.messaging.work import Work
from roost.wire.content import encode_content
from roost.wire.groups import MAX_SEALED_KEYS, AdminKeys, Leave, Role, SealedKey

LABEL = b"roost group admin"
SPREAD_MS = 4_000  # admins' devices wait a random part of this before they remove who leaves


def after_change(work: Work, row: GroupRow, group: mls.Group, change: Change, *, moved: bool) -> None:
    """An epoch began."""
    if moved:
        sending.requeue(work, row.id)
    else:  # who came back from outside opens nothing of the epochs before
        readable = group.number if change.external else group.number - holding.SETTINGS.past_epochs + 1
        sending.requeue(work, row.id, before=readable)
    for account in {account for account, _ in change.removed}:
        introducing.take(work, row.id, account)  # what was said before does not bring them back
    here = {device for devices in change.members_after().values() for device in devices}
    for sender in work.find(GroupSender, where={"group": row.id}):
        if sender.device not in here:
            work.delete(sender)
    _share_admin_key(work, row, group, change, moved=moved)
    tend(work, row)
    sending.flush(work, row.id)


# --- the log's admin capability --------------------------------------------------------------------------------------


def _share_admin_key(work: Work, row: GroupRow, group: mls.Group, change: Change, *, moved: bool) -> None:
    """Whoever holds it gives it to the admins' devices that have not had it."""
    log = places.current(work, row)
    if log is None or not log.admin:
        _take_over(work, row, change)
        return
    before = set() if moved else set(rules.admins(change.before))
    added = {device for _, device in change.added}
    people = states.roster(group)
    lacking = [
        (device, index)
        for account in rules.admins(change.after)
        for device, index in people[account].devices.items()
        if device != work.me.device and (account not in before or device in added)
    ]
    for start in range(0, len(lacking), MAX_SEALED_KEYS):
        part = lacking[start : start + MAX_SEALED_KEYS]
        keys = tuple(SealedKey(device, _sealed(work, row, group, index, log.admin)) for device, index in part)
        sending.send(work, row.id, encode_content(AdminKeys(row.generation, keys)))


def _take_over(work: Work, row: GroupRow, change: Change) -> None:
    """An admin who added people and cannot let them write makes a new log."""
    mine = change.committer == work.me.account and change.device == work.me.device
    if mine and change.added and not change.external and change.role is Role.ADMIN:
        intents.want(work, row, IntentKind.MOVE, quiet=True)


def _sealed(work: Work, row: GroupRow, group: mls.Group, index: int, admin: bytes) -> bytes:
    public = group.epoch.tree.leaf(index).encryption_key
    return offers.SUITE.encrypt(public, LABEL, _context(row.id, row.generation), admin, work.entropy).encode()


def _context(group: bytes, generation: int) -> bytes:
    return group + generation.to_bytes(4, "big")


def admin_keys(work: Work, row: GroupRow, account: bytes, content: AdminKeys) -> None:
    """An admin, or who made the log, gives this device its admin capability, if this is one of the admins'."""
    state, me = states.held_state(row), work.me
    if rules.role_of(state, account) is not Role.ADMIN and account != row.made_by:
        raise PeerError("an admin's word, not from an admin", code="not_allowed")
    log = places.current(work, row)
    mine = next((key for key in content.keys if key.device == me.device), None)
    if log is None or log.admin or mine is None or content.generation != row.generation:
        return
    if rules.role_of(state, me.account) is not Role.ADMIN:
        return
    epoch = holding.load(work, row.id).epoch
    sealed = HpkeCiphertext.decode(mine.sealed)
    admin = offers.SUITE.decrypt(epoch.private[2 * epoch.own], LABEL, _context(row.id, row.generation), sealed)
    if len(admin) == places.CAPABILITY_SIZE:
        work.put(msgspec.structs.replace(work.need(SharedLog, log.id), admin=admin))


# --- members and devices that should come or go ----------------------------------------------------------------------


def tend(work: Work, row: GroupRow) -> None:
    """Note what should change by itself. Calling it once too often does nothing."""
    row = work.need(GroupRow, row.id)
    if row.status != GroupStatus.ACTIVE:
        return
    state, people = states.held_state(row), states.members(work, row.id)
    me = work.me
    _tend_own_devices(work, row, people)
    admin = rules.role_of(state, me.account) is Role.ADMIN
    for member in people.values():
        if member.account == me.account:
            continue
        if member.leaving and rules.outranks(state, me.account, member.account):
            _remove_leaver(work, row, member)
        elif admin:
            _tend_devices_of(work, row, member)
    if row.leaving:
        _leave(work, row, people)


def _tend_own_devices(work: Work, row: GroupRow, people: dict[bytes, GroupMember]) -> None:
    me = work.me
    mine = people.get(me.account)
    listed = {entry.signing for entry in identity.entries(me.devices)}
    here = set(mine.devices) if mine else set()
    if row.leaving:
        return
    for device in listed - here:
        if device in offers.packages_of(work, me.account):
            intents.want(work, row, IntentKind.ADD_DEVICE, account=me.account, device=device, quiet=True)
    for device in here - listed:
        intents.want(work, row, IntentKind.REMOVE_DEVICE, account=me.account, device=device, quiet=True)


def _tend_devices_of(work: Work, row: GroupRow, member: GroupMember) -> None:
    """A contact's device that is none any more (lost, sold) leaves the group with the contact's newer list."""
    contact = work.get(Contact, member.account)
    if contact is None or contact.devices is None:
        return
    listed = {entry.signing: entry for entry in identity.entries(contact.devices)}
    if set(member.devices) <= listed.keys() or not _is_newer(work, row, member, contact):
        return
    for device in set(member.devices) - listed.keys():
        intents.want(work, row, IntentKind.REMOVE_DEVICE, account=member.account, device=device, quiet=True)


def _is_newer(work: Work, row: GroupRow, member: GroupMember, contact: Contact) -> bool:
    """Whether the contact's list as known here is newer than those in the group: else it may only be out of date."""
    assert contact.devices is not None
    held = states.roster(holding.load(work, row.id)).get(member.account)
    version = identity.read_list(contact.devices, member.account).version
    return held is not None and version > held.version


def _remove_leaver(work: Work, row: GroupRow, member: GroupMember) -> None:
    held = work.find(GroupIntent, where={"group": row.id})
    if any(intent.kind == IntentKind.LEAVE and intent.account == member.account for intent in held):
        return
    intent = intents.want(work, row, IntentKind.LEAVE, account=member.account, quiet=True)
    pause = int.from_bytes(work.entropy.bytes(4), "big") % SPREAD_MS
    work.put(msgspec.structs.replace(intent, not_before=work.now + pause))
    work.put(msgspec.structs.replace(work.need(GroupRow, row.id), due_at=min(row.due_at, work.now + pause)))


def can_go(work: Work, row: GroupRow) -> bool:
    """Whether somebody who stays can take me out."""
    people, me = states.members(work, row.id), work.me.account
    staying = [member for member in people.values() if member.account != me and not member.leaving]
    return any(member.role == Role.ADMIN for member in staying)


def _leave(work: Work, row: GroupRow, people: dict[bytes, GroupMember]) -> None:
    """I want to go: said at once, unless nobody else could take me out. Then another admin is named first."""
    me = work.me.account
    others = [member for member in people.values() if member.account != me and not member.leaving]
    if can_go(work, row):
        work.put(msgspec.structs.replace(row, leaving=False))
        sending.send(work, row.id, encode_content(Leave()))
    elif others:
        heir = max(others, key=lambda member: (member.role, -member.since, member.account))
        role = bytes((Role.ADMIN,))
        intents.want(work, row, IntentKind.ROLE, account=heir.account, data=role, quiet=True)
