"""From outbox rows to envelopes: choosing the session, cutting entries into frames, acknowledging on the way.

A row is sealed once; its envelopes are kept until the device acknowledges them, so nothing is encrypted twice under one
key and what is put again are the same bytes. This module does not decide when or where envelopes are put.
"""

from __future__ import annotations

from collections.abc import Container

import msgspec

from roost.crypto import BODY_SIZE, AgreementSecret, LocalIdentity, Session
from roost.messaging import floors, identity, outbox, peers, rounds
from roost.messaging.pauses import MINUTE_MS
from roost.messaging.records import NEVER, Contact, ContactState, Me, Outbox, OutboxState, PeerDevice, SessionRow
from roost.messaging.work import Work
from roost.wire import padding
from roost.wire.codec import encode
from roost.wire.content import (
    Acknowledgement,
    DeviceAnnouncement,
    Entry,
    Frame,
    SentCopy,
    Text,
    decode_content,
    encode_content,
    frame_check,
)
from roost.wire.groups import GroupCheck, GroupFound, GroupLost, GroupWelcome, KeyPackageOffer, KnockAccepted
from roost.wire.identity import SignedCard
from roost.wire.sizes import ACKNOWLEDGEMENT_SIZE, FRAME_OVERHEAD, MAX_ACKNOWLEDGEMENTS

PART_SIZE = BODY_SIZE - padding.OVERHEAD - FRAME_OVERHEAD
WINDOW = 16_384  # frames of a session that may be unacknowledged: they wait at the host for a device that is away
MAX_SESSIONS = 4  # kept for one device, so that sessions begun at once or in flight still open
DEVICE_ROWS = 64  # rows sealed in one step
AT_ONCE_MS = 60 * 60_000  # a session of mine that is not answered for longer makes way for one of theirs
ACKNOWLEDGE_TRIES = 12  # of one bare acknowledgement, ten minutes in all; then its sender puts again what it is for
BETWEEN_STRANGERS = (
    DeviceAnnouncement | KeyPackageOffer | GroupWelcome | GroupCheck | GroupLost | GroupFound | KnockAccepted
)
"""What devices of people who are no contacts may tell each other."""


def local_identity(me: Me, account: bytes | None = None) -> LocalIdentity:
    return LocalIdentity(account or me.account, AgreementSecret.from_bytes(me.device_identity))


def seal_new(work: Work) -> None:
    """Seal what this very step has queued, so that a message and its envelopes are one commit."""
    queued = {(row.account, row.device): None for row in work.written(Outbox) if row.state == OutboxState.QUEUED}
    for account, device in queued:
        peer = work.get(PeerDevice, account, device)
        if peer is not None:
            seal_waiting(work, peer)


def can_seal(work: Work, peer: PeerDevice) -> bool:
    """Whether `seal_waiting` would seal something for this device."""
    for row in _next_rows(work, peer, 1):
        keyed = peer.session or peer.card is not None
        return bool(keyed) and (row.address or peer.address) is not None and _uploaded(work, row)
    return False


def _next_rows(work: Work, peer: PeerDevice, limit: int) -> list[Outbox]:
    """What waits for a device and may leave, in order; what the conversation's floor holds is passed over, and what is
    said to somebody who has not accepted yet: they would drop it, also where a group has shown us their address."""
    where = {"account": peer.account, "device": peer.device, "state": int(OutboxState.QUEUED)}
    contact = work.get(Contact, peer.account)
    asked = contact is not None and contact.state == ContactState.REQUESTED
    if not asked and floors.allows(work, peer):
        return work.find(Outbox, where=where, order="number", limit=limit)
    rows = [row for row in work.find(Outbox, where=where, order="number") if floors.may_leave(work, row, peer)]
    return [row for row in rows if not asked or _needs_no_contact(row)][:limit]


def _needs_no_contact(row: Outbox) -> bool:
    return row.address is not None or isinstance(decode_content(row.content), BETWEEN_STRANGERS)


def seal_waiting(work: Work, peer: PeerDevice) -> None:
    """Seal what waits for a device, in order, as far as uploads, address and window allow."""
    for row in _next_rows(work, peer, DEVICE_ROWS):
        if (row.address or peer.address) is None or not _uploaded(work, row):
            return
        session = sending_session(work, work.need(PeerDevice, peer.account, peer.device))
        if session is None or not seal_row(work, session, row):
            return


def _uploaded(work: Work, row: Outbox) -> bool:
    return not row.uploads or all(upload.done >= upload.pointer.blobs for upload in outbox.uploads_of(work, row))


