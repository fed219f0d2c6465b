"""Coming back: a device that cannot follow its group replaces its own leaf from outside (RFC 9420, external commit).

It may have missed commits that expired, been put back to an older copy, or got a commit that did not open for it:

    ACTIVE --lose--> LOST: asks in the log, under the generation's key --answer--> appends an external commit
           <--landed first------------------------------------------------------------'   (else it asks again)

Any member answers, after a random pause, so that one does. Where the log itself is gone, contacts in the group are
asked for the present one. Nothing of this waits for anybody's hand; pauses grow, and the answer is given to members.
"""

from __future__ import annotations

import msgspec

from roost.crypto import Label, mls
from roost.crypto.mls.extensions import RATCHET_TREE
from roost.crypto.mls.framing import ContentType, MlsMessage, PrivateMessage
from roost.crypto.mls.leaf import find_extension
from roost.crypto.mls.suites import HpkeCiphertext
from roost.crypto.mls.tree import RatchetTree
from roost.crypto.mls.welcome import GroupInfo
from roost.errors import PeerError
from roost.messaging import identity, logs, outbox
from roost.messaging.groups import (
    admission,
    answering,
    committing,
    gaps,
    holding,
    keeping,
    offers,
    places,
    sending,
    states,
)
from roost.messaging.groups.own import remember_own
from roost.messaging.logs import Landed
from roost.messaging.origin import Origin
from roost.messaging.records import (
    NEVER,
    Contact,
    ContactState,
    GroupCommit,
    GroupMember,
    GroupRow,
    GroupStatus,
    LogPut,
    LogState,
    Seen,
    SharedLog,
)
from roost.messaging.work import Work
from roost.wire.codec import Record, decode, encode
from roost.wire.content import encode_content
from roost.wire.groups import (
    GroupFound,
    GroupLost,
    GroupMessage,
    GroupRecord,
    Rejoin,
    RejoinInfo,
    SealedRecord,
)

SUBJECT = b"rejoin"
QUESTION = b"lost"
FIRST_PAUSE_MS = 30_000  # before a question is put again
LONGEST_PAUSE_MS = 6 * 60 * 60_000
ASKED_FOR_MS = 24 * 60 * 60_000  # how long an answer about a group that is not known is waited for
UNOPENED = 4  # envelopes in a row that no key opens: the group went on without this device
UNOPENED_MS = 5 * 60_000  # or even one, when nothing that opens has followed for so long
AHEAD_MS = 30 * 60_000  # or when others are further, and nothing that the log shows has led there for so long
MAX_ASKED_CONTACTS = 8
UNKNOWN = -1  # since when this device is a member


class _Asking(Record, frozen=True):
    """What this device must remember of its question."""

    ask: bytes
    key: bytes
    epoch: int = 0  # of the group info that the external commit stands on


# --- losing ----------------------------------------------------------------------------------------------------------


def lose(work: Work, row: GroupRow, why: str) -> None:
    """This device's state of the group leads nowhere: ask to be let in again."""
    if row.status != GroupStatus.ACTIVE:
        return
    committing.abandon(work, row)
    sending.requeue(work, row.id)
    pause = int.from_bytes(work.entropy.bytes(2), "big") % answering.ANSWER_SPREAD_MS
    row = work.need(GroupRow, row.id)
    again = work.now - row.lost_at < LONGEST_PAUSE_MS  # lost soon after it came back: pauses grow on
    tries = row.tries if again else 0
    if tries:
        pause += min(FIRST_PAUSE_MS << 2 * tries, LONGEST_PAUSE_MS)
    work.put(
        msgspec.structs.replace(
            row, status=GroupStatus.LOST, lost_at=work.now, tries=tries, due_at=work.now + pause, rejoin=b"", ahead=0
        )
    )
    work.tell("group", row.id, detail=f"lost:{why}")


def ahead_heard(work: Work, row: GroupRow, epoch: int) -> None:
    """A member says that the group is in a later epoch: if reading the log does not lead there, `watch` gives up."""
    if row.status == GroupStatus.ACTIVE and epoch > max(row.epoch, row.ahead):
        first = row.ahead <= row.epoch
        work.put(msgspec.structs.replace(row, ahead=epoch, ahead_at=work.now if first else row.ahead_at))


