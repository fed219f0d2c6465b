"""What this device carries for others, and what it knows of couriers (messaging.parcels)."""

from __future__ import annotations

from typing import ClassVar

from roost.messaging.rows.base import Row

MEBIBYTE = 2**20


class CourierSettings(Row, frozen=True):
    """What the person lets this device do (id is always 0), with the limits of what it carries."""

    table: ClassVar[str] = "courier_settings"
    key: ClassVar[tuple[str, ...]] = ("id",)
    id: int = 0
    carries: bool = False  # take parcels of contacts along
    uses: bool | None = None  # give mine to contacts who carry; None: as `carries`
    hops: int = 2  # couriers that a parcel of mine may pass, and the most that I believe of another's
    days: int = 7  # for which a parcel is carried
    total: int = 64 * MEBIBYTE
    share: int = 25  # per cent of it that one contact may fill
    daily: int = 16 * MEBIBYTE  # from one contact in a day


class CarriedParcel(Row, frozen=True):
    """A parcel of somebody else, without its bytes."""

    table: ClassVar[str] = "carried_parcel"
    key: ClassVar[tuple[str, ...]] = ("id",)
    indexes: ClassVar[tuple[str, ...]] = ("account", "received_at", "expires_at")
    id: bytes
    account: bytes  # who handed it over; empty when it came in a file
    received_at: int
    expires_at: int
    head: bytes
    size: int
    hops: int  # couriers that may still take it
    expires: int  # the day, as it travels
    offered: tuple[bytes, ...] = ()  # accounts that have seen it here (the first 8 bytes)


class CarriedBytes(Row, frozen=True):
    """The bytes of a carried parcel, which are read only where it is handed over."""

    table: ClassVar[str] = "carried_bytes"
    key: ClassVar[tuple[str, ...]] = ("id",)
    id: bytes
    sealed: bytes


class WaitingParcel(Row, frozen=True):
    """A parcel for this device that its host could not take yet."""

    table: ClassVar[str] = "waiting_parcel"
    key: ClassVar[tuple[str, ...]] = ("id",)
    indexes: ClassVar[tuple[str, ...]] = ("expires_at",)
    id: bytes
    meeting: bytes
    sealed: bytes
    expires_at: int


class CourierDevice(Row, frozen=True):
    """A device of a contact, or another of mine: whether it carries for me, and whether it was told that I do."""

    table: ClassVar[str] = "courier_device"
    key: ClassVar[tuple[str, ...]] = ("account", "device")
    account: bytes
    device: bytes
    carries: bool = False
    told: bool = False
    told_at: int = 0


class CourierContact(Row, frozen=True):
    """What passed by parcels between a contact and me; with an empty account, what came in files."""

    table: ClassVar[str] = "courier_contact"
    key: ClassVar[tuple[str, ...]] = ("account",)
    account: bytes
    day: int = 0  # of `taken`
    taken: int = 0  # bytes that I took from it to carry, that day
    heard_at: int = 0  # when a parcel of theirs for me came last: it is acknowledged by parcels too
    held: int = 0  # bytes that I carry and got from it
