"""From envelopes to entries: which session opens it, in which order its frames are, what has been seen before.

Every step is one unit of work: ratchet, frame numbers, message and acknowledgements are stored together or not at all.
A content that cannot be used is dropped with a named reason, but its frame still counts, so nothing hostile blocks a
session.
"""

from __future__ import annotations

import msgspec

from roost.crypto import Accepted, NotForThisSession, accept
from roost.errors import CryptoError, PeerError
from roost.messaging import contents, outbox, peers, sealing
from roost.messaging.identity import ForkedDeviceList
from roost.messaging.origin import Origin
from roost.messaging.outbox import REMEMBER_MS
from roost.messaging.records import (
    Contact,
    ContactState,
    MailboxState,
    OwnMailbox,
    PeerDevice,
    Prekey,
    Request,
    Seen,
    SessionRow,
    Stash,
)
from roost.messaging.work import Work
from roost.wire import padding
from roost.wire.codec import decode
from roost.wire.content import Entry, Frame, frame_check
from roost.wire.mailbox import MailboxKind

ACKNOWLEDGE_WITHIN_MS = 2_000
SALT_SIZE = 16  # what an envelope begins with; no two have the same, and a copy of one that was damaged further on does
STASH_LIMIT = sealing.WINDOW  # what I have received is never behind what the sender knows of it
CONTRADICTED = 2**32 - 1  # a frame number that no session reaches
MAX_UNKNOWN = 16  # sessions of one account whose devices have not announced themselves
RESET_PAUSE_MS = 60 * 60_000  # a device's session is replaced at most so often


def receive(work: Work, mailbox: OwnMailbox, number: int, envelope: bytes) -> None:
    """Take in one envelope of a mailbox of mine. `number` is its entry number there, 0 when it was ephemeral."""
    if mailbox.state in (MailboxState.TO_DELETE, MailboxState.CLOSED):
        return
    mark = b"envelope" + envelope[:SALT_SIZE]
    known = work.get(Seen, mark) is not None
    opened = None if known else _open(work, mailbox, envelope)
    if known:
        _acknowledge_again(work, mailbox)
    elif opened is None:
        _undecryptable(work, mailbox)
    else:
        work.put(Seen(mark, work.now + REMEMBER_MS))
        session, body = opened
        _receive_body(work, session, body, mailbox, number)
    current = work.get(OwnMailbox, mailbox.admin)
    if current is not None and number:
        _read_up_to(work, current, number, fresh=opened is not None)


def _read_up_to(work: Work, mailbox: OwnMailbox, number: int, *, fresh: bool) -> None:
    """Move the cursor, back too where something new comes under an old number: its host's numbers have fallen, or it
    lied about one, and what follows must not be trimmed unread."""
    if number > mailbox.cursor:
        work.put(msgspec.structs.replace(mailbox, cursor=number))
    elif fresh:
        work.put(msgspec.structs.replace(mailbox, cursor=number, trimmed=min(mailbox.trimmed, number - 1)))


# --- opening ---------------------------------------------------------------------------------------------------------


def _open(work: Work, mailbox: OwnMailbox, envelope: bytes) -> tuple[SessionRow, bytes] | None:
    """The session that the envelope belongs to, advanced, and its plaintext; None when nothing of mine opens it."""
    for row in sorted(_sessions(work, mailbox), key=lambda row: row.created_at, reverse=True):
        try:
            state, body = work.sessions.of(row).open(envelope)
        except NotForThisSession:
            continue
        except CryptoError as error:
            work.mention("dropped", account=row.account, detail=error.code)
            return None if error.code != "replayed" else (row, b"")
        updated = msgspec.structs.replace(work.sessions.advanced(row, state), confirmed=True, unheard=0)
        return work.put(updated), body
    return _open_handshake(work, mailbox, envelope)


def _sessions(work: Work, mailbox: OwnMailbox) -> list[SessionRow]:
    """The sessions that may write here. A device that waits to be linked does not know its account yet: all."""
    if mailbox.account and work.me.linked:
        return work.find(SessionRow, where={"account": mailbox.account})
    return [row for row in work.find(SessionRow) if row.invitation == mailbox.invitation]


def _open_handshake(work: Work, mailbox: OwnMailbox, envelope: bytes) -> tuple[SessionRow, bytes] | None:
    known = bool(mailbox.account) and work.me.linked
    where = {"account": mailbox.account} if known else {"invitation": mailbox.invitation}
    for prekey in work.find(Prekey, where=where):
        local = sealing.local_identity(work.me, prekey.as_account)
        try:
            accepted = accept(local, peers.prekey_secrets(prekey), envelope)
        except NotForThisSession:
            continue
        except CryptoError as error:
            work.mention("dropped", detail=error.code)
            return None
        return _accept_session(work, mailbox, prekey, accepted)
    return None


