"""Parcels that leave: made from the outbox and from acknowledgements that are due, or carried for others.

What is given to a courier is marked, and given to that courier again only after a pause; the outbox's rows are not
changed by it. A file holds everything that is not acknowledged, each time anew.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import islice

import msgspec

from roost.crypto import parcel_head, seal_parcel
from roost.messaging import floors, outbox, sealing
from roost.messaging.parcels import carried, couriers, files
from roost.messaging.parcels.files import BlobWanted
from roost.messaging.records import (
    CarriedBytes,
    CarriedParcel,
    CourierContact,
    CourierSettings,
    Outbox,
    OutboxState,
    PeerDevice,
    Seen,
    SessionRow,
)
from roost.messaging.work import Work
from roost.wire.addresses import Address, DeviceHost
from roost.wire.parcels import MAX_OFFERED, CarriedPut, Parcel, ParcelBody, ParcelHead, WantParcels, encode_body

MINUTE_MS = 60_000
HOUR_MS = 60 * MINUTE_MS
DIRECT_FIRST_MS = MINUTE_MS  # the direct way is tried before anybody else is shown that something waits
STORED_FOR_MS = HOUR_MS  # what lies at a host so long without an answer is carried too
AGAIN_MS = 24 * HOUR_MS  # the same to the same courier
NOT_WANTED_MS = 6 * HOUR_MS
ACKNOWLEDGE_FOR_MS = 7 * carried.DAY_MS  # since they wrote by parcel


@dataclass(frozen=True, slots=True)
class Letter:
    """One request of mine for a mailbox at somebody's device. `blob` says which bytes must be read for it first."""

    meeting: bytes
    mark: bytes  # names it among what was given to couriers
    request: ParcelBody | None = None
    blob: BlobWanted | None = None
    pause_ms: int = 0  # before it is offered again to somebody who does not take it at once


@dataclass(frozen=True, slots=True)
class Offered:
    """A parcel that can be handed over. `letter` is None for one that is carried for somebody else."""

    head: ParcelHead
    letter: Letter | None = None

    @property
    def blob(self) -> BlobWanted | None:
        """The bytes that `parcel_of` must be given; None where it needs none."""
        return self.letter.blob if self.letter is not None else None


def offer(
    work: Work, account: bytes, device: bytes = b"", *, with_files: bool = False, limit: int = MAX_OFFERED
) -> list[Offered]:
    """What a device of a contact that is near could take, by rising ids: what I carry, since it may be for it, and
    parcels of mine if the contact carries. Empty when there is nothing new."""
    if not couriers.is_known(work, account):
        return []
    settings = couriers.settings_of(work)
    found: list[Offered] = []
    if couriers.uses_couriers(settings) and account in couriers.carriers(work):
        letters = (
            letter
            for letter in _letters(work, but=(account, device), with_files=with_files, direct_first=True)
            if not _was_given(work, account, letter.mark)
        )
        for letter in islice(letters, limit):
            found.append(_offered(work, settings, letter))
            if letter.pause_ms:
                work.put(Seen(_given(account, letter.mark), work.now + letter.pause_ms))
    shown = account[:8]
    for row in work.find(CarriedParcel, order="received_at"):
        if len(found) >= limit:
            break
        if row.account != account and shown not in row.offered and row.expires_at > work.now:
            found.append(Offered(carried.head_of(row)))
    return sorted(found, key=lambda offered: offered.head.id)


def to_export(work: Work, *, with_files: bool = False) -> Iterator[Offered]:
    """Everything for a file: all that is not acknowledged, acknowledgements, and what I carry and may pass on."""
    settings = couriers.settings_of(work)
    for letter in _letters(work, but=None, with_files=with_files, direct_first=False):
        yield _offered(work, settings, letter)
    for row in work.find(CarriedParcel, order="received_at"):
        if row.expires_at > work.now:
            yield Offered(carried.head_of(row))