def copy_seen(work: Work, row: GroupRow, group: mls.Group, message: bytes) -> None:
    """A message of this device that it does not remember: it may have been put back to an older copy. Where another
    member might have forged that, it is believed now and then only: coming back costs everybody a commit."""
    evidence = group.was_put_back(message)
    if evidence or (evidence is None and work.now - row.lost_at > LONGEST_PAUSE_MS):
        lose(work, row, "copy")


def watch(work: Work) -> None:
    """Groups whose logs hold what no key opens, or are gone, or do not lead where others are."""
    for row in work.find(GroupRow, where={"status": int(GroupStatus.ACTIVE)}):
        log = places.current(work, row)
        if log is not None and log.state == LogState.LOST:
            lose(work, row, "log")
        elif _gives_up_at(work, row, log) <= work.now:
            if log is not None and log.unopened:
                work.put(msgspec.structs.replace(log, unopened=0))
            lose(work, row, "behind")


def next_watch(work: Work) -> int:
    """When `watch` has something to do at the latest."""
    rows = work.find(GroupRow, where={"status": int(GroupStatus.ACTIVE)})
    return min((_gives_up_at(work, row, places.current(work, row)) for row in rows), default=NEVER)


def _gives_up_at(work: Work, row: GroupRow, log: SharedLog | None) -> int:
    """Coming back costs everybody a commit, and whoever speaks of later epochs may lie: so that counts now and then."""
    unopened = behind = NEVER
    if log is not None and log.unopened:
        unopened = log.unopened_at + (UNOPENED_MS if log.unopened < UNOPENED else 0)
    if row.ahead > row.epoch:
        waits = ((row.ahead_at, AHEAD_MS), (row.lost_at, LONGEST_PAUSE_MS))
        behind = max(at + pause if at <= work.now else work.now for at, pause in waits)  # the clock may have jumped
    return min(unopened, behind)


# --- asking ----------------------------------------------------------------------------------------------------------


def step(work: Work, row: GroupRow) -> None:
    """Put the question (again). A group that was to be joined and whose group info does not come is asked for too: its
    log may have moved on before it came."""
    if row.status == GroupStatus.JOINING:
        row = work.put(msgspec.structs.replace(row, status=GroupStatus.LOST, lost_at=work.now, welcome=b""))
    if row.status != GroupStatus.LOST:
        return
    committing.abandon(work, row)
    row = work.need(GroupRow, row.id)
    log = places.current(work, row)
    reachable = log is not None and log.state == LogState.OPEN
    asking = _ask_in_log(work, row, log) if log is not None and reachable else b""
    if not reachable or row.tries:
        _ask_contacts(work, row)
    pause = min(FIRST_PAUSE_MS << 2 * min(row.tries, 8), LONGEST_PAUSE_MS)
    row = work.need(GroupRow, row.id)
    work.put(msgspec.structs.replace(row, tries=row.tries + 1, due_at=work.now + pause, rejoin=asking))


def _ask_in_log(work: Work, row: GroupRow, log: SharedLog) -> bytes:
    me, secret = work.me, offers.SUITE.kem.generate(work.entropy)
    nonce = work.entropy.bytes(16)
    said = answering.signed_part(row.id, me.account, me.device, row.epoch, nonce, secret.public)
    signature = identity.device_key(me).sign(Label.GROUP_REJOIN, said)
    ask = Rejoin(me.account, me.device, row.epoch, nonce, secret.public, signature)
    for former in work.find(LogPut, where={"log": log.id}):
        if former.subject == QUESTION:
            logs.withdraw(work, former)
    logs.append(work, log, places.request_key(row), encode(ask), subject=QUESTION)
    return encode(_Asking(answering.ask_id(ask), secret.to_bytes()))


