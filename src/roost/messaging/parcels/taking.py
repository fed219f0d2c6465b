"""Parcels that come, from a device nearby or in a file: mine are opened, others' are carried on within limits."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import msgspec

from roost.crypto import open_parcel, recognised
from roost.errors import CryptoError, WireError
from roost.messaging.parcels import carried, couriers
from roost.messaging.parcels.carried import Drop, Room
from roost.messaging.records import OwnMailbox, WaitingParcel
from roost.messaging.work import Work
from roost.wire.mailbox import Put, PutBlob
from roost.wire.parcels import Parcel, ParcelHead, WantParcels, decode_body

FROM_A_FILE = b""


@dataclass(frozen=True, slots=True)
class Mine:
    """A parcel for this device: what its host is to be asked as if it came over a link."""

    parcel: Parcel
    meeting: bytes
    request: Put | PutBlob
    bare: bool = False


@dataclass(frozen=True, slots=True)
class Taken:
    """What became of some parcels. In `mine` blobs come first, then what waited for them, then the new puts."""

    mine: tuple[Mine, ...]
    kept: tuple[bytes, ...]
    dropped: tuple[tuple[bytes, Drop], ...]


def want(work: Work, account: bytes, heads: Sequence[ParcelHead], meetings: Sequence[bytes]) -> WantParcels:
    """Which of the parcels that a device of `account` offers this one takes."""
    own = recognised([head.head for head in heads], meetings)
    room = _room(work, account)
    mine, carry = [], []
    for place, head in enumerate(heads):
        if carried.was_seen(work, head.id):
            continue
        if place in own:
            mine.append(head.id)
        elif not isinstance(room, Drop) and room.take(head.hops, head.expires, head.size) is None:
            carry.append(head.id)
    return WantParcels(tuple(sorted(set(mine))), tuple(sorted(set(carry) - set(mine))))


def take(work: Work, account: bytes, parcels: Sequence[Parcel], meetings: Sequence[bytes]) -> Taken:
    """Take parcels that a device of `account` handed over, or that a file holds (FROM_A_FILE).

    The host is asked for all of `mine`, in order, *before* this step is written, so that a crash in between loses none:
    it knows an envelope again, and asking twice does no harm. What it cannot take now is given to `defer`, all else to
    `settled`.
    """
    settings = couriers.settings_of(work)
    own = recognised([parcel.head for parcel in parcels], meetings)
    room = _room(work, account)
    mine: list[Mine] = []
    kept: list[bytes] = []
    dropped: list[tuple[bytes, Drop]] = []
    for place, parcel in enumerate(parcels):
        refused: Drop | None
        if carried.was_seen(work, parcel.id):
            refused = Drop.DUPLICATE
        elif place in own:
            opened = _open(work, parcel, own[place])
            refused = opened if isinstance(opened, Drop) else None
            if isinstance(opened, Mine):
                mine.append(opened)
        else:
            refused = room if isinstance(room, Drop) else room.take(parcel.hops, parcel.expires, len(parcel.sealed))
            if refused is None:
                carried.keep(work, settings, account, parcel)
                kept.append(parcel.id)
        if refused is not None:
            dropped.append((parcel.id, refused))
    _note_senders(work, mine)
    blobs = [one for one in mine if isinstance(one.request, PutBlob)]
    puts = [one for one in mine if isinstance(one.request, Put)]
    before = waiting(work) if mine else ()
    return Taken((*blobs, *before, *puts), tuple(kept), tuple(dropped))


def _room(work: Work, account: bytes) -> Room | Drop:
    if account != FROM_A_FILE and not couriers.is_known(work, account):
        return Drop.STRANGER
    return Room(work, couriers.settings_of(work), account)


def _open(work: Work, parcel: Parcel, meeting: bytes) -> Mine | Drop:
    if carried.ends_at(parcel.expires) <= work.now:
        return Drop.EXPIRED
    try:
        opened = _mine(parcel, meeting)
    except CryptoError:
        return Drop.FORGED
    except WireError:
        return Drop.MALFORMED
    carried.remember(work, parcel.id)
    return opened


def _mine(parcel: Parcel, meeting: bytes) -> Mine:
    body = decode_body(open_parcel(meeting, parcel.sealed))
    if isinstance(body, PutBlob):
        return Mine(parcel, meeting, body)
    return Mine(parcel, meeting, Put(body.put, body.envelope, needs=body.needs), body.bare)


def _note_senders(work: Work, mine: list[Mine]) -> None:
    """Who writes by parcels may be reached by nothing else: they get their acknowledgements that way too."""
    written = {one.request.put for one in mine if isinstance(one.request, Put) and not one.bare}
    for mailbox in work.find(OwnMailbox) if written else ():
        if mailbox.account and mailbox.put in written:
            row = carried.contact_row(work, mailbox.account)
            work.put(msgspec.structs.replace(row, heard_at=work.now))


# --- what the host could not take yet --------------------------------------------------------------------------------


def defer(work: Work, one: Mine) -> None:
    """My host has not all blobs that this put needs, or no room: it is asked again. Blobs come again from who sent
    them."""
    if isinstance(one.request, PutBlob) or work.get(WaitingParcel, one.parcel.id) is not None:
        return
    if len(work.find(WaitingParcel, limit=carried.MAX_WAITING)) == carried.MAX_WAITING:
        return
    ends = min(carried.ends_at(one.parcel.expires), work.now + carried.REMEMBER_MS)
    work.put(WaitingParcel(one.parcel.id, one.meeting, one.parcel.sealed, ends))


def waiting(work: Work) -> tuple[Mine, ...]:
    """What was deferred: to be asked again now and then, and `settled` when the host took it or never will."""
    return tuple(_mine(Parcel(0, 0, row.sealed), row.meeting) for row in work.find(WaitingParcel))


def settled(work: Work, one: Mine) -> None:
    """The host took it, or never will."""
    row = work.get(WaitingParcel, one.parcel.id)
    if row is not None:
        work.delete(row)