def sending_session(work: Work, peer: PeerDevice) -> SessionRow | None:
    """The session to write to this device with; begun from its card if there is none, None without a card."""
    if peer.session:
        session = work.get(SessionRow, peer.session)
        if session is not None:
            return session
    return begin_session(work, peer) if peer.card is not None else None


def begin_session(work: Work, peer: PeerDevice) -> SessionRow:
    """Start a new session from the device's card and send with it from now on."""
    assert peer.card is not None
    session = new_session(work, peer, peer.card)
    use_session(work, peer, session)
    return session


def new_session(work: Work, peer: PeerDevice, card: SignedCard) -> SessionRow:
    """A session that begins with a handshake to one of the device's cards."""
    state = Session.initiate(local_identity(work.me), identity.prekey_bundle(card), work.entropy)
    return work.put(
        SessionRow(
            id=state.id,
            account=peer.account,
            device=peer.device,
            identity=peer.identity,
            state=state.to_bytes(),
            initiated=True,
            confirmed=False,
            created_at=work.now,
        )
    )


def use_session(work: Work, peer: PeerDevice, session: SessionRow) -> None:
    """Send with this session from now on; what is not acknowledged is sealed anew under it."""
    work.put(msgspec.structs.replace(peer, session=session.id))
    outbox.requeue(work, peer.account, peer.device, but_session=session.id)
    kept = sorted(
        work.find(SessionRow, where={"account": peer.account, "device": peer.device}),
        key=lambda row: (row.id == session.id, row.created_at),
        reverse=True,
    )
    for old in kept[MAX_SESSIONS:]:
        peers.forget_session(work, old)


def settle(work: Work, peer: PeerDevice, session: SessionRow) -> None:
    """Which session to send with, now that the device began this one.

    Where both began one at once, before either was answered, the lower handshake hash sends; both keep receiving on
    both. Mine was not begun at once if it has been waiting for long: then they could not open it.
    """
    current = work.get(SessionRow, peer.session) if peer.session else None
    crossed = (
        current is not None
        and current.initiated
        and not current.confirmed
        and work.now - current.created_at < AT_ONCE_MS
    )
    if current is None or not crossed or session.id < current.id:
        use_session(work, peer, session)


def seal_row(work: Work, session: SessionRow, row: Outbox) -> bool:
    """Seal one row; False when the window is full."""
    entry = encode(Entry(row.id, row.sent_at, row.counter, _final_content(work, row)))
    parts = [entry[start : start + PART_SIZE] for start in range(0, len(entry), PART_SIZE)]
    if session.next_number + len(parts) - 1 - session.acked > WINDOW:
        return False
    floor = _floor(work, session)
    envelopes, checks = [], []
    check = session.said if floor < session.next_number else b""
    state = work.sessions.of(session)
    acknowledgements = collect_acknowledgements(work, session, room=PART_SIZE - len(parts[-1]))
    session = work.need(SessionRow, session.id)
    for index, part in enumerate(parts):
        frame = Frame(
            session.next_number + index,
            floor,
            index,
            len(parts),
            part,
            acknowledgements if index == len(parts) - 1 else (),
            quiet=not work.me.delivery_receipts,
        )
        state, envelope = state.seal(padding.pad(encode(frame), BODY_SIZE), work.entropy)
        envelopes.append(envelope)
        check = frame_check(check, part)
        checks.append(check)
    work.put(
        msgspec.structs.replace(
            row,
            state=OutboxState.SEALED,
            session=session.id,
            first=session.next_number,
            envelopes=tuple(envelopes),
            checks=tuple(checks),
            next_at=work.now,
            problem="",
        )
    )
    sealed = work.sessions.advanced(session, state)
    work.put(msgspec.structs.replace(sealed, next_number=session.next_number + len(parts), said=check))
    return True


def _floor(work: Work, session: SessionRow) -> int:
    """The lowest number of the session that I still keep; the next one when none."""
    for row in work.find(Outbox, where={"session": session.id}, order="number", limit=1):
        return row.first  # rows of a session are sealed in the order of their numbers
    return session.next_number


def _final_content(work: Work, row: Outbox) -> bytes:
    """The content with this device's pointers in its attachments, wrapped when it is a copy for a device of mine."""
    content = row.content
    if row.uploads:
        text = decode_content(content)
        assert isinstance(text, Text)
        pointers = [upload.pointer for upload in outbox.uploads_of(work, row)]
        attachments = tuple(
            msgspec.structs.replace(attachment, pointer=pointer)
            for attachment, pointer in zip(text.attachments, pointers, strict=True)
        )
        content = encode_content(msgspec.structs.replace(text, attachments=attachments))
    return encode_content(SentCopy(row.copy_of, content)) if row.copy_of else content


