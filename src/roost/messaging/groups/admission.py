"""Newcomers: the Welcome that leaves with a commit that adds them, and following one that came.

A Welcome is cut in two. Each newcomer's own secrets go to it alone, in the pairwise conversation; what all of one
commit share, the encrypted group info with the tree, stands once in the group's log.
"""

from __future__ import annotations

import hashlib

import msgspec

from roost.crypto import mls
from roost.crypto.mls.framing import MlsMessage
from roost.crypto.mls.welcome import EncryptedGroupSecrets, Welcome
from roost.errors import PeerError
from roost.messaging import logs, outbox
from roost.messaging.groups import forks, history, holding, notes, offers, places, sending, states
from roost.messaging.groups.rules import Change
from roost.messaging.origin import Origin
from roost.messaging.records import (
    NEVER,
    Contact,
    ContactState,
    GroupMember,
    GroupRow,
    GroupStatus,
    PeerDevice,
    SharedLog,
)
from roost.messaging.work import Work
from roost.wire.codec import decode, encode
from roost.wire.content import encode_content
from roost.wire.groups import GroupNote, GroupState, GroupWelcome, NoteKind, SealedRecord

JOIN_PATIENCE_MS = 10 * 60_000  # after which a group info that does not come is asked for

# --- those whom I add ------------------------------------------------------------------------------------------------


def welcome(
    work: Work, row: GroupRow, group: mls.Group, staged: mls.StagedCommit, change: Change, *, number: int
) -> None:
    """My commit added devices: welcome them. `number` is the commit's entry in the log, 0 in a new one."""
    log = places.current(work, row)
    if staged.welcome is None or log is None:
        return
    body = MlsMessage.decode(staged.welcome).body
    assert isinstance(body, Welcome)
    envelope_key = holding.envelope_key(group)
    info = hashlib.sha256(body.encrypted_group_info).digest()
    logs.append(work, log, envelope_key, encode(SealedRecord(info, body.encrypted_group_info)))
    newcomers = {account for account, _ in change.added if account not in change.members}
    history_key = history.share(work, row, log, envelope_key, states.held_state(row)) if newcomers else b""
    for package, secrets in zip(_packages(staged), body.secrets, strict=True):
        who = states.sender(mls.Member.of(0, package.leaf))
        if work.get(PeerDevice, *who) is None:
            continue
        content = GroupWelcome(
            group=row.id,
            title=row.title,
            secrets=secrets.encode(),
            info=info,
            epoch=group.number,
            place=states.held_state(row).place,
            log_secret=row.log_secret,
            envelope_key=envelope_key,
            cursor=number,
            history=history_key if who[0] in newcomers else b"",
            replaces=row.replaces,
        )
        outbox.queue(work, *who, encode_content(content))


def _packages(staged: mls.StagedCommit) -> list[mls.KeyPackage]:
    return [sent.proposal.key_package for sent in staged.changes.proposals if isinstance(sent.proposal, mls.Add)]


# --- being added -----------------------------------------------------------------------------------------------------


def welcomed(work: Work, origin: Origin, content: GroupWelcome) -> None:
    """A contact's device, or one of mine, added this device. Raises PeerError for what cannot lead into a group."""
    secrets = EncryptedGroupSecrets.decode(content.secrets)
    lost = offers.secrets_for(work, {secrets.new_member}) is None
    known = work.get(GroupRow, content.group)
    contact = work.get(Contact, origin.account)
    if contact is not None and contact.state == ContactState.MEMBER:  # no contact: only into what I asked for
        asked = known is not None and known.status == GroupStatus.ASKED and known.inviter == origin.account
        if not asked:
            raise PeerError("a welcome of one who is no contact", code="not_allowed")
    if known is not None and known.status in (GroupStatus.ACTIVE, GroupStatus.STOPPED):
        if content.epoch > known.epoch:  # I may have been removed and added again: the log tells
            work.put(msgspec.structs.replace(known, welcome=encode(content), inviter=origin.account))
        return
    if known is not None and known.status == GroupStatus.LOST:
        member = work.get(GroupMember, known.id, origin.account)
        stranger = member is None and known.inviter != origin.account
        if stranger or content.epoch < known.epoch:
            raise PeerError("a welcome of a stranger to a group that is lost", code="not_allowed")
    base = known or GroupRow(content.group, GroupStatus.JOINING, content.title, work.now)
    follow(work, msgspec.structs.replace(base, inviter=origin.account), content, lost=lost)
    if lost:  # this device was put back to a copy from before it offered that key package: it comes in from outside
        offers.start_over(work, origin.account)
        offers.offer(work, origin.account)