def _accept_session(
    work: Work, mailbox: OwnMailbox, prekey: Prekey, accepted: Accepted
) -> tuple[SessionRow, bytes] | None:
    """Keep a session that another device began, unless this handshake was seen before."""
    mark = b"handshake" + accepted.session.id
    linking = not work.me.linked
    if work.get(Seen, mark) or (mailbox.account and not linking and accepted.account != mailbox.account):
        work.mention("dropped", detail="handshake_refused")
        return None
    work.put(Seen(mark, max(prekey.expires_at, work.now) + REMEMBER_MS))
    _make_room(work, accepted.account)
    identity = accepted.identity.raw
    peer = next(
        (peer for peer in work.find(PeerDevice, where={"account": accepted.account}) if peer.identity == identity), None
    )
    session = work.put(
        SessionRow(
            id=accepted.session.id,
            account=accepted.account,
            device=peer.device if peer and mailbox.account else b"",
            identity=identity,
            state=accepted.session.to_bytes(),
            initiated=False,
            confirmed=True,
            created_at=work.now,
            invitation=mailbox.invitation,
        )
    )
    if peer is not None and mailbox.account:
        sealing.settle(work, peer, session)
    return session, accepted.body


def _make_room(work: Work, account: bytes) -> None:
    """Sessions of devices that have not announced themselves are few: whoever holds a card of mine can begin them
    without end, and every envelope is tried on all. One that asks to become a contact stays until that is decided."""
    asked = {row.session for row in work.find(Request, where={"account": account})}
    unknown = [row for row in work.find(SessionRow, where={"account": account, "device": b""}) if row.id not in asked]
    for row in sorted(unknown, key=lambda row: row.created_at)[: max(len(unknown) - MAX_UNKNOWN + 1, 0)]:
        peers.forget_session(work, row)


# --- frames ----------------------------------------------------------------------------------------------------------


def _receive_body(work: Work, session: SessionRow, body: bytes, mailbox: OwnMailbox, number: int) -> None:
    if not body:  # another envelope under a key that was used: see _contradicted
        _contradicted(work, session)
        return
    try:
        frame = decode(Frame, padding.unpad(body))
    except PeerError as error:
        work.mention("dropped", account=session.account, detail=error.code)
        return
    for said in frame.acknowledge:
        of = work.get(SessionRow, said.session)
        if of is None or (of.account, of.device) != (session.account, session.device):
            continue
        if not outbox.acknowledged(work, of, said, quiet=frame.quiet):
            _was_put_back(work, of)
    _note_writer(work, session, mailbox)
    if frame.number == 0:
        if frame.payload:
            _deliver(work, session, frame.payload, mailbox, number)
        return
    _acknowledge_soon(work, session)
    _take_frame(work, session.id, frame, mailbox, number)


def _take_frame(work: Work, session_id: bytes, frame: Frame, mailbox: OwnMailbox, number: int) -> None:
    """Stash the frame, then process all that are next in order."""
    session = work.need(SessionRow, session_id)
    if session.highest == CONTRADICTED:  # all of it comes again, in order, under another session
        return
    if frame.number <= session.received:
        _contradicted(work, session)
        return
    received = max(session.received, min(frame.floor, frame.number) - 1)
    if frame.number > received + STASH_LIMIT:
        return
    if received > session.received:  # we miss what the sender no longer keeps: go on without it
        for stash in work.find(Stash, where={"session": session_id}):
            if stash.number < frame.floor:
                work.delete(stash)
    first = frame.floor >= frame.number
    work.put(Stash(session_id, frame.number, frame.part, frame.parts, frame.payload, mailbox.admin, number, first))
    highest = max(session.highest, frame.number)
    check = session.check if received == session.received else b""
    work.put(msgspec.structs.replace(session, received=received, highest=highest, check=check))
    while (ready := work.get(Stash, session_id, received + 1)) is not None:
        received += 1
        check = _check_after(check, ready)
        work.put(msgspec.structs.replace(work.need(SessionRow, session_id), received=received, check=check))
        if ready.part == 0:
            _drop_unfinished(work, session_id, received)
        if ready.part == ready.parts - 1:
            _finish_entry(work, session_id, ready)
            if work.get(SessionRow, session_id) is None:  # the entry ended the contact, and the session with it
                return


def _check_after(before: bytes, frame: Stash) -> bytes:
    """The check of a frame that follows the one with check `before`: of all frames since one before which its sender
    kept nothing. What was said in another life of its device, under any of these numbers, gives another."""
    if frame.first:
        return frame_check(b"", frame.payload)
    return frame_check(before, frame.payload) if before else b""


def _drop_unfinished(work: Work, session_id: bytes, before: int) -> None:
    """Entries are never interleaved: where one begins, parts of an earlier one that never ended are junk."""
    number = before - 1
    while (unfinished := work.get(Stash, session_id, number)) is not None:
        work.delete(unfinished)
        number -= 1