def parcel_of(work: Work, offered: Offered, blob: bytes = b"") -> Parcel | None:
    """The parcel itself; None when it was carried and is forgotten. `blob`: the 65,536 bytes for `offered.blob`."""
    head, letter = offered.head, offered.letter
    if letter is None:
        held = work.get(CarriedBytes, head.id)
        return Parcel(head.hops, head.expires, held.sealed) if held is not None else None
    request = letter.blob.request(blob) if letter.blob is not None else letter.request
    assert request is not None
    return Parcel(head.hops, head.expires, seal_parcel(letter.meeting, head.head, encode_body(request)))


def answered(work: Work, account: bytes, offered: Sequence[Offered], wanted: WantParcels) -> list[Offered]:
    """A device of `account` said what it wants of an offer: those to hand over. The others are not offered again
    soon."""
    own, carry = set(wanted.own), set(wanted.carry)
    chosen = [one for one in offered if one.head.id in own or (one.head.id in carry and one.head.hops > 0)]
    ids = {one.head.id for one in chosen}
    for one in offered:
        if one.head.id not in ids:
            _mark(work, account, one, NOT_WANTED_MS)
    return chosen


def took(work: Work, account: bytes, handed: Sequence[Offered], wanted: WantParcels, ids: Sequence[bytes]) -> None:
    """It has these on its disk. What I carried for it is done with."""
    done, own = set(ids), set(wanted.own)
    for one in handed:
        row = work.get(CarriedParcel, one.head.id)
        if one.head.id not in done:
            continue
        if one.head.id in own and row is not None and one.letter is None:
            carried.forget(work, row)
        else:
            bare = one.letter is not None and one.letter.pause_ms
            _mark(work, account, one, ACKNOWLEDGE_FOR_MS if bare else AGAIN_MS)  # what it answers comes again first


def _mark(work: Work, account: bytes, one: Offered, pause_ms: int) -> None:
    row = work.get(CarriedParcel, one.head.id)
    if one.letter is not None:
        work.put(Seen(_given(account, one.letter.mark), work.now + pause_ms))
    elif row is not None and account[:8] not in row.offered:
        work.put(msgspec.structs.replace(row, offered=(*row.offered, account[:8])))


def _was_given(work: Work, account: bytes, mark: bytes) -> bool:
    held = work.get(Seen, _given(account, mark))
    return held is not None and held.until > work.now


def _given(account: bytes, mark: bytes) -> bytes:
    return b"given" + account + mark


def _offered(work: Work, settings: CourierSettings, letter: Letter) -> Offered:
    head = parcel_head(letter.meeting, work.entropy)
    expires = work.now // carried.DAY_MS + settings.days
    return Offered(ParcelHead(head, letter.blob is not None, settings.hops, expires), letter)


# --- what of mine could travel ---------------------------------------------------------------------------------------


def _letters(work: Work, *, but: tuple[bytes, bytes] | None, with_files: bool, direct_first: bool) -> Iterator[Letter]:
    """Requests to devices that host their own mailboxes. `but`: an account and a device of it, or all of them when that
    is empty, which are written to without couriers."""
    heard = {row.account: row.heard_at for row in work.find(CourierContact)}
    for peer in work.find(PeerDevice):
        address = _at_device(peer.addresses)
        if but is not None and peer.account == but[0] and but[1] in (b"", peer.device):
            continue
        if with_files:
            files.seal_waiting(work, peer, address, direct_first=direct_first)
        yield from _rows_of(work, peer, address, with_files=with_files, direct_first=direct_first)
        heard_at = heard.get(peer.account, 0)
        if address is not None and heard_at > work.now - ACKNOWLEDGE_FOR_MS:
            yield from _acknowledgement(work, peer, address, heard_at, to=but[0] if but is not None else b"")