def follow(work: Work, row: GroupRow, content: GroupWelcome, *, lost: bool = False) -> None:
    """Read the group's log for the group info that the Welcome names; or ask there, where its secrets do not open."""
    for log in logs.logs_of(work, row.id):
        logs.leave(work, log)
    log = _open_log(work, row.id, content)
    work.put(
        msgspec.structs.replace(
            row,
            status=GroupStatus.LOST if lost else GroupStatus.JOINING,
            title=content.title if not row.state else row.title,
            log=log.id,
            log_secret=content.log_secret,
            generation=content.place.generation,
            since=content.epoch,
            welcome=b"" if lost else encode(content),
            leaving=False,
            due_at=work.now + (0 if lost else JOIN_PATIENCE_MS),
            tries=0,
        )
    )


def _open_log(work: Work, group: bytes, content: GroupWelcome) -> SharedLog:
    log = places.join(work, group, content.place, content.log_secret, content.cursor)
    logs.add_key(work, log, content.envelope_key, content.epoch)
    return log


def info_landed(work: Work, row: GroupRow, record: SealedRecord) -> None:
    """While joining: the group info that was waited for leads into the group; anything else is passed over."""
    content = decode(GroupWelcome, row.welcome)
    if record.id != content.info:
        return
    try:
        group, package = _join(work, content, record.sealed)
        state = _checked(group, content)
    except PeerError as error:
        _fail(work, row, error.code)
        return
    for log in logs.logs_of(work, row.id):
        logs.leave(work, log)
    log = _open_log(work, row.id, content)  # anew: what was said since the commit is read under the group's keys
    row = msgspec.structs.replace(
        row,
        status=GroupStatus.ACTIVE,
        log=log.id,
        welcome=b"",
        due_at=NEVER,
        counter=max(sending.first_counter(group.number), row.counter),
        joined_at=work.now,
        updated_at=work.now,
        checked=group.number,
    )
    row = holding.keep_epoch(work, row, group)
    offers.spent(work, package)
    forks.replaced(work, row, content)
    history.expect(work, row, content)
    note = GroupNote(NoteKind.JOINED, work.me.account, state.title)
    notes.add(work, row, row.inviter, note, group.number, index=2**31)
    work.tell("group", row.id, row.inviter, "joined")
    sending.requeue(work, row.id)
    sending.flush(work, row.id)


def _join(work: Work, content: GroupWelcome, sealed: bytes) -> tuple[mls.Group, mls.KeyPackage]:
    entry = EncryptedGroupSecrets.decode(content.secrets)
    secrets = offers.secrets_for(work, {entry.new_member})
    if secrets is None:
        raise PeerError("the key package of a welcome is gone", code="not_allowed")
    whole = MlsMessage(Welcome(offers.SUITE.id, (entry,), sealed)).encode()
    return mls.Group.join(whole, secrets, settings=holding.SETTINGS), secrets.package


def _checked(group: mls.Group, content: GroupWelcome) -> GroupState:
    """What a newcomer verifies beside RFC 9420's rules. Raises PeerError."""
    state = states.state_of(group.extensions)
    expected = (content.group, content.epoch, content.place, content.envelope_key)
    if (group.group_id, group.number, state.place, holding.envelope_key(group)) != expected:
        raise PeerError("a welcome leads somewhere else", code="bad_welcome")
    check_members(group)
    return state


def check_members(group: mls.Group) -> None:
    """Every leaf is certified, no account is banned, an admin is there. Raises PeerError."""
    state = states.state_of(group.extensions)
    here = {states.read_leaf(leaf).account for _, leaf in group.epoch.tree.members()}
    if here & set(state.banned) or not {entry.account for entry in state.roles} <= here:
        raise PeerError("a group's state does not fit its members", code="bad_welcome")


def _fail(work: Work, row: GroupRow, code: str) -> None:
    for log in logs.logs_of(work, row.id):
        logs.leave(work, log)
    if row.state:
        work.put(msgspec.structs.replace(row, status=GroupStatus.REMOVED, log=b"", log_secret=b"", welcome=b""))
    else:
        work.delete(row)
    inviter = work.get(Contact, row.inviter)
    work.tell("group", row.id, inviter.account if inviter else b"", f"join_failed:{code}")