def _ask_contacts(work: Work, row: GroupRow) -> None:
    """Some contacts in the group, others each time."""
    accounts = sorted({*states.members(work, row.id), row.inviter, *row.heard} - {work.me.account})
    known = [account for account in accounts if _is_known(work, account)]
    start = row.tries * MAX_ASKED_CONTACTS % max(len(known), 1)
    for account in (known[start:] + known[:start])[:MAX_ASKED_CONTACTS]:
        outbox.queue_all(work, account, encode_content(GroupLost(row.id, row.generation)))
    outbox.to_mine(work, encode_content(GroupLost(row.id, row.generation)))


def _is_known(work: Work, account: bytes) -> bool:
    contact = work.get(Contact, account)
    return contact is not None and contact.state in (ContactState.ACCEPTED, ContactState.MEMBER)


# --- being answered --------------------------------------------------------------------------------------------------


def landed_while_lost(work: Work, row: GroupRow, landed: Landed, record: GroupRecord) -> None:
    """Something in the log while this device cannot read it: the answer, its own external commit, or what beats it."""
    asking = decode(_Asking, row.rejoin) if row.rejoin else None
    if asking is None:
        return
    match record:
        case SealedRecord() if record.id == answering.answer_id(asking.ask) and not work.get(GroupCommit, row.id):
            _commit(work, row, asking, record)
        case GroupMessage() if landed.mine is not None and landed.mine.subject == SUBJECT:
            _came_back(work, row, landed.number)
        case GroupMessage() if landed.mine is None and _is_commit(record.message, asking.epoch):
            step(work, row)  # somebody else's commit was first


def _is_commit(message: bytes, epoch: int) -> bool:
    body = MlsMessage.decode(message).body
    if isinstance(body, PrivateMessage):
        return body.epoch == epoch and body.content_type is ContentType.COMMIT
    return True


def _commit(work: Work, row: GroupRow, asking: _Asking, record: SealedRecord) -> None:
    """Append an external commit on top of the epoch that the answer describes."""
    key = offers.SUITE.kem.private(asking.key)
    sealed = HpkeCiphertext.decode(record.sealed)
    info = decode(RejoinInfo, offers.SUITE.decrypt(key, answering.LABEL, asking.ask, sealed))
    own = _own_leaf(work, row, info.group_info)
    log = work.need(SharedLog, row.log)
    if own is None:
        committing.close(work, row, GroupStatus.REMOVED)
        return
    staged = mls.Group.join_by_commit(
        info.group_info, offers.make_secrets(work), work.entropy, options=mls.JoinOptions(replaces=own)
    )
    admission.check_members(mls.Group.accept_join(staged, holding.SETTINGS))
    epoch = staged.base.epoch
    remember_own(work, staged.message)
    logs.add_key(work, log, info.envelope_key, epoch)
    put = logs.append(work, log, places.request_key(row), encode(GroupMessage(staged.message)), subject=SUBJECT)
    work.put(GroupCommit(row.id, mls.save_staged(staged), epoch, put.number))
    work.put(msgspec.structs.replace(row, rejoin=encode(msgspec.structs.replace(asking, epoch=epoch))))


def _own_leaf(work: Work, row: GroupRow, group_info: bytes) -> int | None:
    """Where this device's old leaf is. Raises PeerError for what describes another group, or an older epoch."""
    info = MlsMessage.decode(group_info).body
    tree = find_extension(info.extensions, RATCHET_TREE) if isinstance(info, GroupInfo) else None
    if not isinstance(info, GroupInfo) or tree is None:
        raise PeerError("an answer without a group info", code="not_allowed")
    state = states.state_of(info.context.extensions)
    if info.context.group_id != row.id or info.context.epoch < row.epoch or state.place.generation != row.generation:
        raise PeerError("an answer about another group or time", code="not_allowed")
    members = RatchetTree.decode(tree).members()
    return next((index for index, leaf in members if leaf.signature_key == work.me.device), None)


