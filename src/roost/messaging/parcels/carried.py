"""What this device carries for others: within limits, for some days, and then it is forgotten."""

from __future__ import annotations

import enum

import msgspec

from roost.crypto import SMALL_PARCEL
from roost.messaging.records import (
    CarriedBytes,
    CarriedParcel,
    Contact,
    ContactState,
    CourierContact,
    CourierDevice,
    CourierSettings,
    PeerDevice,
    Seen,
    WaitingParcel,
)
from roost.messaging.work import Work
from roost.wire.parcels import Parcel, ParcelHead

DAY_MS = 86_400_000
REMEMBER_MS = 32 * DAY_MS  # longer than anything is carried: who was shown a parcel again would take it again
MAX_WAITING = 1_000  # parcels for this device that its host could not take yet


class Drop(enum.StrEnum):
    """Why a parcel was not taken."""

    DUPLICATE = "duplicate"
    EXPIRED = "expired"
    FORGED = "forged"  # it looked like one for this device, and does not open
    MALFORMED = "malformed"
    NOT_CARRYING = "not_carrying"
    STRANGER = "stranger"  # only contacts are carried for
    NO_HOPS = "no_hops"  # it went through as many couriers as it may
    FULL = "full"
    SHARE = "share"  # of this contact
    RATE = "rate"  # of this contact today


def ends_at(day: int) -> int:
    """When a day since 1970 is over, in milliseconds."""
    return (day + 1) * DAY_MS


def mark_of(id: bytes) -> bytes:
    return b"parcel" + id


def was_seen(work: Work, id: bytes) -> bool:
    return work.get(Seen, mark_of(id)) is not None


def remember(work: Work, id: bytes) -> None:
    work.put(Seen(mark_of(id), work.now + REMEMBER_MS))


def contact_row(work: Work, account: bytes) -> CourierContact:
    return work.get(CourierContact, account) or CourierContact(account)


class Room:
    """What may still be taken from one contact, as one step sees it. Whether it is one is the caller's to know."""

    def __init__(self, work: Work, settings: CourierSettings, account: bytes) -> None:
        self._now, self._settings = work.now, settings
        row = contact_row(work, account)
        self._free = settings.total - sum(other.held for other in work.find(CourierContact))
        self._share = settings.total * settings.share // 100 - row.held
        self._today = settings.daily - (row.taken if row.day == work.now // DAY_MS else 0)

    def take(self, hops: int, expires: int, size: int) -> Drop | None:
        """Why a parcel is not taken along; None, and its room is taken, if it is."""
        if not self._settings.carries:
            return Drop.NOT_CARRYING
        if ends_at(expires) <= self._now:
            return Drop.EXPIRED
        if hops < 1:
            return Drop.NO_HOPS
        for left, reason in ((self._free, Drop.FULL), (self._share, Drop.SHARE), (self._today, Drop.RATE)):
            if left < size:
                return reason
        self._free -= size
        self._share -= size
        self._today -= size
        return None


def keep(work: Work, settings: CourierSettings, account: bytes, parcel: Parcel) -> None:
    """Carry a parcel from now on; `Room` had room for it. What it says of itself is believed within my own limits."""
    day = work.now // DAY_MS
    expires = min(parcel.expires, day + settings.days)
    hops = min(parcel.hops, settings.hops) - 1
    size = len(parcel.sealed)
    work.put(CarriedParcel(parcel.id, account, work.now, ends_at(expires), parcel.head, size, hops, expires))
    work.put(CarriedBytes(parcel.id, parcel.sealed))
    remember(work, parcel.id)
    row = contact_row(work, account)
    taken = row.taken if row.day == day else 0
    work.put(msgspec.structs.replace(row, day=day, taken=taken + size, held=row.held + size))


def head_of(row: CarriedParcel) -> ParcelHead:
    return ParcelHead(row.head, row.size > SMALL_PARCEL, row.hops, row.expires)


def forget(work: Work, row: CarriedParcel) -> None:
    work.delete(row)
    work.delete(CarriedBytes(row.id, b""))
    contact = contact_row(work, row.account)
    work.put(msgspec.structs.replace(contact, held=contact.held - row.size))


def forget_all(work: Work) -> None:
    for row in work.find(CarriedParcel):
        forget(work, row)


def tick(work: Work) -> None:
    """Forget what is too old, and what hangs on people who are no contacts any more."""
    for row in work.find(CarriedParcel, at_most=("expires_at", work.now)):
        forget(work, row)
    for waiting in work.find(WaitingParcel, at_most=("expires_at", work.now)):
        work.delete(waiting)
    for device in work.find(CourierDevice):
        if work.get(PeerDevice, device.account, device.device) is None:
            work.delete(device)
    for contact in work.find(CourierContact):
        held = work.get(Contact, contact.account)
        if contact.account and (held is None or held.state == ContactState.BLOCKED):
            for row in work.find(CarriedParcel, where={"account": contact.account}):
                forget(work, row)
            work.delete(contact)
