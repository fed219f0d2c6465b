"""Letting others come back: answering a device that lost its group, once among all members (`rejoining` is its side).

Whoever answers first settles it. A device that asks again soon was not helped by what it got, which one of the members
may have made up: then several answer.
"""

from __future__ import annotations

import hashlib

from roost.crypto import Label, VerifyKey, mls
from roost.errors import PeerError
from roost.messaging import logs, outbox
from roost.messaging.groups import holding, offers, places, states
from roost.messaging.groups.rules import Change
from roost.messaging.origin import Origin
from roost.messaging.records import GroupAnswer, GroupMember, GroupRow, GroupStatus, Seen
from roost.messaging.work import Work
from roost.wire.codec import encode
from roost.wire.content import encode_content
from roost.wire.groups import EntryId, GroupFound, GroupLost, LogPlace, Rejoin, RejoinInfo, SealedRecord

LABEL = b"roost group rejoin"
ANSWER_SPREAD_MS = 3_000  # within which one of a few members answers; more in large groups
LONGEST_SPREAD_MS = 30_000
ANSWERED_MS = 15_000  # one device is answered at most so often
AGAIN_MS = 60 * 60_000  # who asks again within that is answered by several
SEVERAL = 4
MAX_ANSWERS = 16  # that wait in one group


def signed_part(group: bytes, account: bytes, device: bytes, epoch: int, nonce: EntryId, key: bytes) -> bytes:
    return encode((group, account, device, epoch, nonce, key))


def ask_id(ask: Rejoin) -> bytes:
    return hashlib.sha256(b"group rejoin" + encode(ask)).digest()


def answer_id(ask: bytes) -> bytes:
    return hashlib.sha256(b"group rejoin answer" + ask).digest()


def asked(work: Work, row: GroupRow, ask: Rejoin) -> None:
    """A device asks to be let in again. Raises PeerError unless it is a member's, and signed by it."""
    member = work.get(GroupMember, row.id, ask.account)
    if member is None or ask.device not in member.devices or ask.device == work.me.device:
        raise PeerError("no member asks to be let in again", code="not_a_member")
    said = signed_part(row.id, ask.account, ask.device, ask.epoch, ask.nonce, ask.key)
    VerifyKey(ask.device).verify(Label.GROUP_REJOIN, said, ask.signature)
    if ask.epoch > row.epoch or work.get(Seen, _answered(row, ask.device)) is not None:
        return
    waiting = work.find(GroupAnswer, where={"group": row.id})
    if len(waiting) >= MAX_ANSWERS and all(answer.device != ask.device for answer in waiting):
        return
    people = len(states.members(work, row.id))
    spread = min(ANSWER_SPREAD_MS + 50 * people, LONGEST_SPREAD_MS)
    pause, chance = (int.from_bytes(work.entropy.bytes(4), "big") % most for most in (spread, people))
    again = work.get(Seen, _helped(row, ask.device)) is not None
    if not again or chance < SEVERAL:
        work.put(GroupAnswer(row.id, ask.device, ask_id(ask), ask.key, work.now + pause, again))


def answer_seen(work: Work, row: GroupRow, record: SealedRecord) -> None:
    """Somebody answered."""
    for answer in work.find(GroupAnswer, where={"group": row.id}):
        if record.id == answer_id(answer.ask) and not answer.again:
            _settle(work, row, answer)


def commit_seen(work: Work, row: GroupRow, change: Change) -> None:
    """A device came back: no answer is needed."""
    answer = work.get(GroupAnswer, row.id, change.device) if change.external else None
    if answer is not None:
        _settle(work, row, answer)


def answer_due(work: Work) -> None:
    """Answer those whom nobody else has."""
    for answer in work.find(GroupAnswer, at_most=("due_at", work.now)):
        row = work.get(GroupRow, answer.group)
        work.delete(answer)
        if row is not None and row.status == GroupStatus.ACTIVE:
            _answer(work, row, answer)


def _answer(work: Work, row: GroupRow, answer: GroupAnswer) -> None:
    log, group = places.current(work, row), holding.load(work, row.id)
    if log is None:
        return
    info = RejoinInfo(group.group_info(), holding.envelope_key(group))
    try:
        sealed = offers.SUITE.encrypt(answer.key_bytes, LABEL, answer.ask, encode(info), work.entropy)
    except mls.MlsError:  # its key is none
        return
    logs.append(work, log, places.request_key(row), encode(SealedRecord(answer_id(answer.ask), sealed.encode())))
    _settle(work, row, answer)


def _settle(work: Work, row: GroupRow, answer: GroupAnswer) -> None:
    work.delete(answer)
    work.put(Seen(_answered(row, answer.device), work.now + ANSWERED_MS))
    work.put(Seen(_helped(row, answer.device), work.now + AGAIN_MS))


def _answered(row: GroupRow, device: bytes) -> bytes:
    return b"rejoin" + row.id + device


def _helped(row: GroupRow, device: bytes) -> bytes:
    return b"rejoin lately" + row.id + device


def next_answer(work: Work) -> int | None:
    rows = work.find(GroupAnswer, order="due_at", limit=1)
    return rows[0].due_at if rows else None


def log_asked(work: Work, origin: Origin, content: GroupLost) -> None:
    """A contact's device cannot find the group's log: tell it, if it is in the group."""
    row = work.get(GroupRow, content.group)
    member = work.get(GroupMember, content.group, origin.account)
    if row is None or row.status != GroupStatus.ACTIVE or member is None or origin.device not in member.devices:
        raise PeerError("no member asks for a group", code="not_a_member")
    mark = b"where" + _answered(row, origin.device)
    log = places.current(work, row)
    if work.get(Seen, mark) is not None or log is None:
        return
    work.put(Seen(mark, work.now + ANSWERED_MS))
    place = LogPlace(log.relay, row.generation)
    outbox.queue(
        work, origin.account, origin.device, encode_content(GroupFound(row.id, place, row.log_secret, log.cursor))
    )