def _came_back(work: Work, row: GroupRow, number: int) -> None:
    """The external commit took its place, and nothing known came before it: this device is a member again."""
    commit = work.get(GroupCommit, row.id)
    if commit is None or not number:
        return
    work.delete(commit)
    group, lost = mls.Group.accept_join(mls.load_staged(commit.staged), holding.SETTINGS), row.epoch
    row = msgspec.structs.replace(
        row,
        status=GroupStatus.ACTIVE,
        rejoin=b"",
        counter=max(sending.first_counter(group.number), row.counter),
        updated_at=work.now,
        since=row.since if row.since != UNKNOWN else group.number,
        heard=(),
    )
    row = holding.keep_epoch(work, row, group)
    places.enter_epoch(work, row, group)
    places.admit(work, row, [device for person in states.roster(group).values() for device in person.devices])
    sending.renumber(work, row.id)
    row = work.need(GroupRow, row.id)
    gaps.came_back(work, row, lost - holding.SETTINGS.past_epochs)
    work.tell("group", row.id, work.me.account, "rejoined")
    keeping.tend(work, row)
    sending.flush(work, row.id)
    committing.pump(work, row.id)


# --- where the log is ------------------------------------------------------------------------------------------------


def log_found(work: Work, origin: Origin, content: GroupFound) -> None:
    """A contact says where the log is: go there, and ask to be let in again."""
    row = work.get(GroupRow, content.group)
    asked = work.get(Seen, _asked_for(content.group, origin.account)) is not None
    if asked and (row is None or row.status == GroupStatus.REMOVED):
        row = row or GroupRow(content.group, GroupStatus.LOST, "", work.now)
        lost = {"status": GroupStatus.LOST, "lost_at": work.now, "inviter": origin.account, "since": UNKNOWN}
        row = work.put(msgspec.structs.replace(row, **lost))
    if row is None or row.status != GroupStatus.LOST:
        raise PeerError("nobody was asked for this group", code="not_allowed")
    trusted = origin.account in (work.me.account, row.inviter, *row.heard)
    if not trusted and work.get(GroupMember, row.id, origin.account) is None:
        raise PeerError("somebody else was asked for this group", code="not_allowed")
    if content.place.generation < row.generation or (content.log_secret == row.log_secret and _is_open(work, row)):
        return
    committing.abandon(work, row)
    for log in logs.logs_of(work, row.id):
        logs.leave(work, log)
    log = places.join(work, row.id, content.place, content.log_secret, content.cursor)
    work.put(
        msgspec.structs.replace(
            work.need(GroupRow, row.id),
            log=log.id,
            log_secret=content.log_secret,
            generation=content.place.generation,
            tries=0,
            due_at=work.now,
            rejoin=b"",
        )
    )


def _is_open(work: Work, row: GroupRow) -> bool:
    log = places.current(work, row)
    return log is not None and log.state == LogState.OPEN


def unknown_heard(work: Work, origin: Origin, group: bytes) -> None:
    """A contact speaks of a group, as to a member, that this device knows nothing of, or was removed from: it may have
    been put back to a copy from before it joined, or its Welcome was never sent because whoever added it lost the group
    just then. Ask that contact, now and then; only members are answered."""
    mark = _asked_for(group, origin.account)
    if _is_known(work, origin.account) and work.get(Seen, mark) is None:
        work.put(Seen(mark, work.now + ASKED_FOR_MS))
        outbox.queue(work, origin.account, origin.device, encode_content(GroupLost(group, 0)))


def member_heard(work: Work, row: GroupRow, origin: Origin) -> None:
    """The same of a group that this device was welcomed to and never got into: whoever welcomed it may be out of it
    since. Raises PeerError unless it is a contact who is believed. My own devices are asked in any case."""
    if origin.account == work.me.account:
        return
    if not _is_known(work, origin.account):
        raise PeerError("a word about a group of somebody who is not known", code="not_a_member")
    if origin.account not in row.heard:
        work.put(msgspec.structs.replace(row, heard=(*row.heard, origin.account)[-MAX_ASKED_CONTACTS:]))
        if row.status == GroupStatus.LOST:
            outbox.queue(work, origin.account, origin.device, encode_content(GroupLost(row.id, row.generation)))


def _asked_for(group: bytes, account: bytes) -> bytes:
    return b"asked for" + group + account