def _rows_of(
    work: Work, peer: PeerDevice, at_device: Address | None, *, with_files: bool, direct_first: bool
) -> Iterator[Letter]:
    for state in (OutboxState.SEALED, OutboxState.STORED):
        where = {"account": peer.account, "device": peer.device, "state": int(state)}
        for row in work.find(Outbox, where=where, order="number"):
            address = at_device if row.address is None else _at_device((row.address,) if row.probe else ())
            if address is None or not floors.may_take(work, row, _by_hand(address)):
                continue
            if direct_first and not _is_stuck(work, row):
                continue
            if with_files:
                yield from _blobs_of(work, row, address)
            yield from _puts_of(work, row, address)


def _is_stuck(work: Work, row: Outbox) -> bool:
    """Whether its own way has been tried: couriers see no more than they must."""
    age = work.now - row.created_at
    if row.state == OutboxState.STORED:
        return age > STORED_FOR_MS
    return bool(row.attempts) or age > DIRECT_FIRST_MS


def _puts_of(work: Work, row: Outbox, address: Address) -> Iterator[Letter]:
    needs = outbox.needs_of(work, row)
    for index, envelope in enumerate(row.envelopes):
        mark = _mark_of_row(row) + index.to_bytes(2, "big")
        yield Letter(_meeting(address), mark, CarriedPut(address.put, envelope, needs))


def _blobs_of(work: Work, row: Outbox, address: Address) -> Iterator[Letter]:
    for wanted in files.blobs_of(work, row, address):
        place = wanted.upload.index.to_bytes(1, "big") + wanted.index.to_bytes(3, "big")
        yield Letter(_meeting(address), _mark_of_row(row) + b"blob" + place, blob=wanted)


def _mark_of_row(row: Outbox) -> bytes:
    """Of the row as it is sealed now: sealed anew, it travels anew."""
    return row.number.to_bytes(8, "big") + row.session


def _acknowledgement(work: Work, peer: PeerDevice, address: Address, heard_at: int, *, to: bytes) -> Iterator[Letter]:
    """What the device is to be told of its frames, whether or not it was told by another way: that may be closed."""
    sessions = [
        session
        for session in work.find(SessionRow, where={"account": peer.account, "device": peer.device})
        if session.received
    ]
    mark = _mark_of_hearing(heard_at, sessions)
    if to and _was_given(work, to, mark):
        return  # every envelope takes a key of the session's: none for nothing new
    for session in sessions:
        work.put(msgspec.structs.replace(session, acknowledge_at=work.now))
    envelope = sealing.seal_bare(work, peer) if sessions else None
    for session in sessions:  # as it was: the direct way has its own attempts
        held = work.need(SessionRow, session.id)
        before = {"acknowledge_at": session.acknowledge_at, "acknowledge_tries": session.acknowledge_tries}
        work.put(msgspec.structs.replace(held, **before))
    if envelope is not None:
        yield Letter(_meeting(address), mark, CarriedPut(address.put, envelope, bare=True), pause_ms=HOUR_MS)


def _mark_of_hearing(heard_at: int, sessions: list[SessionRow]) -> bytes:
    """Another one as soon as there is more to acknowledge, or the same came again."""
    known = b"".join(row.id + row.received.to_bytes(4, "big") + row.highest.to_bytes(4, "big") for row in sessions)
    return b"heard" + heard_at.to_bytes(8, "big") + known


def _at_device(addresses: Sequence[Address]) -> Address | None:
    """The first of them that is at somebody's own device."""
    return next((address for address in addresses if isinstance(address.relay, DeviceHost)), None)


def _by_hand(address: Address) -> Address:
    """As floors see a way by couriers: whoever carries may know both ends, which no onion service changes."""
    assert isinstance(address.relay, DeviceHost)
    return msgspec.structs.replace(address, relay=msgspec.structs.replace(address.relay, onion=b""))


def _meeting(address: Address) -> bytes:
    assert isinstance(address.relay, DeviceHost)
    return address.relay.meeting