# --- acknowledgements ------------------------------------------------------------------------------------------------


def collect_acknowledgements(
    work: Work, session: SessionRow, *, room: int = PART_SIZE, again_at: int = NEVER
) -> tuple[Acknowledgement, ...]:
    """What is due to the device behind `session`, as much as a frame holds and `room` bytes do; next due `again_at`."""
    due = [
        row
        for row in work.find(SessionRow, where={"account": session.account, "device": session.device})
        if row.acknowledge_at != NEVER
    ]
    due = sorted(due, key=lambda row: row.acknowledge_at)[: min(MAX_ACKNOWLEDGEMENTS, room // ACKNOWLEDGEMENT_SIZE)]
    for row in due:
        work.put(_said(work, row, again_at))
    return tuple(Acknowledgement(row.id, row.received, row.highest, row.check) for row in due)


def _said(work: Work, row: SessionRow, again_at: int) -> SessionRow:
    """Again with growing pauses, and not for ever: each time takes a key of the session's, and a device that misses it
    puts what it sent once more; then it is said anew."""
    if again_at == NEVER or row.acknowledge_tries == ACKNOWLEDGE_TRIES:
        return msgspec.structs.replace(row, acknowledge_at=NEVER, acknowledge_tries=0)
    later = work.now + min((again_at - work.now) * 2**row.acknowledge_tries, MINUTE_MS)
    return msgspec.structs.replace(row, acknowledge_at=later, acknowledge_tries=row.acknowledge_tries + 1)


def due_acknowledgements(work: Work, under_way: Container[tuple[bytes, bytes]] = ()) -> list[PeerDevice]:
    """The devices that a bare envelope is due to now: an acknowledgement, or cover for another's (messaging.rounds).

    `under_way`: account and device of those that one is on its way to. What is due to them, again perhaps, waits for
    the end of that; it must not bring cover to others over and over meanwhile.
    """
    if not any(row.acknowledge_at <= work.now for row in work.find(SessionRow, order="acknowledge_at", limit=1)):
        return []
    sessions = work.find(SessionRow, at_most=("acknowledge_at", work.now))
    found = {}
    for session in sessions:
        name = session.account, session.device
        if session.device and name not in under_way:
            peer = work.get(PeerDevice, *name)
            if peer is not None and peer.address is not None:
                found[name] = peer
    return rounds.with_circles(work, list(found.values()))


def is_due(work: Work, peer: PeerDevice) -> bool:
    """Whether one of `due_acknowledgements` has something to be told, or is cover only."""
    sessions = work.find(SessionRow, where={"account": peer.account, "device": peer.device})
    return any(session.acknowledge_at <= work.now for session in sessions)


def seal_bare(work: Work, peer: PeerDevice, payload: bytes = b"", *, again_at: int = NEVER) -> bytes | None:
    """One envelope outside the order: the acknowledgements that are due, or what nobody needs to keep (typing).

    The acknowledgements are due again `again_at` unless `acknowledgement_put` says before that they are at their host:
    whoever dies in between says them again.
    """
    session = sending_session(work, peer)
    if session is None:
        return None
    acknowledgements = () if payload else collect_acknowledgements(work, session, again_at=again_at)
    session = work.need(SessionRow, session.id)
    frame = Frame(
        0, _floor(work, session), 0, 1 if payload else 0, payload, acknowledgements, not work.me.delivery_receipts
    )
    state, envelope = work.sessions.of(session).seal(padding.pad(encode(frame), BODY_SIZE), work.entropy)
    unheard = session.unheard + (not payload)  # hearing anything sets it back
    work.put(msgspec.structs.replace(work.sessions.advanced(session, state), unheard=unheard))
    return envelope


def acknowledgement_put(work: Work, peer: PeerDevice, again_at: int) -> None:
    """What `seal_bare` sealed with `again_at` is at its host."""
    sessions = work.find(SessionRow, where={"account": peer.account, "device": peer.device})
    for session in sessions:
        if again_at <= session.acknowledge_at < NEVER:
            work.put(msgspec.structs.replace(session, acknowledge_at=NEVER, acknowledge_tries=0))
    if any(session.acknowledge_tries > 1 for session in sessions):
        outbox.hurry_failed(work, peer.account, peer.device)