def _finish_entry(work: Work, session_id: bytes, last: Stash) -> None:
    """Join the parts of the entry that ends here."""
    parts = [work.get(Stash, session_id, last.number - last.part + index) for index in range(last.parts)]
    for part in parts:
        if part is not None:
            work.delete(part)
    whole = [part for index, part in enumerate(parts) if part and (part.part, part.parts) == (index, last.parts)]
    if len(whole) != last.parts:
        work.mention("dropped", detail="broken_entry")
        return
    mailbox = work.get(OwnMailbox, last.mailbox)
    payload = b"".join(part.payload for part in whole)
    _deliver(work, work.need(SessionRow, session_id), payload, mailbox, last.entry)


def _deliver(work: Work, session: SessionRow, payload: bytes, mailbox: OwnMailbox | None, number: int) -> None:
    """Hand one entry to messaging.contents, once; a bad one is dropped and changes nothing but its place in the
    order."""
    attempt = Work(work, work.now, work.entropy, work.sessions)
    try:
        entry = decode(Entry, payload)
        mark = b"entry" + session.account + entry.id
        if attempt.get(Seen, mark) is not None:
            return
        attempt.put(Seen(mark, work.now + REMEMBER_MS))
        origin = Origin(
            session.account, session.device, session.identity, session.id, mailbox.admin if mailbox else b"", number
        )
        contents.apply_entry(attempt, origin, entry)
    except PeerError as error:
        work.mention("dropped", account=session.account, detail=error.code)
        if isinstance(error, ForkedDeviceList):
            peers.show_fork(work, error.account)
        return
    work.merge(attempt)


def _note_writer(work: Work, session: SessionRow, mailbox: OwnMailbox) -> None:
    """Remember which mailbox of mine the device writes to, so that a replaced one can go."""
    if not session.device or mailbox.kind != MailboxKind.ORDINARY:
        return
    peer = work.get(PeerDevice, session.account, session.device)
    if peer is not None and peer.wrote_to != mailbox.admin:
        work.put(msgspec.structs.replace(peer, wrote_to=mailbox.admin))


# --- acknowledging, and what cannot be opened ------------------------------------------------------------------------


def _acknowledge_soon(work: Work, session: SessionRow) -> None:
    """Within two seconds, at random: an instant answer would single out who writes to whom (DESIGN section 6)."""
    current = work.need(SessionRow, session.id)
    if current.acknowledge_at > work.now + ACKNOWLEDGE_WITHIN_MS:
        pause = int.from_bytes(work.entropy.bytes(4), "big") % ACKNOWLEDGE_WITHIN_MS
        work.put(msgspec.structs.replace(current, acknowledge_at=work.now + pause + 1, acknowledge_tries=0))


def _acknowledge_again(work: Work, mailbox: OwnMailbox) -> None:
    """The same envelope came twice: its sender may have missed our acknowledgement."""
    for session in work.find(SessionRow, where={"account": mailbox.account}) if mailbox.account else ():
        if session.received:
            _acknowledge_soon(work, session)


def _contradicted(work: Work, session: SessionRow) -> None:
    """Something new came under a key or number that was used before (the same envelope again is told by its salt): the
    device was put back from an older copy, or somebody forged it. From now on what we acknowledge of this session says
    so, whatever number it names; the device then begins a new one and sends again what it may have lost."""
    _acknowledge_soon(work, work.put(msgspec.structs.replace(session, highest=CONTRADICTED)))


def _was_put_back(work: Work, session: SessionRow) -> None:
    """The device acknowledges frames that this profile never sent: it was put back from an older copy. What waits for
    that device is sealed anew under a new session, or it would be taken for what was sent before."""
    peer = work.get(PeerDevice, session.account, session.device)
    if peer is None or peer.session != session.id or peer.card is None or peer.address is None:
        return
    sealing.begin_session(work, work.put(msgspec.structs.replace(peer, announced=0)))
    work.tell("session_reset", account=session.account, detail="older_copy")
    peers.announce_anew(work, session.account)


def _undecryptable(work: Work, mailbox: OwnMailbox) -> None:
    """Nothing opens it. If a contact wrote it, one of us lost state: begin new sessions, rarely, and show it."""
    work.mention("dropped", account=mailbox.account, detail="undecryptable")
    contact = work.get(Contact, mailbox.account) if mailbox.account else None
    if contact is None or contact.state not in (ContactState.ACCEPTED, ContactState.SELF):
        return
    for peer in work.find(PeerDevice, where={"account": mailbox.account}):
        if peer.card is None or peer.address is None or 0 <= work.now - peer.reset_at < RESET_PAUSE_MS:
            continue
        peer = work.put(msgspec.structs.replace(peer, reset_at=work.now, announced=0))
        sealing.begin_session(work, peer)
        work.tell("session_reset", account=mailbox.account)
    peers.announce(work, mailbox.account)
